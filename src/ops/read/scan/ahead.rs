//! Finished segments walked ahead of a scan by other threads, which make something of the records there and then: lines of text, or copies
//! of the few that match. The scan takes what was made in the order of the log.
//!
//! Only what is ordinary is done ahead. A thread that meets anything else (damage, a failure, a record that it cannot take, ciphertext
//! that should be searched) gives its segment up, and the scan walks it itself, past the records that were delivered by then. So threads
//! change how long a scan takes, and never what it finds.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::delivery::ScanReader;
use super::{Event, Scan, ScanStart, Shown, Stopped};
use crate::disk::{EntryKind, Segment, Source};
use crate::formats::{Halt, Item, Summary};
use crate::model::{Error, Lsn, Result};
use crate::ops::read::select::Ascent;
use crate::ops::read::{HeldRecords, Position, Selection};
use crate::ops::walk;

/// So many segments for each thread may be begun before the turn of the first of them has come.
const AHEAD: usize = 4;
/// So many lots of the segment whose turn it is may wait to be taken, whatever else is held.
const STREAM: usize = 4;
/// The first lot of a segment is so many times smaller than those that follow: a reader does not wait long for the first records.
const FIRST: usize = 16;

/// Threads that read ahead, and what they may hold.
pub struct WalkAhead<'h> {
    /// How many threads.
    pub jobs: usize,
    /// About how many bytes may be made of segments whose turn has not come. Threads that have made so much wait.
    pub most_bytes: usize,
    /// How many bytes are handed over at once.
    pub lot_bytes: usize,
    /// What each thread works with.
    pub helper: &'h (dyn Fn() -> Helper + Sync),
}

/// What one thread works with.
pub struct Helper {
    /// The conditions of the scan.
    pub selection: Selection,
    /// What becomes of records that meet them.
    pub make: Box<Maker>,
}

/// Puts into a lot what becomes of a record. False where that can only be done in its turn: the scan then delivers the record itself.
pub type Maker = dyn FnMut(&mut Lot, &Shown<'_>) -> Result<bool>;

/// What was made of records that follow each other in one segment.
#[derive(Debug, Default)]
pub struct Lot {
    /// Text.
    pub text: Vec<u8>,
    /// Records that were kept.
    pub records: HeldRecords,
    /// How many records met all conditions.
    pub matched: u64,
    /// What else the maker counts.
    pub counted: u64,
}

impl Lot {
    fn bytes(&self) -> usize {
        self.text.len() + self.records.bytes()
    }
}

/// What a scan finds when the turn of a segment has come.
pub(super) enum WalkedAhead {
    /// It was walked, and all of it was delivered; `None` when the receiver had enough.
    Made(Option<Box<Summary>>),
    /// It must be walked. So many of its records were delivered already.
    Walk(u64),
}

/// A segment that is being walked ahead.
struct Task {
    index: usize,
    ticket: u64,
    after_damage: bool,
}

/// What came of it so far, and was not taken yet.
struct Coming {
    ticket: u64,
    after_damage: bool,
    steps: VecDeque<AheadStep>,
    bytes: usize,
    /// How many bytes were made of it in all.
    made: usize,
    /// How many will be, about; 0 when it is done.
    expected: usize,
}

enum AheadStep {
    Piece(Box<WalkedPiece>),
    Done(Box<Summary>),
    GivenUp,
}

/// A lot, and what the scan must know beside it.
struct WalkedPiece {
    lot: Lot,
    /// The LSN of the first record of the segment.
    first: Option<Lsn>,
    /// How many records of the segment the walk had come by.
    records: u64,
    position: Option<Position>,
    reached: u64,
}

/// Where threads find what to walk, and put what they made.
pub(super) struct AheadTasks<'h> {
    ahead: &'h WalkAhead<'h>,
    source: Source,
    state: Mutex<AheadState>,
    changed: Condvar,
    /// The segment that the scan has come to. Changes under the lock, so that whoever waits for it is woken.
    turn: AtomicUsize,
    /// Nothing more is wanted. The same.
    over: AtomicBool,
    /// Room that was used and can be again.
    used: Mutex<Vec<Lot>>,
}

