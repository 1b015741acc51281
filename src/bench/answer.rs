//! What a run says before anything else: whether it can be believed, which figure may be quoted, and what the disk did at best.

use super::advice::advise;
use super::plan::Measured;
use super::probe::Probe;
use super::session::Session;

/// How far the repeats of a run agree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Steadiness {
    /// Nothing was repeated, so nothing says how far it would vary.
    Unknown,
    /// Repeats agree.
    Steady,
    /// Repeats of some cells differ: small differences mean nothing.
    Noisy,
    /// Repeats of half of the cells or more differ by more than half: neither a figure nor a comparison means anything.
    TooNoisy,
}

impl Steadiness {
    /// All of them.
    pub const ALL: [Steadiness; 4] = [Steadiness::Unknown, Steadiness::Steady, Steadiness::Noisy, Steadiness::TooNoisy];

    /// Its name in JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Steadiness::Unknown => "unknown",
            Steadiness::Steady => "steady",
            Steadiness::Noisy => "noisy",
            Steadiness::TooNoisy => "too-noisy",
        }
    }

    /// Of these cells. Those that promise nothing have no say: they do not wait for the disk.
    #[must_use]
    pub fn of(measured: &[Measured]) -> Steadiness {
        let durable = measured.iter().filter(|m| m.cell.sync.promises());
        let repeated: Vec<(&Measured, bool)> = durable.filter_map(|m| Some((m, m.figures.is_very_noisy()?))).collect();
        let very = repeated.iter().filter(|(_, very)| *very).count();
        match repeated.len() {
            0 => Steadiness::Unknown,
            all if very * 2 >= all => Steadiness::TooNoisy,
            _ if repeated.iter().any(|(m, _)| m.figures.noise().is_some()) => Steadiness::Noisy,
            _ => Steadiness::Steady,
        }
    }
}

/// How many durable writes a second the disk did one after the other.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct InARow {
    /// When nothing else ran.
    pub alone: f64,
    /// The most that was seen in the whole run, also while appenders kept the disk busy.
    pub best: f64,
}

impl InARow {
    /// Whether the disk was as quick when nothing else ran as it ever was.
    #[must_use]
    pub fn is_the_same(&self) -> bool {
        self.best <= self.alone * 1.05
    }
}

impl Session {
    /// Says what to set, by all that was measured.
    pub fn conclude(&mut self) {
        let mut advice = advise(&self.outcome.measured, &self.probe);
        if self.is_distrusted() {
            let words = "no log belongs here, so none of this says anything about a disk that keeps its promises";
            advice.reasons.insert(0, words.into());
        }
        self.advice = Some(advice);
    }

    /// Whether something grave speaks against the disk.
    #[must_use]
    pub fn is_distrusted(&self) -> bool {
        self.doubts.iter().any(|doubt| doubt.grave)
    }

    /// How far its repeats agree.
    #[must_use]
    pub fn steadiness(&self) -> Steadiness {
        Steadiness::of(&self.outcome.measured)
    }

    /// The cells whose figures may be quoted, the quickest first and a lone appender last: with the settings that are advised, or with
    /// those that others were compared with. None where figures cannot be believed.
    #[must_use]
    pub fn quotable(&self) -> Vec<&Measured> {
        if self.is_distrusted() || self.steadiness() == Steadiness::TooNoisy {
            return Vec::new();
        }
        let durable = || self.outcome.measured.iter().filter(|m| m.cell.sync.promises());
        let Some(base) = durable().find(|m| m.cell.is_default()).or(durable().next()).map(|m| m.cell.changes()) else {
            return Vec::new();
        };
        let advised = self.advice.as_ref().map(|advice| &advice.flags).filter(|flags| !flags.is_empty()).unwrap_or(&base);
        let by_rate = |a: &&Measured, b: &&Measured| a.figures.rate.median.total_cmp(&b.figures.rate.median);
        let quickest = durable().filter(|m| m.cell.changes() == *advised).max_by(by_rate);
        // What is advised for many may harm one: then one stays with the base.
        let either = durable().filter(|m| m.is_alone() && [advised, &base].contains(&&m.cell.changes()));
        let alone = either.max_by(by_rate).filter(|_| quickest.is_some_and(|quickest| !quickest.is_alone()));
        quickest.into_iter().chain(alone).collect()
    }

    /// How many durable writes a second came one after the other; `None` if the disk was not measured by itself.
    #[must_use]
    pub fn in_a_row(&self) -> Option<InARow> {
        let alone = 1e9 / self.probe.sync()?.as_nanos().max(1) as f64;
        let after = self.after.sync().map(|sync| 1e9 / sync.as_nanos().max(1) as f64);
        let durable = || self.outcome.measured.iter().filter(|m| m.cell.sync.promises());
        let syncs = durable().map(|m| m.figures.syncs.max);
        let appends = durable().filter(|m| m.is_alone()).map(|m| m.figures.rate.max);
        let probes = [&self.probe, &self.after].into_iter().flat_map(Probe::quickest);
        let best = syncs.chain(appends).chain(after).chain(probes).fold(alone, f64::max);
        Some(InARow { alone, best })
    }
}

