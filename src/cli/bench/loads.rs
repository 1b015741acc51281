//! From flags to cells: what is measured when somebody says so, and when nobody says anything.

use std::sync::Arc;
use std::time::Duration;

use walctl::disk::{Disk, RealDisk};
use walctl::formats::{Halt, Item, Sink, Visit, Want};
use walctl::model::Payload;
use walctl::ops::bench::{Cell, Matrix, Pace, Payloads, Probe};
use walctl::ops::{Choice, open};
use walctl::writer::{Options, SyncMode, Window};

use super::{BenchArgs, DEFAULT_LIMIT};
use crate::cli::render::out::usage;
use crate::cli::units::parse_bytes;

/// The longest record that a benchmark appends.
const LONGEST: u64 = 64 << 20;
/// Payloads that are taken from a real log, and how much memory they may take.
const TAKEN: usize = 10_000;
const TAKEN_BYTES: usize = 64 << 20;

/// What to measure and for how long.
pub fn plan(args: &BenchArgs, probe: &Probe) -> anyhow::Result<(Vec<Cell>, Pace)> {
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
        direct: vec![args.direct],
        inflight: if args.inflight.is_empty() { vec![1] } else { args.inflight.iter().map(|n| *n as usize).collect() },
        rate: if args.rate.is_empty() { vec![None] } else { args.rate.iter().map(|rate| Some(rate.get() as f64)).collect() },
    };
    let mut cells = matrix.cells();
    args.cells_are_many(&cells)?;
    if plain {
        cells = cells.iter().flat_map(|cell| candidates(cell, probe)).collect();
    }
    let duration = args.duration.unwrap_or(if plain { Duration::from_millis(550) } else { Duration::from_secs(1) });
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

/// The settings that may win on some disk: the defaults, no window, a window that fits this disk, and writes past the cache.
fn candidates(cell: &Cell, probe: &Probe) -> Vec<Cell> {
    let fit = probe.sync().map_or(Duration::from_micros(50), |sync| rounded(sync / 3));
    vec![
        cell.clone(),
        Cell { window: Window::Fixed(Duration::ZERO), ..cell.clone() },
        Cell { window: Window::Fixed(fit), ..cell.clone() },
        Cell { sync: SyncMode::Dsync, direct: true, ..cell.clone() },
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

fn from_log(path: &std::path::Path) -> anyhow::Result<Arc<Payloads>> {
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
            let visit = Visit { source: &input.source, segment, keys: &input.keys, want, before: None };
            match (input.format.walk)(&visit, &mut Sink::new(&mut take)) {
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
