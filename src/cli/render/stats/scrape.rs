//! The numbers of logs for scrapers.

use std::io::{self, Write};

use walctl::model::Verdict;
use walctl::ops::report::{Amount, Buckets, NOT_CHECKED, Stats, bucket_end};

use super::{Metric, metrics};
use crate::cli::render::openmetrics::{END, family, label, of_log};
use crate::cli::render::out::Out;

/// All logs as OpenMetrics text. A log that was named twice is told once: no scraper takes the same sample twice.
pub fn openmetrics(out: &mut Out, all: &[Stats], host: Option<&str>) -> io::Result<()> {
    let mut rows: Vec<(String, &Stats, Vec<Metric>)> = Vec::new();
    for stats in all {
        let labels = of_log(&stats.log, stats.format, host);
        if !rows.iter().any(|(known, ..)| *known == labels) {
            rows.push((labels, stats, metrics(stats)));
        }
    }
    let Some((.., names)) = rows.first() else { return writeln!(out, "{END}") };
    for (index, (name, help, _)) in names.iter().enumerate() {
        family(out, &format!("walctl_{name}"), "gauge", help)?;
        for (labels, _, metrics) in &rows {
            if let Some(value) = metrics.get(index).and_then(|m| m.2) {
                writeln!(out, "walctl_{name}{{{labels}}} {value}")?;
            }
        }
    }
    by_kind(out, &rows, "kind_records", |amount| amount.count)?;
    by_kind(out, &rows, "kind_stored_bytes", |amount| amount.bytes)?;
    histogram(out, &rows, "frame_size_bytes", "Stored payload of frames.", |s| &s.counts.sizes)?;
    histogram(out, &rows, "group_size", "Frames that one sync made durable.", |s| &s.counts.group_sizes)?;
    // Not a stateset: the older format, as which the textfile collector reads a file, has none.
    family(out, "walctl_verdict", "gauge", "1 for the worst that was seen.")?;
    for (labels, stats, _) in &rows {
        for verdict in Verdict::ALL.map(Verdict::name).into_iter().chain([NOT_CHECKED]) {
            let set = u8::from(verdict == stats.verdict_name());
            writeln!(out, "walctl_verdict{{{labels},{}}} {set}", label("verdict", verdict))?;
        }
    }
    writeln!(out, "{END}")
}

type Rows<'a> = [(String, &'a Stats, Vec<Metric>)];

fn by_kind(out: &mut Out, rows: &Rows<'_>, name: &str, of: impl Fn(&Amount) -> u64) -> io::Result<()> {
    family(out, &format!("walctl_{name}"), "gauge", "By kind.")?;
    for (labels, stats, _) in rows {
        for (kind, amount) in &stats.counts.kinds {
            writeln!(out, "walctl_{name}{{{labels},{}}} {}", label("kind", kind), of(amount))?;
        }
    }
    Ok(())
}

fn histogram(out: &mut Out, rows: &Rows<'_>, name: &str, help: &str, of: impl Fn(&Stats) -> &Buckets) -> io::Result<()> {
    // A log can shrink, so this is of what is there, not of all that ever was; but the older format, as which the textfile collector reads
    // a file, has no gaugehistogram.
    family(out, &format!("walctl_{name}"), "histogram", help)?;
    for (labels, stats, _) in rows {
        let buckets = &of(stats).0;
        let last = buckets.iter().rposition(|n| *n > 0).unwrap_or(0);
        let mut sum = 0;
        for (index, number) in buckets.iter().enumerate().take(last + 1) {
            sum += number;
            writeln!(out, "walctl_{name}_bucket{{{labels},le=\"{}.0\"}} {sum}", bucket_end(index))?;
        }
        writeln!(out, "walctl_{name}_bucket{{{labels},le=\"+Inf\"}} {sum}")?;
        writeln!(out, "walctl_{name}_count{{{labels}}} {sum}")?;
        let total = if name == "group_size" { stats.counts.frames } else { stats.counts.stored_bytes };
        writeln!(out, "walctl_{name}_sum{{{labels}}} {total}")?;
    }
    Ok(())
}
