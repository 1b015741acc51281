//! What was written: one entry of a log, as every format shows it.

use super::{Error, Lsn, LsnRange, Span, Time};

/// One entry, borrowed from the walk that found it.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    /// Its bytes in its segment, from the first frame's header to the end of the last frame.
    pub span: Span,
    /// Its number; of a record in several fragments, the first one's. `None` where the format has none.
    pub lsn: Option<Lsn>,
    /// The number of its last fragment; equal to `lsn` for a record in one piece.
    pub last_lsn: Option<Lsn>,
    /// What it is, in the format's words: `full`, `checkpoint`, `put`.
    pub kind: &'a str,
    /// What it does, where the format has a name for that besides the kind: `COMMIT`. Searched like the kind; empty where there is none.
    pub operation: &'a str,
    /// When it was written, if the format says so.
    pub time: Option<Time>,
    /// The caller's number, if the format has one.
    pub tag: Option<u64>,
    /// Facts that only this format has.
    pub fields: &'a [Field<'a>],
    /// What the caller gave.
    pub payload: Payload<'a>,
    /// The payload is ciphertext: no key opens it, or none was given.
    pub encrypted: bool,
    /// What it is to its log.
    pub role: Role,
    /// The first LSN of its batch, where it is in one: the records of a batch are kept or dropped together.
    pub batch: Option<Lsn>,
    /// How many records before it were not known to be durable when it was written, where the format says so.
    pub unsynced: Option<u32>,
}

/// What a record is to its log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Data of the caller, whole.
    Data,
    /// A frame with data of the caller, shown as it lies there: whole, or a fragment.
    Frame,
    /// Filling between frames.
    Padding,
    /// Part of the log's own structure: a Seal, a Close, a known hole.
    Control,
}

impl<'a> Record<'a> {
    /// Data at this place, with nothing else known about it.
    #[must_use]
    pub const fn at(span: Span) -> Record<'a> {
        Record {
            span,
            lsn: None,
            last_lsn: None,
            kind: "",
            operation: "",
            time: None,
            tag: None,
            fields: &[],
            payload: Payload::Whole(&[]),
            encrypted: false,
            role: Role::Data,
            batch: None,
            unsynced: None,
        }
    }

    /// Whether it is data of the caller and no frame shown by itself.
    #[must_use]
    pub fn is_data(&self) -> bool {
        self.role == Role::Data
    }

    /// Whether it holds no data of the caller at all.
    #[must_use]
    pub fn is_control(&self) -> bool {
        matches!(self.role, Role::Padding | Role::Control)
    }

    /// All LSNs that the record covers.
    #[must_use]
    pub fn lsns(&self) -> Option<LsnRange> {
        LsnRange::new(self.lsn?, self.last_lsn.or(self.lsn)?)
    }
}

/// A fact of one format: its name as it stands in `meta`, and its value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Field<'a> {
    /// The key, in lower case with underscores.
    pub name: &'a str,
    /// What it holds.
    pub value: Value<'a>,
}

/// The value of a [`Field`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value<'a> {
    /// A number.
    Number(u64),
    /// A number that may be below zero.
    Signed(i64),
    /// Text.
    Text(&'a str),
    /// Yes or no.
    Flag(bool),
    /// Bytes without a meaning to us, shown in hex.
    Bytes(&'a [u8]),
}

/// Gives a long payload again from its start, piece by piece; it may be asked more than once.
pub type Pieces<'a> = dyn Fn(&mut dyn FnMut(&[u8]) -> Result<(), Error>) -> Result<(), Error> + 'a;

/// The content of a record: at hand, or too long to be held at once.
#[derive(Clone, Copy)]
pub enum Payload<'a> {
    /// All of it.
    Whole(&'a [u8]),
    /// More than is worth holding: its length, and how to read it.
    Long(u64, &'a Pieces<'a>),
}

impl<'a> Payload<'a> {
    /// How many bytes it has.
    #[must_use]
    pub fn length(&self) -> u64 {
        match self {
            Payload::Whole(bytes) => bytes.len() as u64,
            Payload::Long(length, _) => *length,
        }
    }

    /// All of it, when it is at hand.
    #[must_use]
    pub fn whole(&self) -> Option<&'a [u8]> {
        match self {
            Payload::Whole(bytes) => Some(bytes),
            Payload::Long(..) => None,
        }
    }

    /// Hands over the bytes from the first to the last, in one piece or several.
    pub fn each(&self, take: &mut dyn FnMut(&[u8]) -> Result<(), Error>) -> Result<(), Error> {
        match self {
            Payload::Whole(bytes) => take(bytes),
            Payload::Long(_, pieces) => pieces(take),
        }
    }
}

impl std::fmt::Debug for Payload<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The content may be secret: only its size is printed.
        write!(f, "Payload({} bytes)", self.length())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_payload_gives_its_pieces_each_time_it_is_asked() {
        let pieces: &Pieces<'_> = &|take| {
            take(b"ab")?;
            take(b"c")
        };
        let payload = Payload::Long(3, pieces);
        for _ in 0..2 {
            let mut all = Vec::new();
            payload
                .each(&mut |piece| {
                    all.extend_from_slice(piece);
                    Ok(())
                })
                .expect("these pieces cannot fail");
            assert_eq!(all, b"abc");
        }
        assert_eq!((payload.length(), payload.whole()), (3, None));
        assert_eq!(Payload::Whole(b"xy").whole(), Some(&b"xy"[..]));
    }
}
