//! Walking one segment: frames become records, each checked against the running sum, and what stands where a frame was due is looked into.

use super::super::again::Rereads;
use super::super::{Ending, Halt, Mark, Sink, Summary, Visit, Walk};
use super::frame::{EtcdFrame, EtcdStands, RecordType, stands, sum_behind};
use super::log::{self, BrokenHead, Own};
use super::raft::{EntryHead, HardState, LONGEST_START, Member, SnapshotHead};
use crate::disk::Cursor;
use crate::model::{Damage, DamageKind, Facts, Look, Lsn, LsnRange, Span, Warning};

/// How far a walk goes between two marks, and between two signs of life.
const STRIDE: u64 = 1 << 20;
/// In a mark: the running sum is known.
const KNOWN_SUM: u64 = 1 << 32;

/// A walk under way.
pub(super) struct Walker<'a, 's> {
    pub(super) visit: &'a Visit<'a>,
    pub(super) sink: &'a mut Sink<'s>,
    pub(super) cursor: Cursor,
    pub(super) summary: Summary,
    pub(super) own: Own,
    pub(super) at: u64,
    /// The running sum in front of the next frame; `None` before the first one.
    pub(super) sum: Option<u32>,
    /// A frame whose sum nothing tells: what stood before it is lost.
    pub(super) unproven: Option<u64>,
    /// The index of the next entry; `None` before the first one.
    pub(super) due: Option<u64>,
    /// Up to where snapshots go.
    snapshot: u64,
    /// How much of the damage is proven by a later state.
    promised: usize,
    pub(super) rereads: Rereads,
    told_unknown: bool,
}

/// What a record holds, as far as it is needed.
pub(super) enum Holds {
    Member(Member),
    Entry(EntryHead),
    State(HardState),
    Snapshot(SnapshotHead),
    Sum,
    Unknown,
}

pub(super) fn walk(visit: &Visit<'_>, sink: &mut Sink<'_>) -> Walk {
    let cursor = visit.source.cursor(visit.segment)?;
    let mut state = Walker {
        visit,
        sink,
        summary: Summary::new(visit.segment, cursor.length()),
        cursor,
        own: Own::default(),
        at: 0,
        sum: None,
        unproven: None,
        due: None,
        snapshot: 0,
        promised: 0,
        rereads: Rereads::default(),
        told_unknown: false,
    };
    if log::name_of(&visit.segment.name).is_some_and(|(sequence, _)| sequence == 0) {
        // There is nothing before it.
        state.sum = Some(0);
    }
    if let Some(mark) = visit.want.start {
        state.at = mark.offset;
        state.sum = (mark.seed & KNOWN_SUM != 0).then_some(mark.seed as u32);
        state.unproven = state.sum.is_none().then_some(mark.offset);
        state.due = Some(mark.due.0).filter(|due| *due > 0);
    }
    state.run()?;
    let Walker { mut summary, cursor, mut own, sum, due, .. } = state;
    summary.length = cursor.length();
    summary.due = due.map(Lsn);
    // Where the segment was begun, whatever became of its first entries.
    if let Some((_, index)) = log::name_of(&visit.segment.name) {
        summary.begins = Some(Lsn(index));
    }
    own.sum = sum;
    summary.own = Some(Box::new(own));
    Ok(summary)
}

impl Walker<'_, '_> {
    fn run(&mut self) -> Result<(), Halt> {
        let (mut told, mut marked) = (self.at, self.at);
        loop {
            match stands(&mut self.cursor, self.at) {
                EtcdStands::Frame(frame) if self.continues(&frame) => self.frame(&frame)?,
                // Bytes of a mapping that could not be read look like zeros: read them again in a way that tells.
                _ if self.cursor.unmap_if_faulty() => {}
                EtcdStands::FileEnds => {
                    (self.summary.end, self.summary.ending) = (self.at, Ending::FileEnds);
                    return Ok(());
                }
                EtcdStands::Zeros => {
                    (self.summary.end, self.summary.ending) = (self.at, Ending::Zeros);
                    return Ok(());
                }
                EtcdStands::Frame(_) | EtcdStands::ZeroWord | EtcdStands::Bad => {
                    if !self.stop()? {
                        return Ok(());
                    }
                }
            }
            if self.at >= told + STRIDE {
                told = self.at;
                self.sink.reached(told)?;
            }
            if self.visit.want.marks && self.at >= marked + STRIDE && self.unproven.is_none() {
                marked = self.at;
                let seed = self.sum.map_or(0, |sum| KNOWN_SUM | u64::from(sum));
                self.sink.mark(Mark { offset: marked, due: Lsn(self.due.unwrap_or(0)), seed })?;
            }
        }
    }

    /// Whether a frame continues the running sum, and holds what its type says.
    pub(super) fn continues(&mut self, frame: &EtcdFrame) -> bool {
        let sum = match (frame.kind, self.sum) {
            _ if self.unproven == Some(frame.at) => true,
            // The first record of a segment carries the sum over; any other one repeats it.
            (RecordType::Sum, None) => frame.at == 0,
            (RecordType::Sum, Some(sum)) => sum == frame.sum,
            (_, None) => false,
            (_, Some(sum)) => sum_behind(&mut self.cursor, sum, frame) == Some(frame.sum),
        };
        sum && self.holds(frame).is_some()
    }

