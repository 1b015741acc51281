//! What the types of chunks mean in logs of Pebble.

use super::super::blocks::{Form, Part, SYNC_HEADER};

/// The longest rest of a block that may be zeros because no header fits: of the longest one, whatever the log's own are.
pub const NO_ROOM: usize = SYNC_HEADER - 1;

/// What a type means, and how long the header is.
pub fn types(kind: u8) -> Option<(Part, Form)> {
    let form = match kind {
        1..=4 => Form::Classic,
        5..=8 => Form::Recycled,
        9..=12 => Form::Sync,
        _ => return None,
    };
    let part = [Part::Whole, Part::First, Part::Middle, Part::Last][usize::from((kind - 1) % 4)];
    Some((part, form))
}

/// Whether `bytes` are what a log ends with that was closed: the header of the next log's first chunk, without a sum.
#[must_use]
pub fn closes(bytes: &[u8], number: u32) -> bool {
    let next = number.wrapping_add(1).to_le_bytes();
    matches!(bytes, [0, 0, 0, 0, 0, 0, 5, a, b, c, d, ..] if [*a, *b, *c, *d] == next)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn twelve_types_are_four_parts_in_three_forms() {
        assert_eq!(types(9), Some((Part::Whole, Form::Sync)));
        assert_eq!(types(7), Some((Part::Middle, Form::Recycled)));
        assert_eq!(types(4), Some((Part::Last, Form::Classic)));
        assert_eq!([types(0), types(13), types(130)], [None; 3]);
    }

    #[test]
    fn a_trailer_bears_the_number_of_the_next_log() {
        let bytes = [0, 0, 0, 0, 0, 0, 5, 8, 0, 0, 0, 99];
        assert!(closes(&bytes, 7) && !closes(&bytes, 8) && !closes(&bytes[..10], 7));
        assert!(closes(&[0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0], u32::MAX));
    }
}
