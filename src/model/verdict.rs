//! What damage means: the facts a walk established, and the judgement over them.

use std::fmt;

use super::Lsn;

/// What the bytes of a bad region look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Look {
    /// The file ends inside a frame, or zeros stand from some point of it on, or in whole 512-byte sectors.
    Interrupted,
    /// Everything is there, and it is wrong.
    Wrong,
    /// More of the same log stands behind it, or another log that was begun after it, so this is not its end; whether it had been synced,
    /// nothing says.
    Followed,
    /// There are no bytes to blame: numbers are missing between whole neighbours.
    Absent,
    /// The same, and the system that wrote the log leaves such holes itself when nothing is lost.
    Skipped,
    /// Everything is there and its sum is right, and it is not what the holder of the log's key wrote: no disk does that.
    Altered,
    /// The bytes are whole and belong to another history.
    Mixed,
    /// The system cannot read them.
    Refused,
}

impl Look {
    /// All of them, for tables and tests.
    pub const ALL: [Look; 8] =
        [Look::Interrupted, Look::Wrong, Look::Followed, Look::Absent, Look::Skipped, Look::Altered, Look::Mixed, Look::Refused];
}

/// What proves that a bad region had been synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Proof {
    /// A later valid frame says that everything below `synced` was durable when it was written.
    LaterFrame {
        /// The frame that says so.
        lsn: Lsn,
        /// The first LSN that it does not vouch for.
        synced: Lsn,
    },
    /// A whole record stands after it, in a format whose records do not say what was synced before them, but which writes one only
    /// after those before it.
    LaterRecord {
        /// The record.
        lsn: Lsn,
    },
    /// A later segment exists: this one had been finished.
    LaterSegment,
    /// A clean shutdown was written after it.
    Close,
    /// A seal was written after it.
    Seal,
    /// Something that only this format has proves it: which thing, and what it proves.
    Told {
        /// What proves it: a record, a later page.
        by: &'static str,
        /// What it says, as the rest of that sentence.
        words: &'static str,
    },
}

impl fmt::Display for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Proof::LaterFrame { lsn, synced } => match synced.before() {
                Some(last) => write!(f, "frame {lsn} says that everything up to {last} had been synced"),
                None => write!(f, "frame {lsn} says that it had been synced"),
            },
            Proof::LaterRecord { lsn } => write!(f, "record {lsn} after it is whole and was written later"),
            Proof::LaterSegment => f.write_str("a later segment exists, and it was begun only after this one was synced"),
            Proof::Close => f.write_str("a clean shutdown was written after it"),
            Proof::Seal => f.write_str("the segment was sealed after it"),
            Proof::Told { by, words } => write!(f, "{by} {words}"),
        }
    }
}

/// All that a judgement needs to know about a bad region.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Facts {
    /// What the bytes look like.
    pub look: Look,
    /// What proves that they had been synced, if anything does.
    pub proof: Option<Proof>,
    /// Something proves that they were never acknowledged: a later frame of the same unsynced group stands where these bytes do not,
    /// or a ledger of all acknowledgements lacks them.
    pub unpromised: bool,
}

impl Facts {
    /// Facts with nothing proven yet.
    #[must_use]
    pub const fn of(look: Look) -> Facts {
        Facts { look, proof: None, unpromised: false }
    }
}

/// What is wrong with a log, or with a region of it. Ordered: the worst is the greatest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// Nothing.
    Clean,
    /// A write was interrupted; nothing proves that it had been acknowledged.
    Torn,
    /// Torn or rotten: nothing in the log can decide which.
    Suspect,
    /// The system cannot read these bytes.
    Unreadable,
    /// Files of two histories are mixed.
    Foreign,
    /// Records are gone without a trace.
    Missing,
    /// Bytes that had been synced are wrong.
    Corrupt,
}

impl Verdict {
    /// All of them, from best to worst.
    pub const ALL: [Verdict; 7] = [
        Verdict::Clean,
        Verdict::Torn,
        Verdict::Suspect,
        Verdict::Unreadable,
        Verdict::Foreign,
        Verdict::Missing,
        Verdict::Corrupt,
    ];

    /// Its name, in text and JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Verdict::Clean => "clean",
            Verdict::Torn => "torn",
            Verdict::Suspect => "suspect",
            Verdict::Unreadable => "unreadable",
            Verdict::Foreign => "foreign",
            Verdict::Missing => "missing",
            Verdict::Corrupt => "corrupt",
        }
    }

    /// What it means, in a sentence.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Verdict::Clean => "every record is whole and none is missing",
            Verdict::Torn => "a write was interrupted at the end, and nothing proves that it had been acknowledged",
            Verdict::Suspect => {
                "the end is all there and its sum is wrong: torn or rotten, and nothing in the log can decide which"
            }
            Verdict::Unreadable => "the system cannot read some bytes; their content is unknown",
            Verdict::Foreign => "files of two histories are mixed",
            Verdict::Missing => "records that had been synced are gone",
            Verdict::Corrupt => "bytes that had been synced are wrong",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Whether the bytes had been acknowledged as durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Acknowledged {
    /// They had been synced: a promise is broken.
    Yes,
    /// They had not been acknowledged.
    No,
    /// Nothing proves it either way.
    Unknown,
}

