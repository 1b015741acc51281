//! What events hold, added up: rows by table and by what became of them, statements by their first word.

use super::body::first_word;
use super::body::query;
use super::event::{HEADER, LogEvent};
use super::kinds::{QUERY, QUERY_COMPRESSED, TRANSACTION_PAYLOAD, rows_kind};
use super::meaning::{number, text, unpacked_events};
use super::rows::inflate;
use super::transactions::TransactionTracker;
use crate::disk::Source;
use crate::formats::{BreakdownKind, Breakdowns, CountedPart, Counter, Share};

const BY_TABLE: BreakdownKind = BreakdownKind::of("rows", "table");
const BY_CHANGE: BreakdownKind = BreakdownKind::of("rows", "change");
const STATEMENTS: BreakdownKind = BreakdownKind::of("statements", "first word");

/// The counter of one log.
pub fn count(_: &Source, _: CountedPart) -> Counter {
    Box::new(|record, body, into| {
        let Some(kind) = number(record, "type").and_then(|kind| u8::try_from(kind).ok()) else { return false };
        match kind {
            TRANSACTION_PAYLOAD => packed(body, into),
            _ => event(kind, body, (text(record, "table"), number(record, "rows")), into),
        }
    })
}

fn event(kind: u8, body: &[u8], (table, rows): (Option<&str>, Option<u64>), into: &mut Breakdowns) -> bool {
    if let Some(of) = rows_kind(kind) {
        // Rows whose number is not known count as none, with their bytes.
        let share = Share::of(rows.unwrap_or(0), body.len() as u64);
        into.add(BY_TABLE, table.unwrap_or("(not named)"), share);
        into.add(BY_CHANGE, of.verb.words(), share);
        return rows.is_some();
    }
    if matches!(kind, QUERY | QUERY_COMPRESSED) {
        let Some(query) = query(body) else { return false };
        let unpacked = if kind == QUERY_COMPRESSED { inflate(query.text) } else { Some(query.text.to_vec()) };
        let Some(statement) = unpacked else { return false };
        into.add(STATEMENTS, &first_word(&statement), Share::of(1, statement.len() as u64));
    }
    true
}

/// A transaction that is packed as a whole.
fn packed(body: &[u8], into: &mut Breakdowns) -> bool {
    let Some(events) = unpacked_events(body) else { return false };
    let (mut rest, mut transactions, mut told) = (&events[..], TransactionTracker::default(), true);
    while let Some(head) = rest.first_chunk::<{ HEADER as usize }>() {
        let header = LogEvent::parse(head, 0);
        let length = usize::try_from(header.length).unwrap_or(usize::MAX);
        if length < HEADER as usize || length > rest.len() {
            return false;
        }
        let body = &rest[HEADER as usize..length];
        let part = transactions.take(&header, body, true);
        told &= event(header.kind, body, (part.table.as_deref(), part.rows), into);
        rest = &rest[length..];
    }
    told && rest.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inner(kind: u8, body: &[u8]) -> Vec<u8> {
        let length = u8::try_from(19 + body.len()).expect("small");
        [&[1, 2, 3, 4, kind, 7, 0, 0, 0, length, 0, 0, 0, 0, 0, 0, 0, 0, 0], body].concat()
    }

    fn query_of(statement: &str) -> Vec<u8> {
        inner(2, &[b"\0\0\0\0\0\0\0\0\x04\0\0\0\0shop\0", statement.as_bytes()].concat())
    }

    #[test]
    fn statements_in_a_packed_transaction_are_counted_like_others() {
        let events = [query_of("BEGIN"), query_of("insert into t values (1)"), query_of("INSERT INTO t VALUES (2)")].concat();
        let stored = |events: &[u8]| {
            let length = u8::try_from(events.len()).expect("small");
            // Stored as they are: method 255 and their length, in three bytes each.
            [&[2, 3, 252, 255, 0, 3, 3, 252, length, 0, 1, 1, length, 0], events].concat()
        };
        let mut into = Breakdowns::default();
        assert!(packed(&stored(&events), &mut into), "all of it is known");
        let (rows, _) = into.all[0].top(9);
        let counts: Vec<(&str, u64)> = rows.iter().map(|(name, share)| (*name, share.count)).collect();
        assert_eq!((into.all[0].kind, counts), (STATEMENTS, vec![("INSERT", 2), ("BEGIN", 1)]));
        assert!(!packed(&stored(&events[..events.len() - 1]), &mut Breakdowns::default()), "cut inside an event");
        assert!(!packed(b"no fields", &mut Breakdowns::default()));
    }
}
