//! What transactions do, added up: operations by type, those inside a multi too, and by the first part of the path.

use super::frame::{HEADER, Jute, Txn, kind_of};
use crate::disk::Source;
use crate::formats::{BreakdownKind, Breakdowns, CountedPart, Counter, Share};

const BY_TYPE: BreakdownKind = BreakdownKind::of("operations", "type");
const BY_PATH: BreakdownKind = BreakdownKind::of("operations", "subtree");

/// The counter of a log.
pub fn count(_: &Source, _: CountedPart) -> Counter {
    Box::new(|_, payload, into| {
        let Some(head) = payload.first_chunk() else { return false };
        let (kind, record) = (Txn::parse(head).kind, &payload[HEADER as usize..]);
        if kind == 14 { inner(record, into).is_some() } else { operation(kind, record, into) }
    })
}

fn inner(record: &[u8], into: &mut Breakdowns) -> Option<()> {
    let mut jute = Jute(record);
    for _ in 0..jute.int()?.max(0) {
        let (kind, record) = (jute.int()?, jute.buffer()?.unwrap_or_default());
        operation(kind, record, into);
    }
    Some(())
}

fn operation(kind: i32, record: &[u8], into: &mut Breakdowns) -> bool {
    let share = Share::of(1, record.len() as u64);
    into.add(BY_TYPE, kind_of(kind), share);
    // All others begin with a path.
    if matches!(kind, -10 | -11 | -1 | 14) || kind_of(kind) == "unknown" {
        return true;
    }
    let Some(path) = Jute(record).text() else { return false };
    let first = path.get(1..).unwrap_or_default().split('/').next().unwrap_or_default();
    into.add(BY_PATH, &format!("/{first}"), share);
    true
}
