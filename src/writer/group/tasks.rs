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
