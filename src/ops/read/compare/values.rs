//! What the comparison of two logs found.

use crate::disk::Source;
use crate::model::{Damage, DamageKind, Lsn, LsnRange, Time, Verdict};

/// Which of the two logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// The one that was named first.
    A,
    /// The other one.
    B,
}

impl Which {
    /// Both, in the order in which they were named.
    pub const BOTH: [Which; 2] = [Which::A, Which::B];

    /// Its place in a pair.
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }

    /// The other one.
    #[must_use]
    pub const fn other(self) -> Which {
        match self {
            Which::A => Which::B,
            Which::B => Which::A,
        }
    }
}

/// Records in a row, between the first and the last LSN. Not every number between need have a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordRange {
    /// From the first number of the first record to the last number of the last one.
    pub lsns: LsnRange,
    /// How many records.
    pub records: u64,
}

/// Records that only one log has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OnlyRange {
    /// Which ones.
    pub range: RecordRange,
    /// The other log is known to lack them: a frame of its own says so.
    pub known_hole: bool,
}

/// Ranges, as many as are listed, and how many records there are in all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ranges<T> {
    /// The first of them.
    pub listed: Vec<T>,
    /// Ranges that are not listed.
    pub beyond: u64,
    /// Records in all of them.
    pub records: u64,
    /// The last range may still grow.
    pub(super) open: bool,
}

impl<T> Default for Ranges<T> {
    fn default() -> Ranges<T> {
        Ranges { listed: Vec::new(), beyond: 0, records: 0, open: false }
    }
}

/// In what two records with one number differ.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Difference {
    /// In what they hold.
    pub payload: bool,
    /// In what they are.
    pub kind: bool,
    /// In the caller's number.
    pub tag: bool,
    /// In how many numbers they take.
    pub extent: bool,
}

impl Difference {
    /// Whether there is any.
    #[must_use]
    pub fn any(self) -> bool {
        self != Difference::default()
    }

    /// In words: `payload`, `kind`, `tag`, `extent`.
    #[must_use]
    pub fn words(self) -> Vec<&'static str> {
        let all = [(self.payload, "payload"), (self.kind, "kind"), (self.tag, "tag"), (self.extent, "extent")];
        all.into_iter().filter(|(differs, _)| *differs).map(|(_, word)| word).collect()
    }
}

/// Records that both logs have, and not alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Differing {
    /// Which ones.
    pub range: RecordRange,
    /// In what.
    pub difference: Difference,
}

/// Why records could not be compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// Damage stands where this log should have them.
    Damage(Which, DamageKind),
    /// They are encrypted in one log or in both, and no key opens them.
    Encrypted,
    /// They lie before the first record of this log: it was pruned, or its first segments are gone.
    Pruned(Which),
    /// This log's segment was removed by retention before it was read.
    Removed(Which),
    /// They were written to the other log after reading began.
    Meanwhile(Which),
}

impl Why {
    /// Its name, for programs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Why::Damage(..) => "damage",
            Why::Encrypted => "encrypted",
            Why::Pruned(_) => "pruned",
            Why::Removed(_) => "removed",
            Why::Meanwhile(_) => "meanwhile",
        }
    }

    /// The damage that stands there.
    #[must_use]
    pub const fn damage(self) -> Option<DamageKind> {
        match self {
            Why::Damage(_, kind) => Some(kind),
            _ => None,
        }
    }

    /// The log that lacks them, where one does.
    #[must_use]
    pub const fn lacking(self) -> Option<Which> {
        match self {
            Why::Damage(which, _) | Why::Pruned(which) | Why::Removed(which) | Why::Meanwhile(which) => Some(which),
            Why::Encrypted => None,
        }
    }
}

/// Records that could not be compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Uncompared {
    /// Which ones: those of the log that has them.
    pub range: RecordRange,
    /// Why.
    pub why: Why,
}

/// LSNs of which neither log has a whole record, where damage of one log, or of both, stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InNeither {
    /// Which ones.
    pub lsns: LsnRange,
    /// The log that has damage there.
    pub which: Which,
    /// What damage.
    pub kind: DamageKind,
    /// The other one has damage there, too.
    pub both: bool,
}

/// A record as it is in one of the logs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordSeen {
    /// Its segment.
    pub file: String,
    /// Where it begins there.
    pub offset: u64,
    /// What it is.
    pub kind: String,
    /// When it was written.
    pub time: Option<Time>,
    /// How long its payload is.
    pub length: u64,
}

/// Where two logs part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parting {
    /// The lowest LSN that is not the same in both.
    pub lsn: Lsn,
    /// The record with it in each log, where it is there.
    pub sights: [Option<RecordSeen>; 2],
}

/// What was found of one of the logs.
#[derive(Debug)]
pub struct SideReport {
    /// Its segments that were read.
    pub source: Source,
    /// A writer holds it.
    pub live: bool,
    /// The worst that was found in what was read.
    pub verdict: Verdict,
    /// Its damage in what was read.
    pub damage: Vec<Damage>,
    /// How much damage there was beyond what is listed.
    pub beyond: u64,
    /// Records that were compared, or would have been.
    pub records: u64,
    /// From the first of their LSNs to the last.
    pub lsns: Option<LsnRange>,
    /// Records without a number, which cannot be compared.
    pub unnumbered: u64,
    /// Records out of order that could not be put in order.
    pub disordered: u64,
}

/// What the comparison found.
#[derive(Debug)]
pub struct Comparison {
    /// The two logs.
    pub sides: [SideReport; 2],
    /// Records with the same number in both that are the same.
    pub same: u64,
    /// Where the logs part.
    pub parting: Option<Parting>,
    /// Records that only one of them has, and neither damage nor retention explains it.
    pub only: [Ranges<OnlyRange>; 2],
    /// Records that differ.
    pub differing: Ranges<Differing>,
    /// Records that could not be compared.
    pub uncompared: Ranges<Uncompared>,
    /// What neither log has, although one of them had it: damage stands there.
    pub in_neither: Vec<InNeither>,
    /// Which LSNs were compared, where that was not all of them.
    pub window: Option<LsnRange>,
    /// Kinds and tags were compared too: both logs have them from the same system.
    pub kinds_compared: bool,
    /// The numbers of one log are those of the log that it was salvaged from.
    pub by_source_lsn: bool,
}

impl Comparison {
    /// No record that could be compared differs, and none is in one log alone without a reason.
    #[must_use]
    pub fn finds_no_difference(&self) -> bool {
        self.differing.records == 0 && self.only.iter().all(|only| only.records == 0)
    }

    /// Whether the logs are the same as far as both go; `None` when that cannot be told, because some of it could not be read.
    #[must_use]
    pub fn is_same(&self) -> Option<bool> {
        let explained = |one: &Uncompared| matches!(one.why, Why::Pruned(_) | Why::Removed(_) | Why::Meanwhile(_));
        let unknown = self.uncompared.beyond > 0
            || !self.uncompared.listed.iter().all(explained)
            || self.sides.iter().any(|side| side.verdict != Verdict::Clean || side.disordered > 0);
        match self.finds_no_difference() {
            false => Some(false),
            true if unknown => None,
            true => Some(true),
        }
    }

    /// Records that could not be compared because no key opens them.
    #[must_use]
    pub fn encrypted(&self) -> u64 {
        let listed = self.uncompared.listed.iter().filter(|one| one.why == Why::Encrypted);
        listed.map(|one| one.range.records).sum()
    }
}
