//! What a run of the benchmark found.

use std::time::Duration;

use super::advice::Advice;
use super::machine::BenchPlace;
use super::plan::Measurements;
use super::probe::Probe;
use super::target::FoundRate;
use super::trust::Doubt;
use crate::model::Time;

/// Everything that a run found.
#[derive(Debug)]
pub struct Session {
    /// When it began; `None` if that was not noted.
    pub made: Option<Time>,
    /// The version of walctl that measured.
    pub version: String,
    /// What was typed.
    pub command: String,
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
