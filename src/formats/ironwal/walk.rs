//! Walking one segment of an ironwal stream: its frames, and what stands where a frame was due.

use super::super::again::Rereads;
use super::super::resync::Sums;
use super::super::{Ending, Format, Halt, Mark, Mend, Mending, Numbers, Sink, Summary, Visit, Walk, numbered};
use super::frame::{HEADER, HELD, Header};
use super::log::{self, Own};
use crate::disk::{Cursor, crc32};
use crate::model::{Damage, DamageKind, Facts, Look, Lsn, LsnRange, Span, Warning};

/// ironwal.
pub const FORMAT: Format = Format {
    name: "ironwal",
    aliases: &[],
    title: "ironwal stream (0.6)",
    protects: "CRC-32 over ids, entry count, type, length and payload; not over the magic and the uncompressed size",
    kinds: &["entry"],
    encrypted: false,
    numbers: Numbers::CountedFromZero,
    layout: |folder| numbered(folder, log::sequence),
    recognise: log::recognise,
    walk,
    join: log::join,
    mending: Mending::Asked(|_, _, _| Mend::Cut),
    lock: None,
    restore: None,
    header: None,
    trailer: None,
    ends: None,
    around: None,
    ours: None,
    decode: None,
    count: None,
    drawing: |_| {
        &[
            ("magic", 0, 4),
            ("crc", 4, 4),
            ("start id", 8, 8),
            ("entries", 16, 4),
            ("type", 20, 1),
            ("disk size", 21, 4),
            ("uncompressed size", 25, 4),
            ("reserved", 29, 3),
        ]
    },
    private: None,
    // Magic and uncompressed size are compared with what is there, and nothing is in the reserved bytes.
    unprotected: "",
    words: &[
        "torn-frame-grown-with-zeros",
        "opening-would-cut",
        "iteration-stops-here",
        "header-field-mismatch",
        "ids-given-twice",
    ],
    write_own: log::write_own,
    read_own: log::read_own,
};

/// How far a walk goes between two marks, and between two signs of life.
const STRIDE: u64 = 1 << 20;

/// A walk under way.
pub(super) struct Walker<'a, 's> {
    pub(super) visit: &'a Visit<'a>,
    pub(super) sink: &'a mut Sink<'s>,
    pub(super) cursor: Cursor,
    pub(super) summary: Summary,
    pub(super) own: Own,
    pub(super) at: u64,
    /// The id that the next frame should begin with.
    pub(super) due: u64,
    /// The id after the highest one seen.
    pub(super) high: u64,
    /// A bad region ends here: a jump in ids is its doing.
    pub(super) after_damage: bool,
    pub(super) rereads: Rereads,
    pub(super) sums: Option<Sums>,
    pub(super) batch: Vec<u8>,
    /// Whether the first misfit of an unprotected field was told.
    pub(super) misfit_told: bool,
}

fn walk(visit: &Visit<'_>, sink: &mut Sink<'_>) -> Walk {
    let cursor = visit.source.cursor(visit.segment)?;
    let summary = Summary::new(visit.segment, cursor.length());
    let named = log::sequence(&visit.segment.name).is_some();
    let mut state = Walker {
        visit,
        sink,
        cursor,
        summary,
        own: Own::default(),
        at: 0,
        due: visit.segment.sequence,
        high: visit.segment.sequence,
        // A stream has no name that would tell its first id.
        after_damage: !named,
        rereads: Rereads::default(),
        sums: None,
        batch: Vec::new(),
        misfit_told: false,
    };
    if let Some(mark) = visit.want.start {
        (state.at, state.due, state.high) = (mark.offset, mark.due.0, mark.due.0);
    }
    state.summary.begins = named.then_some(Lsn(visit.segment.sequence));
    state.run()?;
    let Walker { mut summary, cursor, own, due, high, .. } = state;
    summary.length = cursor.length();
    summary.blank = summary.length == 0;
    summary.due = Some(Lsn(due.max(high)));
    summary.own = Some(Box::new(own));
    Ok(summary)
}

