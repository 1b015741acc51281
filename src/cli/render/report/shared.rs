//! What all forms of a report need: names, places, ranges.

use std::path::PathBuf;

use walctl::disk::Traffic;
use walctl::formats::Numbers;
use walctl::model::units::count;
use walctl::model::{LsnRange, SegmentId, Span};
use walctl::ops::open::Input;
use walctl::ops::report::{LedgerReport, MediaView, Report};

use super::SeenView;
use crate::cli::render::escape;

/// What was looked at beside the log itself, when that was asked for.
#[derive(Debug)]
pub struct LookedBeside {
    /// The medium below the page cache.
    pub media: Option<MediaView>,
    /// A ledger of acknowledged records, and what it says about the log.
    pub ledger: Option<(PathBuf, LedgerReport)>,
    /// The file of what was seen before.
    pub seen: Option<SeenView>,
    /// What was asked of the bucket that holds the log.
    pub traffic: Option<Traffic>,
    /// The file of damage that is accepted.
    pub accepted: Option<PathBuf>,
}

/// The segment's name within the log.
pub fn segment_name(input: &Input, id: SegmentId) -> &str {
    input.source.segments.get(id.index()).map_or("", |segment| &segment.name)
}

/// The segment's path, as safe text.
pub fn segment_path(input: &Input, id: SegmentId) -> String {
    let path = input.source.segments.get(id.index()).map(|segment| segment.path.display().to_string());
    escape::line(&path.unwrap_or_default())
}

/// The log's path, as safe text.
pub fn log_path(input: &Input) -> String {
    escape::line(&input.source.path.display().to_string())
}

/// Path and offset, to be pasted.
pub fn place(input: &Input, span: &Span) -> String {
    format!("{}:{}", segment_path(input, span.place.segment), span.start())
}

/// How many records a range can have held, where its numbers count: the last of them may be a part of a batch or of a large record.
pub fn up_to_records(numbers: Numbers, range: LsnRange) -> Option<String> {
    let counted = matches!(numbers, Numbers::Counted | Numbers::CountedAgain | Numbers::CountedFromZero);
    (counted && range.count() > 1).then(|| format!("up to {}", count(range.count(), "record")))
}

/// A range that is in doubt or gone, with how much that can be.
pub fn range_words(numbers: Numbers, range: LsnRange) -> String {
    let much = up_to_records(numbers, range).map(|much| format!(", {much}")).unwrap_or_default();
    format!("LSN {}{much}", numbers.show_range(range))
}

/// Ranges in order, those that touch made one.
pub fn merged(ranges: impl Iterator<Item = LsnRange>) -> Vec<LsnRange> {
    let mut ranges: Vec<LsnRange> = ranges.collect();
    ranges.sort_unstable();
    let mut out: Vec<LsnRange> = Vec::new();
    for range in ranges {
        match out.last_mut() {
            Some(last) if range.first <= last.last.next() => last.last = last.last.max(range.last),
            _ => out.push(range),
        }
    }
    out
}

/// The first of many, and how many more there are.
pub fn some_of(texts: &[String]) -> String {
    const ENOUGH: usize = 12;
    if texts.len() <= ENOUGH {
        return texts.join(", ");
    }
    format!("{} and {} more ranges", texts[..ENOUGH].join(", "), texts.len() - ENOUGH)
}

/// The LSNs that nothing casts doubt on; none when there are none.
pub fn readable(report: &Report, numbers: Numbers) -> Option<String> {
    let mut left = Vec::new();
    let mut rest = report.lsns;
    let holes = report.known_holes.iter().map(|known| known.hole.lsns);
    let accepted = report.accepted.iter().filter_map(|accepted| accepted.damage.doubt);
    for doubt in merged(report.damage.iter().filter_map(|damage| damage.doubt).chain(accepted).chain(holes)) {
        let Some(range) = rest else { break };
        if let Some(before) = doubt.first.before().and_then(|last| LsnRange::new(range.first, last.min(range.last))) {
            left.push(numbers.show_range(before));
        }
        rest = LsnRange::new(doubt.last.next().max(range.first), range.last);
    }
    left.extend(rest.map(|range| numbers.show_range(range)));
    (!left.is_empty()).then(|| some_of(&left))
}

#[cfg(test)]
mod tests {
    use super::*;
    use walctl::model::Lsn;

    #[test]
    fn ranges_that_touch_become_one() {
        let range = |a, b| LsnRange { first: Lsn(a), last: Lsn(b) };
        let all = merged([range(7, 9), range(1, 2), range(3, 3), range(8, 12), range(20, 20)].into_iter());
        assert_eq!(all, [range(1, 3), range(7, 12), range(20, 20)]);
    }

    #[test]
    fn many_ranges_are_not_all_named() {
        let many: Vec<String> = (0..15).map(|n| n.to_string()).collect();
        assert!(some_of(&many).ends_with("11 and 3 more ranges"));
    }
}
