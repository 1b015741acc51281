//! What a cut leaves behind: a file beside the segment with the bytes, and with where they came from.
//!
//! ```text
//! walctl cut 1 3f09a1b2            the sum of the next line
//! {"segment": "…", "offset": …}    one line of JSON
//! the bytes, to the end of the file
//! ```
//! It gets its name only when it is complete and synced, so whatever has such a name is whole, or rotten.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Value, json};

use crate::disk::{
    Cursor, Disk, EntryKind, File, Open, as_private, begin_file, crc32, finished, pieces, read_full, unfinished, write_full,
};
use crate::model::units::hex;
use crate::model::{Error, Lsn, LsnRange, Result, Time};

const FIRST_LINE: &str = "walctl cut 1 ";
/// Both lines together are seldom longer.
const USUAL_HEAD: usize = 64 << 10;
/// And never longer than this: every copy that a double-write file can hold, in hexadecimal.
const LONGEST_HEAD: usize = 16 << 20;
/// How much in front of a cut is summed, so that a cut is only put back where it came from.
const CONTEXT: u64 = 4096;

/// Where cut bytes came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provenance {
    /// The segment's name within its log.
    pub segment: String,
    /// Where they began.
    pub offset: u64,
    /// How many they are: up to the last one that is not zero.
    pub bytes: u64,
    /// How long the segment was. What lies after the bytes was zeros.
    pub file_bytes: u64,
    /// The segment was removed, not cut.
    pub removed: bool,
    /// What was written at the cut, as the log's own system wants it.
    pub fill: Vec<u8>,
    /// The segment was not there: what was written is all of it, and nothing was cut.
    pub added: bool,
    /// The last segment of the log at that time, where others stood behind the cut on purpose.
    pub newest: Option<String>,
    /// These LSNs became a known hole, and nothing was cut.
    pub hole: Option<LsnRange>,
    /// Their sum (CRC-32).
    pub sum: u32,
    /// The sum of what stands in front of the cut, up to 4,096 bytes of it.
    pub context: u32,
    /// The LSNs that were in them, or may have been.
    pub lsns: Option<LsnRange>,
    /// Everything after this LSN was cut on purpose.
    pub at: Option<Lsn>,
    /// What was wrong with them, in words.
    pub why: String,
    /// The log's format.
    pub format: String,
    /// Which repair it was, counted from 1 over the life of the log.
    pub repair: u64,
    /// Which cut of that repair, from 0.
    pub step: u64,
    /// When.
    pub time: Time,
    /// By which version of walctl.
    pub version: String,
}

