//! Two logs go by side by side, the lower number first. What is only in one of them lies between two records of the other, and what is
//! known of that gap decides what it means.

use std::collections::VecDeque;
use std::sync::mpsc::Receiver;

use super::neither::in_neither;
use super::side::{ComparedRecord, FromSide, Side, SideEnd};
use super::values::{
    Comparison, Difference, Differing, InNeither, OnlyRange, Parting, Ranges, RecordRange, RecordSeen, SideReport, Uncompared,
    Which, Why,
};
use crate::model::{Damage, DamageKind, Error, Lsn, LsnRange, Result, Verdict};

/// More ranges of a sort than this are counted and not kept.
const KEPT: usize = 10_000;

/// What became of a comparison.
pub enum Merged {
    Done(Box<Comparison>),
    /// These logs have to be put in order first.
    Falls([bool; 2]),
}

/// Reads one log's units as they come.
struct Incoming {
    receiver: Receiver<FromSide>,
    waiting: VecDeque<ComparedRecord>,
    end: Option<SideEnd>,
    falls: bool,
    /// Records that came.
    records: u64,
    lsns: Option<LsnRange>,
}

impl Incoming {
    fn new(receiver: Receiver<FromSide>) -> Incoming {
        Incoming { receiver, waiting: VecDeque::new(), end: None, falls: false, records: 0, lsns: None }
    }

    /// Sees to it that the next unit is at hand, if there is one.
    fn fill(&mut self) -> Result<()> {
        while self.waiting.is_empty() && self.end.is_none() && !self.falls {
            match self.receiver.recv() {
                Ok(FromSide::Units(units)) => self.waiting.extend(units),
                Ok(FromSide::Falls) => self.falls = true,
                Ok(FromSide::Ended(end)) => self.end = Some(*end?),
                // A thread that ended without a word panicked; joining it says so.
                Err(_) => return Err(Error::Interrupted),
            }
        }
        Ok(())
    }

    fn take(&mut self) -> Option<ComparedRecord> {
        let unit = self.waiting.pop_front()?;
        self.records += 1;
        let first = self.lsns.map_or(unit.lsns.first, |all| all.first);
        self.lsns = LsnRange::new(first, unit.lsns.last);
        Some(unit)
    }
}

/// A gap of one log, in which the other one has records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum GapKind {
    /// Before its first record.
    Front,
    /// Between two records, with damage or without.
    Within { hurt: bool },
    /// Behind its last one.
    Tail,
}

/// Records that only one log has, with the gap of the other one that they lie in.
#[derive(Clone, Copy, Debug)]
struct Lone {
    range: RecordRange,
    gap: GapKind,
    /// They came to their log after reading began.
    later: bool,
    /// The doubt of the other log's damage that they lie in, where it was known by then.
    damage: Option<DamageKind>,
}

struct Merge<'a> {
    sides: [&'a Side<'a>; 2],
    streams: [Incoming; 2],
    lone: [Ranges<Lone>; 2],
    differing: Ranges<Differing>,
    encrypted: Ranges<RecordRange>,
    same: u64,
    parts: PartingFinder,
    kinds_compared: bool,
    by_source_lsn: bool,
}

/// Keeps what is needed to say where the logs part: the first record of each range that is in one log only, for some ranges may turn out to
/// be explained by damage.
#[derive(Default)]
struct PartingFinder {
    lone: [Vec<(LsnRange, RecordSeen)>; 2],
    differing: Option<(LsnRange, [RecordSeen; 2])>,
}

