//! The thread that reads: it answers what is asked, follows the log, and draws segments when nothing is asked.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, TryRecvError};
use std::time::{Duration, Instant};

use walctl::formats::Halt;
use walctl::model::units::show_bytes;
use walctl::model::{Error, LsnRange, Result};
use walctl::ops::open::Input;
use walctl::ops::read::{Event, PageEnd, PageFrom, PageTurner, Selection, Shown, Spot, last_lsn};

use super::conditions::Conditions;
use super::drawing::Drawing;
use super::rows::RowMaker;
use super::talk::{Answer, AsideAsk, Ask, ListedSegment, RecordRow};
use crate::cli::dump::pattern;
use crate::cli::render::escape;
use crate::cli::render::records::meaning::Meaning;

/// What comes to the thread.
#[derive(Debug)]
pub enum ToReader {
    /// Do this, unless a newer one has come since.
    Ask(u64, Box<Ask>),
    /// Do this too.
    Aside(AsideAsk),
}

/// How many rows are read at once behind a place, and before it.
const BEHIND: usize = 150;
const BEFORE: usize = 100;
/// How long it waits for what comes to a log that is followed.
const FOLLOW: Duration = Duration::from_millis(150);
/// How often it says how far it has come.
const TELL: Duration = Duration::from_millis(100);
/// So many of the newest records are shown of what came at once.
const GROWN: usize = 2000;

/// The lines between the thread and the screen.
#[derive(Debug)]
pub struct ReaderLines {
    /// What is to be done.
    pub asks: Receiver<ToReader>,
    /// What was done.
    pub answers: Sender<(u64, Answer)>,
    /// The number of what was asked last: what is older is given up.
    pub newest: Arc<AtomicU64>,
    /// How much was sent: when it grows, drawing makes way.
    pub sent: Arc<AtomicU64>,
}

/// The thread's own.
#[derive(Debug)]
pub struct LogReader {
    pub(super) turner: PageTurner,
    maker: RowMaker,
    show_values: bool,
    conditions: Option<Conditions>,
    pub(super) lines: ReaderLines,
    pub(super) draw: VecDeque<String>,
    pub(super) drawing: Option<Drawing>,
    /// The last record that was shown of a log that is followed.
    follow: Option<Option<Spot>>,
    listed: Vec<ListedSegment>,
    id: u64,
}

/// The answer to an ask that was given up is none.
type Answered = Result<Answer>;

impl LogReader {
    /// Of a log.
    pub fn new(log: Input, show_values: bool, lines: ReaderLines) -> Result<LogReader> {
        Ok(LogReader {
            maker: RowMaker::new(&log, show_values)?,
            turner: PageTurner::new(log),
            show_values,
            conditions: None,
            lines,
            draw: VecDeque::new(),
            drawing: None,
            follow: None,
            listed: Vec::new(),
            id: 0,
        })
    }

    /// Works until the screen is gone.
    pub fn work(mut self) {
        self.tell_listing();
        loop {
            let next = if !self.draw.is_empty() {
                self.lines.asks.try_recv().map_err(|error| error == TryRecvError::Disconnected)
            } else if self.follow.is_some() {
                self.lines.asks.recv_timeout(FOLLOW).map_err(|error| error == RecvTimeoutError::Disconnected)
            } else {
                self.lines.asks.recv().map_err(|_| true)
            };
            match next {
                Ok(come) => self.take(come),
                Err(true) => return,
                // Something newer was asked, and given up.
                Err(false) if self.follow.is_some() && self.lines.newest.load(Ordering::Relaxed) != self.id => self.follow = None,
                Err(false) if self.follow.is_some() => self.grown(),
                Err(false) => self.draw_some(),
            }
        }
    }

    /// Does what came.
    pub fn take(&mut self, come: ToReader) {
        match come {
            ToReader::Ask(id, ask) => self.ask(id, *ask),
            ToReader::Aside(AsideAsk::Draw(names)) => self.draw = names.into(),
            ToReader::Aside(AsideAsk::Bytes(segment, offset, shown)) => self.bytes(segment, offset, shown),
        }
    }

    pub(super) fn send(&self, answer: Answer) {
        // Without a screen nobody needs it.
        let _ = self.lines.answers.send((self.id, answer));
    }

