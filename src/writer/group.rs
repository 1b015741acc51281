//! One sync for many: group commit.
//!
//! Whoever finds nobody writing leads: it takes the oldest group, writes it with one call, syncs once and wakes the rest. Meanwhile the
//! next group fills. A leader that served company before waits a moment until they are back, for without that the callers split into
//! two halves that take turns. Callers sleep on one word a group, so one system call wakes a group and none of them takes a lock on its
//! way out.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::thread::futex;

use super::batch::{Draft, Prepared};
use super::counters::Counts;
use super::log::{Log, Rotated};
use super::options::Options;
use super::queue::Queue;
use super::sync::{SyncMode, Window};
use super::ticket::{Ack, Failure, Group, Outcome, Ticket};
use crate::disk::{DIRECT_BLOCK, Disk};
use crate::model::{Error, Lsn, Result};

/// A log that many threads append to. Clones are the same log; a thread that appends should have a clone of its own, since a leader
/// that waits for company counts them to know when nobody else can come.
#[derive(Debug)]
pub struct GroupCommit {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    dir: PathBuf,
    options: Options,
    queue: Mutex<Queue>,
    log: Mutex<Log>,
    counters: Arc<super::counters::Counters>,
    /// [`Queue::callers`], for a leader to watch without the lock.
    callers: AtomicUsize,
    handles: AtomicUsize,
    /// There is room in the queue again.
    room: Condvar,
    /// A leader that waits for company need not wait longer.
    company: Condvar,
    /// A thread that waits for its time need not wait longer.
    time: Condvar,
    /// What the committer sleeps on.
    word: AtomicU32,
    threads: Mutex<Threads>,
    committer: AtomicBool,
    stop: AtomicBool,
    /// What a write and a sync take, in nanoseconds, on the average of late.
    pace: AtomicU64,
}

#[derive(Debug, Default)]
struct Threads {
    committer: Option<JoinHandle<()>>,
    syncer: Option<JoinHandle<()>>,
    sealer: Option<JoinHandle<()>>,
}

const UNBROKEN: &str = "nobody panics while holding the writer";
/// When a segment is old and there is no room for the next one, it is tried again after so long.
const RETRY: Duration = Duration::from_secs(1);

impl Clone for GroupCommit {
    fn clone(&self) -> Self {
        self.shared.handles.fetch_add(1, Ordering::Relaxed);
        GroupCommit { shared: self.shared.clone() }
    }
}

impl Drop for GroupCommit {
    fn drop(&mut self) {
        if self.shared.handles.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.shared.halt();
        }
    }
}

impl GroupCommit {
    /// Opens the log in `dir` for appending.
    pub fn open(disk: Arc<dyn Disk>, dir: &Path, options: Options) -> Result<GroupCommit> {
        let log = Log::open(disk, dir, options.clone())?;
        let block = if options.direct { DIRECT_BLOCK } else { 1 };
        let shared = Arc::new(Shared {
            dir: dir.to_owned(),
            queue: Mutex::new(Queue::new(log.next(), log.is_blank(), log.place(), block)),
            counters: log.counters().clone(),
            log: Mutex::new(log),
            callers: AtomicUsize::new(0),
            handles: AtomicUsize::new(1),
            room: Condvar::new(),
            company: Condvar::new(),
            time: Condvar::new(),
            word: AtomicU32::new(0),
            threads: Mutex::default(),
            committer: AtomicBool::new(false),
            stop: AtomicBool::new(false),
            pace: AtomicU64::new(130_000),
            options,
        });
        if let SyncMode::Interval(every) = shared.options.sync {
            let own = shared.clone();
            let syncer = thread::Builder::new().name("walctl-sync".into()).spawn(move || own.sync_each(every));
            let syncer = syncer.map_err(Error::io("start a thread for", dir))?;
            shared.threads.lock().expect(UNBROKEN).syncer = Some(syncer);
        }
        if shared.options.segment_age.is_some() {
            let own = shared.clone();
            let sealer = thread::Builder::new().name("walctl-age".into()).spawn(move || own.seal_when_old());
            let sealer = sealer.map_err(Error::io("start a thread for", dir))?;
            shared.threads.lock().expect(UNBROKEN).sealer = Some(sealer);
        }
        Ok(GroupCommit { shared })
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

    /// Hands a record over and returns at once, unless too much is queued already. It is on its way: [`GroupCommit::wait`] tells
    /// when it is durable.
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
        if let Some(outcome) = ticket.group.outcome() {
            return ticket.redeem(outcome, &self.shared.dir);
        }
        self.shared.settle(self.shared.lock(), ticket)
    }

