//! MySQL and MariaDB: the files of their format, and its page.
#![doc = include_str!("mysql/FORMAT.md")]

mod body;
mod counts;
mod deliver;
mod diagnose;
mod event;
mod format;
mod kinds;
mod log;
mod meaning;
mod rows;
mod search;
#[cfg(test)]
mod tests;
mod transactions;
mod walk;
pub use format::FORMAT;
