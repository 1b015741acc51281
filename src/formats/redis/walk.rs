//! Walking one file: a snapshot at its begin if there is one, and then command by command, each by the lengths that it states.

use super::super::again::Rereads;
use super::super::{Ending, Halt, Mark, Sink, Summary, Visit, Walk};
use super::command::{AofCommand, Effect, Here, stands};
use super::log::{Own, system_of};
use super::manifest::{FilePart, MANIFEST, part_name};
use super::rdb::{self, MAGIC, RdbEnd};
use crate::disk::Cursor;
use crate::model::{Damage, DamageKind, Error, Facts, Look, Lsn, Proof, Span, Warning};

/// How far a walk goes between two marks, and between two signs of life.
const STRIDE: u64 = 1 << 20;
/// Numbers of databases are smaller where a mark can hold them.
const DATABASES: u32 = 1 << 20;

pub const WRITTEN_AFTER: Proof = Proof::Told { by: "a whole command", words: "stands behind it and was written after it" };
pub const NAMED: Proof = Proof::Told { by: "its name", words: "is given to a base only when all of it was synced" };

/// A transaction whose EXEC was not met yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenMulti {
    pub start: u64,
    /// How many commands stand in it.
    pub commands: u64,
}

/// A walk under way.
pub struct Walker<'a, 's> {
    pub visit: &'a Visit<'a>,
    pub sink: &'a mut Sink<'s>,
    pub cursor: Cursor,
    pub summary: Summary,
    pub own: Own,
    pub at: u64,
    /// What the last SELECT chose; not known behind damage.
    pub database: Option<u32>,
    /// The time of the last annotation, in seconds.
    pub seconds: Option<u64>,
    pub multi: Option<OpenMulti>,
    /// How many transactions were begun.
    pub transactions: u64,
    pub rereads: Rereads,
    /// How many arguments may still be read of commands that come to nothing: in all, as many as the file has bytes.
    pub budget: u64,
}

pub fn walk(visit: &Visit<'_>, sink: &mut Sink<'_>) -> Walk {
    let cursor = visit.source.cursor(visit.segment)?;
    let mut state = Walker {
        visit,
        sink,
        summary: Summary::new(visit.segment, cursor.length()),
        own: Own::default(),
        at: 0,
        database: Some(0),
        seconds: None,
        multi: None,
        transactions: 0,
        rereads: Rereads::default(),
        budget: cursor.length().max(STRIDE),
        cursor,
    };
    match visit.want.start {
        Some(mark) => state.resume(mark),
        None => state.begin()?,
    }
    state.run()?;
    let Walker { mut summary, cursor, own, .. } = state;
    summary.length = cursor.length();
    summary.own = Some(Box::new(own));
    Ok(summary)
}

impl Walker<'_, '_> {
    /// What was known where another walk left a mark.
    fn resume(&mut self, mark: Mark) {
        self.at = mark.offset;
        let (seconds, database) = (mark.seed >> 20, (mark.seed & u64::from(DATABASES - 1)) as u32);
        self.seconds = (seconds > 0).then(|| seconds - 1);
        self.database = database.checked_sub(1);
    }

    /// A place from which another walk can begin, where what is known there can be written down.
    fn mark(&self) -> Option<Mark> {
        let database = self.database.map_or(0, |database| database.saturating_add(1));
        let seconds = self.seconds.map_or(0, |seconds| seconds.saturating_add(1));
        let fits = database < DATABASES && seconds < 1 << 43 && self.multi.is_none();
        fits.then_some(Mark { offset: self.at, due: Lsn(0), seed: seconds << 20 | u64::from(database) })
    }

    /// What can be told of the file before its first command.
    fn begin(&mut self) -> Result<(), Halt> {
        let named = part_name(&self.visit.segment.name);
        self.own.base = named.is_some_and(|named| named.part == FilePart::Base);
        let head = self.cursor.bytes(0, MAGIC).to_vec();
        if let Some((system, version)) = rdb::version_of(&head) {
            self.own.system = system_of(system);
            return self.snapshot(system, version);
        }
        if self.visit.segment.name.ends_with(MANIFEST) && head.starts_with(b"file ") {
            let why = format!("its log is read by this folder; {} is only the list of its files", self.visit.segment.name);
            let dir = &self.visit.source.dir;
            let path = if dir.as_os_str().is_empty() { ".".into() } else { dir.clone() };
            return Err(Error::Refused { path, why }.into());
        }
        let should = self.visit.segment.name.ends_with(".base.rdb");
        if should && self.cursor.refused_at(0).is_none() {
            let found = if head.is_empty() { "an empty file" } else { "other bytes" };
            let length = head.len() as u64;
            let mut damage = self.bad(DamageKind::BadHeader, 0, length, found.to_owned());
            damage.expected = "a snapshot, which begins with REDIS or VALKEY and its version".to_owned();
            damage.facts.proof = Some(NAMED);
            self.at = self.cursor.length();
            self.own.preamble = self.at;
            return self.hurt(damage);
        }
        Ok(())
    }

