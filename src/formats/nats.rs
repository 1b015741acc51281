//! NATS JetStream: the files of its format, and its page.
#![doc = include_str!("nats/FORMAT.md")]

mod counts;
mod diagnose;
mod format;
mod highway;
mod log;
mod meaning;
mod names;
mod record;
mod stored;
#[cfg(test)]
mod tests;
mod walk;
pub use format::FORMAT;