impl Measured {
    /// Whether each append waited for the one before.
    fn is_alone(&self) -> bool {
        self.cell.appenders == 1 && self.cell.inflight <= 1
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::bench::BenchPlace;
    use crate::bench::figures::{Figures, Run, Spread};
    use crate::bench::payloads::Payloads;
    use crate::bench::plan::Measurements;
    use crate::bench::probe::{Cost, Room, SyncWay};
    use crate::bench::setting::Cell;
    use crate::bench::setting::few;
    use crate::bench::trust::Doubt;
    use crate::writer::{SyncMode, Window};

    fn measured(appenders: usize, rates: &[u64]) -> Measured {
        let settings = crate::writer::Settings::default();
        let cell = Cell {
            appenders,
            payloads: Payloads::fixed(128),
            window: Window::Auto,
            preallocate: settings.preallocate,
            ..few().cells()[0].clone()
        };
        let run = |rate: &u64| Run { seconds: 1.0, acked: *rate, records: *rate, syncs: *rate, ..Run::default() };
        Measured { cell, figures: Figures::of(&rates.iter().map(run).collect::<Vec<_>>()).expect("there are runs") }
    }

    fn session(measured: Vec<Measured>, sync_ms: f64) -> Session {
        let cost = Cost {
            room: Room::Zero,
            way: SyncWay::Fdatasync,
            bytes: 4096,
            median: Spread::flat(sync_ms * 1e6),
            p99: 0,
            writes: 9,
        };
        let mut session = Session {
            made: None,
            version: String::new(),
            command: String::new(),
            place: BenchPlace::default(),
            probe: Probe { costs: vec![cost], refused: Vec::new() },
            after: Probe::default(),
            doubts: Vec::new(),
            outcome: Measurements { measured, ..Measurements::default() },
            advice: None,
            targets: Vec::new(),
            took: Duration::ZERO,
        };
        session.conclude();
        session
    }

    #[test]
    fn a_machine_is_too_noisy_when_half_of_the_cells_are() {
        let (steady, noisy, very) = (measured(1, &[100, 101]), measured(4, &[100, 130]), measured(8, &[100, 300]));
        for (cells, steadiness) in [
            (vec![], Steadiness::Unknown),
            (vec![measured(1, &[100])], Steadiness::Unknown),
            (vec![steady.clone()], Steadiness::Steady),
            (vec![steady.clone(), noisy.clone()], Steadiness::Noisy),
            (vec![steady.clone(), noisy.clone(), very.clone()], Steadiness::Noisy),
            (vec![noisy, very.clone()], Steadiness::TooNoisy),
        ] {
            assert_eq!(Steadiness::of(&cells), steadiness, "{cells:?}");
        }
        let mut free = very;
        free.cell.sync = SyncMode::None;
        assert_eq!(Steadiness::of(&[steady, free]), Steadiness::Steady, "what promises nothing does not count");
    }

    #[test]
    fn what_may_be_quoted_is_the_quickest_load_and_a_lone_appender() {
        let cells = vec![measured(1, &[100, 101]), measured(16, &[900, 901]), measured(64, &[700, 701])];
        let who = |session: &Session| session.quotable().iter().map(|m| m.cell.appenders).collect::<Vec<_>>();
        let mut found = session(cells, 10.0);
        assert_eq!(who(&found), [16, 1]);
        found.doubts.push(Doubt { name: "memory".into(), grave: true, words: "it is memory".into() });
        assert_eq!(who(&found), [0; 0], "nothing is quoted of a disk that lies");
        assert_eq!(who(&session(vec![measured(1, &[100, 300])], 10.0)), [0; 0], "nor of a noisy one");
        assert_eq!(who(&session(vec![measured(1, &[100, 101])], 10.0)), [1], "a lone appender is quoted once");
        assert_eq!(who(&session(vec![], 10.0)), [0; 0]);
    }

    #[test]
    fn the_most_in_a_row_is_no_less_than_anything_that_was_seen() {
        let quick = session(vec![measured(1, &[508, 480]), measured(16, &[700, 701])], 2.75);
        let row = quick.in_a_row().expect("the disk was measured");
        assert_eq!((row.alone.round(), row.best, row.is_the_same()), (364.0, 701.0, false));
        assert!(session(vec![measured(1, &[340])], 2.75).in_a_row().expect("it was").is_the_same());
        let mut later = session(vec![], 2.75);
        later.after = session(vec![], 1.0).probe;
        assert_eq!(later.in_a_row().expect("it was").best, 1000.0);
        later.probe = Probe::default();
        assert_eq!(later.in_a_row(), None);
    }
}
