//! Walking one file of a rivven log: its records, and what stands where a record was due.

use super::super::again::Rereads;
use super::super::resync::Sums;
use super::super::{Ending, Format, Halt, Mark, Mend, Mending, Numbers, Sink, Summary, Visit, Walk, numbered};
use super::cipher::ReadyKeys;
use super::log::{self, Own};
use super::record::{ENCRYPTED, HEADER, HELD, Header};
use crate::disk::{Cursor, crc32};
use crate::model::{Lsn, Result};

/// rivven.
pub const FORMAT: Format = Format {
    name: "rivven",
    aliases: &[],
    title: "rivven-core group-commit log (0.0.13 to 0.0.22)",
    protects: "CRC-32 over the data; not over type, flags and length, and LSNs are not written at all",
    kinds: &["full", "first", "middle", "last", "checkpoint", "txn-begin", "txn-commit", "txn-abort", "unknown"],
    encrypted: true,
    numbers: Numbers::Counted,
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
    drawing: |_| &[("magic", 0, 4), ("crc", 4, 4), ("length", 8, 4), ("type", 12, 1), ("flags", 13, 1)],
    private: None,
    unprotected: "a record's type and flags can change to others that a writer may use; LSNs are not written, so records that are \
                  swapped, or an older version of a file, look as good",
    words: &[
        "header-field-mismatch",
        "no-key-fits",
        "zero-length-data-record",
        "lone-fragment",
        "records-behind-torn-header",
        "records-behind-torn-record",
        "replay-passes-over",
        "opening-would-overwrite",
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
    /// The LSN of the next record.
    pub(super) due: u64,
    /// The number of records in a bad region was guessed: numbers after it are uncertain.
    pub(super) guessed: bool,
    pub(super) rereads: Rereads,
    pub(super) sums: Option<Sums>,
    pub(super) opener: ReadyKeys,
    /// A record in fragments is under way.
    pub(super) in_fragments: bool,
    /// Names of warnings that were given: one of each is enough.
    pub(super) told: Vec<&'static str>,
    /// Key versions of which a record was opened.
    pub(super) opened: Vec<u32>,
}

fn walk(visit: &Visit<'_>, sink: &mut Sink<'_>) -> Walk {
    // A file that others follow can be the one that is written to: those are made ahead.
    let cursor = visit.source.cursor_never_finished(visit.segment)?;
    let mut state = Walker {
        visit,
        sink,
        summary: Summary::new(visit.segment, cursor.length()),
        cursor,
        own: Own::default(),
        at: 0,
        due: log::first_lsn(visit.segment.sequence),
        guessed: false,
        rereads: Rereads::default(),
        sums: None,
        opener: ReadyKeys::new(visit.keys),
        in_fragments: false,
        told: Vec::new(),
        opened: Vec::new(),
    };
    if let Some(mark) = visit.want.start {
        (state.at, state.due) = (mark.offset, mark.due.0);
    }
    state.run()?;
    let Walker { mut summary, cursor, own, due, .. } = state;
    summary.length = cursor.length();
    if !summary.blank {
        summary.begins = Some(Lsn(log::first_lsn(visit.segment.sequence)));
        summary.due = Some(Lsn(due));
    }
    summary.own = Some(Box::new(own));
    Ok(summary)
}

/// What stands at an offset.
pub(super) enum AtOffset {
    Record(Header),
    /// Nothing more: the file ends, or only zeros follow.
    End(Ending),
    Bad,
}

impl Walker<'_, '_> {
    fn run(&mut self) -> Result<(), Halt> {
        let (mut told, mut marked) = (self.at, self.at);
        loop {
            match self.at_offset(self.at) {
                AtOffset::Record(header) => self.record(header)?,
                // Bytes of a mapping that could not be read look like zeros: read them again in a way that tells.
                _ if self.cursor.unmap_if_faulty() => {}
                AtOffset::End(ending) => {
                    self.summary.end = self.at;
                    self.summary.ending = ending;
                    return Ok(());
                }
                AtOffset::Bad => {
                    self.summary.blank = false;
                    if !self.damage()? {
                        return Ok(());
                    }
                }
            }
            if self.at >= told + STRIDE {
                told = self.at;
                self.sink.reached(told)?;
            }
            if self.visit.want.marks && self.at >= marked + STRIDE && !self.guessed {
                marked = self.at;
                self.sink.mark(Mark { offset: marked, due: Lsn(self.due), seed: 0 })?;
            }
        }
    }

    pub(super) fn at_offset(&mut self, at: u64) -> AtOffset {
        if let Some(header) = self.whole_at(at) {
            return AtOffset::Record(header);
        }
        match self.cursor.bytes(at, 1).first().copied() {
            None if self.cursor.refused_at(at).is_some() => AtOffset::Bad,
            None => AtOffset::End(Ending::FileEnds),
            Some(0) if self.only_zeros(at) => AtOffset::End(Ending::Zeros),
            Some(_) => AtOffset::Bad,
        }
    }

    fn only_zeros(&mut self, at: u64) -> bool {
        let end = self.cursor.zeros_end(at);
        end >= self.cursor.length()
    }

    /// The header of a whole record at an offset.
    fn whole_at(&mut self, at: u64) -> Option<Header> {
        let header = Header::parse(&self.cursor.array(at)?);
        if !header.plausible() {
            return None;
        }
        let length = header.data as usize;
        let data = if length <= HELD { self.cursor.bytes(at, HEADER + length).get(HEADER..) } else { None };
        let sum = match data {
            Some(data) if data.len() == length => crc32(0, data),
            _ => self.cursor.fold(at + HEADER as u64, u64::from(header.data), 0, crc32)?,
        };
        (sum == header.crc).then_some(header)
    }

    /// A whole record stands at the place that was reached.
    fn record(&mut self, header: Header) -> Result<(), Halt> {
        self.hints(&header);
        let lsn = Lsn(self.due);
        if header.flags & ENCRYPTED != 0 {
            self.own.encrypted.get_or_insert(self.at);
        }
        let want = self.visit.want;
        // Where no records are wanted, ciphertext alone is looked into, to see whether the keys fit.
        let mut sealed = || header.flags & ENCRYPTED != 0 || self.cursor.bytes(self.at + HEADER as u64, 4) == b"RVEN";
        let skip = want.counts_only && !(want.deep && sealed());
        if !skip && want.lsns.is_none_or(|range| range.contains(lsn)) {
            self.deliver(&header, Some(lsn))?;
        }
        self.summary.records += 1;
        self.summary.frames += 1;
        self.summary.valid_bytes += header.length();
        self.summary.blank = false;
        self.summary.saw(lsn, lsn);
        self.due = self.due.saturating_add(1);
        self.at += header.length();
        Ok(())
    }
}
