//! Handing over a record: put together and unpacked.

use std::io::Read;
use std::sync::Arc;

use super::super::Halt;
use super::super::snappy;
use super::super::zstandard::{Unpacked, Unpacker};
use super::frame::{FRAME_HEADER, Packed};
use super::pieces::PieceReader;
use super::records::{Extent, extent, kind_of};
use super::walk::{HELD, OpenRecord, Walker};
use crate::disk::File;
use crate::model::{DamageKind, Error, Field, Payload, Proof, Record, Result, Span, Value};

/// What a record holds.
enum RecordBody {
    /// All of it.
    Held(Vec<u8>),
    /// Its first bytes, and how many there are; they are read again from the pieces.
    Long(Vec<u8>, u64),
    /// What is stored, for nothing here unpacks it.
    Closed(Vec<u8>),
}

impl Walker<'_, '_> {
    /// A record is complete.
    pub(super) fn record(&mut self, begun: OpenRecord) -> Result<(), Halt> {
        let Some(body) = self.body(begun)? else { return Ok(()) };
        let (head, bytes) = match &body {
            RecordBody::Held(bytes) => (&bytes[..], bytes.len() as u64),
            RecordBody::Long(head, bytes) => (&head[..], *bytes),
            RecordBody::Closed(stored) => (&[][..], stored.len() as u64),
        };
        let number = head.first().copied();
        let counted = match &body {
            RecordBody::Held(bytes) => extent(bytes),
            RecordBody::Long(..) | RecordBody::Closed(_) => Some(Extent::default()),
        };
        let closed = matches!(body, RecordBody::Closed(_));
        let Some(extent) = counted.filter(|_| number.is_some() || closed) else {
            return self.no_record(begun, "a record that is not what its type says");
        };
        self.summary.records += 1;
        self.own.behind += u64::from(self.own.first_bad.is_some());
        self.summary.valid_bytes += begun.end - begun.start;
        if self.visit.want.counts_only {
            return Ok(());
        }
        let kind = number.map_or("unknown", kind_of);
        let text = |name, value| Field { name, value: Value::Number(value) };
        let mut fields = Vec::with_capacity(6);
        if kind == "unknown" {
            fields.extend(number.map(|number| text("type", u64::from(number))));
        } else {
            fields.push(text("items", extent.items));
        }
        if let (Some(first), Some(last)) = (extent.first, extent.last) {
            fields.push(Field { name: "t_min", value: Value::Signed(first) });
            fields.push(Field { name: "t_max", value: Value::Signed(last) });
        }
        if begun.packed != Packed::Plain {
            fields.push(Field { name: "compression", value: Value::Text(begun.packed.name()) });
            fields.push(text("stored_bytes", begun.bytes));
        }
        if begun.pieces > 1 {
            fields.push(text("fragments", begun.pieces));
        }
        let record = Record {
            kind,
            time: extent.time(),
            fields: &fields,
            ..Record::at(Span::new(self.visit.segment.id, begun.start, begun.end))
        };
        match &body {
            RecordBody::Held(held) | RecordBody::Closed(held) => {
                self.sink.record(&Record { payload: Payload::Whole(held), ..record })
            }
            RecordBody::Long(..) => {
                let file = self.visit.source.file(self.visit.segment)?;
                let again = |take: &mut dyn FnMut(&[u8]) -> Result<()>| read_again(&file, begun, take);
                self.sink.record(&Record { payload: Payload::Long(bytes, &again), ..record })
            }
        }
    }

    /// What the pieces hold, unpacked; `None` when it is damage.
    fn body(&mut self, begun: OpenRecord) -> Result<Option<RecordBody>, Halt> {
        let stored = std::mem::take(&mut self.joined);
        let held = stored.len() as u64 == begun.bytes;
        match begun.packed {
            Packed::Plain if held => Ok(Some(RecordBody::Held(stored))),
            Packed::Plain => Ok(Some(RecordBody::Long(stored, begun.bytes))),
            Packed::Snappy => {
                let block = if held { stored } else { self.whole(begun)? };
                match snappy::unpack(&block) {
                    Some(bytes) => Ok(Some(RecordBody::Held(bytes))),
                    None => self.no_record(begun, "a record that is no Snappy block").map(|()| None),
                }
            }
            Packed::Zstandard => {
                let file = self.visit.source.file(self.visit.segment)?;
                let pieces = || PieceReader::new(file.clone(), begun.start, begun.end);
                let unpacked =
                    if held { self.unpacker.unpack(stored.as_slice(), HELD) } else { self.unpacker.unpack(pieces(), HELD) };
                match unpacked {
                    Unpacked::Whole(bytes) => Ok(Some(RecordBody::Held(bytes))),
                    Unpacked::Part(head) => {
                        let mut length = 0;
                        let count = &mut |piece: &[u8]| {
                            length += piece.len() as u64;
                            true
                        };
                        match self.unpacker.each(pieces(), count) {
                            Ok(()) => Ok(Some(RecordBody::Long(head, length))),
                            Err(()) => self.no_record(begun, "a record that is no Zstandard frame").map(|()| None),
                        }
                    }
                    Unpacked::Bad => self.no_record(begun, "a record that is no Zstandard frame").map(|()| None),
                    Unpacked::Closed => {
                        let span = Span::new(self.visit.segment.id, begun.start, begun.end);
                        let text = "records are compressed with Zstandard, and this walctl was built without it: their sums are checked, their \
                                    contents are not seen; build it with the feature zstd";
                        self.warn_once("compressed", span, text.to_owned());
                        Ok(Some(RecordBody::Closed(stored)))
                    }
                }
            }
        }
    }

    /// All that is stored of a long record: no more than the file is long.
    fn whole(&mut self, begun: OpenRecord) -> Result<Vec<u8>, Halt> {
        let mut block = Vec::new();
        let file = self.visit.source.file(self.visit.segment)?;
        let mut pieces = PieceReader::new(file, begun.start, begun.end);
        pieces.read_to_end(&mut block).map_err(|error| gone(begun.start, &error))?;
        Ok(block)
    }

    /// The sums are right, and what they cover is no record.
    fn no_record(&mut self, begun: OpenRecord, found: &str) -> Result<(), Halt> {
        let mut damage = self.bad(DamageKind::BadPayload, begun.start, begun.end, found.to_owned());
        damage.facts.proof = Some(Proof::Told { by: "its own sum", words: "is right, so it was written like that" });
        self.hurt(damage)
    }
}

fn gone(start: u64, error: &std::io::Error) -> Error {
    Error::Input { what: format!("a record at {start} cannot be read again: {error}") }
}

/// Hands over a long record from its pieces.
fn read_again(file: &Arc<dyn File>, begun: OpenRecord, take: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> {
    let mut pieces = PieceReader::new(file.clone(), begun.start, begun.end);
    if begun.packed == Packed::Zstandard {
        let mut failed = Ok(());
        let each = &mut |piece: &[u8]| {
            failed = take(piece);
            failed.is_ok()
        };
        let done = Unpacker::default().each(pieces, each);
        failed?;
        return done.map_err(|()| Error::Input { what: format!("a record at {} does not unpack any more", begun.start) });
    }
    let mut room = vec![0; 64 << 10];
    loop {
        match pieces.read(&mut room) {
            Ok(0) => return Ok(()),
            Ok(count) => take(&room[..count])?,
            Err(error) => return Err(gone(begun.start, &error)),
        }
    }
}

const _: () = assert!(FRAME_HEADER == 7);
