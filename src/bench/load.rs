//! One repeat of one cell: appenders drive the real writer for a while, and what they were told is counted.
//!
//! A closed loop appends as fast as it is acknowledged. An open loop has a time at which each append should begin, and counts
//! latency from there, whether or not it could begin then: a disk that stalls is charged for all who had to wait (no coordinated
//! omission).

use std::collections::VecDeque;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, OnceLock, RwLock};
use std::time::{Duration, Instant};

use super::device::Device;
use super::figures::{Latency, Run};
use super::machine::BenchPlace;
use super::observer::Watch;
use super::setting::Cell;
use crate::disk::Disk;
use crate::model::{Error, Result};
use crate::ops::open::{Choice, open};
use crate::ops::report::{Checks, Progress, verify};
use crate::writer::{Ack, GroupCommit, Settings, Ticket};

/// What to run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Load<'a> {
    pub cell: &'a Cell,
    pub place: &'a BenchPlace,
    pub duration: Duration,
    pub warmup: Duration,
    pub round: usize,
}

const WARMING: u8 = 0;
const MEASURING: u8 = 1;
const OVER: u8 = 2;
/// How often a waiting thread looks whether it should go on.
const LOOK: Duration = Duration::from_millis(20);
/// How often, while the first answer is waited for that is measured.
const FIRST_ANSWER: Duration = Duration::from_millis(1);
/// So much is appended before anything is measured. A writer makes no room ahead for a log of a few records, and what appends into a
/// log that has only begun cost says nothing of one that lives for days.
const BEGINNING: usize = 128 << 10;
/// Groups are told apart by their size up to here.
const LARGEST_GROUP: usize = 4096;

/// A repeat is told in so many equal parts.
const SLICES: u32 = 20;

/// What the threads share.
struct LoadShared<'a> {
    cell: &'a Cell,
    /// When measuring began.
    since: OnceLock<Instant>,
    slice: Duration,
    phase: AtomicU8,
    failed: AtomicBool,
    /// Something was acknowledged while it was measured.
    answered: AtomicBool,
    /// Held until all appenders are there.
    ready: RwLock<()>,
}

/// What one appender has seen.
#[derive(Default)]
struct AppenderTally {
    acked: u64,
    bytes: u64,
    latency: Latency,
    /// How many records told of a group of this size.
    told: Vec<u64>,
    slices: Vec<u64>,
    in_all: u64,
    error: Option<Error>,
}

/// Runs it in a new log at `dir`.
pub(super) fn run(disk: &Arc<dyn Disk>, dir: &Path, load: &Load<'_>, watch: &Watch<'_>) -> Result<Run> {
    let cell = load.cell;
    let options = Settings {
        sync: cell.sync,
        window: cell.window,
        preallocate: cell.preallocate,
        direct: cell.direct,
        buffered: cell.buffered,
        who: "walctl bench".into(),
        ..Settings::default()
    };
    let log = GroupCommit::open(disk.clone(), dir, options)?;
    let begun = log.append(&vec![0x5a; BEGINNING][..])?;
    let stage = LoadShared {
        cell,
        since: OnceLock::new(),
        slice: load.duration / SLICES,
        phase: AtomicU8::new(WARMING),
        failed: AtomicBool::new(false),
        answered: AtomicBool::new(false),
        ready: RwLock::new(()),
    };
    let mut run = Run { acked_in_all: begun.last_lsn.0 - begun.lsn.0 + 1, ..Run::default() };
    let seen: Result<Vec<AppenderTally>> = std::thread::scope(|scope| {
        let ready = stage.ready.write();
        let appenders: Vec<_> = (0..cell.appenders)
            .map(|index| {
                let (log, stage) = (log.clone(), &stage);
                let spawned = std::thread::Builder::new().spawn_scoped(scope, move || appender(&log, stage, index, load.round));
                // Those that were started begin as soon as it is let go, and find that it is over.
                spawned.inspect_err(|_| stage.phase.store(OVER, Ordering::Relaxed)).map_err(Error::io("start a thread for", dir))
            })
            .collect::<Result<_>>()?;
        drop(ready);
        pause(load.warmup, &stage, watch);
        let device = Device::read(load.place);
        let (before, cpu, since) = (log.counts(), cpu_time(), Instant::now());
        let since = *stage.since.get_or_init(|| since);
        stage.phase.store(MEASURING, Ordering::Relaxed);
        pause(load.duration, &stage, watch);
        first_answer(load, &stage, watch);
        stage.phase.store(OVER, Ordering::Relaxed);
        let (after, used) = (log.counts(), cpu_time().saturating_sub(cpu));
        run.seconds = since.elapsed().as_secs_f64();
        run.cpu = used;
        run.syncs = after.syncs - before.syncs;
        run.records = after.records - before.records;
        let written = Device::read(load.place).zip(device).map(|(after, before)| after.since(&before));
        run.device_bytes = written.map(|device| device.bytes);
        run.device_flushes = written.map(|device| device.flushes);
        Ok(appenders.into_iter().map(|thread| thread.join().expect("an appender does not panic")).collect())
    });
    run.join(seen?)?;
    run.slice_seconds = stage.slice.as_secs_f64();
    log.close()?;
    run.syncs_in_all = log.counts().syncs;
    run.notes = log.notes();
    drop(log);
    run.held = Some(held(disk, dir)?);
    Ok(run)
}

