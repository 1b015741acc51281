//! What to measure and in which order: cells from lists of settings, interleaved so that a drift of the disk falls on all alike.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::figures::{Figures, Run};
use super::load::{Load, run};
use super::payloads::Payloads;
use super::place::BenchPlace;
use crate::disk::Disk;
use crate::model::Result;
use crate::writer::{Options, Preallocate, SyncMode, Window};

/// Who watches a measurement and may end it.
#[derive(Clone, Copy)]
pub struct Watch<'a> {
    /// Whether it should end now, with what there is.
    pub stop: &'a (dyn Fn() -> bool + Sync),
    /// Told how many steps are done more.
    pub done: &'a (dyn Fn(u64) + Sync),
}

impl fmt::Debug for Watch<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Watch")
    }
}

impl Watch<'_> {
    /// Nobody watches.
    #[must_use]
    pub fn deaf() -> Watch<'static> {
        Watch { stop: &|| false, done: &|_| {} }
    }

    pub(super) fn is_over(&self) -> bool {
        (self.stop)()
    }

    pub(super) fn step(&self, steps: u64) {
        (self.done)(steps);
    }
}

/// The settings of one cell.
#[derive(Clone, Debug)]
pub struct Cell {
    /// Threads that append.
    pub appenders: usize,
    /// What they append.
    pub payloads: Arc<Payloads>,
    /// How it is made durable.
    pub sync: SyncMode,
    /// How long a leader waits for company.
    pub window: Window,
    /// How room is made.
    pub preallocate: Preallocate,
    /// Past the page cache.
    pub direct: bool,
    /// Everything through the page cache.
    pub buffered: bool,
    /// How many records each appender has on their way at a time.
    pub inflight: usize,
    /// Appends a second of all appenders together; none is as fast as they can, each waiting for its acknowledgement.
    pub rate: Option<f64>,
}

impl Cell {
    /// The settings of the writer, as they would be typed.
    #[must_use]
    pub fn flags(&self) -> String {
        let mut flags = format!("--sync {} --window {} --preallocate {}", self.sync, self.window, self.preallocate);
        if self.direct {
            flags.push_str(" --direct");
        }
        if self.buffered {
            flags.push_str(" --buffered");
        }
        flags
    }

    /// The settings that differ from those that the writer has when nobody says anything, as they would be typed.
    #[must_use]
    pub fn changes(&self) -> String {
        let default = Options::default();
        let mut flags = Vec::new();
        let mut flag = |differs: bool, words: String| flags.extend(differs.then_some(words));
        flag(self.sync != default.sync, format!("--sync {}", self.sync));
        flag(self.window != default.window, format!("--window {}", self.window));
        flag(self.preallocate != default.preallocate, format!("--preallocate {}", self.preallocate));
        flag(self.direct != default.direct, "--direct".into());
        flag(self.buffered != default.buffered, "--buffered".into());
        flags.join(" ")
    }

    /// Whether the writer has the settings that it has when nobody says anything.
    #[must_use]
    pub fn is_default(&self) -> bool {
        let default = Options::default();
        (self.sync, self.window, self.preallocate, self.direct, self.buffered)
            == (default.sync, default.window, default.preallocate, default.direct, default.buffered)
    }

    /// The load, apart from the settings of the writer.
    #[must_use]
    pub fn load(&self) -> String {
        let mut load = format!("{} x {}", self.appenders, self.payloads.name());
        if self.inflight > 1 {
            load.push_str(&format!(" inflight {}", self.inflight));
        }
        if let Some(rate) = self.rate {
            load.push_str(&format!(" at {rate:.0}/s"));
        }
        load
    }

    /// Load and settings: equal for equal cells, in this run and in another.
    #[must_use]
    pub fn key(&self) -> String {
        format!("{} {}", self.load(), self.flags())
    }
}

/// Lists of settings; every combination is a cell.
#[derive(Clone, Debug)]
pub struct Matrix {
    /// Threads that append.
    pub appenders: Vec<usize>,
    /// What they append.
    pub payloads: Vec<Arc<Payloads>>,
    /// How it is made durable.
    pub sync: Vec<SyncMode>,
    /// How long a leader waits for company.
    pub window: Vec<Window>,
    /// How room is made.
    pub preallocate: Vec<Preallocate>,
    /// Past the page cache or not.
    pub direct: Vec<bool>,
    /// Everything through the page cache or not; with `direct` it is no setting, and left out.
    pub buffered: Vec<bool>,
    /// Records on their way for each appender.
    pub inflight: Vec<usize>,
    /// Rates; none is as fast as they can.
    pub rate: Vec<Option<f64>>,
}

