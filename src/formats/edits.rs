//! Version edits in a MANIFEST, as far as both RocksDB and Pebble are read: which logs are still wanted.

use super::blocks::{Form, Part, Stands, Types, stands};
use crate::disk::Cursor;

/// Records that are longer are lists of files, and are not read further.
const READ: usize = 64 << 10;

const CLASSIC: Types = |kind| match kind {
    1 => Some((Part::Whole, Form::Classic)),
    2 => Some((Part::First, Form::Classic)),
    3 => Some((Part::Middle, Form::Classic)),
    4 => Some((Part::Last, Form::Classic)),
    _ => None,
};

/// Hands over the edits of a MANIFEST, of long ones the beginning.
pub fn each(cursor: &mut Cursor, take: &mut dyn FnMut(&[u8])) {
    let (mut at, mut record) = (0, Vec::new());
    loop {
        match stands(CLASSIC, cursor, at, 0) {
            Stands::Trailer(next) => at = next,
            Stands::Frame(frame) => {
                if matches!(frame.part, Part::Whole | Part::First) {
                    record.clear();
                }
                if record.len() < READ {
                    record.extend_from_slice(cursor.bytes(frame.payload(), usize::from(frame.length)));
                }
                if matches!(frame.part, Part::Whole | Part::Last) {
                    take(&record);
                }
                at = frame.end();
            }
            _ => return,
        }
    }
}

/// What `read` finds in the last edit in which it finds something.
pub fn last_of(cursor: &mut Cursor, read: fn(&[u8]) -> Option<u64>) -> Option<u64> {
    let mut last = None;
    each(cursor, &mut |edit| last = read(edit).or(last));
    last
}

/// A number of variable length at the start of `bytes`, which are what is behind it then.
pub fn varint(bytes: &mut &[u8]) -> Option<u64> {
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

/// The bytes with their length in front of them at the start of `bytes`, which are what is behind them then.
pub fn slice_of<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = usize::try_from(varint(bytes)?).ok()?;
    let (slice, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    Some(slice)
}
