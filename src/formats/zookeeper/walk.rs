//! Walking one file: transactions become records, and what stands where one was due is looked into.

use super::super::again::Rereads;
use super::super::{Ending, Halt, Mark, Sink, Summary, Visit, Walk};
use super::frame::{AROUND, END, FILE_HEADER, HEADER, MAGIC, Txn, TxnClaim, VERSION, adler32, kind_of, path_of, show};
use super::log::{Own, name_of};
use crate::disk::{Cursor, pieces};
use crate::model::{Damage, DamageKind, Error, Facts, Field, Look, Lsn, LsnRange, Payload, Record, Result, Span, Time, Value};

/// How far a walk goes between two marks, and between two signs of life.
const STRIDE: u64 = 1 << 20;
/// Transactions longer than this are not held in memory.
const HELD: u64 = 8 << 20;

/// A walk under way.
pub(super) struct Walker<'a, 's> {
    pub(super) visit: &'a Visit<'a>,
    pub(super) sink: &'a mut Sink<'s>,
    pub(super) cursor: Cursor,
    pub(super) summary: Summary,
    pub(super) own: Own,
    pub(super) at: u64,
    /// The zxid of the last transaction; 0 before the first one.
    pub(super) last: u64,
    /// Damage stands right before: what is skipped is what it took.
    pub(super) after_damage: bool,
    pub(super) rereads: Rereads,
    /// How many bytes may still be summed to find where reading goes on.
    pub(super) budget: u64,
}

/// A whole transaction: where it ends, and its header.
#[derive(Clone, Copy, Debug)]
pub(super) struct Whole {
    pub(super) end: u64,
    pub(super) length: u64,
    pub(super) txn: Txn,
}

pub(super) fn walk(visit: &Visit<'_>, sink: &mut Sink<'_>) -> Walk {
    let cursor = visit.source.cursor(visit.segment)?;
    let mut state = Walker {
        visit,
        sink,
        summary: Summary::new(visit.segment, cursor.length()),
        budget: cursor.length().min(1 << 40).saturating_mul(16).saturating_add(16 << 20),
        cursor,
        own: Own::default(),
        at: 0,
        last: 0,
        after_damage: false,
        rereads: Rereads::default(),
    };
    if let Some(mark) = visit.want.start {
        (state.at, state.last) = (mark.offset, mark.seed);
    }
    state.run()?;
    let Walker { mut summary, cursor, own, last, .. } = state;
    summary.length = cursor.length();
    summary.due = (last > 0).then(|| Lsn(last.saturating_add(1)));
    summary.begins = name_of(&visit.segment.name).map(Lsn);
    summary.own = Some(Box::new(own));
    Ok(summary)
}

impl Walker<'_, '_> {
    fn run(&mut self) -> Result<(), Halt> {
        if self.at == 0 && !self.head()? {
            return Ok(());
        }
        let (mut told, mut marked) = (self.at, self.at);
        loop {
            if self.ends_here() {
                (self.summary.end, self.summary.ending) = (self.at, Ending::FileEnds);
                return Ok(());
            }
            match self.whole_at(self.at) {
                Some(whole) => self.transaction(&whole)?,
                // Bytes of a mapping that could not be read look like zeros: read them again in a way that tells.
                None if self.cursor.unmap_if_faulty() => {}
                None if self.cursor.zeros_end(self.at) >= self.cursor.length() => {
                    (self.summary.end, self.summary.ending) = (self.at, Ending::Zeros);
                    return Ok(());
                }
                None if !self.stop()? => return Ok(()),
                None => {}
            }
            if self.at >= told + STRIDE {
                told = self.at;
                self.sink.reached(told)?;
            }
            if self.visit.want.marks && self.at >= marked + STRIDE && self.last > 0 {
                marked = self.at;
                self.sink.mark(Mark { offset: marked, due: Lsn(self.last.saturating_add(1)), seed: self.last })?;
            }
        }
    }

    fn ends_here(&mut self) -> bool {
        self.at >= self.cursor.length() || self.cursor.bytes(self.at, 1).is_empty() && self.cursor.refused_at(self.at).is_none()
    }

    /// The header of the file. False when nothing can follow it.
    pub(super) fn head(&mut self) -> Result<bool, Halt> {
        let Some(head) = self.cursor.array::<{ FILE_HEADER as usize }>(0) else { return self.unfinished() };
        if head[..4] == MAGIC {
            let version = u32::from_be_bytes([head[4], head[5], head[6], head[7]]);
            if version != VERSION && self.whole_at(FILE_HEADER).is_none() {
                let what = format!("version {version} of a ZooKeeper transaction log; version {VERSION} is known");
                return Err(Halt::Failed(Error::Unknown { path: self.visit.segment.path.clone(), offset: 4, what }));
            }
            if version == VERSION {
                (self.at, self.summary.valid_bytes, self.summary.end) = (FILE_HEADER, FILE_HEADER, FILE_HEADER);
                return Ok(true);
            }
        }
        if self.cursor.unmap_if_faulty() {
            return self.head();
        }
        if self.cursor.zeros_end(0) >= self.cursor.length() {
            return self.unfinished();
        }
        let found = self.whole_at(FILE_HEADER);
        let mut damage = self.bad(DamageKind::BadHeader, 0, FILE_HEADER, "ZKLG and version 2", "other bytes".to_owned());
        if let Some(whole) = found {
            damage.facts.proof = Some(crate::model::Proof::LaterRecord { lsn: Lsn(whole.txn.zxid) });
        } else {
            damage.facts.look = Look::Followed;
        }
        self.hurt(damage)?;
        self.after_damage = false;
        self.at = FILE_HEADER;
        Ok(true)
    }

