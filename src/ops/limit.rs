//! Reading no faster than was asked for, over all threads together.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How often one that waits asks whether it is to end.
const LOOK: Duration = Duration::from_millis(50);

/// At most so many bytes a second, counted from when it was made.
#[derive(Debug)]
pub struct RateLimit {
    since: Instant,
    rate: Option<u64>,
    done: AtomicU64,
}

impl Default for RateLimit {
    fn default() -> Self {
        RateLimit::at(None)
    }
}

impl RateLimit {
    /// At most this many bytes a second; without a number as fast as it goes.
    #[must_use]
    pub fn at(rate: Option<u64>) -> RateLimit {
        RateLimit { since: Instant::now(), rate: rate.filter(|rate| *rate > 0), done: AtomicU64::new(0) }
    }

    /// Whether it holds anything back.
    #[must_use]
    pub fn is_limited(&self) -> bool {
        self.rate.is_some()
    }

    /// Waits until that many bytes more may be read, or the work is to end.
    pub fn wait(&self, more: u64, stop: &dyn Fn() -> bool) {
        let Some(rate) = self.rate else { return };
        let done = self.done.fetch_add(more, Ordering::Relaxed) + more;
        let due = Duration::from_secs_f64(done as f64 / rate as f64);
        while let Some(rest) = due.checked_sub(self.since.elapsed()).filter(|_| !stop()) {
            std::thread::sleep(rest.min(LOOK));
        }
    }

    /// The same for work that is ended by a flag.
    pub fn wait_unless(&self, more: u64, stop: &AtomicBool) {
        self.wait(more, &|| stop.load(Ordering::Relaxed));
    }
}