impl LoadShared<'_> {
    /// In which part of the measured time that is.
    fn part_of(&self, at: Instant) -> Option<usize> {
        let late = at.saturating_duration_since(*self.since.get()?);
        let part = late.as_nanos().checked_div(self.slice.as_nanos())?;
        usize::try_from(part).ok().filter(|part| *part < SLICES as usize)
    }
}

impl Run {
    /// Adds up what the appenders saw.
    fn join(&mut self, seen: Vec<AppenderTally>) -> Result<()> {
        let mut told: Vec<u64> = Vec::new();
        for one in seen {
            if let Some(error) = one.error {
                return Err(error);
            }
            self.acked += one.acked;
            self.bytes += one.bytes;
            self.acked_in_all += one.in_all;
            self.latency.join(&one.latency);
            add_each(&mut told, &one.told);
            add_each(&mut self.slices, &one.slices);
        }
        // Each group of n was told of by n records.
        self.groups =
            told.iter().enumerate().map(|(size, told)| if size == 0 { 0 } else { told.div_ceil(size as u64) }).collect();
        Ok(())
    }
}

fn add_each(sums: &mut Vec<u64>, more: &[u64]) {
    sums.resize(sums.len().max(more.len()), 0);
    sums.iter_mut().zip(more).for_each(|(sum, more)| *sum += more);
}

/// How many records the log holds, read as `walctl verify` reads it.
fn held(disk: &Arc<dyn Disk>, dir: &Path) -> Result<u64> {
    let mut records = 0;
    for input in open(disk, dir, &Choice::default())? {
        records += verify(&input, &Checks::default(), &Progress::default())?.records;
    }
    Ok(records)
}

fn cpu_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// Waits in small steps, so that it can be ended.
fn pause(span: Duration, stage: &LoadShared<'_>, watch: &Watch<'_>) {
    let until = Instant::now() + span;
    while let Some(rest) = until.checked_duration_since(Instant::now()).filter(|rest| !rest.is_zero()) {
        if watch.is_over() || stage.failed.load(Ordering::Relaxed) {
            return;
        }
        std::thread::sleep(rest.min(LOOK));
    }
}

/// Waits until something was acknowledged: a sync that lasts longer than all that was asked for is a figure too, and the only one there is.
fn first_answer(load: &Load<'_>, stage: &LoadShared<'_>, watch: &Watch<'_>) {
    let expected = load.cell.rate.is_none_or(|rate| rate * load.duration.as_secs_f64() >= 1.0);
    while expected && !(stage.answered.load(Ordering::Relaxed) || stage.failed.load(Ordering::Relaxed) || watch.is_over()) {
        std::thread::sleep(FIRST_ANSWER);
    }
}

