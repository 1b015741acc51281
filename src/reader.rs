//! Reading a log as a program does it: records one after the other, as an iterator, without copies, or while the log grows.

mod bytes;
mod item;
mod iterate;
mod stream;

use std::collections::VecDeque;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

pub use bytes::RecordBytes;
pub use item::{Ended, Hurt, LogRecord, ReadItem};
pub use iterate::{Follower, ReadAll};
pub use stream::FollowStream;

use crate::disk::{Disk, RealDisk, Segment};
use crate::formats::Halt;
use crate::model::{Acknowledged, Error, Keys, Lsn, LsnRange, Place, Record, Result, Time, Verdict};
use crate::ops::open::{Choice, Input, open};
use crate::ops::read::{Event, Follow, Scan, ScanOutcome, Selection, Step, unread};
use crate::ops::report::{Checks, Progress, Report};

/// Reads a log from its beginning, from an LSN or from a moment on. It takes no lock, and may read a log that is being written: then it
/// ends where the log ended when it came there.
///
/// ```
/// # let dir = tempfile::tempdir().expect("a temporary folder");
/// use walctl::{Log, Lsn, Reader};
///
/// let log = Log::open(dir.path())?;
/// log.append_batch(["one", "two", "three"])?;
/// let mut payloads = Vec::new();
/// for record in Reader::open(dir.path())?.from(Lsn(2)) {
///     payloads.push(record?.payload);
/// }
/// assert_eq!(payloads, [&b"two"[..], b"three"]);
/// # Ok::<(), walctl::Error>(())
/// ```
#[derive(Debug)]
#[must_use = "a reader reads when it is asked for records"]
pub struct Reader {
    input: Input,
    follow: Follow,
    from: Option<Lsn>,
    since: Option<Time>,
    ready: VecDeque<ReadItem>,
    ended: Option<Ended>,
    /// How many bytes of payloads are read at a time.
    chunk: usize,
    /// Damage is given as what it is, not as an error.
    damage: bool,
    /// The log's end is no end.
    following: bool,
    /// When reading came to the end of the log last.
    at_end: Option<Instant>,
}

/// So many bytes of payloads are copied at a time, and more where each stop is dear.
const CHUNK: usize = 4 << 20;
const LONGEST_CHUNK: usize = 64 << 20;
/// So many records at most.
const CHUNK_RECORDS: usize = 32_768;

impl Reader {
    /// Opens the log at `path`: a folder, or one segment of it. Logs of other systems are recognised too, if the feature `formats` is on.
    ///
    /// ```
    /// assert_eq!(walctl::Reader::open("/no/such/log").map(|_| ()).map_err(|e| e.kind()), Err(walctl::ErrorKind::NotFound));
    /// ```
    pub fn open(path: impl AsRef<Path>) -> Result<Reader> {
        Reader::open_on(Arc::new(RealDisk), path)
    }

    /// The same on another disk, such as a simulated one.
    ///
    /// ```
    /// use std::sync::Arc;
    /// let disk = walctl::disk::SimDisk::new();
    /// let log = walctl::Options::new().disk(Arc::new(disk.clone())).open("/wal")?;
    /// log.append("x")?;
    /// assert_eq!(walctl::Reader::open_on(Arc::new(disk), "/wal")?.count(), 1);
    /// # Ok::<(), walctl::Error>(())
    /// ```
    pub fn open_on(disk: Arc<dyn Disk>, path: impl AsRef<Path>) -> Result<Reader> {
        Ok(Reader::of(one_log(&disk, path.as_ref(), Keys::default())?))
    }

    fn of(input: Input) -> Reader {
        let follow = Follow::new(input.source.clone(), None);
        Reader {
            input,
            follow,
            from: None,
            since: None,
            ready: VecDeque::new(),
            ended: None,
            chunk: CHUNK,
            damage: false,
            following: false,
            at_end: None,
        }
    }

    /// Only records from this LSN on. Segments before it are not opened.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().expect("a temporary folder");
    /// # walctl::Log::open(dir.path())?.append_batch(["a", "b"])?;
    /// let record = walctl::Reader::open(dir.path())?.from(walctl::Lsn(2)).next().expect("it is there")?;
    /// assert_eq!(&record.payload[..], b"b");
    /// # Ok::<(), walctl::Error>(())
    /// ```
    pub fn from(mut self, lsn: Lsn) -> Reader {
        self.from = Some(lsn);
        self
    }

