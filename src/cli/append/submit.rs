//! Hands records to the writer as they come, in batches where that is wanted, and passes the tickets on.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::SyncSender;
use std::time::{Duration, Instant};

use walctl::model::{Error, Lsn, Time};
use walctl::native::FrameKind;
use walctl::ops::report::{PayloadDigest, payload_digest};
use walctl::writer::{Draft, GroupCommit, RECORD_LIMIT, Ticket};

use super::feed::{End, Given, Receive};
use super::{AppendArgs, Batch};
use crate::cli::interrupt;
use crate::cli::render::progress::WorkBar;

/// How many tickets are passed on at a time.
const CHUNK: usize = 512;

/// A record under way: what it is redeemed with, and what the ledger will say of it.
#[derive(Debug)]
pub struct Sent {
    pub ticket: Ticket,
    pub digest: Option<(u64, PayloadDigest)>,
}

/// Hands records over.
pub struct Hand<'a> {
    log: GroupCommit,
    stop: &'a AtomicBool,
    sender: SyncSender<Vec<Sent>>,
    sent: Vec<Sent>,
    digests: bool,
    kind: Option<FrameKind>,
    tag: Option<u64>,
    keep_lsn: bool,
    batch: Option<Batch>,
    /// Records of the batch that is being gathered.
    gathered: Vec<Owned>,
    gathered_bytes: usize,
    pace: Option<(Instant, f64, u64)>,
    bar: Option<&'a WorkBar>,
}

struct Owned {
    payload: Vec<u8>,
    kind: FrameKind,
    tag: u64,
    lsn: Option<Lsn>,
    time: Option<Time>,
}

impl<'a> Hand<'a> {
    pub fn new(
        log: GroupCommit,
        args: &AppendArgs,
        stop: &'a AtomicBool,
        sender: SyncSender<Vec<Sent>>,
        bar: Option<&'a WorkBar>,
    ) -> Hand<'a> {
        Hand {
            log,
            stop,
            sender,
            sent: Vec::new(),
            digests: args.ledger.is_some(),
            kind: args.kind,
            tag: args.tag,
            keep_lsn: args.keep_lsn,
            batch: args.batch,
            gathered: Vec::new(),
            gathered_bytes: 0,
            pace: args.rate.map(|rate| (Instant::now(), rate.get() as f64, 0)),
            bar,
        }
    }

    /// Hands over what is left of a batch.
    pub fn finish(&mut self) -> Result<(), End> {
        self.submit_gathered()?;
        self.pass_on()
    }

    /// Lets it be told what came of those that were handed over.
    pub fn pass_on(&mut self) -> Result<(), End> {
        if self.sent.is_empty() {
            return Ok(());
        }
        // No thread takes tickets any more once the writer has ended: that is told elsewhere.
        self.sender.send(std::mem::take(&mut self.sent)).map_err(|_| End::Stopped)
    }

    fn gather(&mut self, draft: &Draft<'_>, batch: Batch) -> Result<(), End> {
        let Draft { kind, tag, payload, lsn, time } = *draft;
        self.gathered_bytes += payload.len();
        if self.gathered_bytes > RECORD_LIMIT {
            let what = format!("a batch of more than {RECORD_LIMIT} bytes is not possible");
            return Err(End::Failed(Error::Input { what }.into()));
        }
        self.gathered.push(Owned { payload: payload.to_vec(), kind, tag, lsn, time });
        match batch {
            Batch::Each(count) if self.gathered.len() as u64 >= count.get() => self.submit_gathered(),
            _ => Ok(()),
        }
    }

    fn submit_gathered(&mut self) -> Result<(), End> {
        let gathered = std::mem::take(&mut self.gathered);
        self.gathered_bytes = 0;
        let drafts: Vec<Draft<'_>> =
            gathered.iter().map(|o| Draft { kind: o.kind, tag: o.tag, payload: &o.payload, lsn: o.lsn, time: o.time }).collect();
        let tickets = self.log.submit_batch(&drafts).map_err(ended)?;
        for (ticket, draft) in tickets.into_iter().zip(&drafts) {
            let digest = self.digests.then(|| (draft.payload.len() as u64, payload_digest(draft.payload)));
            self.sent.push(Sent { ticket, digest });
        }
        self.pass_on()
    }

    /// Waits until the next record is due.
    fn keep_pace(&mut self) -> Result<(), End> {
        let Some((begun, rate, count)) = &mut self.pace else { return Ok(()) };
        let due = *begun + Duration::from_secs_f64(*count as f64 / *rate);
        *count += 1;
        if due <= Instant::now() {
            return Ok(());
        }
        self.pass_on()?;
        while let Some(left) = due.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
            if self.stopped() || interrupt::caught() {
                return Err(End::Stopped);
            }
            std::thread::sleep(left.min(Duration::from_millis(100)));
        }
        Ok(())
    }
}

/// A writer at its end tells each ticket why; what could not even be handed over adds nothing to that.
fn ended(error: Error) -> End {
    match error {
        Error::Poisoned { .. } => End::Stopped,
        other => End::Failed(other.into()),
    }
}

impl Receive for Hand<'_> {
    fn record(&mut self, given: Given<'_>) -> Result<(), End> {
        self.keep_pace()?;
        if self.keep_lsn && given.lsn.is_none() {
            return Err(End::Failed(Error::Input { what: "there is no LSN to be kept".into() }.into()));
        }
        let draft = Draft {
            kind: self.kind.or(given.kind).unwrap_or(FrameKind::Full),
            tag: self.tag.or(given.tag).unwrap_or(0),
            payload: given.payload,
            lsn: given.lsn.filter(|_| self.keep_lsn),
            time: given.time,
        };
        if let Some(batch) = self.batch {
            return self.gather(&draft, batch);
        }
        let ticket = self.log.submit(draft).map_err(ended)?;
        let digest = self.digests.then(|| (given.payload.len() as u64, payload_digest(given.payload)));
        self.sent.push(Sent { ticket, digest });
        if self.sent.len() >= CHUNK { self.pass_on() } else { Ok(()) }
    }

    fn pause(&mut self) -> Result<(), End> {
        self.pass_on()
    }

    fn read(&mut self, bytes: u64) {
        if let Some(bar) = self.bar {
            bar.advance(bytes);
        }
    }

    fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}
