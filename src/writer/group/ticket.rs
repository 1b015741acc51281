//! A record on its way.

use std::path::Path;
use std::time::Instant;

use super::completion::Completion;
use super::primitives::Arc;
use crate::model::Result;
use crate::writer::outcome::{Ack, Outcome};

/// A record on its way. [`super::GroupCommit::wait`] redeems it; dropping one loses nothing but the answer.
#[derive(Clone, Debug)]
#[must_use]
pub struct Ticket {
    pub(super) completion: Arc<Completion>,
    /// Its first frame among those of the group, and how many it has.
    pub(super) index: u32,
    pub(super) frames: u32,
    pub(super) came: Instant,
}

impl Ticket {
    /// Whether waiting for it would return at once.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.completion.outcome().is_some()
    }

    pub(super) fn redeem(&self, outcome: &Outcome, dir: &Path) -> Result<Ack> {
        match outcome {
            Ok(written) => Ok(written.ack(self.index, self.frames, self.came)),
            Err(failure) => Err(failure.error(dir)),
        }
    }
}
