//! One record of a block: its header, and what its sum is taken over.

use super::highway::Highway;

/// The fields in front of the subject.
pub const HEADER: usize = 22;
/// The sum behind everything.
pub const SUM: usize = 8;
/// The least that a record can be long.
pub const LEAST: u64 = (HEADER + SUM) as u64;
/// The most.
const MOST: u64 = 32 << 20;

const HAS_HEADERS: u32 = 1 << 31;
const ERASED: u64 = 1 << 63;
const TOMBSTONE: u64 = 1 << 62;

/// What a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Message,
    /// A message that was written over with random bytes.
    Erased,
    /// It says that a message is deleted.
    Tombstone,
}

impl Kind {
    pub const fn name(self) -> &'static str {
        match self {
            Kind::Message => "msg",
            Kind::Erased => "erased",
            Kind::Tombstone => "tombstone",
        }
    }
}

/// The header of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    pub at: u64,
    /// Of all of it.
    pub length: u64,
    pub kind: Kind,
    pub sequence: u64,
    /// Nanoseconds.
    pub time: u64,
    pub subject: u16,
    pub has_headers: bool,
}

impl Head {
    /// The header, if it can be one.
    pub fn parse(bytes: &[u8; HEADER], at: u64) -> Option<Head> {
        let word = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
        let long = |from: usize| u64::from_le_bytes(std::array::from_fn(|byte| bytes[from + byte]));
        let (length, sequence, time) = (u64::from(word & !HAS_HEADERS), long(4), long(12));
        let subject = u16::from_le_bytes([bytes[20], bytes[21]]);
        let kind = match (sequence & ERASED != 0, sequence & TOMBSTONE != 0) {
            (true, _) => Kind::Erased,
            (false, true) => Kind::Tombstone,
            (false, false) => Kind::Message,
        };
        let least = LEAST + u64::from(subject) + if word & HAS_HEADERS != 0 && kind == Kind::Message { 4 } else { 0 };
        let fits = match kind {
            Kind::Message => time <= i64::MAX as u64,
            Kind::Erased => subject == 0,
            Kind::Tombstone => subject == 0 && length == LEAST,
        };
        let head = Head {
            at,
            length,
            kind,
            sequence: sequence & !(ERASED | TOMBSTONE),
            time,
            subject,
            has_headers: word & HAS_HEADERS != 0 && kind == Kind::Message,
        };
        (fits && (least..=MOST).contains(&length)).then_some(head)
    }

    pub const fn end(&self) -> u64 {
        self.at + self.length
    }

    /// Where the subject ends.
    pub const fn behind_subject(&self) -> u64 {
        self.at + HEADER as u64 + self.subject as u64
    }

    /// Whether it may be believed where it was found by searching, behind a record of this sequence.
    pub const fn usual(&self, last: u64) -> bool {
        // From 2015 to 2116: JetStream is younger.
        let when = self.time >= 1_420_070_400_000_000_000 && self.time < 1 << 62;
        match self.kind {
            Kind::Message => when && self.sequence > last && self.sequence < last.saturating_add(1 << 40) && self.subject > 0,
            Kind::Erased => self.time == 0 && self.sequence > last && self.sequence < last.saturating_add(1 << 40),
            Kind::Tombstone => when && self.sequence > 0,
        }
    }
}

/// The sum of a record: over its bytes 4 to 19, the subject, the headers and the message, but not over lengths.
pub fn begin(key: &[u8; 32], header: &[u8; HEADER]) -> Highway {
    let mut sum = Highway::new(key);
    sum.append(&header[4..20]);
    sum
}

/// The same of a record that is at hand; `None` when its length does not fit its header.
pub fn sum_of(key: &[u8; 32], head: &Head, bytes: &[u8]) -> Option<u64> {
    let header = bytes.first_chunk::<HEADER>()?;
    let body = bytes.get(HEADER..bytes.len().checked_sub(SUM)?)?;
    let (subject, rest) = body.split_at_checked(usize::from(head.subject))?;
    let mut sum = begin(key, header);
    sum.append(subject);
    sum.append(if head.has_headers { rest.get(4..)? } else { rest });
    Some(sum.sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_and_bits_of_a_header_must_fit_each_other() {
        let head = |word: u32, sequence: u64, subject: u16| {
            let mut bytes = [0; HEADER];
            bytes[..4].copy_from_slice(&word.to_le_bytes());
            bytes[4..12].copy_from_slice(&sequence.to_le_bytes());
            bytes[20..].copy_from_slice(&subject.to_le_bytes());
            Head::parse(&bytes, 5)
        };
        let message = head(33, 7, 3).expect("the shortest message with such a subject");
        assert_eq!((message.kind, message.sequence, message.end(), message.behind_subject()), (Kind::Message, 7, 38, 30));
        assert!(head(32, 7, 3).is_none() && head(36 | HAS_HEADERS, 7, 3).is_none() && head((32 << 20) + 1, 7, 3).is_none());
        assert!(head(37 | HAS_HEADERS, 7, 3).is_some_and(|head| head.has_headers));
        assert_eq!(head(40 | HAS_HEADERS, 7 | ERASED, 0).map(|head| (head.kind, head.has_headers)), Some((Kind::Erased, false)));
        assert_eq!(head(30, 7 | TOMBSTONE, 0).map(|head| (head.kind, head.sequence)), Some((Kind::Tombstone, 7)));
        assert!(head(31, 7 | TOMBSTONE, 0).is_none() && head(40, 7 | ERASED, 1).is_none());
    }
}
