//! What a scan delivers, printed in the shape that was asked for.

use std::io::Write;

use walctl::formats::Halt;
use walctl::model::{Damage, Error, Lsn, Result};
use walctl::ops::open::Input;
use walctl::ops::read::{Lot, Shown};

use super::DumpArgs;
use super::files::Files;
use crate::cli::exit::Exit;
use crate::cli::render::out::{Out, stopped};
use crate::cli::render::records::csv::{Csv, HEADS};
use crate::cli::render::records::hex::Hex;
use crate::cli::render::records::json::Json;
use crate::cli::render::records::meaning::Meaning;
use crate::cli::render::records::payload::View;
use crate::cli::render::records::raw::{Raw, Separator};
use crate::cli::render::records::redact::Redaction;
use crate::cli::render::records::table::RecordTable;

/// A printer of records. What it prints gathers in one buffer, which is used again.
#[derive(Debug)]
pub struct Print {
    shape: Shape,
    buf: Vec<u8>,
    /// How many records were asked for and shown, context apart.
    pub shown: u64,
    /// Records that were asked for and left out: ciphertext is not handed out as if it were the content.
    pub locked: Locked,
    /// What the damage that was met so far would end with.
    pub met: Exit,
    /// How wide the terminal is, where one reads.
    columns: Option<usize>,
}

/// Records that no key opens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Locked {
    /// How many.
    pub count: u64,
    /// The first one.
    pub first: Option<Lsn>,
}

#[derive(Debug)]
enum Shape {
    Nothing,
    Table(Box<RecordTable>),
    Json(Box<Json>),
    Csv(Box<Csv>),
    Hex(Option<Hex>),
    Raw(Raw),
    Files(Files),
}

/// How lines are printed that need nothing but their record: so they can be printed on any thread.
#[derive(Clone)]
pub struct LineStyle {
    lines: LineKind,
    view: View,
    redact: Option<Redaction>,
    log: Option<String>,
}

#[derive(Clone, Copy)]
enum LineKind {
    Json,
    Csv,
    Raw(Separator),
    /// Records are kept as they are: what a line looks like depends on the one before.
    Kept,
}

/// Prints such lines.
pub struct LinePrinter(Shape);

impl LineStyle {
    /// A printer of them, for one thread.
    pub fn printer(self) -> LinePrinter {
        let LineStyle { lines, view, redact, log } = self;
        LinePrinter(match lines {
            LineKind::Csv => Shape::Csv(Box::new(Csv { view, redact, several: log.is_some() })),
            LineKind::Json => {
                let mut json = Json::new(view, redact);
                json.log = log;
                Shape::Json(Box::new(json))
            }
            LineKind::Raw(delimiter) => Shape::Raw(Raw::new(delimiter)),
            LineKind::Kept => Shape::Nothing,
        })
    }
}

impl LinePrinter {
    /// Appends the line of a record.
    pub fn record(&mut self, buf: &mut Vec<u8>, shown: &Shown<'_>) -> Result<()> {
        let keep = &mut |_: &mut Vec<u8>| Ok(());
        match &mut self.0 {
            Shape::Json(json) => json.record(buf, shown, keep),
            Shape::Csv(csv) => csv.record(buf, shown, keep),
            _ => Ok(()),
        }
    }

    /// Puts what becomes of a record into a lot. False where that is for the thread that writes: a record too long to be held, or one whose
    /// payload is not handed out.
    pub fn put(&mut self, lot: &mut Lot, shown: &Shown<'_>) -> Result<bool> {
        if shown.record.payload.whole().is_none() {
            return Ok(false);
        }
        match &mut self.0 {
            Shape::Nothing => return Ok(lot.records.keep(shown)),
            Shape::Raw(_) if shown.record.encrypted => return Ok(false),
            Shape::Raw(raw) => {
                raw.payload(&mut lot.text, &shown.record.payload, &mut |_| Ok(()))?;
                lot.counted += std::mem::take(&mut raw.ambiguous);
            }
            _ => self.record(&mut lot.text, shown)?,
        }
        Ok(true)
    }
}

/// Ends the line of a record whose payload could not be read to its end.
const INCOMPLETE: &[u8] = b"\",\"incomplete\":true}\n";
/// A buffer longer than this is written.
const SPILL: usize = 64 << 10;

