//! The segment that is written, and the way a group takes into it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use super::stage::{LARGEST, Stage};
use crate::disk::{DIRECT_BLOCK, Errno, File, errno_of, write_full};
use crate::model::{Lsn, Result, Time};
use crate::native::{SegmentCipher, SegmentHeader, Tally, segment_lsn};

/// The segment that is written.
#[derive(Debug)]
pub(super) struct Active {
    /// For syncs, and for what is not a group.
    pub plain: Arc<dyn File>,
    /// For groups: opened as the mode wants it.
    pub data: Arc<dyn File>,
    /// For groups in whole blocks, past the page cache.
    pub blocks: Option<Arc<dyn File>>,
    pub path: PathBuf,
    pub header: SegmentHeader,
    /// What encrypts its payloads.
    pub cipher: Option<SegmentCipher>,
    /// Where the next frame goes.
    pub position: u64,
    pub tally: Tally,
    pub last_sum: u32,
    /// Old bytes stand behind the block that its data ends in, and the table of their sums behind its room.
    pub remains: bool,
    /// When its first record came. Counted by a monotonic clock; what it missed before the log was opened is subtracted.
    pub since: Option<Instant>,
}

/// The header of a segment that is begun at a moment.
pub(super) fn header_at(
    created: Time,
    log_id: [u8; 16],
    first_lsn: Lsn,
    chain: u32,
    block: u32,
    key: Option<&([u8; 32], [u8; 16])>,
    recycled: bool,
) -> SegmentHeader {
    let header = SegmentHeader { key: None, block, log_id, first_lsn, created, chain, recycled };
    key.map_or(header, |(key, salt)| header.keyed(key, *salt))
}

/// Whether a file's name says that it is a segment of a log that can be appended to.
#[must_use]
pub fn is_segment_name(name: &str) -> bool {
    segment_lsn(name).is_some()
}

/// Writes a group: past the page cache where there is `ready` room for all blocks that it touches. Tells whether it went that way.
pub(super) fn put(active: &mut Active, stage: &mut Stage, group: &[u8], ready: u64) -> Result<bool> {
    let (at, end) = (active.position, active.position + group.len() as u64);
    if active.remains && active.header.block == 0 {
        return put_over_remains(active, stage, group);
    }
    let Some(blocks) = &active.blocks else {
        write_full(active.data.as_ref(), group, at)?;
        return Ok(active.header.block != 0);
    };
    let mut past_cache = end.next_multiple_of(DIRECT_BLOCK) <= ready && group.len() <= LARGEST;
    if past_cache {
        match write_full(blocks.as_ref(), stage.lay(group), at / DIRECT_BLOCK * DIRECT_BLOCK) {
            // Some filesystems open a file for direct writes and then refuse them.
            Err(error) if errno_of(&error) == Some(Errno::INVAL) => (past_cache, active.blocks) = (false, None),
            wrote => wrote?,
        }
    }
    if !past_cache {
        write_full(active.data.as_ref(), group, at)?;
    }
    stage.took(group);
    Ok(past_cache)
}

/// Old bytes stand there: whatever the group's last block held is written over with zeros, so that the data ends in zeros.
fn put_over_remains(active: &mut Active, stage: &mut Stage, group: &[u8]) -> Result<bool> {
    let at = active.position / DIRECT_BLOCK * DIRECT_BLOCK;
    let mut past_cache = false;
    if let Some(blocks) = &active.blocks {
        match write_full(blocks.as_ref(), stage.lay(group), at) {
            Err(error) if errno_of(&error) == Some(Errno::INVAL) => active.blocks = None,
            wrote => (past_cache, _) = (true, wrote?),
        }
    }
    if !past_cache {
        write_full(active.data.as_ref(), stage.lay(group), at)?;
    }
    stage.took(group);
    Ok(past_cache)
}
