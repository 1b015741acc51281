//! Handing over a record: its data, and the numbers in it.

use super::super::Halt;
use super::frame::{EtcdFrame, RecordType};
use super::walk::{Holds, Walker};
use crate::disk::pieces;
use crate::model::{Field, Lsn, Payload, Record, Result, Span, Value};

/// Data longer than this is not held in memory.
const HELD: u64 = 8 << 20;

impl Walker<'_, '_> {
    pub(super) fn deliver(&mut self, frame: &EtcdFrame, holds: &Holds, proven: bool) -> Result<(), Halt> {
        let sum = format!("{:08x}", frame.sum);
        let (first, second);
        let number = |name, number| Field { name, value: Value::Number(number) };
        let (mut lsn, mut tag) = (None, None);
        let mut fields = Vec::with_capacity(5);
        match holds {
            Holds::Member(member) => {
                (first, second) = (format!("{:x}", member.node), format!("{:x}", member.cluster));
                fields.push(Field { name: "node_id", value: Value::Text(&first) });
                fields.push(Field { name: "cluster_id", value: Value::Text(&second) });
            }
            Holds::Entry(entry) => {
                (lsn, tag) = (Some(Lsn(entry.index)), Some(entry.term));
                let kind = ["normal", "conf_change", "conf_change_v2"][usize::try_from(entry.kind).unwrap_or(0).min(2)];
                fields.push(Field { name: "entry_kind", value: Value::Text(kind) });
                fields.push(number("term", entry.term));
                fields.push(number("content_bytes", entry.content));
            }
            Holds::State(state) => {
                tag = Some(state.term);
                first = format!("{:x}", state.vote);
                fields.push(number("term", state.term));
                fields.push(Field { name: "vote", value: Value::Text(&first) });
                fields.push(number("commit", state.commit));
            }
            Holds::Snapshot(snapshot) => {
                tag = Some(snapshot.term);
                fields.push(number("index", snapshot.index));
                fields.push(number("term", snapshot.term));
            }
            Holds::Unknown => {
                let RecordType::Unknown(kind) = frame.kind else { return Ok(()) };
                fields.push(number("type", kind));
            }
            Holds::Sum => {}
        }
        fields.push(Field { name: "crc", value: Value::Text(&sum) });
        if !proven {
            // What stood in front of it is lost, and with it what the sum continues.
            fields.push(Field { name: "unproven", value: Value::Flag(true) });
        }
        let record = Record {
            lsn,
            kind: frame.kind.name(),
            tag,
            fields: &fields,
            ..Record::at(Span::new(self.visit.segment.id, frame.at, frame.end))
        };
        if frame.length <= HELD {
            let data = self.cursor.bytes(frame.data, usize::try_from(frame.length).expect("a few megabytes"));
            return self.sink.record(&Record { payload: Payload::Whole(data), ..record });
        }
        let file = self.visit.source.file(self.visit.segment)?;
        let (at, length) = (frame.data, frame.length);
        let again = move |take: &mut dyn FnMut(&[u8]) -> Result<()>| pieces(&*file, at, length, take);
        self.sink.record(&Record { payload: Payload::Long(length, &again), ..record })
    }
}
