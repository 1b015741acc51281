//! What commands do, added up by database; the commands themselves are the kinds of the records.

use super::kinds::{NOTE, RDB};
use crate::disk::Source;
use crate::formats::{BreakdownKind, CountedPart, Counter, Share};

const BY_DATABASE: BreakdownKind = BreakdownKind::of("commands", "database");

/// The counter of one log.
pub fn count(_: &Source, _: CountedPart) -> Counter {
    Box::new(|record, payload, into| {
        if matches!(record.kind, RDB | NOTE) {
            return true;
        }
        let database = record.tag.map_or_else(|| "unknown".to_owned(), |database| database.to_string());
        into.add(BY_DATABASE, &database, Share::of(1, payload.len() as u64));
        true
    })
}
