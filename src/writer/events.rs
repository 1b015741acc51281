//! What a writer tells the program around it while it works: through the crate `log`, if that feature is on.

use std::fmt;
use std::path::Path;
use std::time::Duration;

/// A sync that lasts longer is worth a word: whoever waits for it feels it.
pub(super) const SLOW_SYNC: Duration = Duration::from_secs(1);

/// How much it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Weight {
    /// Nothing more is accepted.
    Error,
    /// Somebody should look, and the log goes on.
    Warn,
    /// Rare, and as it should be: opened, closed, let go.
    Info,
    /// Once a segment.
    Debug,
}

/// Tells what happened to the log in `dir`. Never called for a single record or an ordinary group: without a logger it costs a
/// comparison, without the feature nothing.
#[inline]
pub(crate) fn tell(weight: Weight, dir: &Path, what: fmt::Arguments<'_>) {
    #[cfg(feature = "log")]
    {
        let level = match weight {
            Weight::Error => ::log::Level::Error,
            Weight::Warn => ::log::Level::Warn,
            Weight::Info => ::log::Level::Info,
            Weight::Debug => ::log::Level::Debug,
        };
        ::log::log!(target: "walctl", level, "{}: {what}", dir.display());
    }
    #[cfg(not(feature = "log"))]
    let _ = (weight, dir, what);
}
