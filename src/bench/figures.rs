//! What a measurement says: medians over repeats with their range, latencies with their parts, and how far to believe them.

use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::Histogram;

/// A figure over several repeats.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    /// The middle one.
    pub median: f64,
    /// The smallest.
    pub min: f64,
    /// The largest.
    pub max: f64,
}

impl Spread {
    /// Over these values; none when there are none.
    #[must_use]
    pub fn of(values: &[f64]) -> Option<Spread> {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let (min, max) = (*sorted.first()?, *sorted.last()?);
        let middle = sorted.len() / 2;
        let median = if sorted.len() % 2 == 1 { sorted[middle] } else { f64::midpoint(sorted[middle - 1], sorted[middle]) };
        Some(Spread { median, min, max })
    }

    /// A figure that was always the same.
    #[must_use]
    pub const fn flat(value: f64) -> Spread {
        Spread { median: value, min: value, max: value }
    }

    /// How wide the range is, as a share of the median.
    #[must_use]
    pub fn width(&self) -> f64 {
        if self.median > 0.0 { (self.max - self.min) / self.median } else { 0.0 }
    }

    /// Whether each repeat of this one lies above each repeat of the other.
    #[must_use]
    pub fn is_above(&self, other: &Spread) -> bool {
        self.min > other.max
    }
}

/// A percentile of plain times; 0 of none.
#[must_use]
pub fn percentile(values: &[u64], percent: f64) -> u64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    if sorted.is_empty() {
        return 0;
    }
    let rank = (percent / 100.0 * sorted.len() as f64).ceil() as usize;
    sorted[rank.clamp(1, sorted.len()) - 1]
}

/// Where the time of an append goes, in order.
pub const PARTS: [&str; 5] = ["queue", "window", "write", "sync", "wake"];

/// The longest time that is resolved, in nanoseconds: ten minutes.
const LONGEST: u64 = 600_000_000_000;

/// Repeats that lie further apart than this share of their median say little.
const VERY_NOISY: f64 = 0.5;

/// Steps of a distribution, for each doubling of the time.
const STEPS: f64 = 4.0;

/// Times of appends, in nanoseconds.
#[derive(Clone, Debug)]
pub struct Latency {
    /// From the beginning, intended or real, to the acknowledgement.
    pub whole: Histogram<u32>,
    /// The sums of the parts, in the order of [`PARTS`].
    pub parts: [u64; 5],
}

impl Default for Latency {
    fn default() -> Self {
        let whole = Histogram::new_with_bounds(1, LONGEST, 3).expect("the bounds are right");
        Latency { whole, parts: [0; 5] }
    }
}

impl Latency {
    /// Adds one append.
    pub fn add(&mut self, whole: Duration, parts: [Duration; 5]) {
        self.whole.saturating_record(nanos(whole).max(1));
        for (sum, part) in self.parts.iter_mut().zip(parts) {
            *sum = sum.saturating_add(nanos(part));
        }
    }

    /// Adds what another thread measured.
    pub fn join(&mut self, other: &Latency) {
        self.whole.add(&other.whole).expect("all have the same bounds");
        for (sum, part) in self.parts.iter_mut().zip(other.parts) {
            *sum = sum.saturating_add(part);
        }
    }
}

/// The times of all appends in steps that grow with the time.
fn distribution(runs: &[&Run]) -> Vec<(u64, u64)> {
    let mut steps: BTreeMap<u64, u64> = BTreeMap::new();
    for value in runs.iter().flat_map(|run| run.latency.whole.iter_recorded()) {
        let step = ((value.value_iterated_to().max(1) as f64).log2() * STEPS).ceil();
        *steps.entry((step / STEPS).exp2().round() as u64).or_default() += value.count_since_last_iteration();
    }
    steps.into_iter().collect()
}

fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

/// What one repeat of one cell gave.
#[derive(Clone, Debug, Default)]
pub struct Run {
    /// How long was measured.
    pub seconds: f64,
    /// Appends acknowledged in that time.
    pub acked: u64,
    /// Bytes of their payloads.
    pub bytes: u64,
    /// Syncs in that time.
    pub syncs: u64,
    /// Records written in that time, by the writer's own count.
    pub records: u64,
    /// Groups by their number of records.
    pub groups: Vec<u64>,
    /// Times.
    pub latency: Latency,
    /// Processor time of the process.
    pub cpu: Duration,
    /// Bytes that the device wrote; none where it does not tell.
    pub device_bytes: Option<u64>,
    /// Flushes that the device did.
    pub device_flushes: Option<u64>,
    /// All records acknowledged from opening to closing.
    pub acked_in_all: u64,
    /// All records that the log holds; `None` if they were not counted.
    pub held: Option<u64>,
    /// Syncs from opening to closing.
    pub syncs_in_all: u64,
    /// What the writer noted.
    pub notes: Vec<String>,
    /// Appends acknowledged in each of equal parts of that time.
    pub slices: Vec<u64>,
    /// How long such a part is.
    pub slice_seconds: f64,
}

