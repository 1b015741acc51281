//! The way to bytes that another machine holds. It can fail by itself, and then nothing is known of the bytes.
//!
//! A disk of this machine either gives bytes or refuses them, and refused bytes are damage. A network, an expired key or a server that is
//! down says nothing about a log. So a disk with a way has one more rule: when the way is lost it stays lost, no further request is made, and
//! whoever reads through it ends with that error, whatever was found meanwhile. A walk that met the failure looked at a log that seemed to
//! end there.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::File;
use crate::model::{Error, Result};

/// A disk that another machine holds, and the way to it.
pub trait Remote: Send + Sync + fmt::Debug {
    /// Why the way is lost; `None` as long as it holds.
    fn lost(&self) -> Option<Error>;
    /// Reads once more what was read of some files, and loses the way if other bytes come now. Damage is believed only after that: bytes can
    /// go wrong under way. What was confirmed once is not read a third time.
    fn confirm(&self, files: &[&Path]) -> Result<()>;
    /// Every file of which something was read.
    fn files_read(&self) -> Vec<PathBuf>;
    /// These files will be opened next: what is needed for that may be asked for at once.
    fn expect(&self, paths: &[PathBuf]);
    /// So many threads read at once, and two pieces for each of them may be held or on their way.
    fn readers(&self, count: usize);
    /// What was asked so far.
    fn traffic(&self) -> Traffic;
    /// Puts a copy of a file of this machine where nothing stands yet. Done when the copy was read back whole and is equal; what stands there
    /// already counts if it is equal, and is refused and left alone if it is not.
    fn archive(&self, from: &Arc<dyn File>, to: &Path) -> Result<()>;
}

/// What was asked of the other side, of which people pay each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Requests that were sent, the repeated ones and those for credentials among them.
    pub requests: u64,
    /// Bytes of files that came.
    pub bytes_read: u64,
}
