//! Room ahead: zeros written before the records come, so that a sync commits no metadata.
//!
//! Two places are made ready. The active segment is filled with zeros in front of the writing place, at first a little and more when
//! it is written hard, so that a log of ten records does not take megabytes. And while it fills up, the file of the next segment is
//! written full of zeros under a name that is no segment's, so that going on in it stalls no caller. Both happen in a thread of their
//! own, in pieces small enough that a group meanwhile hardly waits.
//!
//! Room is a convenience: when it cannot be made, records are written all the same. The thread has its own descriptors, so that an
//! error that concerns records is never told to it and lost.

mod reuse;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock};
use std::thread::JoinHandle;

use super::options::Settings;
use super::spare::Spares;
use super::standing::Standing;
use crate::disk::{
    AlignedBytes, DIRECT_BLOCK, Disk, Errno, File, Open, begin_file, errno_of, is_left, sweep, unfinished, write_full,
};
use crate::model::{Error, Result};

/// What the next segment's file is called while it is made ready, before [`unfinished`] is put behind it.
const NEXT: &str = "next";
/// So much is written with one call: a group that comes meanwhile waits for that long.
const PIECE: usize = 256 << 10;
/// So much is made ready at a time, and more when much is made ready ahead.
const STEP: u64 = 256 << 10;
/// The most that is made ready at a time.
const LONGEST_STEP: u64 = 4 << 20;
/// How many times the bytes written so far are reserved ahead. With 16 times, zeros made in the first second of a log held up one append in a
/// thousand for twice as long, at the same rate.
const GROWTH: u64 = 4;
/// See [`SpaceShared::warm`].
const WARM: u64 = 64 << 10;

/// Room ahead of one log's writing place.
#[derive(Debug)]
pub(super) struct Space {
    shared: Arc<SpaceShared>,
    helper: Option<JoinHandle<()>>,
    /// Nobody has asked yet whether what an interrupted run left is removed.
    unasked: bool,
}

#[derive(Debug)]
struct SpaceShared {
    disk: Arc<dyn Disk>,
    standing: Arc<Standing>,
    next_path: PathBuf,
    log_id: [u8; 16],
    spares: Arc<Spares>,
    segment_bytes: u64,
    ahead_bytes: u64,
    /// A writer that wrote less than this makes no room ahead: most short runs never need it.
    warm: u64,
    state: Mutex<SpaceState>,
    /// There may be work.
    work: Condvar,
    /// A piece of work is done.
    done: Condvar,
    zeros: OnceLock<AlignedBytes>,
}

#[derive(Debug, Default)]
struct SpaceState {
    active: Option<SpaceActive>,
    next: Next,
    /// A step that the helper does next.
    promised: Option<SpaceWork>,
    /// Bytes of groups since the writer was opened.
    written: u64,
    /// The helper waits for work.
    idle: bool,
    stop: bool,
}

#[derive(Debug)]
struct SpaceActive {
    path: PathBuf,
    /// Opened by the helper for itself.
    file: Option<Arc<dyn File>>,
    /// Everything below is written, by records or by zeros.
    ready: u64,
    /// The writing place; a group is being written up to here.
    claimed: u64,
    /// A group is being written beyond what is ready: the file grows with it, and with nothing else.
    growing: bool,
    /// Zeros are being written behind `ready`, or are about to be.
    filling: bool,
    failed: bool,
}

#[derive(Debug, Default)]
enum Next {
    /// Not begun.
    #[default]
    None,
    /// The helper removes what an interrupted run left at this moment: no other thread may use the name until that is done.
    Left,
    /// The helper makes the file at this moment: no other thread may use it until it is made.
    Making,
    /// So much is there; `busy` while the helper writes more.
    Made { file: Arc<dyn File>, room: NextRoom, busy: bool },
    /// The caller makes a segment of it, or it cannot be made.
    Off,
}

/// The room that was made for the next segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NextRoom {
    /// This many bytes are ready.
    pub ready: u64,
    /// They are those of a segment that was let go, with the table of their sums behind them.
    pub recycled: bool,
}