impl Provenance {
    /// Of no bytes, at the start of a segment.
    #[must_use]
    pub fn nothing(segment: &str, format: &str) -> Provenance {
        Provenance {
            segment: segment.to_owned(),
            offset: 0,
            bytes: 0,
            file_bytes: 0,
            removed: false,
            fill: Vec::new(),
            added: false,
            newest: None,
            hole: None,
            sum: 0,
            context: 0,
            lsns: None,
            at: None,
            why: String::new(),
            format: format.to_owned(),
            repair: 0,
            step: 0,
            time: Time(0),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }

    /// What a repair put in the place of the bytes, in hex.
    #[must_use]
    pub fn fill_hex(&self) -> String {
        hex(&self.fill)
    }

    /// The same as JSON.
    #[must_use]
    pub fn json(&self) -> Value {
        json!({
            "segment": self.segment,
            "offset": self.offset,
            "bytes": self.bytes,
            "file_bytes": self.file_bytes,
            "removed": self.removed,
            "fill": self.fill_hex(),
            "added": self.added,
            "newest": self.newest,
            "hole_first_lsn": self.hole.map(|l| l.first.0),
            "hole_last_lsn": self.hole.map(|l| l.last.0),
            "crc32": format!("{:08x}", self.sum),
            "before_crc32": format!("{:08x}", self.context),
            "first_lsn": self.lsns.map(|l| l.first.0),
            "last_lsn": self.lsns.map(|l| l.last.0),
            "at": self.at.map(|lsn| lsn.0),
            "why": self.why,
            "format": self.format,
            "repair": self.repair,
            "step": self.step,
            "time": self.time.to_string(),
            "time_us": self.time.0,
            "walctl": self.version,
        })
    }

    fn parse(text: &str) -> Option<Provenance> {
        let value: Value = serde_json::from_str(text).ok()?;
        let number = |key: &str| value.get(key)?.as_u64();
        let words = |key: &str| value.get(key)?.as_str().map(str::to_owned);
        let sum = |key: &str| u32::from_str_radix(value.get(key)?.as_str()?, 16).ok();
        let range = |first: Option<u64>, last: Option<u64>| LsnRange::new(Lsn(first?), Lsn(last?));
        let segment = words("segment")?;
        // The name leads to a file that is written: it must not lead out of the folder.
        if segment.is_empty() || segment.contains(['/', '\0']) || segment == ".." || segment == "." {
            return None;
        }
        let (offset, bytes, file_bytes) = (number("offset")?, number("bytes")?, number("file_bytes")?);
        offset.checked_add(bytes).filter(|end| *end <= file_bytes)?;
        Some(Provenance {
            segment,
            offset,
            bytes,
            file_bytes,
            removed: value.get("removed")?.as_bool()?,
            fill: unhex(value.get("fill")?.as_str()?)?,
            added: value.get("added").and_then(Value::as_bool).unwrap_or(false),
            newest: words("newest"),
            hole: range(number("hole_first_lsn"), number("hole_last_lsn")),
            sum: sum("crc32")?,
            context: sum("before_crc32")?,
            lsns: range(number("first_lsn"), number("last_lsn")),
            at: number("at").map(Lsn),
            why: words("why")?,
            format: words("format")?,
            repair: number("repair")?,
            step: number("step")?,
            time: Time(number("time_us")?),
            version: words("walctl")?,
        })
    }

    /// Both lines.
    fn head(&self) -> Vec<u8> {
        let line = format!("{}\n", self.json());
        format!("{FIRST_LINE}{:08x}\n{line}", crc32(0, line.as_bytes())).into_bytes()
    }

    /// Whether two tell of the same bytes from the same place.
    #[must_use]
    pub fn same_bytes(&self, other: &Provenance) -> bool {
        let key = |p: &Provenance| (p.segment.clone(), p.offset, p.bytes, p.file_bytes, p.removed, p.sum, p.context);
        // What is written for a hole holds the moment at which it was accepted first.
        let fill = self.hole.is_some() || self.fill == other.fill;
        key(self) == key(other) && fill && (self.added, self.hole) == (other.added, other.hole)
    }
}

/// A file with cut bytes.
#[derive(Clone, Debug)]
pub struct CutFile {
    /// Its name within the folder.
    pub name: String,
    /// Where it is.
    pub path: PathBuf,
    /// Where its bytes came from.
    pub from: Provenance,
    /// Where they begin in it.
    content_at: u64,
}

impl CutFile {
    /// Reads what a cut file says and checks its bytes; why it cannot be used, if it cannot.
    pub fn read(disk: &Arc<dyn Disk>, dir: &Path, name: &str) -> Result<Result<CutFile, String>> {
        let path = dir.join(name);
        let file: Arc<dyn File> = disk.open(&path, Open::READ)?.into();
        let length = file.length()?;
        let parse = |limit: usize| -> Result<Option<(Provenance, u64)>> {
            let mut head = vec![0; limit.min(usize::try_from(length).unwrap_or(limit))];
            let got = read_full(file.as_ref(), &mut head, 0)?;
            head.truncate(got);
            Ok(parse_head(&head))
        };
        let mut found = parse(USUAL_HEAD)?;
        if found.is_none() && length > USUAL_HEAD as u64 {
            found = parse(LONGEST_HEAD)?;
        }
        let Some((from, content_at)) = found else {
            return Ok(Err("its first lines do not say where its bytes came from".into()));
        };
        if length != content_at + from.bytes {
            return Ok(Err(format!("it should have {} bytes and has {length}", content_at + from.bytes)));
        }
        let mut cursor = Cursor::new(file, length);
        match cursor.fold(content_at, from.bytes, 0, crc32) {
            Some(sum) if sum == from.sum => {
                let name = name.to_owned();
                Ok(Ok(CutFile { name, path, from, content_at }))
            }
            Some(sum) => Ok(Err(format!("its bytes have the sum {sum:08x} and should have {:08x}", from.sum))),
            None => Ok(Err("some of its bytes cannot be read".into())),
        }
    }

    /// Its bytes, piece by piece, each with where it stood in the segment.
    pub fn each(&self, disk: &Arc<dyn Disk>, take: &mut dyn FnMut(u64, &[u8]) -> Result<()>) -> Result<()> {
        let file = disk.open(&self.path, Open::READ)?;
        let mut at = self.from.offset;
        pieces(file.as_ref(), self.content_at, self.from.bytes, &mut |piece| {
            take(at, piece)?;
            at += piece.len() as u64;
            Ok(())
        })
    }

    /// A reader over its bytes; those that stood at `offset` of the segment are at `offset - shift` of the reader.
    pub fn cursor(&self, disk: &Arc<dyn Disk>) -> Result<Cursor> {
        let file: Arc<dyn File> = disk.open(&self.path, Open::READ)?.into();
        let length = file.length()?;
        Ok(Cursor::new(file, length))
    }

