//! One test program: it links once, its parts share their support, and groups run by name: `cargo test --test it cases`.

mod accept;
mod advice;
mod ahead;
mod api;
mod append;
mod bench;
mod bench_believes;
mod bench_disks;
mod beside;
mod browse;
#[cfg(feature = "bucket")]
mod bucket;
#[cfg(feature = "bucket")]
mod bucket_archive;
mod cases;
mod crash;
mod crash_fuse;
mod crash_load;
mod crash_log_writes;
mod crash_model;
mod diff;
mod dump_jobs;
mod ends;
mod engines;
mod events;
mod examples;
mod exit_codes;
mod explain;
mod fleet;
mod follow;
mod foreign;
mod formats;
mod formats_systems;
mod from_dwb;
mod fuzz;
mod generated;
mod guides;
mod hostile;
mod hostile_files;
mod incident;
mod interrupted;
mod json;
mod kept;
mod keys;
mod library;
mod live_crates;
mod live_databases;
mod live_mysql;
mod live_redis;
mod live_servers;
mod live_sqlite;
mod live_zookeeper;
mod mend;
mod metrics;
mod mutate;
mod mutate_formats;
mod pages;
mod pipes;
mod properties;
mod readme;
mod recycle;
mod retention;
mod rotate_model;
mod salvage;
mod seen;
mod stats;
mod tasks;
mod tidy;
mod told;
mod unreadable;
mod verdicts;
mod verify;
#[cfg(not(feature = "bucket"))]
mod without_bucket;

/// What the groups share.
mod support {
    #[cfg(feature = "bucket")]
    pub mod bucket;
    pub mod fixture;
    pub mod folder;
    pub mod following;
    pub mod fuse;
    pub mod held;
    pub mod lines;
    pub mod meanwhile;
    pub mod medium;
    pub mod memory;
    pub mod recipe;
    pub mod sandbox;
    pub mod scrape;
    pub mod stream;
    pub mod tearing;
    pub mod wounds;
}

#[global_allocator]
static ALLOCATOR: support::memory::Counting = support::memory::Counting;
