//! The index files beside a segment, checked against it: a broker finds offsets through them and compares nothing.

use crate::disk::{Cursor, Segment, Source};

/// No index is read further. A broker makes them 10 MiB long.
const LONGEST: usize = 64 << 20;
const ENTRY: usize = 8;
const TIME_ENTRY: usize = 12;

/// The index of a segment.
#[derive(Debug)]
pub struct Index {
    name: String,
    times: String,
    bytes: Vec<u8>,
    time_bytes: Vec<u8>,
    base: u64,
    next: usize,
    last: u64,
    wrong: Option<String>,
}

impl Index {
    /// The index beside a segment, as it is now: before the segment is opened, for an entry is written after what it points to.
    pub fn beside(source: &Source, segment: &Segment) -> Index {
        let stem = segment.name.strip_suffix(".log").unwrap_or(&segment.name);
        let mut index = Index {
            name: format!("{stem}.index"),
            times: format!("{stem}.timeindex"),
            bytes: Vec::new(),
            time_bytes: Vec::new(),
            base: segment.sequence,
            next: 0,
            last: 0,
            wrong: None,
        };
        (index.bytes, index.time_bytes) = (read(source, &index.name), read(source, &index.times));
        index
    }

    /// The entry that comes next: an offset, and the place of a batch.
    fn entry(&self) -> Option<(u64, u64)> {
        let (offset, rest) = self.bytes.get(self.next..)?.split_first_chunk::<4>()?;
        let (at, _) = rest.split_first_chunk::<4>()?;
        let (offset, at) = (u32::from_be_bytes(*offset), u32::from_be_bytes(*at));
        // Room that was made ahead.
        ((offset, at) != (0, 0)).then(|| (self.base.saturating_add(u64::from(offset)), u64::from(at)))
    }

    /// A whole batch stands here.
    pub fn batch(&mut self, at: u64, first: u64) {
        while let Some((offset, place)) = self.entry().filter(|(_, place)| *place <= at) {
            if place < at {
                self.say(format!("entry {} points to byte {place}, where no batch begins", self.next / ENTRY));
            } else if offset < first {
                self.say(format!(
                    "entry {} says that offset {offset} stands at byte {place}, and {first} does",
                    self.next / ENTRY
                ));
            } else if offset <= self.last && self.next > 0 {
                self.say(format!("entry {} has offset {offset} behind {}", self.next / ENTRY, self.last));
            }
            self.last = offset;
            self.next += ENTRY;
        }
    }

    /// What stands before this place is damage: entries that point there are not to blame.
    pub fn pass(&mut self, to: u64) {
        while let Some((offset, _)) = self.entry().filter(|(_, place)| *place < to) {
            (self.last, self.next) = (offset, self.next + ENTRY);
        }
    }

    fn say(&mut self, words: String) {
        self.wrong.get_or_insert_with(|| format!("{}: {words}", self.name));
    }

    /// The segment ends here, and this offset is due behind it. What is wrong with its index files, if they still say so.
    pub fn end(mut self, source: &Source, at: u64, due: u64) -> Option<String> {
        if let Some((_, place)) = self.entry() {
            self.say(format!("entry {} points to byte {place}, and the data ends at {at}", self.next / ENTRY));
        }
        let wrong = self.wrong.take().or_else(|| self.times_wrong(due))?;
        // A broker that compacts or cuts the segment replaces its index too.
        let stands = read(source, &self.name) == self.bytes && read(source, &self.times) == self.time_bytes;
        stands.then_some(wrong)
    }

