//! What to measure and in which order: cells from lists of settings, interleaved so that a drift of the disk falls on all alike.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::figures::{Figures, Run};
use super::load::{Load, run};
use super::machine::BenchPlace;
use super::observer::Watch;
use super::setting::Cell;
use crate::disk::Disk;
use crate::model::Result;

/// How long and how often.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// What is measured of each repeat.
    pub duration: Duration,
    /// What is thrown away before it.
    pub warmup: Duration,
    /// Repeats of each cell.
    pub repeats: usize,
    /// No round is begun that would end after this; none for no limit.
    pub limit: Option<Duration>,
}

/// A cell and its figures.
#[derive(Clone, Debug)]
pub struct Measured {
    /// The settings.
    pub cell: Cell,
    /// What came of it.
    pub figures: Figures,
}

/// What a plan gave.
#[derive(Clone, Debug, Default)]
pub struct Measurements {
    /// The cells that were measured at least once.
    pub measured: Vec<Measured>,
    /// Rounds that were carried out whole.
    pub rounds: usize,
    /// It was ended early.
    pub interrupted: bool,
    /// What the writer noted, once each.
    pub notes: Vec<String>,
}

/// Measures the cells in rounds: each cell once, then each cell again.
pub fn measure(
    disk: &Arc<dyn Disk>,
    dir: &Path,
    place: &BenchPlace,
    cells: &[Cell],
    pace: &Pace,
    watch: &Watch<'_>,
) -> Result<Measurements> {
    let begun = Instant::now();
    let mut runs: Vec<Vec<Run>> = vec![Vec::new(); cells.len()];
    let mut outcome = Measurements::default();
    let mut notes = BTreeMap::new();
    for round in 0..pace.repeats {
        let round_takes = begun.elapsed() / u32::try_from(round.max(1)).unwrap_or(u32::MAX);
        if round > 0 && pace.limit.is_some_and(|limit| begun.elapsed() + round_takes > limit) {
            break;
        }
        for index in order(cells.len(), round) {
            let cell = &cells[index];
            if watch.is_over() {
                outcome.interrupted = true;
                break;
            }
            let dir = dir.join(format!("cell-{index}"));
            let load = Load { cell, place, duration: pace.duration, warmup: pace.warmup, round };
            let ran = run(disk, &dir, &load, watch);
            // The room is needed for the next one, whatever came of this one.
            let removed = std::fs::remove_dir_all(&dir);
            let ran = ran?;
            removed.map_err(crate::model::Error::io("remove", &dir))?;
            for note in &ran.notes {
                notes.insert(note.replace(&dir.display().to_string(), &place.dir.display().to_string()), ());
            }
            if watch.is_over() {
                // A repeat that was cut short counts only when there is nothing better.
                outcome.interrupted = true;
                if runs[index].is_empty() {
                    runs[index].push(ran);
                }
                break;
            }
            runs[index].push(ran);
            watch.step(1);
        }
        if outcome.interrupted {
            break;
        }
        outcome.rounds = round + 1;
    }
    outcome.measured = cells
        .iter()
        .zip(&runs)
        .filter_map(|(cell, runs)| Some(Measured { cell: cell.clone(), figures: Figures::of(runs)? }))
        .collect();
    outcome.notes = notes.into_keys().collect();
    Ok(outcome)
}

/// All of so many, each round in another order and each behind another: what a large cell leaves to the disk (a file that was removed, a
/// journal to commit) is paid by the cell that comes next, and must not always be paid by the same.
fn order(count: usize, round: usize) -> impl Iterator<Item = usize> {
    let prime_to = |step: &usize| (2..=*step).all(|d| !step.is_multiple_of(d) || !count.is_multiple_of(d));
    let steps: Vec<usize> = (1..count.max(2)).filter(prime_to).collect();
    let step = steps[round % steps.len()];
    (0..count).map(move |turn| (turn * step + round) % count)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::setting::few;
    use crate::disk::RealDisk;

    #[test]
    fn each_round_has_all_cells_and_another_order() {
        for count in [1, 2, 3, 6, 12, 15, 36] {
            for round in 0..9 {
                let mut all: Vec<usize> = order(count, round).collect();
                all.sort_unstable();
                assert_eq!(all, (0..count).collect::<Vec<_>>(), "{count} in round {round}");
            }
        }
        let before = |round| {
            let all: Vec<usize> = order(15, round).collect();
            all[(all.iter().position(|cell| *cell == 0).expect("it is there") + 14) % 15]
        };
        let mut ahead: Vec<usize> = (0..5).map(before).collect();
        ahead.sort_unstable();
        ahead.dedup();
        assert_eq!(ahead.len(), 5, "the first cell comes behind another in each of five rounds");
        assert_eq!(order(4, 0).collect::<Vec<_>>(), [0, 1, 2, 3]);
    }

    #[test]
    fn every_cell_is_measured_in_every_round_and_what_it_acknowledged_is_in_the_log() {
        let dir = tempfile::tempdir().expect("a folder can be made");
        let disk: Arc<dyn Disk> = Arc::new(RealDisk);
        let pace = Pace { duration: Duration::from_millis(250), warmup: Duration::from_millis(5), repeats: 2, limit: None };
        let outcome =
            measure(&disk, dir.path(), &BenchPlace::default(), &few().cells(), &pace, &Watch::deaf()).expect("it works");
        assert_eq!((outcome.measured.len(), outcome.rounds, outcome.interrupted), (4, 2, false));
        for measured in &outcome.measured {
            assert_eq!((measured.figures.repeats, measured.figures.lacking), (2, 0));
            assert!(measured.figures.rate.median > 0.0);
        }
        assert_eq!(std::fs::read_dir(dir.path()).expect("it is there").count(), 0);
    }

    #[test]
    fn a_plan_that_is_ended_at_once_gives_nothing_and_leaves_nothing() {
        let dir = tempfile::tempdir().expect("a folder can be made");
        let disk: Arc<dyn Disk> = Arc::new(RealDisk);
        let pace = Pace { duration: Duration::from_secs(60), warmup: Duration::ZERO, repeats: 2, limit: None };
        let watch = Watch { stop: &|| true, ..Watch::deaf() };
        let outcome = measure(&disk, dir.path(), &BenchPlace::default(), &few().cells(), &pace, &watch).expect("it ends");
        assert!(outcome.interrupted && outcome.measured.is_empty());
    }
}
