//! What a run of the benchmark found.

use std::time::Duration;

use super::advice::Advice;
use super::machine::BenchPlace;
use super::plan::Measurements;
use super::probe::Probe;
use super::target::FoundRate;
use super::trust::Doubt;

/// Everything that a run found.
#[derive(Debug)]
pub struct Session {
    /// Where.
    pub place: BenchPlace,
    /// The disk by itself.
    pub probe: Probe,
    /// The disk by itself once more, after the cells.
    pub after: Probe,
    /// Whether it lies.
    pub doubts: Vec<Doubt>,
    /// The cells.
    pub outcome: Measurements,
    /// What to set.
    pub advice: Option<Advice>,
    /// Rates that keep the goal.
    pub targets: Vec<FoundRate>,
    /// How long it took.
    pub took: Duration,
}