/// What there is to do: zeros from one offset up to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SpaceWork {
    Active(u64, u64),
    Next(u64, u64),
    /// The file of a segment that was let go becomes the next one's.
    Recycle,
}

impl Space {
    /// What an interrupted run left of its room is removed. To give back a file of 64 MiB takes ten milliseconds and more: the helper does
    /// that, if there is one, while the first records are written.
    pub fn new(
        disk: &Arc<dyn Disk>,
        standing: &Arc<Standing>,
        dir: &Path,
        options: &Settings,
        (log_id, spares): ([u8; 16], &Arc<Spares>),
    ) -> Result<Space> {
        let shared = Arc::new(SpaceShared {
            disk: disk.clone(),
            standing: standing.clone(),
            next_path: next_path(dir),
            log_id,
            spares: spares.clone(),
            segment_bytes: options.segment_bytes,
            ahead_bytes: if options.preallocate.is_written() { options.ahead_bytes } else { 0 },
            warm: if options.background { WARM } else { 0 },
            state: Mutex::default(),
            work: Condvar::new(),
            done: Condvar::new(),
            zeros: OnceLock::new(),
        });
        let left = shared.is_left()?;
        let mut space = Space { shared, helper: None, unasked: left };
        if options.background && space.is_on() {
            let shared = space.shared.clone();
            if left {
                shared.state().next = Next::Left;
            }
            // Without the thread the log is written all the same.
            space.helper = std::thread::Builder::new().name("walctl-space".into()).spawn(move || shared.serve()).ok();
        }
        if left && space.helper.is_none() {
            (space.shared.state().next, space.unasked) = (Next::None, false);
            space.shared.clear_left()?;
        }
        Ok(space)
    }

    fn is_on(&self) -> bool {
        self.shared.ahead_bytes > 0
    }

    /// A segment is written from `position` on; everything below `ready` was written once already.
    pub fn begin(&self, path: &Path, position: u64, ready: u64) {
        if self.is_on() {
            let (path, ready) = (path.to_owned(), ready.max(position));
            let mut state = self.shared.state();
            state.active =
                Some(SpaceActive { path, file: None, ready, claimed: position, growing: false, filling: false, failed: false });
            if let Next::Off = state.next {
                state.next = Next::None;
            }
        }
    }

    /// A group goes up to `end`: returns when no zeros are being written there, and keeps it so. Tells up to where there is room that is
    /// written already.
    ///
    /// A group beyond what is ready waits for the whole step, its sync included: its own sync would have to wait for the same commit.
    /// To wait only until the zeros are written there was tried, and gained nothing in the first half second of a log.
    #[inline]
    pub fn claim(&self, end: u64) -> u64 {
        if !self.is_on() {
            return 0;
        }
        let mut state = self.shared.state();
        loop {
            let Some(active) = &mut state.active else { return 0 };
            active.claimed = active.claimed.max(end);
            if end <= active.ready || !active.filling {
                active.growing = end > active.ready;
                return active.ready;
            }
            state = self.shared.done.wait(state).expect("no thread panics while holding the room");
        }
    }

    /// A group of `bytes` was written and synced up to the claimed place.
    #[inline]
    pub fn wrote(&self, bytes: u64) {
        if !self.is_on() {
            return;
        }
        let mut state = self.shared.state();
        state.written += bytes;
        if let Some(active) = &mut state.active {
            active.growing = false;
        }
        let Some(work) = self.shared.find_work(&state) else { return };
        if let (SpaceWork::Active(..), Some(active)) = (work, &mut state.active) {
            // Taken for the helper: the next group might be faster than it wakes, again and again.
            active.filling = true;
            state.promised = Some(work);
        }
        let wake = std::mem::take(&mut state.idle);
        drop(state);
        match &self.helper {
            Some(_) if wake => self.shared.work.notify_one(),
            Some(_) => {}
            None => while self.shared.work_once() {},
        }
    }

    /// Room was lacking: returns when what an interrupted run left is removed, and true if that may have helped.
    pub fn gave_back(&mut self) -> bool {
        let mut state = self.shared.state();
        while matches!(state.next, Next::Left) {
            state = self.shared.done.wait(state).expect("no thread panics while holding the room");
        }
        std::mem::take(&mut self.unasked)
    }

