//! What a stream holds, added up: messages by subject.

use crate::disk::Source;
use crate::formats::{BreakdownKind, CountedPart, Counter, Share};
use crate::model::Value;

const BY_SUBJECT: BreakdownKind = BreakdownKind::of("messages", "subject");

/// The counter of one log.
pub fn count(_: &Source, _: CountedPart) -> Counter {
    Box::new(|record, payload, into| {
        if record.kind == "msg" {
            let subject = record.fields.iter().find_map(|field| match (field.name, field.value) {
                ("subject", Value::Text(subject)) => Some(subject),
                _ => None,
            });
            into.add(BY_SUBJECT, subject.unwrap_or_default(), Share::of(1, payload.len() as u64));
        }
        true
    })
}