impl Walker<'_, '_> {
    fn run(&mut self) -> Result<(), Halt> {
        let (mut told, mut marked) = (self.at, self.at);
        loop {
            if self.at >= self.cursor.length() || self.cursor.bytes(self.at, 1).is_empty() && self.ends() {
                self.summary.end = self.at;
                self.summary.ending = Ending::FileEnds;
                return Ok(());
            }
            match self.whole_at(self.at) {
                Some(header) => self.frame(header)?,
                // Bytes of a mapping that could not be read look like zeros: read them again in a way that tells.
                None if self.cursor.unmap_if_faulty() => {}
                None if !self.damage()? => return Ok(()),
                None => {}
            }
            if self.at >= told + STRIDE {
                told = self.at;
                self.sink.reached(told)?;
            }
            if self.visit.want.marks && self.at >= marked + STRIDE && self.due == self.high {
                marked = self.at;
                self.sink.mark(Mark { offset: marked, due: Lsn(self.due), seed: 0 })?;
            }
        }
    }

    /// No byte can be had here: because the file ends, and not because the system refuses?
    fn ends(&self) -> bool {
        self.cursor.refused_at(self.at).is_none()
    }

    /// The header of a whole frame at an offset.
    pub(super) fn whole_at(&mut self, at: u64) -> Option<Header> {
        let header = Header::parse(&self.cursor.array(at)?);
        if !header.plausible() {
            return None;
        }
        let stored = header.stored as usize;
        let payload = if stored <= HELD { self.cursor.bytes(at, HEADER + stored).get(HEADER..) } else { None };
        let sum = match payload {
            Some(payload) if payload.len() == stored => crc32(header.seed, payload),
            _ => self.cursor.fold(at + HEADER as u64, u64::from(header.stored), header.seed, crc32)?,
        };
        (sum == header.crc).then_some(header)
    }

    /// A whole frame stands at the place that was reached.
    fn frame(&mut self, header: Header) -> Result<(), Halt> {
        let (start, end) = (self.at, self.at + header.length());
        if start == 0 {
            self.own.first = Some(header.start);
        }
        self.order(&header)?;
        if !self.entries(&header)? {
            let found = "the sum is right, and the payload is not a batch of that many entries".to_owned();
            let damage = self.bad(DamageKind::BadPayload, start, end, format!("a batch of {} entries", header.entries), found);
            self.hurt(damage)?;
            // The sum was right, so the ids that it covers were given.
        } else {
            self.summary.records += u64::from(header.entries);
            self.summary.valid_bytes += header.length();
        }
        self.summary.frames += 1;
        self.summary.blank = false;
        self.summary.saw(Lsn(header.start), Lsn(header.next() - 1));
        self.due = header.next();
        self.high = self.high.max(self.due);
        self.after_damage = false;
        self.at = end;
        Ok(())
    }

    /// Compares the ids of a frame with those that were due.
    fn order(&mut self, header: &Header) -> Result<(), Halt> {
        let due = self.due;
        if header.start == due || self.after_damage && header.start > due {
            return Ok(());
        }
        let (kind, look, doubt) = if header.start > due {
            (DamageKind::LsnGap, Look::Absent, LsnRange::new(Lsn(due), Lsn(header.start - 1)))
        } else {
            let text = format!(
                "ids {} and up stand in the log twice: ironwal counts entries when it opens a stream and never compares ids, so after \
                     a lost or cut-out frame it gives ids again; treat the later ones as new records and salvage into a new log",
                header.start
            );
            // At the start of a segment it may be the name that is wrong.
            if self.at > 0 {
                self.warn("ids-given-twice", text);
            }
            (DamageKind::LsnBack, Look::Mixed, None)
        };
        let mut damage = self.bad(kind, self.at, self.at, format!("id {due} next"), format!("id {}", header.start));
        damage.facts = Facts::of(look);
        damage.doubt = doubt;
        self.hurt(damage)
    }

    pub(super) fn warn(&mut self, name: &'static str, text: String) {
        let span = Span::new(self.visit.segment.id, self.at, self.at);
        self.summary.warnings.push(Warning { name, span, text });
    }

    pub(super) fn bad(&self, kind: DamageKind, start: u64, end: u64, expected: String, found: String) -> Damage {
        Damage {
            kind,
            span: Span::new(self.visit.segment.id, start, end),
            lsn: Some(Lsn(self.due)),
            doubt: None,
            expected,
            found,
            facts: Facts::of(Look::Wrong),
        }
    }

    pub(super) fn hurt(&mut self, damage: Damage) -> Result<(), Halt> {
        self.sink.damage(&damage)?;
        self.summary.damage.push(damage);
        Ok(())
    }
}
