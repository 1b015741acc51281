//! From records and damage to the text that is shown of them. All of it is safe for a terminal.

use std::fmt::Write as _;

use walctl::formats::{Asked, Format};
use walctl::model::units::count;
use walctl::model::{Damage, Error, Payload, Record, Result, Time};
use walctl::ops::open::Input;
use walctl::ops::read::{SegmentFiles, Shown, Spot};
use walctl::ops::report::TimesAround;

use super::doc::Doc;
use super::talk::RecordRow;
use crate::cli::render::escape;
use crate::cli::render::out::Ink;
use crate::cli::render::records::csv::value;
use crate::cli::render::records::hex::parts;
use crate::cli::render::records::meaning::Meaning;
use crate::cli::render::records::payload::hex;
use crate::cli::render::report::text;

/// A row holds no more columns of content than this.
const ROW: usize = 400;
/// The page of a record shows this much of its payload as text.
const PAGE: usize = 4000;
/// Bytes that stand before damage are shown, so many of them.
const BEFORE: u64 = 32;

/// Makes rows and pages.
#[derive(Debug)]
pub struct RowMaker {
    format: &'static Format,
    meaning: Option<Meaning>,
    /// Content may be secret, and is shown as little as dump shows it.
    hides: bool,
}

impl RowMaker {
    /// Of the records of a log.
    pub fn new(log: &Input, show_values: bool) -> Result<RowMaker> {
        let hides = log.format.private.is_some() && !show_values;
        Ok(RowMaker { format: log.format, meaning: Meaning::of(log, show_values)?, hides })
    }

    /// The row of a record.
    pub fn record(&mut self, shown: &Shown<'_>, spot: &Spot) -> Result<RecordRow> {
        let record = shown.record;
        let mut words = String::new();
        for field in record.fields {
            let _ =
                write!(words, "{}={} ", escape::text(field.name.as_bytes()), escape::short_line(&value(&field.value, None), 40));
            if words.len() > ROW {
                break;
            }
        }
        words += &self.content(record, ROW)?;
        Ok(RecordRow {
            spot: spot.clone(),
            lsn: self.lsn(record),
            time: record.time,
            kind: escape::short(record.kind.as_bytes(), 24),
            tag: record.tag,
            bytes: record.payload.length(),
            text: escape::short_line(words.trim_end(), ROW),
        })
    }

    /// The row of damage.
    pub fn damage(&self, damage: &Damage, spot: &Spot) -> RecordRow {
        let doubt =
            damage.doubt.map(|doubt| format!("; LSN {} in doubt", self.format.numbers.show_range(doubt))).unwrap_or_default();
        RecordRow {
            spot: spot.clone(),
            lsn: damage.lsn.map_or_else(|| "-".to_owned(), |lsn| self.format.numbers.show(lsn)),
            time: None,
            kind: damage.kind.name().to_owned(),
            tag: None,
            bytes: damage.span.length,
            text: escape::line(&format!("{}{doubt}", damage.detail())),
        }
    }

    fn lsn(&self, record: &Record<'_>) -> String {
        record.lsns().map_or_else(|| "-".to_owned(), |lsns| self.format.numbers.show_range(lsns))
    }

    /// What a record means, or its payload.
    fn content(&mut self, record: &Record<'_>, room: usize) -> Result<String> {
        if record.encrypted {
            return Ok(format!("encrypted, {}", count(record.payload.length(), "byte")));
        }
        if let Some(meaning) = &mut self.meaning
            && let Some(sentence) = meaning.tell(Asked::Words, record, |decoded| escape::line(&decoded.sentence))?
            && !sentence.is_empty()
        {
            return Ok(escape::short_line(&sentence, room));
        }
        if self.hides && record.payload.length() > 0 {
            return Ok(format!("{}, not shown: they may be secret (--show-values)", count(record.payload.length(), "byte")));
        }
        Ok(payload(&record.payload, room))
    }

    /// The page of a record.
    pub fn page(&mut self, log: &Input, shown: &Shown<'_>, spot: &Spot) -> Result<Doc> {
        let record = shown.record;
        let lsn = self.lsn(record);
        let kind = escape::short(record.kind.as_bytes(), 40);
        let title = if lsn == "-" { kind.clone() } else { format!("{kind}, LSN {lsn}") };
        let mut doc = Doc::new(title, spot.clone());
        let place = format!("{}:{}", shown.segment.path.display(), record.span.start());
        doc.fact("place", escape::line(&place), Some(Ink::Strong));
        doc.fact("length", count(record.span.length, "byte"), None);
        doc.fact("LSN", lsn, None);
        doc.fact("kind", kind, None);
        if let Some(time) = record.time {
            doc.fact("time", time.to_string(), None);
        }
        if let Some(tag) = record.tag {
            doc.fact("tag", tag.to_string(), None);
        }
        if let Some(batch) = record.batch {
            doc.fact("batch", format!("begins with LSN {}", self.format.numbers.show(batch)), None);
        }
        if let Some(unsynced) = record.unsynced {
            doc.fact("unsynced", format!("{} before it not known durable then", count(u64::from(unsynced), "record")), None);
        }
        for field in record.fields {
            let shown = escape::short_line(&value(&field.value, None), PAGE);
            doc.fact(&escape::text(field.name.as_bytes()), shown, None);
        }
        let meant = match &mut self.meaning {
            Some(meaning) => {
                meaning.tell(Asked::Words, record, |decoded| escape::line(&decoded.sentence))?.filter(|text| !text.is_empty())
            }
            None => None,
        };
        if let Some(sentence) = &meant {
            doc.fact("means", escape::short_line(sentence, PAGE), None);
        }
        let length = record.payload.length();
        let words = match () {
            () if record.encrypted => format!("encrypted, {}: none of the keys opens it", count(length, "byte")),
            () if self.hides => {
                format!("{}, not shown: they may be secret; browse --show-values shows them", count(length, "byte"))
            }
            () if length == 0 => "empty".to_owned(),
            () => format!("{}: {}", count(length, "byte"), payload(&record.payload, PAGE)),
        };
        doc.fact("payload", words, None);
        doc.fact("", "", None);
        let file = SegmentFiles::new(&log.source).file(shown.segment)?;
        let mut at = record.span.start();
        for (name, length) in parts(file.as_ref(), self.format, record)? {
            doc.part(name, at, length, false);
            at += length;
        }
        if self.hides {
            doc.shown = Some((record.span.start(), record.span.start() + self.format.private.unwrap_or(0)));
        }
        Ok(doc)
    }
}

