//! What is measured when no settings are given: the settings that may win on some disk, and a disk that is kept busy.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::figures::PARTS;
use super::machine::BenchPlace;
use super::observer::Watch;
use super::payloads::Payloads;
use super::plan::{Pace, measure};
use super::setting::Cell;
use crate::disk::Disk;
use crate::model::Result;
use crate::writer::{Settings, SyncMode, Window};

/// This many appenders make a disk busy.
const BUSY: usize = 16;

/// What a sync takes while many append, which is not what it takes when one does: some machines answer a busy disk sooner than an idle
/// one, and on others appenders are in the way.
pub fn busy_sync(disk: &Arc<dyn Disk>, dir: &Path, place: &BenchPlace, watch: &Watch<'_>) -> Result<Option<Duration>> {
    let default = Settings::default();
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
#[must_use]
pub fn candidates(cell: &Cell, sync: Option<Duration>) -> Vec<Cell> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_that_fits_is_a_round_number() {
        for (micros, round) in [(1, 5), (43, 50), (44, 50), (12, 10), (18, 20), (90, 100), (340, 200), (360, 500), (2000, 2000)] {
            assert_eq!(rounded(Duration::from_micros(micros)), Duration::from_micros(round), "{micros}");
        }
    }
}
