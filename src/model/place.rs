//! Where bytes lie: segment, offset, length.

/// A segment of a log by its position in the log's natural order, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SegmentId(pub u32);

impl SegmentId {
    /// As an index into the log's segments.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// A byte of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// Which file.
    pub segment: SegmentId,
    /// The byte in it.
    pub offset: u64,
}

/// Some bytes of a log, in one segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// Where they begin.
    pub place: Place,
    /// How many they are.
    pub length: u64,
}

impl Span {
    /// The bytes of `segment` from `start` up to, not including, `end`.
    #[must_use]
    pub const fn new(segment: SegmentId, start: u64, end: u64) -> Span {
        Span { place: Place { segment, offset: start }, length: end.saturating_sub(start) }
    }

    /// The offset of the first byte.
    #[must_use]
    pub const fn start(&self) -> u64 {
        self.place.offset
    }

    /// The offset after the last byte.
    #[must_use]
    pub const fn end(&self) -> u64 {
        self.place.offset.saturating_add(self.length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_ends_behind_its_last_byte() {
        let span = Span::new(SegmentId(2), 4096, 4144);
        assert_eq!((span.start(), span.end(), span.length), (4096, 4144, 48));
        assert_eq!(Span::new(SegmentId(0), 9, 3).length, 0);
    }
}