struct AheadState {
    /// Where to look for the segment that is begun next.
    next: usize,
    coming: BTreeMap<usize, Coming>,
    bytes: usize,
    ticket: u64,
    /// What threads take for granted when they begin a segment: whether a bad region stands before it. The scan alone knows.
    after_damage: bool,
    /// How many bytes were made of the segment that was done last, and of how many.
    yielded: (usize, u64),
    panicked: bool,
}

impl AheadState {
    /// How many bytes will be made of a segment of this length, if there is room for them beside what is expected of those that were begun.
    /// Two may always be begun: a thread whose segment comes next can wait for its turn.
    fn expected(&self, length: u64, most_bytes: usize) -> Option<usize> {
        let (made, read) = self.yielded;
        let expected = (u128::from(length) * made as u128 / u128::from(read.max(1))) as usize;
        let held: usize = self.coming.values().map(|coming| coming.expected.max(coming.bytes)).sum();
        (self.coming.len() < 2 || held + expected <= most_bytes).then_some(expected)
    }

    /// Forgets what was made of this segment and of all after it: they are begun again, with another assumption.
    fn begin_again(&mut self, index: usize, after_damage: bool) {
        let dropped = self.coming.split_off(&index);
        self.bytes -= dropped.values().map(|coming| coming.bytes).sum::<usize>();
        (self.next, self.after_damage) = (index, after_damage);
    }
}

/// Ends the threads when the scan ends, whatever ends it.
struct EndsThreads<'b, 'h>(&'b AheadTasks<'h>);

impl Drop for EndsThreads<'_, '_> {
    fn drop(&mut self) {
        self.0.end();
    }
}

/// Says so where a thread panics: the scan must not wait for it.
struct Panics<'b, 'h>(&'b AheadTasks<'h>);

impl Drop for Panics<'_, '_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.lock().panicked = true;
            self.0.end();
        }
    }
}

/// Whether a segment can be walked ahead: it is a file, and nothing is written to it any more.
fn is_finished(segment: &Segment) -> bool {
    segment.followed && segment.kind == EntryKind::File
}

