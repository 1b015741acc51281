//! A chart as SVG: as narrow as a phone, so that it can be read there, and scaled up where there is room.

use std::fmt::Write as _;

use super::axis::Axis;
use crate::cli::render::html::escape;

/// How wide a chart is.
pub const WIDTH: f64 = 400.0;
/// Where what is drawn begins if values are named on the left, and where it ends.
pub const LEFT: f64 = 62.0;
pub const RIGHT: f64 = 388.0;
/// A line of text.
pub const ROW: f64 = 16.0;
/// Between two charts in one file.
pub const BOTTOM: f64 = 20.0;
/// How high a field of lines is.
const FIELD: f64 = 190.0;
/// How wide a letter is at most, for names that stand beside each other.
pub const LETTER: f64 = 6.6;

/// To which side of its place text goes.
#[derive(Clone, Copy, Debug)]
pub enum Align {
    Right,
    Left,
    Middle,
}

/// A chart under construction; it grows downwards.
#[derive(Debug)]
pub struct Panel {
    title: String,
    body: String,
    y: f64,
    /// Top and bottom of the field of lines.
    field: (f64, f64),
}

impl Panel {
    /// With its title, and a line about how to read it.
    pub fn new(title: &str, how: &str) -> Panel {
        let mut panel = Panel { title: title.to_owned(), body: String::new(), y: 0.0, field: (0.0, 0.0) };
        panel.words(0.0, Align::Right, "head", title);
        panel.words(0.0, Align::Right, "small", how);
        panel.skip(6.0);
        panel
    }

    /// Its title, safe in a value of an attribute.
    pub fn title(&self) -> String {
        escape(&self.title)
    }

    pub fn body(&self) -> &str {
        &self.body
    }

    pub fn height(&self) -> f64 {
        self.y + 4.0
    }

    /// Where the next line of text will stand.
    pub fn y(&self) -> f64 {
        self.y + ROW
    }

    pub fn skip(&mut self, rows: f64) {
        self.y += rows;
    }

    /// Goes back to the line before.
    pub fn back(&mut self) {
        self.y -= ROW;
    }

    /// A line of text.
    pub fn words(&mut self, x: f64, side: Align, class: &str, words: &str) {
        self.y += ROW;
        self.text(x, self.y, side, class, words);
    }

    /// A remark in a line of its own.
    pub fn note(&mut self, words: &str) {
        self.words(0.0, Align::Right, "small", words);
    }

    fn text(&mut self, x: f64, y: f64, side: Align, class: &str, words: &str) {
        let anchor = match side {
            Align::Right => "start",
            Align::Left => "end",
            Align::Middle => "middle",
        };
        let _ = writeln!(
            self.body,
            "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" class=\"{class}\">{}</text>",
            escape(words)
        );
    }

    /// Makes room for a field of lines, and the axes of it.
    pub fn plot(&mut self, x: Axis, y: impl FnOnce((f64, f64)) -> Axis) -> (Axis, Axis) {
        // The words beside the upright axis stand above it.
        self.y += ROW + 6.0;
        self.field = (self.y + 6.0, self.y + 6.0 + FIELD);
        self.y = self.field.1 + ROW;
        (x, y((self.field.1, self.field.0)))
    }

    /// Values on the left, with lines across the field.
    pub fn scale_left(&mut self, axis: &Axis, name: &dyn Fn(f64) -> String) {
        for tick in axis.ticks() {
            let y = axis.place(tick);
            self.line((LEFT, y), (RIGHT, y), "grid");
            self.text(LEFT - 5.0, y + 3.5, Align::Left, "small", &name(tick));
        }
    }

    /// Values below the field, with lines up through it.
    pub fn ticks_below(&mut self, axis: &Axis, name: &dyn Fn(f64) -> String) {
        for tick in axis.ticks() {
            self.upright(axis.place(tick), "grid");
            self.name_below(axis.place(tick), &name(tick));
        }
    }

    /// One value below the field.
    pub fn name_below(&mut self, x: f64, name: &str) {
        let side = if x > RIGHT - 14.0 { Align::Left } else { Align::Middle };
        self.text(if x > RIGHT - 14.0 { WIDTH } else { x }, self.field.1 + 13.0, side, "small", name);
    }

