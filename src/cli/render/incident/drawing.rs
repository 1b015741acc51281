//! A log drawn as SVG: a bar for each segment, or a strip for many. It scales to any width; its colours are the page's.

use std::fmt::Write as _;

use walctl::model::units::count;
use walctl::ops::report::MapCell;

use super::{LogMap, MapRow, grade};
use crate::cli::render::html::escape;

/// What a cell holds: a class of the page's style, and words.
const fn cell(cell: MapCell) -> (&'static str, &'static str) {
    match cell {
        MapCell::Reserved => ("zeros", "zeros"),
        MapCell::Other => ("other", "header"),
        MapCell::Padding => ("padding", "padding"),
        MapCell::Frames => ("frames", "records"),
        MapCell::Damage => ("damage", "damage"),
    }
}

/// The whole map with its legend.
pub fn draw(map: &LogMap) -> String {
    let mut text = String::from("<div class=\"map\">\n");
    if !map.overview.is_empty() {
        text += &strip(map);
    }
    for row in &map.rows {
        text += &bar(row);
    }
    if map.more_rows > 0 {
        let _ = writeln!(text, "<p class=\"dim\">and {} with damage</p>", count(map.more_rows as u64, "more segment"));
    }
    text += "<p class=\"legend\">";
    for kind in [MapCell::Frames, MapCell::Damage, MapCell::Padding, MapCell::Other, MapCell::Reserved] {
        let (class, words) = cell(kind);
        let _ = write!(
            text,
            "<span><svg viewBox=\"0 0 1 1\"><rect class=\"{class}\" width=\"1\" height=\"1\"/></svg> {words}</span> "
        );
    }
    text += "<span><i class=\"gap\"></i> missing</span></p>\n</div>\n";
    text
}

/// All segments in one strip, each part with the worst verdict in it.
fn strip(map: &LogMap) -> String {
    let wide = map.overview.len();
    let mut text = format!(
        "<p class=\"name\">all {} segments from the oldest to the newest; each part shows the worst of its own</p>\n<svg class=\"bar\" viewBox=\"0 0 {wide} 1\" \
         preserveAspectRatio=\"none\" role=\"img\" aria-label=\"verdicts over all segments\">",
        map.segments
    );
    let mut at = 0;
    for run in map.overview.chunk_by(|a, b| a == b) {
        let class = grade(run[0]);
        let words = run[0].map_or("not checked", walctl::model::Verdict::name);
        let (from, to) = (at * map.segments / wide + 1, (at + run.len()) * map.segments / wide);
        let _ = write!(
            text,
            "<rect class=\"{class}\" x=\"{at}\" width=\"{}\" height=\"1\"><title>segments {from} to {to}: {words}</title></rect>",
            run.len()
        );
        at += run.len();
    }
    text + "</svg>\n"
}

fn bar(row: &MapRow) -> String {
    let wide = row.cells.len().max(1);
    let mut text = format!("<p class=\"name\">{}</p>\n", escape(&row.label));
    if !row.marks.is_empty() {
        text += "<p class=\"marks\">";
        // Marks that would stand on each other are one.
        let mut last = -1.0;
        for (number, place) in &row.marks {
            if place - last >= 0.03 {
                let _ = write!(text, "<a href=\"#damage-{number}\" style=\"left:{:.1}%\">{number}</a>", place * 100.0);
                last = *place;
            }
        }
        text += "</p>\n";
    }
    let _ = write!(
        text,
        "<svg class=\"bar\" viewBox=\"0 0 {wide} 1\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"what the segment holds\">"
    );
    let mut at = 0;
    for run in row.cells.chunk_by(|a, b| a == b) {
        let (class, words) = cell(run[0]);
        let place = |cells: usize| u128::from(row.bytes) * cells as u128 / wide as u128;
        let _ = write!(
            text,
            "<rect class=\"{class}\" x=\"{at}\" width=\"{}\" height=\"1\"><title>{words}, about bytes {} to {}</title></rect>",
            run.len(),
            place(at),
            place(at + run.len())
        );
        at += run.len();
    }
    text += "</svg>\n";
    for hole in &row.holes {
        let _ = writeln!(text, "<p class=\"hole\"><i class=\"gap\"></i> {}</p>", escape(hole));
    }
    text
}

/// The same in characters, for Markdown.
pub fn characters(map: &LogMap) -> Vec<String> {
    let mut lines = Vec::new();
    if !map.overview.is_empty() {
        let mark = |verdict| match grade(verdict) {
            "clean" => '#',
            "torn" => '~',
            "bad" => 'X',
            _ => '?',
        };
        lines.push(format!("all {} segments, from the oldest to the newest", map.segments));
        lines.push(map.overview.iter().map(|verdict| mark(*verdict)).collect());
    }
    for row in &map.rows {
        lines.push(crate::cli::render::escape::line(&row.label));
        let drawn = row.cells.iter().map(|cell| match cell {
            MapCell::Reserved => '.',
            MapCell::Other => '-',
            MapCell::Padding => '+',
            MapCell::Frames => '#',
            MapCell::Damage => 'X',
        });
        lines.push(drawn.collect());
        lines.extend(row.holes.iter().map(|hole| format!("~~ {} ~~", crate::cli::render::escape::line(hole))));
    }
    if map.more_rows > 0 {
        lines.push(format!("and {} with damage", count(map.more_rows as u64, "more segment")));
    }
    lines.push("# records   X damage   + padding   - header   . zeros   ~ torn   ? not checked".to_owned());
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use walctl::model::Verdict;

    #[test]
    fn equal_cells_are_one_shape_and_nothing_becomes_markup() {
        let row = MapRow {
            label: "<b>.wal".into(),
            cells: vec![MapCell::Frames, MapCell::Frames, MapCell::Damage, MapCell::Reserved],
            bytes: 400,
            marks: vec![(1, 0.5), (2, 0.51)],
            holes: vec!["LSN 4-6 <missing>".into()],
        };
        let map = LogMap {
            overview: vec![Some(Verdict::Clean), Some(Verdict::Clean), None],
            segments: 300,
            rows: vec![row],
            more_rows: 2,
        };
        let drawn = draw(&map);
        assert!(
            drawn
                .contains("<rect class=\"frames\" x=\"0\" width=\"2\" height=\"1\"><title>records, about bytes 0 to 200</title>")
        );
        assert!(drawn.contains("segments 1 to 200: clean") && drawn.contains("segments 201 to 300: not checked"), "{drawn}");
        assert!(drawn.contains("#damage-1") && !drawn.contains("#damage-2"), "marks that would stand on each other are one");
        assert!(!drawn.contains("<b>") && drawn.contains("&lt;missing&gt;"));
        assert_eq!(characters(&map)[1..4], ["##?", "<b>.wal", "##X."]);
    }
}
