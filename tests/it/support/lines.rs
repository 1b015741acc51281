//! Summaries that went through lines of text and came back, beside those that did not.

use serde_json::{Value, json};
use walctl::disk::{EntryKind, Segment, Source};
use walctl::formats::{Format, Label, Summary, read_line, write_line};
use walctl::model::{Damage, Time};

/// What the caller of these tests knows a file by, and what it asked of the walk.
pub fn stamp() -> (Value, Value) {
    (json!({"deep": false}), json!({"made": "by the test"}))
}

/// The line of a segment.
pub fn line_of(format: &Format, segment: &Segment, summary: &Summary) -> Option<String> {
    let (asked, file) = stamp();
    let label = Label { asked: &asked, file: &file, beside: &json!([]), named: false, log: "LOG", walked: Time(1) };
    write_line(format, segment, &label, summary)
}

/// What a line of a segment gives.
pub fn read_back(format: &Format, segment: &Segment, line: &str) -> Option<Summary> {
    let (asked, file) = stamp();
    read_line(format, segment, &asked, &file, line)
}

/// Joins the walks over a log, and demands that the lines that they make join to the same: damage, facts and warnings.
pub fn join_with_lines(format: &Format, source: &Source, summaries: &mut [Summary]) -> Vec<Damage> {
    let mut kept = Vec::with_capacity(summaries.len());
    for (segment, summary) in source.segments.iter().zip(summaries.iter()) {
        let line = line_of(format, segment, summary);
        if segment.kind != EntryKind::File {
            assert_eq!(line, None, "{}: nothing of what cannot be reached is kept", segment.name);
            return (format.join)(source, summaries);
        }
        let line = line.unwrap_or_else(|| panic!("{}: {} cannot be kept: {summary:?}", format.name, segment.name));
        let back = read_back(format, segment, &line);
        kept.push(back.unwrap_or_else(|| panic!("{}: {} cannot be read: {line}", format.name, segment.name)));
    }
    // Counts are for statistics, which count anew; no join reads them.
    summaries.iter_mut().for_each(|summary| summary.tally = None);
    let between = (format.join)(source, summaries);
    let again = (format.join)(source, &mut kept);
    assert_eq!(between, again, "{}: what lies between segments", format.name);
    for (summary, kept) in summaries.iter().zip(&kept) {
        let (walked, read) = (format!("{summary:?}"), format!("{kept:?}"));
        assert!(walked == read, "{}: was walked\n{walked}\nand read\n{read}", format.name);
    }
    between
}
