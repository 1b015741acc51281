//! The list of records, and the list of damage.

use regex::bytes::Regex;

use super::{Canvas, Inked};
use crate::cli::browse::rows::time_words;
use crate::cli::browse::state::Browser;
use crate::cli::browse::talk::RecordRow;
use crate::cli::render::escape;
use crate::cli::render::out::Ink;
use crate::cli::render::wrap::{columns, columns_of};

/// A screen from this width on shows whole times.
const WIDE: usize = 120;

/// How wide each column is; 0 where there is none.
struct Widths {
    lsn: usize,
    time: usize,
    kind: usize,
    tag: usize,
    offset: usize,
    bytes: usize,
}

pub(super) fn draw(canvas: &mut Canvas<'_>, browser: &Browser) {
    let layout = browser.layout();
    let (top, pane) = (layout.head, &browser.records);
    let rows: Vec<(usize, &RecordRow)> = pane.rows.iter().enumerate().skip(pane.roll.top).take(layout.records).collect();
    let widths = measure(&rows, layout.width);
    let cell = |name: &str, width: usize| if width > 0 { format!("{name:>width$}  ") } else { String::new() };
    let kind = format!("{:<width$}  ", "KIND", width = widths.kind);
    let time = if widths.time > 0 { format!("{:<width$}  ", "TIME (UTC)", width = widths.time) } else { String::new() };
    let head = [
        "  ".to_owned(),
        cell("LSN", widths.lsn),
        time,
        kind,
        cell("TAG", widths.tag),
        cell("OFFSET", widths.offset),
        cell("BYTES", widths.bytes),
        "PAYLOAD".to_owned(),
    ];
    canvas.text(top, &head.concat(), Some(Ink::Strong));
    if rows.is_empty() && layout.records > 0 {
        canvas.text(top + 1, &format!("  {}", nothing(browser)), None);
    }
    for (line, (index, row)) in rows.iter().enumerate() {
        let here = *index == pane.roll.cursor;
        let pieces = pieces(row, &widths, pane.left, layout.width, browser.pattern.as_ref(), here);
        canvas.line(top + 1 + line, &pieces, false);
        if here {
            let row = ratatui::layout::Rect { y: canvas.area.y + (top + 1 + line) as u16, height: 1, ..canvas.area };
            let reversed = ratatui::style::Style::default().add_modifier(ratatui::style::Modifier::REVERSED);
            canvas.buffer.set_style(row.intersection(canvas.area), reversed);
        }
    }
}

fn nothing(browser: &Browser) -> &'static str {
    match (browser.waits, &browser.records.conditions) {
        (true, _) => "reading",
        (false, Some(_)) => "no record meets the conditions; & and Enter shows all again",
        (false, None) => "there are no records",
    }
}

fn measure(rows: &[(usize, &RecordRow)], width: usize) -> Widths {
    let longest = |of: &dyn Fn(&RecordRow) -> usize| rows.iter().map(|(_, row)| of(row)).max().unwrap_or(0);
    let digits = |number: u64| number.checked_ilog10().map_or(1, |log| log as usize + 1);
    let time = rows.iter().any(|(_, row)| row.time.is_some());
    let tag = rows.iter().any(|(_, row)| row.tag.is_some_and(|tag| tag > 0)) && width >= 60;
    Widths {
        lsn: longest(&|row| columns(&row.lsn)).clamp(3, 24),
        time: match width {
            _ if !time => 0,
            WIDE.. => 27,
            60.. => 12,
            _ => 0,
        },
        kind: longest(&|row| columns(&row.kind)).clamp(4, (width / 6).max(4)),
        tag: if tag { longest(&|row| row.tag.map_or(1, digits)).max(3) } else { 0 },
        offset: if width >= 100 { longest(&|row| digits(row.spot.offset)).max(6) } else { 0 },
        bytes: longest(&|row| digits(row.bytes)).max(5),
    }
}

