//! Whether a group is over, and how those who wait for it learn that: threads sleep on one word, tasks leave their wakers.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::task::Waker;

use super::primitives::{ALL, Futex, Mutex, Ordering, lock, wake_task};
use crate::model::Error;
use crate::writer::outcome::{Failure, Outcome, Written};

/// The group is written, or has failed.
const DONE: u32 = 1 << 31;
/// A caller sleeps or is about to. Set by the sleeper before it waits, so that the thread that finishes need not guess.
const SLEEPS: u32 = 1 << 30;
/// A task left its waker. Set behind that, under the lock of the wakers.
const AWAITED: u32 = 1 << 29;
// The bits below count nudges, so that a nudge changes the word. It would take 2^29 of them between a look and a sleep to miss one.

/// Where a group stands. One word wakes all its callers, and none of them takes a lock on its way out.
#[derive(Debug, Default)]
pub(super) struct Completion {
    word: Futex,
    outcome: OnceLock<Result<Written, Failed>>,
    wakers: Mutex<Vec<Option<Waker>>>,
}

/// Why a group failed, and which log that was.
#[derive(Debug)]
pub(super) struct Failed {
    failure: Failure,
    dir: PathBuf,
}

impl Failed {
    pub fn error(&self) -> Error {
        self.failure.error(&self.dir)
    }
}

impl Completion {
    /// What came of the group, if it is over.
    #[inline]
    pub fn outcome(&self) -> Option<&Result<Written, Failed>> {
        if self.word.0.load(Ordering::Acquire) & DONE == 0 {
            return None;
        }
        self.outcome.get()
    }

    /// What came of the group, if it is over. Otherwise the waker is kept until it is; `seat` is where a task's waker lies, for the
    /// next time that it looks.
    pub fn poll(&self, seat: &mut Option<usize>, waker: &Waker) -> Option<&Result<Written, Failed>> {
        if let Some(outcome) = self.outcome() {
            return Some(outcome);
        }
        let mut wakers = lock(&self.wakers);
        match seat.and_then(|seat| wakers.get_mut(seat)) {
            Some(Some(kept)) if kept.will_wake(waker) => {}
            Some(kept) => *kept = Some(waker.clone()),
            None => {
                *seat = Some(wakers.len());
                wakers.push(Some(waker.clone()));
            }
        }
        if self.word.0.fetch_or(AWAITED, Ordering::AcqRel) & DONE == 0 {
            return None;
        }
        // It ended meanwhile: who finishes it may have taken the wakers already. This one would keep its task, which keeps this. Those of
        // other tasks stay: they may have been left before the end.
        let late = seat.take().and_then(|seat| wakers.get_mut(seat)).and_then(Option::take);
        drop(wakers);
        drop(late);
        self.outcome()
    }

    /// The task that had this seat does not wait any more.
    pub fn leave(&self, seat: usize) {
        let left = lock(&self.wakers).get_mut(seat).and_then(Option::take);
        // Without the lock: a waker may be the last that keeps a task.
        drop(left);
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

    /// The group is over. Its callers are woken if any sleeps: a lone appender pays no system call, and no lock.
    pub fn finish(&self, outcome: Outcome, dir: &Path) {
        // Where a leader panicked after it had finished a group, the first outcome is the true one.
        let _ = self.outcome.set(outcome.map_err(|failure| Failed { failure, dir: dir.to_owned() }));
        let word = self.word.0.fetch_or(DONE, Ordering::AcqRel);
        if word & SLEEPS != 0 {
            self.word.wake(ALL);
        }
        if word & AWAITED != 0 {
            let wakers = std::mem::take(&mut *lock(&self.wakers));
            wakers.into_iter().flatten().for_each(wake_task);
        }
    }
}
