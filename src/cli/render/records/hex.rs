//! Records for the doubtful: the bytes as they lie in the file, with the fields of the frame drawn over them.

use std::fmt::Write as _;

use walctl::disk::{File, Segment, Source, pieces};
use walctl::formats::Format;
use walctl::model::{Damage, Record, Result};
use walctl::ops::read::{SegmentFiles, Shown};

use super::payload::Spill;
use crate::cli::render::escape;
use crate::cli::render::wrap::wrap;

/// How many bytes a line shows, and how many where such a line would not fit.
const LINE: usize = 16;
const SHORT: usize = 8;
/// How many columns a line of the longer sort takes.
const COLUMNS: usize = 90;

/// How records become lines.
#[derive(Debug)]
pub struct Hex {
    files: SegmentFiles,
    format: &'static Format,
    line: usize,
    columns: Option<usize>,
}

impl Hex {
    /// Over a log, for a terminal of so many columns, if it is for one.
    pub fn new(source: &Source, format: &'static Format, columns: Option<usize>) -> Hex {
        let line = if columns.is_some_and(|columns| columns < COLUMNS) { SHORT } else { LINE };
        Hex { files: SegmentFiles::new(source), format, line, columns }
    }

    /// Appends the lines of a record.
    pub fn record(&mut self, buf: &mut Vec<u8>, shown: &Shown<'_>, spill: &mut Spill<'_>) -> Result<()> {
        let record = shown.record;
        let mut head = format!("{}:{}: {}", shown.segment.path.display(), record.span.start(), record.kind);
        if let Some(lsn) = record.lsn {
            let _ = write!(head, ", LSN {}", self.format.numbers.show(lsn));
        }
        let _ = write!(head, ", {} bytes", record.span.length);
        if shown.after_damage {
            head.push_str(", after damage");
        }
        buf.extend_from_slice(escape::line(&head).as_bytes());
        buf.push(b'\n');
        let file = self.files.file(shown.segment)?;
        let parts = parts(file.as_ref(), self.format, record)?;
        let mut at = record.span.start();
        for (name, length) in parts {
            part(buf, file.as_ref(), self.line, (at, length), name, spill)?;
            at += length;
        }
        Ok(())
    }

    /// Appends the bytes of a bad region.
    pub fn damage(&mut self, buf: &mut Vec<u8>, segment: &Segment, damage: &Damage, spill: &mut Spill<'_>) -> Result<()> {
        let head = format!("!! {}:{}: {}: {}", segment.path.display(), damage.span.start(), damage.kind.name(), damage.detail());
        let head = escape::line(&head);
        let head = self.columns.map_or_else(|| head.clone(), |columns| wrap(&head, columns));
        buf.extend_from_slice(head.as_bytes());
        buf.push(b'\n');
        // What the disk refuses cannot be shown; the line above says so.
        let file = self.files.file(segment)?;
        if let Err(error) = part(buf, file.as_ref(), self.line, (damage.span.start(), damage.span.length), "damage", spill) {
            buf.extend_from_slice(escape::line(&format!("   {error}\n")).as_bytes());
            buf.push(b'\n');
        }
        Ok(())
    }
}

/// The names of a record's bytes, and how many bear each: the fields of its header, and what stands behind them.
pub fn parts(file: &dyn File, format: &Format, record: &Record<'_>) -> Result<Vec<(&'static str, u64)>> {
    let mut parts: Vec<(&str, u64)> = Vec::new();
    let mut covered = 0;
    for (name, offset, length) in (format.drawing)(record) {
        let (offset, length) = (*offset as u64, *length as u64);
        if offset != covered || offset + length > record.span.length {
            break;
        }
        parts.push((name, length));
        covered += length;
    }
    let rest = record.span.length - covered;
    let stored = rest.min(record.payload.length());
    let same = stored == record.payload.length() && !record.encrypted && as_stored(file, record, covered)?;
    // Compressed, encrypted or split into fragments, the bytes are not what was given: they are only called stored.
    if same && rest - stored < 64 {
        parts.push(("payload", stored));
        parts.push(("padding", rest - stored));
    } else {
        parts.push(("stored", rest));
    }
    Ok(parts)
}

