//! The list of segments, each drawn, and what is known of the one that one stands on.

use walctl::model::units::{count, show_bytes};
use walctl::ops::report::MapCell;

use super::{Canvas, Inked, from_end};
use crate::cli::browse::rows::time_words;
use crate::cli::browse::state::Browser;
use crate::cli::browse::talk::{CheckedSegment, DrawnSegment, ListedSegment};
use crate::cli::render::escape;
use crate::cli::render::out::Ink;
use crate::cli::render::wrap::columns;

const LEGEND: &str = "# records  X damage  ~ missing  + padding  - header  . zeros  ? not looked at";
const VERDICT: usize = 15;
const SIZE: usize = 9;

/// How wide each column is.
struct Columns {
    name: usize,
    bar: usize,
    lsns: usize,
}

pub(super) fn draw(canvas: &mut Canvas<'_>, browser: &Browser) {
    let layout = browser.layout();
    let top = layout.head;
    let seen = browser.segments.top..browser.segments.top.saturating_add(layout.segments).min(browser.listed.len());
    let rows: Vec<(usize, &ListedSegment)> = seen.clone().zip(&browser.listed[seen]).collect();
    let shape = measure(browser, &rows, layout.width);
    let head = format!(
        "  {:<name$} {:<bar$} {:>lsns$} {:>SIZE$} verdict",
        "segment",
        if shape.bar > 3 { "what it holds" } else { "" },
        if shape.lsns > 0 { "LSN" } else { "" },
        "bytes",
        name = shape.name,
        bar = shape.bar,
        lsns = shape.lsns
    );
    canvas.text(top, &head, Some(Ink::Strong));
    if browser.listed.is_empty() && layout.segments > 0 {
        canvas.text(top + 1, "  there are no segments", None);
    }
    for (line, (index, segment)) in rows.iter().enumerate() {
        let here = *index == browser.segments.cursor;
        let pieces = row(browser, segment, &shape, here);
        canvas.line(top + 1 + line, &pieces, false);
    }
    if layout.about > 0
        && let Some(segment) = browser.listed.get(browser.segments.cursor)
    {
        about(canvas, browser, segment, top + 1 + layout.segments, layout.width);
    }
}

fn measure(browser: &Browser, rows: &[(usize, &ListedSegment)], width: usize) -> Columns {
    let longest = |of: &dyn Fn(&ListedSegment) -> usize| rows.iter().map(|(_, segment)| of(segment)).max().unwrap_or(0);
    let name = longest(&|segment| columns(&escape::line(&segment.name))).clamp(7, (width / 3).max(12));
    let lsns = longest(&|segment| columns(lsns(browser, segment))).clamp(3, 30);
    let taken = 2 + name + 1 + 1 + 1 + SIZE + 1 + VERDICT;
    let left = width.saturating_sub(taken);
    // The drawing goes before the numbers: these stand below too.
    let lsns = if left >= lsns + 10 { lsns } else { 0 };
    Columns { name, bar: left.saturating_sub(lsns), lsns }
}

fn lsns<'b>(browser: &'b Browser, segment: &ListedSegment) -> &'b str {
    let checked = checked(browser, segment).map(|checked| checked.lsns.as_str());
    checked.or_else(|| browser.drawn.get(&segment.name).map(|drawn| drawn.lsns.as_str())).unwrap_or_default()
}

fn checked<'b>(browser: &'b Browser, segment: &ListedSegment) -> Option<&'b CheckedSegment> {
    match &browser.checked {
        Some(Ok(checked)) => checked.segments.get(&segment.name),
        _ => None,
    }
}

fn row(browser: &Browser, segment: &ListedSegment, shape: &Columns, here: bool) -> Vec<Inked> {
    let name = from_end(&escape::line(&segment.name), shape.name);
    let mark = if here { "> " } else { "  " };
    let pad = shape.name.saturating_sub(columns(&name));
    let mut pieces = vec![(format!("{mark}{name}{} ", " ".repeat(pad)), here.then_some(Ink::Strong))];
    pieces.extend(bar(browser.drawn.get(&segment.name), gaps(browser, segment), segment.bytes, shape.bar));
    let lsns = escape::short_line(lsns(browser, segment), shape.lsns);
    let lsns = if shape.lsns > 0 { lsns } else { String::new() };
    let bytes = if segment.bytes == u64::MAX { "?".to_owned() } else { show_bytes(segment.bytes) };
    pieces.push((format!(" {lsns:>width$} {bytes:>SIZE$} ", width = shape.lsns), None));
    let (verdict, ink) = verdict(browser, segment);
    pieces.push((verdict, Some(ink)));
    pieces
}

