//! The log as a program embeds it: [`Log`].

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::disk::Disk;
use crate::model::{Error, ErrorKind, Keys, Lsn, Result};
use crate::ops::keep::{prune_facts, safe_below};
use crate::ops::mend::{Permit, carry_out, plan};
use crate::ops::report::{Checks, Progress, verify};
use crate::options::{Options, Repair};
use crate::reader::{Ended, LogRecord, Reader, one_log};
use crate::writer::{Ack, AsDraft, Counts, Draft, GroupCommit, Pin, Reason, Rotated, Ticket, Weight, WriterLock, tell};

/// A log that is open for appending, by many threads and tasks at once. A clone is the same log; a thread that appends should have a clone
/// of its own, since a group that waits for company counts them to know that no other record can come.
///
/// ```
/// # let dir = tempfile::tempdir().expect("a temporary folder");
/// use walctl::Log;
///
/// let log = Log::open(dir.path())?;
/// std::thread::scope(|scope| {
///     for thread in 0..4 {
///         let log = log.clone();
///         scope.spawn(move || log.append(format!("thread {thread}")).expect("it is durable now"));
///     }
/// });
/// assert_eq!(log.close()?, walctl::Lsn(4));
/// # Ok::<(), walctl::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Log {
    group: GroupCommit,
    place: Arc<LogPlace>,
}

/// Where a log is.
#[derive(Debug)]
struct LogPlace {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    keys: Keys,
}

impl Log {
    /// Opens the log in `dir` with the usual options; makes it if it is not there. A tail that a crash left half written is cut, and the
    /// bytes are kept in a file beside the segment. What must not be cut is an error that says what to do.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().expect("a temporary folder");
    /// let log = walctl::Log::open(dir.path().join("wal"))?;
    /// assert_eq!(log.next_lsn(), walctl::Lsn(1));
    /// # Ok::<(), walctl::Error>(())
    /// ```
    pub fn open(dir: impl AsRef<Path>) -> Result<Log> {
        Options::new().open(dir)
    }

