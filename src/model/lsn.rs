//! Which record: log sequence numbers.

use std::fmt;

/// The number of a record: 1 for the first one of a log's life, and never given twice. Not an offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lsn(pub u64);

impl Lsn {
    /// The first LSN of a new log.
    pub const FIRST: Lsn = Lsn(1);
    /// The last LSN that a record can get. The number after it is due when a log is full, and nothing ever gets it.
    pub const LAST: Lsn = Lsn(u64::MAX - 1);

    /// The number after this one; the last possible one stays where it is.
    #[must_use]
    pub const fn next(self) -> Lsn {
        Lsn(self.0.saturating_add(1))
    }

    /// The number `count` further on.
    #[must_use]
    pub const fn plus(self, count: u64) -> Lsn {
        Lsn(self.0.saturating_add(count))
    }

    /// The number before this one; `None` before 0.
    #[must_use]
    pub const fn before(self) -> Option<Lsn> {
        match self.0.checked_sub(1) {
            Some(n) => Some(Lsn(n)),
            None => None,
        }
    }
}

impl fmt::Display for Lsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// LSNs from `first` to `last`, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LsnRange {
    /// The lowest one.
    pub first: Lsn,
    /// The highest one; never below `first`.
    pub last: Lsn,
}

impl LsnRange {
    /// The range, or nothing when `last` lies below `first`.
    #[must_use]
    pub fn new(first: Lsn, last: Lsn) -> Option<LsnRange> {
        (first <= last).then_some(LsnRange { first, last })
    }

    /// Whether `lsn` is one of them.
    #[must_use]
    pub fn contains(&self, lsn: Lsn) -> bool {
        self.first <= lsn && lsn <= self.last
    }

    /// How many they are.
    #[must_use]
    pub fn count(&self) -> u64 {
        (self.last.0 - self.first.0).saturating_add(1)
    }
}

impl fmt::Display for LsnRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.first == self.last { write!(f, "{}", self.first) } else { write!(f, "{}-{}", self.first, self.last) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_prints_as_it_is_pasted() {
        let one = LsnRange::new(Lsn(7), Lsn(7)).expect("7 is not below 7");
        let many = LsnRange::new(Lsn(7), Lsn(9)).expect("9 is not below 7");
        assert_eq!((one.to_string(), one.count()), ("7".to_owned(), 1));
        assert_eq!((many.to_string(), many.count()), ("7-9".to_owned(), 3));
        assert_eq!(LsnRange::new(Lsn(2), Lsn(1)), None);
    }

    #[test]
    fn numbers_do_not_wrap() {
        assert_eq!(Lsn(u64::MAX).next(), Lsn(u64::MAX));
        assert_eq!(Lsn(0).before(), None);
        assert_eq!(LsnRange::new(Lsn(0), Lsn(u64::MAX)).map(|r| r.count()), Some(u64::MAX));
    }
}
