//! Every log below a folder, whoever's it is: a backup of many services, an unknown machine.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::open::{Choice, Input, logs_now, sights};
use crate::disk::{Disk, Entry, EntryKind, finished};
use crate::formats::Sight;
use crate::model::{Error, Result};

/// What stands below a folder.
#[derive(Debug, Default)]
pub struct FoundLogs {
    /// The logs that can be read, in the order of their paths.
    pub logs: Vec<Input>,
    /// Folders with logs that are known by sight and not read.
    pub sighted: Vec<(PathBuf, &'static Sight)>,
    /// Why folders, or what stands in them, could not be looked at.
    pub failed: Vec<Error>,
    /// How many folders were looked into.
    pub folders: usize,
    /// Folders that were not looked into, because they lie too deep or there are too many.
    pub left: Vec<PathBuf>,
}

/// How many folders below the first are followed. Kubernetes keeps volumes ten deep.
const DEEPEST: usize = 24;
/// How many folders are looked into.
const MOST: usize = 1_000_000;
/// What the kernel shows as files and no disk holds.
const NEVER: [&str; 3] = ["/proc", "/sys", "/dev"];

/// Looks into every folder below this one. `None` when the path is no folder, or one that is a log itself or a system's folder above its
/// logs. Links to folders are not followed: what they lead to is looked at where it stands, or is not below this one.
pub fn survey(disk: &Arc<dyn Disk>, path: &Path, choice: &Choice, interrupted: &dyn Fn() -> bool) -> Result<Option<FoundLogs>> {
    if disk.stat(path)?.is_none_or(|entry| entry.kind != EntryKind::Folder) || !logs_now(disk, path, choice)?.1.is_empty() {
        return Ok(None);
    }
    let mut survey = FoundLogs::default();
    let mut seen = HashSet::new();
    let mut waiting = vec![(path.to_owned(), 0)];
    while let Some((dir, depth)) = waiting.pop() {
        if interrupted() {
            return Err(Error::Interrupted);
        }
        if depth > DEEPEST || survey.folders == MOST {
            survey.left.push(dir);
            continue;
        }
        survey.folders += 1;
        let entries = match logs_now(disk, &dir, choice) {
            Ok((entries, logs)) => {
                survey.take(logs, &mut seen);
                entries
            }
            Err(error) => {
                // The folder may be gone meanwhile. What stands in it is one thing, the folders in it are another.
                let listed = disk.list(&dir);
                if listed.is_ok() || disk.stat(&dir).is_ok_and(|there| there.is_some()) {
                    survey.failed.push(error);
                }
                listed.unwrap_or_default()
            }
        };
        survey.sighted.extend(sights(disk, &dir, &entries).into_iter().map(|sight| (dir.clone(), sight)));
        let mut below: Vec<PathBuf> = entries.iter().filter(|e| is_folder(disk, &dir, e)).map(|e| dir.join(&e.name)).collect();
        below.sort();
        waiting.extend(below.into_iter().rev().map(|folder| (folder, depth + 1)));
    }
    survey.logs.sort_by(|a, b| a.source.path.cmp(&b.source.path));
    Ok(Some(survey))
}

fn is_folder(disk: &Arc<dyn Disk>, dir: &Path, entry: &Entry) -> bool {
    let path = dir.join(&entry.name);
    entry.kind == EntryKind::Folder
        && finished(&entry.name).is_none()
        && !std::path::absolute(&path).is_ok_and(|full| NEVER.iter().any(|never| full == Path::new(never)))
        && disk.look_at_name(&path).is_ok_and(|kind| kind == Some(EntryKind::Folder))
}

impl FoundLogs {
    /// Logs that were met from a folder above are not taken once more.
    fn take(&mut self, logs: Vec<Input>, seen: &mut HashSet<PathBuf>) {
        for log in logs {
            let segments = &log.source.segments;
            let new = segments.iter().filter(|segment| !seen.contains(&segment.path)).count();
            if new > 0 || segments.is_empty() && seen.insert(log.source.path.clone()) {
                seen.extend(segments.iter().map(|segment| segment.path.clone()));
                self.logs.push(log);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::{Open, SimDisk, write_full};
    use crate::model::{Lsn, Time};
    use crate::native::{SegmentHeader, encode_header, segment_name};

    fn put(disk: &Arc<dyn Disk>, path: &str, bytes: &[u8]) {
        let path = Path::new(path);
        let mut above: Vec<&Path> = path.ancestors().skip(1).collect();
        above.reverse();
        for folder in above {
            let _ = disk.create_dir(folder);
        }
        let file = disk.open(path, Open { or_create: true, ..Open::WRITE }).expect("a file can be made");
        write_full(file.as_ref(), bytes, 0).expect("it takes them");
    }

    fn header(first: u64) -> Vec<u8> {
        encode_header(&SegmentHeader {
            key: None,
            block: 0,
            log_id: [7; 16],
            first_lsn: Lsn(first),
            created: Time(1),
            chain: 0,
            recycled: false,
        })
        .to_vec()
    }

    fn paths(survey: &FoundLogs) -> Vec<&Path> {
        survey.logs.iter().map(|log| log.source.path.as_path()).collect()
    }

    #[test]
    fn logs_at_every_depth_are_found_once_and_what_is_not_read_is_named() {
        let disk: Arc<dyn Disk> = Arc::new(SimDisk::new());
        put(&disk, &format!("/var/a/{}", segment_name(Lsn(1))), &header(1));
        put(&disk, &format!("/var/b/c/d/{}", segment_name(Lsn(1))), &header(1));
        put(&disk, "/var/b/notes.txt", b"notes");
        put(&disk, "/var/mongo/journal/WiredTigerLog.0000000001", b"whatever");
        let found = survey(&disk, Path::new("/var"), &Choice::default(), &|| false)
            .expect("it looks")
            .expect("it is a folder of folders");
        assert_eq!(paths(&found), [Path::new("/var/a"), Path::new("/var/b/c/d")]);
        let [(place, sight)] = &found.sighted[..] else { panic!("{:?}", found.sighted) };
        assert_eq!(place, Path::new("/var/mongo/journal"));
        assert!(sight.system.starts_with("MongoDB"));
        assert_eq!((found.folders, found.failed.len(), found.left.len()), (7, 0, 0));
    }

    #[test]
    fn a_log_itself_is_no_survey_and_an_interruption_ends_one() {
        let disk: Arc<dyn Disk> = Arc::new(SimDisk::new());
        put(&disk, &format!("/var/a/{}", segment_name(Lsn(1))), &header(1));
        let at = |path: &str, stop: bool| survey(&disk, Path::new(path), &Choice::default(), &|| stop);
        assert!(at("/var/a", false).expect("it looks").is_none());
        assert!(at(&format!("/var/a/{}", segment_name(Lsn(1))), false).expect("it looks").is_none());
        assert!(matches!(at("/var", true), Err(Error::Interrupted)));
    }

    #[test]
    fn what_lies_too_deep_is_said_to_be_left_out() {
        let disk: Arc<dyn Disk> = Arc::new(SimDisk::new());
        let deep = "/a".repeat(DEEPEST + 3);
        put(&disk, &format!("{deep}/{}", segment_name(Lsn(1))), &header(1));
        let found = survey(&disk, Path::new("/a"), &Choice::default(), &|| false).expect("it looks").expect("it is a folder");
        assert!(found.logs.is_empty());
        assert_eq!(found.left, [Path::new(&"/a".repeat(DEEPEST + 2))]);
    }
}
