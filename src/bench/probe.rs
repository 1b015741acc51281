//! The disk by itself: what one durable write costs, by the room it goes into and the way it is made durable.

use std::path::Path;
use std::time::{Duration, Instant};

use super::figures::{Spread, percentile};
use super::observer::Watch;
use crate::disk::{AlignedBytes, Disk, Errno, File, Open, errno_of, write_full};
use crate::model::{Error, Result};

/// The room into which a write goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    /// The file grows.
    Extend,
    /// Blocks are reserved and were never written.
    Fallocate,
    /// Blocks were written with zeros.
    Zero,
    /// Blocks hold older data, which is no longer in the cache.
    Recycled,
}

/// How a write is made durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SyncWay {
    /// A write and fdatasync.
    Fdatasync,
    /// A write and fsync.
    Fsync,
    /// A write past the cache and fdatasync: what the writer does where room is ready.
    DirectFdatasync,
    /// A write to a file opened with O_DSYNC.
    Dsync,
    /// A write past the cache to a file opened with O_DIRECT and O_DSYNC.
    DirectDsync,
    /// A write and nothing else: it is not durable.
    None,
}

impl Room {
    /// All of them.
    pub const ALL: [Room; 4] = [Room::Extend, Room::Fallocate, Room::Zero, Room::Recycled];

    /// Its name in tables and JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Room::Extend => "extend",
            Room::Fallocate => "fallocate",
            Room::Zero => "zero",
            Room::Recycled => "recycled",
        }
    }
}

impl SyncWay {
    /// Those that make a write durable.
    pub const DURABLE: [SyncWay; 5] =
        [SyncWay::Fdatasync, SyncWay::Fsync, SyncWay::DirectFdatasync, SyncWay::Dsync, SyncWay::DirectDsync];

    /// Its name in tables and JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            SyncWay::Fdatasync => "fdatasync",
            SyncWay::Fsync => "fsync",
            SyncWay::DirectFdatasync => "O_DIRECT+fdatasync",
            SyncWay::Dsync => "O_DSYNC",
            SyncWay::DirectDsync => "O_DIRECT+O_DSYNC",
            SyncWay::None => "none",
        }
    }
}

/// What one kind of write costs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cost {
    /// The room it went into.
    pub room: Room,
    /// How it was made durable.
    pub way: SyncWay,
    /// How long a write was.
    pub bytes: usize,
    /// The median of each pass, in nanoseconds.
    pub median: Spread,
    /// The 99th percentile over all passes, in nanoseconds.
    pub p99: u64,
    /// How many writes were timed.
    pub writes: usize,
}

/// The disk by itself.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Probe {
    /// What each kind of write costs; those that the filesystem refuses are not there.
    pub costs: Vec<Cost>,
    /// What was refused, in words.
    pub refused: Vec<String>,
}

/// One block, which is a page and what direct writes are aligned to.
const BLOCK: usize = 4096;
/// Blocks of a file that one pass may use.
const BLOCKS: usize = 512;
const PASSES: usize = 3;
/// More than these say nothing new.
const MOST: usize = 400;

impl Probe {
    /// The cost of such a write.
    #[must_use]
    pub fn cost(&self, room: Room, way: SyncWay, bytes: usize) -> Option<&Cost> {
        self.costs.iter().find(|c| c.room == room && c.way == way && c.bytes == bytes)
    }

    /// The durable writes a second of the quickest way, when one followed the other.
    pub(super) fn quickest(&self) -> Option<f64> {
        let durable = self.costs.iter().filter(|c| SyncWay::DURABLE.contains(&c.way));
        durable.map(|c| 1e9 / c.median.median.max(1.0)).max_by(f64::total_cmp)
    }

    /// What a durable write of one block into written room takes: the least that any group can take.
    #[must_use]
    pub fn sync(&self) -> Option<Duration> {
        self.cost(Room::Zero, SyncWay::Fdatasync, BLOCK).map(|c| Duration::from_nanos(c.median.median as u64))
    }
}

/// Times writes in a folder. Each kind gets `slice` of time in each of three passes, and the passes are interleaved.
pub fn probe(disk: &dyn Disk, dir: &Path, slice: Duration, watch: &Watch<'_>) -> Result<Probe> {
    let mut kinds: Vec<(Room, SyncWay, usize)> = Vec::new();
    for way in SyncWay::DURABLE {
        kinds.extend(Room::ALL.map(|room| (room, way, BLOCK)));
    }
    kinds.push((Room::Zero, SyncWay::None, BLOCK));
    kinds.push((Room::Zero, SyncWay::Fdatasync, 64 << 10));
    kinds.push((Room::Zero, SyncWay::Fdatasync, 1 << 20));
    let mut times: Vec<Vec<Vec<u64>>> = vec![Vec::new(); kinds.len()];
    let mut probe = Probe::default();
    'passes: for _ in 0..PASSES {
        for (kind, passes) in kinds.iter().zip(&mut times) {
            if watch.is_over() {
                break 'passes;
            }
            match time_one(disk, dir, *kind, slice) {
                Ok(taken) => passes.push(taken),
                Err(error) if refuses(&error) => {
                    let words = format!("{} into {} is not to be had here: {error}", kind.1.name(), kind.0.name());
                    if !probe.refused.contains(&words) {
                        probe.refused.push(words);
                    }
                }
                Err(error) => return Err(error),
            }
            watch.step(1);
        }
    }
    for ((room, way, bytes), passes) in kinds.into_iter().zip(times) {
        let medians: Vec<f64> = passes.iter().filter(|p| !p.is_empty()).map(|p| percentile(p, 50.0) as f64).collect();
        let Some(median) = Spread::of(&medians) else { continue };
        let all: Vec<u64> = passes.into_iter().flatten().collect();
        probe.costs.push(Cost { room, way, bytes, median, p99: percentile(&all, 99.0), writes: all.len() });
    }
    Ok(probe)
}