    /// What came of a record, if it is known already.
    #[must_use]
    pub fn poll(&self, ticket: &Ticket) -> Option<Result<Ack>> {
        ticket.group.outcome().map(|outcome| ticket.redeem(outcome, &self.shared.dir))
    }

    /// Returns when everything that was handed over so far is durable, whatever the mode. Gives the last durable LSN; 0 for none.
    pub fn sync(&self) -> Result<Lsn> {
        self.shared.flush()?;
        let mut log = self.shared.log.lock().expect(UNBROKEN);
        let result = log.sync();
        self.shared.spread(log.poison().cloned());
        result.map(|()| log.durable().before().unwrap_or(Lsn(0)))
    }

    /// Seals the active segment and begins the next one, behind everything that was handed over so far.
    pub fn rotate(&self) -> Result<Rotated> {
        self.shared.flush()?;
        let mut log = self.shared.log.lock().expect(UNBROKEN);
        let result = log.rotate();
        self.shared.spread(log.poison().cloned());
        self.shared.lock().segment_is(log.place());
        result
    }

    /// Closes the log cleanly: everything handed over is durable, and the log says that it was closed. Other clones get errors then.
    pub fn close(&self) -> Result<Lsn> {
        let flushed = self.shared.flush();
        self.shared.lock().closed = true;
        self.shared.halt();
        let mut log = self.shared.log.lock().expect(UNBROKEN);
        log.close()?;
        flushed?;
        Ok(log.durable().before().unwrap_or(Lsn(0)))
    }

    /// The LSN that the next record will get, if nothing fails.
    #[must_use]
    pub fn next_lsn(&self) -> Lsn {
        self.shared.lock().next()
    }

    /// The last LSN that is known durable; 0 when none is.
    #[must_use]
    pub fn durable_lsn(&self) -> Lsn {
        self.shared.log.lock().expect(UNBROKEN).durable().before().unwrap_or(Lsn(0))
    }

    /// The id that all segments of the log bear.
    #[must_use]
    pub fn log_id(&self) -> [u8; 16] {
        self.shared.log.lock().expect(UNBROKEN).log_id()
    }

