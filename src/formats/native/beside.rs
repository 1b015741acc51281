//! Frames that tell of others: the facts of a record that another format gave, and holes, as they are shown.

use crate::formats::{Halt, KnownHole, Sink, Visit};
use crate::model::{Error, Field, Lsn, Payload, Record, Role, Span, Time, Value};
use crate::native::{
    ENCRYPTED, FACTS_LIMIT, FRAME_HEADER, FrameHeader, FrameKind, FrameReader, HoleFound, LZ4, Opened, Opener, RecordFacts,
    hole_at, open,
};

/// A Facts frame: where it is, and its header.
#[derive(Clone, Copy, Debug)]
pub struct Beside {
    /// Where it is.
    pub offset: u64,
    /// Its header.
    pub header: FrameHeader,
}

impl Beside {
    /// Whether it tells of the record in the frame after it. One that a cut left behind does not tell of whatever is appended later:
    /// that has another time.
    pub fn tells_of(&self, header: &FrameHeader) -> bool {
        (self.header.lsn, self.header.time) == (header.lsn, header.time)
    }

    /// What it says; `None` when it cannot be opened or is of another form: the record is whole without it.
    pub fn read(&self, reader: &mut FrameReader, opener: &Opener) -> Option<RecordFacts> {
        let length = self.header.length as usize;
        let stored = reader.cursor.bytes(self.offset + FRAME_HEADER as u64, length.min(FACTS_LIMIT + 1));
        if self.header.flags & (LZ4 | ENCRYPTED) == 0 {
            return RecordFacts::decode(stored);
        }
        let mut plain = Vec::new();
        match open(&self.header, self.offset, stored, opener, &mut plain) {
            Opened::Plain => RecordFacts::decode(&plain),
            _ => None,
        }
    }
}

/// The hole that a frame tells of where `due` was due. One that begins elsewhere, or is of another form, explains nothing, so that what it
/// does not name stays missing.
pub fn known_hole(
    reader: &mut FrameReader,
    visit: &Visit<'_>,
    offset: u64,
    header: &FrameHeader,
    due: Lsn,
) -> Result<Option<KnownHole>, Error> {
    match hole_at(&mut reader.cursor, offset, header) {
        HoleFound::Hole(hole) if hole.lsns.first == due => {
            let span = Span::new(visit.segment.id, offset, offset + header.span());
            Ok(Some(KnownHole { span, since: header.time, hole }))
        }
        HoleFound::Unknown(what) => Err(Error::Unknown { path: visit.segment.path.clone(), offset, what }),
        _ => Ok(None),
    }
}

/// The LSN at which a log goes on with a frame that was found after damage: a hole may begin before it.
pub fn resumes_with(reader: &mut FrameReader, due: Lsn, (offset, header): (u64, FrameHeader)) -> Lsn {
    match hole_at(&mut reader.cursor, offset, &header) {
        HoleFound::Hole(hole) if hole.lsns.first >= due => hole.lsns.first,
        _ => header.lsn,
    }
}

/// Hands over a control frame, with what it says.
pub fn deliver_control(
    reader: &mut FrameReader,
    span: Span,
    header: &FrameHeader,
    kind: FrameKind,
    fields: &[Field<'_>],
    sink: &mut Sink<'_>,
) -> Result<(), Halt> {
    let offset = span.start();
    let record = Record {
        lsn: Some(header.lsn),
        last_lsn: Some(header.lsn),
        kind: kind.name(),
        time: Some(header.time).filter(|time| time.0 > 0),
        tag: Some(header.tag),
        fields,
        role: if kind == FrameKind::Pad { Role::Padding } else { Role::Control },
        unsynced: header.known_unsynced(),
        ..Record::at(span)
    };
    if kind == FrameKind::Facts {
        let stored = reader.cursor.bytes(offset + FRAME_HEADER as u64, (header.length as usize).min(FACTS_LIMIT));
        let encrypted = header.flags & ENCRYPTED != 0;
        return sink.record(&Record { payload: Payload::Whole(stored), encrypted, ..record });
    }
    let HoleFound::Hole(hole) = hole_at(&mut reader.cursor, offset, header) else { return sink.record(&record) };
    let time = |time: Option<Time>| time.map_or_else(|| "unknown".to_owned(), |time| time.to_string());
    let (before, behind) = (time(hole.before), time(hole.behind));
    let mut fields = fields.to_vec();
    fields.extend([
        Field { name: "hole_first_lsn", value: Value::Number(hole.lsns.first.0) },
        Field { name: "hole_last_lsn", value: Value::Number(hole.lsns.last.0) },
        Field { name: "origin", value: Value::Text(hole.origin.name()) },
        Field { name: "before", value: Value::Text(&before) },
        Field { name: "behind", value: Value::Text(&behind) },
        Field { name: "reason", value: Value::Text(&hole.reason) },
    ]);
    let words = format!("known hole: LSN {}: {}", hole.lsns, hole.reason);
    sink.record(&Record { fields: &fields, payload: Payload::Whole(words.as_bytes()), ..record })
}
