//! From flags to cells: what is measured when somebody says so, and when nobody says anything.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use walctl::bench::{BenchPlace, Cell, Matrix, PARTS, Pace, Payloads, Watch, measure};
use walctl::disk::{Disk, RealDisk};
use walctl::formats::{Halt, Item, Sink, Visit, Want};
use walctl::model::{Payload, Result};
use walctl::ops::open::{Choice, open};
use walctl::writer::{Options, SyncMode, Window};

use super::{BenchArgs, DEFAULT_LIMIT};
use crate::cli::exit::usage;
use walctl::model::units::parse_bytes;

/// The longest record that a benchmark appends.
const LONGEST: u64 = 64 << 20;
/// So many appenders make a disk busy.
const BUSY: usize = 16;
/// Payloads that are taken from a real log, and how much memory they may take.
const TAKEN: usize = 10_000;
const TAKEN_BYTES: usize = 64 << 20;

/// What to measure and for how long.
pub fn plan(args: &BenchArgs, sync: Option<Duration>) -> anyhow::Result<(Vec<Cell>, Pace)> {
    let payloads = payloads(args)?;
    let default = Options::default();
    let plain = args.is_plain();
    let or = |given: &[u16], otherwise: &[usize]| match given {
        [] => otherwise.to_vec(),
        given => given.iter().map(|n| usize::from(*n)).collect(),
    };
    let matrix = Matrix {
        appenders: or(&args.appenders, &[1, 16, 64]),
        payloads,
        sync: if args.sync.is_empty() { vec![default.sync] } else { args.sync.clone() },
        window: if args.window.is_empty() { vec![Window::Auto] } else { args.window.clone() },
        preallocate: if args.preallocate.is_empty() { vec![default.preallocate] } else { args.preallocate.clone() },
        direct: if args.direct.is_empty() { vec![false] } else { args.direct.clone() },
        buffered: if args.buffered.is_empty() { vec![false] } else { args.buffered.clone() },
        inflight: if args.inflight.is_empty() { vec![1] } else { args.inflight.iter().map(|n| *n as usize).collect() },
        rate: if args.rate.is_empty() { vec![None] } else { args.rate.iter().map(|rate| Some(rate.get() as f64)).collect() },
    };
    let mut cells = matrix.cells();
    if cells.is_empty() {
        return Err(usage("--direct and --buffered are opposites: nothing can be written both ways"));
    }
    args.cells_are_many(&cells)?;
    if plain {
        cells = cells.iter().flat_map(|cell| candidates(cell, sync)).collect();
    }
    let duration = args.duration.unwrap_or(if plain { Duration::from_millis(420) } else { Duration::from_secs(1) });
    if duration.is_zero() {
        return Err(usage("a --duration of 0 measures nothing"));
    }
    let pace = Pace {
        duration,
        warmup: args.warmup.unwrap_or(duration / 5),
        repeats: usize::from(args.repeats.unwrap_or(5)),
        limit: (plain && args.duration.is_none() && args.repeats.is_none()).then_some(DEFAULT_LIMIT),
    };
    Ok((cells, pace))
}

/// What a sync takes while many append, which is not what it takes when one does: some machines answer a busy disk sooner than an idle
/// one, and on others appenders are in the way.
pub fn busy_sync(disk: &Arc<dyn Disk>, dir: &Path, place: &BenchPlace, watch: &Watch<'_>) -> Result<Option<Duration>> {
    let default = Options::default();
    let cell = Cell {
        appenders: BUSY,
        payloads: Payloads::fixed(128),
        sync: default.sync,
        window: default.window,
        preallocate: default.preallocate,
        direct: default.direct,
        buffered: default.buffered,
        inflight: 1,
        rate: None,
    };
    let pace = Pace { duration: Duration::from_millis(200), warmup: Duration::from_millis(50), repeats: 1, limit: None };
    let quiet = Watch { done: &|_| {}, ..*watch };
    let seen = measure(disk, dir, place, &[cell], &pace, &quiet)?;
    let sync = PARTS.iter().position(|part| *part == "sync");
    let nanos = sync.and_then(|at| seen.measured.first().map(|m| m.figures.parts[at].median));
    Ok(nanos.map(|nanos| Duration::from_nanos(nanos as u64)))
}

