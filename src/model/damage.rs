//! What can be wrong: one thing found, and the catalogue of all kinds.

use std::fmt;

use super::{Acknowledged, Facts, Lsn, LsnRange, Span, Verdict, judge};

/// One thing found wrong in a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// What it is.
    pub kind: DamageKind,
    /// Where it is; of length 0 where no bytes are to blame.
    pub span: Span,
    /// The LSN that was due where it begins.
    pub lsn: Option<Lsn>,
    /// The LSNs that may be lost with it, as far as the neighbours tell.
    pub doubt: Option<LsnRange>,
    /// What should have stood there.
    pub expected: String,
    /// What stood there.
    pub found: String,
    /// What the walk established.
    pub facts: Facts,
}

impl Damage {
    /// What it means.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        judge(&self.facts).0
    }

    /// Whether a promise was broken.
    #[must_use]
    pub fn acknowledged(&self) -> Acknowledged {
        judge(&self.facts).1
    }

    /// It lies between two segments: no byte of either is to blame.
    #[must_use]
    pub fn is_between_segments(&self) -> bool {
        self.kind == DamageKind::MissingSegment && self.span.length == 0 && self.span.start() > 0
    }

    /// Expected and found in one line.
    #[must_use]
    pub fn detail(&self) -> String {
        match (self.expected.is_empty(), self.found.is_empty()) {
            (true, true) => self.kind.words().to_owned(),
            (true, false) => self.found.clone(),
            (false, true) => format!("expected {}", self.expected),
            (false, false) => format!("expected {}, found {}", self.expected, self.found),
        }
    }
}

/// The name of a kind of damage: the same in text, JSON and the manual.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DamageKind {
    /// A frame is there and its sum does not match.
    BadChecksum,
    /// The file ends inside a frame.
    CutShort,
    /// Zeros stand where bytes of a frame were due.
    Zeroed,
    /// Bytes stand where a frame was due, and they are none.
    NotAFrame,
    /// The header of a segment is damaged.
    BadHeader,
    /// The last segment is empty or has half a header.
    UnfinishedSegment,
    /// A batch lacks some of its records.
    BrokenBatch,
    /// A record lacks some of its fragments.
    BrokenRecord,
    /// A payload cannot be decompressed or decrypted.
    BadPayload,
    /// The seal of a segment does not tell what is in it.
    BadSeal,
    /// LSNs are skipped between two whole frames.
    LsnGap,
    /// LSNs go back.
    LsnBack,
    /// A segment is missing, or ends too early.
    MissingSegment,
    /// A segment has the id of another log.
    OtherLog,
    /// A segment does not continue the one before it.
    BrokenChain,
    /// A segment's name is not its first LSN.
    WrongName,
    /// The system cannot read some bytes.
    ReadError,
    /// A ledger lists records as acknowledged that the log lacks.
    LedgerLost,
    /// A frame in an encrypted segment is not encrypted.
    PlaintextFrame,
    /// A segment is less protected than one before it.
    Downgraded,
}

/// A row of the catalogue.
#[derive(Clone, Copy, Debug)]
pub struct CatalogueEntry {
    /// Which kind it tells of.
    pub kind: DamageKind,
    /// Its stable name.
    pub name: &'static str,
    /// What it is, in words.
    pub words: &'static str,
    /// What usually causes it.
    pub cause: &'static str,
    /// What to do about it, when the verdict does not already say.
    pub remedy: &'static str,
}