fn verdict(browser: &Browser, segment: &ListedSegment) -> (String, Ink) {
    match (checked(browser, segment), browser.drawn.get(&segment.name)) {
        (Some(checked), _) => (checked.verdict.to_owned(), checked.ink),
        (None, Some(drawn)) if drawn.hurts > 0 => ("has damage".to_owned(), Ink::Warn),
        _ => ("not checked yet".to_owned(), Ink::Dim),
    }
}

const fn mark(cell: MapCell) -> (char, Ink) {
    match cell {
        MapCell::Reserved => ('.', Ink::Dim),
        MapCell::Other => ('-', Ink::Dim),
        MapCell::Padding => ('+', Ink::Dim),
        MapCell::Frames => ('#', Ink::Good),
        MapCell::Damage => ('X', Ink::Bad),
    }
}

/// Where records are missing in a segment or behind it.
fn gaps<'b>(browser: &'b Browser, segment: &ListedSegment) -> &'b [u64] {
    checked(browser, segment).map_or(&[], |checked| checked.gaps.as_slice())
}

/// A segment in so many columns, each of which shows the worst of its part, and what is missing above all.
pub(super) fn bar(drawn: Option<&DrawnSegment>, gaps: &[u64], bytes: u64, width: usize) -> Vec<Inked> {
    let unknown = ('?', Ink::Dim);
    let cell = |at: usize| {
        let Some(drawn) = drawn.filter(|drawn| !drawn.cells.is_empty()) else { return unknown };
        let all = drawn.cells.len();
        let (from, to) = (at * all / width, ((at + 1) * all).div_ceil(width).min(all));
        let worst = drawn.cells[from.min(all - 1)..to.max(from + 1).min(all)].iter().max().copied();
        let reached = drawn.done || u128::from(drawn.reached) * all as u128 > from as u128 * u128::from(drawn.bytes.max(1));
        worst.filter(|worst| reached || *worst == MapCell::Damage).map_or(unknown, mark)
    };
    let empty = drawn.is_some_and(|drawn| drawn.done && drawn.bytes == 0);
    let mut cells: Vec<(char, Ink)> = (0..width).map(|at| if empty { (' ', Ink::Dim) } else { cell(at) }).collect();
    for gap in gaps {
        // What is missing behind the end is drawn at the end.
        let at = u128::from(*gap) * width as u128 / u128::from(bytes.max(1));
        let last = width.saturating_sub(1);
        if let Some(cell) = cells.get_mut(usize::try_from(at).unwrap_or(last).min(last)) {
            *cell = ('~', Ink::Bad);
        }
    }
    cells.chunk_by(|a, b| a == b).map(|run| (String::from(run[0].0).repeat(run.len()), Some(run[0].1))).collect()
}

fn about(canvas: &mut Canvas<'_>, browser: &Browser, segment: &ListedSegment, y: usize, width: usize) {
    let name = from_end(&escape::line(&segment.name), width.saturating_sub(6));
    let rule = "-".repeat(width.saturating_sub(columns(&name) + 4));
    canvas.text(y, &format!("-- {name} {rule}"), Some(Ink::Dim));
    let drawn = browser.drawn.get(&segment.name);
    canvas.line(y + 1, &bar(drawn, gaps(browser, segment), segment.bytes, width), false);
    let size = if segment.bytes == u64::MAX { "?".to_owned() } else { format!("{} bytes", segment.bytes) };
    canvas.text(y + 2, &format!("0{size:>room$}", room = width.saturating_sub(1)), Some(Ink::Dim));
    let mut words = Vec::new();
    if let Some(checked) = checked(browser, segment) {
        words.push(format!("{}, LSN {}", count(checked.records, "record"), checked.lsns));
    } else if let Some(drawn) = drawn.filter(|drawn| !drawn.lsns.is_empty()) {
        words.push(format!("LSN {}", drawn.lsns));
    }
    if let Some((Some(first), Some(last))) = drawn.map(|drawn| drawn.times) {
        let (first, last) = (time_words(Some(first), true), time_words(Some(last), true));
        words.push(format!("{} to {}", first.get(..19).unwrap_or(&first), last.get(..19).unwrap_or(&last)));
    }
    canvas.text(y + 3, &escape::short_line(&words.join("; "), width), None);
    if let Some(checked) = checked(browser, segment) {
        let mut pieces = vec![(checked.verdict.to_owned(), Some(checked.ink)), (format!("; {}", checked.end), None)];
        pieces.extend(checked.holes.iter().take(3).map(|hole| (format!("; {hole}"), Some(Ink::Bad))));
        canvas.line(y + 4, &pieces, false);
    }
    canvas.text(y + 5, &escape::short_line(LEGEND, width), Some(Ink::Dim));
}
