//! Who writes: a caller that finds no leader takes the oldest group, writes it with one call, syncs once and wakes the rest.
//!
//! Meanwhile the next group fills. A leader that just served several callers waits briefly for them to return. Otherwise they would split
//! into two groups that alternate.

use std::path::PathBuf;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use super::completion::Failed;
use super::log::OpenLog;
use super::primitives::{
    Arc, AtomicBool, AtomicUsize, Condvar, Futex, JoinHandle, Mutex, MutexGuard, Ordering, lock, panicking, wait, wait_for,
    wake_task, yield_now,
};
use super::queue::{Queue, Queued};
use super::ticket::Ticket;
use crate::disk::DIRECT_BLOCK;
use crate::model::Result;
use crate::writer::counters::Counters;
use crate::writer::frames::Prepared;
use crate::writer::options::Settings;
use crate::writer::outcome::{Ack, Failure, GroupPart, Outcome, Written};
use crate::writer::patience::{Patience, nap, new_pace};
use crate::writer::pins::Pins;
use crate::writer::retention::Retention;
use crate::writer::sync::Window;

/// What all handles of one writer and its threads share.
///
/// # Lock order
///
/// `threads`, then `log`, then `queue`. A leader holds `log` while it writes and syncs, and never `queue` at the same time; so appending
/// needs only `queue`, which is held for moments. No lock is held while a thread sleeps on a completion, nor while a task is woken: what its
/// executor does then may be anything, even dropping the last handle. A completion's lock of its wakers is taken under none of them.
///
/// # Wakes
///
/// A thread sleeps on one of five words, a task leaves its waker. Each event below changes what the sleeper looks at *before* it wakes it, and under `queue`
/// wherever the sleeper looks under `queue`, so that a wake cannot fall between a look and a sleep.
///
/// | event | word | who looks again, and at what |
/// |---|---|---|
/// | a group is over | its completion, all sleepers | its callers, `sync`, `rotate`, `close`: at the outcome |
/// | the leader is done, the next group has callers | that group's completion, one sleeper | that caller: no thread leads, so it does |
/// | the leader is done, the next group has only tickets | `committer_word` | the committer: no thread leads, so it does |
/// | a ticket is handed over while no thread leads | `committer_word` | the committer: the same |
/// | the leader is done and callers wait for room | `room`, all | they: at the bytes that are queued, and at who leads |
/// | a group is over that tasks await | the wakers of its completion | they: at the outcome, which was set before the wakers were taken |
/// | the leader is done and tasks wait for room | the wakers in `queue` | they: at the bytes that are queued |
/// | a record completes a group, or the last thread that could come has come | `company` | the leader in its window: at the same |
/// | a handle is dropped | `company` | the leader in its window: whether another thread can come |
/// | a task finds no room | `company`, `committer_word` | the leader in its window, or the committer if no thread leads: there is something to write |
/// | `sync`, `rotate`, `close`, or a caller without room | `company` | the leader in its window: whether its group is wanted at once |
/// | the log failed, or a leader panicked | all completions, `room`, `company`, all wakers | all of them: at the failure |
/// | the log is closed | `room`, the wakers in `queue` | callers and tasks without room: at `closed` |
/// | a segment was sealed, a checkpoint written, a pin moved | `let_go` | the thread that lets segments go: at what is due |
/// | the writer stops | `committer_word`, `time`, `let_go` | the threads: at `stop` |
#[derive(Debug)]
pub(super) struct Shared {
    pub dir: PathBuf,
    pub options: Settings,
    pub log_id: [u8; 16],
    /// What opening the log had to say.
    notes: Vec<String>,
    pub counters: Arc<Counters>,
    pub queue: Mutex<Queue>,
    pub log: Mutex<OpenLog>,
    /// [`Queue::callers`], for a leader to watch without the lock.
    pub callers: AtomicUsize,
    /// Handles that can append: when all of them wait, no other record can come.
    pub handles: AtomicUsize,
    /// There is room in the queue again.
    room: Condvar,
    /// A leader that waits for company need not wait longer.
    pub company: Condvar,
    /// A thread that waits for its time need not wait longer.
    pub time: Condvar,
    /// What the committer sleeps on.
    pub committer_word: Futex,
    /// A thread that lets segments go need not wait longer.
    pub let_go: Condvar,
    pub pins: Option<Arc<Pins>>,
    pub retention: Option<Arc<Retention>>,
    pub threads: Mutex<Threads>,
    pub committer: AtomicBool,
    pub stop: AtomicBool,
    /// What a write and a sync take, in nanoseconds, on the average of late.
    pub pace: AtomicU64,
}

