//! A record on its way.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use super::completion::{Completion, Failed};
use super::primitives::Arc;
use crate::model::Result;
use crate::writer::outcome::{Ack, GroupPart, Written};

/// A record on its way. A thread waits for it with [`Log::wait`](crate::Log::wait), a task with `.await`, on any executor. Dropping it
/// loses nothing but the answer: the record is written all the same.
#[derive(Debug)]
#[must_use]
pub struct Ticket {
    pub(super) completion: Arc<Completion>,
    pub(super) part: GroupPart,
    pub(super) came: Instant,
    /// Where a task's waker lies.
    seat: Option<usize>,
}

impl Ticket {
    pub(super) fn new(completion: Arc<Completion>, part: GroupPart, came: Instant) -> Ticket {
        Ticket { completion, part, came, seat: None }
    }

    /// Whether waiting for it would return at once.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.completion.outcome().is_some()
    }

    pub(super) fn redeem(&self, outcome: &Result<Written, Failed>) -> Result<Ack> {
        match outcome {
            Ok(written) => Ok(written.ack(self.part, self.came)),
            Err(failed) => Err(failed.error()),
        }
    }
}

impl Clone for Ticket {
    fn clone(&self) -> Ticket {
        Ticket::new(self.completion.clone(), self.part, self.came)
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if let Some(seat) = self.seat {
            self.completion.leave(seat);
        }
    }
}

/// Ready when the record is durable, or as durable as the mode makes it, or when that failed.
impl Future for Ticket {
    type Output = Result<Ack>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<Ack>> {
        let ticket = &mut *self;
        match ticket.completion.poll(&mut ticket.seat, context.waker()) {
            Some(outcome) => Poll::Ready(ticket.redeem(outcome)),
            None => Poll::Pending,
        }
    }
}
