//! ZooKeeper: the files of its format, and its page.
#![doc = include_str!("zookeeper/FORMAT.md")]

mod counts;
mod diagnose;
mod format;
mod frame;
mod log;
mod meaning;
#[cfg(test)]
mod tests;
mod walk;
pub use format::FORMAT;
