//! Handing over an event: its body, the facts of its header, and what it is to its transaction.

use std::sync::Arc;

use super::super::Halt;
use super::event::{HEADER, LogEvent};
use super::kinds::{ENCRYPTED, UNKNOWN, name_of};
use super::transactions::EventPart;
use super::walk::Walker;
use crate::disk::{File, pieces};
use crate::model::{Field, Payload, Record, Result, Span, Time, Value};

/// Longer bodies are not held in memory.
const HELD: u64 = 8 << 20;

impl Walker<'_, '_> {
    /// An event that can be read.
    pub fn deliver(&mut self, event: &LogEvent) -> std::result::Result<(), Halt> {
        let (bytes, asked) = (event.body_bytes(), !self.visit.want.counts_only);
        // Without records only the beginnings of transactions are looked at, and queries, which are short where they matter.
        let most = if asked { HELD } else { 4096 };
        let held = usize::try_from(bytes.min(most)).expect("a few megabytes");
        let head = self.cursor.bytes(event.body(), held);
        let part = self.transactions.take(event, head, asked);
        if !asked {
            return Ok(());
        }
        let fields = fields(event, &part);
        let file = if bytes > HELD { Some(self.visit.source.file(self.visit.segment)?) } else { None };
        let again =
            |take: &mut dyn FnMut(&[u8]) -> Result<()>| file.as_ref().map_or(Ok(()), |file| read_again(file, event, take));
        let payload = if file.is_none() { Payload::Whole(head) } else { Payload::Long(bytes, &again) };
        self.sink.record(&Record {
            kind: name_of(event.kind).unwrap_or(UNKNOWN),
            time: (event.time > 0).then(|| Time(u64::from(event.time) * 1_000_000)),
            tag: Some(u64::from(event.server)),
            fields: &fields,
            payload,
            ..Record::at(Span::new(self.visit.segment.id, event.at, event.end()))
        })
    }

    /// An event that MariaDB encrypted: where it lies is all that can be told.
    pub fn sealed(&mut self, event: &LogEvent) -> std::result::Result<(), Halt> {
        if self.visit.want.counts_only {
            return Ok(());
        }
        let bytes = u64::from(event.length) - HEADER;
        let held = usize::try_from(bytes.min(HELD)).expect("a few megabytes");
        let head = self.cursor.bytes(event.body(), held);
        let file = if bytes > HELD { Some(self.visit.source.file(self.visit.segment)?) } else { None };
        let again =
            |take: &mut dyn FnMut(&[u8]) -> Result<()>| file.as_ref().map_or(Ok(()), |file| read_again(file, event, take));
        let payload = if file.is_none() { Payload::Whole(head) } else { Payload::Long(bytes, &again) };
        self.sink.record(&Record {
            kind: ENCRYPTED,
            payload,
            encrypted: true,
            ..Record::at(Span::new(self.visit.segment.id, event.at, event.end()))
        })
    }
}

fn fields<'a>(event: &LogEvent, part: &'a EventPart) -> Vec<Field<'a>> {
    let number = |name, value: u64| Field { name, value: Value::Number(value) };
    let text = |name, value: &'a str| Field { name, value: Value::Text(value) };
    let mut fields = vec![number("type", u64::from(event.kind))];
    if event.flags != 0 {
        fields.push(number("flags", u64::from(event.flags)));
    }
    fields.extend(part.gtid.as_deref().map(|gtid| text("gtid", gtid)));
    fields.extend(part.table.as_deref().map(|table| text("table", table)));
    fields.extend(part.rows.map(|rows| number("rows", rows)));
    if let Some(done) = &part.finished {
        fields.push(number("transaction_bytes", done.bytes));
        fields.push(number("transaction_events", done.events));
        fields.push(number("transaction_rows", done.rows));
        fields.push(number("transaction_seconds", u64::from(done.seconds)));
        if !done.tables.is_empty() {
            fields.push(text("transaction_tables", &done.tables));
        }
    }
    fields
}

/// Hands over a long body from the file.
fn read_again(file: &Arc<dyn File>, event: &LogEvent, take: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> {
    let bytes = if event.summed { event.body_bytes() } else { u64::from(event.length) - HEADER };
    pieces(file.as_ref(), event.body(), bytes, take)
}
