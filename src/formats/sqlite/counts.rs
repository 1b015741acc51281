//! What frames hold, added up: pages by the table or index that they belong to, where the database stands beside the log.

use super::decode::owner_name;
use super::owners::OwnerMap;
use crate::disk::Source;
use crate::formats::{BreakdownKind, CountedPart, Counter, Share};

const BY_OWNER: BreakdownKind = BreakdownKind::of("pages", "table or index");

/// The counter of one log.
pub fn count(source: &Source, _: CountedPart) -> Counter {
    let source = source.clone();
    let mut owners: Option<OwnerMap> = None;
    Box::new(move |record, page, into| {
        let owners = owners.get_or_insert_with(|| OwnerMap::of(&source));
        let Some(number) = record.tag.and_then(|tag| u32::try_from(tag).ok()) else { return false };
        if !owners.trees.is_empty() {
            into.add(BY_OWNER, &owner_name(number, page, owners), Share::of(1, page.len() as u64));
        }
        true
    })
}
