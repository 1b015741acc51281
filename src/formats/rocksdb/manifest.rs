//! What the MANIFEST beside a log says about it: which logs are still wanted.

use super::frame::{Part, Stands, stands};
use crate::disk::{Cursor, Source};
use crate::model::Result;

/// Records that are longer are lists of files, and are not read further.
const READ: usize = 64 << 10;

/// The lowest number of a log that the database still wants, if its newest MANIFEST says so.
pub fn lowest_wanted(source: &Source) -> Result<Option<u64>> {
    let Some(mut current) = source.sibling("CURRENT")? else { return Ok(None) };
    let name = String::from_utf8_lossy(current.bytes(0, 64)).trim().to_owned();
    if !name.starts_with("MANIFEST-") {
        return Ok(None);
    }
    Ok(source.sibling(&name)?.and_then(|mut cursor| lowest_in(&mut cursor)))
}

fn lowest_in(cursor: &mut Cursor) -> Option<u64> {
    let (mut at, mut record, mut lowest) = (0, Vec::new(), None);
    loop {
        match stands(cursor, at, false) {
            Stands::Trailer(next) => at = next,
            Stands::Frame(frame) => {
                if matches!(frame.part, Part::Whole | Part::First) {
                    record.clear();
                }
                if record.len() < READ {
                    record.extend_from_slice(cursor.bytes(frame.payload(), usize::from(frame.length)));
                }
                if matches!(frame.part, Part::Whole | Part::Last) {
                    lowest = wanted(&record).or(lowest);
                }
                at = frame.end();
            }
            _ => return lowest,
        }
    }
}

/// Tag 10 of a version edit. Lists of files stand behind the numbers and end what is read.
fn wanted(mut edit: &[u8]) -> Option<u64> {
    let mut found = None;
    while let Some(tag) = varint(&mut edit) {
        match tag {
            // Log number, next file, last sequence, previous log, column family, highest one, records left in a group.
            2 | 3 | 4 | 9 | 200 | 203 | 300 => drop(varint(&mut edit)?),
            10 => found = Some(varint(&mut edit)?),
            1 | 201 => slice(&mut edit)?,
            202 => {}
            // Four of these are old forms without a length.
            8192.. if !(8194..=8197).contains(&tag) => slice(&mut edit)?,
            _ => return found,
        }
    }
    found
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0u64;
    for shift in (0..64).step_by(7) {
        let (first, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(first & 0x7F) << shift;
        if first & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

fn slice(bytes: &mut &[u8]) -> Option<()> {
    let length = usize::try_from(varint(bytes)?).ok()?;
    *bytes = bytes.get(length..)?;
    Some(())
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
