//! What the screen and the threads that read say to each other.

use std::collections::HashMap;
use std::sync::Arc;

use regex::bytes::Regex;
use walctl::model::Time;
use walctl::ops::read::Spot;
use walctl::ops::report::MapCell;

use super::conditions::Conditions;
use super::doc::Doc;
use super::target::JumpTarget;
use crate::cli::render::out::Ink;

/// What is asked of the thread that reads. A newer one takes the place of one that is not done yet, but for bytes.
#[derive(Clone, Debug)]
pub enum Ask {
    /// Records from the start of the log.
    First,
    /// The last records of the log.
    Last,
    /// Records from the start of this segment.
    Segment(String),
    /// Records around this.
    Around(Spot),
    /// Records around what was typed; an offset without a segment is one of this.
    Jump(JumpTarget, Option<String>),
    /// Records behind this.
    Behind(Spot),
    /// Records before this.
    Before(Spot),
    /// The next record that holds this, in that direction, from this on or from the start.
    Find(Regex, bool, Option<Spot>),
    /// Only records that meet these conditions from now on, beginning around this.
    Filter(Option<Conditions>, Option<Spot>),
    /// All about this record.
    Open(Spot),
    /// The last records, and what comes behind them.
    Follow,
    /// The log, listed again, and checked again.
    Again,
}

/// What the thread that reads does beside that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AsideAsk {
    /// Bytes from an offset of a segment on, of which those in this range are shown whatever they are.
    Bytes(String, u64, Option<(u64, u64)>),
    /// Draw these segments while nothing else is to be done.
    Draw(Vec<String>),
}

/// A record or damage as it stands in the list: text that is safe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordRow {
    /// Where it stands.
    pub spot: Spot,
    /// Its number as people read it.
    pub lsn: String,
    /// When it was written.
    pub time: Option<Time>,
    /// Its kind, or that of the damage.
    pub kind: String,
    /// Its tag.
    pub tag: Option<u64>,
    /// How many bytes its payload has, or the damage.
    pub bytes: u64,
    /// What it holds.
    pub text: String,
}

/// A segment as it was listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedSegment {
    /// Its name.
    pub name: String,
    /// How long its file is; `u64::MAX` where that is not known.
    pub bytes: u64,
}

/// What a walk over a segment found, for its row of the map.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DrawnSegment {
    /// The parts of its file.
    pub cells: Vec<MapCell>,
    /// How long the file was.
    pub bytes: u64,
    /// How far the walk has come.
    pub reached: u64,
    /// It came to the end.
    pub done: bool,
    /// First and last number.
    pub lsns: String,
    /// How many pieces of damage.
    pub hurts: u64,
    /// Times of the first and the last record.
    pub times: (Option<Time>, Option<Time>),
}

/// What checking the whole log found about a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckedSegment {
    /// First and last number.
    pub lsns: String,
    /// How many records.
    pub records: u64,
    /// Where and why its data ends, in words.
    pub end: String,
    /// Its verdict.
    pub verdict: &'static str,
    /// How that is shown.
    pub ink: Ink,
    /// Records that are missing in it or behind it.
    pub holes: Vec<String>,
    /// At which offsets that is.
    pub gaps: Vec<u64>,
}

/// A line in the list of damage.
#[derive(Clone, Debug)]
pub struct DamageRow {
    /// Where it begins.
    pub spot: Spot,
    /// Segment and offset.
    pub place: String,
    /// What it means: the verdict, or that it is no damage.
    pub verdict: String,
    /// Its name.
    pub kind: String,
    /// How it is shown.
    pub ink: Ink,
    /// Whether it was acknowledged, and which records are in doubt.
    pub words: String,
    /// All about it.
    pub doc: Doc,
}

/// What checking the whole log found.
#[derive(Clone, Debug)]
pub struct Checked {
    /// The verdict, in a word.
    pub verdict: String,
    /// How that is shown.
    pub ink: Ink,
    /// The rest of the sentence.
    pub words: String,
    /// When it was done.
    pub at: Time,
    /// The segments, by name.
    pub segments: HashMap<String, CheckedSegment>,
    /// Damage, and what else is worth saying.
    pub damage: Vec<DamageRow>,
    /// How many of these are damage, with those that are not listed.
    pub count: u64,
}

/// What the threads answer.
#[derive(Debug)]
pub enum Answer {
    /// The records in place of those that are shown, the index of the one to stand on, and whether nothing stands before and behind them.
    Window { rows: Vec<RecordRow>, at: usize, start: bool, end: bool, note: Option<String> },
    /// Records behind those that are shown, and whether nothing stands behind them.
    Behind { rows: Vec<RecordRow>, end: bool, note: Option<String> },
    /// Records before those that are shown, and whether nothing stands before them.
    Before { rows: Vec<RecordRow>, start: bool },
    /// New records while the log is followed.
    Grown { rows: Vec<RecordRow>, skipped: bool, note: Option<String> },
    /// All about a record.
    Opened(Box<Doc>),
    /// How far it has come.
    Busy(String),
    /// It did not work, or nothing was found.
    Nothing(String),
    /// Bytes of a segment from an offset on; those that are hidden are left out.
    Bytes(String, u64, Vec<Option<u8>>),
    /// A row of the map.
    Drawn(String, Box<DrawnSegment>),
    /// The segments of the log, and whether a process writes to it.
    Listed(Arc<Vec<ListedSegment>>, bool),
    /// The log was checked, or could not be.
    Checked(Result<Box<Checked>, String>),
}

impl Answer {
    /// Whether it ends the wait for what was asked.
    pub fn is_last(&self) -> bool {
        matches!(
            self,
            Answer::Window { .. } | Answer::Behind { .. } | Answer::Before { .. } | Answer::Opened(_) | Answer::Nothing(_)
        )
    }
}
