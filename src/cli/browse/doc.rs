//! All about one record or one piece of damage: facts, and the bytes with the fields drawn over them.

use std::collections::HashMap;

use walctl::model::units::count;
use walctl::ops::read::Spot;

use crate::cli::render::out::Ink;
use crate::cli::render::wrap;

/// Bytes are asked for in pieces of this length.
pub const PIECE: u64 = 4096;
/// More pieces than this are not kept.
const PIECES: usize = 64;
/// How wide the names of facts are.
const LABEL: usize = 14;

/// A fact about it. The text is safe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DocFact {
    /// What the fact is about; empty for a sentence that needs no name.
    pub label: String,
    /// The fact.
    pub text: String,
    /// How it is shown.
    pub ink: Option<Ink>,
}

/// A run of bytes with a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DocPart {
    /// What they are.
    pub name: String,
    /// Where they begin in the segment.
    pub offset: u64,
    /// How many.
    pub length: u64,
    /// They are what the page is about.
    pub marked: bool,
}

/// The page.
#[derive(Clone, Debug)]
pub struct Doc {
    /// What it is about.
    pub title: String,
    /// Facts, from the top.
    pub facts: Vec<DocFact>,
    /// The segment that holds the bytes.
    pub segment: String,
    /// The bytes, in order.
    pub parts: Vec<DocPart>,
    /// Only bytes in this range are shown whatever they are; others may be secret.
    pub shown: Option<(u64, u64)>,
    /// Where it stands in the log.
    pub spot: Spot,
    /// The first line that is shown.
    pub top: usize,
    bytes: HashMap<u64, Vec<Option<u8>>>,
}

/// A line of the page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DocLine {
    /// A fact, or a part of one: its name, where it begins, and text.
    Fact(String, String, Option<Ink>),
    /// The name of the part that begins below.
    Head(String),
    /// Bytes at an offset, how many, the name of the part if it is not longer than this, and whether they are marked.
    Bytes(u64, usize, Option<String>, bool),
}

impl Doc {
    /// About what stands at a spot.
    pub fn new(title: String, spot: Spot) -> Doc {
        let segment = spot.segment.clone();
        Doc { title, facts: Vec::new(), segment, parts: Vec::new(), shown: None, spot, top: 0, bytes: HashMap::new() }
    }

    /// Adds a fact. The text must be safe.
    pub fn fact(&mut self, label: &str, text: impl Into<String>, ink: Option<Ink>) {
        self.facts.push(DocFact { label: label.to_owned(), text: text.into(), ink });
    }

    /// Adds a run of bytes behind those that are there; none where there is nothing.
    pub fn part(&mut self, name: &str, offset: u64, length: u64, marked: bool) {
        if length > 0 {
            self.parts.push(DocPart { name: name.to_owned(), offset, length, marked });
        }
    }

    /// How many lines it has at a width.
    pub fn length(&self, width: usize) -> u64 {
        let parts: u64 = self.parts.iter().map(|part| lines_of(part, width)).sum();
        self.wrapped(width).len() as u64 + parts
    }

    /// Lines from `top` on, at most `most`.
    pub fn lines(&self, width: usize, top: usize, most: usize) -> Vec<DocLine> {
        let mut lines = self.wrapped(width);
        lines.drain(..top.min(lines.len()));
        lines.truncate(most);
        let mut skip = (top as u64).saturating_sub(self.wrapped(width).len() as u64);
        for part in &self.parts {
            let all = lines_of(part, width);
            let first = skip.min(all);
            skip -= first;
            let room = most.saturating_sub(lines.len()) as u64;
            lines.extend((first..all.min(first.saturating_add(room))).map(|line| line_of(part, line, width)));
        }
        lines
    }

    fn wrapped(&self, width: usize) -> Vec<DocLine> {
        let mut lines = Vec::new();
        for fact in &self.facts {
            let indent = if fact.label.is_empty() { 0 } else { LABEL };
            let room = width.saturating_sub(indent).max(8);
            for (index, line) in fold(&fact.text, room).into_iter().enumerate() {
                let label = if index == 0 { fact.label.clone() } else { String::new() };
                let label = if indent > 0 { format!("{label:<LABEL$}") } else { label };
                lines.push(DocLine::Fact(label, line, fact.ink));
            }
        }
        lines
    }

    /// The bytes of a line, as far as they are there.
    pub fn bytes_at(&self, offset: u64, length: usize) -> Vec<Option<Option<u8>>> {
        (offset..offset.saturating_add(length as u64))
            .map(|at| self.bytes.get(&(at / PIECE))?.get((at % PIECE) as usize).copied())
            .collect()
    }

    /// The first piece of bytes that these lines lack.
    pub fn lacking(&self, lines: &[DocLine]) -> Option<u64> {
        let ends = |line: &DocLine| match line {
            DocLine::Bytes(offset, length, ..) => Some([*offset, offset + (*length as u64).saturating_sub(1)]),
            _ => None,
        };
        lines
            .iter()
            .filter_map(ends)
            .flatten()
            .map(|at| at / PIECE)
            .find(|piece| !self.bytes.contains_key(piece))
            .map(|piece| piece * PIECE)
    }