    /// Only records from this moment on.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().expect("a temporary folder");
    /// # walctl::Log::open(dir.path())?.append("a")?;
    /// let later = walctl::Time(walctl::Time::now().0 + 60_000_000);
    /// assert_eq!(walctl::Reader::open(dir.path())?.since(later).count(), 0);
    /// # Ok::<(), walctl::Error>(())
    /// ```
    pub fn since(mut self, time: Time) -> Reader {
        self.since = Some(time);
        self
    }

    /// Opens encrypted payloads with these keys. Without the right one reading ends with
    /// [`ErrorKind::WrongKey`](crate::ErrorKind::WrongKey): ciphertext is never handed out.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().expect("a temporary folder");
    /// let keys = walctl::Keys::parse(&"5a".repeat(32))?;
    /// walctl::Options::new().keys(keys.clone()).open(dir.path())?.append("secret")?;
    /// let kind = |result: walctl::Result<walctl::LogRecord<'_>>| result.map(|r| r.payload.len()).map_err(|e| e.kind());
    /// let plain = walctl::Reader::open(dir.path())?.next().expect("it is there");
    /// assert_eq!(kind(plain), Err(walctl::ErrorKind::WrongKey));
    /// assert_eq!(kind(walctl::Reader::open(dir.path())?.keys(keys).next().expect("it is there")), Ok(6));
    /// # Ok::<(), walctl::Error>(())
    /// ```
    pub fn keys(mut self, keys: Keys) -> Reader {
        self.input.keys = keys;
        self
    }

    /// Why reading ended; `None` while it goes on.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().expect("a temporary folder");
    /// # let log = walctl::Log::open(dir.path())?;
    /// let mut reader = walctl::Reader::open(dir.path())?;
    /// assert!(reader.ended().is_none() && reader.next().is_none());
    /// assert_eq!(reader.ended(), Some(&walctl::Ended::Whole));
    /// # Ok::<(), walctl::Error>(())
    /// ```
    #[must_use]
    pub fn ended(&self) -> Option<&Ended> {
        self.ended.as_ref().filter(|_| self.ready.is_empty())
    }

