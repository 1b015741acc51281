//! The screen drawn: a head, a list or a page, and a last line. It reads nothing; all text that comes here is safe.

mod page;
mod records;
mod segments;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use walctl::model::units::{count, show_bytes};

use super::help;
use super::state::{Browser, Over, Tab};
use crate::cli::render::escape;
use crate::cli::render::out::Ink;
use crate::cli::render::wrap::columns;

/// A place to draw on, with or without colours.
struct Canvas<'b> {
    buffer: &'b mut Buffer,
    area: Rect,
    colour: bool,
}

/// A piece of a line and how it is shown.
type Inked = (String, Option<Ink>);

impl Canvas<'_> {
    fn style(&self, ink: Option<Ink>) -> Style {
        let (colour, modifier) = match ink {
            None => return Style::default(),
            Some(Ink::Good) => (Some(Color::Green), Modifier::empty()),
            Some(Ink::Warn) => (Some(Color::Yellow), Modifier::empty()),
            Some(Ink::Bad) => (Some(Color::Red), Modifier::BOLD),
            Some(Ink::Dim) => (None, Modifier::DIM),
            Some(Ink::Strong) => (None, Modifier::BOLD),
            Some(Ink::Match) => (Some(Color::Magenta), Modifier::BOLD),
        };
        // Without colours a match is still told from the rest.
        let modifier = if !self.colour && ink == Some(Ink::Match) { Modifier::UNDERLINED } else { modifier };
        let style = Style::default().add_modifier(modifier);
        colour.filter(|_| self.colour).map_or(style, |colour| style.fg(colour))
    }

    /// Writes pieces into a line, as far as they fit; the rest of it is left as it is.
    fn line(&mut self, y: usize, pieces: &[Inked], reversed: bool) {
        let Some(y) = u16::try_from(y).ok().filter(|y| *y < self.area.height) else { return };
        let spans: Vec<Span<'_>> = pieces.iter().map(|(text, ink)| Span::styled(text.as_str(), self.style(*ink))).collect();
        let row = Rect { x: self.area.x, y: self.area.y + y, width: self.area.width, height: 1 };
        self.buffer.set_line(row.x, row.y, &Line::from(spans), row.width);
        if reversed {
            self.buffer.set_style(row, Style::default().add_modifier(Modifier::REVERSED));
        }
    }

    fn text(&mut self, y: usize, text: &str, ink: Option<Ink>) {
        self.line(y, &[(text.to_owned(), ink)], false);
    }
}

/// Draws it all.
pub fn draw(buffer: &mut Buffer, area: Rect, browser: &Browser, colour: bool) {
    let layout = browser.layout();
    let mut canvas = Canvas { buffer, area, colour };
    if layout.head > 0 {
        verdict(&mut canvas, browser, layout.width);
    }
    if layout.head > 1 {
        tabs(&mut canvas, browser);
    }
    match browser.over.last() {
        Some(Over::Record(doc) | Over::Damage(doc)) => page::draw(&mut canvas, browser, doc),
        Some(Over::Help(top)) => {
            canvas.text(layout.head, "help: Esc or q goes back", Some(Ink::Strong));
            for (at, line) in help::lines().iter().skip(*top).take(layout.doc).enumerate() {
                canvas.text(layout.head + 1 + at, line, None);
            }
        }
        None => match browser.tab {
            Tab::Segments => segments::draw(&mut canvas, browser),
            Tab::Records => records::draw(&mut canvas, browser),
            Tab::Damage => records::draw_damage(&mut canvas, browser),
        },
    }
    if layout.width > 0 && area.height > 0 {
        last_line(&mut canvas, browser);
    }
}

/// The log and what checking it has found, as the last line of verify.
fn verdict(canvas: &mut Canvas<'_>, browser: &Browser, width: usize) {
    let (word, ink, rest) = match &browser.checked {
        Some(Ok(checked)) => (checked.verdict.clone(), checked.ink, format!("; {}", checked.words)),
        Some(Err(why)) => ("not checked".to_owned(), Ink::Warn, format!("; {why}")),
        None => ("not checked yet".to_owned(), Ink::Warn, format!("; {}", progress_words(browser))),
    };
    // The end of a path tells more than its start.
    let room = width.saturating_sub(columns(&word) + 3).max(width / 3).max(8);
    let path = from_end(&browser.path, room);
    let used = columns(&path) + 2 + columns(&word);
    let rest = escape::short_line(&rest, width.saturating_sub(used));
    canvas.line(0, &[(format!("{path}: "), Some(Ink::Strong)), (word, Some(ink)), (rest, None)], false);
}

fn progress_words(browser: &Browser) -> String {
    let progress = browser.progress;
    let far = if progress.total > 0 {
        let percent = u128::from(progress.done.min(progress.total)) * 100 / u128::from(progress.total);
        format!("{percent}% of {} checked", show_bytes(progress.total))
    } else {
        "checking".to_owned()
    };
    match progress.damage {
        0 => far,
        pieces => format!("{far}, {} of damage met so far", count(pieces, "piece")),
    }
}