/// Whether the payload lies in the file as it was given.
fn as_stored(file: &dyn File, record: &Record<'_>, skip: u64) -> Result<bool> {
    let mut at = record.span.start() + skip;
    let mut same = true;
    record.payload.each(&mut |piece| {
        let mut rest = piece;
        pieces(file, at, piece.len() as u64, &mut |bytes| {
            let count = bytes.len().min(rest.len());
            same = same && bytes[..count] == rest[..count];
            rest = &rest[count..];
            Ok(())
        })?;
        at += piece.len() as u64;
        Ok(())
    })?;
    Ok(same)
}

/// Appends a run of bytes under one name; lines that repeat the one before are left out.
fn part(
    buf: &mut Vec<u8>,
    file: &dyn File,
    line: usize,
    (offset, length): (u64, u64),
    name: &str,
    spill: &mut Spill<'_>,
) -> Result<()> {
    let mut lines = Lines { at: offset, line, open: Vec::with_capacity(line), last: Vec::new(), starred: false, name };
    pieces(file, offset, length, &mut |piece| {
        let mut piece = piece;
        while !piece.is_empty() {
            let count = piece.len().min(line - lines.open.len());
            lines.open.extend_from_slice(&piece[..count]);
            piece = &piece[count..];
            if lines.open.len() == line {
                lines.put(buf, false);
            }
        }
        spill(buf)
    })?;
    lines.put(buf, true);
    Ok(())
}

struct Lines<'a> {
    at: u64,
    line: usize,
    open: Vec<u8>,
    last: Vec<u8>,
    starred: bool,
    name: &'a str,
}

impl Lines<'_> {
    fn put(&mut self, buf: &mut Vec<u8>, end: bool) {
        if self.open.is_empty() {
            return;
        }
        if self.open == self.last && !end {
            if !self.starred {
                buf.extend_from_slice(b"            *\n");
            }
            self.starred = true;
        } else {
            let mut line = format!("{:>10}  ", self.at);
            for byte in &self.open {
                let _ = write!(line, "{byte:02x} ");
            }
            let shown: String = self.open.iter().map(|b| if (b' '..=b'~').contains(b) { char::from(*b) } else { '.' }).collect();
            let _ = writeln!(line, "{:pad$} {:<10} |{shown}|", "", self.name, pad = (self.line - self.open.len()) * 3);
            buf.extend_from_slice(line.as_bytes());
            self.starred = false;
        }
        self.at += self.open.len() as u64;
        self.last = std::mem::take(&mut self.open);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use walctl::disk::{Disk, Open, RealDisk};

    #[test]
    fn equal_lines_are_shown_once_and_the_last_one_always() {
        let temp = tempfile::NamedTempFile::new().expect("a temporary file");
        std::fs::write(temp.path(), [b"magic\0\x1b!".as_slice(), &[0; 100]].concat()).expect("room for 108 bytes");
        let file = RealDisk.open(temp.path(), Open::READ).expect("it was just made");
        let mut buf = Vec::new();
        part(&mut buf, file.as_ref(), LINE, (0, 8), "magic", &mut |_| Ok(())).expect("it reads");
        part(&mut buf, file.as_ref(), LINE, (8, 100), "rest", &mut |_| Ok(())).expect("it reads");
        let text = String::from_utf8(buf).expect("it is ASCII");
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "         0  6d 61 67 69 63 00 1b 21                          magic      |magic..!|");
        assert_eq!(lines[2], "            *");
        assert!(lines[3].starts_with("       104  00 00 00 00"), "{text}");
        assert_eq!(lines.len(), 4);
    }

    #[test]
    fn a_line_of_bytes_fits_into_eighty_columns_where_it_must() {
        let temp = tempfile::NamedTempFile::new().expect("a temporary file");
        std::fs::write(temp.path(), [7; 64]).expect("room for 64 bytes");
        let file = RealDisk.open(temp.path(), Open::READ).expect("it was just made");
        for (line, most) in [(LINE, COLUMNS), (SHORT, 80)] {
            let mut buf = Vec::new();
            part(&mut buf, file.as_ref(), line, (0, 64), "record_sum", &mut |_| Ok(())).expect("it reads");
            let text = String::from_utf8(buf).expect("it is ASCII");
            assert!(text.lines().all(|shown| shown.len() <= most), "{text}");
        }
    }
}