    /// When this returns, the helper does not touch the active segment any more.
    pub fn retire(&self) {
        let mut state = self.shared.state();
        while state.active.as_ref().is_some_and(|active| active.filling) {
            state = self.shared.done.wait(state).expect("no thread panics while holding the room");
        }
        state.active = None;
    }

    /// The next segment's file at [`next_path`], if it was begun: the room in it. It is the caller's then, until the next
    /// [`Space::begin`].
    pub fn take_next(&self) -> Option<NextRoom> {
        let mut state = self.shared.state();
        loop {
            match std::mem::replace(&mut state.next, Next::Off) {
                Next::Made { file, room, busy: true } => {
                    state.next = Next::Made { file, room, busy: true };
                    state = self.shared.done.wait(state).expect("no thread panics while holding the room");
                }
                at_work @ (Next::Making | Next::Left) => {
                    state.next = at_work;
                    state = self.shared.done.wait(state).expect("no thread panics while holding the room");
                }
                Next::Made { room, .. } => return Some(room),
                Next::None | Next::Off => return None,
            }
        }
    }
}

impl Drop for Space {
    fn drop(&mut self) {
        self.shared.state().stop = true;
        self.shared.work.notify_one();
        if let Some(helper) = self.helper.take() {
            let _ = helper.join();
        }
    }
}