/// The percentiles that are told, with their names in JSON and gates.
pub const PERCENTILES: [(&str, f64); 5] = [("p50", 50.0), ("p90", 90.0), ("p99", 99.0), ("p99.9", 99.9), ("max", 100.0)];

/// The figures of one cell over its repeats.
#[derive(Clone, Debug)]
pub struct Figures {
    /// How many repeats there were.
    pub repeats: usize,
    /// Acknowledged appends a second.
    pub rate: Spread,
    /// Payload bytes a second.
    pub bytes: Spread,
    /// Syncs a second.
    pub syncs: Spread,
    /// Records a sync.
    pub amortization: Spread,
    /// Latency in nanoseconds, in the order of [`PERCENTILES`].
    pub latency: [Spread; 5],
    /// The mean of each part in nanoseconds, in the order of [`PARTS`].
    pub parts: [Spread; 5],
    /// Processor time an append, in nanoseconds.
    pub cpu: Spread,
    /// Bytes on the device for each byte of payload.
    pub amplification: Option<Spread>,
    /// Groups by their number of records, over all repeats.
    pub groups: Vec<u64>,
    /// How many appends took no longer than this many nanoseconds, and longer than the step before, over all repeats.
    pub distribution: Vec<(u64, u64)>,
    /// Acknowledged appends a second in equal parts of each repeat.
    pub over_time: Vec<Vec<f64>>,
    /// Records that were acknowledged and are not in the log.
    pub lacking: u64,
}

impl Figures {
    /// Over repeats; none when there is nothing to tell.
    #[must_use]
    pub fn of(runs: &[Run]) -> Option<Figures> {
        let runs: Vec<&Run> = runs.iter().filter(|run| run.acked > 0 && run.seconds > 0.0).collect();
        let over = |figure: &dyn Fn(&Run) -> f64| Spread::of(&runs.iter().map(|run| figure(run)).collect::<Vec<_>>());
        let told: Vec<f64> = runs.iter().filter_map(|run| Some(run.device_bytes? as f64 / run.bytes.max(1) as f64)).collect();
        let mut groups = Vec::new();
        for run in &runs {
            if groups.len() < run.groups.len() {
                groups.resize(run.groups.len(), 0);
            }
            groups.iter_mut().zip(&run.groups).for_each(|(sum, more)| *sum += more);
        }
        let zero = Spread::flat(0.0);
        let mut figures = Figures {
            repeats: runs.len(),
            rate: over(&|run| run.acked as f64 / run.seconds)?,
            bytes: over(&|run| run.bytes as f64 / run.seconds)?,
            syncs: over(&|run| run.syncs as f64 / run.seconds)?,
            amortization: over(&|run| run.records as f64 / run.syncs.max(1) as f64)?,
            latency: [zero; 5],
            parts: [zero; 5],
            cpu: over(&|run| run.cpu.as_nanos() as f64 / run.acked as f64)?,
            amplification: Spread::of(&told),
            groups,
            distribution: distribution(&runs),
            over_time: runs
                .iter()
                .filter(|run| run.slice_seconds > 0.0)
                .map(|run| run.slices.iter().map(|acked| *acked as f64 / run.slice_seconds).collect())
                .collect(),
            lacking: runs.iter().map(|run| run.held.map_or(0, |held| run.acked_in_all.saturating_sub(held))).sum(),
        };
        for (spread, (_, percent)) in figures.latency.iter_mut().zip(PERCENTILES) {
            *spread = over(&|run| run.latency.whole.value_at_percentile(percent) as f64)?;
        }
        for (index, spread) in figures.parts.iter_mut().enumerate() {
            *spread = over(&|run| run.latency.parts[index] as f64 / run.latency.whole.len().max(1) as f64)?;
        }
        Some(figures)
    }

    /// How far the repeats agree; `None` if there is only one.
    #[must_use]
    pub fn is_very_noisy(&self) -> Option<bool> {
        (self.repeats >= 2).then(|| self.rate.width() > VERY_NOISY)
    }

    /// The latency of that name: `p99`.
    #[must_use]
    pub fn percentile(&self, name: &str) -> Option<&Spread> {
        PERCENTILES.iter().position(|(n, _)| *n == name).map(|index| &self.latency[index])
    }

