//! What the records of a log hold, added up by what matters in its format: operations by column family, samples by metric.
//!
//! A format says how one of its records counts; whoever walks a log, or a part of it, adds up. Rows are bounded: names that come when there
//! are too many are added up together.

use std::collections::{BTreeMap, BTreeSet};

use super::decoded::LONGEST_DECODED;
use crate::disk::Source;
use crate::model::{Payload, Record, Result};

/// Makes the counter of one log.
pub type Count = fn(&Source, CountedPart) -> Counter;

/// Which records of a log a counter will be given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CountedPart {
    /// All of them, in their order.
    All,
    /// Some of them: what their meaning depends on in front of them is read when the first one comes.
    Some,
}

/// Adds what one record holds. It is given the record and all of its payload, in the order of the log; false where it cannot be told.
pub type Counter = Box<dyn FnMut(&Record<'_>, &[u8], &mut Breakdowns) -> bool>;

/// Names of one breakdown are counted one by one up to this many.
const NAMES_KEPT: usize = 10_000;
/// Transactions that are open are listed up to this many.
const OPEN_KEPT: usize = 10_000;

/// One way to break the content of a log down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BreakdownKind {
    /// What is counted, in the plural: `operations`.
    pub what: &'static str,
    /// By what: `column family`.
    pub by: &'static str,
    /// A part of the bytes that is worth telling apart: `page images`.
    pub part: Option<&'static str>,
}

impl BreakdownKind {
    /// Of these by this, without a part that is told apart.
    #[must_use]
    pub const fn of(what: &'static str, by: &'static str) -> BreakdownKind {
        BreakdownKind { what, by, part: None }
    }
}

/// How much a name has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Share {
    /// How many.
    pub count: u64,
    /// Their bytes, where each of them has its own.
    pub bytes: u64,
    /// The bytes among them that are told apart.
    pub part: u64,
}

impl Share {
    /// So many, of so many bytes in all.
    #[must_use]
    pub const fn of(count: u64, bytes: u64) -> Share {
        Share { count, bytes, part: 0 }
    }

    /// Adds another one.
    pub fn add(&mut self, other: Share) {
        self.count = self.count.saturating_add(other.count);
        self.bytes = self.bytes.saturating_add(other.bytes);
        self.part = self.part.saturating_add(other.part);
    }
}

/// The content of a log by name, in one way.
#[derive(Clone, Debug)]
pub struct Breakdown {
    /// Which way.
    pub kind: BreakdownKind,
    names: BTreeMap<String, Share>,
    /// What stands behind the names for which there was no more room.
    pub unnamed: Share,
}

impl Breakdown {
    /// All of it.
    #[must_use]
    pub fn total(&self) -> Share {
        let mut total = self.unnamed;
        self.names.values().for_each(|share| total.add(*share));
        total
    }

    /// How many names there are.
    #[must_use]
    pub fn names_count(&self) -> usize {
        self.names.len()
    }

    /// The largest ones, all for 0; and what the others come to.
    #[must_use]
    pub fn top(&self, most: usize) -> (Vec<(&str, Share)>, Share) {
        let mut all: Vec<(&str, Share)> = self.names.iter().map(|(name, share)| (name.as_str(), *share)).collect();
        all.sort_by_key(|(_, share)| std::cmp::Reverse((share.bytes, share.count)));
        let kept = if most == 0 { all.len() } else { most.min(all.len()) };
        let mut others = self.unnamed;
        all.drain(kept..).for_each(|(_, share)| others.add(share));
        (all, others)
    }
}

/// The content of a log, in each way that its format has.
#[derive(Clone, Debug, Default)]
pub struct Breakdowns {
    /// In the order in which they were met.
    pub all: Vec<Breakdown>,
    /// Transactions that were prepared or begun and have not ended, by their names.
    pub open: BTreeSet<String>,
    /// There are more of them than are listed.
    pub more_open: bool,
    /// Records whose content could not be told: too long, packed in a way that nothing here unpacks, or encrypted.
    pub untold: u64,
}

