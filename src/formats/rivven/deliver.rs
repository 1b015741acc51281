//! Handing over a record: opened where a key fits, with what its header and its data tell besides.

use super::super::Halt;
use super::cipher::Envelope;
use super::host;
use super::record::{COMPRESSED, ENCRYPTED, HAS_CHECKSUM, HEADER, HELD, HELD_SEALED, Header};
use super::walk::Walker;
use crate::disk::pieces;
use crate::model::{Damage, DamageKind, Facts, Field, Look, Lsn, LsnRange, Payload, Record, Result, Span, Value, Warning};

impl Walker<'_, '_> {
    pub(super) fn deliver(&mut self, header: &Header, lsn: Option<Lsn>) -> Result<(), Halt> {
        let (visit, at) = (self.visit, self.at);
        let numbered = if self.guessed { "by position, uncertain behind damage" } else { "by position" };
        let mut fields = vec![Field { name: "numbered", value: Value::Text(numbered) }];
        let flagged = header.flags & ENCRYPTED != 0;
        let mut record = Record {
            lsn,
            kind: header.kind_name(),
            encrypted: flagged,
            ..Record::at(Span::new(visit.segment.id, at, at + header.length()))
        };
        let length = header.data as usize;
        let held = length <= if flagged && !visit.keys.is_empty() { HELD_SEALED } else { HELD };
        let data = self.cursor.bytes(at, if held { HEADER + length } else { 0 }).get(HEADER..);
        let Some(data) = data.filter(|d| d.len() == length) else {
            // Not through the cursor: that one is in use, and may go past the page cache.
            let file = visit.source.file(visit.segment)?;
            let (start, length) = (at + HEADER as u64, u64::from(header.data));
            let again = |take: &mut dyn FnMut(&[u8]) -> Result<()>| pieces(&*file, start, length, take);
            return self.sink.record(&Record { fields: &fields, payload: Payload::Long(length, &again), ..record });
        };
        let envelope = Envelope::parse(data);
        let plain = envelope.as_ref().filter(|_| visit.want.payloads || visit.want.deep).and_then(|e| self.opener.open(e));
        if let Some(envelope) = &envelope {
            fields.push(Field { name: "cipher", value: Value::Text(envelope.cipher_name()) });
            fields.push(Field { name: "key_version", value: Value::Number(u64::from(envelope.key_version)) });
            record.encrypted = plain.is_none();
        }
        let opened = plain.is_some();
        let key_version = envelope.as_ref().map(|envelope| envelope.key_version);
        let content = plain.as_deref().unwrap_or(data);
        if !record.encrypted && (visit.want.payloads || visit.want.since.is_some()) {
            match header.kind {
                0..=3 => record.time = host::show_message(content, &mut fields),
                6 | 7 => host::show_transaction(content, &mut fields),
                _ => {}
            }
        }
        self.sink.record(&Record { fields: &fields, payload: Payload::Whole(content), ..record })?;
        self.judge_envelope(header, lsn, key_version, opened)
    }

    /// What an envelope, or none where there should be one, says about a record that was delivered.
    fn judge_envelope(&mut self, header: &Header, lsn: Option<Lsn>, key_version: Option<u32>, opened: bool) -> Result<(), Halt> {
        let (visit, at, sealed) = (self.visit, self.at, key_version.is_some());
        let flagged = header.flags & ENCRYPTED != 0;
        if flagged != sealed {
            let is = if flagged {
                "is flagged as encrypted, and its data is no envelope"
            } else {
                "holds ciphertext and is not flagged so"
            };
            let text = format!(
                "the record at {at} {is}: flags are outside the checksum and have most likely changed on the way; check the disk"
            );
            self.warn_once("header-field-mismatch", text);
        }
        let tried = visit.want.payloads || visit.want.deep;
        if let Some(version) = key_version.filter(|_| opened)
            && !self.opened.contains(&version)
        {
            self.opened.push(version);
        }
        if sealed && !opened && tried && key_version.is_some_and(|version| self.opened.contains(&version)) {
            return self.altered(header, lsn);
        }
        if sealed && !opened && tried {
            self.summary.locked += 1;
        }
        if sealed && !opened && !visit.keys.is_empty() && tried {
            let text = format!(
                "no key of the key file opens the record at {at}, whose checksum is right: give the master key of that time (another scope \
                 than 'rivven' cannot be opened)"
            );
            self.warn_once("no-key-fits", text);
        }
        Ok(())
    }

    /// A key of the key file opens other records of its version and not this one, whose checksum is right.
    fn altered(&mut self, header: &Header, lsn: Option<Lsn>) -> Result<(), Halt> {
        let damage = Damage {
            kind: DamageKind::BadPayload,
            span: Span::new(self.visit.segment.id, self.at, self.at + header.length()),
            lsn,
            doubt: lsn.and_then(|lsn| LsnRange::new(lsn, lsn)),
            expected: "a payload that the key opens, as it opens others of its version".into(),
            found: "ciphertext that it does not open".into(),
            facts: Facts::of(Look::Altered),
        };
        self.sink.damage(&damage)?;
        self.summary.damage.push(damage);
        Ok(())
    }

    /// What a header says that no version would write, and what rivven itself makes of this record.
    pub(super) fn hints(&mut self, header: &Header) {
        let at = self.at;
        if header.flags & !ENCRYPTED != HAS_CHECKSUM {
            let odd = if header.flags & COMPRESSED != 0 { " (compressed)" } else { "" };
            let text = format!(
                "the record at {at} has flags {:#04x}{odd}, which no version is known to write: flags are outside the checksum and have most likely changed \
                 on the way; its data is whole, but check the disk",
                header.flags
            );
            self.warn_once("header-field-mismatch", text);
        }
        if !header.is_data() {
            return;
        }
        if header.data == 0 {
            let text = format!(
                "the record at {at} is empty: rivven-core 0.0.22 accepts and acknowledges it, and its replay stops there, so all later \
                 records of the file are never replayed; salvage the log, and keep the host from writing empty records"
            );
            self.warn_once("zero-length-data-record", text);
        }
        if matches!(header.kind, 2 | 3) != self.in_fragments {
            let text = format!(
                "the record at {at} is of type {} where no such fragment belongs: the type is outside the checksum and may have changed on \
                 the way, unless the host writes fragments by itself",
                header.kind_name()
            );
            self.warn_once("lone-fragment", text);
        }
        self.in_fragments = matches!(header.kind, 1 | 2);
    }

    pub(super) fn warn_once(&mut self, name: &'static str, text: String) {
        if !self.told.contains(&name) {
            self.told.push(name);
            let span = Span::new(self.visit.segment.id, self.at, self.at);
            self.summary.warnings.push(Warning { name, span, text });
        }
    }
}
