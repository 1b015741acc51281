//! How a log is opened and written, as a program says it: [`Options`].

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::disk::{Disk, RealDisk};
use crate::log::Log;
use crate::model::{Keys, Lsn, Result};
use crate::reader::LogRecord;
use crate::writer::{Clock, Preallocate, Retain, Settings, SyncMode, Window};

/// How a log is opened and written. Begin with [`Options::new`], or with a constructor that names what it is for, and change what should
/// be otherwise.
///
/// ```
/// # fn main() -> walctl::Result<()> {
/// # let dir = tempfile::tempdir().expect("a temporary folder");
/// use std::time::Duration;
/// use walctl::Options;
///
/// let options = Options::largest_groups().segment_bytes(16 << 20).segment_age(Duration::from_secs(3600)).compress(256);
/// let log = options.open(dir.path().join("wal"))?;
/// log.append("first")?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Options {
    pub(crate) settings: Settings,
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) repair: Repair,
    pub(crate) replay_from: Option<Lsn>,
}

/// What becomes of a tail that a crash left half written, when the log is opened.
///
/// ```
/// use walctl::Repair;
/// assert_eq!(Repair::default(), Repair::Torn);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Repair {
    /// Nothing: opening fails with [`ErrorKind::Torn`](crate::ErrorKind::Torn).
    Never,
    /// What was never acknowledged, as far as the bytes can show, is cut off and saved in a file beside the segment.
    #[default]
    Torn,
    /// Also a last record that is all there and whose checksum is wrong: written badly or rotten; its bytes cannot show which.
    Suspect,
}

impl Default for Options {
    fn default() -> Options {
        Options::new()
    }
}

impl Options {
    /// Every acknowledged record is on the disk, groups form by themselves, and a tail that a crash left is cut.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().expect("a temporary folder");
    /// let log = walctl::Options::new().open(dir.path())?;
    /// assert!(log.append("x")?.durable);
    /// # Ok::<(), walctl::Error>(())
    /// ```
    pub fn new() -> Options {
        Options { settings: Settings::default(), disk: Arc::new(RealDisk), repair: Repair::default(), replay_from: None }
    }

    fn of(settings: Settings) -> Options {
        Options { settings, ..Options::new() }
    }

    /// Durable, and no record ever waits for company.
    ///
    /// ```
    /// let options = walctl::Options::lowest_latency();
    /// # let _ = options;
    /// ```
    pub fn lowest_latency() -> Options {
        Options::of(Settings { window: Window::Fixed(Duration::ZERO), ..Settings::default() })
    }

    /// Durable, with few large syncs: for disks on which a sync is dear. Each record waits up to 2 ms for company.
    ///
    /// ```
    /// let options = walctl::Options::largest_groups();
    /// # let _ = options;
    /// ```
    pub fn largest_groups() -> Options {
        Options::of(Settings { window: Window::Fixed(Duration::from_millis(2)), ..Settings::default() })
    }

    /// Durable by direct writes in whole blocks: no durable block is written twice.
    ///
    /// ```
    /// let options = walctl::Options::past_the_cache();
    /// # let _ = options;
    /// ```
    pub fn past_the_cache() -> Options {
        Options::of(Settings { direct: true, ..Settings::default() })
    }

    /// **Not durable**: synced in the background this often. A power failure may lose what was acknowledged since the last sync, and what
    /// one takes; the end of the process alone loses nothing.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().expect("a temporary folder");
    /// use std::time::Duration;
    /// let log = walctl::Options::may_lose(Duration::from_millis(10)).open(dir.path())?;
    /// assert!(!log.append("x")?.durable);
    /// # Ok::<(), walctl::Error>(())
    /// ```
    pub fn may_lose(span: Duration) -> Options {
        let window = Window::Fixed(Duration::ZERO);
        Options::of(Settings { sync: SyncMode::Interval(span), window, ..Settings::default() })
    }

    /// Opens the log in `dir` for appending; makes it if it is not there. One writer at a time: [`ErrorKind::Locked`](crate::ErrorKind)
    /// says that there is another.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().expect("a temporary folder");
    /// let log = walctl::Options::new().open(dir.path())?;
    /// let second = walctl::Options::new().open(dir.path());
    /// assert_eq!(second.map(|_| ()).map_err(|error| error.kind()), Err(walctl::ErrorKind::Locked));
    /// # Ok::<(), walctl::Error>(())
    /// ```
    pub fn open(&self, dir: impl AsRef<Path>) -> Result<Log> {
        Log::open_with(dir.as_ref(), self)
    }

