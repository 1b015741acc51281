//! What is given out whole or not at all: records in fragments, and batches. And how records are handed over.

use std::sync::Arc;

use super::beside::Beside;
use crate::disk::{File, pieces, read_full};
use crate::formats::{Halt, Sink, Visit};
use crate::model::{Error, Field, Look, Lsn, Payload, Record, Result, Role, Span, Value};
use crate::native::{ENCRYPTED, FRAME_HEADER, FrameHeader, FrameKind, FrameReader, LZ4, MORE, Opened, Opener, RecordFacts, open};

/// Records up to this long are handed over in one piece.
const WHOLE: u64 = 8 << 20;

/// Why a payload cannot be opened.
#[derive(Clone, Debug)]
pub struct Unopened {
    /// In words.
    pub why: String,
    /// What that says about the bytes.
    pub look: Look,
}

impl Unopened {
    /// The segment's key is at hand and does not open it.
    pub fn altered() -> Unopened {
        Unopened {
            why: "the segment's key does not open it: payload, header or place of the frame were changed".into(),
            look: Look::Altered,
        }
    }

    /// It is not what its flags say.
    pub fn bad(why: String) -> Unopened {
        Unopened { why, look: Look::Wrong }
    }
}

/// A batch, or a record in fragments, whose end was not seen yet. Its frames are counted and not kept: when the end comes, they are
/// read a second time, so that a batch of any size costs no memory.
#[derive(Clone, Copy, Debug)]
pub struct Unit {
    /// Where its first frame is.
    pub start: u64,
    /// The LSN of its first frame.
    pub first: Lsn,
    /// The LSN of the last frame seen.
    pub last: Lsn,
    /// Whole records in it so far.
    pub records: u64,
    /// It is a batch, not a record alone.
    pub batch: bool,
    /// A record in fragments is under way in it.
    in_record: bool,
}

impl Unit {
    /// Of its first frame.
    pub fn begin(start: u64, header: &FrameHeader, kind: FrameKind) -> Unit {
        let in_record = kind == FrameKind::First;
        let batch = header.flags & MORE != 0;
        Unit { start, first: header.lsn, last: header.lsn, records: u64::from(!in_record), batch, in_record }
    }

    /// Whether a data frame of this kind can be its next one.
    pub fn continues_with(&self, kind: FrameKind) -> bool {
        matches!(kind, FrameKind::Middle | FrameKind::Last) == self.in_record
    }

    /// Adds a frame that continues it. True if it is complete then.
    pub fn add(&mut self, header: &FrameHeader, kind: FrameKind) -> bool {
        self.last = header.lsn;
        self.in_record = matches!(kind, FrameKind::First | FrameKind::Middle);
        self.records += u64::from(!self.in_record);
        let more = header.flags & MORE != 0;
        // Fragments of one large record need not bear the flag to be a unit, so it alone does not make a batch here.
        !self.in_record && !more
    }
}

/// What a record is shown with beside its frame.
#[derive(Clone, Copy, Debug)]
pub struct Dress<'a> {
    /// What the walk knows of it.
    pub fields: &'a [Field<'a>],
    /// What the format said that it came from.
    pub facts: Option<&'a RecordFacts>,
    /// The first LSN of its batch.
    pub batch: Option<Lsn>,
}

impl<'a> Dress<'a> {
    fn all(&self) -> Vec<Field<'a>> {
        let mut all = self.fields.to_vec();
        all.extend(self.facts.map(RecordFacts::fields).unwrap_or_default());
        all
    }

    fn kind(&self, kind: FrameKind) -> &'a str {
        self.facts.map_or(kind.name(), |facts| &facts.kind)
    }

    /// A record of another format may have no tag.
    fn tag(&self, tag: u64) -> Option<u64> {
        Some(tag).filter(|tag| self.facts.is_none() || *tag != 0)
    }
}

