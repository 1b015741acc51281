//! The lines of a file, one after the other: however long a line is, no more than the longest honest one is held.

use crate::disk::File;
use crate::formats::LONGEST_LINE;
use crate::model::Result;

/// How much is read at a time.
const PIECE: usize = 1 << 20;

/// A line: where it begins, and its bytes without the newline; `None` when it is longer than a line can be, or the system refused to
/// give its end.
pub(super) type Line<'a> = (u64, Option<&'a [u8]>);

/// Hands each line of a file to `take`. What the system refuses to give ends it, like the end of the file.
pub(super) fn each_line(file: &dyn File, take: &mut dyn FnMut(Line<'_>) -> Result<()>) -> Result<()> {
    let (mut held, mut begins, mut read): (Vec<u8>, u64, u64) = (Vec::new(), 0, 0);
    let mut skipping = false;
    loop {
        let filled = held.len();
        held.resize(filled + PIECE, 0);
        let (count, refused) = match file.read_at(&mut held[filled..], read) {
            Ok(count) => (count, false),
            Err(_) => (0, true),
        };
        held.truncate(filled + count);
        read += count as u64;
        if count == 0 {
            let rest = !held.is_empty() || skipping || refused;
            return if rest { take((begins, Some(&held[..]).filter(|_| !skipping && !refused))) } else { Ok(()) };
        }
        let mut done = 0;
        // What was held before has no newline in it.
        let mut from = filled;
        while let Some(at) = memchr::memchr(b'\n', &held[from..]) {
            let line = &held[done..from + at];
            let line = Some(line).filter(|line| !skipping && line.len() <= LONGEST_LINE);
            take((begins, line))?;
            from += at + 1;
            (done, skipping) = (from, false);
            begins = read - (held.len() - done) as u64;
        }
        held.drain(..done);
        if held.len() > LONGEST_LINE {
            skipping = true;
            held.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::disk::{Disk, Open, SimDisk, write_full};

    fn lines_of(content: &[u8]) -> Vec<(u64, Option<usize>)> {
        let disk = SimDisk::new();
        let file = disk.open(Path::new("lines"), Open { or_create: true, ..Open::WRITE }).expect("it can be made");
        write_full(file.as_ref(), content, 0).expect("there is room");
        let mut lines = Vec::new();
        each_line(file.as_ref(), &mut |(at, line)| {
            lines.push((at, line.map(<[u8]>::len)));
            Ok(())
        })
        .expect("nobody refuses");
        lines
    }

    #[test]
    fn lines_are_given_with_their_places_and_one_without_a_newline_is_the_last() {
        assert_eq!(lines_of(b""), []);
        assert_eq!(lines_of(b"\n"), [(0, Some(0))]);
        assert_eq!(lines_of(b"ab\n\ncde"), [(0, Some(2)), (3, Some(0)), (4, Some(3))]);
        let long = PIECE + PIECE / 2;
        let content = [vec![b'x'; long], b"\n".to_vec(), vec![b'y'; long], b"\nz\n".to_vec()].concat();
        let second = long as u64 + 1;
        assert_eq!(lines_of(&content), [(0, Some(long)), (second, Some(long)), (2 * second, Some(1))]);
    }

    #[test]
    fn a_line_that_is_too_long_is_passed_over_and_the_next_one_is_given() {
        let content = [vec![b'x'; 2 * LONGEST_LINE + 5], b"\nnext\n".to_vec()].concat();
        assert_eq!(lines_of(&content), [(0, None), (2 * LONGEST_LINE as u64 + 6, Some(4))]);
        assert_eq!(lines_of(&content[..2 * LONGEST_LINE]), [(0, None)]);
    }
}
