//! The items of a batch: what each does to its group.

/// One item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupItem<'a> {
    pub group: u64,
    pub does: Does<'a>,
}

/// What an item does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Does<'a> {
    /// Entries from an index on, and where each ends in the entry bytes of the batch.
    Entries {
        first: u64,
        ends: Vec<u64>,
    },
    /// The group is gone.
    Clean,
    /// What stands below this index is no longer needed.
    Compact(u64),
    Put(&'a [u8], &'a [u8]),
    Delete(&'a [u8]),
}

/// A number in groups of seven bits.
fn number(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0u64;
    for shift in (0..64).step_by(7) {
        let (byte, behind) = rest.split_first()?;
        *rest = behind;
        let part = u64::from(byte & 0x7F);
        if part << shift >> shift != part {
            return None;
        }
        value |= part << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

fn bytes<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = usize::try_from(number(rest)?).ok()?;
    let (taken, behind) = rest.split_at_checked(length)?;
    *rest = behind;
    Some(taken)
}

fn byte(rest: &mut &[u8]) -> Option<u8> {
    let (byte, behind) = rest.split_first()?;
    *rest = behind;
    Some(*byte)
}

/// The next item.
fn item<'a>(rest: &mut &'a [u8]) -> Option<GroupItem<'a>> {
    let group = number(rest)?;
    let does = match byte(rest)? {
        1 => {
            let count = number(rest)?;
            let first = if count > 0 { number(rest)? } else { 0 };
            // Each takes a byte at least, so a count that lies ends soon.
            let mut ends = Vec::new();
            for _ in 0..count {
                ends.push(number(rest)?);
            }
            Does::Entries { first, ends }
        }
        2 => match byte(rest)? {
            1 => Does::Clean,
            2 => Does::Compact(number(rest)?),
            _ => return None,
        },
        3 => match byte(rest)? {
            1 => Does::Put(bytes(rest)?, bytes(rest)?),
            2 => Does::Delete(bytes(rest)?),
            _ => return None,
        },
        _ => return None,
    };
    Some(GroupItem { group, does })
}

/// The items in these bytes, the sum behind them left out; `None` if they are not exactly that.
#[must_use]
pub fn items(mut rest: &[u8]) -> Option<Vec<GroupItem<'_>>> {
    let count = number(&mut rest)?;
    let mut items = Vec::new();
    for _ in 0..count {
        items.push(item(&mut rest)?);
    }
    rest.is_empty().then_some(items)
}

/// Whether bytes begin as items do, as far as they go or the first few of them.
#[must_use]
pub fn begin(mut rest: &[u8], whole: bool) -> bool {
    let Some(count) = number(&mut rest) else { return !whole };
    for _ in 0..count.min(4) {
        if item(&mut rest).is_none() {
            return !whole;
        }
    }
    true
}

/// What the raft library says of an entry: its kind and its term, if it is one of that library's with this index.
#[must_use]
pub fn raft_entry(mut message: &[u8], index: u64) -> Option<(u64, u64)> {
    let (mut kind, mut term, mut found) = (0, 0, None);
    while !message.is_empty() {
        let tag = number(&mut message)?;
        match (tag >> 3, tag & 7) {
            (1, 0) => kind = number(&mut message)?,
            (2, 0) => term = number(&mut message)?,
            (3, 0) => found = Some(number(&mut message)?),
            (_, 0) => drop(number(&mut message)?),
            (_, 2) => drop(bytes(&mut message)?),
            _ => return None,
        }
    }
    (found == Some(index)).then_some((kind, term))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_are_read_to_the_last_byte_or_not_at_all() {
        let bytes = b"\x04\x11\x01\x02\xb1\x09\x05\x0a\x11\x02\x02\x07\x12\x02\x01\x03\x03\x01\x01k\x02vv";
        let found = items(bytes).expect("they are whole");
        assert_eq!(found[0], GroupItem { group: 17, does: Does::Entries { first: 1201, ends: vec![5, 10] } });
        assert_eq!(found[1].does, Does::Compact(7));
        assert_eq!(found[2], GroupItem { group: 18, does: Does::Clean });
        assert_eq!(found[3].does, Does::Put(b"k", b"vv"));
        for cut in 0..bytes.len() {
            assert_eq!(items(&bytes[..cut]), None, "cut to {cut}");
        }
        assert_eq!(items(b"\x01\x01\x03\x02\x01k"), Some(vec![GroupItem { group: 1, does: Does::Delete(b"k") }]));
        assert_eq!(items(b"\x01\x01\x04"), None);
    }

    #[test]
    fn a_beginning_may_end_anywhere_unless_all_is_there() {
        let bytes = b"\x02\x11\x02\x02\x07\x12\x02\x01";
        for cut in 0..bytes.len() {
            assert_eq!((begin(&bytes[..cut], false), begin(&bytes[..cut], true)), (true, false), "cut to {cut}");
        }
        assert!(begin(bytes, true) && begin(bytes, false));
        // Of many only the first four are looked at.
        let five = |fifth: u8| [b"\x05".to_vec(), b"\x12\x02\x01".repeat(4), vec![0x12, fifth]].concat();
        assert!(begin(&five(9), true) && begin(&five(9), false));
    }

    #[test]
    fn an_entry_is_the_librarys_only_with_its_index() {
        assert_eq!(raft_entry(b"\x08\x01\x10\x05\x18\x2a\x22\x02hi", 42), Some((1, 5)));
        assert_eq!((raft_entry(b"\x10\x05\x18\x2a", 43), raft_entry(b"hello", 42), raft_entry(b"", 42)), (None, None, None));
    }
}