    /// Calls `take` with each record, without copying payloads, and says why it ended. An error that `take` returns ends it too, and is
    /// returned; so is damage that is worse than a torn tail.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().expect("a temporary folder");
    /// # walctl::Log::open(dir.path())?.append_batch(["a", "bc"])?;
    /// let mut bytes = 0;
    /// let ended = walctl::Reader::open(dir.path())?.each(|record| {
    ///     bytes += record.payload.len();
    ///     Ok(())
    /// })?;
    /// assert_eq!((bytes, ended), (3, walctl::Ended::Whole));
    /// # Ok::<(), walctl::Error>(())
    /// ```
    pub fn each(mut self, mut take: impl FnMut(&LogRecord<'_>) -> Result<()>) -> Result<Ended> {
        while let Some(found) = self.ready.pop_front() {
            match found {
                ReadItem::Record(record) => take(&record)?,
                ReadItem::Damage(hurt) => return ended_by(hurt),
            }
        }
        if let Some(ended) = self.ended {
            return Ok(ended);
        }
        let before = self.follow.position().map(|position| (position.segment.clone(), position.offset));
        let (format, path) = (self.input.format, self.input.source.path.clone());
        let mut hurt: Option<Hurt> = None;
        let selection = self.selection();
        let scan = scan(&self.input, &selection, is_live(&self.input));
        let step = self.follow.step(&scan, &mut |event| match event {
            // What a bad region means is complete only at the end of its segment: until then what stands behind it is passed over.
            Event::Record(shown) if hurt.as_ref().is_some_and(|hurt| hurt.path == shown.segment.path) => Ok(()),
            Event::Record(shown) if shown.after_damage => {
                hurt.get_or_insert_with(|| gap_before(shown.segment, shown.record));
                Err(Halt::Enough)
            }
            Event::Record(shown) => Ok(take(&LogRecord::of(shown.record, format, &path)?)?),
            Event::Damage(segment, damage) => {
                hurt.get_or_insert_with(|| Hurt::of(segment, damage));
                Ok(())
            }
            Event::Reached(..) | Event::Lot(..) => Ok(()),
        })?;
        let Some(outcome) = outcome_of(&step) else { return Ok(Ended::Whole) };
        let all = damage_of(outcome, before.as_ref(), scan.growing);
        let first = match &hurt {
            Some(hurt) => all.into_iter().map(|(_, d)| d).find(|d| d.path == hurt.path && d.offset == hurt.offset),
            None => all.into_iter().map(|(_, d)| d).next(),
        };
        first.or(hurt).map_or(Ok(Ended::Whole), ended_by)
    }

    /// An iterator that gives damage as what it is, and reads on behind it.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().expect("a temporary folder");
    /// # walctl::Log::open(dir.path())?.append("x")?;
    /// for found in walctl::Reader::open(dir.path())?.with_damage() {
    ///     match found? {
    ///         walctl::ReadItem::Record(record) => assert_eq!(record.lsn, walctl::Lsn(1)),
    ///         other => unreachable!("{other:?}"),
    ///     }
    /// }
    /// # Ok::<(), walctl::Error>(())
    /// ```
    pub fn with_damage(mut self) -> ReadAll {
        self.damage = true;
        ReadAll(self)
    }

    /// An iterator that does not end where the log does: it waits for more. For replicas and change feeds.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().expect("a temporary folder");
    /// let log = walctl::Log::open(dir.path())?;
    /// let mut follower = walctl::Reader::open(dir.path())?.follow();
    /// log.append("x")?;
    /// assert_eq!(follower.next().expect("it waits for one")?.lsn, walctl::Lsn(1));
    /// assert!(follower.try_next()?.is_none());
    /// # Ok::<(), walctl::Error>(())
    /// ```
    pub fn follow(mut self) -> Follower {
        self.following = true;
        self.follow = self.follow.soon_again();
        Follower { reader: self, interval: Duration::from_millis(20) }
    }

    fn selection(&self) -> Selection {
        let lsns = self.from.and_then(|from| LsnRange::new(from, Lsn(u64::MAX)));
        Selection { lsns, since: self.since, ..Selection::default() }
    }

    /// The next record or piece of damage that was read already, or what is read now.
    fn pull(&mut self) -> Result<Option<ReadItem>> {
        loop {
            if let Some(found) = self.ready.pop_front() {
                return Ok(Some(found));
            }
            if self.ended.is_some() || !self.read_on()? {
                return Ok(None);
            }
        }
    }

    /// Reads the next records into `ready`. False when there are none at present.
    fn read_on(&mut self) -> Result<bool> {
        let before = self.follow.position().map(|position| (position.segment.clone(), position.offset));
        let (format, path, most) = (self.input.format, self.input.source.path.clone(), self.chunk);
        let mut records: Vec<(Place, LogRecord<'static>, Range<usize>)> = Vec::new();
        // A follower at the end of a log finds little at each look.
        let room = if self.at_end.is_some() { 0 } else { most.min(CHUNK) + (64 << 10) };
        let mut buffer: Vec<u8> = Vec::with_capacity(room);
        let growing = self.following || is_live(&self.input);
        let selection = self.selection();
        let scan = scan(&self.input, &selection, growing);
        let step = self.follow.step(&scan, &mut |event| {
            let Event::Record(shown) = event else { return Ok(()) };
            let record = LogRecord::of(shown.record, format, &path)?;
            let begin = buffer.len();
            buffer.extend_from_slice(&record.payload);
            records.push((shown.record.span.place, record.without_payload(), begin..buffer.len()));
            if buffer.len() >= most || records.len() >= CHUNK_RECORDS { Err(Halt::Enough) } else { Ok(()) }
        })?;
        let Some(outcome) = outcome_of(&step) else {
            self.at_end = Some(Instant::now());
            self.ended = (!self.following).then_some(Ended::Whole);
            return Ok(false);
        };
        if let Step::Pruned { gone, first, .. } = &step
            && let Some(lost) = unread(gone, *first)
        {
            let why = format!("LSN {lost} were let go before they were read");
            return Err(Error::Refused { path, why });
        }
        let more = outcome.stopped.is_some();
        self.at_end = (!more).then(Instant::now);
        let end = records.last().map(|(place, ..)| *place).filter(|_| more);
        let mut damage = damage_of(outcome, before.as_ref(), growing);
        damage.retain(|(place, _)| end.is_none_or(|end| *place <= end));
        if !damage.is_empty() {
            // Each stop in a damaged segment costs reading the rest of it.
            self.chunk = (2 * self.chunk).min(LONGEST_CHUNK);
        }
        let any = !records.is_empty() || !damage.is_empty();
        let mut damage = damage.into_iter().peekable();
        let buffer = Arc::new(buffer);
        for (place, record, part) in records {
            while let Some((_, hurt)) = damage.next_if(|(at, _)| *at <= place) {
                self.ready.push_back(ReadItem::Damage(hurt));
            }
            self.ready.push_back(ReadItem::Record(LogRecord { payload: RecordBytes::shared(&buffer, part), ..record }));
        }
        self.ready.extend(damage.map(|(_, hurt)| ReadItem::Damage(hurt)));
        if !more && !self.following {
            self.ended = Some(Ended::Whole);
        }
        Ok(any)
    }

    /// The next record; damage ends it.
    fn next_record(&mut self) -> Result<Option<LogRecord<'static>>> {
        match self.pull()? {
            None => Ok(None),
            Some(ReadItem::Record(record)) => Ok(Some(record)),
            Some(ReadItem::Damage(hurt)) => {
                // What stands behind a torn write is cut with it.
                self.ready.clear();
                let error = hurt.error();
                let torn = hurt.verdict == Verdict::Torn;
                self.ended = Some(if torn { Ended::Torn(hurt) } else { Ended::Damaged(hurt) });
                if torn { Ok(None) } else { Err(error) }
            }
        }
    }

    /// After a failure there is nothing more to read.
    fn guard<T>(&mut self, result: Result<Option<T>>) -> Option<Result<T>> {
        if result.is_err() {
            self.ready.clear();
            self.ended.get_or_insert(Ended::Failed);
            self.following = false;
        }
        result.transpose()
    }
}

impl Iterator for Reader {
    type Item = Result<LogRecord<'static>>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = self.next_record();
        self.guard(next)
    }
}