    /// A whole transaction at an offset.
    pub(super) fn whole_at(&mut self, at: u64) -> Option<Whole> {
        let claim = TxnClaim::parse(&self.cursor.array(at)?);
        let length = claim.bytes()?;
        let end = at + AROUND + length + 1;
        if end > self.cursor.length() || self.cursor.bytes(end - 1, 1) != [END] {
            return None;
        }
        let txn = Txn::parse(&self.cursor.array(at + AROUND)?);
        let sum = self.cursor.fold(at + AROUND, length, 1, adler32)?;
        (u64::from(sum) == claim.sum && txn.zxid > 0).then_some(Whole { end, length, txn })
    }

    fn transaction(&mut self, whole: &Whole) -> Result<(), Halt> {
        let zxid = whole.txn.zxid;
        self.order(zxid)?;
        self.summary.blank = false;
        self.summary.frames += 1;
        self.summary.records += 1;
        self.summary.valid_bytes += whole.end - self.at;
        self.summary.saw(Lsn(zxid), Lsn(zxid));
        self.own.first.get_or_insert(zxid);
        self.own.newest = self.own.newest.max(whole.txn.time);
        self.last = zxid;
        self.after_damage = false;
        let at = std::mem::replace(&mut self.at, whole.end);
        let wanted = self.visit.want.lsns.is_none_or(|range| range.contains(Lsn(zxid)));
        if self.visit.want.counts_only || !wanted {
            return Ok(());
        }
        self.deliver(at, whole)
    }

    /// Inside an epoch zxids go up by one; a new epoch begins anew.
    fn order(&mut self, zxid: u64) -> Result<(), Halt> {
        let last = self.last;
        if last == 0 || Some(zxid) == last.checked_add(1) || zxid > last && zxid >> 32 != last >> 32 {
            return Ok(());
        }
        let doubt = LsnRange::new(Lsn(last.saturating_add(1)), Lsn(zxid.saturating_sub(1)));
        if self.after_damage && zxid > last {
            if let Some(damage) = self.summary.damage.kept_mut().last_mut() {
                damage.doubt = doubt;
            }
            return Ok(());
        }
        let (kind, look, doubt) =
            if zxid > last { (DamageKind::LsnGap, Look::Absent, doubt) } else { (DamageKind::LsnBack, Look::Mixed, None) };
        let expected = format!("zxid {} next", show(last.saturating_add(1)));
        let mut damage = self.bad(kind, self.at, self.at, &expected, format!("zxid {}", show(zxid)));
        (damage.facts, damage.doubt) = (Facts::of(look), doubt);
        self.hurt(damage)
    }

    fn deliver(&mut self, at: u64, whole: &Whole) -> Result<(), Halt> {
        let (txn, length) = (whole.txn, whole.length);
        let body = self.cursor.bytes(at + AROUND, usize::try_from(length.min(HELD)).expect("a few megabytes"));
        let path = body.get(HEADER as usize..).and_then(|record| path_of(txn.kind, record));
        let (session, zxid) = (show(txn.session), show(txn.zxid));
        let mut fields = vec![
            Field { name: "zxid", value: Value::Text(&zxid) },
            Field { name: "session", value: Value::Text(&session) },
            Field { name: "cxid", value: Value::Number(txn.cxid.into()) },
            Field { name: "type", value: Value::Signed(txn.kind.into()) },
        ];
        if let Some(path) = &path {
            fields.push(Field { name: "path", value: Value::Text(path) });
        }
        let record = Record {
            lsn: Some(Lsn(txn.zxid)),
            kind: kind_of(txn.kind),
            time: txn.time.checked_mul(1000).map(Time),
            tag: Some(txn.session),
            fields: &fields,
            ..Record::at(Span::new(self.visit.segment.id, at, whole.end))
        };
        if length <= HELD {
            return self.sink.record(&Record { payload: Payload::Whole(body), ..record });
        }
        let file = self.visit.source.file(self.visit.segment)?;
        let again = move |take: &mut dyn FnMut(&[u8]) -> Result<()>| pieces(&*file, at + AROUND, length, take);
        self.sink.record(&Record { payload: Payload::Long(length, &again), ..record })
    }

    pub(super) fn bad(&self, kind: DamageKind, start: u64, end: u64, expected: &str, found: String) -> Damage {
        Damage {
            kind,
            span: Span::new(self.visit.segment.id, start, end),
            lsn: (self.last > 0).then(|| Lsn(self.last.saturating_add(1))).or(name_of(&self.visit.segment.name).map(Lsn)),
            doubt: None,
            expected: expected.to_owned(),
            found,
            facts: Facts::of(Look::Wrong),
        }
    }

    pub(super) fn hurt(&mut self, damage: Damage) -> Result<(), Halt> {
        self.after_damage = damage.span.length > 0;
        self.summary.hurt(damage, self.sink)
    }
}
