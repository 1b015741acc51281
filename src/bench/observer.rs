//! Who watches a measurement, and may end it.

use std::fmt;

/// Who watches a measurement.
#[derive(Clone, Copy)]
pub struct Watch<'a> {
    /// Whether it should end now, with what there is.
    pub stop: &'a (dyn Fn() -> bool + Sync),
    /// Told how many steps are done more.
    pub done: &'a (dyn Fn(u64) + Sync),
}

impl fmt::Debug for Watch<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Watch")
    }
}

impl Watch<'_> {
    /// No observer.
    #[must_use]
    pub fn deaf() -> Watch<'static> {
        Watch { stop: &|| false, done: &|_| {} }
    }

    pub(super) fn is_over(&self) -> bool {
        (self.stop)()
    }

    pub(super) fn step(&self, steps: u64) {
        (self.done)(steps);
    }
}
