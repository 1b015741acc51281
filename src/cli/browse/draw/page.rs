//! The page of a record or of damage: facts, and bytes with their fields.

use super::Canvas;
use crate::cli::browse::doc::{Doc, DocLine, bytes_a_line};
use crate::cli::browse::state::Browser;
use crate::cli::render::escape;
use crate::cli::render::hex::HIDDEN;
use crate::cli::render::out::Ink;

pub(super) fn draw(canvas: &mut Canvas<'_>, browser: &Browser, doc: &Doc) {
    let layout = browser.layout();
    let all = doc.length(layout.width);
    let more = if all > layout.doc as u64 {
        let end = (doc.top as u64).saturating_add(layout.doc as u64).min(all);
        format!("  (lines {}-{end} of {all})", doc.top + 1)
    } else {
        String::new()
    };
    canvas.text(layout.head, &format!("{}{more}", doc.title), Some(Ink::Strong));
    for (at, line) in doc.lines(layout.width, doc.top, layout.doc).into_iter().enumerate() {
        let y = layout.head + 1 + at;
        match line {
            DocLine::Fact(label, text, ink) => canvas.line(y, &[(label, Some(Ink::Dim)), (text, ink)], false),
            DocLine::Head(name) => canvas.text(y, &name, Some(Ink::Strong)),
            DocLine::Bytes(offset, length, name, marked) => {
                let text = bytes(doc, offset, length, name, marked, layout.width);
                canvas.line(y, &text, false);
            }
        }
    }
}

fn bytes(doc: &Doc, offset: u64, length: usize, name: Option<String>, marked: bool, width: usize) -> Vec<super::Inked> {
    let each = usize::try_from(bytes_a_line(width)).unwrap_or(4);
    let (mut hex, mut shown) = (String::new(), String::new());
    for byte in doc.bytes_at(offset, length) {
        match byte {
            Some(Some(byte)) => {
                hex += &format!(" {byte:02x}");
                shown.push(if (b' '..=b'~').contains(&byte) { char::from(byte) } else { '.' });
            }
            Some(None) => {
                hex += &format!(" {HIDDEN}");
                shown.push('.');
            }
            None => {
                hex += "  .";
                shown.push(' ');
            }
        }
    }
    let pad = " ".repeat((each - length.min(each)) * 3);
    let mark = if marked { '>' } else { ' ' };
    let ink = marked.then_some(Ink::Bad);
    let side = match name {
        Some(name) => (format!("  {}", escape::line(&name)), Some(Ink::Strong)),
        None => (format!("  |{shown}|"), None),
    };
    vec![(format!("{mark}{offset:>9} "), Some(Ink::Dim)), (format!("{hex}{pad}"), ink), side]
}
