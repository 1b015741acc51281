//! Tasks, which wait without a thread: how they hand records over, and their wakers while there is no room in the queue.

use std::task::{Poll, Waker};
use std::time::Instant;

use super::leader::Shared;
use super::ticket::Ticket;
use crate::model::Result;
use crate::writer::frames::Prepared;

impl Shared {
    /// Puts records into the queue for a task that awaits them. Without room the waker is kept until there is.
    pub fn poll_push(
        &self,
        records: &[Prepared<'_>],
        seat: &mut Option<RoomSeat>,
        waker: &Waker,
        each: impl FnMut(Ticket),
    ) -> Poll<Result<()>> {
        let came = Instant::now();
        let bytes: usize = records.iter().map(Prepared::bytes).sum();
        let mut queue = self.queue();
        self.check(&queue)?;
        if !self.has_room(&queue, bytes) {
            queue.room.keep(seat, waker);
            self.company.notify_one();
            self.start_committer(queue);
            return Poll::Pending;
        }
        queue.push(records, false, came, &self.options, each)?;
        queue.expect_task();
        self.tell_leader(&queue);
        self.start_committer(queue);
        Poll::Ready(Ok(()))
    }
}

/// The wakers of one turn. All of them are woken together, and whoever finds no room again waits for the next turn.
#[derive(Debug, Default)]
pub(super) struct RoomWakers {
    wakers: Vec<Option<Waker>>,
    turn: u64,
}

/// Where the waker of one task lies.
#[derive(Clone, Copy, Debug)]
pub(super) struct RoomSeat {
    turn: u64,
    index: usize,
}

impl RoomWakers {
    pub fn is_empty(&self) -> bool {
        self.wakers.is_empty()
    }

    /// Keeps a waker, in the place of the one that the same task left in this turn.
    pub fn keep(&mut self, seat: &mut Option<RoomSeat>, waker: &Waker) {
        let turn = self.turn;
        match seat.filter(|seat| seat.turn == turn).and_then(|seat| self.wakers.get_mut(seat.index)) {
            Some(Some(kept)) if kept.will_wake(waker) => {}
            Some(kept) => *kept = Some(waker.clone()),
            None => {
                *seat = Some(RoomSeat { turn, index: self.wakers.len() });
                self.wakers.push(Some(waker.clone()));
            }
        }
    }

    /// The task that had this seat waits no more. What is returned is dropped without a lock.
    pub fn leave(&mut self, seat: RoomSeat) -> Option<Waker> {
        self.wakers.get_mut(seat.index).filter(|_| seat.turn == self.turn)?.take()
    }

    /// All of them, to be woken.
    pub fn take(&mut self) -> Vec<Option<Waker>> {
        self.turn += 1;
        std::mem::take(&mut self.wakers)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
    use std::task::Wake;

    use super::*;

    #[derive(Default)]
    struct Woken(AtomicUsize);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Relaxed);
        }
    }

    fn task() -> (Arc<Woken>, Waker) {
        let woken = Arc::new(Woken::default());
        (woken.clone(), woken.into())
    }

    fn wake_all(room: &mut RoomWakers) {
        room.take().into_iter().flatten().for_each(Waker::wake);
    }

    #[test]
    fn a_task_that_looks_twice_in_a_turn_has_one_seat_and_its_last_waker_counts() {
        let (mut room, mut seat) = (RoomWakers::default(), None);
        let ((first, first_waker), (second, second_waker)) = (task(), task());
        for waker in [&first_waker, &first_waker, &second_waker] {
            room.keep(&mut seat, waker);
            assert_eq!(room.wakers.len(), 1);
        }
        wake_all(&mut room);
        assert_eq!((first.0.load(Relaxed), second.0.load(Relaxed)), (0, 1));
        assert!(room.is_empty());
    }

    #[test]
    fn a_seat_of_an_earlier_turn_is_somebody_elses_now() {
        let (mut room, mut old, mut new) = (RoomWakers::default(), None, None);
        let ((late, late_waker), (other, other_waker)) = (task(), task());
        room.keep(&mut old, &late_waker);
        wake_all(&mut room);
        room.keep(&mut new, &other_waker);
        // It leaves a turn that is over: nobody loses a waker.
        assert!(room.leave(old.expect("it had a seat")).is_none());
        room.keep(&mut old, &late_waker);
        assert_eq!(room.wakers.len(), 2);
        wake_all(&mut room);
        assert_eq!((late.0.load(Relaxed), other.0.load(Relaxed)), (2, 1));
    }

    #[test]
    fn who_leaves_in_time_is_not_woken() {
        let (mut room, mut seat) = (RoomWakers::default(), None);
        let (woken, waker) = task();
        room.keep(&mut seat, &waker);
        assert!(room.leave(seat.expect("it had a seat")).is_some_and(|left| left.will_wake(&waker)));
        wake_all(&mut room);
        assert_eq!(woken.0.load(Relaxed), 0);
    }
}
