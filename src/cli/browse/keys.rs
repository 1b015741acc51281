//! What each key does: the keys of less and tig.

use regex::bytes::Regex;
use walctl::model::Time;

use super::conditions::{Conditions, first_line};
use super::doc::{Doc, DocLine};
use super::help;
use super::prompt::{Prompt, PromptKind};
use super::state::{Browser, Over, Press, Tab, Wish};
use super::talk::Ask;
use super::target::JumpTarget;

/// The number of columns that the arrows move the content by.
const SHIFT: usize = 16;

/// Where a key moves to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Motion {
    /// Lines.
    By(i64),
    /// Pages, in halves.
    Halves(i64),
    First,
    Last,
}

fn motion(press: Press) -> Option<Motion> {
    Some(match press {
        Press::Down | Press::Char('j' | 'e') | Press::Ctrl('e' | 'n' | 'j') => Motion::By(1),
        Press::Up | Press::Char('k' | 'y') | Press::Ctrl('y' | 'p' | 'k') => Motion::By(-1),
        Press::PageDown | Press::Char(' ' | 'f') | Press::Ctrl('f' | 'v') => Motion::Halves(2),
        Press::PageUp | Press::Char('b') | Press::Ctrl('b') => Motion::Halves(-2),
        Press::Char('d') | Press::Ctrl('d') => Motion::Halves(1),
        Press::Char('u') | Press::Ctrl('u') => Motion::Halves(-1),
        Press::Home | Press::Char('g' | '<') => Motion::First,
        Press::End | Press::Char('G' | '>') => Motion::Last,
        _ => return None,
    })
}

impl Browser {
    pub(super) fn press_in_view(&mut self, press: Press) {
        if let Some(motion) = motion(press) {
            return self.go(motion);
        }
        match press {
            Press::Char('q') if self.over.pop().is_none() => self.wishes.push_back(Wish::Quit(false)),
            Press::Char('Q') => self.wishes.push_back(Wish::Quit(false)),
            Press::Ctrl('c') if self.waits || self.records.follow => self.give_up("stopped"),
            Press::Ctrl('c') => self.wishes.push_back(Wish::Quit(true)),
            Press::Ctrl('z') => self.wishes.push_back(Wish::Suspend),
            Press::Ctrl('l') | Press::Char('r') => self.wishes.push_back(Wish::Redraw),
            Press::Char('?' | 'h') if !matches!(self.over.last(), Some(Over::Help(_))) => self.over.push(Over::Help(0)),
            Press::Char('1') => self.show(Tab::Segments),
            Press::Char('2') => self.show(Tab::Records),
            Press::Char('3') => self.show(Tab::Damage),
            Press::Tab => self.turn(1),
            Press::BackTab => self.turn(2),
            Press::Esc => self.back(),
            Press::Enter => self.enter(),
            Press::Left | Press::Right => self.sideways(press == Press::Right),
            Press::Char('/') => self.prompt = Some(Prompt::new(PromptKind::Search)),
            Press::Char('&') => self.prompt = Some(Prompt::new(PromptKind::Filter)),
            Press::Char(':') => self.prompt = Some(Prompt::new(PromptKind::Goto)),
            Press::Char('n') => self.search(true),
            Press::Char('N') => self.search(false),
            Press::Char('F') => {
                self.show(Tab::Records);
                self.records.asked = true;
                self.ask(Ask::Follow);
            }
            Press::Char('R') => self.again(),
            _ => {}
        }
    }

    fn again(&mut self) {
        self.over.clear();
        self.drawn.clear();
        self.asked_drawing.clear();
        self.checked = None;
        self.records.asked = true;
        self.ask(Ask::Again);
        self.wishes.push_back(Wish::Check);
        self.message = Some("listed and checked again".to_owned());
    }

    fn show(&mut self, tab: Tab) {
        self.over.clear();
        if tab != Tab::Records && self.records.follow {
            self.give_up("no longer following");
            self.message = None;
        }
        self.tab = tab;
    }

    fn turn(&mut self, by: usize) {
        const TABS: [Tab; 3] = [Tab::Segments, Tab::Records, Tab::Damage];
        let at = TABS.iter().position(|tab| *tab == self.tab).unwrap_or(0);
        self.show(TABS[(at + by) % TABS.len()]);
    }

    /// One step back to where one came from.
    fn back(&mut self) {
        if self.over.pop().is_some() {
            return;
        }
        if self.waits && self.busy.is_some() || self.records.follow {
            return self.give_up("stopped");
        }
        self.show(Tab::Segments);
    }

