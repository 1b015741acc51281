//! Walking a segment that another machine holds.
//!
//! When the way there is lost, a walk sees a segment that seems to end. So nothing that it delivers after that is passed on, and no summary
//! comes of it. And bytes can go wrong under way: before damage is passed on, all that was read of the segment is read again.

use super::{Format, Halt, Item, Sink, Visit, Walk};
use crate::disk::Remote;

/// Walks one segment.
pub(super) fn walk(format: &Format, remote: &dyn Remote, visit: &Visit<'_>, sink: &mut Sink<'_>) -> Walk {
    let own = [visit.segment.path.as_path()];
    let mut take = |item: Item<'_>| {
        if let Some(error) = remote.lost() {
            return Err(Halt::Failed(error));
        }
        if matches!(item, Item::Hurt(_)) {
            remote.confirm(&own)?;
        }
        sink.item(item)
    };
    let walked = (format.walk)(visit, &mut Sink::new(&mut take));
    let Ok(summary) = walked else { return walked };
    if summary.damage.kept().is_empty() {
        remote.lost().map_or(Ok(()), Err)?
    } else {
        remote.confirm(&own)?
    }
    Ok(summary)
}
