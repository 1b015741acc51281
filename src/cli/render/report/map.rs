//! A log drawn: one line a segment, each cell what a part of the file holds.

use std::io::{self, Write};

use walctl::formats::{Halt, Item, Sink, Visit, Want};
use walctl::model::Error;
use walctl::ops::open::Input;
use walctl::ops::report::{Report, SegmentReport};

use crate::cli::render::escape;
use crate::cli::render::out::{Ink, Out};
use walctl::model::units::show_bytes;

/// What a cell of the map holds; a later one hides an earlier one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum MapCell {
    /// Zeros behind the end of the data.
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

impl MapCell {
    const LEGEND: [MapCell; 5] = [MapCell::Frames, MapCell::Padding, MapCell::Other, MapCell::Reserved, MapCell::Damage];

    const fn drawn(self) -> (char, Ink, &'static str) {
        match self {
            MapCell::Reserved => ('.', Ink::Dim, "reserved zeros"),
            MapCell::Other => ('-', Ink::Dim, "header"),
            MapCell::Padding => ('+', Ink::Dim, "padding"),
            MapCell::Frames => ('#', Ink::Good, "frames"),
            MapCell::Damage => ('X', Ink::Bad, "damage"),
        }
    }
}

/// Draws every segment, and a legend.
pub fn write(out: &mut Out, input: &Input, report: &Report) -> io::Result<()> {
    let names = report.segments.iter().map(|s| s.file.chars().count()).max().unwrap_or(0);
    let cells = out.width().unwrap_or(100).saturating_sub(names + 14).clamp(16, 128);
    for segment in &report.segments {
        let row = draw(input, report, segment, cells);
        let name = escape::line(&segment.file);
        writeln!(out, "{name:names$}  {}  {}", paint(out, &row), show_bytes(segment.file_bytes))?;
    }
    let legend: Vec<String> = MapCell::LEGEND
        .iter()
        .map(|cell| {
            let (mark, ink, words) = cell.drawn();
            format!("{} {words}", out.paint(ink, mark))
        })
        .collect();
    writeln!(out, "{}", legend.join("   "))
}

/// Cells of one kind in a row share their ink.
fn paint(out: &Out, row: &[MapCell]) -> String {
    let mut text = String::new();
    for run in row.chunk_by(|a, b| a == b) {
        let (mark, ink, _) = run[0].drawn();
        text.push_str(&out.paint(ink, String::from(mark).repeat(run.len())));
    }
    text
}

fn draw(input: &Input, report: &Report, segment: &SegmentReport, cells: usize) -> Vec<MapCell> {
    let scale = Scale { length: segment.file_bytes, cells };
    let mut row = vec![MapCell::Reserved; if segment.file_bytes == 0 { 0 } else { cells }];
    scale.mark(&mut row, 0, segment.end, MapCell::Other);
    if let Some(listed) = input.source.segments.get(segment.id.index()) {
        let want = Want { frames: true, ..Want::default() };
        // Formats whose records cross segments are drawn as if each stood alone: a fragment at the front stays undrawn.
        let visit = Visit { source: &input.source, segment: listed, keys: &input.keys, want };
        let mut take = |item: Item<'_>| -> Result<(), Halt> {
            if let Item::Record(record) = item {
                let cell = if record.kind == "pad" { MapCell::Padding } else { MapCell::Frames };
                scale.mark(&mut row, record.span.start(), record.span.end(), cell);
            }
            Ok(())
        };
        // What could not be read has been reported; here the cells stay as they are.
        let _walked: Result<_, Error> = match input.format.walk(&visit, &mut Sink::new(&mut take)) {
            Err(Halt::Failed(error)) => Err(error),
            _ => Ok(()),
        };
    }
    for damage in report.damage.iter().filter(|d| d.span.place.segment == segment.id) {
        // Damage without bytes still gets its cell.
        scale.mark(&mut row, damage.span.start(), damage.span.end().max(damage.span.start() + 1), MapCell::Damage);
    }
    row
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
        let text: String = row.iter().map(|cell| cell.drawn().0).collect();
        assert_eq!(text, "###X#.....");
        scale.mark(&mut row, 999, 5000, MapCell::Damage);
        scale.mark(&mut row, 7, 7, MapCell::Damage);
        assert_eq!((row[9], row[0]), (MapCell::Damage, MapCell::Frames));
    }
}
