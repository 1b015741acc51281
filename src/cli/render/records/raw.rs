//! Payloads alone: one behind the other with something between them, or each in a file of its own.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::ValueEnum;
use walctl::disk::{Disk, Errno, Open, RealDisk, errno_of, write_full};
use walctl::model::{Error, Lsn, LsnRange, Payload, Record, Result};

use super::payload::Spill;

/// What stands between payloads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Separator {
    /// A line feed behind each
    #[default]
    Lf,
    /// A zero byte behind each
    Nul,
    /// Its length before each: four bytes, little-endian
    Len32,
}

/// Payloads, one behind the other.
#[derive(Debug, Default)]
pub struct Raw {
    delimiter: Separator,
    /// How many payloads contain the delimiter, so that their ends are ambiguous.
    pub ambiguous: u64,
}

impl Raw {
    /// With that between them.
    pub fn new(delimiter: Separator) -> Raw {
        Raw { delimiter, ambiguous: 0 }
    }

    /// Appends a payload.
    pub fn payload(&mut self, buf: &mut Vec<u8>, payload: &Payload<'_>, spill: &mut Spill<'_>) -> Result<()> {
        let end = match self.delimiter {
            Separator::Lf => Some(b'\n'),
            Separator::Nul => Some(0),
            Separator::Len32 => {
                let length = u32::try_from(payload.length()).map_err(|_| Error::Input {
                    what: format!("a payload of {} bytes is too long for --delimiter len32", payload.length()),
                })?;
                buf.extend_from_slice(&length.to_le_bytes());
                None
            }
        };
        let mut held = false;
        payload.each(&mut |piece| {
            held = held || end.is_some_and(|byte| piece.contains(&byte));
            buf.extend_from_slice(piece);
            spill(buf)
        })?;
        self.ambiguous += u64::from(held);
        buf.extend(end);
        Ok(())
    }
}

/// A folder that gets one file a record.
#[derive(Debug)]
pub struct Files {
    dir: PathBuf,
    disk: Arc<dyn Disk>,
    /// From the lowest to the highest LSN that was written.
    lsns: Option<LsnRange>,
    /// How many were written.
    pub written: u64,
}

impl Files {
    /// In that folder, which is made when it is not there.
    pub fn new(dir: &Path) -> Result<Files> {
        let disk = Arc::new(RealDisk);
        disk.create_dir(dir)?;
        Ok(Files { dir: dir.to_owned(), disk, lsns: None, written: 0 })
    }

    /// Writes the payload of a record. A file that is there already is never replaced.
    pub fn record(&mut self, record: &Record<'_>) -> Result<()> {
        let (path, file) = self.create(record)?;
        let mut at = 0;
        let done = record.payload.each(&mut |piece| {
            write_full(file.as_ref(), piece, at)?;
            at += piece.len() as u64;
            Ok(())
        });
        if done.is_err() {
            // Half a payload must not pass for one.
            let _ = self.disk.remove(&path);
        }
        self.written += u64::from(done.is_ok());
        if let Some(lsn) = record.lsn {
            let range = self.lsns.unwrap_or(LsnRange { first: lsn, last: lsn });
            self.lsns = Some(LsnRange { first: range.first.min(lsn), last: range.last.max(lsn) });
        }
        done
    }

    /// Whether this run may have written a record with that LSN.
    fn may_have(&self, lsn: Option<Lsn>) -> bool {
        self.lsns.is_some_and(|range| lsn.is_some_and(|lsn| range.contains(lsn)))
    }

    fn create(&self, record: &Record<'_>) -> Result<(PathBuf, Box<dyn walctl::disk::File>)> {
        let name = match record.lsn {
            Some(lsn) => format!("{:020}", lsn.0),
            None => format!("{:05}-{:020}", record.span.place.segment.0, record.span.start()),
        };
        let path = self.dir.join(&name);
        match self.disk.open(&path, Open::CREATE) {
            Ok(file) => Ok((path, file)),
            // Two records of a damaged log can bear one LSN: the place tells them apart. A file of another run is left alone.
            Err(error) if errno_of(&error) == Some(Errno::EXIST) && self.may_have(record.lsn) => {
                let path = self.dir.join(format!("{name}-at-{}", record.span.start()));
                let file = self.disk.open(&path, Open::CREATE)?;
                Ok((path, file))
            }
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delimiters_stand_where_they_should_and_hidden_ones_are_counted() {
        let run = |delimiter| {
            let (mut raw, mut buf) = (Raw::new(delimiter), Vec::new());
            for payload in [&b"a\nb"[..], b"", b"c\0"] {
                raw.payload(&mut buf, &Payload::Whole(payload), &mut |_| Ok(())).expect("it reads");
            }
            (buf, raw.ambiguous)
        };
        assert_eq!(run(Separator::Lf), (b"a\nb\n\nc\0\n".to_vec(), 1));
        assert_eq!(run(Separator::Nul), (b"a\nb\0\0c\0\0".to_vec(), 1));
        assert_eq!(run(Separator::Len32), (b"\x03\0\0\0a\nb\0\0\0\0\x02\0\0\0c\0".to_vec(), 0));
    }
}
