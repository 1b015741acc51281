//! A log that is open for appending: one segment after the other, one group after the other.
//!
//! Nothing here knows of threads. A group is numbered, written with one call and synced once; when its segment is full, that one is
//! sealed and the next begun. Each step leaves files that open again, whenever the power fails.

mod segments;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use super::counters::Counters;
use super::events::{SLOW_SYNC, Weight, tell};
use super::frames::{Group, Numbering};
use super::gaps::gaps;
use super::key;
use super::lock::WriterLock;
use super::options::Settings;
use super::outcome::{Failure, Outcome, Written};
use super::pins::Pins;
use super::reopen::{find_tail, random};
use super::retain::SegmentFacts;
use super::retention::Retention;
use super::segment::{Active, put};
use super::space::{Space, is_no_space, next_path, room_end};
use super::spare::Spares;
use super::stage::Stage;
use super::standing::{Standing, WrittenSegment as Seen};
use super::sync::{Preallocate, SyncMode};
use crate::disk::{DIRECT_BLOCK, Disk, EntryKind, Errno, File, errno_of, finished, make_dir, sweep};
use crate::model::{Error, Lsn, Result, Time};
use crate::native::{HEADER_BYTES, segment_name};

/// A log that is open for appending.
#[derive(Debug)]
pub(super) struct OpenLog {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    options: Settings,
    space: Space,
    spares: Arc<Spares>,
    counters: Arc<Counters>,
    log_id: [u8; 16],
    active: Option<Active>,
    /// The number of the next data frame.
    next: Lsn,
    /// Everything below is durable.
    durable: Lsn,
    /// The sum of the last frame before the next segment.
    chain: u32,
    /// There is no record in it.
    blank: bool,
    /// Something was written since it was last closed.
    dirty: bool,
    direct: bool,
    stage: Stage,
    /// What its opening had to say.
    notes: Vec<String>,
    /// It was closed: nothing may stand after its end.
    closed: bool,
    poison: Option<Failure>,
    standing: Arc<Standing>,
    pins: Arc<Pins>,
    /// Where segments are let go while the log is written.
    retention: Option<Arc<Retention>>,
    lock: WriterLock,
}

/// What stopped a group.
enum WriteStop {
    /// It alone failed; the log is as it was.
    Only(Failure),
    /// What is on the disk is in doubt.
    Poison(Error),
}

impl From<Error> for WriteStop {
    fn from(error: Error) -> WriteStop {
        WriteStop::Poison(error)
    }
}

/// What a rotation did.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rotated {
    /// The segment that was sealed; `None` when there was nothing to seal.
    pub sealed: Option<String>,
    /// The segment that is written now.
    pub active: String,
}

/// Writes a group. Where room is lacking, what an interrupted run left may still be given back.
fn put_where_room_is(active: &mut Active, stage: &mut Stage, space: &mut Space, group: &[u8]) -> Result<bool> {
    let end = active.position + group.len() as u64;
    match put(active, stage, group, space.claim(end)) {
        Err(error) if is_no_space(&error) && space.gave_back() => put(active, stage, group, space.claim(end)),
        done => done,
    }
}

fn only(doing: &'static str, error: &Error) -> WriteStop {
    WriteStop::Only(Failure::System { doing, errno: errno_of(error).unwrap_or(Errno::NOSPC) })
}

