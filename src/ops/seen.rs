//! What walks found, kept in a file: what has not changed since need not be walked again.

mod file;
mod fit;
mod lines;
mod sidefile;

pub use file::{LineCounts, SeenFile};
pub use fit::{Before, SeenRun};
pub(super) use sidefile::{open_named, replace};
