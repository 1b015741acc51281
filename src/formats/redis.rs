//! Redis and Valkey: the files of their format, and its page.
#![doc = include_str!("redis/FORMAT.md")]

mod command;
mod counts;
mod deliver;
mod diagnose;
mod format;
mod kinds;
mod log;
mod manifest;
mod meaning;
mod rdb;
#[cfg(test)]
mod tests;
mod walk;
pub use format::FORMAT;