    /// Opens the log in `dir`, and hands over the records that are not safe elsewhere yet: those behind the last checkpoint, or all of
    /// them. Checkpoints themselves are not handed over. An error that `replay` returns ends it, and nothing is opened.
    ///
    /// Records behind damage are never handed over: when acknowledged records are lost, this is
    /// [`ErrorKind::Corrupt`].
    ///
    /// ```
    /// # let dir = tempfile::tempdir().expect("a temporary folder");
    /// # let log = walctl::Log::open(dir.path())?;
    /// # let ack = log.append("safe")?; log.checkpoint(ack.lsn)?; log.append("not yet")?; drop(log);
    /// let mut state = Vec::new();
    /// let log = walctl::Log::recover(dir.path(), |record| {
    ///     state.push(record.payload.to_vec());
    ///     Ok(())
    /// })?;
    /// assert_eq!(state, [b"not yet"]);
    /// log.append("next")?;
    /// # Ok::<(), walctl::Error>(())
    /// ```
    pub fn recover(dir: impl AsRef<Path>, replay: impl FnMut(&LogRecord<'_>) -> Result<()>) -> Result<Log> {
        Options::new().recover(dir, replay)
    }

    pub(crate) fn open_with(dir: &Path, options: &Options) -> Result<Log> {
        let open = || GroupCommit::open(options.disk.clone(), dir, options.settings.clone());
        let group = match open() {
            Err(torn @ Error::Torn { .. }) if options.repair != Repair::Never => {
                cut_tail(dir, options, torn)?;
                open()?
            }
            opened => opened?,
        };
        let place = LogPlace { disk: options.disk.clone(), dir: dir.to_owned(), keys: options.settings.keys.clone() };
        Ok(Log { group, place: Arc::new(place) })
    }

    pub(crate) fn recover_with(
        dir: &Path,
        options: &Options,
        mut replay: impl FnMut(&LogRecord<'_>) -> Result<()>,
    ) -> Result<Log> {
        let log = Log::open_with(dir, options)?;
        if log.next_lsn() == Lsn::FIRST {
            return Ok(log);
        }
        let from = match options.replay_from {
            Some(from) => from,
            None => safe_below(&prune_facts(&options.disk, dir)?).map_or(Lsn::FIRST, Lsn::next),
        };
        let reader = log.reader()?.from(from);
        let ended = reader.each(|record| if record.checkpoint().is_some() { Ok(()) } else { replay(record) })?;
        match ended {
            Ended::Whole => Ok(log),
            Ended::Torn(hurt) | Ended::Damaged(hurt) => {
                let why = format!("it was whole when it was opened, and is not any more: {hurt}");
                Err(Error::Corrupt { path: dir.to_owned(), why })
            }
            Ended::Failed => Err(Error::Interrupted),
        }
    }

    /// Appends a record, and returns when it is on the disk, or as safe as the options make it.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().expect("a temporary folder");
    /// # let log = walctl::Log::open(dir.path())?;
    /// use walctl::Draft;
    ///
    /// let ack = log.append(b"any bytes")?;
    /// assert!(ack.durable && ack.lsn == walctl::Lsn(1));
    /// log.append(String::from("a string"))?;
    /// log.append(Draft::of(b"a record of transaction 7").tag(7))?;
    /// # Ok::<(), walctl::Error>(())
    /// ```
    pub fn append(&self, record: impl AsDraft) -> Result<Ack> {
        self.group.append(record)
    }

    /// Appends several records that survive a crash together or not at all, and returns when they are on the disk.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().expect("a temporary folder");
    /// # let log = walctl::Log::open(dir.path())?;
    /// let acks = log.append_batch(["debit 7 30", "credit 9 30"])?;
    /// assert_eq!(acks[0].group, acks[1].group);
    /// # Ok::<(), walctl::Error>(())
    /// ```
    pub fn append_batch<R: AsDraft>(&self, records: impl IntoIterator<Item = R>) -> Result<Vec<Ack>> {
        let records: Vec<R> = records.into_iter().collect();
        self.group.append_batch(&drafts(&records))
    }

    /// Appends a record, and is ready when it is on the disk. It is a plain future: it runs on any executor, and no task has a thread of its
    /// own. Ten thousand of them may be under way.
    ///
    /// Dropped before it was polled, it appends nothing. Dropped later, the record may become durable all the same, as a write that was
    /// sent may arrive although its sender no longer waits for the answer; nothing hangs and no other record is touched.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().expect("a temporary folder");
    /// # let log = walctl::Log::open(dir.path())?;
    /// futures::executor::block_on(async {
    ///     let (one, two) = futures::join!(log.append_async("one"), log.append_async("two"));
    ///     assert_eq!(one?.lsn.0 + two?.lsn.0, 3);
    ///     walctl::Result::Ok(())
    /// })?;
    /// # Ok::<(), walctl::Error>(())
    /// ```
    pub async fn append_async(&self, record: impl AsDraft) -> Result<Ack> {
        self.group.append_async(record).await
    }

    /// Appends several records that survive a crash together or not at all, and is ready when they are on the disk. Dropped early, all of
    /// them may become durable, or none.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().expect("a temporary folder");
    /// # let log = walctl::Log::open(dir.path())?;
    /// let acks = futures::executor::block_on(log.append_batch_async(["debit 7 30", "credit 9 30"]))?;
    /// assert_eq!(acks.len(), 2);
    /// # Ok::<(), walctl::Error>(())
    /// ```
    pub async fn append_batch_async<R: AsDraft>(&self, records: impl IntoIterator<Item = R>) -> Result<Vec<Ack>> {
        let records: Vec<R> = records.into_iter().collect();
        self.group.append_batch_async(&drafts(&records)).await
    }

    /// Hands a record over and returns at once, unless [`Options::queue_bytes`] are queued already. It is written without further calls; the
    /// ticket says when: to a thread in [`Log::wait`], to a task by `.await`.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().expect("a temporary folder");
    /// # let log = walctl::Log::open(dir.path())?;
    /// let tickets = (0..100).map(|number| log.submit(format!("{number}"))).collect::<walctl::Result<Vec<_>>>()?;
    /// for ticket in &tickets {
    ///     assert!(log.wait(ticket)?.durable);
    /// }
    /// # Ok::<(), walctl::Error>(())
    /// ```
    pub fn submit(&self, record: impl AsDraft) -> Result<Ticket> {
        self.group.submit(record)
    }

    /// Hands a record over and is ready as soon as there is room for it; then the ticket can be awaited.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().expect("a temporary folder");
    /// # let log = walctl::Log::open(dir.path())?;
    /// futures::executor::block_on(async {
    ///     let ticket = log.submit_async("x").await?;
    ///     assert!(ticket.await?.durable);
    ///     walctl::Result::Ok(())
    /// })?;
    /// # Ok::<(), walctl::Error>(())
    /// ```
    pub async fn submit_async(&self, record: impl AsDraft) -> Result<Ticket> {
        self.group.submit_async(record).await
    }

    /// Returns when the record of a ticket is on the disk, or as safe as the options make it.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().expect("a temporary folder");
    /// # let log = walctl::Log::open(dir.path())?;
    /// let ticket = log.submit("x")?;
    /// assert_eq!(log.wait(&ticket)?.lsn, walctl::Lsn(1));
    /// # Ok::<(), walctl::Error>(())
    /// ```
    pub fn wait(&self, ticket: &Ticket) -> Result<Ack> {
        self.group.wait(ticket)
    }

    /// Says that state up to `lsn` is safe elsewhere: [`Log::recover`] begins behind it, and retention may let go what lies below. The
    /// checkpoint is a record of its own, with an LSN.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().expect("a temporary folder");
    /// # let log = walctl::Log::open(dir.path())?;
    /// let ack = log.append("x")?;
    /// // ... the state with "x" in it is written and synced elsewhere ...
    /// log.checkpoint(ack.lsn)?;
    /// assert_eq!(log.checkpoint(walctl::Lsn(99)).map(|_| ()).map_err(|e| e.kind()), Err(walctl::ErrorKind::Input));
    /// # Ok::<(), walctl::Error>(())
    /// ```
    pub fn checkpoint(&self, lsn: Lsn) -> Result<Ack> {
        let next = self.next_lsn();
        if lsn >= next || lsn.0 == 0 {
            let what =
                format!("LSN {lsn} is not in the log, where {next} is due; a checkpoint can only cover records in the log");
            return Err(Error::Input { what });
        }
        self.append(Draft::checkpoint(lsn))
    }

    /// Keeps what a reader still needs, also across restarts: retention lets nothing go that lies behind `read`, the last LSN that it has.
    /// Called again, it moves the pin. For replicas and feeds that report how far they are.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().expect("a temporary folder");
    /// let log = walctl::Options::new().retain(walctl::Retain::new().segments(1)).open(dir.path())?;
    /// let ack = log.append("x")?;
    /// log.pin("replica-2", ack.lsn)?;
    /// assert_eq!(log.pinned()[0].name, "replica-2");
    /// # Ok::<(), walctl::Error>(())
    /// ```
    pub fn pin(&self, name: &str, read: Lsn) -> Result<()> {
        self.group.pin(name, read)
    }

    /// Takes a pin away: that reader needs nothing any more. Whether there was one.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().expect("a temporary folder");
    /// # let log = walctl::Log::open(dir.path())?;
    /// assert!(!log.unpin("nobody")?);
    /// # Ok::<(), walctl::Error>(())
    /// ```
    pub fn unpin(&self, name: &str) -> Result<bool> {
        self.group.unpin(name)
    }

    /// The pins that are kept, in the order of their names.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().expect("a temporary folder");
    /// assert!(walctl::Log::open(dir.path())?.pinned().is_empty());
    /// # Ok::<(), walctl::Error>(())
    /// ```
    #[must_use]
    pub fn pinned(&self) -> Vec<Pin> {
        self.group.pinned()
    }

    /// What kept the oldest segment when retention looked last: a rule, a checkpoint, a transaction, a pin. Empty without
    /// [`Options::retain`].
    ///
    /// ```
    /// # let dir = tempfile::tempdir().expect("a temporary folder");
    /// assert!(walctl::Log::open(dir.path())?.held_by().is_empty());
    /// # Ok::<(), walctl::Error>(())
    /// ```
    #[must_use]
    pub fn held_by(&self) -> Vec<Reason> {
        self.group.held_by()
    }

    /// Returns when everything that was handed over so far is on the disk, whatever the options. Returns the last durable LSN; 0 for none.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().expect("a temporary folder");
    /// let log = walctl::Options::may_lose(std::time::Duration::from_secs(60)).open(dir.path())?;
    /// let ack = log.append("x")?;
    /// assert_eq!((ack.durable, log.sync()?), (false, ack.lsn));
    /// # Ok::<(), walctl::Error>(())
    /// ```
    pub fn sync(&self) -> Result<Lsn> {
        self.group.sync()
    }

    /// Seals the active segment and begins the next one, behind everything that was handed over so far.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().expect("a temporary folder");
    /// # let log = walctl::Log::open(dir.path())?;
    /// log.append("x")?;
    /// assert_eq!(log.rotate()?.active, "00000000000000000002.wal");
    /// # Ok::<(), walctl::Error>(())
    /// ```
    pub fn rotate(&self) -> Result<Rotated> {
        self.group.rotate()
    }

    /// Closes the log cleanly: everything handed over is on the disk, and the log says that it was closed, which makes the next opening
    /// quick. From the call on everything else is [`ErrorKind::Closed`], also for clones. Returns the last LSN.
    ///
    /// Dropping the last clone writes what was handed over too, and is then like the end of the process.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().expect("a temporary folder");
    /// # let log = walctl::Log::open(dir.path())?;
    /// log.append("x")?;
    /// assert_eq!(log.close()?, walctl::Lsn(1));
    /// assert_eq!(log.append("y").map(|_| ()).map_err(|error| error.kind()), Err(walctl::ErrorKind::Closed));
    /// # Ok::<(), walctl::Error>(())
    /// ```
    pub fn close(&self) -> Result<Lsn> {
        self.group.close()
    }

    /// A reader of this log, with its keys. It ends where the log ends when it comes there; [`Reader::follow`] goes on.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().expect("a temporary folder");
    /// # let log = walctl::Log::open(dir.path())?;
    /// log.append("x")?;
    /// assert_eq!(log.reader()?.count(), 1);
    /// # Ok::<(), walctl::Error>(())
    /// ```
    pub fn reader(&self) -> Result<Reader> {
        Ok(Reader::open_on(self.place.disk.clone(), &self.place.dir)?.keys(self.place.keys.clone()))
    }

    /// The log's folder.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().expect("a temporary folder");
    /// assert_eq!(walctl::Log::open(dir.path())?.path(), dir.path());
    /// # Ok::<(), walctl::Error>(())
    /// ```
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.place.dir
    }

    /// The LSN that the next record will get, if nothing fails.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().expect("a temporary folder");
    /// assert_eq!(walctl::Log::open(dir.path())?.next_lsn(), walctl::Lsn(1));
    /// # Ok::<(), walctl::Error>(())
    /// ```
    #[must_use]
    pub fn next_lsn(&self) -> Lsn {
        self.group.next_lsn()
    }

    /// The last LSN that is known to be on the disk; 0 when none is. Never waits.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().expect("a temporary folder");
    /// # let log = walctl::Log::open(dir.path())?;
    /// assert_eq!(log.append("x")?.lsn, log.durable_lsn());
    /// # Ok::<(), walctl::Error>(())
    /// ```
    #[must_use]
    pub fn durable_lsn(&self) -> Lsn {
        self.group.durable_lsn()
    }

    /// What was done since the log was opened. Takes no lock.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().expect("a temporary folder");
    /// # let log = walctl::Log::open(dir.path())?;
    /// log.append("x")?;
    /// assert_eq!((log.counts().records, log.counts().syncs), (1, 1));
    /// # Ok::<(), walctl::Error>(())
    /// ```
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.group.counts()
    }

