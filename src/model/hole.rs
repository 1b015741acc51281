//! LSNs that are known to be gone.

use super::{Lsn, LsnRange, Time};

/// Who wrote a hole down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HoleOrigin {
    /// Salvage: the old log had damage there.
    Salvaged,
    /// An operator accepted it.
    Accepted,
    /// Salvage: nothing is lost. The old format numbers its records so that these numbers are never given.
    Unused,
}

impl HoleOrigin {
    /// All of them.
    pub const ALL: [HoleOrigin; 3] = [HoleOrigin::Salvaged, HoleOrigin::Accepted, HoleOrigin::Unused];

    /// Its name in text and JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            HoleOrigin::Salvaged => "salvaged",
            HoleOrigin::Accepted => "accepted",
            HoleOrigin::Unused => "unused",
        }
    }
}

/// A hole, as a frame of ours tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hole {
    /// The LSNs that are gone.
    pub lsns: LsnRange,
    /// Who wrote it down.
    pub origin: HoleOrigin,
    /// The time of the last record before it, where one is known.
    pub before: Option<Time>,
    /// The time of the first record after it, where one is known.
    pub behind: Option<Time>,
    /// The chain sum in the header of the segment after it, where that segment was there before the hole was accepted.
    pub chain: Option<u32>,
    /// What was found there: the names of the damage.
    pub reason: String,
}

/// What stands in a reason before the numbers that the lost records had in the log that was salvaged, where they have others now.
const SOURCE: &str = "source LSN ";

impl Hole {
    /// The part of a reason that says which numbers lost records had before.
    #[must_use]
    pub fn source_words(lsns: LsnRange) -> String {
        format!("{SOURCE}{lsns}")
    }

    /// The numbers that the lost records had in the log that was salvaged, where the reason says so.
    pub fn source_lsns(&self) -> impl Iterator<Item = LsnRange> + '_ {
        self.reason.split(SOURCE).skip(1).filter_map(|text| {
            let end = text.find(|c: char| !c.is_ascii_digit() && c != '-').unwrap_or(text.len());
            let (first, last) = text[..end].split_once('-').unwrap_or((&text[..end], &text[..end]));
            LsnRange::new(Lsn(first.parse().ok()?), Lsn(last.parse().ok()?))
        })
    }
}
