//! Tables for people: at most as wide as the terminal, and plain columns in a pipe.

use std::io::{self, Write};

use comfy_table::{Attribute, Cell, CellAlignment, Color, ContentArrangement, TableStyle};

use super::out::{Ink, Out};

/// A table under construction. Cells must be safe text already: see `escape`.
#[derive(Debug)]
pub struct Table {
    table: comfy_table::Table,
}

impl Table {
    /// With these column heads. One that begins with `>` is a column of numbers and stands to the right.
    pub fn new(out: &Out, heads: &[&str]) -> Table {
        let mut table = comfy_table::Table::new();
        table.load_style(TableStyle::new());
        match out.width() {
            Some(width) => {
                table.set_content_arrangement(ContentArrangement::Dynamic);
                // A narrower table breaks names and numbers apart, so that they cannot be pasted.
                table.set_width(u16::try_from(width.max(80)).unwrap_or(u16::MAX));
            }
            None => {
                table.set_content_arrangement(ContentArrangement::Disabled);
            }
        }
        if out.colour() {
            table.enforce_styling();
        } else {
            table.force_no_tty();
        }
        let cells = heads.iter().map(|head| Cell::new(head.trim_start_matches('>')).add_attribute(Attribute::Bold));
        table.set_header(cells.collect::<Vec<_>>());
        for (index, head) in heads.iter().enumerate() {
            let column = table.column_mut(index).expect("the header just made this column");
            // Nothing stands to the right of the last column.
            column.set_padding((0, if index + 1 < heads.len() { 2 } else { 0 }));
            if head.starts_with('>') {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        Table { table }
    }

    /// Adds a row.
    pub fn row<T: ToString>(&mut self, cells: impl IntoIterator<Item = T>) {
        self.table.add_row(cells.into_iter().map(|cell| Cell::new(cell.to_string())).collect::<Vec<_>>());
    }

    /// Adds a row with some of its cells in ink.
    pub fn inked_row<T: ToString>(&mut self, cells: impl IntoIterator<Item = (T, Option<Ink>)>) {
        let cells = cells.into_iter().map(|(text, ink)| {
            let cell = Cell::new(text.to_string());
            match ink {
                None => cell,
                Some(Ink::Good) => cell.fg(Color::DarkGreen),
                Some(Ink::Warn) => cell.fg(Color::DarkYellow),
                Some(Ink::Bad) => cell.fg(Color::DarkRed).add_attribute(Attribute::Bold),
                Some(Ink::Dim) => cell.add_attribute(Attribute::Dim),
                Some(Ink::Strong) => cell.add_attribute(Attribute::Bold),
                Some(Ink::Match) => cell.fg(Color::DarkMagenta),
            }
        });
        self.table.add_row(cells.collect::<Vec<_>>());
    }

    /// Writes it, without blanks at the ends of lines.
    pub fn write(&self, out: &mut Out) -> io::Result<()> {
        for line in self.table.lines() {
            writeln!(out, "{}", line.trim_end())?;
        }
        Ok(())
    }
}
