//! Known holes: records that are gone, as the log itself says.

use std::io::{self, Write};

use walctl::formats::Numbers;
use walctl::model::units::count;
use walctl::model::{HoleOrigin, LsnRange};
use walctl::ops::open::Input;
use walctl::ops::report::Report;

use super::{log_path, place, range_words, some_of};
use crate::cli::render::escape;
use crate::cli::render::out::{Ink, Out};

/// How many are told; `--json` lists all.
const TOLD: usize = 40;

/// Known holes raise no alarm, and are reported each time.
pub fn text(out: &mut Out, input: &Input, report: &Report) -> io::Result<()> {
    for known in report.known_holes.iter().take(TOLD) {
        let hole = &known.hole;
        let since = if known.since.0 > 0 { format!(", since {}", known.since) } else { String::new() };
        let reason = if hole.reason.is_empty() { hole.origin.name() } else { &hole.reason };
        let label = out.paint(Ink::Warn, "known hole");
        let reason = escape::line(reason);
        let gone = range_words(input.format.numbers, hole.lsns);
        writeln!(out, "{}: {label}: {gone}{since}: {reason}", place(input, &known.span))?;
        let around = match (hole.before, hole.behind) {
            (Some(before), Some(behind)) => format!("between a record written at {before} and one written at {behind}"),
            (Some(before), None) => format!("after a record written at {before}"),
            (None, Some(behind)) => format!("before a record written at {behind}"),
            (None, None) => continue,
        };
        writeln!(out, "  {around}")?;
    }
    let more = report.known_holes.len().saturating_sub(TOLD);
    if more > 0 {
        writeln!(out, "… and {more} more known holes; walctl verify --json lists all")?;
    }
    if report.unused_lsns > 0 {
        let numbers = count(report.unused_lsns, "LSN");
        writeln!(out, "{}: {numbers} between its records: the format it was salvaged from never assigns them", log_path(input))?;
    }
    Ok(())
}

/// The same in a few words, for the line that a report ends with; empty where there is nothing to say.
pub fn words(report: &Report) -> String {
    let ranges: Vec<String> = report.known_holes.iter().map(|known| known.hole.lsns.to_string()).collect();
    match ranges.len() {
        0 => String::new(),
        1 => format!("; known hole: LSN {}", ranges[0]),
        _ => format!("; known holes: LSN {}", some_of(&ranges)),
    }
}

/// What known holes mean for whoever reads a report of the log, in sentences; none where there are none.
pub fn promise(report: &Report) -> Option<String> {
    let lost = |origin: HoleOrigin| {
        let of = report.known_holes.iter().filter(|known| known.hole.origin == origin).map(|known| known.hole.lsns);
        let ranges: Vec<LsnRange> = of.collect();
        let total: u64 = ranges.iter().map(|lsns| lsns.count()).fold(0, u64::saturating_add);
        let shown: Vec<String> = ranges.iter().map(|range| Numbers::Counted.show_range(*range)).collect();
        let much = if total == 1 { "1 record".to_owned() } else { format!("Up to {}", count(total, "record")) };
        (total > 0).then(|| format!("{much} (LSN {})", some_of(&shown)))
    };
    let accepted = lost(HoleOrigin::Accepted).map(|lost| format!("{lost} were lost, and the loss was accepted."));
    let salvaged = lost(HoleOrigin::Salvaged).map(|lost| format!("{lost} were lost before this log was salvaged."));
    let all: Vec<String> = accepted.into_iter().chain(salvaged).collect();
    (!all.is_empty()).then(|| all.join(" "))
}
