//! Damage that is known and accepted, of logs that are not ours to write: an archive, another system's log.
//!
//! A file lists it: which damage, since when, for what reason, and what lies around it. While all of that is as it was, the damage is
//! reported as accepted and decides nothing. As soon as any of it changes, the acceptance is void and the damage counts again.

mod around;
mod entry;
mod file;
mod sort;

pub use entry::Acceptance;
pub use file::AcceptFile;
pub use sort::{AcceptedDamage, VoidAcceptance, accept, accept_new};
