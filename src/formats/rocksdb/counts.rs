//! What batches of RocksDB and LevelDB hold, added up: operations by column family and by type, and transactions that wait for their end.

use super::super::batch::Operations;
use super::decode::{Families, names, shape};
use crate::disk::Source;
use crate::formats::{BreakdownKind, Breakdowns, CountedPart, Counter, Share, words};

const BY_FAMILY: BreakdownKind = BreakdownKind::of("operations", "column family");
const BY_TYPE: BreakdownKind = BreakdownKind::of("operations", "type");

/// The counter of one log.
pub fn count(source: &Source, _: CountedPart) -> Counter {
    let source = source.clone();
    let mut families: Option<Families> = None;
    Box::new(move |record, payload, into| {
        if record.kind != "batch" {
            return true;
        }
        batch(payload, families.get_or_insert_with(|| names(&source)), into)
    })
}

/// False if something in it is no operation.
fn batch(payload: &[u8], families: &Families, into: &mut Breakdowns) -> bool {
    let mut operations = Operations::of(payload, shape);
    for operation in operations.by_ref() {
        let [first, second] = operation.slices;
        let share = Share::of(1, (first.len() + second.len()) as u64);
        match operation.kind {
            10 => into.begun(words(first)),
            11 | 12 => into.ended(&words(first)),
            21 => into.ended(&words(second)),
            _ => {}
        }
        match families.get(&operation.family) {
            // Marks of transactions, and notes of the program.
            _ if matches!(operation.kind, 3 | 9..=13 | 18 | 19 | 21) => into.add(BY_FAMILY, "(in no family)", share),
            Some(name) => into.add(BY_FAMILY, name, share),
            None => into.add(BY_FAMILY, &operation.family.to_string(), share),
        }
        into.add(BY_TYPE, operation.shape.name, share);
    }
    operations.rest.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(operations: &[u8], into: &mut Breakdowns) -> bool {
        let families = Families::from([(0, "default".to_owned()), (2, "orders".to_owned())]);
        batch(&[&[0; 12][..], operations].concat(), &families, into)
    }

    #[test]
    fn operations_count_for_their_families_and_marks_of_transactions_apart() {
        let mut into = Breakdowns::default();
        assert!(of(b"\x09\x01\x01k\x03val\x05\x02\x01k\x01v\x05\x09\x01k\x01v\x03\x04note\x0a\x03txn", &mut into));
        let find = |kind| into.all.iter().find(|breakdown| breakdown.kind == kind).expect("it was met").top(0).0;
        let one = Share::of(1, 2);
        let none = Share::of(3, 7);
        assert_eq!(find(BY_FAMILY), [("(in no family)", none), ("default", Share::of(1, 4)), ("9", one), ("orders", one)]);
        assert_eq!(find(BY_TYPE).iter().map(|(_, share)| share.count).sum::<u64>(), 6);
        assert_eq!(into.open.iter().collect::<Vec<_>>(), ["txn"]);
    }

    #[test]
    fn a_commit_with_or_without_a_time_and_a_rollback_end_a_transaction() {
        let mut into = Breakdowns::default();
        assert!(of(b"\x0a\x01a\x0a\x01b\x0a\x01c\x0a\x01d", &mut into));
        assert!(of(b"\x0b\x01a\x0c\x01b\x15\x02ts\x01c", &mut into));
        assert_eq!(into.open.iter().collect::<Vec<_>>(), ["d"]);
        assert!(!of(b"\x7f", &mut into), "no operation has this type");
    }
}