fn pieces(row: &RecordRow, widths: &Widths, left: usize, width: usize, pattern: Option<&Regex>, here: bool) -> Vec<Inked> {
    let mark = match (here, row.spot.record) {
        (true, true) => "> ",
        (true, false) => ">!",
        (false, true) => "  ",
        (false, false) => "!!",
    };
    let fitted = |text: &str, width: usize| {
        let text = escape::short_line(text, width);
        let pad = width.saturating_sub(columns(&text));
        (text, " ".repeat(pad))
    };
    let (lsn, pad) = fitted(&row.lsn, widths.lsn);
    let mut line = format!("{mark}{pad}{lsn}  ");
    if widths.time > 0 {
        line += &format!("{:<width$}  ", time_words(row.time, widths.time > 12), width = widths.time);
    }
    let (kind, pad) = fitted(&row.kind, widths.kind);
    line += &format!("{kind}{pad}  ");
    if widths.tag > 0 {
        let tag = row.tag.map_or_else(|| "-".to_owned(), |tag| tag.to_string());
        line += &format!("{tag:>width$}  ", width = widths.tag);
    }
    if widths.offset > 0 {
        line += &format!("{:>width$}  ", row.spot.offset, width = widths.offset);
    }
    line += &format!("{:>width$}  ", row.bytes, width = widths.bytes);
    let ink = (!row.spot.record).then_some(Ink::Bad);
    let room = width.saturating_sub(columns(&line));
    let mut pieces = vec![(line, ink)];
    let text = cut_left(&row.text, left);
    let text = if room > 3 { escape::short_line(&text, room) } else { String::new() };
    pieces.extend(marked(&text, pattern, ink));
    pieces
}

/// Text without its first columns.
fn cut_left(text: &str, left: usize) -> String {
    if left == 0 {
        return text.to_owned();
    }
    let mut passed = 0;
    let rest = text.chars().skip_while(|c| {
        let skip = passed < left;
        passed += columns_of(*c);
        skip
    });
    format!("<{}", rest.collect::<String>())
}

/// Text with what is searched for marked.
fn marked(text: &str, pattern: Option<&Regex>, ink: Option<Ink>) -> Vec<Inked> {
    let Some(pattern) = pattern else { return vec![(text.to_owned(), ink)] };
    let (mut pieces, mut at) = (Vec::new(), 0);
    for found in pattern.find_iter(text.as_bytes()) {
        // A match of bytes may end inside a character.
        let (Some(before), Some(inside)) = (text.get(at..found.start()), text.get(found.range())) else { continue };
        pieces.push((before.to_owned(), ink));
        pieces.push((inside.to_owned(), Some(Ink::Match)));
        at = found.end();
    }
    pieces.push((text.get(at..).unwrap_or_default().to_owned(), ink));
    pieces
}

/// The list of damage.
pub(super) fn draw_damage(canvas: &mut Canvas<'_>, browser: &Browser) {
    let layout = browser.layout();
    let top = layout.head;
    let rows = browser.damage_rows();
    let seen = browser.damage.top..browser.damage.top.saturating_add(layout.damage).min(rows.len());
    let longest = |of: &dyn Fn(usize) -> usize| seen.clone().map(of).max().unwrap_or(0);
    let verdict = longest(&|at| rows[at].verdict.len()).max(7);
    let kind = longest(&|at| rows[at].kind.len()).max(4);
    let named = |at: usize| if layout.width < WIDE { super::short_place(&rows[at].place) } else { rows[at].place.clone() };
    let place = longest(&|at| columns(&named(at))).clamp(5, (layout.width / 2).max(10));
    canvas.text(
        top,
        &format!("  {:<verdict$}  {:<kind$}  {:<place$}  WHAT IT MEANS", "VERDICT", "KIND", "PLACE"),
        Some(Ink::Strong),
    );
    if rows.is_empty() && layout.damage > 0 {
        let words = match &browser.checked {
            Some(Ok(checked)) => format!("no damage; checked at {}", checked.at),
            Some(Err(why)) => format!("the log could not be checked: {why}"),
            None => format!("what stands here is known when the log has been checked: {}", super::progress_words(browser)),
        };
        canvas.text(top + 1, &format!("  {}", escape::short_line(&words, layout.width.saturating_sub(2))), None);
    }
    for (line, at) in seen.enumerate() {
        let row = &rows[at];
        let mark = if at == browser.damage.cursor { "> " } else { "  " };
        let where_it_is = super::from_end(&named(at), place);
        let pad = " ".repeat(place.saturating_sub(columns(&where_it_is)));
        let used = 2 + verdict + 2 + kind + 2 + place + 2;
        let pieces = [
            (mark.to_owned(), None),
            (format!("{:<verdict$}  ", row.verdict), Some(row.ink)),
            (format!("{:<kind$}  {where_it_is}{pad}  ", row.kind), None),
            (escape::short_line(&row.words, layout.width.saturating_sub(used)), None),
        ];
        canvas.line(top + 1 + line, &pieces, at == browser.damage.cursor);
    }
}
