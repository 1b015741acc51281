//! An incident report: what verify found, made for those who were not there. The values; the two forms of it are below.

pub mod drawing;
pub mod html;
pub mod markdown;

use std::time::Duration;

use walctl::model::{Time, Verdict};
use walctl::ops::report::MapCell;

use crate::cli::exit::Exit;
pub use crate::cli::render::html::Fact;

/// In the first bytes of every report: by it walctl knows its own when it is asked to write over one.
pub const MARK: &str = "<!-- walctl incident report -->";

/// The whole report.
#[derive(Debug)]
pub struct Incident {
    /// When it was made.
    pub made: Time,
    /// How long the check took.
    pub took: Duration,
    /// What was typed.
    pub command: String,
    /// How the run ended.
    pub exit: Exit,
    /// The machine and the program.
    pub host: Vec<Fact>,
    /// Logs with something to tell.
    pub logs: Vec<LogIncident>,
    /// Logs in which all is well, a line each.
    pub clean: Vec<String>,
    /// How many more of these there are.
    pub more_clean: u64,
    /// What could not be looked at.
    pub failed: Vec<String>,
}

/// A log in it.
#[derive(Debug)]
pub struct LogIncident {
    /// Its path.
    pub path: String,
    /// The verdict, as a word.
    pub verdict_name: &'static str,
    /// The verdict.
    pub verdict: Verdict,
    /// What that means.
    pub meaning: String,
    /// Whether acknowledged records are lost, in a sentence.
    pub promise: String,
    /// Numbers and names.
    pub facts: Vec<Fact>,
    /// What the system or the writer will do with it.
    pub will: String,
    /// Commands to type, or advice.
    pub next: Vec<String>,
    /// The log drawn.
    pub map: LogMap,
    /// The first pieces of damage, in full.
    pub damage: Vec<DamageIncident>,
    /// Further pieces, a line each.
    pub listed: Vec<String>,
    /// How many pieces are in neither.
    pub unlisted: u64,
    /// Warnings, known holes, and what was compared besides.
    pub notes: Vec<String>,
    /// Its files.
    pub files: Vec<FileFacts>,
    /// How many files are left out.
    pub more_files: usize,
    /// Payloads are hidden.
    pub redacted: bool,
}

/// A log drawn.
#[derive(Debug, Default)]
pub struct LogMap {
    /// The worst verdict on each of equal parts of the segments, where there are too many for rows; `None` is not checked.
    pub overview: Vec<Option<Verdict>>,
    /// How many segments there are.
    pub segments: usize,
    /// Segments drawn by themselves.
    pub rows: Vec<MapRow>,
    /// How many segments with damage are not drawn.
    pub more_rows: usize,
}

/// A segment drawn.
#[derive(Debug)]
pub struct MapRow {
    /// Its name, LSNs, length and verdict.
    pub label: String,
    /// What its parts hold.
    pub cells: Vec<MapCell>,
    /// How long it is.
    pub bytes: u64,
    /// Where described damage begins: its number, and the place as a part of the length.
    pub marks: Vec<(usize, f64)>,
    /// Records that are missing behind it, or that it declares missing.
    pub holes: Vec<String>,
}

/// A piece of damage.
#[derive(Debug)]
pub struct DamageIncident {
    /// Path and offset.
    pub place: String,
    /// What it means.
    pub verdict: Verdict,
    /// Its kind.
    pub kind: &'static str,
    /// What that kind is.
    pub words: &'static str,
    /// Facts: bytes, LSNs, times, proof.
    pub facts: Vec<Fact>,
    /// The bytes around it.
    pub hex: Vec<String>,
    /// What to do about it.
    pub next: String,
}

/// A file of a log as the system has it.
#[derive(Debug)]
pub struct FileFacts {
    /// Its name within the log.
    pub name: String,
    /// Its length.
    pub bytes: String,
    /// When it was changed.
    pub modified: String,
    /// Mode, owner, inode, links.
    pub stat: String,
    /// Its SHA-256, or why there is none.
    pub hash: String,
}

/// How bad it is, for colours.
pub const fn grade(verdict: Option<Verdict>) -> &'static str {
    match verdict {
        None => "unchecked",
        Some(Verdict::Clean) => "clean",
        Some(Verdict::Torn | Verdict::Suspect) => "torn",
        Some(_) => "bad",
    }
}
