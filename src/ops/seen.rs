//! What walks found, kept in a file: what has not changed since need not be walked again.

mod file;
mod fit;
mod lines;

pub use file::{LineCounts, SeenFile};
pub use fit::{Before, SeenRun};
