//! The folder that a benchmark makes for itself, and that is gone when it ends.
//!
//! Nothing that was there before is touched: the folder has a new name, and only it is removed. A folder that holds a log is
//! refused, so that no measurement ends up among its segments.

use std::fs;
use std::path::{Path, PathBuf};

use crate::model::{Error, Result};
use crate::writer::is_segment_name;

/// A fresh sub-folder, removed when dropped.
#[derive(Debug)]
pub struct BenchFolder {
    path: PathBuf,
    made_parent: Option<PathBuf>,
}

impl BenchFolder {
    /// Makes one in `dir`, which is made too when it is not there.
    pub fn make(dir: &Path) -> Result<BenchFolder> {
        let made_parent = match fs::create_dir(dir) {
            Ok(()) => Some(dir.to_owned()),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => None,
            Err(error) => return Err(Error::io("create", dir)(error)),
        };
        for item in fs::read_dir(dir).map_err(Error::io("list", dir))?.flatten() {
            if item.file_name().to_str().is_some_and(is_segment_name) {
                let why =
                    "it holds a log, and measuring is not done beside one: name its parent, or an empty folder on the same disk";
                return Err(Error::Refused { path: dir.to_owned(), why: why.into() });
            }
        }
        for attempt in 0..1000 {
            let path = dir.join(format!("walctl-bench-{}-{attempt}", std::process::id()));
            match fs::create_dir(&path) {
                Ok(()) => return Ok(BenchFolder { path, made_parent }),
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(Error::io("create", &path)(error)),
            }
        }
        Err(Error::Refused { path: dir.to_owned(), why: "it is full of leftovers named walctl-bench-*: remove them".into() })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for BenchFolder {
    fn drop(&mut self) {
        // There is no way to report it here; what stays behind has a name that says whose it is.
        let _ = fs::remove_dir_all(&self.path);
        if let Some(parent) = &self.made_parent {
            // Only if it is empty: another process may use it by now.
            let _ = fs::remove_dir(parent);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Lsn;
    use crate::native::segment_name;

    #[test]
    fn what_was_there_stays_and_what_was_made_goes() {
        let dir = tempfile::tempdir().expect("a folder can be made");
        fs::write(dir.path().join("mine"), "x").expect("there is room");
        let folder = BenchFolder::make(dir.path()).expect("a sub-folder can be made");
        fs::write(folder.path().join("scratch"), "y").expect("there is room");
        let second = BenchFolder::make(dir.path()).expect("two may measure at once");
        assert_ne!(folder.path(), second.path());
        drop((folder, second));
        let left: Vec<_> = fs::read_dir(dir.path()).expect("it is there").flatten().map(|e| e.file_name()).collect();
        assert_eq!(left, ["mine"]);
        let fresh = dir.path().join("fresh");
        drop(BenchFolder::make(&fresh).expect("the folder is made"));
        assert!(!fresh.exists());
    }

    #[test]
    fn a_folder_with_a_log_is_refused_and_untouched() {
        let dir = tempfile::tempdir().expect("a folder can be made");
        fs::write(dir.path().join(segment_name(Lsn(1))), "").expect("there is room");
        let refused = BenchFolder::make(dir.path()).expect_err("it holds a log");
        assert!(refused.to_string().contains("holds a log"), "{refused}");
        assert_eq!(fs::read_dir(dir.path()).expect("it is there").count(), 1);
    }
}
