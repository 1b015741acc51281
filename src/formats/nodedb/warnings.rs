//! What nodedb's releases are known to do to their own logs, recognised in the bytes and said in words.
//!
//! A note is kept once a segment, with how often it was seen: thousands of lines would hide what they say.

use super::dwb::Restore;
use super::record::{BLOCK, Frame, Layout, kind_name};
use crate::model::{Damage, DamageKind, Lsn, SegmentId, Span, Warning};

/// Something seen: where first, and how often.
#[derive(Clone, Copy, Debug)]
struct Seen {
    start: u64,
    end: u64,
    lsn: Lsn,
    count: u64,
}

/// What a walk has seen so far.
#[derive(Debug, Default)]
pub(super) struct Notes {
    /// Name and text, in the order in which they were met.
    ready: Vec<(&'static str, u64, u64, String)>,
    plain: Option<Seen>,
    required: Option<(Seen, u32)>,
    optional: Option<(Seen, u32)>,
    hidden: Option<Seen>,
    gap: Option<(u64, u64)>,
    fillers: u64,
    unopened: Option<Seen>,
    /// The last two records: whether each is of an unknown optional kind.
    before: [Option<(bool, Lsn)>; 2],
}

fn count(seen: &mut Option<Seen>, frame: &Frame) {
    match seen {
        Some(seen) => seen.count += 1,
        None => *seen = Some(Seen { start: frame.at, end: frame.end(), lsn: frame.header.lsn, count: 1 }),
    }
}

impl Notes {
    fn say(&mut self, name: &'static str, start: u64, end: u64, text: String) {
        if self.ready.iter().all(|note| note.0 != name) {
            self.ready.push((name, start, end, text));
        }
    }

    /// A whole record with an LSN.
    #[inline]
    pub(super) fn record(&mut self, frame: &Frame, preamble: bool) {
        let usual = frame.header.kind() == 1 && self.gap.is_none() && !preamble;
        if usual {
            self.before = [self.before[1], Some((false, frame.header.lsn))];
        } else {
            self.unusual(frame, preamble);
        }
    }

    fn unusual(&mut self, frame: &Frame, preamble: bool) {
        let header = &frame.header;
        if let Some((start, end)) = self.gap.take() {
            match &mut self.hidden {
                Some(seen) => seen.count += 1,
                None => self.hidden = Some(Seen { start, end, lsn: header.lsn, count: 1 }),
            }
        }
        if preamble && !header.encrypted() && header.kind() != 0 {
            count(&mut self.plain, frame);
        }
        let unknown = kind_name(header.kind(), header.layout).is_none();
        if unknown {
            let seen = if header.required() { &mut self.required } else { &mut self.optional };
            match seen {
                Some((seen, _)) => seen.count += 1,
                None => {
                    *seen = Some((Seen { start: frame.at, end: frame.end(), lsn: header.lsn, count: 1 }, header.kind()));
                }
            }
        }
        self.before = [self.before[1], Some((unknown && !header.required(), header.lsn))];
    }

    /// A record that only fills a block up.
    pub(super) fn filler(&mut self, frame: &Frame) {
        self.fillers += 1;
        if frame.header.layout == Layout::Short {
            self.say(
                "filler-restarts-lsns",
                frame.at,
                frame.end(),
                "a filler with LSN 0 stands in a log of releases 0.1 to 0.4: 0.2.1 takes it for a record and goes on with LSN 1, so \
                 LSNs are given again; no release with short headers is known to write one, so most likely a tool did: salvage the log \
                 before it is opened"
                    .into(),
            );
        }
    }

    /// Padding of a direct write.
    pub(super) fn padding(&mut self, start: u64, end: u64, goes_on: bool) {
        self.gap = goes_on.then_some((start, end));
    }

    /// Two neighbours have different headers.
    pub(super) fn layouts(&mut self, before: Layout, frame: &Frame) {
        let (first, second) = (before.releases(), frame.header.layout.releases());
        let at = frame.at;
        let text = format!(
            "records of nodedb {first} stand before records of nodedb {second} in one segment: a release does not read the other's \
             headers, takes such a log for empty and starts over at offset 0, so most likely the records below offset {at} were written \
             over older ones, with LSNs that had been given before. Open the log with neither; salvage it, and look for what may have \
             been overwritten in a backup"
        );
        self.say("two-header-sizes", at, frame.end(), text);
    }

    /// Numbers are missing before this record, and no bytes are to blame.
    pub(super) fn gap(&mut self, frame: &Frame, due: Lsn) {
        if frame.header.layout == Layout::Long && frame.at.is_multiple_of(BLOCK) && frame.at > 0 {
            self.overwritten(frame, due);
        }
    }

    /// Damage with a whole record after it.
    pub(super) fn region(&mut self, damage: &Damage, next: &Frame, before: Option<Layout>) {
        let due = damage.lsn.unwrap_or(next.header.lsn);
        if before == Some(Layout::Long) && next.at.is_multiple_of(BLOCK) && next.header.lsn > due && damage.span.length < BLOCK {
            self.overwritten(next, due);
        }
        let skipped = self.before.iter().flatten().find(|(optional, _)| *optional);
        if let (Some(Layout::Short), Some((_, lsn))) = (before, skipped) {
            let text = format!(
                "record {lsn} is of an optional kind that nodedb 0.2.1 and 0.4.0 do not know; when they open such a log they resume \
                 too early and the next append overwrites the last acknowledged record: LSN {due} may have been lost so, without a \
                 crash. Upgrade before the log is opened again"
            );
            self.say("overwritten-after-unknown-kind", damage.span.start(), damage.span.end(), text);
        }
    }

