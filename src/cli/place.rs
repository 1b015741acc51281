//! Where a place that was typed becomes a disk: this machine's, or a bucket.

#[cfg(feature = "bucket")]
use std::ffi::OsString;
use std::path::Path;
use std::sync::Arc;

use walctl::disk::{Disk, RealDisk, Traffic, only_here, scheme_of};

use super::exit::usage;
#[cfg(not(feature = "bucket"))]
use super::exit::{CommandFailure, Exit};

/// How many segments are read at once where each answer is waited for, and not for a processor.
const FAR_JOBS: usize = 8;

/// The disk that a path is on.
pub fn disk_of(path: &Path) -> anyhow::Result<Arc<dyn Disk>> {
    if scheme_of(path).is_none() { Ok(Arc::new(RealDisk)) } else { bucket(path) }
}

#[cfg(feature = "bucket")]
fn bucket(path: &Path) -> anyhow::Result<Arc<dyn Disk>> {
    let text = |(name, value): (OsString, OsString)| Some((name.into_string().ok()?, value.into_string().ok()?));
    let settings: Vec<(String, String)> = std::env::vars_os().filter_map(text).collect();
    Ok(walctl::disk::bucket_at(path, &settings)?)
}

#[cfg(not(feature = "bucket"))]
fn bucket(path: &Path) -> anyhow::Result<Arc<dyn Disk>> {
    let why =
        "this walctl was built without the feature `bucket`, which object storage needs: cargo install walctl --features bucket";
    let message = format!("{}: {why}", path.display());
    Err(CommandFailure { exit: Exit::Failed, message, next: None }.into())
}

/// Wrong usage, for a place in object storage where only a path of this machine will do.
pub fn here(path: &Path, doing: &str) -> anyhow::Result<()> {
    only_here(path, doing).map_err(|error| usage(error.to_string()))
}

/// How many segments are read at once: as many as were asked for, or as the disk is good for.
pub fn jobs(asked: Option<u16>, disk: &dyn Disk) -> usize {
    let here = || std::thread::available_parallelism().map_or(1, usize::from);
    let own = || if disk.remote().is_some() { here().max(FAR_JOBS) } else { here() };
    asked.map_or_else(own, usize::from)
}

/// What was asked of a bucket since the last time this was called.
#[derive(Debug, Default)]
pub struct Meter(Traffic);

impl Meter {
    /// What came to it; `None` of a disk of this machine.
    pub fn take(&mut self, disk: &dyn Disk) -> Option<Traffic> {
        let now = disk.remote()?.traffic();
        let before = std::mem::replace(&mut self.0, now);
        Some(Traffic { requests: now.requests - before.requests, bytes_read: now.bytes_read - before.bytes_read })
    }
}
