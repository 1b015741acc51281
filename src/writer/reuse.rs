//! The sums of what stands in a file that is used again, by which old bytes are told from new ones.

use std::time::Instant;

use super::space::PIECE;
use crate::disk::{AlignedBytes, File, read_full, write_full};
use crate::model::Result;
use crate::native::{HEADER_BYTES, RemainsTable};

/// After each piece the thread rests so many times as long as that took: groups need the disk and the processor meanwhile, and there is half
/// a segment's time.
const REST: u32 = 3;

/// Reads a file up to `end` and writes the table of its sums behind that. Without rests while it is `hurried`. False when the file is shorter.
pub(super) fn sum_up(file: &dyn File, mut table: RemainsTable, end: u64, hurried: &dyn Fn() -> bool) -> Result<bool> {
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
            std::thread::sleep(begun.elapsed() * REST);
        }
    }
    table.finish(&mut out);
    write_full(file, out.bytes(), written)?;
    file.sync_all()?;
    Ok(true)
}
