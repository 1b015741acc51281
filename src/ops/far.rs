//! What was found of a log that another machine holds, before it is believed.

use std::path::Path;

use crate::disk::Source;
use crate::model::{Result, SegmentId};

/// An error if the way to the log was lost meanwhile, or if what something was found by looks different when it is read again. `places` are
/// the segments about which something is said: each is read again, with those beside it, between which something may only seem to be
/// missing, and with all small files that were read besides.
pub fn sure(source: &Source, places: impl IntoIterator<Item = SegmentId>) -> Result<()> {
    let Some(remote) = source.disk.remote() else { return Ok(()) };
    let mut near: Vec<&Path> = Vec::new();
    for index in places.into_iter().map(SegmentId::index) {
        let beside = source.segments.iter().skip(index.saturating_sub(1)).take(if index == 0 { 2 } else { 3 });
        near.extend(beside.map(|segment| segment.path.as_path()));
    }
    let mut besides = if near.is_empty() { Vec::new() } else { remote.files_read() };
    besides.retain(|file| source.segments.iter().chain(&source.beyond).all(|segment| segment.path != *file));
    near.extend(besides.iter().map(|file| file.as_path()));
    near.sort_unstable();
    near.dedup();
    remote.confirm(&near)
}