    /// A line from the bottom of the field to its top.
    pub fn upright(&mut self, x: f64, class: &str) {
        self.line((x, self.field.0), (x, self.field.1), class);
    }

    /// What the axes of the field measure.
    pub fn axis_words(&mut self, below: &str, left: &str) {
        self.text(0.0, self.field.0 - 12.0, Align::Right, "small", left);
        self.words(RIGHT, Align::Left, "small", below);
    }

    /// Values below all rows since `top`, with lines up through them.
    pub fn scale_below(&mut self, axis: &Axis, top: f64, words: &str, name: &dyn Fn(f64) -> String) {
        let bottom = self.y + 6.0;
        self.y = bottom;
        let mut lines = String::new();
        for tick in axis.ticks() {
            let x = axis.place(tick);
            let _ =
                writeln!(lines, "<line x1=\"{x:.1}\" y1=\"{:.1}\" x2=\"{x:.1}\" y2=\"{bottom:.1}\" class=\"grid\"/>", top - 10.0);
            let side = if x < 20.0 {
                Align::Right
            } else if x > RIGHT - 20.0 {
                Align::Left
            } else {
                Align::Middle
            };
            self.text(x, bottom + 13.0, side, "small", &name(tick));
        }
        // Lines lie behind what is drawn.
        self.body.insert_str(0, &lines);
        self.y += ROW;
        self.words(RIGHT, Align::Left, "small", words);
    }

    pub fn line(&mut self, from: (f64, f64), to: (f64, f64), class: &str) {
        let _ = writeln!(
            self.body,
            "<line x1=\"{:.1}\" y1=\"{:.1}\" x2=\"{:.1}\" y2=\"{:.1}\" class=\"{class}\"/>",
            from.0, from.1, to.0, to.1
        );
    }

    /// A line through these points, which says what it is.
    pub fn path(&mut self, points: &[(f64, f64)], style: usize, words: &str) {
        let points: Vec<String> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        let _ = writeln!(
            self.body,
            "<polyline class=\"line s{style}\" points=\"{}\"><title>{}</title></polyline>",
            points.join(" "),
            escape(words)
        );
    }

    /// A median, which says what it is.
    pub fn dot(&mut self, (x, y): (f64, f64), style: usize, words: &str) {
        let _ = writeln!(
            self.body,
            "<circle class=\"dot s{style}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4\"><title>{}</title></circle>",
            escape(words)
        );
    }

    /// A place that is not seen and says what it is.
    pub fn hit(&mut self, (x, y): (f64, f64), words: &str) {
        let _ = writeln!(
            self.body,
            "<circle class=\"hit\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"5\"><title>{}</title></circle>",
            escape(words)
        );
    }

    /// A part of a bar below the last line of text.
    pub fn bar(&mut self, (left, right): (f64, f64), part: usize, words: &str) {
        let _ = writeln!(
            self.body,
            "<rect class=\"p{part}\" x=\"{left:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"9\"><title>{}</title></rect>",
            self.y + 5.0,
            (right - left).max(0.0),
            escape(words)
        );
    }

    /// Which line is which setting.
    pub fn legend(&mut self, names: &[&String], settings: &[String]) {
        let mut x = WIDTH;
        for name in names {
            let wide = 38.0 + name.chars().count() as f64 * LETTER;
            if x + wide > WIDTH {
                (x, self.y) = (0.0, self.y + ROW);
            }
            let style = settings.iter().position(|other| other == *name).unwrap_or(0) % 6;
            self.line((x, self.y - 4.0), (x + 20.0, self.y - 4.0), &format!("line s{style}"));
            self.text(x + 25.0, self.y, Align::Right, "", name);
            x += wide;
        }
    }

    /// Which colour is which part.
    pub fn legend_of_parts(&mut self, names: &[&str]) {
        self.y += ROW;
        for (index, name) in names.iter().enumerate() {
            let x = index as f64 * 70.0;
            let _ = writeln!(
                self.body,
                "<rect class=\"p{index}\" x=\"{x:.1}\" y=\"{:.1}\" width=\"10\" height=\"10\"/>",
                self.y - 9.0
            );
            self.text(x + 14.0, self.y, Align::Right, "", name);
        }
    }
}
