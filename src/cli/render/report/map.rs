//! A log drawn: one line a segment, each cell what a part of the file holds.

use std::io::{self, Write};

use walctl::ops::report::{MapCell, Report, SegmentReport};

use super::range_words;
use crate::cli::render::escape;
use crate::cli::render::out::{Ink, Out};
use walctl::formats::numbers_of;
use walctl::model::units::show_bytes;

const LEGEND: [MapCell; 5] = [MapCell::Frames, MapCell::Padding, MapCell::Other, MapCell::Reserved, MapCell::Damage];

const fn drawn(cell: MapCell) -> (char, Ink, &'static str) {
    match cell {
        MapCell::Reserved => ('.', Ink::Dim, "reserved zeros"),
        MapCell::Other => ('-', Ink::Dim, "header"),
        MapCell::Padding => ('+', Ink::Dim, "padding"),
        MapCell::Frames => ('#', Ink::Good, "frames"),
        MapCell::Damage => ('X', Ink::Bad, "damage"),
    }
}

/// How many cells a row has, and how wide the names before it are.
fn room(out: &Out, report: &Report) -> (usize, usize) {
    let names = report.segments.iter().map(|s| s.file.chars().count()).max().unwrap_or(0);
    (out.width().unwrap_or(100).saturating_sub(names + 14).clamp(16, 128), names)
}

/// Draws every segment, and a legend. `cells_of` gives a segment's cells.
pub fn write(out: &mut Out, report: &Report, cells_of: &mut dyn FnMut(&SegmentReport, usize) -> Vec<MapCell>) -> io::Result<()> {
    let (cells, names) = room(out, report);
    for segment in &report.segments {
        let row = cells_of(segment, cells);
        let name = escape::line(&segment.file);
        writeln!(out, "{name:names$}  {}  {}", paint(out, &row), show_bytes(segment.file_bytes))?;
        let gaps = report.damage.iter().filter(|damage| damage.span.place.segment == segment.id && damage.is_between_segments());
        for damage in gaps {
            let lsns =
                damage.doubt.map(|doubt| format!(": {}", range_words(numbers_of(report.format), doubt))).unwrap_or_default();
            writeln!(out, "{:names$}  {}", "", out.paint(Ink::Bad, format!("~~ {}{lsns} ~~", damage.kind)))?;
        }
        for known in report.known_holes.iter().filter(|known| known.span.place.segment == segment.id) {
            let lsns = range_words(numbers_of(report.format), known.hole.lsns);
            writeln!(out, "{:names$}  {}", "", out.paint(Ink::Warn, format!("~~ known hole: {lsns} ~~")))?;
        }
    }
    let legend: Vec<String> = LEGEND
        .iter()
        .map(|cell| {
            let (mark, ink, words) = drawn(*cell);
            format!("{} {words}", out.paint(ink, mark))
        })
        .collect();
    writeln!(out, "{}", legend.join("   "))
}

/// Cells of one kind in a row share their ink.
fn paint(out: &Out, row: &[MapCell]) -> String {
    let mut text = String::new();
    for run in row.chunk_by(|a, b| a == b) {
        let (mark, ink, _) = drawn(run[0]);
        text.push_str(&out.paint(ink, String::from(mark).repeat(run.len())));
    }
    text
}
