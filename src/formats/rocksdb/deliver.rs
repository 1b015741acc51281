//! Handing over a record: put together, unpacked, and numbered by the batch in it.

use std::sync::Arc;

use super::super::Halt;
use super::super::batch::{BATCH_HEAD, BatchHead};
use super::super::blocks::{Fragments, Frame, Part, Pending, hand_over};
use super::super::zstandard::{Unpacked, Unpacker, ZSTANDARD};
use super::batch::Predecessor;
use super::walk::{HELD, Walker};
use crate::disk::File;
use crate::model::{DamageKind, Error, Field, Lsn, LsnRange, Payload, Proof, Record, Result, Span, Value};

/// What a record holds: at hand, or to be read again.
enum RecordContent {
    Held(Vec<u8>),
    /// So many bytes, from the fragments.
    Again(u64),
    /// So many bytes, unpacked from the fragments.
    Unpacked(u64),
}

impl Walker<'_, '_> {
    /// A record is complete.
    pub(super) fn record(&mut self, pending: Pending) -> Result<(), Halt> {
        let packed = self.compression == ZSTANDARD && !self.own.manifest;
        let Some((head, content)) = self.content(pending, packed)? else { return Ok(()) };
        if let Some(head) = head {
            self.order(&head);
        }
        let lsn = head.map(|head| Lsn(head.sequence));
        let last = head.filter(|head| head.count > 1).map(|head| Lsn(head.next() - 1));
        let mut fields = Vec::with_capacity(4);
        if let Some(head) = head {
            fields.push(Field { name: "count", value: Value::Number(u64::from(head.count)) });
        }
        if pending.pieces > 1 {
            fields.push(Field { name: "fragments", value: Value::Number(pending.pieces) });
        }
        if let Some(number) = pending.number {
            fields.push(Field { name: "log_number", value: Value::Number(u64::from(number)) });
        }
        if packed {
            fields.push(Field { name: "stored_bytes", value: Value::Number(pending.bytes) });
        }
        let record = Record {
            lsn,
            last_lsn: last,
            kind: if self.own.manifest { "version_edit" } else { "batch" },
            fields: &fields,
            ..Record::at(Span::new(self.visit.segment.id, pending.start, pending.end))
        };
        self.summary.records += 1;
        self.summary.valid_bytes += pending.end - pending.start;
        if let Some(head) = head {
            self.summary.begins.get_or_insert(Lsn(head.sequence));
            self.summary.saw(Lsn(head.sequence), Lsn(head.next().saturating_sub(1).max(head.sequence)));
        }
        let wanted = self.visit.want.lsns.is_none_or(|range| record.lsns().is_none_or(|own| overlap(range, own)));
        if self.visit.want.counts_only || !wanted {
            return Ok(());
        }
        let file = || self.visit.source.file(self.visit.segment);
        match content {
            RecordContent::Held(bytes) => {
                self.sink.record(&Record { payload: Payload::Whole(&bytes), ..record })?;
                self.joined = bytes;
                Ok(())
            }
            RecordContent::Again(length) => {
                let file = file()?;
                let again = |take: &mut dyn FnMut(&[u8]) -> Result<()>| hand_over(Fragments::of(file.clone(), &pending), take);
                self.sink.record(&Record { payload: Payload::Long(length, &again), ..record })
            }
            RecordContent::Unpacked(length) => {
                let file = file()?;
                let unpacked = |take: &mut dyn FnMut(&[u8]) -> Result<()>| unpack(&file, pending, take);
                self.sink.record(&Record { payload: Payload::Long(length, &unpacked), ..record })
            }
        }
    }

    /// The head of the batch and what the record holds; `None` when it is damage.
    fn content(&mut self, pending: Pending, packed: bool) -> Result<Option<(Option<BatchHead>, RecordContent)>, Halt> {
        let stored = std::mem::take(&mut self.joined);
        let held = stored.len() as u64 == pending.bytes;
        let content = match (packed, held) {
            (false, true) => RecordContent::Held(stored),
            (false, false) => {
                let head = if self.own.manifest { None } else { BatchHead::parse(&stored) };
                return Ok(Some((head, RecordContent::Again(pending.bytes))));
            }
            (true, _) => {
                let want = self.visit.want;
                let most = if want.payloads || want.deep { HELD } else { BATCH_HEAD };
                let file = self.visit.source.file(self.visit.segment)?;
                let fragments = || Fragments::of(file.clone(), &pending);
                let unpacked =
                    if held { self.unpacker.unpack(stored.as_slice(), most) } else { self.unpacker.unpack(fragments(), most) };
                match unpacked {
                    Unpacked::Whole(bytes) => RecordContent::Held(bytes),
                    Unpacked::Part(bytes) if most == BATCH_HEAD => RecordContent::Held(bytes),
                    Unpacked::Part(bytes) => {
                        let mut length = 0;
                        let count = &mut |piece: &[u8]| {
                            length += piece.len() as u64;
                            true
                        };
                        if self.unpacker.each(fragments(), count).is_err() {
                            return self.no_batch(pending, "a compressed record that does not unpack");
                        }
                        return Ok(Some((BatchHead::parse(&bytes), RecordContent::Unpacked(length))));
                    }
                    Unpacked::Bad => return self.no_batch(pending, "a compressed record that does not unpack"),
                    Unpacked::Closed => {
                        self.warn_once(
                            "compressed",
                            "records are compressed with Zstandard, and this walctl was built without it: their sums are checked, their \
                             sequence numbers and contents are not seen; build it with the feature zstd"
                                .to_owned(),
                        );
                        return Ok(Some((None, RecordContent::Held(stored))));
                    }
                }
            }
        };
        let RecordContent::Held(bytes) = &content else { return Ok(Some((None, content))) };
        if self.own.manifest {
            return Ok(Some((None, content)));
        }
        match BatchHead::parse(bytes) {
            Some(head) => Ok(Some((Some(head), content))),
            None => self.no_batch(pending, "a record that is too short for a write batch"),
        }
    }

