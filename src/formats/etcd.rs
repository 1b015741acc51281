//! etcd: the files of its format, and its page.
#![doc = include_str!("etcd/FORMAT.md")]

mod counts;
mod deliver;
mod diagnose;
mod format;
mod frame;
mod log;
mod meaning;
mod raft;
mod requests;
#[cfg(test)]
mod tests;
mod walk;
pub use format::FORMAT;