impl OpenLog {
    /// Opens the log in `dir`, and makes it if it does not exist and may be made.
    pub fn open(disk: Arc<dyn Disk>, dir: &Path, options: Settings) -> Result<OpenLog> {
        options.check()?;
        match disk.stat(dir)? {
            None if options.create => make_dir(disk.as_ref(), dir)?,
            None => return Err(Error::io("open", dir)(std::io::ErrorKind::NotFound.into())),
            Some(entry) if entry.kind != EntryKind::Folder => {
                return Err(Error::io("open", dir)(std::io::ErrorKind::NotADirectory.into()));
            }
            Some(_) => {}
        }
        let lock = WriterLock::take(&disk, dir, &options.who)?;
        key::check(&disk, dir, &options.keys, options.new_key)?;
        let tail = find_tail(&disk, dir)?;
        let standing = Arc::new(Standing::new(&disk, dir, tail.next)?);
        if tail.log_id.is_none() && !options.create {
            return Err(Error::NotALog { path: dir.to_owned(), files: 0 });
        }
        let log_id = match tail.log_id {
            Some(id) => id,
            None => {
                // The process that made the folder may have ended before its name was durable.
                disk.sync_dir(dir.parent().unwrap_or(dir))?;
                random()?
            }
        };
        let pins = Pins::open(&disk, dir)?;
        let notes = [tail.notes(dir), gaps(&disk, dir)?].concat();
        let spares = Arc::new(Spares::new(&disk, dir));
        let mut log = OpenLog {
            // Only now it is known that it is a log of ours, or is to become one.
            space: Space::new(&disk, &standing, dir, &options, (log_id, &spares))?,
            spares,
            standing,
            pins: Arc::new(pins),
            retention: None,
            disk,
            dir: dir.to_owned(),
            log_id,
            active: None,
            next: tail.next,
            durable: tail.next,
            chain: tail.chain,
            blank: tail.blank,
            dirty: !tail.closed,
            direct: options.direct,
            stage: Stage::default(),
            notes,
            closed: false,
            poison: None,
            counters: Arc::default(),
            options,
            lock,
        };
        log.durable_to(log.durable);
        log.resume(tail)?;
        if log.options.retain.any() {
            let (disk, standing, retain) = (&log.disk, &log.standing, &log.options.retain);
            let spares = (log.options.preallocate == Preallocate::Recycle).then(|| log.spares.clone());
            let clock = &log.options.clock;
            log.retention = Some(Arc::new(Retention::open(disk, standing, dir, retain, clock, &log.pins, spares)?));
        }
        log.notes.iter().for_each(|note| tell(Weight::Warn, &log.dir, format_args!("{note}")));
        tell(Weight::Info, &log.dir, format_args!("opened: LSN {} is next", log.next));
        Ok(log)
    }

    /// After a write that failed: when only room was lacking, what came through of it is cut off again, and the cut synced.
    fn cut_back(&mut self, error: Error) -> WriteStop {
        if !is_no_space(&error) {
            return WriteStop::Poison(error);
        }
        self.space.retire();
        let Some(active) = &self.active else { return WriteStop::Poison(error) };
        if let Err(worse) = active.plain.set_length(active.position).and_then(|()| active.plain.sync_all()) {
            return WriteStop::Poison(worse);
        }
        self.space.begin(&active.path, active.position, active.position);
        if let Some(active) = &mut self.active {
            active.remains = false;
        }
        self.durable_to(self.next);
        tell(Weight::Warn, &self.dir, format_args!("a group was refused: {error}"));
        only("write to", &error)
    }

    /// The time of day that what is written now carries.
    fn now(&self) -> Time {
        self.options.clock.now()
    }

    /// Makes everything written so far durable.
    fn sync_now(&mut self) -> Result<(), WriteStop> {
        if self.durable < self.next
            && let Some(active) = &self.active
        {
            active.plain.sync_data()?;
            self.counters.sync();
            self.durable_to(self.next);
        }
        Ok(())
    }

    fn stopped(&mut self, stop: WriteStop) -> Error {
        self.fail(stop).error(&self.dir)
    }

    fn fail(&mut self, stop: WriteStop) -> Failure {
        match stop {
            WriteStop::Only(failure) => failure,
            WriteStop::Poison(mut error) => {
                // A segment is made under another name, which its descriptors still tell.
                if let (Error::Io { path, .. }, Some(active)) = (&mut error, &self.active)
                    && path.file_name().and_then(|name| finished(name.to_str()?)).is_some()
                {
                    path.clone_from(&active.path);
                }
                self.abandon(&error.to_string())
            }
        }
    }