impl Acknowledged {
    /// Its name, in text and JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Acknowledged::Yes => "yes",
            Acknowledged::No => "no",
            Acknowledged::Unknown => "unknown",
        }
    }
}

impl fmt::Display for Acknowledged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// From facts to verdict. No I/O, no format, no exception.
#[must_use]
pub const fn judge(facts: &Facts) -> (Verdict, Acknowledged) {
    match (facts.look, facts.proof.is_some(), facts.unpromised) {
        (Look::Refused, _, _) => (Verdict::Unreadable, Acknowledged::Unknown),
        (Look::Mixed, _, _) => (Verdict::Foreign, Acknowledged::Yes),
        (Look::Absent, _, _) => (Verdict::Missing, Acknowledged::Yes),
        (Look::Skipped, _, _) => (Verdict::Suspect, Acknowledged::Unknown),
        (_, true, _) => (Verdict::Corrupt, Acknowledged::Yes),
        // What stood there before is unknown, and with it whether it had been synced. A tail to be cut it is not.
        (Look::Altered | Look::Followed, false, _) => (Verdict::Corrupt, Acknowledged::Unknown),
        (Look::Interrupted, false, true) => (Verdict::Torn, Acknowledged::No),
        (Look::Interrupted, false, false) => (Verdict::Torn, Acknowledged::Unknown),
        (Look::Wrong, false, _) => (Verdict::Suspect, Acknowledged::Unknown),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table of verdicts, written a second time as rules that each combination must meet exactly once.
    type Row = (&'static str, fn(&Facts) -> bool, Verdict, Acknowledged);
    const TABLE: [Row; 9] = [
        ("unreadable", |f| f.look == Look::Refused, Verdict::Unreadable, Acknowledged::Unknown),
        ("foreign", |f| f.look == Look::Mixed, Verdict::Foreign, Acknowledged::Yes),
        ("missing", |f| f.look == Look::Absent, Verdict::Missing, Acknowledged::Yes),
        ("missing or skipped", |f| f.look == Look::Skipped, Verdict::Suspect, Acknowledged::Unknown),
        (
            "corrupt",
            |f| matches!(f.look, Look::Interrupted | Look::Wrong | Look::Followed | Look::Altered) && f.proof.is_some(),
            Verdict::Corrupt,
            Acknowledged::Yes,
        ),
        (
            "altered or followed",
            |f| matches!(f.look, Look::Altered | Look::Followed) && f.proof.is_none(),
            Verdict::Corrupt,
            Acknowledged::Unknown,
        ),
        ("torn", |f| f.look == Look::Interrupted && f.proof.is_none() && !f.unpromised, Verdict::Torn, Acknowledged::Unknown),
        (
            "torn, not promised",
            |f| f.look == Look::Interrupted && f.proof.is_none() && f.unpromised,
            Verdict::Torn,
            Acknowledged::No,
        ),
        ("suspect", |f| f.look == Look::Wrong && f.proof.is_none(), Verdict::Suspect, Acknowledged::Unknown),
    ];

    #[test]
    fn every_combination_of_facts_meets_one_row_of_the_table() {
        let proofs = [
            None,
            Some(Proof::LaterFrame { lsn: Lsn(9), synced: Lsn(8) }),
            Some(Proof::LaterRecord { lsn: Lsn(9) }),
            Some(Proof::LaterSegment),
            Some(Proof::Close),
            Some(Proof::Seal),
            Some(Proof::Told { by: "a later record", words: "names this file" }),
        ];
        let mut used = [0; TABLE.len()];
        for look in Look::ALL {
            for proof in proofs {
                for unpromised in [false, true] {
                    let facts = Facts { look, proof, unpromised };
                    let rows: Vec<usize> = (0..TABLE.len()).filter(|&i| TABLE[i].1(&facts)).collect();
                    assert_eq!(rows.len(), 1, "{facts:?} meets {rows:?}");
                    let row = &TABLE[rows[0]];
                    assert_eq!(judge(&facts), (row.2, row.3), "{}: {facts:?}", row.0);
                    used[rows[0]] += 1;
                }
            }
        }
        assert!(used.iter().all(|&n| n > 0), "a row that no facts meet: {used:?}");
    }

    #[test]
    fn verdicts_are_ordered_from_best_to_worst() {
        assert!(Verdict::ALL.windows(2).all(|pair| pair[0] < pair[1]));
        let names: Vec<&str> = Verdict::ALL.iter().map(|v| v.name()).collect();
        assert_eq!(names, ["clean", "torn", "suspect", "unreadable", "foreign", "missing", "corrupt"]);
    }
}
