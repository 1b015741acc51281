//! Kafka: the files of its format, and its page.
#![doc = include_str!("kafka/FORMAT.md")]

mod batch;
mod counts;
mod diagnose;
mod format;
mod index;
mod log;
mod meaning;
mod records;
#[cfg(test)]
mod tests;
mod unpack;
mod walk;
pub use format::FORMAT;