pub fn merge(sides: [&Side<'_>; 2], receivers: [Receiver<FromSide>; 2], same_system: bool) -> Result<Merged> {
    let mut merge = Merge {
        sides,
        streams: receivers.map(Incoming::new),
        lone: [Ranges::default(), Ranges::default()],
        differing: Ranges::default(),
        encrypted: Ranges::default(),
        same: 0,
        parts: PartingFinder::default(),
        kinds_compared: same_system,
        by_source_lsn: false,
    };
    loop {
        merge.streams.iter_mut().try_for_each(Incoming::fill)?;
        let [a, b] = &merge.streams;
        if a.falls || b.falls {
            return Ok(Merged::Falls([a.falls, b.falls]));
        }
        let next = |stream: &Incoming| stream.waiting.front().map(|unit| unit.lsns.first);
        match (next(a), next(b)) {
            (None, None) => break,
            (Some(first), Some(second)) if first == second => merge.pair(),
            (Some(first), Some(second)) if first < second => merge.alone(Which::A),
            (Some(_), None) => merge.alone(Which::A),
            _ => merge.alone(Which::B),
        }
    }
    Ok(Merged::Done(Box::new(merge.finish())))
}

impl Merge<'_> {
    fn pair(&mut self) {
        let [first, second] = &mut self.streams;
        let (Some(a), Some(b)) = (first.take(), second.take()) else { return };
        self.by_source_lsn |= a.salvaged || b.salvaged;
        let either = a.salvaged || b.salvaged;
        let difference = Difference {
            payload: a.length != b.length || a.digest != b.digest,
            kind: self.kinds_compared && a.kind != b.kind,
            tag: self.kinds_compared && a.tag.unwrap_or(0) != b.tag.unwrap_or(0),
            extent: a.lsns.last != b.lsns.last && !either,
        };
        let lsns = LsnRange { first: a.lsns.first, last: a.lsns.last.max(b.lsns.last) };
        // Equal ciphertexts hold the same; other ones may, too.
        self.lone.iter_mut().for_each(|ranges| ranges.open = false);
        if difference.payload && (a.encrypted || b.encrypted) {
            self.differing.open = false;
            grow(&mut self.encrypted, lsns, |_| true, |range| range);
            return;
        }
        if !difference.any() {
            self.same += 1;
            (self.differing.open, self.encrypted.open) = (false, false);
            return;
        }
        self.encrypted.open = false;
        if self.parts.differing.is_none() {
            self.parts.differing = Some((lsns, [sight(&a), sight(&b)]));
        }
        grow(&mut self.differing, lsns, |last| last.difference == difference, |range| Differing { range, difference });
    }

    fn alone(&mut self, which: Which) {
        let Some(unit) = self.streams[which.index()].take() else { return };
        let other = &self.streams[which.other().index()];
        let lacking = self.sides[which.other().index()];
        let gap = match (other.waiting.front(), other.records) {
            (None, 0) => GapKind::Front,
            (None, _) => GapKind::Tail,
            (Some(next), 0) if !next.hurt => GapKind::Front,
            (Some(next), _) => GapKind::Within { hurt: next.hurt },
        };
        let own = self.sides[which.index()];
        let later = own.live && own.noted.is_none_or(|noted| unit.lsns.first > noted);
        // Behind its last record all that is known of the other log is known already.
        let damage = other.end.as_ref().and_then(|end| in_doubt(&end.outcome.damage, unit.lsns));
        let alike = |last: &Lone| last.gap == gap && last.later == later && last.damage == damage;
        let made = |range| Lone { range, gap, later, damage };
        let fits = |last: &Lone| alike(last) && same_side(lacking, last, &unit);
        if grow(&mut self.lone[which.index()], unit.lsns, fits, made) {
            self.parts.lone[which.index()].push((unit.lsns, sight(&unit)));
        }
        // Each range lies in one gap: where the other log has a record between them, a new one begins.
        self.lone[which.other().index()].open = false;
        (self.differing.open, self.encrypted.open) = (false, false);
    }

    fn finish(mut self) -> Comparison {
        let ends: Vec<SideEnd> = self.streams.iter_mut().filter_map(|stream| stream.end.take()).collect();
        let mut only = [Ranges::default(), Ranges::default()];
        let mut uncompared = Ranges::default();
        let mut parted: Vec<(LsnRange, Which)> = Vec::new();
        for which in Which::BOTH {
            let lone = std::mem::take(&mut self.lone[which.index()]);
            let lacking = which.other();
            let end = ends.get(lacking.index());
            let (beyond, mut unlisted) = (lone.beyond, lone.records);
            for one in lone.listed {
                unlisted -= one.range.records;
                match end.and_then(|end| self.reason(&one, lacking, end)) {
                    Some(why) => add(&mut uncompared, Uncompared { range: one.range, why }, one.range.records),
                    None => {
                        parted.push((one.range.lsns, which));
                        let known_hole =
                            end.is_some_and(|end| in_known_hole(end, self.sides[lacking.index()].by_source, one.range.lsns));
                        add(&mut only[which.index()], OnlyRange { range: one.range, known_hole }, one.range.records);
                    }
                }
            }
            only[which.index()].beyond += beyond;
            only[which.index()].records += unlisted;
        }
        let ambiguous = ambiguous(&ends);
        let differing = std::mem::take(&mut self.differing);
        let mut left = Ranges { beyond: differing.beyond, records: differing.records, ..Ranges::default() };
        for one in differing.listed {
            match ambiguous.filter(|(_, from)| one.range.lsns.last >= *from) {
                Some((which, _)) => {
                    let why = Why::Damage(which, DamageKind::LsnBack);
                    left.records -= one.range.records;
                    add(&mut uncompared, Uncompared { range: one.range, why }, one.range.records);
                }
                None => left.listed.push(one),
            }
        }
        self.differing = left;
        for range in &self.encrypted.listed {
            add(&mut uncompared, Uncompared { range: *range, why: Why::Encrypted }, range.records);
        }
        uncompared.beyond += self.encrypted.beyond;
        uncompared.records += self.encrypted.records - self.encrypted.listed.iter().map(|range| range.records).sum::<u64>();
        uncompared.listed.sort_by_key(|one: &Uncompared| one.range.lsns);
        let in_neither = self.in_neither(&ends, &uncompared, &only);
        let parting = self.parts.find(&parted, self.differing.listed.first().map(|one| one.range.lsns));
        let mut sides = Vec::new();
        for ((stream, side), end) in self.streams.iter().zip(self.sides).zip(ends) {
            sides.push(report(stream, side, end));
        }
        let [b, a] = [sides.pop(), sides.pop()].map(|side| side.expect("a merge is done when both logs were read to their ends"));
        Comparison {
            sides: [a, b],
            same: self.same,
            parting,
            only,
            differing: self.differing,
            uncompared,
            in_neither,
            window: self.sides[0].window,
            kinds_compared: self.kinds_compared,
            by_source_lsn: self.by_source_lsn,
        }
    }

    /// What neither log has. Where not all ranges are listed, that is not known.
    fn in_neither(&self, ends: &[SideEnd], uncompared: &Ranges<Uncompared>, only: &[Ranges<OnlyRange>; 2]) -> Vec<InNeither> {
        if uncompared.beyond > 0 || only.iter().any(|only| only.beyond > 0) {
            return Vec::new();
        }
        let damage = [0, 1].map(|index| match ends.get(index) {
            // The damage of a log that was salvaged from the other one bears other numbers.
            Some(end) if !self.sides[index].by_source => end.outcome.damage.as_slice(),
            _ => &[],
        });
        let shown: Vec<LsnRange> = only.iter().flat_map(|only| &only.listed).map(|one| one.range.lsns).collect();
        in_neither(damage, self.sides[0].window, &uncompared.listed, &shown)
    }

    /// What explains that `lacking` does not have these records, if anything does.
    fn reason(&self, one: &Lone, lacking: Which, end: &SideEnd) -> Option<Why> {
        let lsns = one.range.lsns;
        if one.later {
            return Some(Why::Meanwhile(lacking));
        }
        let given_twice = |damage: &&Damage| damage.kind == DamageKind::LsnBack && damage.lsn.is_some_and(|lsn| lsn <= lsns.last);
        if let Some(twice) = end.outcome.damage.iter().find(given_twice) {
            return Some(Why::Damage(lacking, twice.kind));
        }
        if let Some(kind) = one.damage.or_else(|| in_doubt(&end.outcome.damage, lsns)) {
            return Some(Why::Damage(lacking, kind));
        }
        if end.outcome.passed.iter().filter_map(|passed| passed.unread(&end.outcome)).any(|gone| meet(gone, lsns)) {
            return Some(Why::Removed(lacking));
        }
        let side = self.sides[lacking.index()];
        let before_first =
            side.first.or(self.streams[lacking.index()].lsns.map(|all| all.first)).is_some_and(|first| lsns.last < first);
        match one.gap {
            GapKind::Within { hurt: true } => {
                // Damage that names no LSNs, between the records on either side: the last before where the next one is.
                let named = end.outcome.damage.iter().rfind(|damage| damage.lsn.is_some_and(|due| due <= lsns.last));
                Some(Why::Damage(lacking, named.or(end.outcome.damage.first())?.kind))
            }
            _ if before_first => Some(Why::Pruned(lacking)),
            // Nothing says how many records an interrupted write at the end held.
            GapKind::Tail | GapKind::Front if end.hurt => {
                let open = end.outcome.damage.iter().rfind(|damage| damage.doubt.is_none() && damage.lsn.is_none());
                open.map(|damage| Why::Damage(lacking, damage.kind))
            }
            _ => None,
        }
    }
}