impl SpaceShared {
    fn state(&self) -> MutexGuard<'_, SpaceState> {
        self.state.lock().expect("no thread panics while holding the room")
    }

    fn find_work(&self, state: &SpaceState) -> Option<SpaceWork> {
        let active = state.active.as_ref()?;
        if state.written < self.warm {
            return None;
        }
        // While the file grows, each sync of a group waits for the journal. So a log that is written hard is filled to its end at
        // once, and one that is written a little only so far that little is wasted.
        let ahead = state.written.saturating_mul(GROWTH).clamp(STEP, self.ahead_bytes.max(STEP)).min(self.ahead_bytes);
        let goal = active.claimed.saturating_add(ahead).min(self.segment_bytes);
        let from = active.ready.max(active.claimed);
        // Few large steps: each ends with a sync that commits growth, and a group that comes meanwhile waits for it.
        let step = (ahead / 8 / STEP * STEP).clamp(STEP, LONGEST_STEP);
        let due = from + step.min(ahead / 2) <= goal || (goal == self.segment_bytes && from < goal);
        if due && !active.filling && !active.growing && !active.failed {
            return Some(SpaceWork::Active(from, goal.min((from / step + 1) * step)));
        }
        // The next one grows while this one fills: begun at two fifths, ready at nine tenths. A little behind each group, from the
        // start on, was tried: 16 x 4 KiB fell to 0.77 of this.
        let behind = active.claimed.saturating_sub(self.segment_bytes / 5 * 2);
        let whole = self.whole();
        let need = behind.saturating_mul(2).min(whole);
        match &state.next {
            Next::None if need > 0 && self.spares.any() => Some(SpaceWork::Recycle),
            Next::None if need > 0 => Some(SpaceWork::Next(0, whole.min(STEP))),
            Next::Made { room: NextRoom { ready, .. }, busy: false, .. } if *ready < need => {
                Some(SpaceWork::Next(*ready, whole.min(*ready + STEP)))
            }
            _ => None,
        }
    }

    fn serve(&self) {
        let mut state = self.state();
        if matches!(state.next, Next::Left) {
            drop(state);
            // What cannot be removed is met again where the name is needed, and told there.
            let _ = self.clear_left();
            state = self.state();
            state.next = Next::None;
            self.done.notify_all();
        }
        while !state.stop {
            if state.promised.is_none() && self.find_work(&state).is_none() {
                state.idle = true;
                state = self.work.wait(state).expect("no thread panics while holding the room");
                continue;
            }
            drop(state);
            self.work_once();
            state = self.state();
        }
    }

    /// Does one step of work; false when there is none.
    fn work_once(&self) -> bool {
        let mut state = self.state();
        let Some(work) = state.promised.take().or_else(|| self.find_work(&state)) else { return false };
        match work {
            SpaceWork::Active(from, to) => {
                let Some(active) = &mut state.active else { return false };
                active.filling = true;
                let (path, file) = (active.path.clone(), active.file.clone());
                drop(state);
                let filled = self.fill_active(&path, file, from, to);
                let mut state = self.state();
                if let Some(active) = &mut state.active {
                    active.filling = false;
                    match filled {
                        Ok(file) => (active.file, active.ready) = (Some(file), to),
                        Err(_) => active.failed = true,
                    }
                }
            }
            SpaceWork::Next(from, to) => {
                let file = match std::mem::replace(&mut state.next, Next::Making) {
                    Next::Made { file, room, .. } => {
                        state.next = Next::Made { file: file.clone(), room, busy: true };
                        Some(file)
                    }
                    _ => None,
                };
                drop(state);
                let made = self.fill_next(file, from, to);
                if made.is_err() {
                    // Where room is short, half a segment of zeros would only take it away from the records.
                    let _ = self.clear_next();
                }
                let room = NextRoom { ready: to, recycled: false };
                self.state().next = made.map_or_else(|_| Next::Off, |file| Next::Made { file, room, busy: false });
            }
            SpaceWork::Recycle => {
                state.next = Next::Making;
                drop(state);
                let made = self.recycle();
                if !matches!(made, Ok(Some(_))) {
                    let _ = self.clear_next();
                }
                let room = NextRoom { ready: room_end(self.segment_bytes), recycled: true };
                self.state().next = match made {
                    Ok(Some(file)) => Next::Made { file, room, busy: false },
                    Ok(None) => Next::None,
                    // What fails now would fail again at once, and for ever.
                    Err(_) => Next::Off,
                };
            }
        }
        self.done.notify_all();
        true
    }

    /// Whether an interrupted run left files. Anything else that stands under their names is refused before anything is written.
    fn is_left(&self) -> Result<bool> {
        Ok(is_left(self.disk.as_ref(), &self.next_path)? | self.spares.are_left()?)
    }

    /// Removes what an interrupted run left.
    fn clear_left(&self) -> Result<()> {
        self.clear_next()?;
        self.spares.sweep()
    }

    fn clear_next(&self) -> Result<()> {
        self.standing.folder()?;
        sweep(self.disk.as_ref(), &self.next_path)
    }

    fn fill_active(&self, path: &Path, file: Option<Arc<dyn File>>, from: u64, to: u64) -> Result<Arc<dyn File>> {
        let file = match file {
            Some(file) => file,
            None => self.disk.open(path, Open::WRITE)?.into(),
        };
        self.zeros(file.as_ref(), from, to)?;
        file.sync_data()?;
        Ok(file)
    }

    /// The next segment's file is filled past the page cache, which is spared the copy, and synced once, when it is full: no caller
    /// waits for its growth before it is used.
    fn fill_next(&self, file: Option<Arc<dyn File>>, from: u64, to: u64) -> Result<Arc<dyn File>> {
        let mut file = match file {
            Some(file) => file,
            None => {
                // The thread works in the background: it must not do so in a folder that only has the path of the log's.
                self.standing.folder()?;
                let plain = begin_file(self.disk.as_ref(), &self.next_path)?;
                self.disk.open(&self.next_path, Open { direct: true, sole: true, ..Open::WRITE }).unwrap_or(plain).into()
            }
        };
        match self.zeros(file.as_ref(), from, to) {
            // Some filesystems open a file for direct writes and then refuse them.
            Err(error) if errno_of(&error) == Some(Errno::INVAL) => {
                file = self.disk.open(&self.next_path, Open { sole: true, ..Open::WRITE })?.into();
                self.zeros(file.as_ref(), from, to)?;
            }
            other => other?,
        }
        if to == self.whole() {
            file.sync_data()?;
        }
        Ok(file)
    }

    /// Writes zeros.
    fn zeros(&self, file: &dyn File, from: u64, to: u64) -> Result<()> {
        let room = self.zeros.get_or_init(|| {
            let mut room = AlignedBytes::new();
            room.push_zeros(PIECE);
            room
        });
        let mut at = from;
        while at < to {
            // Up to a multiple of the piece, so that pages are written whole from there on.
            let end = to.min((at / PIECE as u64 + 1) * PIECE as u64);
            let count = usize::try_from(end - at).expect("a piece fits memory");
            write_full(file, &room.bytes()[..count], at)?;
            at = end;
        }
        Ok(())
    }

    /// A segment's length in whole blocks.
    fn whole(&self) -> u64 {
        self.segment_bytes / DIRECT_BLOCK * DIRECT_BLOCK
    }
}