/// Hands over the record in the frame at `offset`. Why its payload cannot be opened, if it cannot. What was altered is handed over as
/// the ciphertext that it is, for the record was there; what cannot be decompressed is not.
#[expect(clippy::too_many_arguments, reason = "the parts of a walk are borrowed one by one")]
pub fn deliver_record(
    reader: &mut FrameReader,
    visit: &Visit<'_>,
    offset: u64,
    header: &FrameHeader,
    kind: FrameKind,
    opener: &Opener,
    plain: &mut Vec<u8>,
    dress: Dress<'_>,
    sink: &mut Sink<'_>,
) -> Result<Option<Unopened>, Halt> {
    let fields = dress.all();
    let mut record = Record {
        lsn: Some(header.lsn),
        last_lsn: Some(header.lsn),
        kind: dress.kind(kind),
        time: Some(header.time).filter(|time| time.0 > 0),
        tag: dress.tag(header.tag),
        fields: &fields,
        role: if visit.want.frames { Role::Frame } else { Role::Data },
        batch: dress.batch,
        unsynced: header.known_unsynced().filter(|_| visit.want.frames),
        ..Record::at(Span::new(visit.segment.id, offset, offset + header.span()))
    };
    let at = offset + FRAME_HEADER as u64;
    if u64::from(header.length) > WHOLE && header.flags & (LZ4 | ENCRYPTED) == 0 {
        let file = reader.cursor.file().clone();
        let length = u64::from(header.length);
        let long = |take: &mut dyn FnMut(&[u8]) -> Result<()>| pieces(file.as_ref(), at, length, take);
        record.payload = Payload::Long(length, &long);
        sink.record(&record)?;
        return Ok(None);
    }
    let mut unopened = None;
    let stored = reader.cursor.bytes(at, header.length as usize);
    if header.flags & (LZ4 | ENCRYPTED) == 0 || !visit.want.payloads {
        record.payload = Payload::Whole(stored);
        record.encrypted = header.flags & ENCRYPTED != 0;
    } else {
        match open(header, offset, stored, opener, plain) {
            Opened::Plain => record.payload = Payload::Whole(plain),
            // Nothing of it is worth keeping.
            Opened::Altered if visit.want.salvage => return Ok(Some(Unopened::altered())),
            locked @ (Opened::Locked | Opened::Altered) => {
                record.payload = Payload::Whole(stored);
                record.encrypted = true;
                unopened = (locked == Opened::Altered).then(Unopened::altered);
            }
            // A caller that wants frames gets the bytes as they are.
            Opened::Bad(_) if visit.want.frames => record.payload = Payload::Whole(stored),
            Opened::Bad(why) => return Ok(Some(Unopened::bad(why))),
        }
    }
    sink.record(&record)?;
    Ok(unopened)
}

/// Payloads that could not be opened: where, of which frame, and why.
type AllUnopened = Vec<(u64, FrameHeader, Unopened)>;

/// Hands over the records of a complete unit that ends at `end`, reading its frames again; their sums were checked.
pub fn deliver_unit(
    reader: &mut FrameReader,
    visit: &Visit<'_>,
    unit: &Unit,
    end: u64,
    opener: &Opener,
    plain: &mut Vec<u8>,
    sink: &mut Sink<'_>,
) -> Result<AllUnopened, Halt> {
    let batch = [Field { name: "batch", value: Value::Number(unit.first.0) }];
    let fields = if unit.batch { &batch[..] } else { &[] };
    let mut bad = Vec::new();
    let mut offset = unit.start;
    let mut beside: Option<Beside> = None;
    while offset < end {
        let Some((header, kind)) = frame_at(reader, offset) else { break };
        let next = offset + header.span();
        if kind == FrameKind::Facts {
            beside = Some(Beside { offset, header });
            offset = next;
            continue;
        }
        let facts = beside.take().filter(|beside| beside.tells_of(&header));
        let facts = facts.and_then(|beside| beside.read(reader, opener));
        let dress = Dress { fields, facts: facts.as_ref(), batch: Some(unit.first).filter(|_| unit.batch) };
        if kind == FrameKind::First {
            let (last_end, why) = deliver_fragments(reader, visit, (offset, end), &header, opener, dress, sink)?;
            offset = last_end;
            bad.extend(why.map(|why| (offset, header, why)));
            continue;
        }
        if kind.is_data()
            && let Some(why) = deliver_record(reader, visit, offset, &header, kind, opener, plain, dress, sink)?
        {
            bad.push((offset, header, why));
        }
        offset = next;
    }
    Ok(bad)
}

fn frame_at(reader: &mut FrameReader, offset: u64) -> Option<(FrameHeader, FrameKind)> {
    let header = FrameHeader::parse(&reader.cursor.array(offset)?)?;
    Some((header, FrameKind::from_byte(header.kind)?))
}

