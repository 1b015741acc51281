//! Two logs side by side.

mod merge;
mod order;
mod run;
mod side;
mod values;

pub use run::{comparable, compare};
pub use values::{
    Comparison, Difference, Differing, OnlyRange, Parting, Ranges, RecordRange, RecordSeen, SideReport, Uncompared, Which, Why,
};