impl Print {
    /// In the shape that the flags ask for.
    pub fn new(args: &DumpArgs, out: &mut Out) -> Result<Print> {
        let redact = if args.redact { Some(Redaction::new()?) } else { None };
        let view = args.payload;
        let shape = match &args.out_dir {
            Some(dir) => Shape::Files(Files::new(dir)?),
            None if out.quiet() => Shape::Nothing,
            None if args.raw => Shape::Raw(Raw::new(args.delimiter)),
            None if args.csv => Shape::Csv(Box::new(Csv { view, redact, several: false })),
            None if args.hex => Shape::Hex(None),
            None if out.json() => Shape::Json(Box::new(Json::new(view, redact))),
            None => {
                let mut table = RecordTable::new(out, view, redact, args.grep.clone(), args.context > 0);
                table.local = args.scope.local;
                Shape::Table(Box::new(table))
            }
        };
        if matches!(shape, Shape::Csv(_)) {
            out.write_all(HEADS).map_err(stopped)?;
        }
        let columns = out.width().filter(|_| out.is_terminal());
        Ok(Print { columns, shape, buf: Vec::with_capacity(2 * SPILL), shown: 0, locked: Locked::default(), met: Exit::Done })
    }

    /// Begins another log. `meaning` says what its records mean.
    pub fn log(&mut self, input: &Input, several: bool, meaning: Option<Meaning>) {
        let name = input.source.path.display().to_string();
        match &mut self.shape {
            Shape::Table(table) => {
                (table.numbers, table.meaning) = (input.format.numbers, meaning);
                if several {
                    table.log(&mut self.buf, &name);
                }
            }
            Shape::Json(json) => {
                json.log = several.then_some(name);
                json.meaning = meaning;
            }
            Shape::Csv(csv) => csv.several = several,
            Shape::Hex(hex) => *hex = Some(Hex::new(&input.source, input.format, self.columns)),
            _ => {}
        }
    }

    /// How it prints lines, where a line depends on its record alone.
    pub fn line_style(&self) -> Option<LineStyle> {
        match &self.shape {
            // What records mean is told in their order.
            Shape::Json(json) if json.meaning.is_none() => {
                Some(LineStyle { lines: LineKind::Json, view: json.view, redact: json.redact.clone(), log: json.log.clone() })
            }
            Shape::Csv(csv) => {
                let log = csv.several.then(String::new);
                Some(LineStyle { lines: LineKind::Csv, view: csv.view, redact: csv.redact.clone(), log })
            }
            _ => None,
        }
    }

    /// The same for threads that walk whole segments: they make payloads too, and `few` records are kept for this one to print.
    pub fn style_ahead(&self, few: bool) -> Option<LineStyle> {
        let of = |lines| LineStyle { lines, view: View::default(), redact: None, log: None };
        match &self.shape {
            Shape::Raw(raw) => Some(of(LineKind::Raw(raw.delimiter))),
            Shape::Nothing | Shape::Table(_) | Shape::Json(_) if few && self.line_style().is_none() => Some(of(LineKind::Kept)),
            _ => self.line_style(),
        }
    }

    /// Prints what other threads made of records.
    pub fn lot(&mut self, out: &mut Out, lot: &Lot) -> Result<(), Halt> {
        self.lines(out, &lot.text)?;
        // Those that were kept are counted where they are printed.
        self.shown += if lot.records.is_empty() { lot.matched } else { 0 };
        if let Shape::Raw(raw) = &mut self.shape {
            raw.ambiguous += lot.counted;
        }
        lot.records.each(|shown| self.record(out, shown, false))
    }

    /// Writes lines that were printed elsewhere.
    pub fn lines(&mut self, out: &mut Out, lines: &[u8]) -> Result<()> {
        write(out, &mut self.buf)?;
        out.write_all(lines).map_err(stopped)
    }

    /// Whether sentences about the log belong between its records, and not beside them on standard error.
    pub fn for_people(&self) -> bool {
        matches!(self.shape, Shape::Table(_) | Shape::Hex(_))
    }

    /// Whether payloads are shown at all.
    pub fn needs_payloads(&self) -> bool {
        !matches!(self.shape, Shape::Nothing)
    }

