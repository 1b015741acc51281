//! Many records kept at once, in three buffers: for work that goes on elsewhere while reading goes on.

use std::ops::Range;

use super::{Shown, Way};
use crate::disk::Segment;
use crate::model::{Field, Lsn, Payload, Record, Role, Span, Time, Value};

/// Records of one segment, as a scan delivered them.
#[derive(Clone, Debug, Default)]
pub struct HeldRecords {
    segment: Option<Segment>,
    bytes: Vec<u8>,
    records: Vec<HeldHead>,
    fields: Vec<HeldField>,
    /// The words that were met as kinds and operations: few, and the same again and again.
    words: Vec<String>,
}

#[derive(Clone, Debug)]
struct HeldHead {
    span: Span,
    lsn: Option<Lsn>,
    last_lsn: Option<Lsn>,
    time: Option<Time>,
    tag: Option<u64>,
    batch: Option<Lsn>,
    kind: usize,
    operation: usize,
    fields: Range<usize>,
    payload: Range<usize>,
    unsynced: Option<u32>,
    role: Role,
    encrypted: bool,
    matched: bool,
    after_damage: bool,
    way: Way,
}

#[derive(Clone, Debug)]
struct HeldField {
    name: Range<usize>,
    value: FlatValue,
}

#[derive(Clone, Debug)]
enum FlatValue {
    Number(u64),
    Signed(i64),
    Flag(bool),
    Text(Range<usize>),
    Bytes(Range<usize>),
}

impl HeldRecords {
    /// Keeps a copy of a record. False when it is of another segment than those that are kept, or too long to be held: nothing is kept then.
    pub fn keep(&mut self, shown: &Shown<'_>) -> bool {
        let Some(payload) = shown.record.payload.whole() else { return false };
        match &self.segment {
            None => self.segment = Some(shown.segment.clone()),
            Some(segment) if segment.id == shown.segment.id => {}
            Some(_) => return false,
        }
        let record = shown.record;
        let kind = self.word(record.kind);
        let operation = self.word(record.operation);
        let first = self.fields.len();
        for field in record.fields {
            let name = self.put(field.name.as_bytes());
            let value = match field.value {
                Value::Number(number) => FlatValue::Number(number),
                Value::Signed(number) => FlatValue::Signed(number),
                Value::Flag(flag) => FlatValue::Flag(flag),
                Value::Text(text) => FlatValue::Text(self.put(text.as_bytes())),
                Value::Bytes(bytes) => FlatValue::Bytes(self.put(bytes)),
            };
            self.fields.push(HeldField { name, value });
        }
        let payload = self.put(payload);
        self.records.push(HeldHead {
            span: record.span,
            lsn: record.lsn,
            last_lsn: record.last_lsn,
            time: record.time,
            tag: record.tag,
            batch: record.batch,
            kind,
            operation,
            fields: first..self.fields.len(),
            payload,
            unsynced: record.unsynced,
            role: record.role,
            encrypted: record.encrypted,
            matched: shown.matched,
            after_damage: shown.after_damage,
            way: shown.way,
        });
        true
    }

    fn word(&mut self, word: &str) -> usize {
        // Byte by byte: where a word lies at the end of a page, `memcmp` took a fifth of all the time of a dump.
        let is = |known: &String| known.len() == word.len() && known.bytes().eq(word.bytes());
        self.words.iter().position(is).unwrap_or_else(|| {
            self.words.push(word.to_owned());
            self.words.len() - 1
        })
    }

    fn put(&mut self, bytes: &[u8]) -> Range<usize> {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        start..self.bytes.len()
    }

    /// Forgets all of them, and keeps the room for others.
    pub fn clear(&mut self) {
        self.segment = None;
        self.bytes.clear();
        self.records.clear();
        self.fields.clear();
        self.words.clear();
    }

