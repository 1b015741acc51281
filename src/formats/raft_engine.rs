//! raft-engine: the files of its format, and its page.
#![doc = include_str!("raft_engine/FORMAT.md")]

mod counts;
mod diagnose;
mod format;
mod group_items;
mod header;
mod log;
mod meaning;
#[cfg(test)]
mod tests;
mod walk;
pub use format::FORMAT;
