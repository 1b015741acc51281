//! What records of PostgreSQL hold, added up: by resource manager and by operation, with the bytes of page images.

use super::body::{WalBody, path};
use super::meaning::{magic_of, manager_and_info, shown_operation};
use super::operations::operation;
use super::page::RECORD_HEADER;
use crate::disk::Source;
use crate::formats::{BreakdownKind, CountedPart, Counter, Share};

const BY_MANAGER: BreakdownKind = BreakdownKind { what: "records", by: "resource manager", part: Some("page images") };
const BY_OPERATION: BreakdownKind = BreakdownKind { what: "records", by: "operation", part: Some("page images") };

const TRANSACTIONS: BreakdownKind = BreakdownKind::of("transactions", "what became of them");
/// The manager of these, and its operations that say so.
const TRANSACTION: u8 = 1;
const ENDS: [&str; 5] = ["COMMIT", "ABORT", "PREPARE", "COMMIT_PREPARED", "ABORT_PREPARED"];
const BLOCKS: BreakdownKind = BreakdownKind { what: "changed blocks", by: "relation", part: Some("page images") };

/// The counter of one log.
pub fn count(source: &Source, _: CountedPart) -> Counter {
    let magic = magic_of(source);
    let mut name = String::new();
    Box::new(move |record, content, into| {
        let (manager, info) = manager_and_info(record);
        let body = WalBody::parse(content, magic);
        let images = body.as_ref().map_or(0, |body| body.blocks.iter().map(|block| u64::from(block.image)).sum());
        let share = Share { count: 1, bytes: (content.len() + RECORD_HEADER) as u64, part: images };
        into.add(BY_MANAGER, record.kind, share);
        name.clear();
        name.push_str(record.kind);
        name.push(' ');
        name.push_str(&shown_operation(manager, info, magic));
        into.add(BY_OPERATION, &name, share);
        let operation = operation(manager, info, magic);
        if manager == TRANSACTION && ENDS.contains(&operation) {
            into.add(TRANSACTIONS, operation, Share::of(1, 0));
        }
        for block in body.iter().flat_map(|body| &body.blocks) {
            let bytes = u64::from(block.image) + u64::from(block.data);
            into.add(BLOCKS, &path(block.file, 0), Share { count: 1, bytes, part: block.image.into() });
        }
        body.is_some()
    })
}
