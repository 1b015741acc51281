//! What a reader gives: records, damage, and why it ended.

use std::fmt;
use std::path::{Path, PathBuf};

use super::RecordBytes;
use crate::disk::Segment;
use crate::formats::Format;
use crate::model::{Acknowledged, Damage, Error, Lsn, LsnRange, Payload, Record, Result, Time, Verdict};
use crate::native::FrameKind;
use crate::writer::{AsDraft, Draft};

/// A record of a log, as a [`Reader`](crate::Reader) gives it.
///
/// ```
/// # let dir = tempfile::tempdir().expect("a temporary folder");
/// # let log = walctl::Log::open(dir.path())?;
/// log.append(walctl::Draft::of(b"debit 30").tag(7))?;
/// let record = walctl::Reader::open(dir.path())?.next().expect("there is one")?;
/// assert_eq!((record.lsn.0, record.tag, &record.payload[..]), (1, 7, &b"debit 30"[..]));
/// # Ok::<(), walctl::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LogRecord<'a> {
    /// Its number; 0 in logs of systems that have none.
    pub lsn: Lsn,
    /// The number of its last frame; equal to `lsn` for a record in one piece.
    pub last_lsn: Lsn,
    /// What it is: `full` for data, `checkpoint`, `txn-begin`, `txn-commit`, `txn-abort`; in logs of other systems their words.
    pub kind: &'static str,
    /// When it was written, if the log says so.
    pub time: Option<Time>,
    /// The caller's number; 0 when there is none.
    pub tag: u64,
    /// What the caller gave.
    pub payload: RecordBytes<'a>,
}

impl fmt::Debug for LogRecord<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The content may be secret: only its size is printed.
        f.debug_struct("LogRecord")
            .field("lsn", &self.lsn.0)
            .field("kind", &self.kind)
            .field("tag", &self.tag)
            .field("payload_bytes", &self.payload.len())
            .finish_non_exhaustive()
    }
}

impl<'a> LogRecord<'a> {
    pub(super) fn of(record: &Record<'a>, format: &Format, path: &Path) -> Result<LogRecord<'a>> {
        if record.encrypted {
            let why = "its records are encrypted, and none of the keys opens them".into();
            return Err(Error::WrongKey { path: path.to_owned(), why });
        }
        let payload = match record.payload {
            Payload::Whole(bytes) => RecordBytes::borrowed(bytes),
            long @ Payload::Long(..) => {
                let mut bytes = Vec::new();
                long.each(&mut |piece| {
                    bytes.extend_from_slice(piece);
                    Ok(())
                })?;
                RecordBytes::owned(bytes)
            }
        };
        let lsn = record.lsn.unwrap_or(Lsn(0));
        Ok(LogRecord {
            lsn,
            last_lsn: record.last_lsn.unwrap_or(lsn),
            kind: format.kinds.iter().find(|kind| **kind == record.kind).copied().unwrap_or("unknown"),
            time: record.time,
            tag: record.tag.unwrap_or(0),
            payload,
        })
    }

    /// The same record, with its payload copied if it was borrowed.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().expect("a temporary folder");
    /// # walctl::Log::open(dir.path())?.append("x")?;
    /// let mut kept = Vec::new();
    /// walctl::Reader::open(dir.path())?.each(|record| {
    ///     kept.push(record.clone().into_owned());
    ///     Ok(())
    /// })?;
    /// assert_eq!(&kept[0].payload[..], b"x");
    /// # Ok::<(), walctl::Error>(())
    /// ```
    #[must_use]
    pub fn into_owned(self) -> LogRecord<'static> {
        let LogRecord { lsn, last_lsn, kind, time, tag, payload } = self;
        LogRecord { lsn, last_lsn, kind, time, tag, payload: payload.into_owned() }
    }

