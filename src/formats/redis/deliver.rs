//! Handing over what stands in a file: commands, annotations, and the snapshot in front of them.

use std::sync::Arc;

use super::super::Halt;
use super::command::AofCommand;
use super::kinds::{NOTE, OTHER, RDB};
use super::rdb::head_of;
use super::walk::Walker;
use crate::disk::{File, pieces};
use crate::model::{Field, Payload, Record, Result, Role, Span, Time, Value};

/// Longer commands are not held in memory.
const HELD: u64 = 8 << 20;
/// How much of a snapshot is looked at for what it says of itself.
const HEAD: usize = 4096;

impl Walker<'_, '_> {
    /// A command: the number of the transaction that it is in, and how many commands an EXEC ends.
    pub fn deliver(&mut self, command: &AofCommand, inside: Option<u64>, ended: Option<u64>) -> std::result::Result<(), Halt> {
        if self.visit.want.counts_only {
            return Ok(());
        }
        let number = |name, value: u64| Field { name, value: Value::Number(value) };
        let mut fields = vec![number("argc", command.arguments)];
        fields.extend(inside.map(|inside| number("transaction", inside)));
        fields.extend(ended.map(|ended| number("transaction_commands", ended)));
        let length = command.end - command.at;
        let file = if length > HELD { Some(self.visit.source.file(self.visit.segment)?) } else { None };
        let again = |take: &mut dyn FnMut(&[u8]) -> Result<()>| read_again(file.as_ref(), command.at, length, take);
        let bytes = if file.is_none() { self.cursor.bytes(command.at, usize::try_from(length).unwrap_or(0)) } else { &[] };
        self.sink.record(&Record {
            kind: command.kind.unwrap_or(OTHER),
            time: self.seconds.and_then(|seconds| seconds.checked_mul(1_000_000)).map(Time),
            tag: self.database.map(u64::from),
            fields: &fields,
            payload: if file.is_some() { Payload::Long(length, &again) } else { Payload::Whole(bytes) },
            ..Record::at(Span::new(self.visit.segment.id, command.at, command.end))
        })
    }

    /// An annotation, which is a record of its own.
    pub fn deliver_note(&mut self, start: u64, end: u64, seconds: Option<u64>) -> std::result::Result<(), Halt> {
        if self.visit.want.counts_only {
            return Ok(());
        }
        let bytes = self.cursor.bytes(start, usize::try_from(end - start).unwrap_or(0));
        self.sink.record(&Record {
            kind: NOTE,
            time: seconds.and_then(|seconds| seconds.checked_mul(1_000_000)).map(Time),
            payload: Payload::Whole(bytes),
            ..Record::at(Span::new(self.visit.segment.id, start, end))
        })
    }

    /// The snapshot in front of the commands, or all of a base: its content is not looked into.
    pub fn deliver_snapshot(&mut self, system: &str, version: u32, end: u64, sum: Option<u64>) -> std::result::Result<(), Halt> {
        if sum.is_none() {
            let text =
                "the snapshot has no checksum (rdbchecksum no): where it ends is known, a changed byte in it cannot be seen";
            self.warn("no-checksums", 0, end, text.to_owned());
        }
        if self.visit.want.counts_only || !self.visit.want.frames {
            return Ok(());
        }
        let head = head_of(self.cursor.bytes(0, HEAD.min(usize::try_from(end).unwrap_or(HEAD))));
        let number = |name, value: u64| Field { name, value: Value::Number(value) };
        let text = |name, value| Field { name, value: Value::Text(value) };
        let sum = sum.map(|sum| format!("{sum:016x}"));
        let mut fields = vec![text("system", system), number("version", version.into()), number("bytes", end)];
        fields.extend(sum.as_deref().map(|sum| text("crc64", sum)));
        fields.extend(head.facts.iter().map(|(name, value)| text(name, value)));
        if let Some((database, keys, expires)) = head.database {
            fields.extend([number("first_db", database), number("first_db_keys", keys), number("first_db_expires", expires)]);
        }
        self.sink.record(&Record {
            kind: RDB,
            fields: &fields,
            role: Role::Control,
            ..Record::at(Span::new(self.visit.segment.id, 0, end))
        })
    }
}

/// Hands over a long command from the file.
fn read_again(file: Option<&Arc<dyn File>>, at: u64, length: u64, take: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> {
    match file {
        Some(file) => pieces(file.as_ref(), at, length, take),
        None => Ok(()),
    }
}
