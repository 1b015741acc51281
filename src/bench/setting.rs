//! What is measured: one load with one setting, and all combinations of lists of both.

use std::sync::Arc;

use super::payloads::Payloads;
use crate::writer::{Preallocate, Settings, SyncMode, Window};

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

    /// The settings that differ from the writer's defaults, as they would be typed.
    #[must_use]
    pub fn changes(&self) -> String {
        let default = Settings::default();
        let mut flags = Vec::new();
        let mut flag = |differs: bool, words: String| flags.extend(differs.then_some(words));
        flag(self.sync != default.sync, format!("--sync {}", self.sync));
        flag(self.window != default.window, format!("--window {}", self.window));
        flag(self.preallocate != default.preallocate, format!("--preallocate {}", self.preallocate));
        flag(self.direct != default.direct, "--direct".into());
        flag(self.buffered != default.buffered, "--buffered".into());
        flags.join(" ")
    }

    /// Whether these are the writer's defaults.
    #[must_use]
    pub fn is_default(&self) -> bool {
        let default = Settings::default();
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

/// A matrix has at most this many cells.
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

/// Four cells, for tests.
#[cfg(test)]
pub(super) fn few() -> Matrix {
    Matrix {
        appenders: vec![1, 4],
        payloads: vec![Payloads::fixed(128)],
        sync: vec![SyncMode::Fdatasync],
        window: vec![Window::Auto, Window::Fixed(std::time::Duration::ZERO)],
        preallocate: vec![Preallocate::None],
        direct: vec![false],
        buffered: vec![false],
        inflight: vec![1],
        rate: vec![None],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_make_every_combination_once() {
        let cells = few().cells();
        let mut keys: Vec<String> = cells.iter().map(Cell::key).collect();
        assert_eq!(keys.len(), 4);
        assert_eq!(keys[0], "1 x 128 --sync fdatasync --window auto --preallocate none");
        keys.dedup();
        assert_eq!(keys.len(), 4);
        let ways = Matrix { direct: vec![false, true], buffered: vec![false, true], appenders: vec![1], ..few() };
        assert_eq!(ways.cells().len(), 6, "nothing goes both through the cache and past it");
        let huge = Matrix { appenders: vec![1; 10_000], ..few() };
        assert_eq!(huge.cells().len(), CELLS_LIMIT + 1);
    }
}