/// From where on the numbers of a log name no record for certain, because they were given twice.
fn ambiguous(ends: &[SideEnd]) -> Option<(Which, Lsn)> {
    let back = |end: &SideEnd| {
        let all = end.outcome.damage.iter().filter(|damage| damage.kind == DamageKind::LsnBack);
        all.filter_map(|damage| damage.lsn).min().map(|due| end.lowest_disordered.map_or(due, |lowest| lowest.min(due)))
    };
    let both = Which::BOTH.into_iter().zip(ends).filter_map(|(which, end)| Some((which, back(end)?)));
    both.min_by_key(|(_, from)| *from)
}

/// Whether a unit may join a range of records that the other log lacks: not across the edge of what that log ever held.
fn same_side(lacking: &Side<'_>, last: &Lone, unit: &ComparedRecord) -> bool {
    lacking.first.is_none_or(|first| (last.range.lsns.last < first) == (unit.lsns.last < first))
}

/// The kind of damage that casts doubt on some of these LSNs.
fn in_doubt(damage: &[Damage], lsns: LsnRange) -> Option<DamageKind> {
    let doubt = |damage: &&Damage| match (damage.doubt, damage.lsn) {
        (Some(doubt), _) => meet(doubt, lsns),
        (None, Some(due)) => lsns.contains(due),
        (None, None) => false,
    };
    damage.iter().find(doubt).map(|damage| damage.kind)
}

