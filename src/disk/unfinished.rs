//! The names of files and folders that are not complete yet.
//!
//! Everything that must be there whole or not at all grows under another name beside its own: the next segment, a saved cut, a copy in an
//! archive, a cursor, a new log. What such a name stands for is ours to remove, so no other program may use such names: there is one
//! rule for all of them.

use std::path::{Path, PathBuf};

use super::{Disk, EntryKind, Errno, File, Open, errno_of, not_regular};
use crate::model::Result;

/// The ending of the name of a file that is not complete.
const SUFFIX: &str = ".walctl-unfinished";

/// Where something grows until it gets its name.
#[must_use]
pub fn unfinished(path: &Path) -> PathBuf {
    let mut name = path.to_owned();
    name.as_mut_os_string().push(SUFFIX);
    name
}

/// The name that something will get which grows under this one; `None` when nothing of ours grows under it.
#[must_use]
pub fn finished(name: &str) -> Option<&str> {
    name.strip_suffix(SUFFIX).filter(|name| !name.is_empty())
}

/// Whether an interrupted run left a file there. Anything but a file belongs to its owner, and is an error.
pub fn is_left(disk: &dyn Disk, unfinished: &Path) -> Result<bool> {
    match disk.look_at_name(unfinished)? {
        None => Ok(false),
        Some(EntryKind::File) => Ok(true),
        Some(EntryKind::Link) => Err(not_regular("write to", unfinished, "a symbolic link, which walctl has not made")),
        Some(other) => Err(not_regular("write to", unfinished, &format!("{}, which walctl has not made", other.words()))),
    }
}

/// Removes a file that an interrupted run left unfinished. Anything but a file stays.
pub fn sweep(disk: &dyn Disk, unfinished: &Path) -> Result<()> {
    if is_left(disk, unfinished)? { disk.remove(unfinished) } else { Ok(()) }
}

/// Makes an unfinished file, in the place of one that an interrupted run left.
pub fn begin_file(disk: &dyn Disk, unfinished: &Path) -> Result<Box<dyn File>> {
    sweep(disk, unfinished)?;
    disk.open(unfinished, Open::CREATE)
}

/// Gives a file the permissions of another one, and its owner where we may do that: who could not read that one cannot read this.
pub fn as_private(disk: &dyn Disk, path: &Path, other: &Path) -> Result<()> {
    match disk.take_after(path, other) {
        Err(error) if errno_of(&error) == Some(Errno::PERM) => Ok(()),
        done => done,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::RealDisk;

    #[test]
    fn an_unfinished_name_leads_back_to_the_finished_one_and_others_lead_nowhere() {
        let name = unfinished(Path::new("wal/x.cut-7"));
        assert_eq!(name.file_name().and_then(|name| finished(name.to_str()?)), Some("x.cut-7"));
        for other in ["next.tmp", "x.unfinished", "x.cut-7.tmp", "x.walctl-unfinished.old", ".walctl-unfinished"] {
            assert_eq!(finished(other), None, "{other}");
        }
    }

    #[test]
    fn a_file_that_was_left_is_begun_again_and_a_link_or_folder_in_its_place_is_left_alone() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let (path, victim) = (unfinished(&dir.path().join("next")), dir.path().join("victim"));
        std::fs::write(&path, "left").expect("room");
        begin_file(&RealDisk, &path).expect("it is ours");
        assert_eq!(std::fs::read(&path).expect("it is there"), b"");
        std::fs::write(&victim, "precious").expect("room");
        std::fs::remove_file(&path).expect("it is there");
        std::os::unix::fs::symlink(&victim, &path).expect("links can be made");
        assert!(begin_file(&RealDisk, &path).is_err());
        assert_eq!(std::fs::read(&victim).expect("it is there"), b"precious");
    }
}