/// The settings that may win on some disk: the defaults, no window, a window that is a part of a sync here, writes past the cache, and
/// writes through it.
fn candidates(cell: &Cell, sync: Option<Duration>) -> Vec<Cell> {
    let fit = sync.map_or(Duration::from_micros(50), |sync| rounded(sync / 3));
    vec![
        cell.clone(),
        Cell { window: Window::Fixed(Duration::ZERO), ..cell.clone() },
        Cell { window: Window::Fixed(fit), ..cell.clone() },
        Cell { sync: SyncMode::Dsync, direct: true, ..cell.clone() },
        Cell { buffered: true, ..cell.clone() },
    ]
}

/// 1, 2 or 5 times a power of ten, in microseconds: so that a little noise does not make another candidate.
fn rounded(span: Duration) -> Duration {
    let micros = span.as_micros().max(5) as f64;
    let power = 10f64.powf(micros.log10().floor());
    let step = match micros / power {
        lead if lead < 1.5 => 1.0,
        lead if lead < 3.5 => 2.0,
        lead if lead < 7.5 => 5.0,
        _ => 10.0,
    };
    Duration::from_micros((step * power) as u64)
}

fn payloads(args: &BenchArgs) -> anyhow::Result<Vec<Arc<Payloads>>> {
    if let Some(text) = &args.size_dist {
        return Ok(vec![Payloads::mix(&weights(text)?)?]);
    }
    if let Some(path) = &args.from {
        return Ok(vec![from_log(path)?]);
    }
    let sizes: &[u64] = if args.size.is_empty() { &[128] } else { &args.size };
    if sizes.iter().any(|size| *size > LONGEST) {
        return Err(usage("a benchmark appends records of 64 MiB at most"));
    }
    Ok(sizes.iter().map(|size| Payloads::fixed(*size as usize)).collect())
}

fn weights(text: &str) -> anyhow::Result<Vec<(usize, u64)>> {
    let one = |pair: &str| {
        let (size, weight) = pair.split_once(':')?;
        Some((parse_bytes(size).ok().filter(|size| *size <= LONGEST)? as usize, weight.trim().parse().ok()?))
    };
    let pairs: Option<Vec<_>> = text.split(',').map(one).collect();
    pairs.ok_or_else(|| usage(format!("`{text}` is no mix of sizes; write it like 128:90,4KiB:10")))
}

fn from_log(path: &Path) -> anyhow::Result<Arc<Payloads>> {
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let (mut pieces, mut bytes) = (Vec::new(), 0);
    for input in open(&disk, path, &Choice::default())? {
        for segment in &input.source.segments {
            let mut take = |item: Item<'_>| -> Result<(), Halt> {
                if let Item::Record(record) = item
                    && let Payload::Whole(payload) = &record.payload
                    && bytes + payload.len() <= TAKEN_BYTES
                {
                    bytes += payload.len();
                    pieces.push(payload.to_vec());
                }
                if pieces.len() >= TAKEN { Err(Halt::Enough) } else { Ok(()) }
            };
            let want = Want { payloads: true, ..Want::default() };
            let visit = Visit { source: &input.source, segment, keys: &input.keys, want };
            match input.format.walk(&visit, &mut Sink::new(&mut take)) {
                Ok(_) | Err(Halt::Enough) => {}
                Err(Halt::Failed(error)) => return Err(error.into()),
            }
        }
    }
    Ok(Payloads::real(&path.display().to_string(), pieces)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_that_fits_is_a_round_number() {
        for (micros, round) in [(1, 5), (43, 50), (44, 50), (12, 10), (18, 20), (90, 100), (340, 200), (360, 500), (2000, 2000)] {
            assert_eq!(rounded(Duration::from_micros(micros)), Duration::from_micros(round), "{micros}");
        }
    }

    #[test]
    fn mixes_are_read_as_people_write_them() {
        assert_eq!(weights("128:90,4KiB:10").expect("it is a mix"), [(128, 90), (4096, 10)]);
        for wrong in ["", "128", "128:", ":1", "128:x", "1TiB:1"] {
            assert!(weights(wrong).is_err(), "{wrong}");
        }
    }
}
