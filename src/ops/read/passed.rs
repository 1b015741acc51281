//! What a scan could not read because retention was faster.

use super::ScanOutcome;
use crate::model::{Lsn, LsnRange};

/// Segments that were listed, and gone before they could be read: retention was faster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passed {
    /// The first of them.
    pub gone: String,
    /// The one with which reading went on, if any is left.
    pub next: Option<String>,
    /// The LSN that was due where they went.
    pub due: Option<Lsn>,
    /// Where in the order of what was read they had been.
    pub(super) index: usize,
}

impl Passed {
    /// The records that were not shown, as far as numbers tell: between what was read before and what was read next.
    #[must_use]
    pub fn unread(&self, outcome: &ScanOutcome) -> Option<LsnRange> {
        LsnRange::new(self.due?, outcome.summaries.get(self.index)?.lsns?.first.before()?)
    }
}
