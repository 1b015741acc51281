//! Records for people: one line each, damage where it stands, no byte of a log unescaped.
//!
//! A log has no last line while it is being read, so columns are not measured in advance: they grow when they must.

use std::fmt::Write as _;

use regex::bytes::Regex;
use walctl::disk::Segment;
use walctl::formats::{Asked, Numbers};
use walctl::model::{Damage, Payload, Record, Result, Time};
use walctl::ops::read::Shown;

use super::csv::value;
use super::meaning::Meaning;
use super::payload::{Spill, View, characters, document, is_utf8, push_base64, push_hex};
use super::redact::Redaction;
use crate::cli::render::out::{Ink, Out};
use crate::cli::render::wrap::columns;
use crate::cli::render::{escape, wrap};
use crate::cli::zone::east_of_utc;

/// How records become lines.
#[derive(Debug)]
pub struct RecordTable {
    view: View,
    redact: Option<Redaction>,
    /// What is searched for: a line that is cut shows its surroundings.
    pattern: Option<Regex>,
    /// How many columns the terminal has; `None` without one.
    width: Option<usize>,
    /// How wide the terminal is, where one reads.
    terminal: Option<usize>,
    colour: bool,
    /// Records that only stand beside wanted ones are marked.
    context: bool,
    /// How the log's numbers are shown.
    pub numbers: Numbers,
    /// What records mean, where that is asked for and known.
    pub meaning: Option<Meaning>,
    lsn: usize,
    kind: usize,
    tag: usize,
    offset: usize,
    bytes: usize,
    shape: Option<TableColumns>,
    /// Times are shown in this machine's zone.
    pub local: bool,
    segment: String,
    date: [u8; 10],
    /// What the frame before said about frames that were not yet synced.
    unsynced: Option<u32>,
    line: String,
}

/// Which columns there are: decided by the first record and the width.
#[derive(Clone, Copy, Debug)]
struct TableColumns {
    time: TimeShape,
    tag: bool,
    offset: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TimeShape {
    None,
    /// The time of day; the date stands in a line of its own where it changes.
    OfDay,
    /// The same without the fraction.
    Short,
    Full,
}

impl RecordTable {
    /// For that output.
    pub fn new(out: &Out, view: View, redact: Option<Redaction>, pattern: Option<Regex>, context: bool) -> RecordTable {
        RecordTable {
            numbers: Numbers::Counted,
            meaning: None,
            view,
            redact,
            pattern,
            width: out.width(),
            terminal: out.width().filter(|_| out.is_terminal()),
            colour: out.colour(),
            context,
            lsn: 3,
            kind: if out.width().is_none_or(|width| width >= 110) { 10 } else { 4 },
            tag: 3,
            offset: 6,
            bytes: 5,
            shape: None,
            local: false,
            segment: String::new(),
            date: [0; 10],
            unsynced: None,
            line: String::new(),
        }
    }

    /// Appends the line of a record, and what must stand before it: heads, the segment's name, the date.
    pub fn record(&mut self, buf: &mut Vec<u8>, shown: &Shown<'_>, gap: bool, spill: &mut Spill<'_>) -> Result<()> {
        let record = shown.record;
        if gap {
            self.aside(buf, "--");
        }
        let shape = match self.shape {
            Some(shape) => shape,
            None => {
                let shape = self.decide(record);
                self.grow(record);
                self.segment(buf, shown.segment);
                self.heads(buf, shape);
                self.shape = Some(shape);
                shape
            }
        };
        self.segment(buf, shown.segment);
        self.grow(record);
        if matches!(shape.time, TimeShape::OfDay | TimeShape::Short) {
            self.date(buf, self.shown_time(record.time).0);
        }
        self.line.clear();
        let mut line = std::mem::take(&mut self.line);
        line.push(if shown.after_damage { '!' } else { ' ' });
        line.push(match (self.context && shown.matched, self.begins_group(record)) {
            (true, _) => '>',
            (_, true) => '+',
            _ => ' ',
        });
        self.columns(&mut line, record, shape);
        let used = line.len();
        if shown.after_damage && self.colour {
            let painted = self.paint(Ink::Warn, &line[..1]);
            line.replace_range(..1, &painted);
        }
        let dim = self.context && !shown.matched;
        if dim && self.colour {
            buf.extend_from_slice(b"\x1b[2m");
        }
        buf.extend_from_slice(line.as_bytes());
        self.line = line;
        self.content(buf, record, used, spill)?;
        while buf.last() == Some(&b' ') {
            buf.pop();
        }
        if dim && self.colour {
            buf.extend_from_slice(b"\x1b[0m");
        }
        buf.push(b'\n');
        Ok(())
    }

