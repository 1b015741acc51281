//! A record kept after its walk has gone on: for context, and for reading backwards.

use crate::model::{Field, Lsn, Payload, Record, Role, Span, Time, Value};

/// A copy of a record with everything that it borrowed.
#[derive(Clone, Debug)]
pub struct OwnedRecord {
    span: Span,
    lsn: Option<Lsn>,
    last_lsn: Option<Lsn>,
    kind: String,
    operation: String,
    time: Option<Time>,
    tag: Option<u64>,
    fields: Vec<(String, HeldValue)>,
    payload: Vec<u8>,
    encrypted: bool,
    role: Role,
    batch: Option<Lsn>,
    unsynced: Option<u32>,
}

#[derive(Clone, Debug)]
enum HeldValue {
    Number(u64),
    Signed(i64),
    Text(String),
    Flag(bool),
    Bytes(Vec<u8>),
}

impl OwnedRecord {
    /// A copy, unless the record is too long to be held in memory: it can be read again.
    #[must_use]
    pub fn of(record: &Record<'_>, most: usize) -> Option<OwnedRecord> {
        let payload = record.payload.whole().filter(|bytes| bytes.len() <= most)?;
        let fields = record.fields.iter().map(|field| {
            let value = match field.value {
                Value::Number(n) => HeldValue::Number(n),
                Value::Signed(n) => HeldValue::Signed(n),
                Value::Text(text) => HeldValue::Text(text.to_owned()),
                Value::Flag(flag) => HeldValue::Flag(flag),
                Value::Bytes(bytes) => HeldValue::Bytes(bytes.to_owned()),
            };
            (field.name.to_owned(), value)
        });
        Some(OwnedRecord {
            span: record.span,
            lsn: record.lsn,
            last_lsn: record.last_lsn,
            kind: record.kind.to_owned(),
            operation: record.operation.to_owned(),
            time: record.time,
            tag: record.tag,
            fields: fields.collect(),
            payload: payload.to_owned(),
            encrypted: record.encrypted,
            role: record.role,
            batch: record.batch,
            unsynced: record.unsynced,
        })
    }

    /// About how much memory it takes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let fields: usize = self.fields.iter().map(|(name, value)| 64 + name.len() + value.bytes()).sum();
        size_of::<OwnedRecord>() + self.kind.len() + self.payload.len() + fields
    }

    /// Shows it as the record that it was.
    pub fn show<T>(&self, see: impl FnOnce(&Record<'_>) -> T) -> T {
        let fields: Vec<Field<'_>> = self.fields.iter().map(|(name, value)| Field { name, value: value.borrow() }).collect();
        see(&Record {
            span: self.span,
            lsn: self.lsn,
            last_lsn: self.last_lsn,
            kind: &self.kind,
            operation: &self.operation,
            time: self.time,
            tag: self.tag,
            fields: &fields,
            payload: Payload::Whole(&self.payload),
            encrypted: self.encrypted,
            role: self.role,
            batch: self.batch,
            unsynced: self.unsynced,
        })
    }
}

impl HeldValue {
    fn borrow(&self) -> Value<'_> {
        match self {
            HeldValue::Number(n) => Value::Number(*n),
            HeldValue::Signed(n) => Value::Signed(*n),
            HeldValue::Text(text) => Value::Text(text),
            HeldValue::Flag(flag) => Value::Flag(*flag),
            HeldValue::Bytes(bytes) => Value::Bytes(bytes),
        }
    }

    fn bytes(&self) -> usize {
        match self {
            HeldValue::Text(text) => text.len(),
            HeldValue::Bytes(bytes) => bytes.len(),
            _ => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::SegmentId;

    #[test]
    fn a_held_record_shows_all_that_the_walk_gave() {
        let fields = [Field { name: "term", value: Value::Number(3) }, Field { name: "key", value: Value::Bytes(b"k") }];
        let record = Record {
            span: Span::new(SegmentId(2), 4096, 4144),
            lsn: Some(Lsn(7)),
            last_lsn: Some(Lsn(9)),
            kind: "put",
            operation: "PUT",
            time: Some(Time(5)),
            tag: Some(6),
            fields: &fields,
            payload: Payload::Whole(b"alpha"),
            encrypted: true,
            role: Role::Frame,
            batch: Some(Lsn(6)),
            unsynced: Some(1),
        };
        let held = OwnedRecord::of(&record, 5).expect("five bytes fit into five");
        held.show(|again| assert_eq!(format!("{again:?}"), format!("{record:?}")));
        held.show(|again| assert_eq!(again.payload.whole(), Some(&b"alpha"[..])));
        let empty = Record { fields: &[], kind: "", payload: Payload::Whole(b""), ..record };
        let empty = OwnedRecord::of(&empty, 5).expect("nothing fits into five").bytes();
        assert_eq!(held.bytes() - empty, "put".len() + b"alpha".len() + (64 + "term".len()) + (64 + "key".len() + b"k".len()));
        assert!(OwnedRecord::of(&record, 4).is_none());
        assert!(OwnedRecord::of(&Record { payload: Payload::Long(5, &|_| Ok(())), ..record }, 5).is_none());
    }
}