    /// Where in its reader the byte lies that stood at `offset` of the segment.
    #[must_use]
    pub fn place_of(&self, offset: u64) -> u64 {
        self.content_at + (offset - self.from.offset)
    }
}

fn parse_head(head: &[u8]) -> Option<(Provenance, u64)> {
    let first = head.iter().position(|b| *b == b'\n')?;
    let second = first + 1 + head.get(first + 1..)?.iter().position(|b| *b == b'\n')?;
    let sum = std::str::from_utf8(&head[..first]).ok()?.strip_prefix(FIRST_LINE)?;
    let line = &head[first + 1..=second];
    if sum != format!("{:08x}", crc32(0, line)) {
        return None;
    }
    Some((Provenance::parse(std::str::from_utf8(line).ok()?)?, second as u64 + 1))
}

/// The sum of what stands in front of `offset`; `None` when it cannot be read.
pub fn context(cursor: &mut Cursor, offset: u64) -> Option<u32> {
    let from = offset.saturating_sub(CONTEXT);
    cursor.fold(from, offset - from, 0, crc32)
}

/// Whether a name is a cut file's, of any format, or of one that is not complete.
#[must_use]
pub fn looks_cut(name: &str) -> bool {
    let place = finished(name).unwrap_or(name).rsplit_once(".cut-");
    place.is_some_and(|(segment, place)| {
        !segment.is_empty() && !place.is_empty() && place.bytes().all(|b| b.is_ascii_digit() || b == b'-')
    })
}

/// The names of the cut files in a folder that are complete.
pub fn names(disk: &Arc<dyn Disk>, dir: &Path) -> Result<Vec<String>> {
    let mut names: Vec<String> = disk
        .list(dir)?
        .into_iter()
        .filter(|e| e.kind == EntryKind::File && looks_cut(&e.name) && finished(&e.name).is_none())
        .map(|e| e.name)
        .collect();
    names.sort();
    Ok(names)
}

/// In front of the names of cut files among files of other systems. NATS takes whatever begins like a block for one, and empties it;
/// ZooKeeper takes whatever begins like a log for one, and does not start.
const NOT_YOURS: &str = "walctl-";

/// A name for a cut of `segment` at `offset` that no file has, and that its system takes for nothing of its own: the plain one, or with
/// `-2`, `-3` … after it.
#[must_use]
pub fn free_name(taken: &[String], ours: bool, segment: &str, offset: u64) -> String {
    let (folder, file) =
        segment.rsplit_once('/').map_or(("", segment), |(_, file)| (&segment[..segment.len() - file.len()], file));
    let plain = format!("{folder}{}{file}.cut-{offset}", if ours { "" } else { NOT_YOURS });
    let mut name = plain.clone();
    let mut again = 2;
    while taken.contains(&name) {
        name = format!("{plain}-{again}");
        again += 1;
    }
    name
}

/// Writes a cut file with bytes of a segment, and gives it its name once it is complete and synced.
pub fn save(disk: &Arc<dyn Disk>, dir: &Path, name: &str, from: &Provenance, segment: &dyn File, like: &Path) -> Result<()> {
    let path = dir.join(name);
    let unfinished = unfinished(&path);
    if disk.stat(&path)?.is_some() {
        return Err(Error::Refused { path, why: "it exists already, and its content must not be lost".into() });
    }
    let written = write_new(disk, &unfinished, &mut |file| {
        // Users who may not read the log may not read what was cut from it.
        as_private(disk.as_ref(), &unfinished, like)?;
        let head = from.head();
        write_full(file, &head, 0)?;
        let (mut at, mut sum) = (head.len() as u64, 0);
        pieces(segment, from.offset, from.bytes, &mut |piece| {
            sum = crc32(sum, piece);
            write_full(file, piece, at)?;
            at += piece.len() as u64;
            Ok(())
        })?;
        if sum == from.sum {
            return Ok(());
        }
        Err(Error::Refused {
            path: dir.join(&from.segment),
            why: "it changed while its bytes were saved; nothing was cut".into(),
        })
    });
    written.and_then(|()| disk.rename(&unfinished, &path)).inspect_err(|_| drop(disk.remove(&unfinished)))?;
    disk.sync_dir(dir)
}

/// Makes an unfinished file, has it filled, and syncs it.
pub fn write_new(disk: &Arc<dyn Disk>, path: &Path, fill: &mut dyn FnMut(&dyn File) -> Result<()>) -> Result<()> {
    let file = begin_file(disk.as_ref(), path)?;
    fill(file.as_ref())?;
    file.sync_all()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) || !text.is_ascii() {
        return None;
    }
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::RealDisk;