    /// The id that all segments of the log bear.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().expect("a temporary folder");
    /// assert_ne!(walctl::Log::open(dir.path())?.id(), [0; 16]);
    /// # Ok::<(), walctl::Error>(())
    /// ```
    #[must_use]
    pub fn id(&self) -> [u8; 16] {
        self.group.log_id()
    }

    /// What turned out otherwise than asked for, in words: that records are missing before the log's end, that the filesystem takes no
    /// direct writes.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().expect("a temporary folder");
    /// assert!(walctl::Log::open(dir.path())?.notes().is_empty());
    /// # Ok::<(), walctl::Error>(())
    /// ```
    #[must_use]
    pub fn notes(&self) -> Vec<String> {
        self.group.notes()
    }
}

fn drafts<R: AsDraft>(records: &[R]) -> Vec<Draft<'_>> {
    records.iter().map(AsDraft::as_draft).collect()
}

/// Cuts the tail of a log that cannot be opened for it, if nothing worse is found in the whole log; else the failure says what to do.
fn cut_tail(dir: &Path, options: &Options, torn: Error) -> Result<()> {
    let _lock = WriterLock::visit(&options.disk, dir, &options.settings.who)?;
    let input = one_log(&options.disk, dir, options.settings.keys.clone())?;
    let report = verify(&input, &Checks::default(), &Progress::default())?;
    let permit = Permit { suspect: options.repair == Repair::Suspect, ..Permit::default() };
    let plan = plan(&input, &report, &permit)?;
    match (&plan.refusal, torn) {
        (None, _) => {
            carry_out(&options.disk, &plan)?;
            for cut in &plan.cuts {
                let (from, saved) = (&cut.from, &cut.saved_as);
                tell(Weight::Warn, dir, format_args!("cut: {} at {}, saved in {saved}", cut.path.display(), from.offset));
            }
            Ok(())
        }
        (Some(refusal), Error::Torn { path, why }) => {
            let why = format!("{why}; it is not cut: {}", refusal.why);
            Err(if report.is_torn() { Error::Torn { path, why } } else { Error::Corrupt { path, why } })
        }
        (Some(_), other) => Err(other),
    }
}

const _: () = {
    const fn shared<T: Send + Sync>() {}
    shared::<Log>();
    shared::<Options>();
    shared::<Ticket>();
    shared::<ErrorKind>();
    shared::<Error>();
    const fn sent<T: Send>() {}
    sent::<Reader>();
};