    /// Writes a group and makes it durable, as far as the mode does that.
    pub fn write(&mut self, group: &mut Group, led: Instant, gathered: Instant) -> Outcome {
        match &self.poison {
            Some(failure) => return Err(failure.clone()),
            None if self.closed => return Err(Failure::Closed),
            None => {}
        }
        self.try_write(group, led, gathered).map_err(|stop| self.fail(stop))
    }

    fn try_write(&mut self, group: &mut Group, led: Instant, gathered: Instant) -> Result<Written, WriteStop> {
        self.keep_pin(group)?;
        if self.is_full_for(group) {
            self.seal()?;
        }
        if self.active.is_none() {
            self.begin()?;
        }
        let now = self.now();
        let active = self.active.as_mut().expect("it was begun just now if it was not there");
        let place = Numbering {
            base: self.next,
            durable: self.durable,
            time: now,
            seed: active.header.seed(),
            offset: active.position,
            cipher: active.cipher.as_ref(),
        };
        let mut last = group.number(&place).map_err(|error| WriteStop::Only(Failure::Input(error.to_string())))?;
        if self.direct {
            last = group.pad(&place, DIRECT_BLOCK, last);
        }
        let bytes = group.bytes.bytes();
        let end = active.position + bytes.len() as u64;
        self.dirty = true;
        if active.remains && end > room_end(self.options.segment_bytes) {
            self.leave_remains(end)?;
        }
        let active = self.active.as_mut().expect("it was there a moment ago");
        match put_where_room_is(active, &mut self.stage, &mut self.space, bytes) {
            Ok(true) => self.counters.past_cache(),
            Ok(false) => {}
            Err(error) => return Err(self.cut_back(error)),
        }
        let written = Instant::now();
        match self.options.sync {
            SyncMode::Fdatasync => active.plain.sync_data()?,
            SyncMode::Fsync => active.plain.sync_all()?,
            SyncMode::Dsync | SyncMode::None | SyncMode::Interval(_) => {}
        }
        let synced = Instant::now();
        let checkpoint = active.tally.checkpoint_lsn;
        group.count_into(&mut active.tally, active.position);
        if let Some(retention) = self.retention.as_ref().filter(|_| active.tally.checkpoint_lsn != checkpoint) {
            retention.wake();
        }
        self.counters.group(group.records, bytes.len() as u64, group.payload_bytes);
        let (segment, offset) = (active.header.first_lsn, active.position);
        active.position = end;
        active.last_sum = last;
        active.since.get_or_insert(gathered);
        self.space.wrote(bytes.len() as u64);
        let first = self.next;
        self.next = first.plus(group.frames as u64);
        self.blank = false;
        let durable = self.options.sync.promises();
        if durable {
            self.counters.sync();
            self.durable_to(self.next);
            let slow = synced.duration_since(written);
            if slow >= SLOW_SYNC {
                tell(Weight::Warn, &self.dir, format_args!("a sync took {:.1} s", slow.as_secs_f64()));
            }
        }
        let number = self.counters.groups();
        Ok(Written { first, segment, offset, number, records: group.records, led, gathered, written, synced, durable })
    }

    /// A group whose first LSN is given gets it, or is refused.
    fn keep_pin(&mut self, group: &Group) -> Result<(), WriteStop> {
        let Some(pinned) = group.pinned.filter(|pinned| *pinned != self.next) else { return Ok(()) };
        if !self.blank || pinned < self.next {
            let due = self.next;
            return Err(WriteStop::Only(Failure::Input(format!("LSN {pinned} is not the one that is due: {due}"))));
        }
        // A segment without a record is replaced by one that begins with the number that is wanted.
        self.space.retire();
        if let Some(active) = self.active.take() {
            self.disk.remove(&active.path)?;
            self.disk.sync_dir(&self.dir)?;
        }
        self.next = pinned;
        self.durable_to(pinned);
        Ok(())
    }