    /// The columns before the content, as wide as they are.
    fn columns(&self, line: &mut String, record: &Record<'_>, shape: TableColumns) {
        let (lsn_width, kind_width) = (self.lsn, self.kind);
        match (record.lsn, record.last_lsn) {
            (Some(lsn), _) if matches!(self.numbers, Numbers::Positions { .. }) => {
                write!(line, "{:>lsn_width$}", self.numbers.show(lsn))
            }
            (Some(first), Some(last)) if first != last => write!(line, "{:>lsn_width$}", format!("{first}-{last}")),
            (Some(lsn), _) => write!(line, "{:>lsn_width$}", lsn.0),
            (None, _) => write!(line, "{:>lsn_width$}", "-"),
        }
        .expect("a string takes anything");
        let (time, east) = self.shown_time(record.time);
        match shape.time {
            TimeShape::None => {}
            TimeShape::Full if self.local => {
                line.push_str("  ");
                push_time(line, time, 0..26);
                let (sign, minutes) = (if east < 0 { '-' } else { '+' }, east.unsigned_abs() / 60);
                let _ = write!(line, "{sign}{:02}:{:02}", minutes / 60, minutes % 60);
            }
            TimeShape::Full => {
                line.push_str("  ");
                push_time(line, time, 0..27);
            }
            TimeShape::OfDay => {
                line.push_str("  ");
                push_time(line, time, 11..26);
            }
            TimeShape::Short => {
                line.push_str("  ");
                push_time(line, time, 11..19);
            }
        }
        write!(line, "  {:<kind_width$}", escape::text(record.kind.as_bytes())).expect("a string takes anything");
        if shape.tag {
            let width = self.tag;
            match record.tag {
                Some(tag) => write!(line, "  {tag:>width$}"),
                None => write!(line, "  {:>width$}", "-"),
            }
            .expect("a string takes anything");
        }
        if shape.offset {
            let width = self.offset;
            write!(line, "  {:>width$}", record.span.start()).expect("a string takes anything");
        }
        let width = self.bytes;
        write!(line, "  {:>width$}  ", record.payload.length()).expect("a string takes anything");
    }

    /// Appends the line of a bad region, where it stands in the log.
    pub fn damage(&mut self, buf: &mut Vec<u8>, segment: &Segment, damage: &Damage) {
        let mut line = format!("!! {}:{}: {}", segment.path.display(), damage.span.start(), damage.kind.name());
        if damage.span.length > 0 {
            let _ = write!(line, ", {} bytes", damage.span.length);
        }
        let _ = write!(line, ": {}", damage.detail());
        if let Some(doubt) = damage.doubt {
            let word = if doubt.count() == 1 { "LSN" } else { "LSNs" };
            let _ = write!(line, "; {word} {} in doubt", self.numbers.show_range(doubt));
        }
        let line = escape::line(&line);
        let line = self.terminal.map_or_else(|| line.clone(), |width| wrap::wrap(&line, width));
        buf.extend_from_slice(self.paint(Ink::Bad, &line).as_bytes());
        buf.push(b'\n');
    }

