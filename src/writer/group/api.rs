//! The handle through which programs append: see [`GroupCommit`].

use std::path::Path;

use super::leader::Shared;
use super::log::Log;
use super::primitives::{Arc, Ordering};
use super::ticket::Ticket;
use crate::disk::Disk;
use crate::model::{Lsn, Result};
use crate::writer::counters::Counts;
use crate::writer::frames::{Draft, Prepared};
use crate::writer::log::Rotated;
use crate::writer::options::Options;
use crate::writer::outcome::Ack;

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
    pub fn open(disk: Arc<dyn Disk>, dir: &Path, options: Options) -> Result<GroupCommit> {
        GroupCommit::over(Log::open(disk, dir, options.clone())?, dir, options)
    }

    /// Appends to a log that is open.
    pub(super) fn over(log: Log, dir: &Path, options: Options) -> Result<GroupCommit> {
        // The handle comes first: where a thread cannot be started, dropping it ends those that were, and gives back the lock.
        let handle = GroupCommit { shared: Arc::new(Shared::new(log, dir.to_owned(), options)) };
        handle.shared.start()?;
        Ok(handle)
    }

    /// Appends a record and returns when it is durable, or as durable as the mode makes it.
    pub fn append<'a>(&self, draft: impl Into<Draft<'a>>) -> Result<Ack> {
        let prepared = Prepared::new(draft.into(), &self.shared.options)?;
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
    pub fn submit<'a>(&self, draft: impl Into<Draft<'a>>) -> Result<Ticket> {
        let prepared = Prepared::new(draft.into(), &self.shared.options)?;
        self.shared.need_committer()?;
        let mut tickets = None;
        let queue = self.shared.push(std::slice::from_ref(&prepared), false, |ticket| tickets = Some(ticket))?;
        self.shared.start_committer(queue);
        Ok(tickets.expect("one record was pushed"))
    }

    /// Hands over several records that survive a crash together or not at all.
    pub fn submit_batch(&self, drafts: &[Draft<'_>]) -> Result<Vec<Ticket>> {
        self.push_batch(drafts, false)
    }

    fn push_batch(&self, drafts: &[Draft<'_>], caller: bool) -> Result<Vec<Ticket>> {
        let prepared = drafts.iter().map(|d| Prepared::new(*d, &self.shared.options)).collect::<Result<Vec<_>>>()?;
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

    /// Returns when the record is durable, or as durable as the mode makes it.
    pub fn wait(&self, ticket: &Ticket) -> Result<Ack> {
        if let Some(outcome) = ticket.completion.outcome() {
            return ticket.redeem(outcome, &self.shared.dir);
        }
        self.shared.settle(self.shared.queue(), ticket)
    }

    /// What came of a record, if it is known already.
    #[must_use]
    pub fn poll(&self, ticket: &Ticket) -> Option<Result<Ack>> {
        ticket.completion.outcome().map(|outcome| ticket.redeem(outcome, &self.shared.dir))
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
        self.shared.rotate_with(Log::rotate)
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
    pub fn options(&self) -> &Options {
        &self.shared.options
    }
}
