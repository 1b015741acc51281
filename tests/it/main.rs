//! One test program: it links once, its parts share their support, and groups run by name: `cargo test --test it cases`.

mod cases;
mod formats;
mod generated;
mod tidy;

/// What the groups share.
#[allow(dead_code, reason = "not every group is there yet")]
mod support {
    pub mod recipe;
    pub mod sandbox;
}
