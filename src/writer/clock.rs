//! What time of day a writer gives its records: the system's, or one that a test sets.

use std::fmt;
use std::sync::Arc;

use crate::model::Time;

/// Where the time comes from that records and segment headers carry, and that retention by age compares with. How long a group waits and
/// how long a sync lasts is measured by the system's monotonic clock all the same.
///
/// ```
/// use std::sync::Arc;
/// use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
/// use walctl::{Clock, Log, Options, Reader, Time};
///
/// # let dir = tempfile::tempdir().expect("a temporary folder");
/// let micros = Arc::new(AtomicU64::new(1_000_000));
/// let ticking = micros.clone();
/// let clock = Clock::from_fn(move || Time(ticking.load(Relaxed)));
/// let log = Options::new().clock(clock).open(dir.path())?;
/// log.append("in the first second")?;
/// micros.store(5_000_000, Relaxed);
/// log.append("in the fifth")?;
/// let times: Result<Vec<_>, _> = Reader::open(dir.path())?.map(|record| record.map(|record| record.time)).collect();
/// assert_eq!(times?, [Some(Time(1_000_000)), Some(Time(5_000_000))]);
/// # Ok::<(), walctl::Error>(())
/// ```
#[derive(Clone, Default)]
pub struct Clock(Option<Arc<dyn Fn() -> Time + Send + Sync>>);

impl Clock {
    /// The system's clock, which is the default.
    ///
    /// ```
    /// let options = walctl::Options::new().clock(walctl::Clock::system());
    /// # let _ = options;
    /// ```
    #[must_use]
    pub fn system() -> Clock {
        Clock(None)
    }

    /// What a function says, which any thread of the writer may call at any time. It is called while the log is held: it must not append to
    /// that log, nor wait for a thread that does.
    ///
    /// ```
    /// let stopped = walctl::Clock::from_fn(|| walctl::Time(0));
    /// # let _ = stopped;
    /// ```
    pub fn from_fn(now: impl Fn() -> Time + Send + Sync + 'static) -> Clock {
        Clock(Some(Arc::new(now)))
    }

    #[inline]
    pub(crate) fn now(&self) -> Time {
        self.0.as_ref().map_or_else(Time::now, |now| now())
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Clock(given)" } else { "Clock(system)" })
    }
}
