//! How much of a report was seen before.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use walctl::model::Time;
use walctl::model::units::count;
use walctl::ops::report::Report;
use walctl::ops::seen::LineCounts;

use crate::cli::render::escape;
use crate::cli::render::json::Object;
use crate::cli::render::out::Out;

/// A file of what was seen.
#[derive(Debug)]
pub struct SeenView {
    /// Its path.
    pub file: PathBuf,
    /// What it held.
    pub lines: LineCounts,
    /// Whether what is found is kept in it.
    pub kept: bool,
    /// When the report is made.
    pub now: Time,
}

/// `9 of 10 segments as seen, the oldest 12 days ago`.
pub fn text(out: &mut Out, report: &Report, view: &SeenView) -> io::Result<()> {
    let log = escape::line(&report.log.display().to_string());
    let of = report.segments.len() as u64;
    write!(out, "{log}: {} of {} as seen", as_seen(report), count(of, "segment"))?;
    match oldest(report) {
        Some(walked) => writeln!(out, ", the oldest {}", ago(walked, view.now)),
        None => writeln!(out),
    }
}

/// The same for programs.
pub fn json(report: &Report, view: &SeenView) -> Object {
    let (segments, as_seen) = (report.segments.len() as u64, as_seen(report));
    counts(&view.file, [segments, as_seen, segments - as_seen, 0], view.kept)
        .put("oldest", oldest(report))
        .put("broken_lines_count", view.lines.broken)
        .put("too_old_lines_count", view.lines.too_old)
}

/// How many segments there are, how many are as seen, how many were walked now and how many are left.
pub fn counts(file: &Path, [segments, as_seen, walked, left]: [u64; 4], kept: bool) -> Object {
    Object::new()
        .put("path", file.display().to_string())
        .put("segments_count", segments)
        .put("as_seen_count", as_seen)
        .put("walked_count", walked)
        .put("left_count", left)
        .put("kept", kept)
}

fn as_seen(report: &Report) -> u64 {
    report.segments.iter().filter(|segment| segment.seen.is_some()).count() as u64
}

fn oldest(report: &Report) -> Option<Time> {
    report.segments.iter().filter_map(|segment| segment.seen).min()
}

/// How long ago something was, in one unit.
fn ago(then: Time, now: Time) -> String {
    let passed = Duration::from_micros(now.0.saturating_sub(then.0)).as_secs();
    match passed {
        0..120 => format!("{} ago", count(passed, "second")),
        120..7200 => format!("{} minutes ago", passed / 60),
        7200..172_800 => format!("{} hours ago", passed / 3600),
        _ => format!("{} days ago", passed / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_in_the_unit_that_says_enough() {
        for (seconds, told) in [
            (0, "0 seconds ago"),
            (1, "1 second ago"),
            (119, "119 seconds ago"),
            (120, "2 minutes ago"),
            (7_200, "2 hours ago"),
            (172_799, "47 hours ago"),
            (172_800, "2 days ago"),
            (12 * 86_400 + 5, "12 days ago"),
        ] {
            assert_eq!(ago(Time(5), Time(5 + seconds * 1_000_000)), told);
        }
        assert_eq!(ago(Time(9), Time(5)), "0 seconds ago");
    }
}
