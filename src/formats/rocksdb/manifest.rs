//! What the MANIFEST beside a log says about it: which logs are still wanted.

use super::super::edits::{last_of, slice_of, varint};
use crate::disk::{Cursor, Source};
use crate::model::Result;

/// The newest MANIFEST, which `CURRENT` names.
pub fn newest(source: &Source) -> Result<Option<Cursor>> {
    let Some(mut current) = source.sibling("CURRENT")? else { return Ok(None) };
    let name = String::from_utf8_lossy(current.bytes(0, 64)).trim().to_owned();
    if name.starts_with("MANIFEST-") { source.sibling(&name) } else { Ok(None) }
}

/// The lowest number of a log that the database still wants, if its newest MANIFEST says so.
pub fn lowest_wanted(source: &Source) -> Result<Option<u64>> {
    Ok(newest(source)?.and_then(|mut cursor| last_of(&mut cursor, wanted)))
}

/// Tag 10 of a version edit. Lists of files stand behind the numbers and end what is read.
fn wanted(mut edit: &[u8]) -> Option<u64> {
    let mut found = None;
    while let Some(tag) = varint(&mut edit) {
        match tag {
            // Log number, next file, last sequence, previous log, column family, highest one, records left in a group.
            2 | 3 | 4 | 9 | 200 | 203 | 300 => drop(varint(&mut edit)?),
            10 => found = Some(varint(&mut edit)?),
            1 | 201 => drop(slice_of(&mut edit)?),
            202 => {}
            // Four of these are old forms without a length.
            8192.. if !(8194..=8197).contains(&tag) => drop(slice_of(&mut edit)?),
            _ => return found,
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lowest_wanted_log_is_found_among_other_numbers_and_never_behind_a_list_of_files() {
        assert_eq!(wanted(&[1, 2, b'a', b'b', 2, 9, 10, 0x85, 1, 3, 7]), Some(133));
        assert_eq!(wanted(&[2, 9, 100, 10, 5]), None);
        assert_eq!(wanted(&[0x87, 0x40, 2, 9, 9, 10, 5]), Some(5), "tag 8199 has a length");
        for cut in 0..8 {
            let _ = wanted(&[1, 2, b'a', b'b', 2, 9, 10, 0x85][..cut]);
        }
    }
}
