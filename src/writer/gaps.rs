//! Records that are missing between the segments of a log that is opened, as names and Seals tell.
//!
//! Appending after such a hole hides nothing, since names go on telling, and nothing can be brought back by refusing. So it is said, and the
//! log opens: a service is not kept down for records that are gone anyway.

use std::path::Path;
use std::sync::Arc;

use crate::disk::{Cursor, Disk, File, Open};
use crate::model::{Lsn, LsnRange, Result};
use crate::native::{HeaderFound, SegmentHeader, find_seal, segment_lsn, segment_name};

/// What such a note says, whatever else it says.
pub const MISSING: &str = "missing before";

/// A note for each hole. Costs two small reads a sealed segment. A segment that cannot be read or reached, or has no Seal, tells
/// nothing here.
pub(super) fn gaps(disk: &Arc<dyn Disk>, dir: &Path) -> Result<Vec<String>> {
    let entries = disk.list(dir)?;
    let mut firsts: Vec<Lsn> = entries.iter().filter_map(|e| segment_lsn(&e.name)).collect();
    firsts.sort();
    let mut notes = Vec::new();
    for pair in firsts.windows(2) {
        let (Some(due), later) = (due_behind(disk, &dir.join(segment_name(pair[0]))), pair[1]) else { continue };
        if let Some(missing) = later.before().and_then(|last| LsnRange::new(due, last)) {
            let are = if missing.count() == 1 { "is" } else { "are" };
            notes.push(format!(
                "LSN {missing} {are} {MISSING} {}, and no known hole covers that; new records are appended after it",
                segment_name(later)
            ));
        }
    }
    Ok(notes)
}

/// The LSN that a segment's Seal says comes next.
fn due_behind(disk: &Arc<dyn Disk>, path: &Path) -> Option<Lsn> {
    let file: Arc<dyn File> = disk.open(path, Open::READ).ok()?.into();
    let length = file.length().ok()?;
    let mut cursor = Cursor::new(file, length);
    let HeaderFound::Good(header) = SegmentHeader::decode(&cursor.array(0)?) else { return None };
    Some(find_seal(&mut cursor, header.seed())?.header.lsn)
}