    fn ask(&mut self, id: u64, ask: Ask) {
        if self.lines.newest.load(Ordering::Relaxed) != id {
            return;
        }
        self.id = id;
        self.follow = None;
        self.turner.follow(false);
        match self.answer(ask) {
            Ok(answer) => self.send(answer),
            // A newer one has come.
            Err(Error::Interrupted) => {}
            Err(error) => self.send(Answer::Nothing(escape::line(&error.to_string()))),
        }
        self.tell_listing();
    }

    fn answer(&mut self, ask: Ask) -> Answered {
        self.turner.list()?;
        match ask {
            Ask::First => self.window(None, None),
            Ask::Last => self.last(None),
            Ask::Segment(name) => self.window(Some(Spot::at(&name, 0)), None),
            Ask::Around(spot) => self.window(Some(spot), None),
            Ask::Jump(target, segment) => self.jump(target, segment),
            Ask::Behind(spot) => {
                let (rows, end, note) = self.forward(PageFrom::Behind(&spot), BEHIND)?;
                Ok(Answer::Behind { rows, end, note })
            }
            Ask::Before(spot) => {
                let (rows, start) = self.backward(Some(&spot), BEFORE)?;
                Ok(Answer::Before { rows, start })
            }
            Ask::Find(pattern, forward, spot) => self.find(pattern, forward, spot),
            Ask::Filter(conditions, spot) => {
                self.conditions = conditions;
                self.window(spot, None)
            }
            Ask::Open(spot) => self.open(&spot),
            Ask::Follow => {
                self.turner.follow(true);
                let answer = self.last(None)?;
                let Answer::Window { rows, .. } = &answer else { return Ok(answer) };
                self.follow = Some(rows.last().map(|row| row.spot.clone()));
                Ok(answer)
            }
            Ask::Again => {
                self.turner.forget();
                self.drawing = None;
                self.window(None, None)
            }
        }
    }

    /// Records around a spot, or from the start on.
    pub(super) fn window(&mut self, spot: Option<Spot>, note: Option<String>) -> Answered {
        let Some(spot) = spot else {
            let (rows, end, more) = self.forward(PageFrom::Start, BEHIND)?;
            return Ok(Answer::Window { rows, at: 0, start: true, end, note: note.or(more) });
        };
        let (mut rows, start) = self.backward(Some(&spot), BEFORE)?;
        let at = rows.len();
        let (behind, end, more) = self.forward(PageFrom::At(&spot), BEHIND)?;
        rows.extend(behind);
        Ok(Answer::Window { at: at.min(rows.len().saturating_sub(1)), rows, start, end, note: note.or(more) })
    }

    fn last(&mut self, note: Option<String>) -> Answered {
        let (rows, start) = self.backward(None, BEFORE)?;
        Ok(Answer::Window { at: rows.len().saturating_sub(1), rows, start, end: true, note })
    }

    fn open(&mut self, spot: &Spot) -> Answered {
        let Some(selection) = self.selection()? else { return Ok(nothing("this record is not there any more")) };
        let log = self.turner.log().clone();
        let (maker, mut page) = (&mut self.maker, None);
        self.turner.forward(PageFrom::At(spot), &selection, &mut |event, here| {
            let Event::Record(shown) = event else { return Ok(None) };
            if here.is(spot) {
                page = Some(maker.page(&log, shown, here)?);
            }
            Err(Halt::Enough)
        })?;
        Ok(page.map_or_else(|| nothing("this record is not there any more"), |page| Answer::Opened(Box::new(page))))
    }