/// How many steps [`probe`] tells its watch about.
pub const PROBE_STEPS: u64 = (PASSES * (SyncWay::DURABLE.len() * Room::ALL.len() + 3)) as u64;

fn refuses(error: &Error) -> bool {
    matches!(errno_of(error), Some(Errno::INVAL | Errno::OPNOTSUPP | Errno::NOSYS))
}

fn time_one(disk: &dyn Disk, dir: &Path, kind: (Room, SyncWay, usize), slice: Duration) -> Result<Vec<u64>> {
    let path = dir.join("probe");
    let timed = time_in(disk, &path, kind, slice);
    // The file goes whatever came of it; a failure to remove it is told by the next pass, which cannot make it.
    let removed = match disk.stat(&path) {
        Ok(Some(_)) => disk.remove(&path),
        _ => Ok(()),
    };
    timed.and_then(|times| removed.map(|()| times))
}

fn time_in(disk: &dyn Disk, path: &Path, (room, way, bytes): (Room, SyncWay, usize), slice: Duration) -> Result<Vec<u64>> {
    let total = (BLOCK * BLOCKS).max(bytes * 8);
    let plain = disk.open(path, Open::CREATE)?;
    prepare(plain.as_ref(), room, total)?;
    let direct = matches!(way, SyncWay::DirectDsync | SyncWay::DirectFdatasync);
    let file = match way {
        SyncWay::DirectFdatasync => disk.open(path, Open { direct, ..Open::WRITE })?,
        SyncWay::Dsync | SyncWay::DirectDsync => disk.open(path, Open { dsync: true, direct, ..Open::WRITE })?,
        _ => plain,
    };
    let mut block = AlignedBytes::new();
    block.push_zeros(bytes);
    // Not zeros: some layers store those for nothing.
    block.bytes_mut().iter_mut().enumerate().for_each(|(i, b)| *b = (i as u8).wrapping_mul(151).wrapping_add(7));
    let begun = Instant::now();
    let mut times = Vec::new();
    for turn in 0..MOST.min(total / bytes) {
        let before = Instant::now();
        write_full(file.as_ref(), block.bytes(), (turn * bytes) as u64)?;
        match way {
            SyncWay::Fdatasync | SyncWay::DirectFdatasync => file.sync_data()?,
            SyncWay::Fsync => file.sync_all()?,
            SyncWay::Dsync | SyncWay::DirectDsync | SyncWay::None => {}
        }
        let after = Instant::now();
        // The first write pays for what opening left undone.
        if turn > 0 {
            times.push(u64::try_from((after - before).as_nanos()).unwrap_or(u64::MAX));
        }
        if after - begun > slice && times.len() >= 5 {
            break;
        }
    }
    Ok(times)
}

fn prepare(file: &dyn File, room: Room, total: usize) -> Result<()> {
    match room {
        Room::Extend => {}
        Room::Fallocate => file.reserve(0, total as u64)?,
        Room::Zero => write_full(file, &vec![0; total], 0)?,
        Room::Recycled => write_full(file, &vec![0xa5; total], 0)?,
    }
    file.sync_all()?;
    if room == Room::Recycled {
        file.forget(0, total as u64);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::RealDisk;

    #[test]
    fn each_kind_of_write_is_timed_and_leaves_nothing() {
        let dir = tempfile::tempdir().expect("a folder can be made");
        let watch = Watch::deaf();
        let probe = probe(&RealDisk, dir.path(), Duration::from_millis(1), &watch).expect("the disk works");
        assert!(probe.cost(Room::Zero, SyncWay::Fdatasync, BLOCK).is_some_and(|c| c.writes >= 5 && c.median.median > 0.0));
        assert!(probe.cost(Room::Zero, SyncWay::None, BLOCK).is_some());
        assert_eq!(std::fs::read_dir(dir.path()).expect("it is there").count(), 0);
    }

    #[test]
    fn a_probe_that_is_ended_says_what_it_has() {
        let dir = tempfile::tempdir().expect("a folder can be made");
        let stop = || true;
        let watch = Watch { stop: &stop, ..Watch::deaf() };
        let probe = probe(&RealDisk, dir.path(), Duration::from_millis(1), &watch).expect("it ends at once");
        assert!(probe.costs.is_empty() && probe.sync().is_none());
    }
}