    fn overwritten(&mut self, next: &Frame, due: Lsn) {
        let last = next.header.lsn.before().unwrap_or(due);
        let text = format!(
            "records {due}-{last} are missing up to offset {}, a multiple of 4096: it looks as if nodedb 0.6.2 had been opened with \
             direct I/O, which rounds the place where it resumes down to 4096 and overwrites up to 4095 bytes of synced records of a \
             log that ends unaligned (written with buffered I/O, or cut by a tool). Take them from a backup or replica; never open \
             this log with direct I/O before its end is filled up",
            next.at
        );
        self.say("direct-reopen-overwrote-tail", next.at, next.end(), text);
    }

    /// Damage with nothing after it.
    pub(super) fn tail(&mut self, damage: &Damage, highest: Option<Lsn>) {
        if let (DamageKind::NotAFrame, Some(highest)) = (damage.kind, highest) {
            let text = format!(
                "the bytes behind record {highest} begin no record: most likely they are remains of a torn one, for every nodedb \
                 release resumes there without cutting it, and a shorter record leaves its end; no whole record was found in them, and \
                 walctl repair cuts them"
            );
            self.say("remains-of-a-torn-record", damage.span.start(), damage.span.end(), text);
        }
    }

    /// A record that goes back.
    pub(super) fn back(&mut self, frame: &Frame, due: Lsn) {
        let text = format!(
            "record {} stands where {due} was due, stale or doubled: nodedb reads such records as they are and continues behind the \
             last one's LSN, so it would give numbers twice; do not let it open this log, salvage it",
            frame.header.lsn
        );
        self.say("lsn-goes-back", frame.at, frame.end(), text);
    }

    /// An encrypted payload that none of the keys opened.
    pub(super) fn unopened(&mut self, frame: &Frame) {
        count(&mut self.unopened, frame);
    }

    /// How many of these there were.
    pub(super) fn locked(&self) -> u64 {
        self.unopened.map_or(0, |seen| seen.count)
    }

    /// Nothing was opened at all.
    pub(super) fn no_key(&mut self) {
        if let Some(seen) = self.unopened {
            let text = format!(
                "none of the keys opens any of the {} encrypted records: the segment has another key, or its preamble is damaged, \
                 which no checksum would tell",
                seen.count
            );
            self.say("no-key-fits", seen.start, seen.end, text);
        }
    }

    /// All of it, as warnings about a segment that ends with its data at `end`.
    pub(super) fn take(&mut self, id: SegmentId, end: u64, length: u64, layout: Option<Layout>) -> Vec<Warning> {
        if let Some(seen) = self.plain {
            let text = format!(
                "{} records from LSN {} on are plain text in an encrypted segment: most likely nodedb 0.2.1 or 0.4.0 was restarted, which \
                 cannot set a key ring on a segment that holds bytes and writes on unencrypted. The bytes are whole; protect the \
                 file, and upgrade to 0.6",
                seen.count, seen.lsn
            );
            self.say("plaintext-record-in-encrypted-segment", seen.start, seen.end, text);
        }
        if let Some((seen, kind)) = self.required {
            let text = format!(
                "record {} is of kind {kind}, which walctl does not know and which is marked as required (seen {} times): a release \
                 that does not know it refuses to replay the log from there. The bytes are whole; open the log with the release \
                 that wrote it",
                seen.lsn, seen.count
            );
            self.say("unknown-required-record-type", seen.start, seen.end, text);
        }
        if let (Some((seen, kind)), Some(Layout::Short), Some((true, lsn))) = (self.optional, layout, self.before[0]) {
            let text = format!(
                "record {lsn}, directly before the last one, is of an optional kind ({kind}) that nodedb 0.2.1 and 0.4.0 do not know: \
                 when they open this log, the next append overwrites the last acknowledged record. Append another record of a known \
                 kind first, or open it with a release that knows the kind"
            );
            self.say("unknown-kind-before-last", seen.start, seen.end, text);
        }
        if let Some(seen) = self.hidden {
            let text = format!(
                "padding of a direct write stands before record {}: the readers of nodedb 0.2.1 and 0.4.0 stop there, so at their next \
                 start every record from LSN {} on is lost to them and its number given again. All are whole here: salvage the log \
                 before it is opened, and set direct I/O off",
                seen.lsn, seen.lsn
            );
            self.say("records-behind-direct-io-gap", seen.start, seen.end, text);
        }
        if layout == Some(Layout::Long) && self.fillers > 0 && end == length && !end.is_multiple_of(BLOCK) {
            let text = "the segment holds fillers, as direct I/O leaves them, and ends unaligned: nodedb 0.6.2, opened with direct I/O, would overwrite \
                        the records of its last partial block. Open it with buffered I/O, or fill it up to 4096 with a Noop record"
                .to_owned();
            self.say("unaligned-end", end - end % BLOCK, end, text);
        }
        let ready = std::mem::take(&mut self.ready);
        ready.into_iter().map(|(name, start, end, text)| Warning { name, span: Span::new(id, start, end), text }).collect()
    }
}

/// A record that the double-write file can give back.
pub(super) fn restorable(restore: &Restore, file: &str, last: bool) -> Warning {
    let length = restore.bytes.len() as u64;
    let what = if restore.last && last {
        "walctl repair --from-dwb puts it back"
    } else {
        "it belongs into the middle of the log, where walctl does not write; dump shows it, and walctl repair --salvage keeps it"
    };
    Warning {
        name: "copy-in-double-write-file",
        span: Span::new(restore.segment, restore.offset, restore.offset + length),
        text: format!("{file} holds record {} whole ({length} bytes), due at offset {}: {what}", restore.lsn, restore.offset),
    }
}
