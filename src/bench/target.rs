//! The highest rate at which a latency is kept, found by bisection in an open loop.

use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use super::figures::PERCENTILES;
use super::machine::BenchPlace;
use super::observer::Watch;
use super::plan::{Pace, measure};
use super::setting::Cell;
use crate::disk::Disk;
use crate::model::units::parse_duration;
use crate::model::{Error, Result};

/// A latency to keep: `p99<2ms`.
#[derive(Clone, Debug, PartialEq)]
pub struct Goal {
    /// As it was typed.
    pub text: String,
    /// Which of [`PERCENTILES`].
    pub index: usize,
    /// Nanoseconds.
    pub limit: f64,
}

impl FromStr for Goal {
    type Err = Error;

    fn from_str(text: &str) -> Result<Goal, Error> {
        let wrong = || Error::Input {
            what: format!("`{text}` is no target: write it like p99<2ms; p50, p90, p99, p99.9 and max are known"),
        };
        let (name, limit) = text.split_once('<').ok_or_else(wrong)?;
        let index = PERCENTILES.iter().position(|(n, _)| *n == name.trim()).ok_or_else(wrong)?;
        let limit = parse_duration(limit).ok().filter(|l| !l.is_zero()).ok_or_else(wrong)?;
        Ok(Goal { text: text.to_owned(), index, limit: limit.as_nanos() as f64 })
    }
}

/// One rate that was tried.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TriedRate {
    /// Wanted appends a second.
    pub rate: f64,
    /// What came of it.
    pub reached: f64,
    /// The latency, in nanoseconds.
    pub latency: f64,
    /// Both are as they should be.
    pub kept: bool,
}

/// What was found for one cell.
#[derive(Clone, Debug)]
pub struct FoundRate {
    /// The settings; their rate is the highest that keeps the goal.
    pub cell: Cell,
    /// That rate; none when even the lowest that was tried breaks it.
    pub rate: Option<f64>,
    /// All that was tried.
    pub steps: Vec<TriedRate>,
}

/// A rate is judged by at least this many appends.
const LEAST: f64 = 10.0;
/// How many rates are tried.
pub const TARGET_STEPS: u64 = 8;

/// Looks for the highest rate of a cell that keeps the goal.
pub fn find_rate(
    disk: &Arc<dyn Disk>,
    dir: &Path,
    place: &BenchPlace,
    cell: &Cell,
    goal: &Goal,
    pace: &Pace,
    watch: &Watch<'_>,
) -> Result<FoundRate> {
    let pace = Pace { repeats: 1, limit: None, ..*pace };
    let one = |rate| -> Result<Option<(f64, f64)>> {
        let cell = Cell { rate, ..cell.clone() };
        // At a low rate a short while holds no append at all.
        let least = rate.map_or(Duration::ZERO, |rate| Duration::from_secs_f64((LEAST / rate).min(10.0)));
        let pace = Pace { duration: pace.duration.max(least), ..pace };
        let outcome = measure(disk, dir, place, &[cell], &pace, watch)?;
        let figures = outcome.measured.first().map(|m| &m.figures).filter(|_| !outcome.interrupted);
        Ok(figures.map(|f| (f.rate.median, f.latency[goal.index].median)))
    };
    let mut found = FoundRate { cell: cell.clone(), rate: None, steps: Vec::new() };
    // What a closed loop reaches is about the most that there is.
    let Some((most, _)) = one(None)? else { return Ok(found) };
    let steps = &mut found.steps;
    found.rate = bisect(most * 1.2, TARGET_STEPS, |rate| {
        let Some((reached, latency)) = one(Some(rate))? else { return Ok(None) };
        // One append that came just too late for this while is no miss.
        let edge = rate / LEAST.max(rate * pace.duration.as_secs_f64());
        let kept = latency <= goal.limit && reached + edge >= rate * 0.95;
        steps.push(TriedRate { rate, reached, latency, kept });
        Ok(Some(kept))
    })?;
    Ok(found)
}

/// The highest number up to `high` that is kept, as near as that many tries bring it. `None` from a try ends the search.
fn bisect(high: f64, tries: u64, mut keeps: impl FnMut(f64) -> Result<Option<bool>>) -> Result<Option<f64>> {
    let (mut low, mut high) = (0.0, high);
    let mut best = None;
    for _ in 0..tries {
        let middle = f64::midpoint(low, high).max(1.0);
        match keeps(middle)? {
            None => break,
            Some(true) => {
                best = Some(middle);
                low = middle;
            }
            Some(false) => high = middle,
        }
    }
    Ok(best)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn goals_are_read_and_nonsense_is_refused() {
        let goal: Goal = "p99<2ms".parse().expect("it is a goal");
        assert_eq!((goal.index, goal.limit), (2, 2e6));
        for wrong in ["", "p99", "p99>2ms", "p98<2ms", "p99<2", "p99<0"] {
            assert!(wrong.parse::<Goal>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn halving_ends_near_the_edge_and_below_it() {
        let found = bisect(1000.0, 10, |rate| Ok(Some(rate <= 333.0))).expect("nothing fails").expect("there is one");
        assert!(found <= 333.0 && found > 331.0, "{found}");
        assert_eq!(bisect(1000.0, 5, |_| Ok(Some(false))).expect("nothing fails"), None);
        assert_eq!(bisect(1000.0, 5, |_| Ok(None)).expect("nothing fails"), None);
    }
}
