//! A bar on standard error for what lasts over a second, and only on a terminal.

use std::io::{IsTerminal, stderr};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::out::Out;
use walctl::model::units::show_bytes;

/// Work shorter than this shows no bar.
const PATIENCE: Duration = Duration::from_secs(1);

/// How far some work has come, counted in bytes. May be told from several threads.
#[derive(Debug)]
pub struct WorkBar {
    begun: Instant,
    total: u64,
    done: AtomicU64,
    bar: OnceLock<ProgressBar>,
    wanted: bool,
    doing: String,
}

impl WorkBar {
    /// Over `total` bytes; `doing` stands before the bar: `checking wal`.
    pub fn new(out: &Out, doing: impl Into<String>, total: u64) -> WorkBar {
        WorkBar {
            begun: Instant::now(),
            total,
            done: AtomicU64::new(0),
            bar: OnceLock::new(),
            wanted: stderr().is_terminal() && !out.quiet(),
            doing: doing.into(),
        }
    }

    /// That many bytes more are done.
    pub fn advance(&self, bytes: u64) {
        let done = self.done.fetch_add(bytes, Ordering::Relaxed) + bytes;
        self.show(done);
    }

    /// That many bytes are done in all.
    pub fn reached(&self, done: u64) {
        self.done.store(done, Ordering::Relaxed);
        self.show(done);
    }

    /// Shows how far some work has come, which counts its bytes in `done`, until it ends.
    pub fn watch<T: Send>(&self, done: &AtomicU64, work: impl FnOnce() -> T + Send) -> T {
        if !self.wanted {
            return work();
        }
        let (here, over) = (std::thread::current(), AtomicBool::new(false));
        // Where there is no thread to be had, the work is given back and done here, without a bar.
        let work = Mutex::new(Some(work));
        let take = || work.lock().ok().and_then(|mut work| work.take());
        std::thread::scope(|scope| {
            let worker = std::thread::Builder::new().spawn_scoped(scope, || {
                let result = take().map(|work| work());
                // A thread that wakes us is not finished yet: asked for that alone, it would often be waited for once more in vain.
                over.store(true, Ordering::Release);
                here.unpark();
                result
            });
            let Ok(worker) = worker else { return take().map(|work| work()) };
            while !over.load(Ordering::Acquire) && !worker.is_finished() {
                std::thread::park_timeout(Duration::from_millis(100));
                self.reached(done.load(Ordering::Relaxed));
            }
            match worker.join() {
                Ok(result) => result,
                Err(panic) => std::panic::resume_unwind(panic),
            }
        })
        .expect("the work is taken once")
    }

    fn show(&self, done: u64) {
        if !self.wanted || self.begun.elapsed() < PATIENCE {
            return;
        }
        let bar = self.bar.get_or_init(|| {
            let style = ProgressStyle::with_template("{prefix} [{wide_bar}] {msg}").expect("the template is ours");
            ProgressBar::with_draw_target(Some(self.total), ProgressDrawTarget::stderr_with_hz(5))
                .with_style(style.progress_chars("=> "))
                .with_prefix(super::escape::line(&self.doing))
        });
        bar.set_message(self.words(done));
        bar.set_position(done.min(self.total));
    }

    /// How much, how fast, and how long it will take. The rate is that of the whole run: the bar itself has seen only its end.
    fn words(&self, done: u64) -> String {
        let rate = done as f64 / self.begun.elapsed().as_secs_f64().max(0.001);
        let left = self.total.saturating_sub(done) as f64 / rate.max(1.0);
        let left = if self.total > done { format!(", {:.0} s left", left.min(1e9)) } else { String::new() };
        format!("{} of {}, {}/s{left}", show_bytes(done), show_bytes(self.total), show_bytes(rate as u64))
    }

    /// Takes the bar away, so that something else can be printed.
    pub fn finish(&self) {
        if let Some(bar) = self.bar.get() {
            bar.finish_and_clear();
        }
    }
}

impl Drop for WorkBar {
    fn drop(&mut self) {
        self.finish();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_that_is_over_is_not_waited_for() {
        let begun = Instant::now();
        for _ in 0..200 {
            let bar = WorkBar {
                begun: Instant::now(),
                total: 1,
                done: AtomicU64::new(0),
                bar: OnceLock::new(),
                wanted: true,
                doing: String::new(),
            };
            assert_eq!(bar.watch(&AtomicU64::new(0), || 7), 7);
        }
        // One wait in vain is a tenth of a second.
        assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    }
}