/// Checks a whole log: every checksum, every number, every segment against its neighbours. It takes no lock and changes nothing.
///
/// ```
/// # let dir = tempfile::tempdir().expect("a temporary folder");
/// # walctl::Log::open(dir.path())?.append("x")?;
/// let report = walctl::verify(dir.path())?;
/// assert!(report.is_clean());
/// assert_eq!((report.records, report.last_lsn()), (1, Some(walctl::Lsn(1))));
/// # Ok::<(), walctl::Error>(())
/// ```
pub fn verify(path: impl AsRef<Path>) -> Result<Report> {
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let input = one_log(&disk, path.as_ref(), Keys::default())?;
    let jobs = std::thread::available_parallelism().map_or(1, usize::from);
    crate::ops::report::verify(&input, &Checks { jobs, ..Checks::default() }, &Progress::default())
}

/// The one log at a path.
pub(crate) fn one_log(disk: &Arc<dyn Disk>, path: &Path, keys: Keys) -> Result<Input> {
    let mut logs = open(disk, path, &Choice { keys, ..Choice::default() })?;
    let first = logs.swap_remove(0);
    if logs.is_empty() {
        return Ok(first);
    }
    let why = format!("it holds {} logs; name one of them, such as {}", logs.len() + 1, first.source.path.display());
    Err(Error::Refused { path: path.to_owned(), why })
}

fn is_live(input: &Input) -> bool {
    input.source.writer(input.format.lock).is_some()
}

fn scan<'a>(input: &'a Input, selection: &'a Selection, growing: bool) -> Scan<'a> {
    Scan {
        source: &input.source,
        format: input.format,
        keys: &input.keys,
        selection,
        payloads: true,
        frames: false,
        neighbours: false,
        growing,
        live: growing,
    }
}

fn outcome_of(step: &Step) -> Option<&ScanOutcome> {
    match step {
        Step::Quiet => None,
        Step::Read(outcome) | Step::Pruned { outcome, .. } => Some(outcome),
    }
}

/// The damage that a step found and none before it, in order, with what it means. At the end of a log that grows, it may be a write under
/// way.
fn damage_of(outcome: &ScanOutcome, before: Option<&(String, u64)>, growing: bool) -> Vec<(Place, Hurt)> {
    let found = outcome.damage.iter().filter_map(|damage| {
        let segment = outcome.source.segments.get(damage.span.place.segment.index())?;
        let known = before.is_some_and(|(name, offset)| *name == segment.name && damage.span.start() < *offset);
        let unfinished = growing && !segment.followed && matches!(damage.verdict(), Verdict::Torn | Verdict::Suspect);
        (!known && !unfinished).then(|| (damage.span.place, Hurt::of(segment, damage)))
    });
    found.collect()
}

/// Records are missing before this one, and no segment that was read says more.
fn gap_before(segment: &Segment, record: &Record<'_>) -> Hurt {
    let lsn = record.lsn.map_or_else(|| "it".to_owned(), |lsn| format!("LSN {lsn}"));
    Hurt {
        path: segment.path.clone(),
        offset: record.span.start(),
        verdict: Verdict::Missing,
        acknowledged: Acknowledged::Yes,
        doubt: None,
        detail: format!("records are missing before {lsn}"),
    }
}

fn ended_by(hurt: Hurt) -> Result<Ended> {
    if hurt.verdict == Verdict::Torn { Ok(Ended::Torn(hurt)) } else { Err(hurt.error()) }
}