    /// Prints a record.
    pub fn record(&mut self, out: &mut Out, shown: &Shown<'_>, gap: bool) -> Result<(), Halt> {
        if shown.record.encrypted && matches!(self.shape, Shape::Raw(_) | Shape::Files(_)) {
            self.locked.count += 1;
            self.locked.first = self.locked.first.or(shown.record.lsn);
            return Ok(());
        }
        let buf = &mut self.buf;
        let (begins, mut spilled) = (buf.len(), false);
        let spill = &mut |buf: &mut Vec<u8>| {
            if buf.len() < SPILL {
                return Ok(());
            }
            spilled = true;
            write(out, buf)
        };
        let done = match &mut self.shape {
            Shape::Nothing | Shape::Hex(None) => Ok(()),
            Shape::Table(table) => table.record(buf, shown, gap, spill),
            Shape::Json(json) => json.record(buf, shown, spill),
            Shape::Csv(csv) => csv.record(buf, shown, spill),
            Shape::Hex(Some(hex)) => hex.record(buf, shown, spill),
            Shape::Raw(raw) => raw.payload(buf, &shown.record.payload, spill),
            Shape::Files(files) => files.record(shown.record),
        };
        if let Err(error) = done {
            self.broke_off(out, begins, spilled);
            return Err(error.into());
        }
        self.shown += u64::from(shown.matched);
        // A user who waits sees the first record at once, and on a terminal each one.
        if self.shown <= 1 || out.is_terminal() {
            self.flush(out)?;
        } else if self.buf.len() >= SPILL {
            write(out, &mut self.buf)?;
        }
        Ok(())
    }

    /// A record that could not be read to its end leaves no half line: programs read lines. What was held back is dropped; of a
    /// record too long to be held the line is ended, and says so.
    fn broke_off(&mut self, out: &mut Out, begins: usize, spilled: bool) {
        if !spilled {
            self.buf.truncate(begins);
        } else if matches!(self.shape, Shape::Json(_)) {
            self.buf.extend_from_slice(INCOMPLETE);
        } else if matches!(self.shape, Shape::Csv(_)) {
            self.buf.push(b'\n');
        }
        // The failure that is on its way counts for more than one of printing.
        let _ = self.flush(out);
    }

    /// Prints a bad region where it stands, in the shapes that have a place for it.
    pub fn damage(&mut self, out: &mut Out, segment: &walctl::disk::Segment, damage: &Damage) -> Result<(), Halt> {
        self.met = self.met.or_worse(damage.verdict().into());
        let spill = &mut |buf: &mut Vec<u8>| if buf.len() >= SPILL { write(out, buf) } else { Ok(()) };
        match &mut self.shape {
            Shape::Table(table) => table.damage(&mut self.buf, segment, damage),
            Shape::Hex(Some(hex)) => hex.damage(&mut self.buf, segment, damage, spill)?,
            _ => {}
        }
        Ok(())
    }

    /// Prints a sentence about the log: between the records where people read them, else on standard error.
    pub fn say(&mut self, out: &mut Out, text: &str) -> Result<()> {
        if self.for_people() {
            self.buf.extend_from_slice(out.wrapped(&crate::cli::render::escape::line(text)).as_bytes());
            self.buf.push(b'\n');
            return Ok(());
        }
        self.flush(out)?;
        out.note(text);
        Ok(())
    }

    /// What must be known about the shape at the end.
    pub fn remark(&self) -> Option<String> {
        match &self.shape {
            Shape::Raw(raw) if raw.ambiguous > 0 => Some(format!(
                "{} held the delimiter, so their ends are ambiguous; --delimiter len32 is not",
                walctl::model::units::count(raw.ambiguous, "payload")
            )),
            Shape::Files(files) => Some(format!("{} written", walctl::model::units::count(files.written, "file"))),
            _ => None,
        }
    }

    /// Whether something waits to be written.
    pub fn waits(&self) -> bool {
        !self.buf.is_empty()
    }

    /// Writes all that has gathered.
    pub fn flush(&mut self, out: &mut Out) -> Result<()> {
        write(out, &mut self.buf)?;
        out.flush().map_err(stopped)
    }
}

fn write(out: &mut Out, buf: &mut Vec<u8>) -> Result<(), Error> {
    out.write_all(buf).map_err(stopped)?;
    buf.clear();
    // A giant's room is given back.
    buf.shrink_to(4 * SPILL);
    Ok(())
}
