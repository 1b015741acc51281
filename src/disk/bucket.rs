//! Object storage as a disk that is only read, and into which finished files are copied.
//!
//! `disk` is the door, `state` what all that goes through it shares, `store` makes the client, `fetch` asks for one range of one object, `file` decides which ranges, `archive` puts files,
//! and `words` says what went wrong.

mod archive;
mod disk;
mod fetch;
mod file;
mod state;
mod store;
mod words;

use std::path::Path;
use std::sync::Arc;

use super::Disk;
use crate::model::Result;

pub use disk::BucketDisk;

/// The bucket that a place is in. `settings` are variables as the tools of the provider read them from the environment, such as
/// `AWS_ACCESS_KEY_ID`; others are passed over.
pub fn bucket_at(path: &Path, settings: &[(String, String)]) -> Result<Arc<dyn Disk>> {
    Ok(Arc::new(BucketDisk::open(path, settings)?))
}
