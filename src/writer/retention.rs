//! Letting segments go while a log is written: by the rule of [`super::retain`], over what is known of the sealed segments.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::clock::Clock;
use super::counters::Counters;
use super::events::{Weight, tell};
use super::pins::{Pins, pin, read_cursor};
use super::retain::{Pin, Reason, Rules, SegmentFacts, plan_prune, prune_facts, sealed_facts};
use super::spare::Spares;
use super::standing::Standing;
use crate::disk::Disk;
use crate::model::{Lsn, Result, Time};
use crate::native::segment_name;

/// What is to stay of a log while it is written. Where several rules are given, a segment stays that any of them keeps; without any,
/// nothing ever goes. Never let go are the active segment, what lies above the newest checkpoint (if the log has one), the beginning of an
/// open transaction, and what a pin still needs.
///
/// ```
/// use std::time::Duration;
/// use walctl::{Options, Retain};
///
/// # let dir = tempfile::tempdir().expect("a temporary folder");
/// // At least the newest 4 segments and the last hour stay, and whatever no checkpoint covers.
/// let retain = Retain::new().segments(4).age(Duration::from_secs(3600)).below_checkpoint();
/// let log = Options::new().retain(retain).open(dir.path())?;
/// # Ok::<(), walctl::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct Retain {
    segments: Option<u64>,
    bytes: Option<u64>,
    age: Option<Duration>,
    below_checkpoint: bool,
    cursors: Vec<PathBuf>,
}

impl Retain {
    /// No rule: nothing goes.
    ///
    /// ```
    /// assert!(!walctl::Retain::new().any());
    /// ```
    pub fn new() -> Retain {
        Retain::default()
    }

    /// The newest segments stay, up to this many, the active one among them.
    ///
    /// ```
    /// assert!(walctl::Retain::new().segments(8).any());
    /// ```
    pub fn segments(self, count: u64) -> Retain {
        Retain { segments: Some(count), ..self }
    }

    /// The newest segments stay, up to this many bytes in total.
    ///
    /// ```
    /// assert!(walctl::Retain::new().bytes(1 << 30).any());
    /// ```
    pub fn bytes(self, bytes: u64) -> Retain {
        Retain { bytes: Some(bytes), ..self }
    }

    /// Segments stay that hold a record not older than this.
    ///
    /// ```
    /// assert!(walctl::Retain::new().age(std::time::Duration::from_secs(3600)).any());
    /// ```
    pub fn age(self, age: Duration) -> Retain {
        Retain { age: Some(age), ..self }
    }

    /// Only what lies below the newest checkpoint goes; without a checkpoint, nothing.
    ///
    /// ```
    /// assert!(walctl::Retain::new().below_checkpoint().any());
    /// ```
    pub fn below_checkpoint(self) -> Retain {
        Retain { below_checkpoint: true, ..self }
    }

    /// What a reader has not read yet stays: `file` is the cursor that it keeps, as `walctl dump --cursor` does. It is read again each time;
    /// while it cannot be read, nothing goes.
    ///
    /// ```
    /// let retain = walctl::Retain::new().segments(1).cursor("/var/lib/feed/cursor");
    /// # let _ = retain;
    /// ```
    pub fn cursor(mut self, file: impl Into<PathBuf>) -> Retain {
        self.cursors.push(file.into());
        self
    }

    /// Whether there is a rule by which anything goes.
    ///
    /// ```
    /// assert!(!walctl::Retain::new().cursor("cursor").any());
    /// ```
    #[must_use]
    pub fn any(&self) -> bool {
        self.below_checkpoint || self.segments.is_some() || self.bytes.is_some() || self.age.is_some()
    }

    fn rules(&self, now: Time, pins: Vec<Pin>) -> Rules {
        Rules {
            keep_segments: self.segments,
            keep_bytes: self.bytes,
            keep_for: self.age.map(|age| (age, now)),
            by_checkpoint: self.below_checkpoint,
            pins,
            force: false,
        }
    }
}

/// The sealed segments of a log that is written, and what becomes of them. The writer only leaves word of what it sealed; looking and
/// removing is done without its lock.
#[derive(Debug)]
pub(super) struct Retention {
    disk: Arc<dyn Disk>,
    standing: Arc<Standing>,
    dir: PathBuf,
    retain: Retain,
    clock: Clock,
    pins: Arc<Pins>,
    /// Where files of segments that go are kept, to be used again.
    spares: Option<Arc<Spares>>,
    /// Segments that were sealed and not looked at yet.
    fresh: Mutex<Vec<Lsn>>,
    state: Mutex<RetentionState>,
    /// A segment was sealed, a checkpoint written or a pin moved since the last look.
    due: AtomicBool,
}

#[derive(Debug)]
struct RetentionState {
    /// Oldest first.
    sealed: Vec<SegmentFacts>,
    /// What kept the oldest segment when that was looked at last.
    held_by: Vec<Reason>,
}