impl Breakdowns {
    /// Adds to a name in one way.
    pub fn add(&mut self, kind: BreakdownKind, name: &str, share: Share) {
        let breakdown = match self.all.iter().position(|breakdown| breakdown.kind == kind) {
            Some(index) => &mut self.all[index],
            None => {
                self.all.push(Breakdown { kind, names: BTreeMap::new(), unnamed: Share::default() });
                self.all.last_mut().expect("it was just pushed")
            }
        };
        if let Some(known) = breakdown.names.get_mut(name) {
            known.add(share);
        } else if breakdown.names.len() < NAMES_KEPT {
            breakdown.names.insert(name.to_owned(), share);
        } else {
            breakdown.unnamed.add(share);
        }
    }

    /// A transaction waits for its end.
    pub fn begun(&mut self, transaction: impl Into<String>) {
        if self.open.len() < OPEN_KEPT {
            self.open.insert(transaction.into());
        } else {
            self.more_open = true;
        }
    }

    /// A transaction ended.
    pub fn ended(&mut self, transaction: &str) {
        self.open.remove(transaction);
    }

    /// Adds a record. `room` is used for payloads that come in pieces.
    ///
    /// # Errors
    /// What reading the payload says.
    pub fn record(&mut self, counter: &mut Counter, record: &Record<'_>, room: &mut Vec<u8>) -> Result<()> {
        if record.is_control() {
            return Ok(());
        }
        let told = if record.encrypted || record.payload.length() > LONGEST_DECODED {
            false
        } else if let Payload::Whole(bytes) = record.payload {
            counter(record, bytes, self)
        } else {
            room.clear();
            record.payload.each(&mut |piece| {
                room.extend_from_slice(piece);
                Ok(())
            })?;
            counter(record, room, self)
        };
        self.untold += u64::from(!told);
        room.clear();
        room.shrink_to(1 << 20);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{SegmentId, Span};

    const KIND: BreakdownKind = BreakdownKind::of("things", "name");

    #[test]
    fn the_largest_names_are_shown_and_the_others_summed() {
        let mut breakdowns = Breakdowns::default();
        for (name, bytes) in [("a", 5), ("b", 50), ("c", 1), ("b", 50)] {
            breakdowns.add(KIND, name, Share::of(1, bytes));
        }
        let (rows, others) = breakdowns.all[0].top(1);
        assert_eq!((rows, others), (vec![("b", Share::of(2, 100))], Share::of(2, 6)));
        assert_eq!((breakdowns.all[0].top(0).1, breakdowns.all[0].total()), (Share::default(), Share::of(4, 106)));
    }

    #[test]
    fn names_without_end_take_no_memory_without_end() {
        let mut breakdowns = Breakdowns::default();
        for name in 0..NAMES_KEPT + 7 {
            breakdowns.add(KIND, &name.to_string(), Share::of(1, 2));
            breakdowns.begun(name.to_string());
        }
        let only = &breakdowns.all[0];
        assert_eq!((only.names_count(), only.unnamed), (NAMES_KEPT, Share::of(7, 14)));
        assert_eq!((breakdowns.open.len(), breakdowns.more_open), (OPEN_KEPT, true));
        breakdowns.ended("5");
        assert_eq!(breakdowns.open.len(), OPEN_KEPT - 1);
    }

    #[test]
    fn what_cannot_be_told_is_counted_as_that() {
        let mut counter: Counter = Box::new(|_, payload, into| {
            into.add(KIND, "n", Share::of(1, payload.len() as u64));
            payload != b"no"
        });
        let (mut breakdowns, mut room) = (Breakdowns::default(), Vec::new());
        let at = Record::at(Span::new(SegmentId(0), 0, 2));
        let pieces: &crate::model::Pieces<'_> = &|take| [b"ab", b"cd"].iter().try_for_each(|piece| take(&piece[..]));
        for record in [
            Record { payload: Payload::Whole(b"yes"), ..at },
            Record { payload: Payload::Whole(b"no"), ..at },
            Record { payload: Payload::Long(4, pieces), ..at },
            Record { payload: Payload::Long(LONGEST_DECODED + 1, pieces), ..at },
            Record { encrypted: true, ..at },
        ] {
            breakdowns.record(&mut counter, &record, &mut room).expect("these pieces cannot fail");
        }
        assert_eq!((breakdowns.untold, breakdowns.all[0].total()), (3, Share::of(3, 9)));
    }
}
