//! What is on the screen and what a key does to it. Pure: what must be read is asked for, and comes as an answer.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use regex::bytes::Regex;
use walctl::formats::Format;

use super::doc::Doc;
use super::help;
use super::layout::ScreenParts;
use super::pane::{RecordsPane, Roll};
use super::prompt::{Prompt, PromptKind};
use super::talk::{Answer, AsideAsk, Ask, Checked, DrawnSegment, ListedSegment};

/// A key, as the terminal gave it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Press {
    /// A character.
    Char(char),
    /// A letter with Ctrl.
    Ctrl(char),
    Up,
    Down,
    Left,
    Right,
    PageUp,
    PageDown,
    Home,
    End,
    Enter,
    Esc,
    Tab,
    BackTab,
    Backspace,
}

/// A list that fills the screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tab {
    /// Segments, drawn.
    Segments,
    /// Records.
    Records,
    /// Damage.
    Damage,
}

/// What lies over the lists.
#[derive(Clone, Debug)]
pub enum Over {
    /// All about a record.
    Record(Box<Doc>),
    /// All about damage.
    Damage(Box<Doc>),
    /// What the keys do, from this line on.
    Help(usize),
}

/// What must be done for the screen.
#[derive(Clone, Debug)]
pub enum Wish {
    /// Ask this in place of what was asked before.
    Ask(Ask),
    /// Ask this beside it.
    Aside(AsideAsk),
    /// Give up what was asked.
    GiveUp,
    /// Check the log again.
    Check,
    /// Draw all of the screen again.
    Redraw,
    /// Go to the background.
    Suspend,
    /// End; it was interrupted.
    Quit(bool),
}

/// How far the check has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CheckProgress {
    /// Bytes.
    pub done: u64,
    /// Of so many.
    pub total: u64,
    /// Damage met so far.
    pub damage: u64,
}

/// Drawn segments that are kept.
const DRAWN: usize = 1024;

/// All of it.
#[derive(Debug)]
pub struct Browser {
    /// The log's path, as safe text.
    pub path: String,
    /// How it is read.
    pub format: &'static Format,
    /// Columns and lines.
    pub size: (u16, u16),
    /// The list that is shown.
    pub tab: Tab,
    /// What lies over it; the last is seen.
    pub over: Vec<Over>,
    /// The segments.
    pub listed: Arc<Vec<ListedSegment>>,
    /// A process writes to the log.
    pub live: bool,
    /// Segments that were drawn, by name.
    pub drawn: HashMap<String, DrawnSegment>,
    /// What checking found, or why it could not.
    pub checked: Option<Result<Box<Checked>, String>>,
    /// How far it has come.
    pub progress: CheckProgress,
    /// Where one stands among the segments.
    pub segments: Roll,
    /// The records.
    pub records: RecordsPane,
    /// Where one stands in the list of damage.
    pub damage: Roll,
    /// What is being typed.
    pub prompt: Option<Prompt>,
    /// What is searched for.
    pub pattern: Option<Regex>,
    /// What is to be said once.
    pub message: Option<String>,
    /// How far what was asked has come.
    pub busy: Option<String>,
    /// What is asked is not answered yet.
    pub waits: bool,
    pub(super) typed: HashMap<PromptKind, String>,
    pub(super) wishes: VecDeque<Wish>,
    asked_bytes: Option<(String, u64)>,
    pub(super) asked_drawing: Vec<String>,
}

impl Browser {
    /// Of a log, on a screen of this size.
    pub fn new(path: String, format: &'static Format, size: (u16, u16)) -> Browser {
        Browser {
            path,
            format,
            size,
            tab: Tab::Segments,
            over: Vec::new(),
            listed: Arc::default(),
            live: false,
            drawn: HashMap::new(),
            checked: None,
            progress: CheckProgress::default(),
            segments: Roll::default(),
            records: RecordsPane::default(),
            damage: Roll::default(),
            prompt: None,
            pattern: None,
            message: None,
            busy: None,
            waits: false,
            typed: HashMap::new(),
            wishes: VecDeque::new(),
            asked_bytes: None,
            asked_drawing: Vec::new(),
        }
    }

    /// Where everything stands.
    pub fn layout(&self) -> ScreenParts {
        ScreenParts::of(self.size, self.tab, self.over.last())
    }

    /// The lines of damage.
    pub fn damage_rows(&self) -> &[super::talk::DamageRow] {
        match &self.checked {
            Some(Ok(checked)) => &checked.damage,
            _ => &[],
        }
    }

    /// Takes a new size of the screen.
    pub fn resize(&mut self, size: (u16, u16)) -> Vec<Wish> {
        self.size = size;
        self.settle()
    }

    /// Takes a key.
    pub fn press(&mut self, press: Press) -> Vec<Wish> {
        self.message = None;
        self.records.stuck = false;
        if self.prompt.is_some() {
            self.press_in_prompt(press)
        } else {
            self.press_in_view(press)
        }
        self.settle()
    }

