//! Up to where a log was read, and the file that keeps it between runs.

use std::path::Path;

use crate::disk::{Disk, EntryKind, Open, begin_file, not_regular, unfinished, write_full};
use crate::formats::Mark;
use crate::model::{Error, Lsn, Record, Result};

/// The last record that was read. Records after it are new.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    /// The name of its segment.
    pub segment: String,
    /// Its offset there.
    pub offset: u64,
    /// Its number.
    pub lsn: Option<Lsn>,
    /// Where a walk that comes to what follows can begin.
    pub mark: Option<Mark>,
    /// A bad region stands before it.
    pub after_damage: bool,
}

impl Position {
    /// Whether a record was read by then: of its own segment, those that do not begin after it.
    #[must_use]
    #[inline]
    pub fn covers(&self, segment: &str, record: &Record<'_>) -> bool {
        let start = record.span.start();
        // Some formats put several records into one frame: they share an offset and ascend in number.
        segment == self.segment && (start < self.offset || (start == self.offset && record.lsn <= self.lsn))
    }

    /// As one line of JSON, without the line's end.
    #[must_use]
    pub fn to_json(&self) -> String {
        let lsn = self.lsn.map_or_else(|| "null".to_owned(), |lsn| lsn.to_string());
        let segment = serde_json::Value::from(self.segment.as_str());
        let mut line = format!("{{\"segment\":{segment},\"lsn\":{lsn},\"offset\":{}", self.offset);
        if let Some(mark) = self.mark {
            line += &format!(",\"from\":{{\"offset\":{},\"lsn\":{}", mark.offset, mark.due);
            if mark.seed != 0 {
                line += &format!(",\"seed\":{}", mark.seed);
            }
            line.push('}');
        }
        if self.after_damage {
            line += ",\"after_damage\":true";
        }
        line + "}"
    }

    /// Reads what [`Position::to_json`] wrote.
    #[must_use]
    pub fn from_json(text: &str) -> Option<Position> {
        let value: serde_json::Value = serde_json::from_str(text).ok()?;
        let number = |value: &serde_json::Value, key: &str| value.get(key)?.as_u64();
        let mark = value.get("from").and_then(|from| {
            let seed = number(from, "seed").unwrap_or(0);
            Some(Mark { offset: number(from, "offset")?, due: Lsn(number(from, "lsn")?), seed })
        });
        Some(Position {
            segment: value.get("segment")?.as_str()?.to_owned(),
            offset: number(&value, "offset")?,
            lsn: number(&value, "lsn").map(Lsn),
            mark,
            after_damage: value.get("after_damage").and_then(serde_json::Value::as_bool).unwrap_or(false),
        })
    }

    /// Reads a cursor file; `None` when there is none yet.
    pub fn load(disk: &dyn Disk, path: &Path) -> Result<Option<Position>> {
        if disk.stat(path)?.is_none() {
            return Ok(None);
        }
        let file = disk.open(path, Open::READ)?;
        // A cursor is one short line. Something longer is another file, and is not read whole to find that out.
        let mut bytes = [0; 4096];
        let count = crate::disk::read_full(file.as_ref(), &mut bytes, 0)?;
        let position = std::str::from_utf8(&bytes[..count]).ok().and_then(Position::from_json);
        position.map(Some).ok_or_else(|| Error::Input { what: format!("{} is no cursor that walctl wrote", path.display()) })
    }

    /// Whether a cursor can be kept under this name: in a file, or in one that is not there yet.
    pub fn can_be_kept(disk: &dyn Disk, path: &Path) -> Result<()> {
        match disk.look_at_name(path)? {
            None | Some(EntryKind::File) => Ok(()),
            Some(EntryKind::Link) => {
                Err(not_regular("keep the cursor in", path, "a symbolic link; name the file that it leads to"))
            }
            Some(other) => Err(not_regular("keep the cursor in", path, &format!("{}, not a regular file", other.words()))),
        }
    }

    /// Writes a cursor file so that a crash leaves the old one or the new one, never half of it.
    pub fn save(&self, disk: &dyn Disk, path: &Path) -> Result<()> {
        let new = unfinished(path);
        let file = begin_file(disk, &new)?;
        let line = self.to_json() + "\n";
        write_full(file.as_ref(), line.as_bytes(), 0)?;
        file.sync_all()?;
        disk.rename(&new, path)?;
        disk.sync_dir(path.parent().unwrap_or(Path::new("")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::RealDisk;

    fn position() -> Position {
        Position {
            segment: "00000000000000000001.wal".into(),
            offset: 4144,
            lsn: Some(Lsn(2)),
            mark: Some(Mark { offset: 4096, due: Lsn(1), seed: 7 }),
            after_damage: true,
        }
    }

    #[test]
    fn a_cursor_is_one_line_that_reads_back() {
        let bare = Position { lsn: None, mark: None, after_damage: false, ..position() };
        for position in [position(), bare] {
            let line = position.to_json();
            assert!(!line.contains('\n'));
            assert_eq!(Position::from_json(&line), Some(position));
        }
        for wrong in ["", "{}", "[1]", r#"{"segment":"a"}"#, r#"{"segment":1,"offset":2}"#, r#"{"segment":"a","offset":-1}"#] {
            assert_eq!(Position::from_json(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_cursor_file_is_replaced_whole_and_another_file_is_refused() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let path = dir.path().join("cursor");
        assert_eq!(Position::load(&RealDisk, &path).expect("absence is no failure"), None);
        for offset in [4144, 7] {
            let position = Position { offset, ..position() };
            position.save(&RealDisk, &path).expect("the folder takes a file");
            assert_eq!(Position::load(&RealDisk, &path).expect("it was just written"), Some(position));
        }
        assert_eq!(std::fs::read_dir(dir.path()).expect("it lists").count(), 1);
        std::fs::write(&path, [0xff; 9000]).expect("room for 9 KB");
        assert!(Position::load(&RealDisk, &path).is_err());
    }
}