    /// The sums are right, and what they cover is no batch.
    fn no_batch(&mut self, pending: Pending, found: &str) -> Result<Option<(Option<BatchHead>, RecordContent)>, Halt> {
        let mut damage = self.bad(DamageKind::BadPayload, pending.start, pending.end, found.to_owned());
        damage.facts.proof = Some(Proof::Told { by: "its own sum", words: "is right, so it was written like that" });
        self.hurt(damage)?;
        Ok(None)
    }

    /// Compares the number of a batch with the one that was due. A gap inside a file is no loss: nothing fits between two whole frames.
    fn order(&mut self, head: &BatchHead) {
        let due = self.due.replace(head.next().max(self.due.unwrap_or(0)));
        let Some(due) = due.filter(|due| head.sequence > *due) else { return };
        // Behind damage a gap is what the damage took.
        let at = self.summary.damage.kept_mut().last_mut().filter(|damage| damage.lsn == Some(Lsn(due)));
        if let Some(damage) = at {
            damage.doubt = LsnRange::new(Lsn(due), Lsn(head.sequence - 1));
            return;
        }
        self.own.skips += 1;
        let text = format!(
            "sequence numbers {due} to {} are in no record here, and the records around them stand side by side, so none is lost: writes \
             without the log, ingested files and some kinds of transactions take numbers",
            head.sequence - 1
        );
        self.warn_once("sequence-skipped", text);
    }

    /// Something that stands between records: about compression, timestamps, the log before.
    pub(super) fn aside(&mut self, frame: Frame) -> Result<(), Halt> {
        let payload = self.cursor.bytes(frame.payload(), usize::from(frame.length)).to_vec();
        let mut fields = Vec::new();
        let kind = match frame.part {
            Part::Compression => {
                self.compression(frame);
                fields.push(Field { name: "compression", value: Value::Number(u64::from(self.compression)) });
                "set_compression"
            }
            Part::Timestamps => "timestamp_sizes",
            Part::Predecessor => {
                if let Some(found) = Predecessor::parse(&payload) {
                    self.own.predecessor = Some((frame.at, found));
                    fields.push(Field { name: "log", value: Value::Number(found.log) });
                    fields.push(Field { name: "log_bytes", value: Value::Number(found.bytes) });
                    fields.push(Field { name: "last_sequence", value: Value::Number(found.last_sequence) });
                }
                "predecessor"
            }
            _ => {
                fields.push(Field { name: "type", value: Value::Number(u64::from(frame.kind)) });
                "unknown"
            }
        };
        if let Some(number) = frame.number {
            fields.push(Field { name: "log_number", value: Value::Number(u64::from(number)) });
        }
        self.summary.records += 1;
        self.summary.valid_bytes += frame.end() - frame.at;
        self.at = frame.end();
        if self.visit.want.counts_only {
            return Ok(());
        }
        self.sink.record(&Record {
            kind,
            fields: &fields,
            payload: Payload::Whole(&payload),
            ..Record::at(Span::new(self.visit.segment.id, frame.at, frame.end()))
        })
    }

    /// Remembers how what follows is compressed.
    pub(super) fn compression(&mut self, frame: Frame) {
        if let Some(method) = self.cursor.array(frame.payload()).filter(|_| frame.length >= 4) {
            self.compression = u32::from_le_bytes(method);
        }
    }
}

fn overlap(range: LsnRange, own: LsnRange) -> bool {
    own.first <= range.last && range.first <= own.last
}

/// Hands over what a long record unpacks to.
fn unpack(file: &Arc<dyn File>, pending: Pending, take: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> {
    let mut failed = Ok(());
    let each = &mut |piece: &[u8]| {
        failed = take(piece);
        failed.is_ok()
    };
    let fragments = Fragments::of(file.clone(), &pending);
    let done = Unpacker::default().each(fragments, each);
    failed?;
    done.map_err(|()| Error::Input { what: format!("a record at {} does not unpack any more", pending.start) })
}
