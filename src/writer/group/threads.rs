//! The threads of a writer: one commits tickets that no caller waits for, one syncs at intervals, one seals old segments.

use std::time::{Duration, Instant};

use super::leader::Shared;
use super::log::OpenLog;
use super::primitives::{Arc, JoinHandle, MutexGuard, Ordering, is_current, lock, spawn, wait_for, yield_now};
use crate::model::{Error, Result};
use crate::writer::patience::Hope;
use crate::writer::retention::Retention;
use crate::writer::sync::SyncMode;

/// When a segment is old and there is no room for the next one, it is tried again after this long.
const RETRY: Duration = Duration::from_secs(1);

impl Shared {
    /// Starts the threads that the options ask for.
    pub fn start(self: &Arc<Self>) -> Result<()> {
        let mut threads = lock(&self.threads);
        if let SyncMode::Interval(every) = self.options.sync {
            threads.syncer = Some(self.thread("walctl-sync", move |own| own.sync_each(every))?);
        }
        if self.options.segment_age.is_some() {
            threads.sealer = Some(self.thread("walctl-age", Shared::seal_when_old)?);
        }
        if self.retention.is_some() && self.options.background {
            threads.retainer = Some(self.thread("walctl-retain", Shared::retire_when_due)?);
        }
        drop(threads);
        if !self.options.background {
            self.retire_if_due();
        }
        Ok(())
    }

    fn thread(self: &Arc<Self>, name: &str, run: impl FnOnce(&Shared) + Send + 'static) -> Result<JoinHandle<()>> {
        let own = self.clone();
        spawn(name, move || run(&own)).map_err(Error::io("start a thread for", &self.dir))
    }

    /// Starts the thread that leads for tickets that no caller waits for, if it is not there.
    pub fn need_committer(self: &Arc<Self>) -> Result<()> {
        if self.committer.load(Ordering::Acquire) {
            return Ok(());
        }
        let mut threads = lock(&self.threads);
        if threads.committer.is_none() && !self.stop.load(Ordering::Acquire) {
            threads.committer = Some(self.thread("walctl-commit", Shared::commit)?);
            self.committer.store(true, Ordering::Release);
        }
        Ok(())
    }

    /// Wakes the committer if no thread leads and it sleeps.
    #[inline]
    pub fn start_committer(&self, mut queue: MutexGuard<'_, super::queue::Queue>) {
        let wake = !queue.busy && std::mem::take(&mut queue.committer_idle);
        drop(queue);
        if wake {
            self.wake_committer();
        }
    }

    pub fn wake_committer(&self) {
        self.committer_word.0.fetch_add(1, Ordering::Release);
        self.committer_word.wake(1);
    }

    fn commit(&self) {
        let mut hope = Hope::default();
        loop {
            let seen = self.committer_word.0.load(Ordering::Acquire);
            let mut queue = self.queue();
            if !queue.busy && !queue.is_empty() {
                self.lead(queue);
                self.linger(&mut hope);
                continue;
            }
            if self.stop.load(Ordering::Acquire) {
                return;
            }
            queue.committer_idle = true;
            drop(queue);
            self.committer_word.wait(seen);
        }
    }

    /// Waits a moment for the tasks that were just served, if they came back the last time: to be woken takes longer than to look.
    fn linger(&self, hope: &mut Hope) {
        if hope.is_left() {
            let since = Instant::now();
            let mut came = false;
            while !came && since.elapsed() < Hope::LENGTH {
                yield_now();
                came = self.callers.load(Ordering::Relaxed) > 0;
            }
            hope.was_right(came);
        }
    }

    fn sync_each(&self, every: Duration) {
        let mut queue = self.queue();
        while !self.stop.load(Ordering::Acquire) {
            queue = wait_for(&self.time, queue, every);
            drop(queue);
            self.sync_behind();
            queue = self.queue();
        }
    }

    /// Syncs what is written while others go on writing.
    pub fn sync_behind(&self) {
        let due = lock(&self.log).to_sync();
        if let Some((file, up_to)) = due {
            let result = file.sync_data();
            let _ = self.hold().was_synced(up_to, result);
        }
    }

    /// Seals a segment that gets old without appends, so that it can be archived and pruned.
    fn seal_when_old(&self) {
        let mut queue = self.queue();
        while !self.stop.load(Ordering::Acquire) && queue.poison.is_none() {
            drop(queue);
            // Without room nothing is lost: the next group begins a segment, or fails. What ends the writer is told to all.
            let again = self.rotate_with(OpenLog::rotate_if_old).unwrap_or(RETRY).max(Duration::from_millis(1));
            queue = self.queue();
            if !self.stop.load(Ordering::Acquire) {
                queue = wait_for(&self.time, queue, again);
            }
        }
    }

    /// Lets segments go if there may be some that may: in a thread of its own, unless the writer has none.
    pub fn retire_if_due(&self) {
        let Some(retention) = self.retention.as_ref().filter(|retention| retention.is_due()) else { return };
        if !self.options.background {
            return self.retire(retention);
        }
        // Whoever looked before it was due, under this lock, is asleep when it is free.
        drop(self.queue());
        self.let_go.notify_one();
    }

    fn retire(&self, retention: &Retention) {
        retention.begin_look();
        let (fresh, active) = {
            let log = lock(&self.log);
            let Some(active) = log.active_facts() else { return };
            (retention.take_fresh(), active)
        };
        // What fails leaves the log whole, and is tried again.
        let _ = retention.retire(fresh, &active, &self.counters);
    }

    fn retire_when_due(&self) {
        let Some(retention) = &self.retention else { return };
        let mut queue = self.queue();
        while !self.stop.load(Ordering::Acquire) && queue.poison.is_none() {
            drop(queue);
            self.retire(retention);
            let again = retention.look_again();
            queue = self.queue();
            if !self.stop.load(Ordering::Acquire) && !retention.is_due() {
                queue = wait_for(&self.let_go, queue, again);
            }
        }
        // What came due before the end is done before the end: what a closed log still has is no matter of luck.
        if queue.poison.is_none() && retention.is_due() {
            drop(queue);
            self.retire(retention);
        }
    }

    /// Ends the threads; what was handed over is written before.
    pub fn halt(&self) {
        self.stop.store(true, Ordering::Release);
        self.wake_committer();
        // Whoever looked at `stop` before it was set, under this lock, is asleep when it is free.
        drop(self.queue());
        self.company.notify_all();
        self.time.notify_all();
        self.let_go.notify_all();
        let threads = std::mem::take(&mut *lock(&self.threads));
        let others = [threads.committer, threads.syncer, threads.sealer, threads.retainer]
            .into_iter()
            .flatten()
            .filter(|thread| !is_current(thread));
        // A task that was woken may drop the last handle: then it is the committer that comes here, and it ends by itself.
        for thread in others {
            // One that panicked has ended the writer, and everybody was told.
            let _ = thread.join();
        }
    }
}