    /// The next record that matches, and what stands around it.
    fn find(&mut self, sought: regex::bytes::Regex, forward: bool, spot: Option<Spot>) -> Answered {
        let Some(selection) = self.selection()? else { return Ok(nothing("nothing meets the conditions")) };
        let meets = pattern::content(sought.clone(), Meaning::of(self.turner.log(), self.show_values)?);
        let mut locked = false;
        let mut fits = |shown: &Shown<'_>| {
            locked |= shown.record.encrypted;
            if shown.record.encrypted { Ok(false) } else { meets(shown.record) }
        };
        let mut found = None;
        let mut watch = self.watch();
        if forward {
            let from = spot.as_ref().map_or(PageFrom::Start, PageFrom::Behind);
            self.turner.forward(from, &selection, &mut |event, here| {
                watch.see(&event)?;
                if let Event::Record(shown) = event
                    && fits(shown)?
                {
                    found = Some(here.clone());
                    return Err(Halt::Enough);
                }
                Ok(None)
            })?;
        } else {
            let (mut last, _) = self.turner.backward(spot.as_ref(), 1, &selection, &mut |event, here| {
                watch.see(&event)?;
                let Event::Record(shown) = event else { return Ok(None) };
                Ok(fits(shown)?.then(|| here.clone()))
            })?;
            found = last.pop_back();
        }
        let sought = escape::short(sought.as_str().as_bytes(), 40);
        match found {
            Some(spot) => self.window(Some(spot), None),
            None => {
                let way = if forward { "below" } else { "above" };
                let locked = if locked { "; encrypted records were not searched" } else { "" };
                Ok(nothing(format!("nothing {way} matches {sought}{locked}")))
            }
        }
    }

    /// The first record that meets these conditions alone.
    pub(super) fn first_of(&mut self, selection: &Selection) -> Result<Option<(Spot, Option<walctl::model::Time>)>> {
        let (mut found, mut watch) = (None, self.watch());
        self.turner.forward(PageFrom::Start, selection, &mut |event, here| {
            watch.see(&event)?;
            let Event::Record(shown) = event else { return Ok(None) };
            found = Some((here.clone(), shown.record.time));
            Err(Halt::Enough)
        })?;
        Ok(found)
    }

    /// Rows from a place on, whether nothing stands behind them, and what is to be said.
    fn forward(&mut self, from: PageFrom<'_>, most: usize) -> Result<(Vec<RecordRow>, bool, Option<String>)> {
        let Some(selection) = self.selection()? else { return Ok((Vec::new(), true, None)) };
        let (mut rows, mut watch) = (Vec::new(), self.watch());
        let maker = &mut self.maker;
        let ended = self.turner.forward(from, &selection, &mut |event, here| {
            watch.see(&event)?;
            rows.extend(row(maker, &event, here)?);
            if rows.len() >= most { Err(Halt::Enough) } else { Ok(None) }
        })?;
        let note = match &ended {
            PageEnd::Log(passed) => {
                passed.first().map(|passed| format!("{} was removed by retention before it was read", escape::line(&passed.gone)))
            }
            PageEnd::Enough => None,
        };
        Ok((rows, ended != PageEnd::Enough, note.or_else(|| unsearched(&selection))))
    }

    /// Rows before a place, and whether nothing stands before them.
    pub(super) fn backward(&mut self, before: Option<&Spot>, most: usize) -> Result<(Vec<RecordRow>, bool)> {
        let Some(selection) = self.selection()? else { return Ok((Vec::new(), true)) };
        let mut watch = self.watch();
        let maker = &mut self.maker;
        let (rows, start) = self.turner.backward(before, most, &selection, &mut |event, here| {
            watch.see(&event)?;
            Ok(row(maker, &event, here)?)
        })?;
        Ok((rows.into(), start))
    }

    /// What came to a log that is followed.
    pub fn grown(&mut self) {
        let Some(spot) = self.follow.clone() else { return };
        match self.newer(spot.as_ref()) {
            Ok((rows, skipped, note)) => {
                if let Some(last) = rows.back() {
                    self.follow = Some(Some(last.spot.clone()));
                }
                if !rows.is_empty() || note.is_some() {
                    self.send(Answer::Grown { rows: rows.into(), skipped, note });
                }
            }
            Err(Error::Interrupted) => {}
            Err(error) => {
                self.follow = None;
                self.send(Answer::Nothing(escape::line(&error.to_string())));
            }
        }
        self.tell_listing();
    }

    fn newer(&mut self, spot: Option<&Spot>) -> Result<(VecDeque<RecordRow>, bool, Option<String>)> {
        self.turner.list()?;
        let Some(selection) = self.selection()? else { return Ok((VecDeque::new(), false, None)) };
        let gone = spot.filter(|spot| !self.turner.log().source.segments.iter().any(|s| s.name == spot.segment));
        let (mut rows, mut skipped) = (VecDeque::new(), false);
        let mut watch = self.watch();
        let maker = &mut self.maker;
        let from = spot.map_or(PageFrom::Start, PageFrom::Behind);
        self.turner.forward(from, &selection, &mut |event, here| {
            watch.see(&event)?;
            rows.extend(row(maker, &event, here)?);
            if rows.len() > GROWN {
                rows.pop_front();
                skipped = true;
            }
            Ok(None)
        })?;
        let note =
            gone.map(|spot| format!("{} was removed by retention; reading goes on behind it", escape::line(&spot.segment)));
        Ok((rows, skipped || gone.is_some(), note))
    }

    /// The conditions, for a walk; `None` when nothing can meet them.
    fn selection(&self) -> Result<Option<Selection>> {
        let Some(conditions) = &self.conditions else { return Ok(Some(Selection::default())) };
        let log = self.turner.log();
        let lsns = match &conditions.lsn {
            None => None,
            Some(wish) => {
                let end = if wish.counts_from_end() { last_lsn(&log.source, log.format, &log.keys)? } else { None };
                let Some(range) = wish.resolve(end) else { return Ok(None) };
                Some(range)
            }
        };
        let meaning = if conditions.grep.is_some() { Meaning::of(log, self.show_values)? } else { None };
        let content = conditions.grep.clone().map(|grep| pattern::content(grep, meaning));
        let (since, until) = (conditions.since, conditions.until);
        let (kinds, tags) = (conditions.kinds.clone(), conditions.tags.clone());
        Ok(Some(Selection { lsns, since, until, kinds, tags, content, ..Selection::default() }))
    }

    /// What gives up when something newer is asked, and says how far it has come.
    fn watch(&self) -> ReadWatch {
        ReadWatch {
            id: self.id,
            newest: self.lines.newest.clone(),
            answers: self.lines.answers.clone(),
            told: Instant::now(),
            read: 0,
            at: (String::new(), 0),
        }
    }

    /// Says which segments there are, if these are others than before.
    pub fn tell_listing(&mut self) {
        let log = self.turner.log();
        let listed: Vec<ListedSegment> =
            log.source.segments.iter().map(|s| ListedSegment { name: s.name.clone(), bytes: s.length }).collect();
        if listed != self.listed {
            self.listed.clone_from(&listed);
            self.send(Answer::Listed(Arc::new(listed), self.turner.live()));
        }
    }
}