fn appender(log: &GroupCommit, stage: &LoadShared<'_>, index: usize, round: usize) -> AppenderTally {
    let mut seen = AppenderTally::default();
    // Each begins at another place of the pool, and each round elsewhere.
    let turn = index.wrapping_mul(7919).wrapping_add(round.wrapping_mul(104_729));
    drop(stage.ready.read());
    let done = match stage.cell.rate {
        None if stage.cell.inflight <= 1 => closed(log, stage, turn, &mut seen),
        rate => with_tickets(log, stage, turn, rate, index, &mut seen),
    };
    if let Err(error) = done {
        stage.failed.store(true, Ordering::Relaxed);
        seen.error = Some(error);
    }
    seen
}

/// One after the other, each when the one before is acknowledged.
fn closed(log: &GroupCommit, stage: &LoadShared<'_>, mut turn: usize, seen: &mut AppenderTally) -> Result<()> {
    while stage.phase.load(Ordering::Relaxed) != OVER {
        let payload = stage.cell.payloads.piece(turn);
        turn = turn.wrapping_add(1);
        let ack = log.append(payload)?;
        seen.take(stage, &ack, payload.len(), Duration::ZERO);
    }
    Ok(())
}

/// Several on their way at a time; at their times if there is a rate.
fn with_tickets(
    log: &GroupCommit,
    stage: &LoadShared<'_>,
    mut turn: usize,
    rate: Option<f64>,
    index: usize,
    seen: &mut AppenderTally,
) -> Result<()> {
    let cell = stage.cell;
    let interval = rate.map(|rate| Duration::from_secs_f64((cell.appenders as f64 / rate).min(3600.0)));
    // Appenders begin one after the other, so that all together keep the rate evenly.
    let mut due = Instant::now() + interval.map_or(Duration::ZERO, |i| i.mul_f64(index as f64 / cell.appenders as f64));
    let mut flying: VecDeque<(Ticket, usize, Instant)> = VecDeque::new();
    while stage.phase.load(Ordering::Relaxed) != OVER {
        if let Some(interval) = interval {
            // Answers that are there are taken while waiting.
            while due > Instant::now() {
                match flying.front() {
                    Some((ticket, _, _)) if ticket.is_over() => seen.redeem(log, stage, &mut flying)?,
                    _ => std::thread::sleep(due.saturating_duration_since(Instant::now()).min(LOOK)),
                }
                if stage.phase.load(Ordering::Relaxed) == OVER {
                    break;
                }
            }
            if stage.phase.load(Ordering::Relaxed) == OVER {
                break;
            }
            let payload = cell.payloads.piece(turn);
            let intended = due;
            due += interval;
            if cell.inflight <= 1 {
                let ack = log.append(payload)?;
                seen.take(stage, &ack, payload.len(), ack.times.came().saturating_duration_since(intended));
            } else {
                flying.push_back((log.submit(payload)?, payload.len(), intended));
            }
        } else {
            let payload = cell.payloads.piece(turn);
            flying.push_back((log.submit(payload)?, payload.len(), Instant::now()));
        }
        turn = turn.wrapping_add(1);
        while flying.len() >= cell.inflight.max(1) {
            seen.redeem(log, stage, &mut flying)?;
        }
    }
    while !flying.is_empty() {
        seen.redeem(log, stage, &mut flying)?;
    }
    Ok(())
}

impl AppenderTally {
    fn redeem(
        &mut self,
        log: &GroupCommit,
        stage: &LoadShared<'_>,
        flying: &mut VecDeque<(Ticket, usize, Instant)>,
    ) -> Result<()> {
        if let Some((ticket, bytes, intended)) = flying.pop_front() {
            let ack = log.wait(&ticket)?;
            self.take(stage, &ack, bytes, ack.times.came().saturating_duration_since(intended));
        }
        Ok(())
    }

