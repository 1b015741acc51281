//! The handle through which programs append: see [`GroupCommit`].

use std::future::poll_fn;
use std::path::Path;

use super::leader::Shared;
use super::log::OpenLog;
use super::primitives::{Arc, Ordering};
use super::tasks::RoomSeat;
use super::ticket::Ticket;
use crate::disk::Disk;
use crate::model::{Lsn, Result};
use crate::writer::counters::Counts;
use crate::writer::frames::{AsDraft, Draft, Prepared};
use crate::writer::log::Rotated;
use crate::writer::options::Settings;
use crate::writer::outcome::Ack;
use crate::writer::pins::Pins;
use crate::writer::retain::{Pin, Reason};

/// A task that waits for room. When it is dropped, its waker goes.
struct WaitForRoom<'a> {
    shared: &'a Shared,
    seat: Option<RoomSeat>,
}

impl Drop for WaitForRoom<'_> {
    fn drop(&mut self) {
        if let Some(seat) = self.seat {
            let left = self.shared.queue().room.leave(seat);
            // Without the lock: a waker may be the last that keeps a task.
            drop(left);
        }
    }
}

/// A log that many threads append to. Clones are the same log; a thread that appends should have a clone of its own, since a leader
/// that waits for company counts them to know when no other record can come.
#[derive(Debug)]
pub struct GroupCommit {
    pub(super) shared: Arc<Shared>,
}

impl Clone for GroupCommit {
    fn clone(&self) -> Self {
        self.shared.handles.fetch_add(1, Ordering::Relaxed);
        GroupCommit { shared: self.shared.clone() }
    }
}

impl Drop for GroupCommit {
    fn drop(&mut self) {
        match self.shared.handles.fetch_sub(1, Ordering::AcqRel) {
            1 => self.shared.halt(),
            _ => self.shared.one_less(),
        }
    }
}

impl GroupCommit {
    /// Opens the log in `dir` for appending.
    pub fn open(disk: Arc<dyn Disk>, dir: &Path, options: Settings) -> Result<GroupCommit> {
        GroupCommit::over(OpenLog::open(disk, dir, options.clone())?, dir, options)
    }

    /// Appends to a log that is open.
    pub(super) fn over(log: OpenLog, dir: &Path, options: Settings) -> Result<GroupCommit> {
        // The handle comes first: where a thread cannot be started, dropping it ends those that were, and gives back the lock.
        let handle = GroupCommit { shared: Arc::new(Shared::new(log, dir.to_owned(), options)) };
        handle.shared.start()?;
        Ok(handle)
    }

    /// Appends a record and returns when it is durable, or as durable as the mode makes it.
    pub fn append(&self, record: impl AsDraft) -> Result<Ack> {
        let prepared = Prepared::new(record.as_draft(), &self.shared.options)?;
        let mut tickets = None;
        let queue = self.shared.push(std::slice::from_ref(&prepared), true, |ticket| tickets = Some(ticket))?;
        self.shared.settle(queue, &tickets.expect("one record was pushed"))
    }