    /// Takes an answer.
    pub fn answer(&mut self, answer: Answer) -> Vec<Wish> {
        if answer.is_last() {
            (self.waits, self.busy) = (false, None);
        }
        let height = self.layout().records;
        match answer {
            Answer::Window { rows, at, start, end, note } => {
                self.records.replace(rows, at, start, end, height);
                self.message = note.or(self.message.take());
            }
            Answer::Behind { rows, end, note } => {
                self.records.behind(rows, end);
                self.message = note.or(self.message.take());
            }
            Answer::Before { rows, start } => self.records.before(rows, start),
            Answer::Grown { rows, skipped, note } => {
                if self.records.follow {
                    self.records.grown(rows, skipped);
                    self.message = note;
                }
            }
            Answer::Opened(doc) => self.opened(doc),
            Answer::Busy(text) => self.busy = Some(text),
            Answer::Nothing(text) => {
                self.message = Some(text);
                self.records.stay();
            }
            Answer::Bytes(segment, offset, bytes) => {
                self.asked_bytes = None;
                if let Some(Over::Record(doc) | Over::Damage(doc)) = self.over.last_mut()
                    && doc.segment == segment
                {
                    doc.take(offset, bytes);
                }
            }
            Answer::Drawn(name, drawn) => {
                if self.drawn.len() >= DRAWN && !self.drawn.contains_key(&name) {
                    self.drawn.clear();
                }
                self.drawn.insert(name, *drawn);
            }
            Answer::Listed(listed, live) => (self.listed, self.live) = (listed, live),
            Answer::Checked(checked) => self.checked = Some(checked),
        }
        self.settle()
    }

    /// A page of a record lies over the list. The next one takes the place of the one before.
    fn opened(&mut self, doc: Box<Doc>) {
        self.asked_bytes = None;
        match self.over.last_mut() {
            Some(Over::Record(old)) => *old = doc,
            _ => self.over.push(Over::Record(doc)),
        }
    }

    pub(super) fn ask(&mut self, ask: Ask) {
        self.records.follow = matches!(ask, Ask::Follow);
        self.waits = true;
        self.busy = None;
        self.wishes.push_back(Wish::Ask(ask));
    }

    /// Gives up what was asked.
    pub(super) fn give_up(&mut self, message: &str) {
        (self.waits, self.busy, self.records.follow) = (false, None, false);
        self.records.stay();
        self.message = Some(message.to_owned());
        self.wishes.push_back(Wish::GiveUp);
    }

    /// Puts everything in its place, and asks for what is seen and not there.
    fn settle(&mut self) -> Vec<Wish> {
        let layout = self.layout();
        self.segments.fit(layout.segments, self.listed.len());
        let damage = self.damage_rows().len();
        self.damage.fit(layout.damage, damage);
        let records = self.records.rows.len();
        self.records.roll.fit(layout.records, records);
        if self.tab == Tab::Records && !self.waits && !self.records.follow {
            if !self.records.asked {
                self.records.asked = true;
                self.ask(Ask::First);
            } else if let Some(ask) = self.records.wanted(layout.records) {
                self.ask(ask);
            }
        }
        self.settle_over(layout);
        if self.tab == Tab::Segments {
            self.ask_for_drawing(layout.segments);
        }
        self.wishes.drain(..).collect()
    }

    fn settle_over(&mut self, layout: ScreenParts) {
        match self.over.last_mut() {
            Some(Over::Record(doc) | Over::Damage(doc)) => {
                let last = doc.length(layout.width).saturating_sub(layout.doc as u64);
                doc.top = doc.top.min(usize::try_from(last).unwrap_or(usize::MAX));
                let lines = doc.lines(layout.width, doc.top, layout.doc);
                let Some(offset) = doc.lacking(&lines) else { return };
                let wanted = Some((doc.segment.clone(), offset));
                if self.asked_bytes != wanted {
                    let shown = doc.shown;
                    self.asked_bytes.clone_from(&wanted);
                    self.wishes.extend(wanted.map(|(segment, offset)| Wish::Aside(AsideAsk::Bytes(segment, offset, shown))));
                }
            }
            Some(Over::Help(top)) => *top = (*top).min(help::lines().len().saturating_sub(layout.doc)),
            None => {}
        }
    }

    /// The segments that are seen and not drawn, from the one that one stands on.
    fn ask_for_drawing(&mut self, height: usize) {
        let seen = self.segments.top..self.segments.top.saturating_add(height).min(self.listed.len());
        let here = self.listed.get(self.segments.cursor);
        let lacks = |segment: &&ListedSegment| {
            self.drawn.get(&segment.name).is_none_or(|drawn| !drawn.done || drawn.bytes != segment.bytes)
        };
        let mut names: Vec<String> =
            here.into_iter().chain(&self.listed[seen]).filter(lacks).map(|segment| segment.name.clone()).collect();
        let mut met = std::collections::HashSet::new();
        names.retain(|name| met.insert(name.clone()));
        if names != self.asked_drawing && !names.is_empty() {
            let fewer = names.iter().all(|name| self.asked_drawing.contains(name)) && names.first() == self.asked_drawing.get(1);
            self.asked_drawing.clone_from(&names);
            // The thread goes on by itself with what it was asked.
            if !fewer {
                self.wishes.push_back(Wish::Aside(AsideAsk::Draw(names)));
            }
        }
    }
}
