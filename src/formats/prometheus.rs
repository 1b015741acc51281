//! Prometheus: the files of its format, and its page.
#![doc = include_str!("prometheus/FORMAT.md")]

mod counts;
mod deliver;
mod diagnose;
mod format;
mod frame;
mod log;
mod meaning;
mod pieces;
mod records;
#[cfg(test)]
mod tests;
mod walk;
pub use format::FORMAT;