    fn enter(&mut self) {
        match self.over.last() {
            Some(Over::Damage(doc)) => {
                let spot = doc.spot.clone();
                self.show(Tab::Records);
                self.records.asked = true;
                self.ask(Ask::Around(spot));
            }
            Some(Over::Record(_) | Over::Help(_)) => {}
            None => match self.tab {
                Tab::Segments => {
                    let Some(name) = self.listed.get(self.segments.cursor).map(|segment| segment.name.clone()) else { return };
                    self.tab = Tab::Records;
                    self.records.asked = true;
                    self.ask(Ask::Segment(name));
                }
                Tab::Records => self.open_here(),
                Tab::Damage => {
                    let page = self.damage_rows().get(self.damage.cursor).map(|row| Box::new(row.doc.clone()));
                    self.over.extend(page.map(Over::Damage));
                }
            },
        }
    }

    /// The page of the record that one stands on; of damage the one in the list of damage, once that is there.
    fn open_here(&mut self) {
        let Some(spot) = self.records.spot() else { return };
        if spot.record {
            return self.ask(Ask::Open(spot));
        }
        // The nearest one before it: damage that begins before records stands behind them in the list.
        let before = |row: &&super::talk::DamageRow| row.spot.segment == spot.segment && row.spot.offset <= spot.offset;
        match self.damage_rows().iter().rfind(before).map(|row| Box::new(row.doc.clone())) {
            Some(page) => self.over.push(Over::Damage(page)),
            None => self.message = Some("what this damage means is known when the log has been checked".to_owned()),
        }
    }

    fn sideways(&mut self, right: bool) {
        match (self.over.last(), self.tab) {
            // The record before or behind the one whose page is open.
            (Some(Over::Record(_)), _) => {
                let at = self.records.roll.cursor;
                let found = if right {
                    (at + 1..self.records.rows.len()).find(|at| self.records.rows[*at].spot.record)
                } else {
                    (0..at).rev().find(|at| self.records.rows[*at].spot.record)
                };
                if let Some(found) = found {
                    self.records.roll.cursor = found;
                    self.open_here();
                }
            }
            (None, Tab::Records) => {
                let left = self.records.left;
                self.records.left = if right { (left + SHIFT).min(400) } else { left.saturating_sub(SHIFT) };
            }
            _ => {}
        }
    }

    fn go(&mut self, motion: Motion) {
        let layout = self.layout();
        let lines = |page: usize| match motion {
            Motion::By(lines) => lines,
            Motion::Halves(halves) => halves * i64::try_from((page.max(2)) / 2).unwrap_or(1),
            Motion::First => i64::MIN,
            Motion::Last => i64::MAX,
        };
        let scrolled =
            |top: usize, by: i64| usize::try_from(i64::try_from(top).unwrap_or(i64::MAX).saturating_add(by).max(0)).unwrap_or(0);
        match self.over.last_mut() {
            Some(Over::Record(doc) | Over::Damage(doc)) => doc.top = scrolled(doc.top, lines(layout.doc)),
            Some(Over::Help(top)) => *top = scrolled(*top, lines(layout.doc)),
            None => match self.tab {
                Tab::Segments => self.segments.go(lines(layout.segments), self.listed.len()),
                Tab::Damage => {
                    let length = self.damage_rows().len();
                    self.damage.go(lines(layout.damage), length);
                }
                Tab::Records => self.go_in_records(motion, lines(layout.records)),
            },
        }
    }

    fn go_in_records(&mut self, motion: Motion, by: i64) {
        if self.records.follow && (by > 0 || motion == Motion::Last) {
            return;
        }
        if self.records.follow {
            self.give_up("no longer following");
        }
        match motion {
            Motion::First if !self.records.start => self.ask(Ask::First),
            // What came since it was read is shown too.
            Motion::Last => self.ask(Ask::Last),
            _ => {
                let at_the_end = self.records.roll.cursor + 1 >= self.records.rows.len();
                if by > 0 && at_the_end && !self.waits {
                    self.records.end = false;
                }
                self.records.go(by);
            }
        }
    }

    pub(super) fn press_in_prompt(&mut self, press: Press) {
        let Some(prompt) = &mut self.prompt else { return };
        match press {
            Press::Char(c) => prompt.push(c),
            Press::Ctrl('u') => prompt.text.clear(),
            Press::Ctrl('w') => prompt.cut_word(),
            Press::Backspace | Press::Ctrl('h') => {
                let empty = prompt.text.pop().is_none();
                self.prompt = self.prompt.take().filter(|_| !empty);
            }
            Press::Up => {
                if let Some(before) = self.typed.get(&prompt.kind) {
                    prompt.text.clone_from(before);
                }
            }
            Press::Esc | Press::Ctrl('c') => self.prompt = None,
            Press::Enter => {
                let Some(prompt) = self.prompt.take() else { return };
                if !prompt.text.is_empty() {
                    self.typed.insert(prompt.kind, prompt.text.clone());
                }
                match prompt.kind {
                    PromptKind::Search => self.begin_search(&prompt.text),
                    PromptKind::Filter => self.filter(&prompt.text),
                    PromptKind::Goto => self.jump(&prompt.text),
                }
            }
            _ => {}
        }
    }

