//! What batches of Pebble hold, added up: operations by type.

use super::super::batch::Operations;
use super::decode::shape;
use crate::disk::Source;
use crate::formats::{BreakdownKind, CountedPart, Counter, Share};

const BY_TYPE: BreakdownKind = BreakdownKind::of("operations", "type");

/// The counter of one log.
pub fn count(_: &Source, _: CountedPart) -> Counter {
    Box::new(|_, payload, into| {
        let mut operations = Operations::of(payload, shape);
        for operation in operations.by_ref() {
            let [first, second] = operation.slices;
            into.add(BY_TYPE, operation.shape.name, Share::of(1, (first.len() + second.len()) as u64));
        }
        operations.rest.is_empty()
    })
}
