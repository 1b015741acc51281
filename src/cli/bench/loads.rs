//! From flags to cells: what is measured with flags, and without any.

use std::sync::Arc;
use std::time::Duration;

use walctl::bench::{Cell, Matrix, Pace, Payloads, candidates};
use walctl::disk::{Disk, RealDisk};
use walctl::writer::{Settings, Window};

use super::{BenchArgs, DEFAULT_LIMIT};
use crate::cli::exit::usage;
use walctl::model::units::parse_bytes;

/// The longest record that a benchmark appends.
const LONGEST: u64 = 64 << 20;

/// What to measure and for how long.
pub fn plan(args: &BenchArgs, sync: Option<Duration>) -> anyhow::Result<(Vec<Cell>, Pace)> {
    let payloads = payloads(args)?;
    let default = Settings::default();
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

fn payloads(args: &BenchArgs) -> anyhow::Result<Vec<Arc<Payloads>>> {
    if let Some(text) = &args.size_dist {
        return Ok(vec![Payloads::mix(&weights(text)?)?]);
    }
    if let Some(path) = &args.from {
        let disk: Arc<dyn Disk> = Arc::new(RealDisk);
        return Ok(vec![Payloads::of_log(&disk, path)?]);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mixes_are_read_as_people_write_them() {
        assert_eq!(weights("128:90,4KiB:10").expect("it is a mix"), [(128, 90), (4096, 10)]);
        for wrong in ["", "128", "128:", ":1", "128:x", "1TiB:1"] {
            assert!(weights(wrong).is_err(), "{wrong}");
        }
    }
}