/// The threads of one writer.
#[derive(Debug, Default)]
pub(super) struct Threads {
    pub committer: Option<JoinHandle<()>>,
    pub syncer: Option<JoinHandle<()>>,
    pub sealer: Option<JoinHandle<()>>,
    pub retainer: Option<JoinHandle<()>>,
}

/// The right to lead, which one thread has at a time. Dropped before it was given up, because the leader panicked, it ends the writer.
struct Turn<'a> {
    shared: &'a Shared,
    given_up: bool,
}

impl<'a> Turn<'a> {
    /// No thread leads: the caller does from now on.
    fn take(shared: &'a Shared, queue: &mut Queue) -> Turn<'a> {
        debug_assert!(!queue.busy, "one thread leads at a time");
        queue.busy = true;
        Turn { shared, given_up: false }
    }

    fn give_up(mut self, queue: &mut Queue) {
        queue.busy = false;
        self.given_up = true;
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if self.given_up {
            return;
        }
        let failure = lock(&self.shared.log).abandon("a thread panicked while it wrote");
        let mut queue = self.shared.queue();
        queue.busy = false;
        let orphan = queue.orphan();
        self.shared.poison(queue, &failure);
        if let Some(orphan) = orphan {
            orphan.finish(Err(failure), &self.shared.dir);
        }
    }
}

/// The log, held by a thread that does not lead. However it is let go, what ended the log ends the queue too.
pub(super) struct Held<'a> {
    shared: &'a Shared,
    log: MutexGuard<'a, OpenLog>,
    /// No panic was under way when it was taken.
    calm: bool,
}

impl std::ops::Deref for Held<'_> {
    type Target = OpenLog;
    fn deref(&self) -> &OpenLog {
        &self.log
    }
}

impl std::ops::DerefMut for Held<'_> {
    fn deref_mut(&mut self) -> &mut OpenLog {
        &mut self.log
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        if self.calm && panicking() {
            self.abandon("a thread panicked while it had the log");
        }
        if let Some(failure) = self.poison() {
            let queue = self.shared.queue();
            if queue.poison.is_none() {
                self.shared.poison(queue, failure);
            }
        }
    }
}

impl Shared {
    pub fn new(log: OpenLog, dir: PathBuf, options: Settings) -> Shared {
        let block = if options.direct { DIRECT_BLOCK } else { 1 };
        Shared {
            dir,
            log_id: log.log_id(),
            notes: log.notes().to_vec(),
            queue: Mutex::new(Queue::new(log.next(), log.is_blank(), log.place(), block)),
            counters: log.counters().clone(),
            pins: log.pins().cloned(),
            retention: log.retention().cloned(),
            let_go: Condvar::new(),
            log: Mutex::new(log),
            callers: AtomicUsize::new(0),
            handles: AtomicUsize::new(1),
            room: Condvar::new(),
            company: Condvar::new(),
            time: Condvar::new(),
            committer_word: Futex::default(),
            threads: Mutex::new(Threads::default()),
            committer: AtomicBool::new(false),
            stop: AtomicBool::new(false),
            pace: AtomicU64::new(130_000),
            options,
        }
    }

