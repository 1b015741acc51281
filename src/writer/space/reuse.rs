//! Files that are used again: the sums of what stands in them, by which old bytes are told from new ones.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{PIECE, SpaceActive, SpaceShared, room_end};
use crate::disk::{AlignedBytes, File, Open, read_full, write_full};
use crate::model::Result;
use crate::native::{HEADER_BYTES, RemainsTable};

/// After each piece the thread rests so many times as long as that took: groups need the disk and the processor meanwhile, and there is half
/// a segment's time.
const REST: u32 = 3;
/// And no longer than this, whatever a disk takes: who closes the log waits for it.
const LONGEST_REST: Duration = Duration::from_millis(10);

impl SpaceShared {
    /// The next segment goes into the file of one that was let go, with a table of sums behind its room. `None` when that cannot be: zeros
    /// are written then.
    pub(super) fn recycle(&self) -> Result<Option<Arc<dyn File>>> {
        self.standing.folder()?;
        let Some(of) = self.spares.take(&self.next_path)? else { return Ok(None) };
        let file: Arc<dyn File> = self.disk.open(&self.next_path, Open { sole: true, ..Open::WRITE })?.into();
        let (length, end) = (file.length()?, room_end(self.segment_bytes));
        // Whoever has it open still reads the old segment.
        if length < end / 2 || !file.is_sole() {
            return Ok(None);
        }
        if length > end {
            file.set_length(end)?;
        }
        self.zeros(file.as_ref(), length.min(end), end)?;
        if !sum_up(file.as_ref(), RemainsTable::new(&self.log_id, of, end), end, &|| self.is_hurried())? {
            return Ok(None);
        }
        Ok(Some(file))
    }

    /// The next segment's file is wanted soon, or nobody works beside this thread.
    fn is_hurried(&self) -> bool {
        let state = self.state();
        let near = |active: &SpaceActive| active.claimed > self.segment_bytes / 5 * 4;
        self.warm == 0 || state.stop || state.active.as_ref().is_none_or(near)
    }
}

/// Reads a file up to `end` and writes the table of its sums behind that. Without rests while it is `hurried`. False when the file is shorter.
fn sum_up(file: &dyn File, mut table: RemainsTable, end: u64, hurried: &dyn Fn() -> bool) -> Result<bool> {
    let (mut old, mut out, mut at, mut written) = (vec![0; PIECE], AlignedBytes::new(), HEADER_BYTES, end);
    while at < end {
        let begun = Instant::now();
        let want = usize::try_from(end - at).unwrap_or(PIECE).min(PIECE);
        if read_full(file, &mut old[..want], at)? < want {
            return Ok(false);
        }
        table.add(&old[..want], &mut out);
        file.forget(at, want as u64);
        at += want as u64;
        if out.len() >= PIECE {
            write_full(file, out.bytes(), written)?;
            written += out.len() as u64;
            out.truncate(0);
        }
        if !hurried() {
            std::thread::sleep((begun.elapsed() * REST).min(LONGEST_REST));
        }
    }
    table.finish(&mut out);
    write_full(file, out.bytes(), written)?;
    file.sync_all()?;
    Ok(true)
}