impl<'h> AheadTasks<'h> {
    /// For a scan of these segments; `None` where nothing would be won, or where what is read depends on the order in which it is read.
    pub(super) fn of(ahead: &'h WalkAhead<'h>, scan: &Scan<'_>, source: &Source) -> Option<AheadTasks<'h>> {
        let finished = || source.segments.iter().filter(|segment| is_finished(segment));
        // Of a segment that makes more than may be held, its threads would wait most of the time.
        let fits = finished().count() > 1 && finished().all(|segment| segment.length <= ahead.most_bytes as u64);
        // Other systems may begin a segment before the one before it is complete.
        let settled = scan.format.ours.is_some() || !scan.live;
        let here = !source.alone && source.disk.remote().is_none();
        if ahead.jobs < 2 || !fits || !settled || !here {
            return None;
        }
        Some(AheadTasks {
            ahead,
            source: source.clone(),
            state: Mutex::new(AheadState {
                next: 0,
                coming: BTreeMap::new(),
                bytes: 0,
                ticket: 0,
                after_damage: false,
                yielded: (1, 1),
                panicked: false,
            }),
            changed: Condvar::new(),
            turn: AtomicUsize::new(0),
            over: AtomicBool::new(false),
            used: Mutex::default(),
        })
    }

    /// Does `work` while threads read ahead for it.
    pub(super) fn beside<T>(&self, scan: &Scan<'_>, work: impl FnOnce() -> T) -> T {
        let Scan { format, keys, payloads, frames, neighbours, growing, live, .. } = *scan;
        let thread = move || {
            let _panics = Panics(self);
            let Helper { selection, mut make } = (self.ahead.helper)();
            let source = &self.source;
            let scan = Scan { source, format, keys, selection: &selection, payloads, frames, neighbours, growing, live };
            while let Some(task) = self.claim() {
                let ended =
                    self.walk(&scan, &task, &mut *make).map_or(AheadStep::GivenUp, |summary| AheadStep::Done(Box::new(summary)));
                self.put(&task, ended);
            }
        };
        std::thread::scope(|scope| {
            let _ends = EndsThreads(self);
            let count = self.ahead.jobs.min(self.source.segments.len());
            let threads = (0..count).map_while(|_| std::thread::Builder::new().spawn_scoped(scope, thread).ok()).count();
            if threads == 0 {
                self.end();
            }
            work()
        })
    }

    /// Nothing more is to be read ahead.
    pub(super) fn end(&self) {
        let state = self.lock();
        self.over.store(true, Ordering::Relaxed);
        drop(state);
        self.changed.notify_all();
    }

    fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    fn turn(&self) -> usize {
        self.turn.load(Ordering::Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, AheadState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'s>(&self, state: MutexGuard<'s, AheadState>) -> MutexGuard<'s, AheadState> {
        self.changed.wait(state).unwrap_or_else(PoisonError::into_inner)
    }

    /// The next segment for a thread; `None` when the scan is over. Until then there may be one that is begun again.
    fn claim(&self) -> Option<Task> {
        let mut state = self.lock();
        while !self.is_over() {
            let near = self.turn() + AHEAD * self.ahead.jobs;
            let next =
                (state.next..self.source.segments.len().min(near)).find(|index| is_finished(&self.source.segments[*index]));
            let length = |index: usize| self.source.segments[index].length;
            if let Some(index) = next
                && let Some(expected) = state.expected(length(index), self.ahead.most_bytes)
            {
                state.next = index + 1;
                state.ticket += 1;
                let (ticket, after_damage) = (state.ticket, state.after_damage);
                state.coming.insert(index, Coming { ticket, after_damage, steps: VecDeque::new(), bytes: 0, made: 0, expected });
                return Some(Task { index, ticket, after_damage });
            }
            state = self.wait(state);
        }
        None
    }

    /// Walks a segment as the scan would. `None` when it is given up.
    fn walk(&self, scan: &Scan<'_>, task: &Task, make: &mut Maker) -> Option<Summary> {
        let segment = &self.source.segments[task.index];
        let Selection { unsearched, unnumbered, .. } = scan.selection;
        unsearched.set(None);
        unnumbered.set(false);
        let lot = RefCell::new(self.room());
        let mut take = |event: Event<'_>| {
            let Event::Record(shown) = event else { return Ok(()) };
            let lot = &mut *lot.borrow_mut();
            lot.matched += u64::from(shown.matched);
            if make(lot, shown)? { Ok(()) } else { Err(Halt::Enough) }
        };
        let begin = ScanStart { after_damage: task.after_damage, ..ScanStart::default() };
        let mut reader = ScanReader::new(scan, &begin, Ascent::default(), &mut take);
        reader.enter(None);
        let (mut first, mut records, mut reached) = (None, 0, 0);
        let mut most = self.ahead.lot_bytes / FIRST;
        let walked = walk::one(scan.log(), segment, scan.want(None, false), &mut |item| {
            let mut waited_for = false;
            match &item {
                Item::Hurt(_) => return Err(Halt::Enough),
                Item::Record(record) => {
                    first = if records == 0 { record.lsn } else { first };
                    records += 1;
                }
                Item::Reached(offset) => {
                    reached = *offset;
                    waited_for = self.turn() == task.index;
                }
                Item::Mark(_) => {}
            }
            reader.item(segment, item)?;
            if self.is_over() || unsearched.get().is_some() || unnumbered.get() {
                return Err(Halt::Enough);
            }
            let bytes = lot.borrow().bytes();
            if waited_for || bytes > 0 && bytes >= most {
                most = (2 * most).min(self.ahead.lot_bytes);
                let lot = lot.replace(self.room());
                let piece = WalkedPiece { lot, first, records, position: reader.position.clone(), reached };
                if !self.put(task, AheadStep::Piece(Box::new(piece))) {
                    return Err(Halt::Enough);
                }
            }
            Ok(())
        });
        let position = reader.position.take();
        // Pages that the disk gave as zeros are damage that only the summary tells.
        let summary = walked.ok().flatten().filter(|summary| summary.damage.is_empty())?;
        let piece = WalkedPiece { lot: lot.into_inner(), first, records, position, reached };
        self.put(task, AheadStep::Piece(Box::new(piece))).then_some(summary)
    }

