//! What batches hold, added up: entries by group, which TiKV calls a region, and items by what they do.

use super::group_items::Does;
use super::meaning::items_of;
use crate::disk::Source;
use crate::formats::{BreakdownKind, CountedPart, Counter, Share};

const ENTRIES: BreakdownKind = BreakdownKind::of("entries", "group");
const ITEMS: BreakdownKind = BreakdownKind::of("items", "type");

/// The counter of one log.
pub fn count(_: &Source, _: CountedPart) -> Counter {
    Box::new(|record, payload, into| {
        let Some((found, _)) = items_of(record, payload) else { return false };
        let mut start = 0;
        for item in &found {
            let name = match &item.does {
                Does::Entries { ends, .. } => {
                    let end = ends.last().copied().unwrap_or(start);
                    let share = Share::of(ends.len() as u64, end.saturating_sub(start));
                    start = end;
                    into.add(ENTRIES, &item.group.to_string(), share);
                    "entries"
                }
                Does::Clean => "clean",
                Does::Compact(_) => "compact",
                Does::Put(key, _) if key.starts_with(b"__\x01") => "atomic",
                Does::Put(..) => "put",
                Does::Delete(_) => "delete",
            };
            into.add(ITEMS, name, Share::of(1, 0));
        }
        true
    })
}