    /// Begins the name of another log.
    pub fn log(&mut self, buf: &mut Vec<u8>, name: &str) {
        if self.shape.is_some() {
            buf.push(b'\n');
        }
        let name = escape::line(name);
        buf.extend_from_slice(self.paint(Ink::Strong, &name).as_bytes());
        buf.push(b'\n');
        self.shape = None;
        self.segment.clear();
        self.date = [0; 10];
    }

    fn paint(&self, ink: Ink, text: &str) -> String {
        if self.colour { format!("\x1b[{}m{text}\x1b[0m", ink.code()) } else { text.to_owned() }
    }

    fn aside(&self, buf: &mut Vec<u8>, text: &str) {
        buf.extend_from_slice(self.paint(Ink::Dim, text).as_bytes());
        buf.push(b'\n');
    }

    fn decide(&self, record: &Record<'_>) -> TableColumns {
        let width = self.width.unwrap_or(usize::MAX);
        let time = match record.time {
            None => TimeShape::None,
            Some(_) if width < 60 => TimeShape::Short,
            Some(_) if width < 110 => TimeShape::OfDay,
            Some(_) => TimeShape::Full,
        };
        TableColumns { time, tag: record.tag.is_some() && width >= 60, offset: width >= 70 }
    }

    fn heads(&self, buf: &mut Vec<u8>, shape: TableColumns) {
        let (lsn, kind, tag, offset, bytes) = (self.lsn, self.kind, self.tag, self.offset, self.bytes);
        let mut line = format!("  {:>lsn$}", "LSN");
        match shape.time {
            TimeShape::None => {}
            TimeShape::OfDay => line.push_str(if self.local { "  LOCAL TIME     " } else { "  TIME (UTC)     " }),
            TimeShape::Short => line.push_str(if self.local { "  LOCAL   " } else { "  UTC     " }),
            TimeShape::Full => {
                line.push_str(if self.local { "  LOCAL TIME                      " } else { "  TIME                       " })
            }
        }
        let _ = write!(line, "  {:<kind$}", "KIND");
        if shape.tag {
            let _ = write!(line, "  {:>tag$}", "TAG");
        }
        if shape.offset {
            let _ = write!(line, "  {:>offset$}", "OFFSET");
        }
        let _ = write!(line, "  {:>bytes$}  PAYLOAD", "BYTES");
        buf.extend_from_slice(self.paint(Ink::Strong, &line).as_bytes());
        buf.push(b'\n');
    }

    fn segment(&mut self, buf: &mut Vec<u8>, segment: &Segment) {
        if self.segment != segment.name {
            self.segment.clone_from(&segment.name);
            let line = format!("-- {}", escape::line(&segment.name));
            self.aside(buf, &line);
        }
    }

    /// The moment whose digits are shown, and how many seconds it is ahead of the true one.
    fn shown_time(&self, time: Option<Time>) -> (Option<Time>, i64) {
        let east = time.filter(|_| self.local).map_or(0, east_of_utc);
        (time.map(|time| Time(time.0.saturating_add_signed(east * 1_000_000))), east)
    }

    fn date(&mut self, buf: &mut Vec<u8>, time: Option<Time>) {
        if let Some(text) = time.and_then(Time::rfc3339)
            && text[..10] != self.date
        {
            self.date.copy_from_slice(&text[..10]);
            let line = format!("-- {}", String::from_utf8_lossy(&self.date));
            self.aside(buf, &line);
        }
    }

    fn grow(&mut self, record: &Record<'_>) {
        let digits = |n: u64| n.checked_ilog10().map_or(1, |log| log as usize + 1);
        let lsn = match (record.lsn, record.last_lsn) {
            (Some(lsn), _) if matches!(self.numbers, Numbers::Positions { .. }) => self.numbers.show(lsn).len(),
            (Some(first), Some(last)) if first != last => digits(first.0) + 1 + digits(last.0),
            (Some(lsn), _) => digits(lsn.0),
            (None, _) => 1,
        };
        self.lsn = self.lsn.max(lsn);
        self.kind = self.kind.max(record.kind.len().min(24));
        self.tag = self.tag.max(record.tag.map_or(1, digits));
        self.offset = self.offset.max(digits(record.span.start()));
        self.bytes = self.bytes.max(digits(record.payload.length()));
    }

