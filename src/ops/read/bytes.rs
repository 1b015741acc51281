//! The bytes of a log as they lie in its files, for showing them.

use std::sync::Arc;

use crate::disk::{File, Io, Segment, Source};
use crate::model::{Damage, Result};

/// No more bytes than this are shown of a piece of damage.
const SHOWN: usize = 96;
/// They begin at a multiple of this, and one line of them before the damage.
const LINE: u64 = 16;

/// The files of a log's segments; the one that was asked for last stays open.
#[derive(Debug)]
pub struct SegmentFiles {
    source: Source,
    open: Option<(String, Arc<dyn File>)>,
}

impl SegmentFiles {
    /// Of a log.
    #[must_use]
    pub fn new(source: &Source) -> SegmentFiles {
        SegmentFiles { source: source.clone(), open: None }
    }

    /// The file of a segment.
    pub fn file(&mut self, segment: &Segment) -> Result<Arc<dyn File>> {
        match &self.open {
            Some((name, file)) if *name == segment.name => Ok(file.clone()),
            _ => {
                let file = self.source.file(segment)?;
                self.open = Some((segment.name.clone(), file.clone()));
                Ok(file)
            }
        }
    }
}

/// The first bytes of a piece of damage with a few before them, and the offset of the first one; none where none can be had.
#[must_use]
pub fn bytes_around(source: &Source, damage: &Damage) -> (u64, Vec<u8>) {
    let (span, nothing) = (damage.span, (0, Vec::new()));
    let Some(segment) = source.segments.get(span.place.segment.index()).filter(|_| span.length > 0) else { return nothing };
    // System calls: the segment may have become shorter since it was walked.
    let Ok(mut cursor) = source.clone().with_io(Io::Read).cursor(segment) else { return nothing };
    let start = (span.start() / LINE * LINE).saturating_sub(LINE);
    let around = cursor.bytes(start, SHOWN);
    let shown = usize::try_from(span.end().next_multiple_of(LINE) - start).unwrap_or(usize::MAX);
    (start, around[..around.len().min(shown)].to_vec())
}
