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