    /// `late`: how long after its intended time it was handed over.
    fn take(&mut self, stage: &LoadShared<'_>, ack: &Ack, bytes: usize, late: Duration) {
        self.in_all += ack.last_lsn.0 - ack.lsn.0 + 1;
        if stage.phase.load(Ordering::Relaxed) != MEASURING {
            return;
        }
        if !stage.answered.load(Ordering::Relaxed) {
            stage.answered.store(true, Ordering::Relaxed);
        }
        let times = &ack.times;
        let parts = [times.queue() + late, times.window(), times.write(), times.sync(), times.wake()];
        self.acked += 1;
        self.bytes += bytes as u64;
        // What is acknowledged after the time that was asked for belongs to no part of it.
        if let Some(part) = stage.part_of(times.done()) {
            self.slices.resize(SLICES as usize, 0);
            self.slices[part] += 1;
        }
        self.latency.add(parts.iter().sum(), parts);
        let size = ack.group_size.min(LARGEST_GROUP);
        if self.told.len() <= size {
            self.told.resize(size + 1, 0);
        }
        self.told[size] += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::payloads::Payloads;
    use crate::disk::RealDisk;
    use crate::writer::{Preallocate, SyncMode, Window};

    fn go(cell: &Cell) -> Run {
        let dir = tempfile::tempdir().expect("a folder can be made");
        let disk: Arc<dyn Disk> = Arc::new(RealDisk);
        let place = BenchPlace::default();
        let load = Load { cell, place: &place, duration: Duration::from_millis(60), warmup: Duration::from_millis(5), round: 0 };
        run(&disk, &dir.path().join("log"), &load, &Watch::deaf()).expect("the disk works")
    }

    fn cell() -> Cell {
        Cell {
            appenders: 3,
            payloads: Payloads::fixed(100),
            sync: SyncMode::Fdatasync,
            window: Window::Auto,
            preallocate: Preallocate::None,
            direct: false,
            buffered: false,
            inflight: 1,
            rate: None,
        }
    }

    #[test]
    fn what_was_acknowledged_is_what_the_log_holds() {
        for cell in [
            cell(),
            Cell { inflight: 8, ..cell() },
            Cell { rate: Some(500.0), ..cell() },
            Cell { rate: Some(500.0), inflight: 8, ..cell() },
        ] {
            let run = go(&cell);
            assert_eq!(run.held, Some(run.acked_in_all), "{}", cell.key());
            assert!(run.acked_in_all >= run.acked && run.syncs_in_all >= run.syncs);
            let told: u64 = run.slices.iter().sum();
            assert!(run.slices.len() <= 20 && told <= run.acked, "{told} of {} in parts of the time", run.acked);
        }
    }

    #[test]
    fn a_load_is_measured_until_something_was_acknowledged() {
        let dir = tempfile::tempdir().expect("a folder can be made");
        let disk: Arc<dyn Disk> = Arc::new(RealDisk);
        let place = BenchPlace::default();
        for cell in [cell(), Cell { inflight: 8, ..cell() }] {
            // As good as no time: on a disk that stalls a minute is not more.
            let load = Load { cell: &cell, place: &place, duration: Duration::ZERO, warmup: Duration::ZERO, round: 0 };
            for turn in 0..10 {
                let run = run(&disk, &dir.path().join(format!("log-{turn}")), &load, &Watch::deaf()).expect("the disk works");
                assert!(run.acked > 0 && run.seconds > 0.0, "{}: {} acknowledged", cell.key(), run.acked);
                std::fs::remove_dir_all(dir.path().join(format!("log-{turn}"))).expect("it can go");
            }
        }
    }

    #[test]
    fn an_open_loop_charges_a_stall_to_all_who_had_to_wait() {
        // Far more than one appender can do: each is later than the one before, and says so.
        let run = go(&Cell { appenders: 1, rate: Some(1e7), ..cell() });
        let whole: f64 = run.latency.whole.mean();
        let own = run.latency.parts[1..].iter().sum::<u64>() as f64 / run.acked.max(1) as f64;
        assert!(run.acked < 100 || whole > own, "{whole} {own}");
    }
}