    /// What makes everything durable that was written so far, to be synced without holding the log; and up to where.
    pub fn to_sync(&self) -> Option<(Arc<dyn File>, Lsn)> {
        let active = self.active.as_ref().filter(|_| self.durable < self.next && self.poison.is_none())?;
        Some((active.plain.clone(), self.next))
    }

    /// What came of syncing it.
    pub fn was_synced(&mut self, up_to: Lsn, result: Result<()>) -> Result<()> {
        match result {
            Ok(()) => {
                self.counters.sync();
                self.durable_to(self.durable.max(up_to));
                Ok(())
            }
            Err(error) => Err(self.stopped(WriteStop::Poison(error))),
        }
    }

    /// Makes everything durable that was written so far.
    pub fn sync(&mut self) -> Result<()> {
        self.check()?;
        self.sync_now().map_err(|stop| self.stopped(stop))
    }

    /// Says that the log was closed cleanly, gives back the room ahead, and syncs.
    pub fn close(&mut self) -> Result<()> {
        self.check()?;
        if self.active.is_none() && self.blank {
            self.begin().map_err(|stop| self.stopped(stop))?;
        }
        if self.dirty {
            self.write_close().map_err(|stop| self.stopped(stop))?;
            self.dirty = false;
        }
        self.closed = true;
        tell(Weight::Info, &self.dir, format_args!("closed: LSN {} is next", self.next));
        let looked = self.look_around().map_err(|stop| self.stopped(stop));
        if self.space.take_next().is_some() && looked.is_ok() {
            let _ = sweep(self.disk.as_ref(), &next_path(&self.dir));
        }
        if looked.is_ok() {
            let _ = self.spares.sweep();
        }
        looked
    }

    /// Stops the writer when its folder, its lock or its segment has another name by now, or none.
    fn look_around(&mut self) -> Result<(), WriteStop> {
        let next = self.next;
        let active =
            self.active.as_ref().map(|a| Seen { path: &a.path, file: a.plain.as_ref(), lsns: (a.header.first_lsn, next) });
        self.standing.check(&self.lock, active).map_err(|astray| {
            self.durable_to(astray.lost.map_or(self.durable, |lost| self.durable.min(lost)));
            WriteStop::Poison(astray.error)
        })
    }

    fn check(&self) -> Result<()> {
        match &self.poison {
            Some(failure) => Err(failure.error(&self.dir)),
            None if self.closed => Err(Failure::Closed.error(&self.dir)),
            None => Ok(()),
        }
    }

    /// Ends the writer: what is on the disk is in doubt.
    pub fn abandon(&mut self, cause: &str) -> Failure {
        let durable = self.durable.before().unwrap_or(Lsn(0));
        if self.poison.is_none() {
            tell(Weight::Error, &self.dir, format_args!("nothing more is accepted: {cause}; durable up to LSN {durable}"));
        }
        self.poison.get_or_insert_with(|| Failure::Poisoned { durable, cause: cause.into() }).clone()
    }

    /// Why nothing more is accepted, if that is so.
    pub fn poison(&self) -> Option<&Failure> {
        self.poison.as_ref()
    }

    pub fn log_id(&self) -> [u8; 16] {
        self.log_id
    }

    pub fn next(&self) -> Lsn {
        self.next
    }

    /// Everything below `lsn` is durable; getters see it without waiting for this log.
    fn durable_to(&mut self, lsn: Lsn) {
        self.durable = lsn;
        self.counters.durable_below(lsn);
    }

    pub fn is_blank(&self) -> bool {
        self.blank
    }