    /// What was done so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.shared.counters.now()
    }

    /// What turned out otherwise than asked for, in words: that the filesystem takes no direct writes.
    #[must_use]
    pub fn notes(&self) -> Vec<String> {
        self.shared.log.lock().expect(UNBROKEN).notes().to_vec()
    }

    /// How it writes.
    #[must_use]
    pub fn options(&self) -> &Options {
        &self.shared.options
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().expect(UNBROKEN)
    }

    /// Puts records into the queue when there is room, and keeps the queue locked.
    fn push(&self, records: &[Prepared<'_>], caller: bool, each: impl FnMut(Ticket)) -> Result<MutexGuard<'_, Queue>> {
        let came = Instant::now();
        let bytes: usize = records.iter().map(Prepared::bytes).sum();
        let mut queue = self.lock();
        loop {
            if let Some(failure) = &queue.poison {
                return Err(failure.error(&self.dir));
            }
            if queue.closed {
                return Err(Error::Refused { path: self.dir.clone(), why: "this writer was closed".into() });
            }
            // What is larger than all the room there is goes alone.
            if queue.bytes == 0 || queue.bytes + bytes <= self.options.queue_bytes {
                break;
            }
            queue = self.make_room(queue);
        }
        queue.push(records, caller, came, &self.options, each)?;
        self.callers.store(queue.callers, Ordering::Relaxed);
        if queue.gathering && (queue.has_full_group() || self.nobody_else(&queue)) {
            self.company.notify_one();
        }
        Ok(queue)
    }

    /// Nobody writes: somebody must, or there is never room. Otherwise waits for whoever does.
    fn make_room<'a>(&'a self, mut queue: MutexGuard<'a, Queue>) -> MutexGuard<'a, Queue> {
        if !queue.busy && !queue.is_empty() {
            queue.busy = true;
            self.lead(queue, None);
            return self.lock();
        }
        queue.waiting += 1;
        self.company.notify_one();
        let mut queue = self.room.wait(queue).expect(UNBROKEN);
        queue.waiting -= 1;
        queue
    }

    /// Returns when the ticket's group is over; leads where nobody does.
    fn settle<'a>(&'a self, mut queue: MutexGuard<'a, Queue>, ticket: &Ticket) -> Result<Ack> {
        let group = &ticket.group;
        let mut slept = false;
        loop {
            if let Some(outcome) = group.outcome() {
                drop(queue);
                return self.answer(ticket, outcome, slept);
            }
            if !queue.busy {
                queue.busy = true;
                self.lead(queue, Some(group));
            } else {
                let seen = group.seen();
                drop(queue);
                group.sleep(seen);
                slept = true;
            }
            if let Some(outcome) = group.outcome() {
                return self.answer(ticket, outcome, slept);
            }
            queue = self.lock();
        }
    }

    fn answer(&self, ticket: &Ticket, outcome: &Outcome, slept: bool) -> Result<Ack> {
        let mut ack = ticket.redeem(outcome, &self.dir)?;
        ack.times.woken = slept.then(Instant::now);
        Ok(ack)
    }

    /// Writes the oldest group. The caller has made itself the leader; `own` is the group that it waits for itself.
    fn lead(&self, queue: MutexGuard<'_, Queue>, own: Option<&Arc<Group>>) {
        let led = Instant::now();
        let mut queue = self.gather(queue, led);
        let Some(mut batch) = queue.take() else {
            queue.busy = false;
            return;
        };
        self.callers.store(queue.callers, Ordering::Relaxed);
        if queue.is_empty() {
            queue.hurry = false;
        }
        drop(queue);
        let (gathered, bytes) = (Instant::now(), batch.bytes.len());
        let outcome = {
            let mut log = self.log.lock().expect(UNBROKEN);
            let outcome = log.write(&mut batch, led, gathered);
            if self.options.end_at_failure { outcome.map_err(|failure| self.at_the_end(&log, failure)) } else { outcome }
        };
        if let Ok(written) = &outcome {
            self.keep_pace(written.synced - gathered);
        }
        let group = batch.group.clone();
        // Nobody else sleeps on a group that consists of the leader's own record.
        let alone = batch.callers == 1 && own.is_some_and(|own| Arc::ptr_eq(own, &group)) && batch.records == 1;
        let mut queue = self.lock();
        queue.busy = false;
        queue.over(batch, bytes, outcome.is_err());
        if let Err(failure @ Failure::Poisoned { .. }) = &outcome {
            self.poison(queue, failure);
            group.finish(outcome, true);
            return;
        }
        let room = queue.waiting > 0;
        let next = queue.oldest().map(|next| (next.group.clone(), next.callers));
        let commit = next.as_ref().is_some_and(|next| next.1 == 0) && std::mem::take(&mut queue.committer_idle);
        drop(queue);
        // The next leader first: it is on the way to the disk while the others wake.
        match next {
            Some((next, callers)) if callers > 0 => {
                next.nudge();
            }
            _ if commit => self.wake_committer(),
            _ => {}
        }
        group.finish(outcome, !alone);
        if room {
            self.room.notify_all();
        }
    }

    /// A failure of one group, where it is to be the end of all.
    fn at_the_end(&self, log: &Log, failure: Failure) -> Failure {
        match failure {
            Failure::System { .. } => {
                let durable = log.durable().before().unwrap_or(Lsn(0));
                Failure::Poisoned { durable, cause: failure.error(&self.dir).to_string() }
            }
            other => other,
        }
    }

    /// Waits for company, if that is likely to pay.
    fn gather<'a>(&'a self, queue: MutexGuard<'a, Queue>, led: Instant) -> MutexGuard<'a, Queue> {
        if queue.hurry || queue.waiting > 0 || queue.has_full_group() {
            return queue;
        }
        match self.options.window {
            Window::Auto => self.gather_crowd(queue, led),
            Window::Fixed(length) if length.is_zero() => queue,
            Window::Fixed(length) => self.gather_until(queue, led, length),
        }
    }

    /// Until those are back who were served last, or nobody came for a while, or it takes too long altogether.
    fn gather_crowd<'a>(&'a self, queue: MutexGuard<'a, Queue>, led: Instant) -> MutexGuard<'a, Queue> {
        let (crowd, mut had) = (queue.crowd, queue.callers);
        if had >= crowd {
            return queue;
        }
        drop(queue);
        let pace = Duration::from_nanos(self.pace.load(Ordering::Relaxed));
        let gap = (pace / 4).clamp(Duration::from_micros(5), Duration::from_micros(250));
        let most = (pace * 3 / 2).clamp(Duration::from_micros(20), Duration::from_millis(2));
        let mut last = led;
        loop {
            let (here, now) = (self.callers.load(Ordering::Relaxed), Instant::now());
            if here != had {
                (last, had) = (now, here);
            }
            if here >= crowd || now - led > most || now - last > gap {
                return self.lock();
            }
            // Those who were just woken need the processor.
            thread::yield_now();
        }
    }

    /// Until the window of the group's first record ends, the group is full, or nobody else can come.
    fn gather_until<'a>(&'a self, mut queue: MutexGuard<'a, Queue>, led: Instant, length: Duration) -> MutexGuard<'a, Queue> {
        let end = queue.oldest().and_then(|batch| batch.opened).unwrap_or(led) + length;
        queue.gathering = true;
        loop {
            let now = Instant::now();
            if now >= end || queue.hurry || queue.waiting > 0 || queue.has_full_group() || self.nobody_else(&queue) {
                queue.gathering = false;
                return queue;
            }
            let left = end - now;
            if left > Duration::from_micros(100) {
                // The timer comes some 50 us late.
                queue = self.company.wait_timeout(queue, left - Duration::from_micros(60)).expect(UNBROKEN).0;
            } else {
                drop(queue);
                thread::yield_now();
                queue = self.lock();
            }
        }
    }

    /// Everybody who could append waits in this queue already.
    fn nobody_else(&self, queue: &Queue) -> bool {
        queue.callers >= self.handles.load(Ordering::Relaxed)
    }

    fn keep_pace(&self, took: Duration) {
        let took = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX).min(1_000_000_000);
        let pace = self.pace.load(Ordering::Relaxed);
        self.pace.store(pace - pace / 8 + took / 8, Ordering::Relaxed);
    }

    /// Lets everything fail that waits, and everything that comes.
    fn poison(&self, mut queue: MutexGuard<'_, Queue>, failure: &Failure) {
        queue.poison = Some(failure.clone());
        let groups = queue.drain();
        self.callers.store(0, Ordering::Relaxed);
        drop(queue);
        for group in groups {
            group.finish(Err(failure.clone()), true);
        }
        self.room.notify_all();
    }

    /// Carries a failure of the log into the queue, if there is one.
    fn spread(&self, failure: Option<Failure>) {
        if let Some(failure) = failure {
            let queue = self.lock();
            if queue.poison.is_none() {
                self.poison(queue, &failure);
            }
        }
    }

    /// Returns when everything is written that was handed over so far.
    fn flush(&self) -> Result<()> {
        let mut queue = self.lock();
        let Some(group) = queue.newest() else {
            return match &queue.poison {
                Some(failure) => Err(failure.error(&self.dir)),
                None => Ok(()),
            };
        };
        queue.hurry = true;
        self.company.notify_one();
        let ticket = Ticket { group, index: 0, frames: 1, came: Instant::now() };
        self.settle(queue, &ticket).map(|_| ())
    }

    /// Sees to it that there is a thread that leads for tickets nobody waits for.
    fn need_committer(self: &Arc<Self>) -> Result<()> {
        if self.committer.load(Ordering::Acquire) {
            return Ok(());
        }
        let mut threads = self.threads.lock().expect(UNBROKEN);
        if threads.committer.is_none() && !self.stop.load(Ordering::Acquire) {
            let own = self.clone();
            let spawned = thread::Builder::new().name("walctl-commit".into()).spawn(move || own.commit());
            threads.committer = Some(spawned.map_err(Error::io("start a thread for", &self.dir))?);
            self.committer.store(true, Ordering::Release);
        }
        Ok(())
    }

    /// Wakes the committer if nobody leads and it sleeps.
    #[inline]
    fn start_committer(&self, mut queue: MutexGuard<'_, Queue>) {
        let wake = !queue.busy && std::mem::take(&mut queue.committer_idle);
        drop(queue);
        if wake {
            self.wake_committer();
        }
    }

    fn wake_committer(&self) {
        self.word.fetch_add(1, Ordering::Release);
        let _ = futex::wake(&self.word, futex::Flags::PRIVATE, 1);
    }

    fn commit(&self) {
        loop {
            let seen = self.word.load(Ordering::Acquire);
            let mut queue = self.lock();
            if !queue.busy && !queue.is_empty() {
                queue.busy = true;
                self.lead(queue, None);
                continue;
            }
            if self.stop.load(Ordering::Acquire) {
                return;
            }
            queue.committer_idle = true;
            drop(queue);
            let _ = futex::wait(&self.word, futex::Flags::PRIVATE, seen, None);
        }
    }

    fn sync_each(&self, every: Duration) {
        let mut queue = self.lock();
        while !self.stop.load(Ordering::Acquire) {
            queue = self.time.wait_timeout(queue, every).expect(UNBROKEN).0;
            drop(queue);
            self.sync_behind();
            queue = self.lock();
        }
    }

    /// Seals a segment that gets old while nobody appends, so that whoever archives and prunes can have it.
    fn seal_when_old(&self) {
        let mut queue = self.lock();
        while !self.stop.load(Ordering::Acquire) && queue.poison.is_none() {
            drop(queue);
            let mut log = self.log.lock().expect(UNBROKEN);
            // Without room nothing is lost: the next group begins a segment, or fails. What ends the writer is told to all.
            let again = log.rotate_if_old().or(Err(()));
            self.spread(log.poison().cloned());
            queue = self.lock();
            queue.segment_is(log.place());
            drop(log);
            let again = again.unwrap_or(RETRY).max(Duration::from_millis(1));
            if !self.stop.load(Ordering::Acquire) {
                queue = self.time.wait_timeout(queue, again).expect(UNBROKEN).0;
            }
        }
    }

    /// Syncs what is written without keeping anybody from writing more.
    fn sync_behind(&self) {
        let due = self.log.lock().expect(UNBROKEN).to_sync();
        if let Some((file, up_to)) = due {
            let result = file.sync_data();
            let mut log = self.log.lock().expect(UNBROKEN);
            let _ = log.was_synced(up_to, result);
            self.spread(log.poison().cloned());
        }
    }

    /// Ends the threads; what was handed over is written before.
    fn halt(&self) {
        self.stop.store(true, Ordering::Release);
        self.wake_committer();
        // Whoever looked at `stop` before it was set, under this lock, is asleep when it is free.
        drop(self.lock());
        self.company.notify_all();
        self.time.notify_all();
        let mut threads = self.threads.lock().expect(UNBROKEN);
        let threads = std::mem::take(&mut *threads);
        for thread in [threads.committer, threads.syncer, threads.sealer].into_iter().flatten() {
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::{Fault, Luck, RealDisk, SimDisk};
    use crate::native::Kind;

    fn sim(options: Options) -> (SimDisk, GroupCommit) {
        let sim = SimDisk::new();
        let log = GroupCommit::open(Arc::new(sim.clone()), Path::new("/log"), options).expect("a new log");
        (sim, log)
    }

    fn quiet() -> Options {
        Options { background: false, preallocate: crate::writer::Preallocate::None, ..Options::default() }
    }

    #[test]
    fn each_record_gets_the_next_number_whoever_appends() {
        let (_, log) = sim(quiet());
        let mut lsns: Vec<u64> = thread::scope(|scope| {
            let threads: Vec<_> = (0..8)
                .map(|n| {
                    let log = log.clone();
                    scope.spawn(move || -> Vec<u64> {
                        let payload = [n; 100];
                        (0..200).map(|_| log.append(&payload[..]).expect("the disk is well").lsn.0).collect()
                    })
                })
                .collect();
            threads.into_iter().flat_map(|t| t.join().expect("it does not panic")).collect()
        });
        lsns.sort_unstable();
        assert_eq!(lsns, (1..=1600).collect::<Vec<_>>());
        let counts = log.counts();
        assert_eq!((counts.records, counts.payload_bytes), (1600, 160_000));
        assert!(counts.groups <= 1600 && counts.syncs >= counts.groups);
        assert_eq!(log.close().expect("it closes"), Lsn(1600));
    }

    #[test]
    fn thousands_of_tickets_from_one_thread_are_redeemed_in_any_order() {
        let (_, log) = sim(Options { queue_bytes: 50_000, ..quiet() });
        let tickets: Vec<Ticket> = (0..3000).map(|_| log.submit(&b"alpha"[..]).expect("the disk is well")).collect();
        for (index, ticket) in tickets.iter().enumerate().rev() {
            let ack = log.wait(ticket).expect("the disk is well");
            assert_eq!((ack.lsn.0, ack.durable), (index as u64 + 1, true));
        }
        assert!(log.counts().groups < 3000, "each record had a sync of its own");
    }

    #[test]
    fn a_ticket_nobody_waits_for_is_written_all_the_same() {
        let (_, log) = sim(quiet());
        let ticket = log.submit(&b"alpha"[..]).expect("the disk is well");
        while !ticket.is_over() {
            thread::yield_now();
        }
        assert!(log.poll(&ticket).expect("it is over").expect("the disk is well").durable);
    }

    #[test]
    fn a_window_ends_early_when_nobody_else_can_come() {
        let (_, log) = sim(Options { window: Window::Fixed(Duration::from_secs(3600)), ..quiet() });
        assert_eq!(log.append(&b"alone"[..]).expect("the disk is well").group_size, 1);
        thread::scope(|scope| {
            let other = log.clone();
            let other = scope.spawn(move || other.append(&b"one"[..]).expect("the disk is well").group_size);
            assert_eq!(log.append(&b"two"[..]).expect("the disk is well").group_size, 2);
            assert_eq!(other.join().expect("it does not panic"), 2);
        });
    }

    #[test]
    fn closing_and_syncing_do_not_wait_for_a_window() {
        let (_, log) = sim(Options { window: Window::Fixed(Duration::from_secs(3600)), ..quiet() });
        let _other = log.clone();
        let ticket = log.submit(&b"alpha"[..]).expect("the disk is well");
        assert_eq!(log.sync().expect("the disk is well"), Lsn(1));
        assert!(ticket.is_over());
        let _ = log.submit(&b"beta"[..]).expect("the disk is well");
        assert_eq!(log.close().expect("it closes"), Lsn(2));
        assert!(matches!(log.append(&b"late"[..]), Err(Error::Refused { .. })));
    }

    #[test]
    fn a_failed_sync_ends_the_writer_and_says_what_is_durable() {
        let (sim, log) = sim(quiet());
        log.append(&b"alpha"[..]).expect("the disk is well");
        // A write, then a sync.
        sim.fail_at(sim.operations() + 2, Fault::Errno(libc::EIO));
        let error = log.append(&b"beta"[..]).expect_err("its sync failed");
        assert!(matches!(error, Error::Poisoned { durable: Lsn(1), .. }), "{error}");
        assert!(error.to_string().contains("/log/00000000000000000001.wal"), "it names another file: {error}");
        let before = sim.operations();
        assert!(matches!(log.append(&b"gamma"[..]), Err(Error::Poisoned { durable: Lsn(1), .. })));
        assert!(matches!(log.sync(), Err(Error::Poisoned { .. })) && matches!(log.close(), Err(Error::Poisoned { .. })));
        assert_eq!(sim.operations(), before, "the disk was touched again");
    }

    #[test]
    fn everybody_who_waits_hears_of_the_failure() {
        let (sim, log) = sim(quiet());
        log.append(&b"alpha"[..]).expect("the disk is well");
        for n in 1..2000 {
            sim.fail_at(sim.operations() + n, Fault::Errno(libc::EIO));
        }
        let failed = thread::scope(|scope| {
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(|| log.append(&b"beta"[..]).is_err())).collect();
            threads.into_iter().map(|t| t.join().expect("it does not panic")).filter(|e| *e).count()
        });
        assert_eq!(failed, 8);
    }

    #[test]
    fn a_close_or_a_seal_that_only_the_cache_shows_is_not_believed() {
        for rotate in [false, true] {
            for behind in 1..14 {
                let seed = format!("operation {behind} of {} fails", if rotate { "a rotation" } else { "a close" });
                let (sim, log) = sim(quiet());
                // What follows it stands at the end of a sector, and nothing later touches that one again.
                log.append(&[1; 944][..]).expect("the disk is well");
                sim.fail_at(sim.operations() + behind, Fault::Errno(libc::EIO));
                let ended = if rotate { log.rotate().map(drop) } else { log.close().map(drop) };
                if ended.is_ok() {
                    assert!(behind > 4, "{seed}, and nobody hears of it");
                    break;
                }
                drop(log);
                let again = GroupCommit::open(Arc::new(sim.clone()), Path::new("/log"), quiet());
                let again = again.unwrap_or_else(|error| panic!("{seed}: {error}"));
                assert_eq!(again.append(&b"beta"[..]).expect("the disk is well").lsn, Lsn(2), "{seed}");
                again.rotate().expect("the disk is well");
                drop(again);
                let after: Arc<dyn Disk> = Arc::new(sim.after_power_failure(Luck::None));
                let log = crate::ops::open(&after, Path::new("/log"), &crate::ops::Choice::default()).expect("it is a log");
                let report = crate::ops::verify(&log[0], &crate::ops::Checks::default(), &crate::ops::Progress::default());
                let report = report.expect("it can be read");
                assert_eq!((report.verdict, report.records), (crate::model::Verdict::Clean, 2), "{seed}");
            }
        }
    }

    #[test]
    fn a_group_for_which_there_is_no_room_fails_alone_and_its_number_goes_to_the_next() {
        let (sim, log) = sim(quiet());
        log.append(&b"alpha"[..]).expect("there is room");
        sim.fail_at(sim.operations() + 1, Fault::Short(20));
        sim.fail_at(sim.operations() + 2, Fault::Errno(libc::ENOSPC));
        let error = log.append(&[7; 300][..]).expect_err("there is no room");
        assert_eq!(error.errno(), Some(libc::ENOSPC), "{error}");
        assert_eq!(log.append(&b"beta"[..]).expect("there is room again").lsn, Lsn(2));
        log.close().expect("it closes");
        drop(log);
        let log = GroupCommit::open(Arc::new(sim), Path::new("/log"), quiet()).expect("nothing was left of it");
        assert_eq!(log.next_lsn(), Lsn(3));
    }

    #[test]
    fn a_group_without_room_whose_cut_fails_ends_the_writer() {
        let (sim, log) = sim(quiet());
        log.append(&b"alpha"[..]).expect("there is room");
        sim.fail_at(sim.operations() + 1, Fault::Errno(libc::ENOSPC));
        sim.fail_at(sim.operations() + 2, Fault::Errno(libc::EIO));
        assert!(matches!(log.append(&b"beta"[..]), Err(Error::Poisoned { durable: Lsn(1), .. })));
    }

    #[test]
    fn reopening_goes_on_at_the_next_number_after_each_kind_of_end() {
        let sim = SimDisk::new();
        let open = || GroupCommit::open(Arc::new(sim.clone()), Path::new("/log"), quiet());
        let mut expected = 1;
        for round in 0..4 {
            let log = open().expect("the log is clean");
            assert_eq!(log.next_lsn(), Lsn(expected), "round {round}");
            log.append(&b"alpha"[..]).expect("the disk is well");
            expected += 1;
            match round {
                0 => assert_eq!(log.close().expect("it closes"), Lsn(1)),
                1 => drop(log.rotate().expect("it rotates")),
                2 => {
                    log.rotate().expect("it rotates");
                    assert_eq!(log.rotate().expect("there is nothing to seal").sealed, None);
                }
                _ => {}
            }
        }
        assert_eq!(open().expect("the log is clean").next_lsn(), Lsn(expected));
        let _held = open().expect("the log is clean");
        assert!(matches!(open(), Err(Error::Locked { .. })));
    }

    #[test]
    fn a_replica_keeps_the_numbers_it_is_given() {
        let (sim, log) = sim(quiet());
        let pin = |lsn| Draft { lsn: Some(Lsn(lsn)), kind: Kind::TxnBegin, tag: 9, ..Draft::of(b"x") };
        assert_eq!(log.append(pin(500)).expect("nothing can be missing").lsn, Lsn(500));
        assert!(matches!(log.append(pin(502)), Err(Error::Input { .. })));
        assert_eq!(log.append(pin(501)).expect("it is due").lsn, Lsn(501));
        log.close().expect("it closes");
        drop(log);
        let names: Vec<String> = sim.list(Path::new("/log")).expect("it lists").into_iter().map(|e| e.name).collect();
        assert_eq!(names, ["00000000000000000500.wal", "LOCK"]);
        let log = GroupCommit::open(Arc::new(sim), Path::new("/log"), quiet()).expect("the log is clean");
        assert_eq!(log.append(&b"y"[..]).expect("the disk is well").lsn, Lsn(502));
    }

    #[test]
    fn segments_are_sealed_where_the_limits_say_and_cut_to_their_length() {
        let (sim, log) = sim(Options { segment_records: Some(10), ..Options::default() });
        for _ in 0..25 {
            log.append(&b"alpha"[..]).expect("the disk is well");
        }
        log.close().expect("it closes");
        let names: Vec<(String, u64)> =
            sim.list(Path::new("/log")).expect("it lists").into_iter().map(|e| (e.name, e.length)).collect();
        let starts: Vec<&str> = names.iter().map(|n| n.0.as_str()).collect();
        assert_eq!(starts, ["00000000000000000001.wal", "00000000000000000011.wal", "00000000000000000021.wal", "LOCK"]);
        assert!(names.iter().all(|(_, length)| *length < 10_000), "{names:?}");
    }

    #[test]
    fn a_segment_that_gets_old_while_nobody_appends_is_sealed_and_an_empty_one_never_is() {
        let names = |sim: &SimDisk| -> Vec<String> {
            sim.list(Path::new("/log")).expect("it lists").into_iter().map(|e| e.name).filter(|name| name != "LOCK").collect()
        };
        let (sim, log) = sim(Options { segment_age: Some(Duration::from_millis(1)), ..quiet() });
        let begun = Instant::now();
        for round in 1..=3 {
            log.append(&b"alpha"[..]).expect("the disk is well");
            while log.counts().rotations < round {
                assert!(begun.elapsed() < Duration::from_secs(60), "it never gets old");
                thread::yield_now();
            }
        }
        // However long nothing comes, there is nothing to seal.
        let looked = log.shared.log.lock().expect(UNBROKEN).rotate_if_old().expect("the disk is well");
        assert_eq!((looked, log.counts().rotations), (Duration::from_millis(1), 3));
        assert_eq!(names(&sim), [1, 2, 3, 4].map(|lsn| crate::native::segment_name(Lsn(lsn))));
        log.close().expect("it closes");
    }

    #[test]
    fn a_segment_that_is_not_old_stays_and_nobody_waits_for_its_time() {
        let options = Options { segment_age: Some(Duration::from_secs(3600)), ..quiet() };
        let (sim, log) = sim(options.clone());
        log.append(&b"alpha"[..]).expect("the disk is well");
        let left = log.shared.log.lock().expect(UNBROKEN).rotate_if_old().expect("the disk is well");
        assert!(left > Duration::from_secs(3500) && left < Duration::from_secs(3600), "{left:?}");
        log.close().expect("it closes at once");
        drop(log);
        let log = GroupCommit::open(Arc::new(sim), Path::new("/log"), options).expect("the log is clean");
        let left = log.shared.log.lock().expect(UNBROKEN).rotate_if_old().expect("the disk is well");
        assert!(left > Duration::from_secs(3500) && left < Duration::from_secs(3600), "its age is forgotten: {left:?}");
    }

    #[test]
    fn an_old_segment_that_cannot_be_sealed_ends_the_writer() {
        let (sim, log) = sim(Options { segment_age: Some(Duration::from_secs(3600)), ..quiet() });
        log.append(&b"alpha"[..]).expect("the disk is well");
        let mut inner = log.shared.log.lock().expect(UNBROKEN);
        inner.grow_old();
        sim.fail_at(sim.operations() + 1, Fault::Errno(libc::EIO));
        assert!(matches!(inner.rotate_if_old(), Err(Error::Poisoned { durable: Lsn(1), .. })));
        drop(inner);
        assert!(matches!(log.append(&b"beta"[..]), Err(Error::Poisoned { durable: Lsn(1), .. })));
    }

    #[test]
    fn groups_go_past_the_cache_where_room_is_ready_and_only_there() {
        for (buffered, preallocate, sync) in [
            (false, crate::writer::Preallocate::Zero, "fdatasync"),
            (false, crate::writer::Preallocate::Zero, "dsync"),
            (true, crate::writer::Preallocate::Zero, "fdatasync"),
            (false, crate::writer::Preallocate::None, "fdatasync"),
            // Who does not wait for the disk is faster through the cache.
            (false, crate::writer::Preallocate::Zero, "none"),
        ] {
            let options = Options {
                buffered,
                preallocate,
                sync: sync.parse().expect("a mode"),
                background: false,
                segment_bytes: 200_000,
                ..Options::default()
            };
            let (sim, log) = sim(options.clone());
            for n in 0..300usize {
                log.append(&vec![1; n * 7][..]).expect("the disk is well");
            }
            let counts = log.counts();
            let expected =
                if !buffered && preallocate == crate::writer::Preallocate::Zero && sync != "none" { 290..300 } else { 0..1 };
            assert!(expected.contains(&counts.past_cache), "{} of 300: {buffered} {preallocate} {sync}", counts.past_cache);
            assert!(counts.rotations >= 1);
            drop(log);
            let again = GroupCommit::open(Arc::new(sim.clone()), Path::new("/log"), options).expect("it opens again");
            assert_eq!(again.append(&b"x"[..]).expect("the disk is well").lsn, Lsn(301));
        }
    }

    #[test]
    fn a_direct_write_that_falls_short_is_finished_through_the_cache() {
        let options = Options { background: false, ..Options::default() };
        for behind in 1..12 {
            let (sim, log) = sim(options.clone());
            log.append(&[1; 5000][..]).expect("the disk is well");
            sim.fail_at(sim.operations() + behind, Fault::Short(40));
            for _ in 0..10 {
                log.append(&[2; 5000][..]).expect("it goes another way");
            }
            drop(log);
            let again = GroupCommit::open(Arc::new(sim), Path::new("/log"), options.clone()).expect("it opens again");
            assert_eq!(again.next_lsn(), Lsn(12), "short write at operation {behind}");
        }
    }

    #[test]
    fn direct_writes_and_real_files_go_together_in_each_mode() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        for (index, sync) in ["fdatasync", "fsync", "dsync", "none", "interval=1ms"].into_iter().enumerate() {
            for direct in [false, true] {
                let path = dir.path().join(format!("{index}-{direct}"));
                let options = Options { sync: sync.parse().expect("a mode"), direct, ..Options::default() };
                for round in 0..3u64 {
                    let log = GroupCommit::open(Arc::new(RealDisk), &path, options.clone()).expect("the log is clean");
                    assert_eq!(log.next_lsn(), Lsn(round * 43 + 1), "{sync} {direct}");
                    for n in 0..40usize {
                        log.append(&vec![1; n * 131][..]).expect("the disk is well");
                    }
                    let ack = log.append(&vec![2; 3 << 20][..]).expect("the disk is well");
                    assert_eq!(ack.last_lsn, ack.lsn.plus(2), "three fragments take three numbers");
                    if round == 1 {
                        log.close().expect("it closes");
                    }
                }
            }
        }
    }
}