/// The system has no room for more: nothing else is wrong.
pub(super) fn is_no_space(error: &Error) -> bool {
    matches!(errno_of(error), Some(Errno::NOSPC | Errno::DQUOT | Errno::FBIG))
}

/// Where the room of a segment ends whose file is used again: behind its last block.
pub(super) fn room_end(segment_bytes: u64) -> u64 {
    segment_bytes.next_multiple_of(DIRECT_BLOCK)
}

/// Where the next segment's file grows.
pub(super) fn next_path(dir: &Path) -> PathBuf {
    unfinished(&dir.join(NEXT))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::{SimDisk, read_full};

    fn zeros(ready: u64) -> NextRoom {
        NextRoom { ready, recycled: false }
    }

    fn made(disk: &Arc<dyn Disk>, options: &Settings) -> Space {
        let standing = Arc::new(Standing::new(disk, Path::new("/log"), crate::model::Lsn::FIRST).expect("the folder was made"));
        let spares = Arc::new(Spares::new(disk, Path::new("/log")));
        Space::new(disk, &standing, Path::new("/log"), options, ([7; 16], &spares)).expect("nothing was left")
    }

    fn shared(space: &Space) -> Vec<Option<SpaceWork>> {
        let mut seen = Vec::new();
        for claimed in [4096, 1 << 20, 30 << 20, 50 << 20, 64 << 20] {
            let mut state = space.shared.state();
            if let Some(active) = &mut state.active {
                active.claimed = claimed;
                active.ready = active.ready.max(64 << 20);
            }
            seen.push(space.shared.find_work(&state));
        }
        seen
    }

    #[test]
    fn the_next_segment_is_begun_when_this_one_is_two_fifths_full_and_not_before() {
        let disk: Arc<dyn Disk> = Arc::new(SimDisk::new());
        disk.create_dir(Path::new("/log")).expect("folders can be made");
        let options = Settings { background: false, ..Settings::default() };
        let space = made(&disk, &options);
        space.begin(Path::new("/log/a"), 4096, 4096);
        space.shared.state().written = 1 << 20;
        let begin = Some(SpaceWork::Next(0, STEP));
        assert_eq!(shared(&space), [None, None, begin, begin, begin]);
    }

    #[test]
    fn room_is_made_in_front_of_the_writing_place_and_never_behind_it() {
        let sim = SimDisk::new();
        let disk: Arc<dyn Disk> = Arc::new(sim.clone());
        disk.create_dir(Path::new("/log")).expect("folders can be made");
        let path = Path::new("/log/a");
        let file = disk.open(path, Open::CREATE).expect("it can be made");
        let options = Settings { background: false, segment_bytes: 1 << 20, ahead_bytes: 100_000, ..Settings::default() };
        let space = made(&disk, &options);
        space.begin(path, 4096, 4096);
        let (mut at, group) = (4096, vec![7; 30_000]);
        while at + 30_000 < 1 << 20 {
            space.claim(at + 30_000);
            file.write_at(&group, at).expect("it takes bytes");
            at += 30_000;
            space.wrote(30_000);
            let length = file.length().expect("it answers");
            assert!(length >= at && length <= (1 << 20), "{length} at {at}");
        }
        let mut all = vec![0; usize::try_from(at).expect("small")];
        read_full(file.as_ref(), &mut all, 0).expect("it reads");
        assert!(all[4096..].iter().all(|b| *b == 7), "zeros were written over records");
        space.retire();
        assert_eq!(space.take_next(), Some(zeros(1 << 20)));
        assert_eq!(space.take_next(), None, "it is given once");
    }

    #[test]
    fn a_file_that_is_being_made_is_waited_for_and_not_made_twice() {
        let disk: Arc<dyn Disk> = Arc::new(SimDisk::new());
        disk.create_dir(Path::new("/log")).expect("folders can be made");
        let space = made(&disk, &Settings { background: false, ..Settings::default() });
        space.shared.state().next = Next::Making;
        std::thread::scope(|scope| {
            let taken = scope.spawn(|| space.take_next());
            let file: Arc<dyn File> = disk.open(&space.shared.next_path, Open::CREATE).expect("nothing else makes it").into();
            space.shared.state().next = Next::Made { file, room: zeros(77), busy: false };
            space.shared.done.notify_all();
            assert_eq!(taken.join().expect("it does not panic"), Some(zeros(77)));
        });
    }

    #[test]
    fn what_an_interrupted_run_left_is_given_back_before_a_group_is_refused_for_lack_of_room() {
        let sim = SimDisk::new();
        let disk: Arc<dyn Disk> = Arc::new(sim.clone());
        disk.create_dir(Path::new("/log")).expect("folders can be made");
        let mut space = made(&disk, &Settings { background: false, ..Settings::default() });
        (space.shared.state().next, space.unasked) = (Next::Left, true);
        let shared = space.shared.clone();
        std::thread::scope(|scope| {
            let asked = scope.spawn(|| (space.gave_back(), space.gave_back()));
            shared.state().next = Next::None;
            shared.done.notify_all();
            assert_eq!(asked.join().expect("it does not panic"), (true, false), "one more try is worth it, and one only");
        });
        let left = [next_path(Path::new("/log")), unfinished(Path::new("/log/spare-2"))];
        for path in &left {
            disk.open(path, Open::CREATE).expect("it can be made").write_at(&[0; 9000], 0).expect("there is room");
        }
        made(&disk, &Settings::default());
        assert!(left.iter().all(|path| disk.stat(path).expect("it answers").is_none()), "the helper removes both");
    }

    #[test]
    fn where_no_room_can_be_made_writing_goes_on() {
        let sim = SimDisk::new();
        let disk: Arc<dyn Disk> = Arc::new(sim.clone());
        disk.create_dir(Path::new("/log")).expect("folders can be made");
        let file = disk.open(Path::new("/log/a"), Open::CREATE).expect("it can be made");
        sim.limit(50_000);
        let space = made(&disk, &Settings { background: false, ..Settings::default() });
        space.begin(Path::new("/log/a"), 4096, 4096);
        space.claim(20_000);
        file.write_at(&[1; 10_000], 4096).expect("there is room for that");
        space.wrote(10_000);
        space.retire();
        assert_eq!(space.take_next(), None);
    }

    #[test]
    fn steps_grow_with_what_was_written_and_end_with_the_segment() {
        let disk: Arc<dyn Disk> = Arc::new(SimDisk::new());
        disk.create_dir(Path::new("/log")).expect("folders can be made");
        let options = Settings { background: false, ..Settings::default() };
        let space = made(&disk, &options);
        space.begin(Path::new("/log/a"), 4096, 4096);
        let step = |written: u64, place: u64| {
            let mut state = space.shared.state();
            state.written = written;
            let active = state.active.as_mut().expect("it was begun");
            (active.claimed, active.ready) = (place, place);
            space.shared.find_work(&state)
        };
        // Four times what was written goes ahead, an eighth of that at a time, up to a multiple of the step.
        assert_eq!(step(4096, 4096), Some(SpaceWork::Active(4096, STEP)));
        assert_eq!(step(1 << 20, 4096), Some(SpaceWork::Active(4096, 1 << 19)));
        assert_eq!(step(1 << 20, 3 << 20), Some(SpaceWork::Active(3 << 20, 7 << 19)));
        assert_eq!(step(8 << 20, 4096), Some(SpaceWork::Active(4096, LONGEST_STEP)));
        assert_eq!(step(8 << 20, (64 << 20) - 8192), Some(SpaceWork::Active((64 << 20) - 8192, 64 << 20)));
        assert_eq!(step(8 << 20, 64 << 20), Some(SpaceWork::Next(0, STEP)));
        // The next segment's file is begun at two fifths, where this one has room.
        let with_room = |place: u64| {
            let mut state = space.shared.state();
            let active = state.active.as_mut().expect("it was begun");
            (active.claimed, active.ready) = (place, 64 << 20);
            space.shared.find_work(&state)
        };
        assert_eq!([with_room(25 << 20), with_room(26 << 20)], [None, Some(SpaceWork::Next(0, STEP))]);
        let file: Arc<dyn File> = disk.open(Path::new("/log/b"), Open::CREATE).expect("it can be made").into();
        space.shared.state().next = Next::Made { file, room: zeros(STEP), busy: false };
        assert_eq!(step(8 << 20, 64 << 20), Some(SpaceWork::Next(STEP, 2 * STEP)));
    }

    #[test]
    fn room_is_zeros_that_are_written_to_the_end_of_the_step() {
        let disk: Arc<dyn Disk> = Arc::new(SimDisk::new());
        disk.create_dir(Path::new("/log")).expect("folders can be made");
        let path = Path::new("/log/a");
        let file = disk.open(path, Open::CREATE).expect("it can be made");
        let space = made(&disk, &Settings { background: false, ..Settings::default() });
        space.begin(path, 4096, 4096);
        space.shared.state().written = 1 << 20;
        assert!(space.shared.work_once());
        assert_eq!((file.length().expect("it answers"), space.claim(4097)), (1 << 19, 1 << 19));
    }

    #[test]
    fn the_next_segments_file_is_made_once_and_grows_with_what_is_left_of_this_one() {
        let sim = SimDisk::new();
        let disk: Arc<dyn Disk> = Arc::new(sim.clone());
        disk.create_dir(Path::new("/log")).expect("folders can be made");
        let options = Settings { background: false, segment_bytes: 2 << 20, ..Settings::default() };
        let space = made(&disk, &options);
        space.begin(Path::new("/log/a"), 4096, 2 << 20);
        space.shared.state().written = 1 << 20;
        let mut lengths = Vec::new();
        for place in [1 << 20, 3 << 19, 2 << 20] {
            assert_eq!(space.claim(place), 2 << 20);
            while space.shared.work_once() {}
            let file = disk.open(&space.shared.next_path, Open::READ).expect("it was begun");
            lengths.push(file.length().expect("it answers"));
        }
        assert_eq!(lengths, [2 * STEP, 6 * STEP, 8 * STEP]);
        assert_eq!(sim.trace().iter().filter(|line| line.contains("create") && line.contains(NEXT)).count(), 1);
        assert_eq!(space.take_next(), Some(zeros(2 << 20)));
    }

    #[test]
    fn room_is_due_when_half_a_step_is_lacking_and_not_while_a_group_goes_beyond_it() {
        let disk: Arc<dyn Disk> = Arc::new(SimDisk::new());
        disk.create_dir(Path::new("/log")).expect("folders can be made");
        let space = made(&disk, &Settings { background: false, ..Settings::default() });
        disk.open(Path::new("/log/a"), Open::CREATE).expect("it can be made");
        let work = || space.shared.find_work(&space.shared.state());
        space.begin(Path::new("/log/a"), 4096, 4096 + STEP / 2);
        assert_eq!(work(), Some(SpaceWork::Active(4096 + STEP / 2, STEP)));
        assert_eq!(space.claim(4096 + STEP / 2), 4096 + STEP / 2);
        assert!(work().is_some(), "a group within what is ready grows nothing");
        space.begin(Path::new("/log/a"), 4096, 4096 + STEP / 2 + 1);
        assert_eq!(work(), None);
        space.claim(4096 + STEP);
        assert_eq!(work(), None, "the group grows the file by itself");
        space.wrote(STEP);
        assert!(space.shared.state().active.as_ref().is_some_and(|active| active.ready > 4096 + STEP));
    }
}