pub(super) fn nothing(why: impl Into<String>) -> Answer {
    Answer::Nothing(why.into())
}

/// Only numbers from this one on.
pub(super) fn from_lsn(lsn: walctl::model::Lsn) -> Selection {
    Selection { lsns: LsnRange::new(lsn, walctl::model::Lsn(u64::MAX)), ..Selection::default() }
}

fn row(maker: &mut RowMaker, event: &Event<'_>, here: &Spot) -> Result<Option<RecordRow>> {
    match event {
        Event::Record(shown) => maker.record(shown, here).map(Some),
        Event::Damage(_, damage) => Ok(Some(maker.damage(damage, here))),
        Event::Reached(..) | Event::Lot(..) => Ok(None),
    }
}

fn unsearched(selection: &Selection) -> Option<String> {
    selection.unsearched.get().map(|_| "encrypted records were not searched: none of the keys opens them".to_owned())
}

/// Looks at what a walk delivers.
struct ReadWatch {
    id: u64,
    newest: Arc<AtomicU64>,
    answers: Sender<(u64, Answer)>,
    told: Instant,
    read: u64,
    at: (String, u64),
}

impl ReadWatch {
    fn see(&mut self, event: &Event<'_>) -> Result<(), Halt> {
        if self.newest.load(Ordering::Relaxed) != self.id {
            return Err(Halt::Failed(Error::Interrupted));
        }
        if let Event::Reached(segment, at) = event {
            let more = if self.at.0 == segment.name { at.saturating_sub(self.at.1) } else { *at };
            self.read = self.read.saturating_add(more);
            self.at = (segment.name.clone(), *at);
            if self.told.elapsed() >= TELL {
                self.told = Instant::now();
                let name = escape::line(&segment.name);
                let text = format!("{} read, now {name}:{at}", show_bytes(self.read));
                let _ = self.answers.send((self.id, Answer::Busy(text)));
            }
        }
        Ok(())
    }
}