    /// Takes a piece of bytes.
    pub fn take(&mut self, offset: u64, bytes: Vec<Option<u8>>) {
        if self.bytes.len() >= PIECES {
            self.bytes.clear();
        }
        self.bytes.insert(offset / PIECE, bytes);
    }
}

/// How many bytes a line shows at a width.
pub fn bytes_a_line(width: usize) -> u64 {
    match width {
        76.. => 16,
        44.. => 8,
        _ => 4,
    }
}

fn lines_of(part: &DocPart, width: usize) -> u64 {
    let each = bytes_a_line(width);
    if part.length <= each { 1 } else { part.length.div_ceil(each).saturating_add(1) }
}

fn line_of(part: &DocPart, line: u64, width: usize) -> DocLine {
    let each = bytes_a_line(width);
    if part.length <= each {
        return DocLine::Bytes(part.offset, usize::try_from(part.length).unwrap_or(0), Some(part.name.clone()), part.marked);
    }
    if line == 0 {
        return DocLine::Head(format!("{}, {}", part.name, count(part.length, "byte")));
    }
    let before = (line - 1) * each;
    let length = usize::try_from((part.length - before).min(each)).unwrap_or(0);
    DocLine::Bytes(part.offset.saturating_add(before), length, None, part.marked)
}

/// Breaks text at blanks, and words that are too long wherever the line ends.
pub fn fold(text: &str, width: usize) -> Vec<String> {
    let (mut lines, mut line, mut used) = (Vec::new(), String::new(), 0);
    for word in text.split_inclusive(' ') {
        let long = wrap::columns(word.trim_end());
        if used > 0 && used + long > width {
            lines.push(std::mem::take(&mut line).trim_end().to_owned());
            used = 0;
        }
        for c in word.chars() {
            let wide = wrap::columns_of(c);
            if used + wide > width && c != ' ' {
                lines.push(std::mem::take(&mut line));
                used = 0;
            }
            line.push(c);
            used += wide;
        }
    }
    lines.push(line.trim_end().to_owned());
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn doc() -> Doc {
        let mut doc = Doc::new("a record".into(), Spot::at("1.wal", 100));
        doc.fact("LSN", "7", None);
        doc.fact("", "a sentence that is longer than the line is wide", None);
        doc.part("magic", 100, 4, false);
        doc.part("nothing", 104, 0, false);
        doc.part("payload", 104, 40, false);
        doc
    }

    #[test]
    fn lines_are_the_same_wherever_they_begin_and_there_are_as_many_as_it_is_long() {
        let doc = doc();
        for width in [0, 1, 20, 44, 76, 200] {
            let all = doc.lines(width, 0, usize::MAX);
            assert_eq!(all.len() as u64, doc.length(width), "{width}");
            for top in 0..all.len() + 2 {
                for most in 0..5 {
                    let end = (top + most).min(all.len());
                    assert_eq!(doc.lines(width, top, most), all[top.min(end)..end], "{width} {top} {most}");
                }
            }
        }
        assert_eq!(doc.lines(76, 3, 9)[..2], [DocLine::Head("payload, 40 bytes".into()), DocLine::Bytes(104, 16, None, false)]);
    }

    #[test]
    fn bytes_are_asked_for_once_in_pieces_and_a_bounded_number_is_kept() {
        let mut doc = doc();
        let lines = doc.lines(76, 0, 99);
        assert_eq!(doc.lacking(&lines), Some(0));
        doc.take(0, vec![Some(7); 140]);
        assert_eq!(doc.lacking(&lines), None);
        assert_eq!(doc.bytes_at(138, 3), [Some(Some(7)), Some(Some(7)), None]);
        for piece in 0..1000 {
            doc.take(piece * PIECE, vec![None; 4096]);
        }
        assert!(doc.bytes.len() <= PIECES);
    }

    #[test]
    fn no_line_is_wider_than_its_room_and_nothing_is_lost() {
        let text = "one two threeandahalf 日本語のログ x";
        for width in 2..40 {
            let lines = fold(text, width);
            assert!(lines.iter().all(|line| wrap::columns(line) <= width), "{width}: {lines:?}");
            let bare = |text: &str| text.replace(' ', "");
            assert_eq!(bare(&lines.concat()), bare(text));
        }
    }

    #[test]
    fn a_part_of_any_length_has_lines_that_can_be_counted() {
        let mut doc = Doc::new(String::new(), Spot::at("1.wal", 0));
        doc.part("stored", u64::MAX - 5, u64::MAX, true);
        assert_eq!(doc.lines(80, 1 << 40, 2).len(), 2);
        assert!(doc.length(10) > 1 << 60);
    }
}