/// The page of a piece of damage.
pub fn damage_page(log: &Input, damage: &Damage, times: &TimesAround, next: &str, show_values: bool) -> Doc {
    let numbers = log.format.numbers;
    let segment = log.source.segments.get(damage.span.place.segment.index());
    let (start, length) = (damage.span.start(), damage.span.length);
    let spot = Spot::at(segment.map_or("", |segment| segment.name.as_str()), start);
    let ink = text::ink(damage.verdict());
    let mut doc = Doc::new(format!("{}: {}", damage.verdict(), damage.kind), spot);
    let place = format!("{}:{start}", segment.map(|segment| segment.path.display().to_string()).unwrap_or_default());
    doc.fact("place", escape::line(&place), Some(Ink::Strong));
    doc.fact("verdict", format!("{}: {}", damage.verdict(), damage.kind), Some(ink));
    doc.fact("length", count(length, "byte"), None);
    if let Some(lsn) = damage.lsn {
        doc.fact("due there", format!("LSN {}", numbers.show(lsn)), None);
    }
    doc.fact("found", escape::line(&damage.detail()), None);
    doc.fact("proof", text::acknowledged(damage), None);
    if let Some(doubt) = damage.doubt {
        doc.fact("in doubt", format!("LSN {}", numbers.show_range(doubt)), None);
    }
    if let Some(words) = text::between(times, numbers) {
        doc.fact("written", words, None);
    }
    let entry = damage.kind.entry();
    doc.fact("what it is", entry.words, None);
    doc.fact("usual cause", entry.cause, None);
    doc.fact("what helps", entry.remedy, None);
    doc.fact("", "", None);
    doc.fact("next", escape::line(next), Some(Ink::Strong));
    doc.fact("", "", None);
    let before = start.min(BEFORE);
    if length > 0 {
        doc.part("before it", start - before, before, false);
        doc.part("damage", start, length, true);
    }
    if let Some(header) = log.format.private.filter(|_| !show_values) {
        doc.shown = Some((start, start.saturating_add(header)));
    }
    doc
}

/// The page of something that is worth saying and no damage.
pub fn note_page(log: &Input, place: &walctl::model::Span, title: &str, text: &str) -> Doc {
    let segment = log.source.segments.get(place.place.segment.index());
    let mut doc = Doc::new(title.to_owned(), Spot::at(segment.map_or("", |segment| segment.name.as_str()), place.start()));
    let path = segment.map(|segment| segment.path.display().to_string()).unwrap_or_default();
    doc.fact("place", escape::line(&format!("{path}:{}", place.start())), Some(Ink::Strong));
    doc.fact("", escape::line(text), None);
    doc
}

/// The beginning of a payload, in so many columns: text, or hex where it is none.
fn payload(payload: &Payload<'_>, room: usize) -> String {
    let mut head: Vec<u8> = Vec::new();
    let enough = room.saturating_mul(4);
    // Whatever stops it: what came before that is shown.
    let _ = payload.each(&mut |piece| {
        head.extend_from_slice(&piece[..piece.len().min(enough - head.len())]);
        if head.len() >= enough { Err(Error::Interrupted) } else { Ok(()) }
    });
    let cut = payload.length() > head.len() as u64;
    let is_text = std::str::from_utf8(&head).map_or_else(|error| cut && error.error_len().is_none(), |_| true);
    if is_text {
        return escape::short(&head, room);
    }
    let mut digits = Vec::new();
    hex(&mut digits, &head[..head.len().min(room)]);
    let digits = format!("0x{}", String::from_utf8_lossy(&digits));
    escape::short_line(&digits, room)
}

/// A time in so many columns, of which the longest form that fits is taken.
pub fn time_words(time: Option<Time>, full: bool) -> String {
    let text = time.and_then(Time::rfc3339).map(|text| String::from_utf8_lossy(&text).into_owned());
    match text {
        None => String::new(),
        Some(text) if full => text,
        Some(text) => text.get(11..23).unwrap_or_default().to_owned(),
    }
}