    /// What its opening had to say.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    pub fn counters(&self) -> &Arc<Counters> {
        &self.counters
    }

    pub fn pins(&self) -> Option<&Arc<Pins>> {
        Some(&self.pins)
    }

    pub fn retention(&self) -> Option<&Arc<Retention>> {
        self.retention.as_ref()
    }

    /// What has to be known of the active segment before others go; `None` when it has more transactions than are listed.
    pub fn active_facts(&self) -> Option<SegmentFacts> {
        // Without an active segment nothing goes: with the last one the numbers would go.
        let active = self.active.as_ref()?;
        let tally = Some(&active.tally).filter(|tally| tally.last_lsn > 0);
        if tally.is_some_and(|tally| tally.more_transactions) {
            return None;
        }
        let first = active.header.first_lsn;
        Some(SegmentFacts {
            file: segment_name(first),
            first,
            last: tally.map(|tally| Lsn(tally.last_lsn)),
            bytes: active.position,
            newest: tally.map_or_else(Time::now, |tally| Time(tally.max_time)),
            checkpoint: tally.filter(|t| t.checkpoint_lsn > 0).map(|t| (Lsn(t.checkpoint_lsn), Lsn(t.checkpoint))),
            open: tally.map_or_else(Vec::new, |tally| tally.open.clone()),
            ended: tally.map_or_else(Vec::new, |tally| tally.ended.clone()),
            block: active.header.block,
        })
    }

    /// Where the next frame goes in its segment, and how many records are there.
    pub fn place(&self) -> (u64, u64) {
        self.active.as_ref().map_or((HEADER_BYTES, 0), |active| (active.position, active.tally.records))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::{Luck, SimDisk};
    use crate::writer::GroupCommit;
    use crate::writer::sync::Preallocate;

    fn open(sim: &SimDisk, options: &Settings) -> GroupCommit {
        GroupCommit::open(Arc::new(sim.clone()), Path::new("/log"), options.clone()).expect("it opens")
    }

    fn segments(sim: &SimDisk) -> usize {
        let names = sim.list(Path::new("/log")).expect("it lists");
        names.iter().filter(|entry| crate::native::segment_lsn(&entry.name).is_some()).count()
    }

    #[test]
    fn a_write_that_is_its_own_sync_is_one_past_the_cache_too() {
        let sim = SimDisk::new();
        let options = Settings { sync: SyncMode::Dsync, segment_bytes: 1 << 20, background: false, ..Settings::default() };
        let log = open(&sim, &options);
        for number in 1..=60 {
            log.append(&[7; 3000][..]).expect("the disk is well");
            let after = sim.after_power_failure(Luck::None);
            assert_eq!(open(&after, &options).next_lsn(), Lsn(number + 1), "record {number} was acknowledged");
        }
        assert!(log.counts().past_cache > 30, "{:?}", log.counts());
    }

    #[test]
    fn a_segment_that_was_begun_in_another_mode_is_sealed_and_the_next_is_begun() {
        for (first, then, count) in [(false, false, 1), (true, true, 1), (false, true, 2), (true, false, 2)] {
            let sim = SimDisk::new();
            let options = |direct| Settings { direct, background: false, segment_bytes: 1 << 20, ..Settings::default() };
            for (direct, lsn) in [(first, 1), (then, 2)] {
                let log = open(&sim, &options(direct));
                assert_eq!(log.append(&b"record"[..]).expect("the disk is well").lsn, Lsn(lsn));
                log.close().expect("the disk is well");
            }
            assert_eq!(segments(&sim), count, "direct: {first}, then {then}");
        }
    }

    #[test]
    fn two_logs_have_two_names_of_their_own() {
        let ids = [(); 2].map(|()| open(&SimDisk::new(), &Settings::default()).log_id());
        assert_ne!(ids[0], ids[1]);
    }

    fn plain() -> Settings {
        Settings { buffered: true, preallocate: Preallocate::None, background: false, ..Settings::default() }
    }

    #[test]
    fn what_no_sync_was_asked_for_is_durable_after_one_and_a_second_one_costs_nothing() {
        let sim = SimDisk::new();
        let options = Settings { sync: SyncMode::None, ..plain() };
        let log = open(&sim, &options);
        log.append(&b"record"[..]).expect("the disk is well");
        assert_eq!(open(&sim.after_power_failure(Luck::None), &options).next_lsn(), Lsn(1));
        log.sync().expect("the disk is well");
        assert_eq!(open(&sim.after_power_failure(Luck::None), &options).next_lsn(), Lsn(2));
        let operations = sim.operations();
        log.sync().expect("the disk is well");
        assert_eq!(sim.operations(), operations, "there was nothing to sync");
    }

    #[test]
    fn a_segment_for_which_there_is_no_room_fails_its_group_alone() {
        let sim = SimDisk::new();
        let log = open(&sim, &plain());
        sim.limit(1000);
        assert!(!matches!(log.append(&b"record"[..]), Ok(_) | Err(Error::Poisoned { .. })));
        sim.limit(0);
        assert_eq!(log.append(&b"record"[..]).expect("there is room again").lsn, Lsn(1));
    }

    #[test]
    fn a_segment_takes_what_just_fits_and_not_a_byte_more() {
        let sim = SimDisk::new();
        let log = open(&sim, &Settings { segment_bytes: 8192, ..plain() });
        let half = vec![7; 2048 - crate::native::FRAME_HEADER];
        let rotations: Vec<u64> = (0..4)
            .map(|_| {
                log.append(&half[..]).expect("the disk is well");
                log.counts().rotations
            })
            .collect();
        assert_eq!(rotations, [0, 0, 1, 1]);
    }

    #[test]
    fn a_segment_without_a_record_is_not_sealed_for_one_that_is_larger_than_a_segment() {
        let sim = SimDisk::new();
        let options = Settings { segment_bytes: 8192, ..plain() };
        open(&sim, &options).close().expect("the disk is well");
        let log = open(&sim, &options);
        assert_eq!(log.append(&[7; 10_000][..]).expect("the disk is well").lsn, Lsn(1));
        assert_eq!((log.counts().rotations, segments(&sim)), (0, 1));
    }

    #[test]
    fn what_only_the_cache_shows_behind_the_end_is_not_written_beside() {
        let sim = SimDisk::new();
        let log = open(&sim, &plain());
        log.append(&b"alpha"[..]).expect("the disk is well");
        // A write, then a sync, after which the medium never gets the bytes.
        sim.fail_at(sim.operations() + 2, crate::disk::Fault::Errno(Errno::IO));
        log.append(&b"beta"[..]).expect_err("its sync failed");
        drop(log);
        let log = open(&sim, &plain());
        assert_eq!(log.append(&b"gamma"[..]).expect("the disk is well").lsn, Lsn(2));
        assert_eq!(segments(&sim), 2, "it went on where the medium and the cache differ");
    }

    #[test]
    fn a_file_that_opens_for_direct_writes_and_refuses_them_is_written_through_the_cache() {
        let sim = SimDisk::new();
        let log = open(&sim, &Settings { direct: true, background: false, ..Settings::default() });
        // The file is created, then its header written.
        sim.fail_at(sim.operations() + 2, crate::disk::Fault::Errno(Errno::INVAL));
        assert_eq!(log.append(&b"record"[..]).expect("it is written all the same").lsn, Lsn(1));
        assert_eq!(log.notes(), ["/log takes no direct writes: they are buffered"]);
        drop(log);
        assert_eq!(open(&sim, &plain()).next_lsn(), Lsn(2));
        assert_eq!(segments(&sim), 1);
    }

    #[test]
    fn no_record_gets_a_number_before_the_first() {
        let log = open(&SimDisk::new(), &plain());
        let pinned = crate::writer::Draft { lsn: Some(Lsn(0)), ..crate::writer::Draft::of(b"x") };
        assert!(matches!(log.append(pinned), Err(Error::Input { .. })));
        assert_eq!(log.append(&b"y"[..]).expect("the disk is well").lsn, Lsn(1));
    }

    #[test]
    fn a_log_whose_power_failed_behind_its_last_record_goes_on_in_the_same_segment() {
        let sim = SimDisk::new();
        let log = open(&sim, &plain());
        log.append(&b"alpha"[..]).expect("the disk is well");
        let after = sim.after_power_failure(Luck::All);
        assert_eq!(open(&after, &plain()).append(&b"beta"[..]).expect("the disk is well").lsn, Lsn(2));
        assert_eq!(segments(&after), 1);
    }
}
