//! What the records hold, as far as numbers, proofs and places need it.

use super::frame::{RecordType, uvarint};

/// No entry, state or snapshot needs more to tell its numbers.
pub const LONGEST_START: usize = 48;

/// The numbers of an entry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EntryHead {
    /// 0 a request, 1 and 2 a change of the members.
    pub kind: u64,
    /// The leader's term.
    pub term: u64,
    /// Its place in the raft log.
    pub index: u64,
    /// How long its content is.
    pub content: u64,
}

/// What a member must not forget.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HardState {
    /// The term that it is in.
    pub term: u64,
    /// For whom it voted in that term; 0 for nobody.
    pub vote: u64,
    /// Entries up to this one are promised by a majority.
    pub commit: u64,
}

/// Up to where a snapshot goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SnapshotHead {
    /// The last entry in it.
    pub index: u64,
    /// That one's term.
    pub term: u64,
}

/// Who wrote the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Member {
    /// The member.
    pub node: u64,
    /// Its cluster.
    pub cluster: u64,
}

/// One field: its number, and what it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldValue<'a> {
    /// A number.
    Number(u64),
    /// Bytes: those that are at hand, and how many there should be.
    Bytes(&'a [u8], u64),
    /// Eight or four bytes that nothing here needs.
    Fixed,
}

/// Takes one field of a protobuf message from the front; `None` at the end, or where there is none.
pub fn field<'a>(bytes: &mut &'a [u8]) -> Option<(u64, FieldValue<'a>)> {
    let (tag, rest) = uvarint(bytes)?;
    let (value, rest) = match tag & 7 {
        0 => {
            let (number, rest) = uvarint(rest)?;
            (FieldValue::Number(number), rest)
        }
        1 => (FieldValue::Fixed, rest.get(8..)?),
        2 => {
            let (length, rest) = uvarint(rest)?;
            let at_hand = rest.len().min(usize::try_from(length).unwrap_or(usize::MAX));
            (FieldValue::Bytes(&rest[..at_hand], length), &rest[at_hand..])
        }
        5 => (FieldValue::Fixed, rest.get(4..)?),
        _ => return None,
    };
    if tag >> 3 == 0 {
        return None;
    }
    *bytes = rest;
    Some((tag >> 3, value))
}

/// Reads the fields of a message of `length` bytes, of which the first are given, up to its first long field. False when it is none.
fn read(start: &[u8], length: u64, mut take: impl FnMut(u64, FieldValue<'_>) -> bool) -> bool {
    let whole = start.len() as u64 >= length;
    let mut rest = if whole { &start[..usize::try_from(length).expect("no longer than what is given")] } else { start };
    let given = rest.len();
    while !rest.is_empty() {
        let left = rest.len();
        let Some((number, value)) = field(&mut rest) else {
            // A field that is cut where the given bytes end.
            return !whole && left < 12;
        };
        let absent = match value {
            FieldValue::Bytes(at_hand, want) => want - at_hand.len() as u64,
            FieldValue::Number(_) | FieldValue::Fixed => 0,
        };
        let end = ((given - rest.len()) as u64).saturating_add(absent);
        if end > length || !take(number, value) {
            return false;
        }
        if absent > 0 {
            return true;
        }
    }
    true
}

impl EntryHead {
    /// From the first bytes of an entry of this length.
    #[must_use]
    pub fn parse(start: &[u8], length: u64) -> Option<EntryHead> {
        let mut entry = EntryHead::default();
        let whole = read(start, length, |number, value| {
            match (number, value) {
                (1, FieldValue::Number(kind)) => entry.kind = kind,
                (2, FieldValue::Number(term)) => entry.term = term,
                (3, FieldValue::Number(index)) => entry.index = index,
                (4, FieldValue::Bytes(_, length)) => entry.content = length,
                (1..=4, _) => return false,
                _ => {}
            }
            true
        });
        (whole && entry.kind <= 2 && entry.term > 0 && entry.index > 0).then_some(entry)
    }
}

impl HardState {
    /// From its bytes. A state has numbers only, so an entry is not taken for one.
    #[must_use]
    pub fn parse(bytes: &[u8], length: u64) -> Option<HardState> {
        let mut state = HardState::default();
        let whole = read(bytes, length, |number, value| {
            match (number, value) {
                (1, FieldValue::Number(term)) => state.term = term,
                (2, FieldValue::Number(vote)) => state.vote = vote,
                (3, FieldValue::Number(commit)) => state.commit = commit,
                (1..=3, _) | (_, FieldValue::Bytes(..)) => return false,
                _ => {}
            }
            true
        });
        whole.then_some(state)
    }
}

impl SnapshotHead {
    /// From its first bytes.
    #[must_use]
    pub fn parse(bytes: &[u8], length: u64) -> Option<SnapshotHead> {
        let mut snapshot = SnapshotHead::default();
        let whole = read(bytes, length, |number, value| {
            match (number, value) {
                (1, FieldValue::Number(index)) => snapshot.index = index,
                (2, FieldValue::Number(term)) => snapshot.term = term,
                (1..=2, _) => return false,
                _ => {}
            }
            true
        });
        whole.then_some(snapshot)
    }
}

impl Member {
    /// From its bytes.
    #[must_use]
    pub fn parse(bytes: &[u8], length: u64) -> Option<Member> {
        let mut member = Member::default();
        let whole = read(bytes, length, |number, value| {
            match (number, value) {
                (1, FieldValue::Number(node)) => member.node = node,
                (2, FieldValue::Number(cluster)) => member.cluster = cluster,
                (1..=2, _) => return false,
                _ => {}
            }
            true
        });
        whole.then_some(member)
    }
}

/// Whether the first bytes of what a record of this type holds can be that.
#[must_use]
pub fn start_fits(kind: RecordType, start: &[u8], length: u64) -> bool {
    match kind {
        RecordType::Metadata => Member::parse(start, length).is_some(),
        RecordType::Entry => EntryHead::parse(start, length).is_some(),
        RecordType::State => HardState::parse(start, length).is_some(),
        RecordType::Sum => length == 0,
        RecordType::Snapshot => SnapshotHead::parse(start, length).is_some(),
        RecordType::Unknown(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENTRY: &[u8] = &[0x08, 0, 0x10, 2, 0x18, 0x85, 1, 0x22, 3, b'x', b'y', b'z'];

    #[test]
    fn an_entry_gives_its_numbers_from_its_first_bytes() {
        let entry = EntryHead { kind: 0, term: 2, index: 133, content: 3 };
        assert_eq!(EntryHead::parse(ENTRY, 12), Some(entry));
        assert_eq!(EntryHead::parse(&ENTRY[..10], 12), Some(entry), "the content need not be at hand");
        assert_eq!(EntryHead::parse(ENTRY, 11), None, "its content goes beyond it");
        assert_eq!(
            EntryHead::parse(&[0x08, 0, 0x10, 2, 0x18, 4], 6),
            Some(EntryHead { term: 2, index: 4, ..EntryHead::default() })
        );
    }

    #[test]
    fn a_record_whose_type_was_changed_does_not_fit_it() {
        assert_eq!(HardState::parse(ENTRY, 12), None);
        let state = [0x08, 2, 0x10, 0xB7, 0xB9, 1, 0x18, 5];
        assert_eq!(HardState::parse(&state, 8), Some(HardState { term: 2, vote: 23735, commit: 5 }));
        assert!(!start_fits(RecordType::Unknown(6), ENTRY, 12));
        for cut in 0..ENTRY.len() {
            assert_eq!(EntryHead::parse(&ENTRY[..cut], cut as u64).is_some(), cut == 7, "{cut}");
        }
    }
}