    /// What a frame holds; `None` when it is not what its type says.
    pub(super) fn holds(&mut self, frame: &EtcdFrame) -> Option<Holds> {
        let want = LONGEST_START.min(usize::try_from(frame.length).unwrap_or(usize::MAX));
        let start = self.cursor.bytes(frame.data, want);
        match frame.kind {
            RecordType::Metadata => Member::parse(start, frame.length).map(Holds::Member),
            RecordType::Entry => EntryHead::parse(start, frame.length).map(Holds::Entry),
            RecordType::State => HardState::parse(start, frame.length).map(Holds::State),
            RecordType::Snapshot => SnapshotHead::parse(start, frame.length).map(Holds::Snapshot),
            RecordType::Sum => (frame.length == 0).then_some(Holds::Sum),
            // An entry that is due here is an entry, whatever its type says.
            RecordType::Unknown(_) => {
                let entry = EntryHead::parse(start, frame.length).filter(|entry| Some(entry.index) == self.due);
                entry.is_none().then_some(Holds::Unknown)
            }
        }
    }

    /// A whole frame.
    fn frame(&mut self, frame: &EtcdFrame) -> Result<(), Halt> {
        let Some(holds) = self.holds(frame) else { return Ok(()) };
        let proven = self.unproven.take() != Some(frame.at);
        self.summary.blank = false;
        self.summary.frames += 1;
        self.summary.records += 1;
        self.summary.valid_bytes += frame.end - frame.at;
        if !self.summary.damage.is_empty() {
            self.own.behind += 1;
        }
        if frame.at == 0 && frame.kind == RecordType::Sum {
            self.own.carried = Some(frame.sum);
        }
        match &holds {
            Holds::Member(member) => drop(self.own.member.get_or_insert(*member)),
            Holds::Entry(entry) => self.order(frame, entry)?,
            Holds::State(state) => self.commit(state),
            Holds::Snapshot(snapshot) => self.snapshot = self.snapshot.max(snapshot.index),
            Holds::Unknown => self.unknown(frame),
            Holds::Sum => {}
        }
        self.sum = Some(frame.sum);
        self.at = frame.end;
        let lsn = match &holds {
            Holds::Entry(entry) => Some(Lsn(entry.index)),
            _ => None,
        };
        let wanted = self.visit.want.lsns.is_none_or(|range| lsn.is_none_or(|lsn| range.contains(lsn)));
        if self.visit.want.counts_only || !wanted {
            return Ok(());
        }
        self.deliver(frame, &holds, proven)
    }

    /// The index of an entry, compared with the one that was due. A lower one replaces what stands above it: a new leader wrote it.
    fn order(&mut self, frame: &EtcdFrame, entry: &EntryHead) -> Result<(), Halt> {
        let lsn = Lsn(entry.index);
        self.summary.saw(lsn, lsn);
        let due = self.due.replace(entry.index.saturating_add(1));
        let Some(due) = due.filter(|due| entry.index > *due) else { return Ok(()) };
        let doubt = LsnRange::new(Lsn(due), Lsn(entry.index - 1));
        // Behind damage a gap is what the damage took.
        if let Some(damage) = self.summary.damage.kept_mut().iter_mut().rev().find(|damage| damage.lsn == Some(Lsn(due))) {
            damage.doubt = doubt;
            return Ok(());
        }
        // A member that was far behind got a snapshot instead of the entries.
        if self.snapshot.saturating_add(1) >= entry.index {
            return Ok(());
        }
        self.hurt(Damage {
            kind: DamageKind::LsnGap,
            span: Span::new(self.visit.segment.id, frame.at, frame.at),
            lsn: Some(Lsn(due)),
            doubt,
            expected: format!("entry {due}"),
            found: format!(
                "entry {}, and nothing of those between: what was one of them is called something else, or was never written",
                entry.index
            ),
            facts: Facts::of(Look::Absent),
        })
    }

    /// A state promises entries up to its commit index, and so those that are damaged before it.
    fn commit(&mut self, state: &HardState) {
        self.own.commit = self.own.commit.max(state.commit);
        let damage = self.summary.damage.kept_mut();
        while let Some(next) = damage.get_mut(self.promised).filter(|next| next.lsn.is_none_or(|due| due.0 <= state.commit)) {
            if next.lsn.is_some() {
                next.facts.proof = Some(log::COMMITTED);
            }
            self.promised += 1;
        }
    }

    fn unknown(&mut self, frame: &EtcdFrame) {
        let RecordType::Unknown(number) = frame.kind else { return };
        if !std::mem::replace(&mut self.told_unknown, true) {
            let text = format!(
                "a record of type {number}, which no etcd up to 3.7 writes: it is shown by its length; an etcd that does not know it refuses to \
                 start on this log"
            );
            let span = Span::new(self.visit.segment.id, frame.at, frame.end);
            self.summary.warnings.push(Warning { name: "unknown-type", span, text });
        }
    }

    /// Remembers what the join needs to tell which of the first two records is wrong.
    pub(super) fn note_head(&mut self, frame: &EtcdFrame, computed: u32) {
        let first = self.own.carried.is_some() && self.summary.records == 1;
        if first {
            self.own.head = Some(BrokenHead { computed, stored: frame.sum, length: frame.length });
        }
    }

    pub(super) fn bad(&self, kind: DamageKind, start: u64, end: u64, found: String) -> Damage {
        Damage {
            kind,
            span: Span::new(self.visit.segment.id, start, end),
            lsn: self.due.map(Lsn),
            doubt: None,
            expected: match (self.due, self.sum) {
                (_, None) if start == 0 => "the record that carries the running sum over".to_owned(),
                (Some(due), _) => format!("a record; the next entry is {due}"),
                (None, _) => "a record".to_owned(),
            },
            found,
            facts: Facts::of(Look::Wrong),
        }
    }

    pub(super) fn hurt(&mut self, damage: Damage) -> Result<(), Halt> {
        self.summary.hurt(damage, self.sink)
    }
}