    /// Whether a frame is the first of those that one sync made durable together: it waited for fewer frames than the one before.
    fn begins_group(&mut self, record: &Record<'_>) -> bool {
        let Some(unsynced) = record.unsynced else { return false };
        let before = self.unsynced.replace(unsynced);
        before.is_none_or(|before| unsynced <= before)
    }

    /// How the payload of a record is shown in so much room.
    fn view_of(&self, record: &Record<'_>, room: Option<usize>) -> Result<View> {
        let payload = &record.payload;
        Ok(match self.view {
            // Ciphertext cannot be read.
            View::Auto if record.encrypted => View::Len,
            // Only what is shown is looked at, where only that much is shown.
            View::Auto => match (payload.whole(), room) {
                (Some(bytes), Some(room)) => {
                    let head = &bytes[..bytes.len().min(room * 4)];
                    let good =
                        std::str::from_utf8(head).map_or_else(|e| e.error_len().is_none() && head.len() < bytes.len(), |_| true);
                    if good { View::Text } else { View::Hex }
                }
                _ => {
                    if is_utf8(payload)? {
                        View::Text
                    } else {
                        View::Hex
                    }
                }
            },
            view => view,
        })
    }

    /// Appends a format's own facts and the payload.
    fn content(&mut self, buf: &mut Vec<u8>, record: &Record<'_>, used: usize, spill: &mut Spill<'_>) -> Result<()> {
        // In words it needs the room of a line; what the header says besides is in the JSON.
        let sentence = match &mut self.meaning {
            Some(meaning) if self.view == View::Auto && self.redact.is_none() => {
                meaning.tell(Asked::Words, record, |decoded| escape::line(&decoded.sentence))?
            }
            _ => None,
        };
        let mut facts = String::new();
        let alone = sentence.is_some() && self.width.is_some();
        for field in record.fields.iter().filter(|_| !alone) {
            let _ = write!(facts, "{}={} ", escape::text(field.name.as_bytes()), value(&field.value, self.redact.as_ref()));
        }
        if record.encrypted {
            facts.push_str("encrypted ");
        }
        // At least some of the payload is shown, also where that makes the line too long.
        let room = self.width.map(|width| width.saturating_sub(used).max(8));
        let keep = usize::try_from(record.payload.length()).unwrap_or(usize::MAX).min(16);
        if let Some(room) = room
            && columns(&facts) + keep > room
        {
            facts = escape::short_line(&facts, room.saturating_sub(keep + 1).max(8));
            facts.push(' ');
        }
        let room = room.map(|room| room.saturating_sub(columns(&facts)).max(8));
        if !facts.is_empty() {
            buf.extend_from_slice(self.paint(Ink::Dim, facts.trim_end()).as_bytes());
            buf.push(b' ');
        }
        let payload = &record.payload;
        if let Some(redaction) = &self.redact {
            buf.extend_from_slice(format!("#{}", redaction.of(payload)?).as_bytes());
            return Ok(());
        }
        if let Some(sentence) = sentence {
            let sentence = room.map_or_else(|| sentence.clone(), |room| escape::short_line(&sentence, room));
            buf.extend_from_slice(sentence.as_bytes());
            return Ok(());
        }
        let view = self.view_of(record, room)?;
        match view {
            View::Len => {}
            View::Hex => match room {
                Some(room) => {
                    let (head, more) = head(payload, room)?;
                    let fits = !more && head.len() * 2 <= room;
                    let take = if fits { head.len() } else { room.saturating_sub(3) / 2 };
                    super::payload::hex(buf, &head[..take.min(head.len())]);
                    if !fits {
                        buf.extend_from_slice(b"...");
                    }
                }
                None => push_hex(buf, payload, spill)?,
            },
            View::Base64 => push_base64(buf, payload, spill)?,
            View::Json => match document(payload)? {
                Some(document) => buf.extend_from_slice(escape::line(&document).as_bytes()),
                None => all_text(buf, payload, spill)?,
            },
            View::Text if self.view == View::Text => all_text(buf, payload, spill)?,
            View::Text | View::Auto => match room {
                Some(room) => self.excerpt(buf, payload, room)?,
                None => all_text(buf, payload, spill)?,
            },
        }
        Ok(())
    }

