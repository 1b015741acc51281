//! What records hold, by what matters in their format: as tables, as JSON, and in words for a line.

use std::io::{self, Write};

use walctl::formats::{Breakdown, Breakdowns, Share, numbers_of};
use walctl::model::units::{count, show_bytes};
use walctl::ops::report::WholeBehind;

use super::escape;
use super::json::Object;
use super::out::Out;
use super::table::Table;

/// This many names are said in a line.
const SAID: usize = 8;
/// This many names are listed of what stands behind a place.
const LISTED: usize = 10;

/// A name of a log in a table: one that is longer than this is cut.
const NAME_WIDTH: usize = 40;

/// What the records hold, a table for each way.
pub fn tables(out: &mut Out, content: &Breakdowns, top: usize) -> io::Result<()> {
    for breakdown in &content.all {
        writeln!(out)?;
        breakdown_table(out, breakdown, top)?;
    }
    match content.untold {
        0 => Ok(()),
        untold => writeln!(out, "not told apart: the content of {}", count(untold, "record")),
    }
}

fn breakdown_table(out: &mut Out, breakdown: &Breakdown, top: usize) -> io::Result<()> {
    let (kind, total) = (breakdown.kind, breakdown.total());
    let (count_head, part_head) = (format!(">{}", kind.what), format!(">{}", kind.part.unwrap_or_default()));
    let mut heads = vec![kind.by, &count_head];
    let weighed = total.bytes > 0;
    if weighed {
        heads.extend([">bytes"]);
    }
    heads.push(">share");
    if kind.part.is_some() {
        heads.extend([part_head.as_str()]);
    }
    let mut table = Table::new(out, &heads);
    let percent = |part: u64, all: u64| format!("{:.1}%", part as f64 * 100.0 / all.max(1) as f64);
    let mut row = |name: String, share: Share| {
        let mut cells = vec![name, share.count.to_string()];
        if weighed {
            cells.push(show_bytes(share.bytes));
            cells.push(percent(share.bytes, total.bytes));
        } else {
            cells.push(percent(share.count, total.count));
        }
        if kind.part.is_some() {
            cells.push(format!("{} {}", show_bytes(share.part), percent(share.part, share.bytes)));
        }
        table.row(cells);
    };
    let (rows, others) = breakdown.top(top);
    let more = breakdown.names_count() - rows.len();
    for (name, share) in &rows {
        let name = if name.is_empty() { "(no name)".to_owned() } else { escape::line(name) };
        row(escape::short_line(&name, NAME_WIDTH), *share);
    }
    if others.count > 0 || others.bytes > 0 {
        let beyond = if breakdown.unnamed.count > 0 { " and more" } else { "" };
        let noun = if more == 1 && beyond.is_empty() { "other" } else { "others" };
        row(format!("{more}{beyond} {noun}"), others);
    }
    if rows.len() > 1 || others.count > 0 {
        row("all".to_owned(), total);
    }
    table.write(out)
}

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
pub fn behind_json(behind: &WholeBehind) -> Object {
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
pub fn behind_words(behind: &WholeBehind, format: &str) -> String {
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