    /// Appends several records that survive a crash together or not at all, and returns when they are durable.
    pub fn append_batch(&self, drafts: &[Draft<'_>]) -> Result<Vec<Ack>> {
        let tickets = self.push_batch(drafts, true)?;
        tickets.iter().map(|ticket| self.wait(ticket)).collect()
    }

    /// Hands a record over and returns at once, unless too much is queued already. It is written without further calls;
    /// [`GroupCommit::wait`] returns when it is durable.
    pub fn submit(&self, record: impl AsDraft) -> Result<Ticket> {
        let prepared = Prepared::new(record.as_draft(), &self.shared.options)?;
        self.shared.need_committer()?;
        let mut tickets = None;
        let queue = self.shared.push(std::slice::from_ref(&prepared), false, |ticket| tickets = Some(ticket))?;
        self.shared.start_committer(queue);
        Ok(tickets.expect("one record was pushed"))
    }

    /// Appends a record and is ready when it is durable, on any executor. Dropped before it was polled it appends nothing; dropped
    /// later, the record may become durable all the same.
    pub async fn append_async(&self, record: impl AsDraft) -> Result<Ack> {
        self.submit_async(record).await?.await
    }

    /// Appends several records that survive a crash together or not at all, and is ready when they are durable.
    pub async fn append_batch_async(&self, drafts: &[Draft<'_>]) -> Result<Vec<Ack>> {
        let prepared = self.prepare(drafts)?;
        let mut acks = Vec::with_capacity(prepared.len());
        for ticket in self.push_async(&prepared).await? {
            acks.push(ticket.await?);
        }
        Ok(acks)
    }

    /// Hands a record over, and is ready as soon as there is room for it: then the ticket can be awaited.
    pub async fn submit_async(&self, record: impl AsDraft) -> Result<Ticket> {
        let prepared = Prepared::new(record.as_draft(), &self.shared.options)?;
        let mut tickets = self.push_async(std::slice::from_ref(&prepared)).await?;
        Ok(tickets.pop().expect("one record was pushed"))
    }

    async fn push_async(&self, prepared: &[Prepared<'_>]) -> Result<Vec<Ticket>> {
        let mut tickets = Vec::with_capacity(prepared.len());
        if prepared.is_empty() {
            return Ok(tickets);
        }
        self.shared.need_committer()?;
        let mut wait = WaitForRoom { shared: &self.shared, seat: None };
        poll_fn(|context| self.shared.poll_push(prepared, &mut wait.seat, context.waker(), |ticket| tickets.push(ticket)))
            .await?;
        Ok(tickets)
    }

    /// Hands over several records that survive a crash together or not at all.
    pub fn submit_batch(&self, drafts: &[Draft<'_>]) -> Result<Vec<Ticket>> {
        self.push_batch(drafts, false)
    }

    fn push_batch(&self, drafts: &[Draft<'_>], caller: bool) -> Result<Vec<Ticket>> {
        let prepared = self.prepare(drafts)?;
        let mut tickets = Vec::with_capacity(prepared.len());
        if prepared.is_empty() {
            return Ok(tickets);
        }
        if !caller {
            self.shared.need_committer()?;
        }
        let queue = self.shared.push(&prepared, caller, |ticket| tickets.push(ticket))?;
        if !caller {
            self.shared.start_committer(queue);
        }
        Ok(tickets)
    }

    fn prepare<'a>(&self, drafts: &[Draft<'a>]) -> Result<Vec<Prepared<'a>>> {
        drafts.iter().map(|draft| Prepared::new(*draft, &self.shared.options)).collect()
    }

    /// Returns when the record is durable, or as durable as the mode makes it.
    pub fn wait(&self, ticket: &Ticket) -> Result<Ack> {
        if let Some(outcome) = ticket.completion.outcome() {
            return ticket.redeem(outcome);
        }
        self.shared.settle(self.shared.queue(), ticket)
    }

    /// What came of a record, if it is known already.
    #[must_use]
    pub fn poll(&self, ticket: &Ticket) -> Option<Result<Ack>> {
        ticket.completion.outcome().map(|outcome| ticket.redeem(outcome))
    }

    /// Returns when everything that was handed over so far is durable, whatever the mode. Returns the last durable LSN; 0 for none.
    pub fn sync(&self) -> Result<Lsn> {
        self.shared.check(&self.shared.queue())?;
        self.shared.flush()?;
        self.shared.hold().sync()?;
        Ok(self.durable_lsn())
    }

    /// Seals the active segment and begins the next one, behind everything that was handed over so far.
    pub fn rotate(&self) -> Result<Rotated> {
        self.shared.check(&self.shared.queue())?;
        self.shared.flush()?;
        self.shared.rotate_with(OpenLog::rotate)
    }

    /// Closes the log cleanly: everything handed over is durable, and the log says that it was closed. From the call on, records,
    /// syncs and rotations are refused, also those of other clones.
    pub fn close(&self) -> Result<Lsn> {
        self.shared.refuse_more()?;
        let flushed = self.shared.flush();
        self.shared.halt();
        self.shared.hold().close()?;
        flushed?;
        Ok(self.durable_lsn())
    }

    /// Keeps what a reader still needs, also across restarts: it has read everything up to `read`. Called again, it moves the pin.
    pub fn pin(&self, name: &str, read: Lsn) -> Result<()> {
        self.pins()?.set(name, read)?;
        self.look_at_retention();
        Ok(())
    }

    /// Takes a pin away. Whether there was one.
    pub fn unpin(&self, name: &str) -> Result<bool> {
        let there = self.pins()?.remove(name)?;
        self.look_at_retention();
        Ok(there)
    }

    /// The pins, in the order of their names.
    #[must_use]
    pub fn pinned(&self) -> Vec<Pin> {
        let pins = self.shared.pins.as_ref().map(|pins| pins.hold().clone()).unwrap_or_default();
        pins.into_iter().map(|(name, read)| Pin { name, read: Some(read), segment: None }).collect()
    }

    /// What kept the oldest segment when retention looked last; empty without rules.
    #[must_use]
    pub fn held_by(&self) -> Vec<Reason> {
        self.shared.retention.as_ref().map_or_else(Vec::new, |retention| retention.held_by())
    }

    fn pins(&self) -> Result<&Arc<Pins>> {
        self.shared.check(&self.shared.queue())?;
        Ok(self.shared.pins.as_ref().expect("a log that is open has pins"))
    }

    fn look_at_retention(&self) {
        if let Some(retention) = &self.shared.retention {
            retention.wake();
            self.shared.retire_if_due();
        }
    }

    /// The LSN that the next record will get, if nothing fails.
    #[must_use]
    pub fn next_lsn(&self) -> Lsn {
        self.shared.queue().next()
    }

    /// The last LSN that is known durable; 0 when none is. Never waits for a write or a sync.
    #[must_use]
    pub fn durable_lsn(&self) -> Lsn {
        self.shared.counters.durable()
    }

    /// The id that all segments of the log bear.
    #[must_use]
    pub fn log_id(&self) -> [u8; 16] {
        self.shared.log_id
    }

    /// What was done so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.shared.counters.now()
    }

    /// What turned out otherwise than asked for, in words: that the filesystem takes no direct writes.
    #[must_use]
    pub fn notes(&self) -> Vec<String> {
        self.shared.notes()
    }

    /// How it writes.
    #[must_use]
    pub fn options(&self) -> &Settings {
        &self.shared.options
    }
}