    fn provenance() -> Provenance {
        Provenance {
            segment: "00000000000000000001.wal".into(),
            offset: 4144,
            bytes: 5,
            file_bytes: 8192,
            removed: false,
            fill: vec![1, 0xFF],
            added: true,
            newest: Some("00000000000000000009.wal".into()),
            hole: LsnRange::new(Lsn(3), Lsn(4)),
            sum: crc32(0, b"bytes"),
            context: 7,
            lsns: LsnRange::new(Lsn(2), Lsn(u64::MAX)),
            at: None,
            why: "cut-short".into(),
            format: "native".into(),
            repair: 3,
            step: 0,
            time: Time(1_700_000_000_000_001),
            version: "0.1.0".into(),
        }
    }

    #[test]
    fn two_tell_of_the_same_bytes_where_place_and_content_agree() {
        let one = provenance();
        let also = Provenance { why: "suspect".into(), repair: 4, time: Time(1), fill: vec![2], ..provenance() };
        assert!(one.same_bytes(&also), "what fills a hole holds the moment of its acceptance");
        let others = [
            Provenance { segment: "00000000000000000002.wal".into(), ..provenance() },
            Provenance { offset: 4145, ..provenance() },
            Provenance { bytes: 6, ..provenance() },
            Provenance { file_bytes: 8193, ..provenance() },
            Provenance { removed: true, ..provenance() },
            Provenance { sum: 1, ..provenance() },
            Provenance { context: 8, ..provenance() },
            Provenance { added: false, ..provenance() },
            Provenance { hole: LsnRange::new(Lsn(3), Lsn(5)), ..provenance() },
        ];
        for other in &others {
            assert!(!one.same_bytes(other) && !other.same_bytes(&one), "{other:?}");
        }
        let plain = |fill: u8| Provenance { hole: None, fill: vec![fill], ..provenance() };
        assert!(plain(1).same_bytes(&plain(1)) && !plain(1).same_bytes(&plain(2)));
    }

    #[test]
    fn a_cut_file_says_where_its_bytes_came_from_and_every_flipped_bit_in_it_is_seen() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let disk: Arc<dyn Disk> = Arc::new(RealDisk);
        let segment = dir.path().join(provenance().segment);
        std::fs::write(&segment, [vec![9; 4144], b"bytes".to_vec()].concat()).expect("room for a few bytes");
        let file = disk.open(&segment, Open::READ).expect("it was just written");
        save(&disk, dir.path(), "s.cut-4144", &provenance(), file.as_ref(), &segment).expect("there is room");
        let read = || CutFile::read(&disk, dir.path(), "s.cut-4144").expect("it can be opened");
        assert_eq!(read().expect("it is whole").from, provenance());
        let path = dir.path().join("s.cut-4144");
        let whole = std::fs::read(&path).expect("it reads");
        for bit in 0..whole.len() * 8 {
            let mut bytes = whole.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            std::fs::write(&path, &bytes).expect("room");
            assert!(read().is_err(), "bit {bit}");
        }
        std::fs::write(&path, &whole[..whole.len() - 1]).expect("room");
        assert!(read().is_err());
    }

    #[test]
    fn a_cut_file_tells_of_all_the_copies_that_were_put_back() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let disk: Arc<dyn Disk> = Arc::new(RealDisk);
        let segment = dir.path().join(provenance().segment);
        std::fs::write(&segment, [vec![9; 4144], b"bytes".to_vec()].concat()).expect("room for a few bytes");
        let file = disk.open(&segment, Open::READ).expect("it was just written");
        // As much as a double-write file can hold.
        let long = Provenance { fill: vec![7; 64 * 69_632], ..provenance() };
        save(&disk, dir.path(), "s.cut-4144", &long, file.as_ref(), &segment).expect("there is room");
        let read = CutFile::read(&disk, dir.path(), "s.cut-4144").expect("it can be opened").expect("it is whole");
        assert_eq!(read.from, long);
    }

    #[test]
    fn a_name_never_leads_out_of_the_folder_and_is_never_used_twice() {
        for segment in ["../x", "/etc/passwd", "..", "", "a\0b"] {
            let text = Provenance { segment: segment.into(), ..provenance() }.json().to_string();
            assert_eq!(Provenance::parse(&text), None, "{segment}");
        }
        let taken = ["s.cut-7".to_owned(), "s.cut-7-2".to_owned()];
        assert_eq!(free_name(&taken, true, "s", 7), "s.cut-7-3");
        assert_eq!(free_name(&taken, true, "s", 8), "s.cut-8");
        assert_eq!(free_name(&taken, false, "s", 7), "walctl-s.cut-7");
        assert_eq!(free_name(&taken, false, "sub/s", 7), "sub/walctl-s.cut-7");
        assert!(
            looks_cut("s.cut-7-3")
                && looks_cut("s.cut-7.walctl-unfinished")
                && !looks_cut("s.cut-7.tmp")
                && !looks_cut("s.cut-x")
                && !looks_cut(".cut-7")
        );
    }
}
