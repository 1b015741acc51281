//! What each part of a segment's file holds, for drawing it as a row of cells.

use super::verify::{Report, SegmentReport};
use crate::disk::Segment;
use crate::formats::{Halt, Item, Mark, Summary, Want};
use crate::model::{Result, Role};
use crate::ops::open::Input;
use crate::ops::walk;

/// What a cell of the map holds; a later one hides an earlier one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum MapCell {
    /// Zeros after the end of the data.
    Reserved,
    /// Neither a frame nor damage: headers, and what a format puts between frames.
    Other,
    /// Padding up to a block.
    Padding,
    /// Frames that check out.
    Frames,
    /// Something is wrong.
    Damage,
}

/// The cells of one segment, each for an equal part of its file; none of a file without a byte.
#[must_use]
pub fn map_segment(input: &Input, report: &Report, segment: &SegmentReport, cells: usize) -> Vec<MapCell> {
    let scale = Scale { length: segment.file_bytes, cells };
    let mut row = vec![MapCell::Reserved; if segment.file_bytes == 0 { 0 } else { cells }];
    scale.mark(&mut row, 0, segment.end, MapCell::Other);
    if let Some(listed) = input.source.segments.get(segment.id.index()) {
        let want = Want { frames: true, ..Want::default() };
        // What could not be read has been reported; here the cells stay as they are.
        let _ = walk::one(input, listed, want, &mut |item| {
            if let Item::Record(record) = item {
                let cell = if record.role == Role::Padding { MapCell::Padding } else { MapCell::Frames };
                scale.mark(&mut row, record.span.start(), record.span.end(), cell);
            }
            Ok(())
        });
    }
    for damage in report.damage.iter().filter(|d| d.span.place.segment == segment.id && !d.is_between_segments()) {
        // Damage without bytes still gets its cell.
        scale.mark(&mut row, damage.span.start(), damage.span.end().max(damage.span.start() + 1), MapCell::Damage);
    }
    row
}

/// Sees each step of a walk, and the cells as they are then.
pub type SeeDrawing<'s> = dyn FnMut(&Item<'_>, &[MapCell]) -> Result<(), Halt> + 's;

/// Draws a segment by walking it alone, from a mark on if there is one: what only other segments can tell is not in it. The cells change as the
/// walk comes to them, and `take` sees each step of it. `None` when `take` had enough.
pub fn draw_segment(
    input: &Input,
    segment: &Segment,
    length: u64,
    row: &mut [MapCell],
    start: Option<Mark>,
    take: &mut SeeDrawing<'_>,
) -> Result<Option<Summary>> {
    let scale = Scale { length, cells: row.len() };
    let want = Want { frames: true, marks: true, start, ..Want::default() };
    let summary = walk::one(input, segment, want, &mut |item| {
        match &item {
            Item::Record(record) => {
                let cell = if record.role == Role::Padding { MapCell::Padding } else { MapCell::Frames };
                scale.mark(row, record.span.start(), record.span.end(), cell);
            }
            Item::Hurt(damage) => {
                let span = damage.span;
                scale.mark(row, span.start(), span.end().max(span.start().saturating_add(1)), MapCell::Damage);
            }
            Item::Mark(_) | Item::Reached(_) => {}
        }
        take(&item, row)
    })?;
    if let Some(summary) = &summary {
        scale.mark(row, 0, summary.end, MapCell::Other);
    }
    Ok(summary)
}

/// Which cells a range of a file falls into.
#[derive(Clone, Copy)]
struct Scale {
    length: u64,
    cells: usize,
}

impl Scale {
    fn mark(self, row: &mut [MapCell], start: u64, end: u64, cell: MapCell) {
        if start >= end || row.is_empty() {
            return;
        }
        let index = |offset: u64| {
            let wide = u128::from(offset.min(self.length)) * self.cells as u128 / u128::from(self.length.max(1));
            usize::try_from(wide).unwrap_or(usize::MAX).min(self.cells - 1)
        };
        for place in &mut row[index(start)..=index(end - 1)] {
            *place = (*place).max(cell);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_marks_the_cells_it_touches_and_damage_is_never_hidden() {
        let scale = Scale { length: 1000, cells: 10 };
        let mut row = vec![MapCell::Reserved; 10];
        scale.mark(&mut row, 0, 350, MapCell::Frames);
        scale.mark(&mut row, 399, 400, MapCell::Damage);
        scale.mark(&mut row, 300, 500, MapCell::Frames);
        let (frames, damage, rest) = (MapCell::Frames, MapCell::Damage, MapCell::Reserved);
        assert_eq!(row, [frames, frames, frames, damage, frames, rest, rest, rest, rest, rest]);
        scale.mark(&mut row, 999, 5000, MapCell::Damage);
        scale.mark(&mut row, 7, 7, MapCell::Damage);
        assert_eq!((row[9], row[0]), (MapCell::Damage, MapCell::Frames));
    }
}