    /// Hands over what came of a segment, and waits where there is no room for it. False when it is not wanted any more.
    fn put(&self, task: &Task, step: AheadStep) -> bool {
        let bytes = match &step {
            AheadStep::Piece(piece) => piece.lot.bytes(),
            AheadStep::Done(_) | AheadStep::GivenUp => 0,
        };
        let mut guard = self.lock();
        loop {
            let state = &mut *guard;
            let coming = state.coming.get_mut(&task.index).filter(|coming| coming.ticket == task.ticket);
            let Some(coming) = coming.filter(|_| !self.is_over()) else { return false };
            let streams = self.turn() == task.index && coming.steps.len() < STREAM;
            if bytes == 0 || streams || state.bytes + bytes <= self.ahead.most_bytes {
                coming.bytes += bytes;
                coming.made += bytes;
                state.bytes += bytes;
                if let AheadStep::Done(summary) = &step {
                    state.yielded = (coming.made, summary.length);
                }
                if !matches!(step, AheadStep::Piece(_)) {
                    coming.expected = 0;
                }
                coming.steps.push_back(step);
                break;
            }
            guard = self.wait(guard);
        }
        drop(guard);
        self.changed.notify_all();
        true
    }

    /// Delivers what was made of a segment, whose turn has come.
    pub(super) fn take_turn(&self, index: usize, segment: &Segment, reader: &mut ScanReader<'_, '_>) -> Result<WalkedAhead> {
        if self.is_over() || !is_finished(segment) {
            return self.walked_here(0);
        }
        let mut state = self.lock();
        self.turn.store(index, Ordering::Relaxed);
        if state.after_damage != reader.after_damage {
            state.begin_again(index, reader.after_damage);
        }
        drop(state);
        self.changed.notify_all();
        let mut delivered = 0;
        loop {
            let Some((step, after_damage)) = self.next_step(index) else { return self.walked_here(delivered) };
            let mut piece = match step {
                AheadStep::GivenUp => return self.walked_here(delivered),
                AheadStep::Done(summary) => return Ok(WalkedAhead::Made(Some(summary))),
                AheadStep::Piece(piece) => piece,
            };
            let comes_after = reader.comes_after_damage(piece.first);
            if piece.records > 0 && comes_after != after_damage {
                self.lock().begin_again(index, comes_after);
                self.changed.notify_all();
                continue;
            }
            let taken = (reader.take)(Event::Lot(segment, &piece.lot));
            delivered = piece.records;
            if piece.records > 0 {
                reader.after_damage = comes_after;
                reader.position = piece.position.take().or(reader.position.take());
            }
            self.keep(piece.lot);
            match taken.and_then(|()| (reader.take)(Event::Reached(segment, piece.reached))) {
                Ok(()) => {}
                Err(Halt::Enough) => {
                    reader.stopped = Some(Stopped::Enough);
                    return Ok(WalkedAhead::Made(None));
                }
                Err(Halt::Failed(error)) => return Err(error),
            }
        }
    }

    /// The scan walks the segment itself: unless a thread panicked, which the end of the scope passes on.
    fn walked_here(&self, delivered: u64) -> Result<WalkedAhead> {
        if self.lock().panicked { Err(Error::Interrupted) } else { Ok(WalkedAhead::Walk(delivered)) }
    }

    /// What comes next of a segment, and what was assumed when it was begun. `None` when nothing more comes.
    fn next_step(&self, index: usize) -> Option<(AheadStep, bool)> {
        let mut guard = self.lock();
        loop {
            if self.is_over() {
                return None;
            }
            let state = &mut *guard;
            if let Some(coming) = state.coming.get_mut(&index)
                && let Some(step) = coming.steps.pop_front()
            {
                let after_damage = coming.after_damage;
                match &step {
                    AheadStep::Piece(piece) => {
                        coming.bytes -= piece.lot.bytes();
                        state.bytes -= piece.lot.bytes();
                    }
                    AheadStep::Done(_) | AheadStep::GivenUp => drop(state.coming.remove(&index)),
                }
                drop(guard);
                self.changed.notify_all();
                return Some((step, after_damage));
            }
            guard = self.wait(guard);
        }
    }

    fn room(&self) -> Lot {
        self.used.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default()
    }

    fn keep(&self, mut lot: Lot) {
        // A giant's room is given back.
        if lot.bytes() <= 4 * self.ahead.lot_bytes {
            lot.text.clear();
            lot.records.clear();
            (lot.matched, lot.counted) = (0, 0);
            self.used.lock().unwrap_or_else(PoisonError::into_inner).push(lot);
        }
    }
}