/// The end of a text, behind three dots if it is too long.
fn from_end(text: &str, room: usize) -> String {
    if columns(text) <= room {
        return text.to_owned();
    }
    let mut kept: Vec<char> = Vec::new();
    let mut used = 3;
    for c in text.chars().rev() {
        used += crate::cli::render::wrap::columns_of(c);
        if used > room {
            break;
        }
        kept.push(c);
    }
    let kept: String = kept.into_iter().rev().collect();
    format!("...{kept}")
}

fn tabs(canvas: &mut Canvas<'_>, browser: &Browser) {
    let damage = match &browser.checked {
        Some(Ok(checked)) => format!("3 Damage ({})", checked.count),
        _ => "3 Damage".to_owned(),
    };
    let names = [
        (Tab::Segments, format!("1 Segments ({})", browser.listed.len())),
        (Tab::Records, "2 Records".to_owned()),
        (Tab::Damage, damage),
    ];
    let mut pieces: Vec<Inked> = Vec::new();
    for (tab, name) in names {
        let here = tab == browser.tab;
        pieces.push(if here { (format!("[{name}]"), Some(Ink::Strong)) } else { (format!(" {name} "), None) });
    }
    pieces.push((format!("  {}", browser.format.name), Some(Ink::Dim)));
    if browser.live {
        pieces.push((", being written".to_owned(), Some(Ink::Dim)));
    }
    if let Some(conditions) = &browser.records.conditions {
        pieces.push(("  only ".to_owned(), Some(Ink::Warn)));
        pieces.push((format!("&{}", escape::text(conditions.typed.as_bytes())), Some(Ink::Warn)));
    }
    canvas.line(1, &pieces, false);
}

/// What is typed, what is to be said, how far it has come, or what the keys do here.
fn last_line(canvas: &mut Canvas<'_>, browser: &Browser) {
    let y = usize::from(canvas.area.height) - 1;
    let width = usize::from(canvas.area.width);
    if let Some(prompt) = &browser.prompt {
        let typed = format!("{}{}", prompt.kind.mark(), escape::line(&prompt.text));
        let typed = from_end(&typed, width.saturating_sub(1));
        let hint = if prompt.text.is_empty() { format!("   {}", prompt.kind.hint()) } else { String::new() };
        let cursor = u16::try_from(columns(&typed)).unwrap_or(u16::MAX);
        canvas.line(y, &[(typed, None), (" ".to_owned(), None), (hint, Some(Ink::Dim))], false);
        if cursor < canvas.area.width {
            let place = Rect { x: canvas.area.x + cursor, y: canvas.area.bottom() - 1, width: 1, height: 1 };
            canvas.buffer.set_style(place, Style::default().add_modifier(Modifier::REVERSED));
        }
        return;
    }
    if let Some(message) = &browser.message {
        let message = escape::short_line(message, width);
        return canvas.line(y, &[(message, None)], true);
    }
    if let Some(busy) = browser.busy.as_ref().filter(|_| browser.waits) {
        return canvas.text(y, &format!("{busy}; Esc stops"), Some(Ink::Warn));
    }
    if browser.records.follow && browser.tab == Tab::Records && browser.over.is_empty() {
        return canvas.text(y, "following: new records appear as they come; Esc ends it", Some(Ink::Warn));
    }
    let hints = hints(browser);
    let place = place(browser);
    let gap = width.saturating_sub(columns(hints) + columns(&place));
    let line = if gap >= 2 { format!("{hints}{}{place}", " ".repeat(gap)) } else { hints.to_owned() };
    canvas.text(y, &line, Some(Ink::Dim));
}

fn hints(browser: &Browser) -> &'static str {
    match (browser.over.last(), browser.tab) {
        (Some(Over::Record(_)), _) => "Esc back  Left/Right record before/behind  h help",
        (Some(Over::Damage(_)), _) => "Esc back  Enter records around it  h help",
        (Some(Over::Help(_)), _) => "Esc back  / search",
        (None, Tab::Segments) => "Enter records  Tab view  / name  : go to  h help  q quit",
        (None, Tab::Records) => "Enter bytes  / search  & only  : go to  F follow  h help",
        (None, Tab::Damage) => "Enter all about it  Tab view  h help  q quit",
    }
}

/// A place without the zeros in front of a segment's number, which tell nothing.
fn short_place(place: &str) -> String {
    let short = place.trim_start_matches('0');
    if short.len() + 8 < place.len() { format!("..{short}") } else { place.to_owned() }
}

fn place(browser: &Browser) -> String {
    match (browser.over.is_empty(), browser.tab) {
        (true, Tab::Records) => browser
            .records
            .here()
            .map_or_else(String::new, |row| short_place(&format!("{}:{}", escape::line(&row.spot.segment), row.spot.offset))),
        _ => String::new(),
    }
}