    /// Appends as much of a text as fits, beginning where it matters.
    fn excerpt(&self, buf: &mut Vec<u8>, payload: &Payload<'_>, room: usize) -> Result<()> {
        let (head, more) = match payload.whole() {
            Some(bytes) => (bytes.to_vec(), false),
            None => head(payload, 64 << 10)?,
        };
        let found = self.pattern.as_ref().and_then(|pattern| pattern.find(&head));
        let mut from = 0;
        if let Some(found) = &found
            && found.end() + 4 > room
        {
            // The match, with a little before it.
            from = found.start().saturating_sub(room / 4);
            while from < head.len() && head[from] & 0xc0 == 0x80 {
                from += 1;
            }
        }
        let lead = if from > 0 { "..." } else { "" };
        let mut text = escape::short(&head[from..], room.saturating_sub(lead.len()));
        if more && !text.ends_with("...") {
            text.push_str("...");
        }
        buf.extend_from_slice(lead.as_bytes());
        match found.filter(|f| self.colour && !f.is_empty()) {
            // Colour what is found, if it is shown in full.
            Some(found) => {
                let (before, middle) = (escape::text(&head[from..found.start()]), escape::text(found.as_bytes()));
                match text.strip_prefix(before.as_str()).and_then(|rest| rest.strip_prefix(middle.as_str())) {
                    Some(rest) => {
                        buf.extend_from_slice(before.as_bytes());
                        buf.extend_from_slice(self.paint(Ink::Match, &middle).as_bytes());
                        buf.extend_from_slice(rest.as_bytes());
                    }
                    None => buf.extend_from_slice(text.as_bytes()),
                }
            }
            None => buf.extend_from_slice(text.as_bytes()),
        }
        Ok(())
    }
}

/// The first bytes of a payload, and whether there are more.
fn head(payload: &Payload<'_>, most: usize) -> Result<(Vec<u8>, bool)> {
    let mut head = Vec::new();
    if let Some(bytes) = payload.whole() {
        return Ok((bytes[..bytes.len().min(most)].to_vec(), bytes.len() > most));
    }
    payload.each(&mut |piece| {
        let take = piece.len().min(most - head.len());
        head.extend_from_slice(&piece[..take]);
        Ok(())
    })?;
    let more = payload.length() > head.len() as u64;
    Ok((head, more))
}

fn all_text(buf: &mut Vec<u8>, payload: &Payload<'_>, spill: &mut Spill<'_>) -> Result<()> {
    let mut text = String::new();
    characters(payload, &mut |piece, _| {
        text.clear();
        escape::push(&mut text, piece);
        buf.extend_from_slice(text.as_bytes());
        spill(buf)
    })
}

fn push_time(line: &mut String, time: Option<Time>, part: std::ops::Range<usize>) {
    match time.and_then(Time::rfc3339) {
        Some(text) => line.push_str(std::str::from_utf8(&text[part]).unwrap_or_default()),
        None => {
            let width = part.len();
            let text = time.map_or_else(|| "-".to_owned(), |time| time.to_string());
            let _ = write!(line, "{text:<width$}");
        }
    }
}