    /// All but the payload.
    pub(super) fn without_payload(&self) -> LogRecord<'static> {
        let LogRecord { lsn, last_lsn, kind, time, tag, .. } = *self;
        LogRecord { lsn, last_lsn, kind, time, tag, payload: RecordBytes::borrowed(&[]) }
    }

    /// The LSN up to which state is safe elsewhere, if the record is a checkpoint.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().expect("a temporary folder");
    /// # let log = walctl::Log::open(dir.path())?;
    /// let ack = log.append("x")?;
    /// log.checkpoint(ack.lsn)?;
    /// let last = walctl::Reader::open(dir.path())?.last().expect("there are two")?;
    /// assert_eq!(last.checkpoint(), Some(ack.lsn));
    /// # Ok::<(), walctl::Error>(())
    /// ```
    #[must_use]
    pub fn checkpoint(&self) -> Option<Lsn> {
        (self.kind == FrameKind::Checkpoint.name()).then_some(Lsn(self.tag))
    }
}

/// A record that was read can be appended to another log of ours, with the number and the time that it has: so a replica is made.
impl AsDraft for LogRecord<'_> {
    fn as_draft(&self) -> Draft<'_> {
        let kind = FrameKind::from_name(self.kind).filter(|kind| kind.is_data()).unwrap_or(FrameKind::Full);
        let lsn = (self.lsn.0 > 0).then_some(self.lsn);
        Draft { kind, tag: self.tag, payload: &self.payload, lsn, time: self.time }
    }
}

impl AsDraft for &LogRecord<'_> {
    fn as_draft(&self) -> Draft<'_> {
        LogRecord::as_draft(self)
    }
}

/// Something wrong in a log, met while reading it.
///
/// ```
/// # fn read(reader: walctl::Reader) {
/// for found in reader.with_damage() {
///     if let Ok(walctl::ReadItem::Damage(hurt)) = found {
///         eprintln!("{hurt}");
///     }
/// }
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Hurt {
    /// The segment's file.
    pub path: PathBuf,
    /// Where in it.
    pub offset: u64,
    /// What it means.
    pub verdict: Verdict,
    /// Whether what is damaged had been acknowledged.
    pub acknowledged: Acknowledged,
    /// The LSNs that may be lost with it, as far as the neighbours tell.
    pub doubt: Option<LsnRange>,
    /// What was expected, and what was found.
    pub detail: String,
}

impl Hurt {
    pub(super) fn of(segment: &Segment, damage: &Damage) -> Hurt {
        Hurt {
            path: segment.path.clone(),
            offset: damage.span.start(),
            verdict: damage.verdict(),
            acknowledged: damage.acknowledged(),
            doubt: damage.doubt,
            detail: damage.detail(),
        }
    }

    pub(super) fn error(&self) -> Error {
        let why = format!("{} at {}: {}", self.verdict, self.offset, self.detail);
        match self.verdict {
            Verdict::Torn | Verdict::Suspect => Error::Torn { path: self.path.clone(), why },
            _ => Error::Corrupt { path: self.path.clone(), why },
        }
    }
}

impl fmt::Display for Hurt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}: {}", self.path.display(), self.offset, self.verdict, self.detail)
    }
}

/// What [`Reader::with_damage`](crate::Reader::with_damage) gives: a record, or what is wrong before the next one.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReadItem {
    /// A record.
    Record(LogRecord<'static>),
    /// A bad region, or records that are missing.
    Damage(Hurt),
}

/// Why reading ended.
///
/// ```
/// # let dir = tempfile::tempdir().expect("a temporary folder");
/// # walctl::Log::open(dir.path())?.append("x")?;
/// let mut reader = walctl::Reader::open(dir.path())?;
/// assert_eq!(reader.by_ref().count(), 1);
/// assert_eq!(reader.ended(), Some(&walctl::Ended::Whole));
/// # Ok::<(), walctl::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ended {
    /// The log was read to its end, and every record that was asked for is whole.
    Whole,
    /// A write was interrupted there. Nothing proves that it had been acknowledged; opening the log for appending cuts it.
    Torn(Hurt),
    /// Something worse was met, which was given as an error.
    Damaged(Hurt),
    /// The log could not be read further, which was given as an error.
    Failed,
}
