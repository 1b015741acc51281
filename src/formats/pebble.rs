//! Pebble: the files of its format, and its page.
#![doc = include_str!("pebble/FORMAT.md")]

mod counts;
mod decode;
mod diagnose;
mod format;
mod frame;
mod log;
#[cfg(test)]
mod tests;
mod walk;
pub use format::FORMAT;
