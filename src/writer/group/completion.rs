//! Whether a group is over, and the word on which its callers sleep until it is.

use std::sync::OnceLock;

use super::primitives::{ALL, Futex, Ordering};
use crate::writer::outcome::Outcome;

/// The group is written, or has failed.
const DONE: u32 = 1 << 31;
/// A caller sleeps or is about to. Set by the sleeper before it waits, so that the thread that finishes need not guess.
const SLEEPS: u32 = 1 << 30;
// The bits below count nudges, so that a nudge changes the word. It would take 2^30 of them between a look and a sleep to miss one.

/// Where a group stands. One word wakes all its callers, and none of them takes a lock on its way out.
#[derive(Debug, Default)]
pub(super) struct Completion {
    word: Futex,
    outcome: OnceLock<Outcome>,
}

impl Completion {
    /// What came of the group, if it is over.
    #[inline]
    pub fn outcome(&self) -> Option<&Outcome> {
        if self.word.0.load(Ordering::Acquire) & DONE == 0 {
            return None;
        }
        self.outcome.get()
    }

    /// The word as it stands. Taken before looking whether a thread leads: a nudge after it is not missed by [`Completion::sleep`].
    #[inline]
    pub fn seen(&self) -> u32 {
        self.word.0.load(Ordering::Acquire)
    }

    /// Waits until the group is over, or this caller is nudged to lead, or for no reason at all.
    pub fn sleep(&self, seen: u32) {
        if seen & DONE != 0 {
            return;
        }
        let asleep = seen | SLEEPS;
        if seen != asleep
            && let Err(now) = self.word.0.compare_exchange(seen, asleep, Ordering::AcqRel, Ordering::Acquire)
            && now != asleep
        {
            // A nudge, or the end: the caller looks again.
            return;
        }
        self.word.wait(asleep);
    }

    /// Wakes one caller, so that it leads.
    pub fn nudge(&self) {
        if self.word.0.fetch_add(1, Ordering::AcqRel) & SLEEPS != 0 {
            self.word.wake(1);
        }
    }

    /// The group is over. Its callers are woken if any sleeps: a lone appender pays no system call.
    pub fn finish(&self, outcome: Outcome) {
        // Where a leader panicked after it had finished a group, the first outcome is the true one.
        let _ = self.outcome.set(outcome);
        if self.word.0.fetch_or(DONE, Ordering::AcqRel) & SLEEPS != 0 {
            self.word.wake(ALL);
        }
    }
}