/// More cells than these nobody reads.
pub const CELLS_LIMIT: usize = 500;

impl Matrix {
    /// Every combination, in the order of the lists.
    #[must_use]
    pub fn cells(&self) -> Vec<Cell> {
        let mut cells = Vec::new();
        for payloads in &self.payloads {
            for rate in &self.rate {
                for inflight in &self.inflight {
                    for appenders in &self.appenders {
                        for sync in &self.sync {
                            for (direct, buffered) in self.ways() {
                                for preallocate in &self.preallocate {
                                    for window in &self.window {
                                        cells.push(Cell {
                                            appenders: *appenders,
                                            payloads: payloads.clone(),
                                            sync: *sync,
                                            window: *window,
                                            preallocate: *preallocate,
                                            direct,
                                            buffered,
                                            inflight: *inflight,
                                            rate: *rate,
                                        });
                                        if cells.len() > CELLS_LIMIT {
                                            return cells;
                                        }
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
        cells
    }

    /// How bytes reach the disk: past the cache, through it, or as it comes.
    fn ways(&self) -> Vec<(bool, bool)> {
        let all = self.direct.iter().flat_map(|direct| self.buffered.iter().map(move |buffered| (*direct, *buffered)));
        all.filter(|(direct, buffered)| !(*direct && *buffered)).collect()
    }
}

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
pub struct Outcome {
    /// The cells that were measured at least once.
    pub measured: Vec<Measured>,
    /// Rounds that were carried out whole.
    pub rounds: usize,
    /// Somebody ended it early.
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
) -> Result<Outcome> {
    let begun = Instant::now();
    let mut runs: Vec<Vec<Run>> = vec![Vec::new(); cells.len()];
    let mut outcome = Outcome::default();
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
/// journal to commit) is paid by whoever comes next, and must not always be paid by the same.
fn order(count: usize, round: usize) -> impl Iterator<Item = usize> {
    let prime_to = |step: &usize| (2..=*step).all(|d| !step.is_multiple_of(d) || !count.is_multiple_of(d));
    let steps: Vec<usize> = (1..count.max(2)).filter(prime_to).collect();
    let step = steps[round % steps.len()];
    (0..count).map(move |turn| (turn * step + round) % count)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::RealDisk;

    fn matrix() -> Matrix {
        Matrix {
            appenders: vec![1, 4],
            payloads: vec![Payloads::fixed(128)],
            sync: vec![SyncMode::Fdatasync],
            window: vec![Window::Auto, Window::Fixed(Duration::ZERO)],
            preallocate: vec![Preallocate::None],
            direct: vec![false],
            buffered: vec![false],
            inflight: vec![1],
            rate: vec![None],
        }
    }

    #[test]
    fn lists_make_every_combination_once() {
        let cells = matrix().cells();
        let mut keys: Vec<String> = cells.iter().map(Cell::key).collect();
        assert_eq!(keys.len(), 4);
        assert_eq!(keys[0], "1 x 128 --sync fdatasync --window auto --preallocate none");
        keys.dedup();
        assert_eq!(keys.len(), 4);
        let ways = Matrix { direct: vec![false, true], buffered: vec![false, true], appenders: vec![1], ..matrix() };
        assert_eq!(ways.cells().len(), 6, "nothing goes both through the cache and past it");
        let huge = Matrix { appenders: vec![1; 10_000], ..matrix() };
        assert_eq!(huge.cells().len(), CELLS_LIMIT + 1);
    }

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
        let pace = Pace { duration: Duration::from_millis(30), warmup: Duration::from_millis(5), repeats: 2, limit: None };
        let outcome =
            measure(&disk, dir.path(), &BenchPlace::default(), &matrix().cells(), &pace, &Watch::deaf()).expect("it works");
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
        let outcome = measure(&disk, dir.path(), &BenchPlace::default(), &matrix().cells(), &pace, &watch).expect("it ends");
        assert!(outcome.interrupted && outcome.measured.is_empty());
    }
}