/// Whether a frame of the log itself says that these are gone. A log that was salvaged may say which numbers they had before.
fn in_known_hole(end: &SideEnd, by_source: bool, lsns: LsnRange) -> bool {
    let mut holes = end.outcome.summaries.iter().flat_map(|summary| summary.holes.kept()).map(|known| &known.hole);
    holes.any(|hole| match by_source && hole.source_lsns().next().is_some() {
        true => hole.source_lsns().any(|source| meet(source, lsns)),
        false => meet(hole.lsns, lsns),
    })
}

fn meet(a: LsnRange, b: LsnRange) -> bool {
    a.first <= b.last && b.first <= a.last
}

fn sight(unit: &ComparedRecord) -> RecordSeen {
    RecordSeen {
        file: unit.segment.to_string(),
        offset: unit.offset,
        kind: unit.kind.to_string(),
        time: unit.time,
        length: unit.length,
    }
}

fn report(stream: &Incoming, side: &Side<'_>, end: SideEnd) -> SideReport {
    let outcome = end.outcome;
    SideReport {
        source: outcome.source,
        live: side.live,
        verdict: outcome.damage.iter().map(Damage::verdict).max().unwrap_or(Verdict::Clean),
        damage: outcome.damage,
        beyond: outcome.more_damage,
        records: stream.records,
        lsns: stream.lsns,
        unnumbered: end.unnumbered,
        disordered: end.disordered,
    }
}

impl PartingFinder {
    /// The lowest LSN at which the logs are not the same, with the records there.
    fn find(self, only: &[(LsnRange, Which)], differing: Option<LsnRange>) -> Option<Parting> {
        let first = only.iter().min_by_key(|(lsns, _)| lsns.first);
        if let Some(lsns) = differing.filter(|lsns| first.is_none_or(|(only, _)| lsns.first < only.first)) {
            let seen = self.differing.filter(|(seen, _)| seen.first == lsns.first);
            let sights = seen.map_or([None, None], |(_, [a, b])| [Some(a), Some(b)]);
            return Some(Parting { lsn: lsns.first, sights });
        }
        let (lsns, which) = first?;
        let seen = self.lone[which.index()].iter().find(|(seen, _)| seen.first == lsns.first).map(|(_, sight)| sight.clone());
        let mut sights = [None, None];
        sights[which.index()] = seen;
        Some(Parting { lsn: lsns.first, sights })
    }
}

/// What has a range of records, and grows with it.
trait Ranged {
    fn range(&mut self) -> &mut RecordRange;
}

impl Ranged for RecordRange {
    fn range(&mut self) -> &mut RecordRange {
        self
    }
}

impl Ranged for Lone {
    fn range(&mut self) -> &mut RecordRange {
        &mut self.range
    }
}

impl Ranged for Differing {
    fn range(&mut self) -> &mut RecordRange {
        &mut self.range
    }
}

/// Adds a record to the last range if it belongs there, or begins a new one. Whether it began one.
fn grow<T: Ranged>(ranges: &mut Ranges<T>, lsns: LsnRange, fits: impl Fn(&T) -> bool, made: impl Fn(RecordRange) -> T) -> bool {
    ranges.records += 1;
    let (open, room) = (std::mem::replace(&mut ranges.open, true), ranges.listed.len() < KEPT);
    match ranges.listed.last_mut() {
        // Of what is not kept only breaks are seen.
        Some(_) if open && ranges.beyond > 0 => false,
        Some(last) if open && fits(last) => {
            let range = last.range();
            range.lsns.last = lsns.last.max(range.lsns.last);
            range.records += 1;
            false
        }
        _ if room => {
            ranges.listed.push(made(RecordRange { lsns, records: 1 }));
            true
        }
        _ => {
            ranges.beyond += 1;
            false
        }
    }
}

fn add<T>(ranges: &mut Ranges<T>, one: T, records: u64) {
    ranges.listed.push(one);
    ranges.records += records;
}