    fn begin_search(&mut self, typed: &str) {
        if !typed.is_empty() {
            match Regex::new(typed) {
                Ok(pattern) => self.pattern = Some(pattern),
                Err(error) => {
                    let text = error.to_string();
                    self.message = Some(text.lines().last().unwrap_or_default().to_owned());
                    return;
                }
            }
        }
        self.search(true);
    }

    /// Goes to what is searched for: in what is seen.
    fn search(&mut self, forward: bool) {
        let Some(pattern) = self.pattern.clone() else {
            self.message = Some("nothing was searched for yet: / begins".to_owned());
            return;
        };
        let layout = self.layout();
        let fits = |text: &str| pattern.is_match(text.as_bytes());
        let found = match (self.over.last(), self.tab) {
            (Some(Over::Record(doc) | Over::Damage(doc)), _) => {
                let lines = words_of(doc, layout.width);
                next_of(lines.len(), doc.top, forward, |at| fits(&lines[at]))
            }
            (Some(Over::Help(top)), _) => next_of(help::lines().len(), *top, forward, |at| fits(help::lines()[at])),
            (None, Tab::Records) => {
                let spot = self.records.spot();
                return self.ask(Ask::Find(pattern, forward, spot));
            }
            (None, Tab::Segments) => {
                let listed = self.listed.clone();
                next_of(listed.len(), self.segments.cursor, forward, |at| fits(&listed[at].name))
            }
            (None, Tab::Damage) => {
                let rows = self.damage_rows();
                let text = |at: usize| format!("{} {} {} {}", rows[at].place, rows[at].verdict, rows[at].kind, rows[at].words);
                next_of(rows.len(), self.damage.cursor, forward, |at| fits(&text(at)))
            }
        };
        match (found, self.over.last_mut(), self.tab) {
            (Some(at), Some(Over::Record(doc) | Over::Damage(doc)), _) => doc.top = at,
            (Some(at), Some(Over::Help(top)), _) => *top = at,
            (Some(at), None, Tab::Segments) => self.segments.cursor = at,
            (Some(at), None, _) => self.damage.cursor = at,
            (None, ..) => self.message = Some(format!("nothing {} matches", if forward { "below" } else { "above" })),
        }
    }

    fn filter(&mut self, typed: &str) {
        let conditions = if typed.trim().is_empty() {
            None
        } else {
            match Conditions::parse(typed, self.format) {
                Ok(conditions) => Some(conditions),
                Err(why) => {
                    self.message = Some(first_line(&why));
                    return;
                }
            }
        };
        let spot = self.records.spot();
        self.show(Tab::Records);
        self.records.asked = true;
        self.records.conditions.clone_from(&conditions);
        self.ask(Ask::Filter(conditions, spot));
    }

    fn jump(&mut self, typed: &str) {
        if typed.trim().is_empty() {
            return;
        }
        let now = Time::now();
        match JumpTarget::parse(typed, self.format.numbers, now, &|_| 0) {
            Ok(target) => {
                let here = match self.tab {
                    Tab::Records => self.records.spot().map(|spot| spot.segment),
                    Tab::Segments | Tab::Damage => None,
                };
                let here = here.or_else(|| self.listed.get(self.segments.cursor).map(|segment| segment.name.clone()));
                self.show(Tab::Records);
                self.records.asked = true;
                self.ask(Ask::Jump(target, here));
            }
            Err(why) => self.message = Some(crate::cli::render::escape::line(&why)),
        }
    }
}

/// The lines of a page as text, as far as it is words.
fn words_of(doc: &Doc, width: usize) -> Vec<String> {
    let text = |line: DocLine| match line {
        DocLine::Fact(label, text, _) => format!("{label}{text}"),
        DocLine::Head(name) => name,
        DocLine::Bytes(offset, _, name, _) => format!("{offset} {}", name.unwrap_or_default()),
    };
    doc.lines(width, 0, 10_000).into_iter().map(text).collect()
}

/// The next line that fits, behind the one that one stands on or before it.
fn next_of(length: usize, here: usize, forward: bool, fits: impl Fn(usize) -> bool) -> Option<usize> {
    if forward { (here + 1..length).find(|at| fits(*at)) } else { (0..here.min(length)).rev().find(|at| fits(*at)) }
}
