//! Two logs side by side.

mod merge;
#[cfg(test)]
mod merge_tests;
mod neither;
mod order;
mod run;
mod side;
mod values;

pub use run::{comparable, compare};
pub use values::{
    Comparison, Difference, Differing, InNeither, OnlyRange, Parting, Ranges, RecordRange, RecordSeen, SideReport, Uncompared,
    Which, Why,
};
