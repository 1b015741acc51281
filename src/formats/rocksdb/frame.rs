//! What the types of frames mean in logs of RocksDB and LevelDB.

use super::super::blocks::{Form, Part, RECYCLED_HEADER};

/// The longest rest of a block, in a recycled log, that may be zeros because no header fits.
pub const NO_ROOM: usize = RECYCLED_HEADER - 1;

const COMPRESSION: u8 = 9;
const TIMESTAMPS: u8 = 10;
const RECYCLED_TIMESTAMPS: u8 = 11;
const PREDECESSOR: u8 = 130;
const RECYCLED_PREDECESSOR: u8 = 131;
/// A type with this bit may be passed over by those that do not know it.
const SKIPPABLE: u8 = 0x80;

/// What a type means, and whether it stands in recycled logs.
pub fn types(kind: u8) -> Option<(Part, Form)> {
    Some(match kind {
        1 => (Part::Whole, Form::Classic),
        2 => (Part::First, Form::Classic),
        3 => (Part::Middle, Form::Classic),
        4 => (Part::Last, Form::Classic),
        5 => (Part::Whole, Form::Recycled),
        6 => (Part::First, Form::Recycled),
        7 => (Part::Middle, Form::Recycled),
        8 => (Part::Last, Form::Recycled),
        COMPRESSION => (Part::Compression, Form::Classic),
        TIMESTAMPS => (Part::Timestamps, Form::Classic),
        RECYCLED_TIMESTAMPS => (Part::Timestamps, Form::Recycled),
        PREDECESSOR => (Part::Predecessor, Form::Classic),
        RECYCLED_PREDECESSOR => (Part::Predecessor, Form::Recycled),
        kind if kind & SKIPPABLE != 0 => (Part::Unknown, Form::Classic),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_that_need_not_be_known_are_told_from_those_that_must() {
        assert_eq!(types(0x90), Some((Part::Unknown, Form::Classic)));
        for kind in [0, 12, 20, 127] {
            assert_eq!(types(kind), None, "{kind}");
        }
    }
}
