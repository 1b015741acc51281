//! What records of Prometheus hold, added up: items by the type of their records, series and samples by metric.

use std::collections::HashMap;

use super::meaning::{MOST, metric_of, names_before};
use super::records::{Logged, each};
use crate::disk::Source;
use crate::formats::{BreakdownKind, Breakdowns, CountedPart, Counter, Share};

const BY_TYPE: BreakdownKind = BreakdownKind::of("items", "type of record");
const SERIES: BreakdownKind = BreakdownKind::of("series", "metric");
const SAMPLES: BreakdownKind = BreakdownKind::of("samples", "metric");
/// The server drops samples whose series no record before them names.
const UNKNOWN: &str = "(unknown series, dropped by the server)";

/// The metric of each series, by its number; metrics by their places in a list, for there are few of them.
#[derive(Default)]
struct Metrics {
    of_series: HashMap<u64, usize>,
    names: Vec<String>,
    places: HashMap<String, usize>,
}

impl Metrics {
    fn name(&mut self, series: u64, metric: String) {
        if self.of_series.len() >= MOST && !self.of_series.contains_key(&series) {
            return;
        }
        let place = *self.places.entry(metric).or_insert_with_key(|metric| {
            self.names.push(metric.clone());
            self.names.len() - 1
        });
        self.of_series.insert(series, place);
    }
}

/// The counter of one log.
pub fn count(source: &Source, given: CountedPart) -> Counter {
    let source = source.clone();
    let mut metrics: Option<Metrics> = None;
    Box::new(move |record, payload, into| {
        if record.kind == "unknown" {
            return false;
        }
        let metrics = metrics.get_or_insert_with(|| {
            let mut metrics = Metrics::default();
            names_before(&source, given, &mut |series, labels| metrics.name(series, metric_of(labels)));
            metrics
        });
        add(record.kind, payload, metrics, into)
    })
}

fn add(kind: &str, payload: &[u8], metrics: &mut Metrics, into: &mut Breakdowns) -> bool {
    let mut items = 0u64;
    // A record holds many samples of one metric after another: they are added up before their name is looked for.
    let mut under_way: (Option<usize>, u64) = (None, 0);
    let whole = each(payload, &mut |thing| {
        items += 1;
        match thing {
            Logged::Series(series, labels) => {
                let metric = metric_of(&labels);
                into.add(SERIES, &metric, Share::of(1, 0));
                metrics.name(series, metric);
            }
            Logged::Sample(series, ..) | Logged::Histogram(series, ..) => {
                let place = metrics.of_series.get(&series).copied();
                if place != under_way.0 && under_way.1 > 0 {
                    samples(under_way, metrics, into);
                    under_way.1 = 0;
                }
                under_way = (place, under_way.1 + 1);
            }
            Logged::Tombstone(..) | Logged::Exemplar(..) | Logged::Marker(..) | Logged::Metadata(..) => {}
        }
    });
    if under_way.1 > 0 {
        samples(under_way, metrics, into);
    }
    into.add(BY_TYPE, kind, Share::of(items, payload.len() as u64));
    whole == Some(true)
}

fn samples((place, count): (Option<usize>, u64), metrics: &Metrics, into: &mut Breakdowns) {
    let name = place.and_then(|place| metrics.names.get(place)).map_or(UNKNOWN, String::as_str);
    into.add(SAMPLES, name, Share::of(count, 0));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_count_for_the_metrics_of_their_series_and_those_of_no_series_apart() {
        let series = |number: u64, metric: &str| {
            let mut bytes = number.to_be_bytes().to_vec();
            bytes.extend([1, 8]);
            bytes.extend(b"__name__");
            bytes.push(metric.len() as u8);
            bytes.extend(metric.as_bytes());
            bytes
        };
        let mut named = vec![1];
        [series(7, "up"), series(8, "up"), series(9, "down")].iter().for_each(|bytes| named.extend(bytes));
        let mut sampled = vec![2, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 100];
        // Series 7, 8, 9 and 10, all at the same time: differences of 0, 1, 2 and 3 in zigzag.
        for step in [0, 2, 4, 6] {
            sampled.extend([step, 0]);
            sampled.extend(1.5f64.to_be_bytes());
        }
        let (mut metrics, mut into) = (Metrics::default(), Breakdowns::default());
        assert!(add("series", &named, &mut metrics, &mut into) && add("samples", &sampled, &mut metrics, &mut into));
        assert!(!add("samples", &sampled[..20], &mut metrics, &mut into));
        let find = |kind| into.all.iter().find(|breakdown| breakdown.kind == kind).expect("it was met").top(0).0;
        let of = |count| Share::of(count, 0);
        assert_eq!(find(SERIES), [("up", of(2)), ("down", of(1))]);
        assert_eq!(find(SAMPLES), [("up", of(2)), (UNKNOWN, of(1)), ("down", of(1))]);
        assert_eq!(find(BY_TYPE)[1].1.count, 3);
    }
}