    /// How many are kept.
    #[must_use]
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// About how much memory they take.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes.len() + self.records.len() * size_of::<HeldHead>() + self.fields.len() * size_of::<HeldField>()
    }

    /// Shows each as it was delivered, in order, until one cannot be taken.
    ///
    /// # Errors
    /// What `take` says.
    pub fn each<E>(&self, mut take: impl FnMut(&Shown<'_>) -> Result<(), E>) -> Result<(), E> {
        let Some(segment) = &self.segment else { return Ok(()) };
        let mut fields: Vec<Field<'_>> = Vec::new();
        for head in &self.records {
            fields.clear();
            fields.extend(self.fields[head.fields.clone()].iter().map(|field| self.field(field)));
            let record = Record {
                span: head.span,
                lsn: head.lsn,
                last_lsn: head.last_lsn,
                kind: &self.words[head.kind],
                operation: &self.words[head.operation],
                time: head.time,
                tag: head.tag,
                fields: &fields,
                payload: Payload::Whole(&self.bytes[head.payload.clone()]),
                encrypted: head.encrypted,
                role: head.role,
                batch: head.batch,
                unsynced: head.unsynced,
            };
            let HeldHead { matched, after_damage, way, .. } = *head;
            take(&Shown { record: &record, segment, matched, after_damage, way })?;
        }
        Ok(())
    }

    fn field(&self, field: &HeldField) -> Field<'_> {
        // They were text when they were kept.
        let text = |range: &Range<usize>| std::str::from_utf8(&self.bytes[range.clone()]).unwrap_or_default();
        let value = match &field.value {
            FlatValue::Number(number) => Value::Number(*number),
            FlatValue::Signed(number) => Value::Signed(*number),
            FlatValue::Flag(flag) => Value::Flag(*flag),
            FlatValue::Text(range) => Value::Text(text(range)),
            FlatValue::Bytes(range) => Value::Bytes(&self.bytes[range.clone()]),
        };
        Field { name: text(&field.name), value }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::EntryKind;
    use crate::model::SegmentId;

    fn segment(id: u32) -> Segment {
        let (name, path) = (id.to_string(), id.to_string().into());
        Segment { id: SegmentId(id), name, path, sequence: 1, length: 9, followed: false, kind: EntryKind::File }
    }

    #[test]
    fn what_was_kept_is_shown_as_it_was_delivered_and_in_order() {
        let fields = [
            Field { name: "term", value: Value::Number(3) },
            Field { name: "off", value: Value::Signed(-3) },
            Field { name: "last", value: Value::Flag(true) },
            Field { name: "key", value: Value::Text("k\u{fc}") },
            Field { name: "raw", value: Value::Bytes(b"\xff\0") },
        ];
        let (mut held, here, way) = (HeldRecords::default(), segment(2), Way { mark: None, ordinal: 7 });
        let mut told = Vec::new();
        for n in 0..100u64 {
            let payload = vec![b'x'; n as usize % 7];
            let record = Record {
                lsn: Some(Lsn(n)),
                last_lsn: Some(Lsn(n + 1)),
                kind: ["put", "delete"][n as usize % 2],
                operation: ["", "INSERT", "put"][n as usize % 3],
                time: Some(Time(5)),
                tag: Some(n),
                fields: &fields[..n as usize % 6],
                payload: Payload::Whole(&payload),
                encrypted: n % 3 == 0,
                role: Role::Frame,
                batch: Some(Lsn(6)),
                unsynced: Some(1),
                ..Record::at(Span::new(SegmentId(2), n, n + 9))
            };
            let shown = Shown { record: &record, segment: &here, matched: n % 2 == 0, after_damage: n > 50, way };
            assert!(held.keep(&shown));
            told.push(format!("{shown:?} {:?}", record.payload.whole()));
        }
        assert_eq!((held.len(), held.is_empty()), (100, false));
        // What is kept of a record takes room whether or not it has a payload.
        let least = 100 * size_of::<HeldHead>()
            + told.iter().map(|line| line.matches("Field {").count()).sum::<usize>() * size_of::<HeldField>();
        assert!((least + 297..least + 2000).contains(&held.bytes()), "{} for {least}", held.bytes());
        let mut again = Vec::new();
        held.each(|shown| {
            again.push(format!("{shown:?} {:?}", shown.record.payload.whole()));
            Ok::<(), ()>(())
        })
        .expect("all are taken");
        assert_eq!(again, told);
        held.clear();
        let other = segment(3);
        let record = Record::at(Span::new(SegmentId(3), 0, 9));
        assert!(held.is_empty());
        assert!(held.keep(&Shown { record: &record, segment: &other, matched: true, after_damage: false, way }));
        held.each(|shown| if shown.segment.id == SegmentId(3) { Ok(()) } else { Err(()) }).expect("nothing old is left");
    }

    #[test]
    fn what_cannot_be_taken_ends_it() {
        let (mut held, here, way) = (HeldRecords::default(), segment(2), Way { mark: None, ordinal: 0 });
        for n in 0..9 {
            let record = Record { lsn: Some(Lsn(n)), ..Record::at(Span::new(SegmentId(2), n, n + 9)) };
            assert!(held.keep(&Shown { record: &record, segment: &here, matched: true, after_damage: false, way }));
        }
        assert_eq!(held.each(|shown| if shown.record.lsn == Some(Lsn(3)) { Err(3) } else { Ok(()) }), Err(3));
    }

    #[test]
    fn a_record_of_another_segment_and_one_too_long_to_be_held_are_not_kept() {
        let (mut held, way) = (HeldRecords::default(), Way { mark: None, ordinal: 0 });
        let record = Record::at(Span::new(SegmentId(1), 0, 9));
        let long = Record { payload: Payload::Long(5, &|_| Ok(())), ..record };
        let (one, two) = (segment(1), segment(2));
        let shown = |record, segment| Shown { record, segment, matched: true, after_damage: false, way };
        assert!(!held.keep(&shown(&long, &one)) && held.is_empty());
        assert!(held.keep(&shown(&record, &one)) && !held.keep(&shown(&record, &two)) && held.len() == 1);
    }
}
