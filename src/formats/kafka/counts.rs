//! What batches hold, added up: batches and records by compression, and how transactions ended.

use super::meaning::{flag, mark_of, signed, text};
use crate::disk::Source;
use crate::formats::{BreakdownKind, CountedPart, Counter, Share};

const BATCHES: BreakdownKind = BreakdownKind::of("batches", "compression");
const RECORDS: BreakdownKind = BreakdownKind::of("records", "compression");
const MARKS: BreakdownKind = BreakdownKind::of("control batches", "mark");

/// The counter of one log.
pub fn count(_: &Source, _: CountedPart) -> Counter {
    Box::new(|record, payload, into| {
        let producer = signed(record, "producer_id").map(|producer| format!("producer {producer}"));
        if record.kind == "control" {
            let Some((_, mark)) = mark_of(record, payload) else { return false };
            into.add(MARKS, &mark, Share::of(1, 0));
            if let (Some(producer), "commit" | "abort") = (producer, mark.as_str()) {
                into.ended(&producer);
            }
            return true;
        }
        let compression = text(record, "compression").unwrap_or("unknown");
        let records = signed(record, "records").and_then(|count| u64::try_from(count).ok()).unwrap_or(0);
        into.add(BATCHES, compression, Share::of(1, payload.len() as u64));
        into.add(RECORDS, compression, Share::of(records, 0));
        if let Some(producer) = producer.filter(|_| flag(record, "transactional")) {
            into.begun(producer);
        }
        true
    })
}