impl Retention {
    /// Of a log that was just opened, whose active segment begins with `active` or will begin there.
    pub fn open(
        disk: &Arc<dyn Disk>,
        standing: &Arc<Standing>,
        dir: &Path,
        retain: &Retain,
        clock: &Clock,
        pins: &Arc<Pins>,
        spares: Option<Arc<Spares>>,
    ) -> Result<Retention> {
        let sealed = prune_facts(disk, dir)?;
        Ok(Retention {
            disk: disk.clone(),
            standing: standing.clone(),
            dir: dir.to_owned(),
            retain: retain.clone(),
            clock: clock.clone(),
            pins: pins.clone(),
            spares,
            fresh: Mutex::default(),
            state: Mutex::new(RetentionState { sealed, held_by: Vec::new() }),
            due: AtomicBool::new(true),
        })
    }

    /// A segment was sealed. Called with the log held, and waits for nothing.
    pub fn sealed(&self, first: Lsn) {
        lock(&self.fresh).push(first);
        self.due.store(true, Ordering::Release);
    }

    /// There may be something to let go.
    pub fn wake(&self) {
        self.due.store(true, Ordering::Release);
    }

    pub fn is_due(&self) -> bool {
        self.due.load(Ordering::Acquire)
    }

    /// What happens from now on is for the next look.
    pub fn begin_look(&self) {
        self.due.store(false, Ordering::Release);
    }

    /// The segments that were sealed since the last look. Called with the log held, so that none is both sealed and active.
    pub fn take_fresh(&self) -> Vec<Lsn> {
        std::mem::take(&mut *lock(&self.fresh))
    }

    /// Lets the oldest segments go, one after the other, until one must stay.
    pub fn retire(&self, fresh: Vec<Lsn>, active: &SegmentFacts, counters: &Counters) -> Result<()> {
        let mut state = lock(&self.state);
        for (index, first) in fresh.iter().enumerate() {
            match sealed_facts(&self.disk, &self.dir.join(segment_name(*first)), *first) {
                Ok(Some(facts)) => state.put(facts),
                // Nothing goes while one is not known; it is looked at again.
                other => {
                    lock(&self.fresh).splice(0..0, fresh[index..].iter().copied());
                    return other.map(|_| ());
                }
            }
        }
        state.sealed.retain(|segment| segment.first < active.first);
        loop {
            // While this is held no pin is set or moved.
            let kept = self.pins.hold();
            let mut segments = state.sealed.clone();
            segments.push(active.clone());
            let pins = kept.iter().map(|(name, read)| pin(name, *read)).chain(self.cursors()).collect();
            let Some(oldest) = plan_prune(segments, &self.retain.rules(self.clock.now(), pins)).into_iter().next() else {
                return Ok(());
            };
            let stays = !oldest.goes() || state.sealed.is_empty();
            state.held_by = oldest.kept;
            if stays {
                return Ok(());
            }
            self.standing.folder()?;
            let path = self.dir.join(&oldest.segment.file);
            let spare = self.spares.as_ref().and_then(|spares| Some((spares, spares.keep(&path)?)));
            if spare.is_none() {
                self.disk.remove(&path)?;
            }
            state.sealed.remove(0);
            counters.gone(1);
            tell(Weight::Info, &self.dir, format_args!("let go: {}", oldest.segment.file));
            // A filesystem may forget a removal and keep the next one: that would be a hole.
            self.disk.sync_dir(&self.dir)?;
            if let Some((spares, slot)) = spare {
                spares.durable(slot, oldest.segment.first);
            }
        }
    }

    /// What readers say in their cursors. While one cannot be read, it needs everything.
    fn cursors(&self) -> impl Iterator<Item = Pin> + '_ {
        self.retain.cursors.iter().map(|path| {
            let everything = || Pin { name: path.display().to_string(), read: None, segment: None };
            read_cursor(self.disk.as_ref(), path).unwrap_or_else(|_| everything())
        })
    }

    /// What keeps the oldest segment, as of the last look.
    pub fn held_by(&self) -> Vec<Reason> {
        lock(&self.state).held_by.clone()
    }

    /// How long until a look may find something to go although nothing was written.
    pub fn look_again(&self) -> Duration {
        let state = lock(&self.state);
        let by_age = self.retain.age.zip(state.sealed.first()).map(|(age, oldest)| {
            let old = Duration::from_micros(self.clock.now().0.saturating_sub(oldest.newest.0));
            age.saturating_sub(old).max(SOONEST)
        });
        let by_cursor = (!self.retain.cursors.is_empty()).then_some(CURSORS);
        by_age.into_iter().chain(by_cursor).min().unwrap_or(LATEST).min(LATEST)
    }
}

impl RetentionState {
    fn put(&mut self, facts: SegmentFacts) {
        // What was active when the log was opened was looked at then, before it was sealed.
        self.sealed.retain(|known| known.first < facts.first);
        self.sealed.push(facts);
    }
}

/// A thread that lets segments go looks no more often than that.
const SOONEST: Duration = Duration::from_millis(10);
/// Readers' cursors are read again this often.
const CURSORS: Duration = Duration::from_secs(5);
/// After a failure it is tried again by then.
const LATEST: Duration = Duration::from_secs(60);

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