/// Hands over a record in fragments: joined when it is small, piece by piece when it is not. Where it ends, and why it cannot be
/// opened if it cannot.
fn deliver_fragments(
    reader: &mut FrameReader,
    visit: &Visit<'_>,
    (start, limit): (u64, u64),
    first: &FrameHeader,
    opener: &Opener,
    dress: Dress<'_>,
    sink: &mut Sink<'_>,
) -> Result<(u64, Option<Unopened>), Halt> {
    // What there is to join, without reading payloads.
    let (mut at, mut count, mut last, mut packed) = (start, 0, *first, false);
    while at < limit {
        let Some((header, kind)) = frame_at(reader, at) else { break };
        at += header.span();
        if kind.is_data() {
            count += 1;
            last = header;
            packed |= header.flags & (LZ4 | ENCRYPTED) != 0;
        }
        if kind == FrameKind::Last {
            break;
        }
    }
    let file = reader.cursor.file().clone();
    let fragments = Fragments { file, start, end: at, opener, as_stored: !visit.want.payloads };
    let mut unopened = None;
    let (length, encrypted, fragments) = match fragments.measure() {
        Ok(length) => (length, false, fragments),
        // A record that is not opened is shown as it is stored, all of it.
        Err(Trouble::Locked(true)) if visit.want.salvage => return Ok((at, Some(Unopened::altered()))),
        Err(Trouble::Locked(altered)) => {
            unopened = altered.then(Unopened::altered);
            let stored = Fragments { as_stored: true, ..fragments };
            (stored.measure().map_err(Trouble::halt)?, true, stored)
        }
        Err(Trouble::Payload(why)) => return Ok((at, Some(Unopened::bad(why)))),
        Err(other) => return Err(other.halt()),
    };
    let mut fields = dress.all();
    fields.push(Field { name: "fragments", value: Value::Number(count) });
    if packed && fragments.as_stored {
        fields.push(Field { name: "as_stored", value: Value::Flag(true) });
    }
    let record = Record {
        lsn: Some(first.lsn),
        last_lsn: Some(last.lsn),
        kind: dress.kind(FrameKind::Full),
        time: Some(first.time).filter(|time| time.0 > 0),
        tag: dress.tag(first.tag),
        fields: &fields,
        encrypted,
        batch: dress.batch,
        ..Record::at(Span::new(visit.segment.id, start, at))
    };
    let give = |take: &mut dyn FnMut(&[u8]) -> Result<()>| fragments.each(take).map_err(Trouble::error);
    if length > WHOLE {
        sink.record(&Record { payload: Payload::Long(length, &give), ..record })?;
    } else {
        let mut joined = Vec::with_capacity(usize::try_from(length).expect("at most 8 MiB"));
        give(&mut |piece| {
            joined.extend_from_slice(piece);
            Ok(())
        })?;
        sink.record(&Record { payload: Payload::Whole(&joined), ..record })?;
    }
    Ok((at, unopened))
}

/// The fragments of a record, read from the file each time they are asked for.
struct Fragments<'k> {
    file: Arc<dyn File>,
    start: u64,
    end: u64,
    opener: &'k Opener,
    as_stored: bool,
}

/// Why fragments cannot be given.
enum Trouble {
    /// A payload does not open.
    Payload(String),
    /// No key opens it; whether the segment's own key is at hand.
    Locked(bool),
    /// The file could not be read, or the receiver stopped.
    Failed(Error),
}

impl Trouble {
    fn error(self) -> Error {
        match self {
            Trouble::Failed(error) => error,
            Trouble::Payload(what) => Error::Input { what },
            Trouble::Locked(_) => Error::Input { what: "a fragment lost its key while it was read".into() },
        }
    }

    fn halt(self) -> Halt {
        Halt::Failed(self.error())
    }
}

impl Fragments<'_> {
    /// The length of the record.
    fn measure(&self) -> Result<u64, Trouble> {
        let mut length = 0;
        self.walk(&mut |header, at| {
            // Only what is packed must be opened to know how long it is.
            if self.as_stored || header.flags & (LZ4 | ENCRYPTED) == 0 {
                length += u64::from(header.length);
                return Ok(());
            }
            self.open(header, at, &mut |piece| {
                length += piece.len() as u64;
                Ok(())
            })
        })?;
        Ok(length)
    }

    fn each(&self, take: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<(), Trouble> {
        self.walk(&mut |header, at| self.open(header, at, take))
    }

    fn open(&self, header: &FrameHeader, at: u64, take: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<(), Trouble> {
        if self.as_stored || header.flags & (LZ4 | ENCRYPTED) == 0 {
            return pieces(self.file.as_ref(), at, u64::from(header.length), take).map_err(Trouble::Failed);
        }
        let limit = crate::native::OPEN_LIMIT;
        if header.length as usize > limit {
            return Err(Trouble::Payload(format!("a packed fragment of {} bytes is over the limit of {limit}", header.length)));
        }
        let (mut stored, mut plain) = (vec![0; header.length as usize], Vec::new());
        read_full(self.file.as_ref(), &mut stored, at).map_err(Trouble::Failed)?;
        match open(header, at - FRAME_HEADER as u64, &stored, self.opener, &mut plain) {
            Opened::Plain => take(&plain).map_err(Trouble::Failed),
            Opened::Locked => Err(Trouble::Locked(false)),
            Opened::Altered => Err(Trouble::Locked(true)),
            Opened::Bad(why) => Err(Trouble::Payload(why)),
        }
    }

    fn walk(&self, visit: &mut dyn FnMut(&FrameHeader, u64) -> Result<(), Trouble>) -> Result<(), Trouble> {
        let mut at = self.start;
        while at < self.end {
            let mut head = [0; FRAME_HEADER];
            read_full(self.file.as_ref(), &mut head, at).map_err(Trouble::Failed)?;
            // Its sum was right a moment ago; if it reads otherwise now, the file changed under us.
            let header =
                FrameHeader::parse(&head).ok_or_else(|| Trouble::Payload("the file changed while it was read".into()))?;
            if FrameKind::from_byte(header.kind).is_some_and(FrameKind::is_data) {
                visit(&header, at + FRAME_HEADER as u64)?;
            }
            at += header.span();
        }
        Ok(())
    }
}