    pub fn queue(&self) -> MutexGuard<'_, Queue> {
        lock(&self.queue)
    }

    /// The log, for a thread that does not lead.
    pub fn hold(&self) -> Held<'_> {
        Held { shared: self, log: lock(&self.log), calm: !panicking() }
    }

    /// Lets `rotate` exchange the active segment, and counts on with the one that is there then.
    pub fn rotate_with<T>(&self, rotate: impl FnOnce(&mut OpenLog) -> Result<T>) -> Result<T> {
        let mut log = self.hold();
        let before = log.place();
        let result = rotate(&mut log);
        if log.place() != before {
            self.queue().segment_is(log.place());
        }
        drop(log);
        self.retire_if_due();
        result
    }

    /// Why nothing is accepted any more, if that is so.
    pub fn check(&self, queue: &Queue) -> Result<()> {
        match &queue.poison {
            Some(failure) => Err(failure.error(&self.dir)),
            None if queue.closed => Err(Failure::Closed.error(&self.dir)),
            None => Ok(()),
        }
    }

    /// Puts records into the queue when there is room, and keeps the queue locked.
    pub fn push(&self, records: &[Prepared<'_>], caller: bool, each: impl FnMut(Ticket)) -> Result<MutexGuard<'_, Queue>> {
        let came = Instant::now();
        let bytes: usize = records.iter().map(Prepared::bytes).sum();
        let mut queue = self.queue();
        loop {
            self.check(&queue)?;
            if self.has_room(&queue, bytes) {
                break;
            }
            queue = self.make_room(queue);
        }
        queue.push(records, caller, came, &self.options, each)?;
        self.tell_leader(&queue);
        Ok(queue)
    }

    /// What is larger than all the room there is goes alone.
    pub fn has_room(&self, queue: &Queue, bytes: usize) -> bool {
        queue.bytes == 0 || queue.bytes + bytes <= self.options.queue_bytes
    }

    /// A leader in its window may have been waiting for what was just pushed.
    #[inline]
    pub fn tell_leader(&self, queue: &Queue) {
        self.callers.store(queue.company(), Ordering::Relaxed);
        if queue.gathering && (queue.has_full_group() || self.nobody_else(queue)) {
            self.company.notify_one();
        }
    }

    /// If no thread writes, this one must, or there is never room. Otherwise waits for the leader. Whoever leads does not wait for
    /// company meanwhile.
    fn make_room<'a>(&'a self, mut queue: MutexGuard<'a, Queue>) -> MutexGuard<'a, Queue> {
        queue.waiting += 1;
        let mut queue = if !queue.busy && !queue.is_empty() {
            self.lead(queue);
            self.queue()
        } else {
            self.company.notify_one();
            wait(&self.room, queue)
        };
        queue.waiting -= 1;
        queue
    }

    /// Returns when the ticket's group is over; leads if no thread does.
    pub fn settle<'a>(&'a self, mut queue: MutexGuard<'a, Queue>, ticket: &Ticket) -> Result<Ack> {
        let completion = &ticket.completion;
        let mut slept = false;
        loop {
            if let Some(outcome) = completion.outcome() {
                drop(queue);
                return self.answer(ticket, outcome, slept);
            }
            // With nothing queued this group is written, and its leader is about to say so.
            if queue.busy || queue.is_empty() {
                let seen = completion.seen();
                drop(queue);
                completion.sleep(seen);
                slept = true;
            } else {
                self.lead(queue);
            }
            if let Some(outcome) = completion.outcome() {
                return self.answer(ticket, outcome, slept);
            }
            queue = self.queue();
        }
    }

    fn answer(&self, ticket: &Ticket, outcome: &Result<Written, Failed>, slept: bool) -> Result<Ack> {
        let mut ack = ticket.redeem(outcome)?;
        ack.times.woken = slept.then(Instant::now);
        Ok(ack)
    }

    /// Writes the oldest group, if there is one. No other thread leads.
    pub fn lead(&self, mut queue: MutexGuard<'_, Queue>) {
        let led = Instant::now();
        let turn = Turn::take(self, &mut queue);
        // Dropped before `turn` when this panics: `turn` locks the queue.
        let mut queue = self.gather(queue, led);
        let Some(mut group) = queue.take() else { return turn.give_up(&mut queue) };
        self.callers.store(queue.company(), Ordering::Relaxed);
        drop(queue);
        let (gathered, bytes) = (Instant::now(), group.frames.bytes.len());
        let outcome = {
            let outcome = lock(&self.log).write(&mut group.frames, led, gathered);
            if self.options.end_at_failure { outcome.map_err(|failure| self.at_the_end(failure)) } else { outcome }
        };
        if let Ok(written) = &outcome {
            self.keep_pace(written.synced - gathered);
        }
        self.hand_over(turn, group, bytes, outcome);
        self.retire_if_due();
    }

    /// The group that was led is over: the next leader is woken first, since it is on its way to the disk while the others wake.
    fn hand_over(&self, turn: Turn<'_>, group: Queued, bytes: usize, outcome: Outcome) {
        let completion = group.completion.clone();
        let mut queue = self.queue();
        turn.give_up(&mut queue);
        queue.over(group, bytes, outcome.is_err());
        if let Err(failure @ Failure::Poisoned { .. }) = &outcome {
            self.poison(queue, failure);
            completion.finish(outcome, &self.dir);
            return;
        }
        let (room, tasks) = (queue.waiting > 0, queue.room.take());
        let next = queue.oldest().map(|next| (next.completion.clone(), next.callers));
        let commit = next.as_ref().is_some_and(|next| next.1 == 0) && std::mem::take(&mut queue.committer_idle);
        drop(queue);
        match next {
            Some((next, callers)) if callers > 0 => next.nudge(),
            _ if commit => self.wake_committer(),
            _ => {}
        }
        completion.finish(outcome, &self.dir);
        tasks.into_iter().flatten().for_each(wake_task);
        if room {
            self.room.notify_all();
        }
    }

    /// A failure of one group, where it is to be the end of all. The log itself is as it was, and can be closed.
    fn at_the_end(&self, failure: Failure) -> Failure {
        match failure {
            Failure::System { .. } => {
                Failure::Poisoned { durable: self.counters.durable(), cause: failure.error(&self.dir).to_string() }
            }
            other => other,
        }
    }

    /// Waits for company, if that is likely to pay.
    fn gather<'a>(&'a self, queue: MutexGuard<'a, Queue>, led: Instant) -> MutexGuard<'a, Queue> {
        if self.is_wanted(&queue) {
            return queue;
        }
        match self.options.window {
            Window::Auto => self.gather_crowd(queue, led),
            Window::Fixed(length) if length.is_zero() => queue,
            Window::Fixed(length) => self.gather_until(queue, led, length),
        }
    }

    /// The next group is to be written without waiting for company.
    fn is_wanted(&self, queue: &Queue) -> bool {
        queue.is_empty()
            || queue.has_full_group()
            || queue.is_hurried()
            || queue.waiting > 0
            || !queue.room.is_empty()
            || queue.closed
    }

    /// Until the callers that were served last are back, as far as that is worth the time.
    fn gather_crowd<'a>(&'a self, queue: MutexGuard<'a, Queue>, led: Instant) -> MutexGuard<'a, Queue> {
        let had = queue.company();
        if had >= queue.crowd {
            return queue;
        }
        let mut patience = Patience::new(queue.crowd, had, led, self.pace.load(Ordering::Relaxed));
        drop(queue);
        while !patience.ends(self.callers.load(Ordering::Relaxed), Instant::now()) {
            // Those who were just woken need the processor.
            yield_now();
        }
        self.queue()
    }

    /// Until the window of the group's first record ends, the group is full, or no other record can come.
    fn gather_until<'a>(&'a self, mut queue: MutexGuard<'a, Queue>, led: Instant, length: Duration) -> MutexGuard<'a, Queue> {
        let end = queue.oldest().and_then(|group| group.opened).unwrap_or(led) + length;
        queue.gathering = true;
        loop {
            let now = Instant::now();
            if now >= end || self.is_wanted(&queue) || self.nobody_else(&queue) {
                queue.gathering = false;
                return queue;
            }
            if let Some(nap) = nap(end - now) {
                queue = wait_for(&self.company, queue, nap);
            } else {
                drop(queue);
                yield_now();
                queue = self.queue();
            }
        }
    }

    /// Everybody who could append waits in this queue already.
    fn nobody_else(&self, queue: &Queue) -> bool {
        queue.callers >= self.handles.load(Ordering::Relaxed)
    }

    fn keep_pace(&self, took: Duration) {
        self.pace.store(new_pace(self.pace.load(Ordering::Relaxed), took), Ordering::Relaxed);
    }

    /// Lets everything fail that waits, and everything that comes.
    fn poison(&self, mut queue: MutexGuard<'_, Queue>, failure: &Failure) {
        queue.poison = Some(failure.clone());
        let (groups, tasks) = (queue.drain(), queue.room.take());
        self.callers.store(0, Ordering::Relaxed);
        drop(queue);
        for group in groups {
            group.finish(Err(failure.clone()), &self.dir);
        }
        tasks.into_iter().flatten().for_each(wake_task);
        self.room.notify_all();
        self.company.notify_all();
    }

    /// Refuses all that comes after, once.
    pub fn refuse_more(&self) -> Result<()> {
        let mut queue = self.queue();
        if queue.closed {
            return Err(Failure::Closed.error(&self.dir));
        }
        queue.closed = true;
        let tasks = queue.room.take();
        drop(queue);
        tasks.into_iter().flatten().for_each(wake_task);
        self.room.notify_all();
        Ok(())
    }

    /// Returns when everything is written that was handed over so far.
    pub fn flush(&self) -> Result<()> {
        let mut queue = self.queue();
        if let Some(failure) = &queue.poison {
            return Err(failure.error(&self.dir));
        }
        let Some(completion) = queue.hurry_newest() else { return Ok(()) };
        self.company.notify_one();
        let ticket = Ticket::new(completion, GroupPart { index: 0, frames: 1, offset: 0 }, Instant::now());
        self.settle(queue, &ticket).map(|_| ())
    }

    /// What turned out otherwise than asked for, in words.
    pub fn notes(&self) -> Vec<String> {
        let refused = self.counters.direct_refused();
        let direct = refused.then(|| format!("{} takes no direct writes: they are buffered", self.dir.display()));
        self.notes.iter().cloned().chain(direct).collect()
    }

    /// A handle is gone: the leader may be waiting for no other.
    pub fn one_less(&self) {
        // Under the lock: a leader that looked before and sleeps after must not miss it.
        let queue = self.queue();
        if queue.gathering {
            self.company.notify_one();
        }
    }
}