    /// How far the repeats agree, in words; nothing when they do.
    #[must_use]
    pub fn noise(&self) -> Option<String> {
        if self.repeats < 2 {
            return Some("one repeat: nothing says how far it would vary".into());
        }
        let width = self.rate.width();
        let percent = if width < 10.0 { format!("{:.0} %", width * 100.0) } else { "many times".into() };
        match width {
            w if w > VERY_NOISY => {
                Some(format!("very noisy: repeats lie {percent} apart, so only differences larger than that mean anything"))
            }
            w if w > 0.2 => Some(format!("noisy: repeats lie {percent} apart; smaller differences mean nothing")),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spread_is_the_middle_and_the_ends() {
        let spread = Spread::of(&[3.0, 1.0, 2.0]).expect("there are values");
        assert_eq!(spread, Spread { median: 2.0, min: 1.0, max: 3.0 });
        assert_eq!(Spread::of(&[1.0, 2.0]).map(|s| s.median), Some(1.5));
        assert_eq!(Spread::of(&[]), None);
        assert!(Spread::flat(2.0).is_above(&Spread::flat(1.0)) && !spread.is_above(&spread));
    }

    #[test]
    fn percentiles_of_few_values_are_among_them() {
        assert_eq!(percentile(&[], 50.0), 0);
        assert_eq!(percentile(&[7], 99.0), 7);
        assert_eq!(percentile(&[4, 1, 3, 2], 50.0), 2);
        assert_eq!(percentile(&[4, 1, 3, 2], 100.0), 4);
    }

    #[test]
    fn repeats_that_disagree_are_called_noisy() {
        let run = |acked| {
            let mut run = Run { seconds: 1.0, acked, records: acked, syncs: 10, bytes: 100, ..Run::default() };
            run.latency.add(Duration::from_micros(5), [Duration::ZERO; 5]);
            run
        };
        let quiet = Figures::of(&[run(100), run(101), run(99)]).expect("there are runs");
        assert_eq!(quiet.noise(), None);
        let noisy = Figures::of(&[run(100), run(130), run(99)]).expect("there are runs");
        assert!(noisy.noise().is_some_and(|n| n.starts_with("noisy: repeats lie 31 % apart")), "{:?}", noisy.noise());
        assert!(Figures::of(&[run(1)]).expect("a run").noise().is_some());
        assert!(Figures::of(&[Run::default()]).is_none());
    }

    #[test]
    fn the_parts_are_means_and_the_whole_has_percentiles() {
        let mut run = Run { seconds: 2.0, acked: 4, records: 4, syncs: 2, bytes: 40, ..Run::default() };
        for micros in [10, 20, 30, 40] {
            let part = Duration::from_micros(micros);
            run.latency.add(part * 2, [part, Duration::ZERO, Duration::ZERO, part, Duration::ZERO]);
        }
        let figures = Figures::of(&[run]).expect("there is a run");
        assert_eq!(figures.parts[0].median, 25_000.0);
        assert!((figures.latency[4].median - 80_000.0).abs() < 100.0);
        assert_eq!((figures.rate.median, figures.amortization.median), (2.0, 2.0));
    }

    #[test]
    fn the_distribution_has_every_append_of_every_repeat_in_a_step_that_is_not_below_it() {
        let run = |times: &[u64]| {
            let mut run = Run { seconds: 1.0, acked: times.len() as u64, ..Run::default() };
            times.iter().for_each(|micros| run.latency.add(Duration::from_micros(*micros), [Duration::ZERO; 5]));
            run
        };
        let figures = Figures::of(&[run(&[10, 10, 100]), run(&[10, 100_000])]).expect("there are runs");
        let counts: Vec<u64> = figures.distribution.iter().map(|(_, count)| *count).collect();
        assert_eq!(counts, [3, 1, 1], "{:?}", figures.distribution);
        for ((upper, _), nanos) in figures.distribution.iter().zip([10_000.0, 100_000.0, 1e8]) {
            let ratio = *upper as f64 / nanos;
            assert!((1.0..1.2).contains(&ratio), "{upper} for {nanos}");
        }
    }

    #[test]
    fn the_rate_over_time_is_that_of_each_part_of_each_repeat() {
        let run = |slices: &[u64]| Run { seconds: 1.0, acked: 9, slices: slices.to_vec(), slice_seconds: 0.5, ..Run::default() };
        let figures = Figures::of(&[run(&[1, 2]), run(&[3, 0])]).expect("there are runs");
        assert_eq!(figures.over_time, [[2.0, 4.0], [6.0, 0.0]]);
    }
}
