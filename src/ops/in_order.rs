//! Several pieces of work at once, and what came of them one after the other, in their order.

use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, PoisonError};

use crate::model::{Error, Result};

/// So many results for each thread may wait for an earlier one: what is found is held in memory until its turn comes.
const AHEAD: usize = 4;

struct Board<T> {
    state: Mutex<BoardState<T>>,
    changed: Condvar,
}

struct BoardState<T> {
    /// The piece that is begun next.
    next: usize,
    /// How many were taken.
    taken: usize,
    done: BTreeMap<usize, Result<T>>,
    /// Nothing more is to be begun.
    over: bool,
}

impl<T> Board<T> {
    fn with<R>(&self, change: impl FnOnce(&mut BoardState<T>) -> R) -> R {
        let changed = change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner));
        self.changed.notify_all();
        changed
    }

    /// Waits until `look` finds something.
    fn wait<R>(&self, mut look: impl FnMut(&mut BoardState<T>) -> Option<R>) -> R {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(found) = look(&mut state) {
                return found;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// Ends the others when this thread ends, whatever ends it.
struct EndsAll<'b, T>(&'b Board<T>);

impl<T> Drop for EndsAll<'_, T> {
    fn drop(&mut self) {
        self.0.with(|state| state.over = true);
    }
}

/// Does the pieces of work from 0 to `count` on up to `jobs` threads, and hands over what came of each in their order. After a failure
/// nothing more is begun.
///
/// # Errors
/// The first failure, in the order of the work.
pub fn in_order<T: Send>(
    count: usize,
    jobs: usize,
    work: &(dyn Fn(usize) -> Result<T> + Sync),
    take: &mut dyn FnMut(usize, T) -> Result<()>,
) -> Result<()> {
    if jobs < 2 || count < 2 {
        return (0..count).try_for_each(|index| take(index, work(index)?));
    }
    let board = Board {
        state: Mutex::new(BoardState { next: 0, taken: 0, done: BTreeMap::new(), over: false }),
        changed: Condvar::new(),
    };
    let room = jobs * AHEAD;
    let worker = || {
        loop {
            let next = board.wait(|state| {
                if state.over || state.next >= count {
                    return Some(None);
                }
                let near = state.next < state.taken + room;
                near.then(|| {
                    state.next += 1;
                    Some(state.next - 1)
                })
            });
            let Some(index) = next else { return };
            let ends = EndsAll(&board);
            let found = work(index);
            std::mem::forget(ends);
            board.with(|state| state.done.insert(index, found));
        }
    };
    std::thread::scope(|scope| {
        let _ends = EndsAll(&board);
        let threads = (0..jobs.min(count)).map_while(|_| std::thread::Builder::new().spawn_scoped(scope, worker).ok()).count();
        if threads == 0 {
            return (0..count).try_for_each(|index| take(index, work(index)?));
        }
        for index in 0..count {
            // Nothing comes any more where a thread panicked: the scope passes that on.
            let found = board.wait(|state| match state.done.remove(&index) {
                Some(found) => Some(found),
                None => state.over.then_some(Err(Error::Interrupted)),
            });
            board.with(|state| state.taken = index + 1);
            take(index, found?)?;
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn results_come_in_the_order_of_the_work_whatever_ends_first() {
        for jobs in [1, 2, 3, 16] {
            let mut seen = Vec::new();
            let work = |index: usize| {
                // The first of each three is through last.
                (0..if index.is_multiple_of(3) { 200 } else { 0 }).for_each(|_| std::thread::yield_now());
                Ok(index * 10)
            };
            in_order(100, jobs, &work, &mut |index, found| {
                seen.push((index, found));
                Ok(())
            })
            .expect("nothing fails");
            assert_eq!(seen, (0..100).map(|index| (index, index * 10)).collect::<Vec<_>>(), "{jobs} threads");
        }
    }

    #[test]
    fn the_first_failure_in_order_ends_the_work_and_what_comes_before_it_is_taken() {
        for jobs in [1, 2, 8] {
            let (begun, mut taken) = (AtomicUsize::new(0), Vec::new());
            let work = |index: usize| {
                begun.fetch_add(1, Ordering::Relaxed);
                if index >= 5 { Err(Error::Input { what: index.to_string() }) } else { Ok(()) }
            };
            let ended = in_order(10_000, jobs, &work, &mut |index, ()| {
                taken.push(index);
                Ok(())
            });
            assert!(matches!(ended, Err(Error::Input { what }) if what == "5"), "{jobs} threads");
            assert_eq!(taken, [0, 1, 2, 3, 4], "{jobs} threads");
            assert!(begun.into_inner() <= 6 + jobs * AHEAD, "nothing more is begun");
        }
    }

    #[test]
    fn no_more_is_done_ahead_than_there_is_room_for() {
        let (begun, taken) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let work = |index: usize| {
            let ahead = begun.fetch_add(1, Ordering::SeqCst) + 1 - taken.load(Ordering::SeqCst);
            Ok((index, ahead))
        };
        in_order(1000, 2, &work, &mut |_, (_, ahead)| {
            taken.fetch_add(1, Ordering::SeqCst);
            assert!(ahead <= 2 * AHEAD + 2, "{ahead} ahead");
            Ok(())
        })
        .expect("nothing fails");
    }

    #[test]
    fn a_panic_in_the_work_is_passed_on_and_nothing_hangs() {
        let ended = std::panic::catch_unwind(|| {
            in_order(50, 2, &|index| if index == 7 { panic!("as planned") } else { Ok(()) }, &mut |_, ()| Ok(()))
        });
        assert!(ended.is_err());
    }

    #[test]
    fn a_receiver_that_fails_ends_the_work() {
        let ended = in_order(1000, 4, &Ok, &mut |index, _| if index == 3 { Err(Error::Interrupted) } else { Ok(()) });
        assert!(matches!(ended, Err(Error::Interrupted)));
    }
}