    fn times_wrong(&self, due: u64) -> Option<String> {
        let (mut last_time, mut last_offset) = (i64::MIN, 0);
        for (number, entry) in self.time_bytes.chunks_exact(TIME_ENTRY).enumerate() {
            let time = i64::from_be_bytes(std::array::from_fn(|index| entry[index]));
            let offset = self.base.saturating_add(u64::from(u32::from_be_bytes(std::array::from_fn(|index| entry[8 + index]))));
            if entry.iter().all(|byte| *byte == 0) {
                return None;
            }
            let name = &self.times;
            if time < last_time || offset < last_offset {
                return Some(format!("{name}: entry {number} goes back, to time {time} and offset {offset}"));
            }
            if offset >= due.max(self.base + 1) {
                return Some(format!("{name}: entry {number} has offset {offset}, and the segment ends before {due}"));
            }
            (last_time, last_offset) = (time, offset);
        }
        None
    }
}

fn read(source: &Source, name: &str) -> Vec<u8> {
    let bytes = |mut cursor: Cursor| {
        let length = usize::try_from(cursor.length()).unwrap_or(LONGEST).min(LONGEST);
        let mut bytes = Vec::new();
        while bytes.len() < length {
            let piece = cursor.bytes(bytes.len() as u64, (length - bytes.len()).min(128 << 10));
            // Room that was made ahead is not worth holding.
            if piece.is_empty() || piece.iter().all(|byte| *byte == 0) {
                break;
            }
            bytes.extend_from_slice(piece);
        }
        bytes
    };
    source.sibling(name).ok().flatten().map(bytes).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The index files of a segment that begins with offset 100: places by offset, and offsets by time.
    fn index(places: &[(u32, u32)], times: &[(i64, u32)]) -> Index {
        let bytes = places.iter().flat_map(|(offset, at)| [offset.to_be_bytes(), at.to_be_bytes()].concat()).collect();
        let time_bytes =
            times.iter().flat_map(|(time, offset)| [&time.to_be_bytes()[..], &offset.to_be_bytes()].concat()).collect();
        let (name, times) = ("100.index".to_owned(), "100.timeindex".to_owned());
        Index { name, times, bytes, time_bytes, base: 100, next: 0, last: 0, wrong: None }
    }

    #[test]
    fn an_entry_points_to_where_its_batch_begins() {
        let said = |places: &[(u32, u32)]| {
            let mut index = index(places, &[]);
            for (at, first) in [(0, 100), (70, 104), (150, 109), (220, 112)] {
                index.batch(at, first);
            }
            (index.wrong.unwrap_or_default(), index.next / ENTRY)
        };
        assert_eq!(said(&[(4, 70), (14, 220)]), (String::new(), 2));
        // Room that was made ahead ends it.
        assert_eq!(said(&[(4, 70), (0, 0), (7, 71)]), (String::new(), 1));
        for (places, words) in [
            (&[(4, 70), (9, 151)][..], "entry 1 points to byte 151, where no batch begins"),
            (&[(3, 70)], "entry 0 says that offset 103 stands at byte 70, and 104 does"),
            (&[(20, 70), (14, 220)], "entry 1 has offset 114 behind 120"),
        ] {
            assert_eq!(said(places).0, format!("100.index: {words}"));
        }
    }

    #[test]
    fn entries_into_damage_are_not_to_blame() {
        let mut index = index(&[(4, 71), (12, 220)], &[]);
        index.pass(220);
        assert_eq!(index.next, ENTRY, "what points to where it ends is still to be checked");
        index.batch(220, 112);
        assert_eq!((index.wrong, index.next), (None, 2 * ENTRY));
    }

    #[test]
    fn times_and_their_offsets_go_on_up_to_the_end_of_the_segment() {
        let said = |times: &[(i64, u32)]| index(&[], times).times_wrong(116).unwrap_or_default();
        assert_eq!(said(&[(1000, 3), (1000, 8), (1009, 15), (0, 0), (5, 99)]), "");
        for (times, words) in [
            (&[(1000, 3), (999, 8)][..], "entry 1 goes back, to time 999 and offset 108"),
            (&[(1000, 8), (1001, 3)], "entry 1 goes back, to time 1001 and offset 103"),
            (&[(1000, 16)], "entry 0 has offset 116, and the segment ends before 116"),
        ] {
            assert_eq!(said(times), format!("100.timeindex: {words}"));
        }
    }
}
