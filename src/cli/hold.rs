//! The lock of a log that is mended, with the folder left as it was found.

use std::path::PathBuf;
use std::sync::Arc;

use walctl::disk::{Disk, File, REPAIR_LOCK};
use walctl::model::{Error, Result};
use walctl::ops::open::Input;
use walctl::writer::WriterLock;

/// Keeps writers and other repairs out of a log until it is dropped.
#[derive(Debug)]
pub enum Hold {
    /// Nothing is changed, so no lock is taken.
    Unlocked,
    /// Our own log.
    Native(#[expect(dead_code, reason = "it is held, not read")] WriterLock),
    /// A log of another system.
    Foreign(Arc<dyn Disk>, PathBuf, #[expect(dead_code, reason = "it is held, not read")] Box<dyn File>),
}

impl Hold {
    /// Takes the lock; only looks at it for a `dry` run, which changes nothing. Other systems that run are seen by what they have open;
    /// with `running` that is accepted.
    pub fn take(disk: &Arc<dyn Disk>, input: &Input, dry: bool, running: bool) -> Result<Hold> {
        let dir = &input.source.dir;
        let locked = |holder: String| Error::Locked { path: input.source.path.clone(), holder };
        if input.format.ours.is_some() {
            if dry {
                return WriterLock::holder(disk, dir).map_or(Ok(Hold::Unlocked), |holder| Err(locked(holder)));
            }
            let who: Vec<String> = std::env::args().collect();
            return Ok(Hold::Native(WriterLock::visit(disk, dir, &who.join(" "))?));
        }
        let user = disk.users_of(dir).into_iter().find(|user| user.file != REPAIR_LOCK);
        if let Some(user) = user.filter(|_| !running) {
            return Err(Error::InUse { path: input.source.path.clone(), by: user.to_string() });
        }
        if dry {
            return Ok(Hold::Unlocked);
        }
        let path = dir.join(REPAIR_LOCK);
        match disk.lock(&path)? {
            Some(file) => Ok(Hold::Foreign(disk.clone(), path, file)),
            None => Err(locked("another repair".into())),
        }
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        if let Hold::Foreign(disk, path, _) = self {
            // Still locked: a process that waits for it finds out that it is gone.
            let _ = disk.remove(path);
        }
    }
}
