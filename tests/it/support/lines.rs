//! Summaries that went through lines of text and came back, beside those that did not.

use walctl::disk::{EntryKind, Source};
use walctl::formats::{Format, Summary, read_line, write_line};
use walctl::model::Damage;

/// What the caller of these tests knows files by.
pub const STAMP: &str = "as the test made it";

/// Joins the walks over a log, and demands that the lines that they make join to the same: damage, facts and warnings.
pub fn join_with_lines(format: &Format, source: &Source, summaries: &mut [Summary]) -> Vec<Damage> {
    let mut kept = Vec::with_capacity(summaries.len());
    for (segment, summary) in source.segments.iter().zip(summaries.iter()) {
        let line = write_line(format, segment, STAMP, summary);
        if segment.kind != EntryKind::File {
            assert_eq!(line, None, "{}: nothing of what cannot be reached is kept", segment.name);
            return (format.join)(source, summaries);
        }
        let line = line.unwrap_or_else(|| panic!("{}: {} cannot be kept: {summary:?}", format.name, segment.name));
        let back = read_line(format, segment, STAMP, &line);
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
