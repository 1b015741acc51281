//! What records hold, by what matters in their format: as JSON, and in words for a line.

use walctl::formats::{Breakdown, Breakdowns, Share, numbers_of};
use walctl::model::units::count;
use walctl::ops::report::Behind;

use super::json::Object;

/// This many names are said in a line.
const SAID: usize = 3;
/// This many names are listed of what stands behind a place.
const LISTED: usize = 10;

/// One breakdown, with its largest names.
pub fn json(breakdown: &Breakdown, top: usize) -> Object {
    let (rows, others) = breakdown.top(top);
    let (kind, total) = (breakdown.kind, breakdown.total());
    let share = |object: Object, share: &Share| {
        object.put("count", share.count).put("bytes", share.bytes).put("part_bytes", kind.part.map(|_| share.part))
    };
    Object::new()
        .put("what", kind.what)
        .put("by", kind.by)
        .put("count", total.count)
        .put("bytes", total.bytes)
        .put("part", kind.part)
        .put("names_count", breakdown.names_count())
        .put("rows", rows.iter().map(|(name, of)| share(Object::new().put("name", *name), of)).collect::<Vec<_>>())
        .put("others", share(Object::new(), &others))
}

/// What stands behind a place.
pub fn behind_json(behind: &Behind) -> Object {
    Object::new()
        .put("records", behind.records)
        .put("first_lsn", behind.lsns.map(|lsns| lsns.first))
        .put("last_lsn", behind.lsns.map(|lsns| lsns.last))
        .put("first_time", behind.times.map(|(first, _)| first))
        .put("last_time", behind.times.map(|(_, last)| last))
        .put("breakdowns", behind.content.all.iter().map(|breakdown| json(breakdown, LISTED)).collect::<Vec<_>>())
        .put("more", behind.more)
}

/// The same in words, of any characters that the log has: `12 whole records, LSN 5-16; operations: 38 default, 2 orders`.
pub fn behind_words(behind: &Behind, format: &str) -> String {
    let least = if behind.more { "at least " } else { "" };
    let mut words = format!("{least}{}", count(behind.records, "whole record"));
    if let Some(lsns) = behind.lsns {
        words += &format!(", LSN {}", numbers_of(format).show_range(lsns));
    }
    match behind.times {
        Some((first, last)) if first == last => words += &format!(", of {first}"),
        Some((first, last)) => words += &format!(", of {first} to {last}"),
        None => {}
    }
    let content = content_words(&behind.content);
    if content.is_empty() { words } else { format!("{words}; {content}") }
}

/// The first way in which each thing is counted.
fn content_words(content: &Breakdowns) -> String {
    let mut said: Vec<&str> = vec!["records"];
    let mut parts = Vec::new();
    for breakdown in &content.all {
        let what = breakdown.kind.what;
        if said.contains(&what) {
            continue;
        }
        said.push(what);
        let (rows, others) = breakdown.top(SAID);
        let one = |(name, share): &(&str, Share)| match name.starts_with(|first: char| first.is_ascii_digit()) {
            true => format!("{} of {} {name}", share.count, breakdown.kind.by),
            false => format!("{} {name}", share.count),
        };
        let mut names: Vec<String> = rows.iter().map(one).collect();
        if others.count > 0 {
            names.push(format!("{} other{}", others.count, if others.count == 1 { "" } else { "s" }));
        }
        parts.push(format!("{what}: {}", names.join(", ")));
    }
    parts.join("; ")
}