/// Every kind of damage, in the order of [`DamageKind`].
pub const CATALOGUE: [CatalogueEntry; 20] = [
    entry(
        DamageKind::BadChecksum,
        "bad-checksum",
        "a frame is there in full and its checksum does not match",
        "bits that changed on the disk, in memory or on the way; at the very end also an interrupted write",
        "check the disk; look at the bytes with walctl dump --hex",
    ),
    entry(
        DamageKind::CutShort,
        "cut-short",
        "the file ends inside a frame",
        "a crash in the middle of a write, a full disk, or a copy that did not finish",
        "if the file is a copy, copy it again from the original first; if it is the original, the end can be cut",
    ),
    entry(
        DamageKind::Zeroed,
        "zeroed",
        "zeros stand where the bytes of a frame were due",
        "a crash before the sync: some sectors of the write reached the disk, others did not",
        "if the machine did not crash, ask the disk and the filesystem's log about it",
    ),
    entry(
        DamageKind::NotAFrame,
        "not-a-frame",
        "a frame was due here, and the bytes are no frame",
        "a write that went to the wrong place, an overwritten file, or a damaged frame header",
        "look at the bytes with walctl dump --hex",
    ),
    entry(
        DamageKind::BadHeader,
        "bad-header",
        "the header of a segment is damaged",
        "bits that changed on the disk, or a tool that wrote over the start of the file",
        "fetch the segment from a backup, or salvage: the frames after the header are checked without it",
    ),
    entry(
        DamageKind::UnfinishedSegment,
        "unfinished-segment",
        "the last segment is empty or has half a header",
        "a crash while a new segment was begun; no record had been written to it",
        "opening the log for writing replaces it; repair removes it",
    ),
    entry(
        DamageKind::BrokenBatch,
        "broken-batch",
        "a batch lacks some of its records, so none of them counts",
        "a crash in the middle of a write, or damage inside the batch",
        "walctl dump --frames shows the records that are whole",
    ),
    entry(
        DamageKind::BrokenRecord,
        "broken-record",
        "a record lacks some of its fragments",
        "a crash in the middle of a write, or damage to one of the fragments",
        "walctl dump --frames shows the fragments that are whole",
    ),
    entry(
        DamageKind::BadPayload,
        "bad-payload",
        "the checksum is right and the payload cannot be decompressed or decrypted",
        "someone without the key changed the frame, or a program wrote the payload wrongly",
        "walctl dump --hex shows the stored bytes; compare the segment with a backup",
    ),
    entry(
        DamageKind::BadSeal,
        "bad-seal",
        "the Seal of a segment does not match its content",
        "frames were removed or replaced after the segment was sealed",
        "compare the segment with a backup",
    ),
    entry(
        DamageKind::LsnGap,
        "lsn-gap",
        "LSNs are skipped between two whole frames",
        "a segment that was put together from parts, or a writer that lost its place",
        "compare the segment with a backup or a replica",
    ),
    entry(
        DamageKind::LsnBack,
        "lsn-back",
        "a whole frame has an LSN that was already assigned",
        "old content behind the end of a log, or two writers at once",
        "find out which program wrote here without taking the lock",
    ),
    entry(
        DamageKind::MissingSegment,
        "missing-segment",
        "a segment is missing, or it ends before the next one begins",
        "a file that was deleted, not copied, or cut",
        "first look for the segment in a backup, an archive or a replica, copy it into the folder of the log and verify again",
    ),
    entry(
        DamageKind::OtherLog,
        "other-log",
        "a segment has the id of another log",
        "files of two logs in one folder",
        "move the segment to the folder of its own log",
    ),
    entry(
        DamageKind::BrokenChain,
        "broken-chain",
        "a segment does not continue the one before it",
        "one of the two was replaced by a version from another time: a restored backup, or two writers",
        "find the version of the segment that belongs here",
    ),
    entry(
        DamageKind::WrongName,
        "wrong-name",
        "the name of a segment is not its first LSN",
        "a file that was renamed",
        "rename it to its first LSN, with 20 digits",
    ),
    entry(
        DamageKind::ReadError,
        "read-error",
        "the system cannot read some bytes",
        "a bad sector, a failing disk, a volume that is not mounted, or a file that became shorter while it was read",
        "look at the kernel's log; copy the log to another disk",
    ),
    entry(
        DamageKind::LedgerLost,
        "ledger-lost",
        "a ledger lists records as acknowledged that the log lacks",
        "a disk that confirmed a sync and lost it, or a log restored from an old copy",
        "look for the records in backups or replicas",
    ),
    entry(
        DamageKind::PlaintextFrame,
        "plaintext-frame",
        "a frame in an encrypted segment is not encrypted, so anyone may have written it",
        "someone without the key changed the file, or a program writes native segments wrongly",
        "trust nothing in it; find out which users can write the folder, and compare the segment with a backup",
    ),
    entry(
        DamageKind::Downgraded,
        "downgraded",
        "a segment is less protected than one before it, which no version of walctl writes",
        "someone without the key replaced the segment",
        "trust nothing in it; find out which users can write the folder, and compare the segment with a backup",
    ),
];

const fn entry(
    kind: DamageKind,
    name: &'static str,
    words: &'static str,
    cause: &'static str,
    remedy: &'static str,
) -> CatalogueEntry {
    CatalogueEntry { kind, name, words, cause, remedy }
}

impl DamageKind {
    /// Its row in the catalogue.
    #[must_use]
    pub const fn entry(self) -> &'static CatalogueEntry {
        &CATALOGUE[self as usize]
    }

    /// Its stable name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.entry().name
    }

    /// What it is, in words.
    #[must_use]
    pub const fn words(self) -> &'static str {
        self.entry().words
    }
}

impl fmt::Display for DamageKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Something worth saying that is not damage: bytes that no checksum covers, the traces of a known fault of the writer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// Its stable name, like a damage kind's.
    pub name: &'static str,
    /// Where it was seen.
    pub span: Span,
    /// What was seen, what it means and what to do, in words.
    pub text: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_catalogue_is_in_the_order_of_kinds_and_its_names_are_unique() {
        for (index, entry) in CATALOGUE.iter().enumerate() {
            assert_eq!(entry.kind as usize, index, "{}", entry.name);
            assert_eq!(entry.kind.name(), entry.name);
        }
        let mut names: Vec<&str> = CATALOGUE.iter().map(|e| e.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), CATALOGUE.len());
    }

    #[test]
    fn every_entry_can_be_searched_for_and_read() {
        for entry in &CATALOGUE {
            assert!(entry.name.bytes().all(|b| b.is_ascii_lowercase() || b == b'-'), "{}", entry.name);
            for text in [entry.words, entry.cause, entry.remedy] {
                assert!(text.len() > 10 && !text.ends_with('.'), "{}: {text}", entry.name);
            }
        }
    }
}