    /// Opens the log in `dir`, and hands over what it holds before anything is appended: see [`Log::recover`].
    ///
    /// ```
    /// # let dir = tempfile::tempdir().expect("a temporary folder");
    /// let mut state = Vec::new();
    /// let log = walctl::Options::new().repair(walctl::Repair::Never).recover(dir.path(), |record| {
    ///     state.push(record.payload.to_vec());
    ///     Ok(())
    /// })?;
    /// assert!(state.is_empty(), "it is a new log");
    /// # Ok::<(), walctl::Error>(())
    /// ```
    pub fn recover(&self, dir: impl AsRef<Path>, replay: impl FnMut(&LogRecord<'_>) -> Result<()>) -> Result<Log> {
        Log::recover_with(dir.as_ref(), self, replay)
    }
}

/// Makes the setters: a name, its argument, what it does to the settings.
macro_rules! setters {
    ($($(#[$doc:meta])* $name:ident($($given:ident: $type:ty)?) $body:expr;)*) => {
        impl Options {
            $($(#[$doc])* pub fn $name(mut self $(, $given: $type)?) -> Options {
                let set: fn(&mut Options $(, $type)?) = $body;
                set(&mut self $(, $given)?);
                self
            })*
        }
    };
}

setters! {
    /// What makes a group durable. [`SyncMode::Fdatasync`] unless said otherwise.
    ///
    /// ```
    /// let options = walctl::Options::new().sync(walctl::SyncMode::Dsync);
    /// # let _ = options;
    /// ```
    sync(mode: SyncMode) |options, mode| options.settings.sync = mode;

    /// How long a group waits for more records. [`Window::Auto`] unless said otherwise: it learns, and never waits when one thread is
    /// alone.
    ///
    /// ```
    /// use std::time::Duration;
    /// let options = walctl::Options::new().window(walctl::Window::Fixed(Duration::from_micros(200)));
    /// # let _ = options;
    /// ```
    window(window: Window) |options, window| options.settings.window = window;

    /// Whether everything goes through the page cache. Otherwise groups go past it where room is ready for them, and a process that
    /// follows the log reads them from the disk.
    ///
    /// ```
    /// let options = walctl::Options::new().buffered(true);
    /// # let _ = options;
    /// ```
    buffered(buffered: bool) |options, buffered| options.settings.buffered = buffered;

    /// How space is reserved ahead. [`Preallocate::Zero`] unless said otherwise: it makes syncs cheap. With [`Preallocate::Recycle`] a log that
    /// lets segments go sends each byte to the disk once instead of twice; what it proves less is said in [`native`](crate::native).
    ///
    /// ```
    /// let options = walctl::Options::new().preallocate(walctl::Preallocate::None);
    /// # let _ = options;
    /// ```
    preallocate(how: Preallocate) |options, how| options.settings.preallocate = how;

    /// A segment is sealed before it grows beyond this: 64 MiB unless said otherwise.
    ///
    /// ```
    /// let options = walctl::Options::new().segment_bytes(16 << 20);
    /// # let _ = options;
    /// ```
    segment_bytes(bytes: u64) |options, bytes| options.settings.segment_bytes = bytes;

    /// A segment is sealed when it holds this many records.
    ///
    /// ```
    /// let options = walctl::Options::new().segment_records(1_000_000);
    /// # let _ = options;
    /// ```
    segment_records(count: u64) |options, count| options.settings.segment_records = Some(count);

    /// A segment is sealed when its first record is this old, even if no more records come.
    ///
    /// ```
    /// let options = walctl::Options::new().segment_age(std::time::Duration::from_secs(3600));
    /// # let _ = options;
    /// ```
    segment_age(age: Duration) |options, age| options.settings.segment_age = Some(age);

    /// The largest group, in bytes: 4 MiB unless said otherwise.
    ///
    /// ```
    /// let options = walctl::Options::new().group_bytes(1 << 20);
    /// # let _ = options;
    /// ```
    group_bytes(bytes: usize) |options, bytes| options.settings.group_bytes = bytes;

    /// The largest group, in records.
    ///
    /// ```
    /// let options = walctl::Options::new().group_records(1000);
    /// # let _ = options;
    /// ```
    group_records(count: usize) |options, count| options.settings.group_records = count;

    /// Callers wait while more bytes than this are queued or being written: 16 MiB unless said otherwise.
    ///
    /// ```
    /// let options = walctl::Options::new().queue_bytes(64 << 20);
    /// # let _ = options;
    /// ```
    queue_bytes(bytes: usize) |options, bytes| options.settings.queue_bytes = bytes;

    /// A longer payload is written in fragments: 1 MiB unless said otherwise. A reader sees one record either way.
    ///
    /// ```
    /// let options = walctl::Options::new().frame_limit(256 << 10);
    /// # let _ = options;
    /// ```
    frame_limit(bytes: usize) |options, bytes| options.settings.frame_limit = bytes;

    /// Payloads of at least this many bytes are compressed with LZ4.
    ///
    /// ```
    /// let options = walctl::Options::new().compress(128);
    /// # let _ = options;
    /// ```
    compress(from_bytes: usize) |options, from_bytes| options.settings.compress_min = Some(from_bytes);

    /// Payloads are encrypted with the newest of these keys; the older ones open what was written before.
    ///
    /// ```
    /// let keys = walctl::Keys::parse(&"5a".repeat(32))?;
    /// let options = walctl::Options::new().keys(keys);
    /// # let _ = options;
    /// # Ok::<(), walctl::Error>(())
    /// ```
    keys(keys: Keys) |options, keys| options.settings.keys = keys;

    /// The newest of the keys begins though the log's newest one is not among them. Otherwise that is
    /// [`ErrorKind::WrongKey`](crate::ErrorKind::WrongKey).
    ///
    /// ```
    /// let options = walctl::Options::new().new_key(true);
    /// # let _ = options;
    /// ```
    new_key(begins: bool) |options, begins| options.settings.new_key = begins;

    /// Whether the log is made when it does not exist: yes, unless said otherwise.
    ///
    /// ```
    /// let missing = walctl::Options::new().create(false).open("/no/such/log");
    /// assert_eq!(missing.map(|_| ()).map_err(|error| error.kind()), Err(walctl::ErrorKind::NotFound));
    /// ```
    create(create: bool) |options, create| options.settings.create = create;

    /// A group for which there is no room on the disk ends the writer, as a failed sync does. Otherwise it fails alone, and the log goes on
    /// when there is room again.
    ///
    /// ```
    /// let options = walctl::Options::new().end_at_failure(true);
    /// # let _ = options;
    /// ```
    end_at_failure(end: bool) |options, end| options.settings.end_at_failure = end;

    /// The writing program, in words: what others are told who find the log locked.
    ///
    /// ```
    /// let options = walctl::Options::new().name("ledgerd, shard 7");
    /// # let _ = options;
    /// ```
    name(who: &str) |options, who| options.settings.who = who.to_owned();

    /// Whether a thread makes room ahead: yes, unless said otherwise. Without it the writer does that between two groups.
    ///
    /// ```
    /// let options = walctl::Options::new().background(false);
    /// # let _ = options;
    /// ```
    background(background: bool) |options, background| options.settings.background = background;

    /// How much room is made ahead at most: 64 MiB unless said otherwise.
    ///
    /// ```
    /// let options = walctl::Options::new().ahead_bytes(8 << 20);
    /// # let _ = options;
    /// ```
    ahead_bytes(bytes: u64) |options, bytes| options.settings.ahead_bytes = bytes;

    /// Which segments stay while the log is written: all, unless said otherwise.
    ///
    /// ```
    /// let options = walctl::Options::new().retain(walctl::Retain::new().bytes(1 << 30));
    /// # let _ = options;
    /// ```
    retain(retain: Retain) |options, retain| options.settings.retain = retain;

    /// What tells the time that records and segment headers carry: the system's clock, unless said otherwise. With a clock of its own and
    /// [`Options::disk`] a test of a database is the same at every run.
    ///
    /// ```
    /// let options = walctl::Options::new().clock(walctl::Clock::from_fn(|| walctl::Time(1_700_000_000_000_000)));
    /// # let _ = options;
    /// ```
    clock(clock: Clock) |options, clock| options.settings.clock = clock;

    /// What becomes of a tail that a crash left half written. [`Repair::Torn`] unless said otherwise.
    ///
    /// ```
    /// let options = walctl::Options::new().repair(walctl::Repair::Never);
    /// # let _ = options;
    /// ```
    repair(repair: Repair) |options, repair| options.repair = repair;

    /// [`Options::recover`] begins with this LSN, and not behind the last checkpoint.
    ///
    /// ```
    /// let options = walctl::Options::new().replay_from(walctl::Lsn(1));
    /// # let _ = options;
    /// ```
    replay_from(lsn: Lsn) |options, lsn| options.replay_from = Some(lsn);

    /// The disk that everything goes to. With [`SimDisk`](crate::disk::SimDisk) a test lets the power fail at any operation:
    ///
    /// ```
    /// use std::sync::Arc;
    /// use walctl::disk::{Luck, SimDisk};
    /// use walctl::Options;
    ///
    /// let disk = SimDisk::new();
    /// let log = Options::new().disk(Arc::new(disk.clone())).open("/wal")?;
    /// log.append("acknowledged")?;
    /// let after = disk.after_power_failure(Luck::None);
    /// let mut found = Vec::new();
    /// Options::new().disk(Arc::new(after)).recover("/wal", |record| {
    ///     found.push(record.payload.to_vec());
    ///     Ok(())
    /// })?;
    /// assert_eq!(found, [b"acknowledged"]);
    /// # Ok::<(), walctl::Error>(())
    /// ```
    disk(disk: Arc<dyn Disk>) |options, disk| options.disk = disk;
}