    /// The file begins with a snapshot.
    fn snapshot(&mut self, system: &'static str, version: u32) -> Result<(), Halt> {
        self.summary.blank = false;
        let end = loop {
            let seen = self.rereads.stop(&mut self.cursor, 0);
            let end = rdb::end_of(&mut self.cursor, version);
            if matches!(end, RdbEnd::Whole { .. }) || self.cursor.next_refused(0).is_some() {
                break end;
            }
            if self.cursor.unmap_if_faulty() || self.rereads.tail_moves(&seen, &mut self.cursor, self.visit.want.live)? {
                continue;
            }
            break end;
        };
        if let Some((from, to)) = self.cursor.next_refused(0) {
            let words = format!("bytes {from} to {to}, which the system refuses to give");
            let mut damage = self.bad(DamageKind::ReadError, from, to, words);
            damage.expected = "a snapshot".to_owned();
            damage.facts = Facts::of(Look::Refused);
            self.at = self.cursor.length();
            self.own.preamble = self.at;
            return self.hurt(damage);
        }
        match end {
            RdbEnd::Whole { end, sum } => {
                self.summary.frames += 1;
                self.summary.valid_bytes += end;
                self.own.preamble = end;
                self.at = end;
                self.deliver_snapshot(system, version, end, sum)?;
            }
            RdbEnd::BadSum { mark, stored, computed, followed } => {
                let found = format!("{stored:016x}, and {computed:016x} computed: at least one byte of the snapshot has changed");
                let mut damage = self.bad(DamageKind::BadChecksum, mark + 1, mark + 9, found);
                damage.expected = "the CRC-64 of all bytes in front of it".to_owned();
                damage.facts.proof = if followed { Some(WRITTEN_AFTER) } else { self.own.base.then_some(NAMED) };
                self.own.preamble = mark + 9;
                self.at = mark + 9;
                self.hurt(damage)?;
            }
            RdbEnd::None { length } => {
                let start = length.saturating_sub(rdb::END).max((MAGIC as u64).min(length));
                let mut damage =
                    self.bad(DamageKind::CutShort, start, length, "no end: the file is cut short, or hurt there".to_owned());
                damage.expected = "ff and the CRC-64 of the snapshot".to_owned();
                damage.facts = Facts::of(Look::Interrupted);
                damage.facts.proof = self.own.base.then_some(NAMED);
                self.own.preamble = length;
                self.at = length;
                self.hurt(damage)?;
            }
        }
        Ok(())
    }

    fn run(&mut self) -> Result<(), Halt> {
        let (mut told, mut marked) = (self.at, self.at);
        loop {
            match stands(&mut self.cursor, self.at, &mut u64::MAX.clone()) {
                Here::Command(command) => self.command(&command)?,
                Here::Note { end, seconds } => self.note(end, seconds)?,
                // Bytes of a mapping that could not be read look like zeros: read them again in a way that tells.
                _ if self.cursor.unmap_if_faulty() => {}
                Here::Ends if self.cursor.refused_at(self.at).is_none() => {
                    if self.ends()? {
                        return Ok(());
                    }
                }
                here => {
                    if !self.stop(here)? {
                        return Ok(());
                    }
                }
            }
            if self.at >= told + STRIDE {
                told = self.at;
                self.sink.reached(told)?;
            }
            if self.visit.want.marks
                && self.at >= marked + STRIDE
                && let Some(mark) = self.mark()
            {
                marked = self.at;
                self.sink.mark(mark)?;
            }
        }
    }

    /// The file ends at a command. False when it has grown meanwhile.
    fn ends(&mut self) -> Result<bool, Halt> {
        let Some(multi) = self.multi else {
            if self.summary.ending != Ending::Damage {
                (self.summary.end, self.summary.ending) = (self.at, Ending::FileEnds);
            }
            return Ok(true);
        };
        let seen = self.rereads.stop(&mut self.cursor, self.at);
        if self.rereads.tail_moves(&seen, &mut self.cursor, self.visit.want.live)? {
            return Ok(false);
        }
        self.left_open(multi)?;
        Ok(true)
    }

    /// A whole command.
    fn command(&mut self, command: &AofCommand) -> Result<(), Halt> {
        self.counted(command.end);
        let inside = self.multi.map(|_| self.transactions);
        match (command.effect, &mut self.multi) {
            (Effect::Multi, None) => {
                self.transactions += 1;
                self.multi = Some(OpenMulti { start: command.at, commands: 0 });
            }
            (Effect::Exec, Some(multi)) => {
                let commands = multi.commands;
                self.multi = None;
                self.own.closed = self.own.closed.saturating_add(1);
                return self.deliver(command, inside, Some(commands));
            }
            // The server queues a MULTI inside of another and runs all of it at the EXEC.
            (_, Some(multi)) => multi.commands += 1,
            (_, None) => {}
        }
        if let Effect::Select(database) = command.effect {
            self.database = database;
        }
        let inside = self.multi.map(|_| self.transactions);
        self.deliver(command, inside, None)
    }

    /// An annotation.
    fn note(&mut self, end: u64, seconds: Option<u64>) -> Result<(), Halt> {
        let start = self.at;
        self.counted(end);
        self.seconds = seconds.or(self.seconds);
        self.deliver_note(start, end, seconds)
    }

    fn counted(&mut self, end: u64) {
        self.summary.blank = false;
        self.summary.frames += 1;
        self.summary.records += 1;
        self.own.behind += u64::from(self.own.first_bad.is_some());
        self.summary.valid_bytes += end - self.at;
        self.at = end;
    }

    pub fn bad(&self, kind: DamageKind, start: u64, end: u64, found: String) -> Damage {
        Damage {
            kind,
            span: Span::new(self.visit.segment.id, start, end),
            lsn: None,
            doubt: None,
            expected: "a command".to_owned(),
            found,
            facts: Facts::of(Look::Wrong),
        }
    }

    pub fn hurt(&mut self, damage: Damage) -> Result<(), Halt> {
        self.own.first_bad.get_or_insert(damage.span.start());
        self.summary.hurt(damage, self.sink)
    }

    pub fn warn(&mut self, name: &'static str, start: u64, end: u64, text: String) {
        self.summary.warnings.push(Warning { name, span: Span::new(self.visit.segment.id, start, end), text });
    }
}
