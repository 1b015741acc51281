//! Inspect, check, mend, write and tune write-ahead logs.
//!
//! The edge of the process: run what was typed, and end with its exit code. Below is the map of what the user types and sees.

use std::process::ExitCode;

/// What the user types and sees: one file a command, and what they share.
mod cli {
    pub mod args;
    pub mod commands;
    pub mod exit;
    pub mod gate;
    pub mod hint;
    pub mod hold;
    pub mod interrupt;
    pub mod manual;
    pub mod meant;
    pub mod page_file;
    pub mod place;
    pub mod presets;
    pub mod reference;
    pub mod verify_with_bar;
    pub mod zone;

    pub mod about;
    pub mod append;
    pub mod below;
    pub mod bench;
    pub mod browse;
    pub mod diff;
    pub mod dump;
    pub mod explain;
    pub mod generate;
    pub mod repair;
    pub mod rotate;
    pub mod salvage;
    pub mod stats;
    pub mod survey;
    pub mod verify;

    /// From values to text.
    pub mod render {
        /// What `bench` shows.
        pub mod bench {
            pub mod answer;
            pub mod axis;
            pub mod charts;
            pub mod json;
            pub mod page;
            pub mod panels;
            pub mod tables;
            pub mod text;
        }
        pub mod content;
        pub mod diff;
        pub mod escape;
        pub mod formats;
        pub mod hex;
        pub mod html;
        pub mod incident;
        pub mod json;
        pub mod mend;
        pub mod openmetrics;
        pub mod out;
        pub mod progress;
        pub mod scope;
        pub mod stats;
        pub mod table;
        pub mod traffic;
        pub mod wrap;

        /// Records, in every shape that `dump` has.
        pub mod records {
            pub mod csv;
            pub mod hex;
            pub mod json;
            pub mod meaning;
            pub mod payload;
            pub mod raw;
            pub mod redact;
            pub mod table;
        }

        /// What checking a log found, in every form.
        pub mod report {
            mod accepted;
            pub mod brief;
            pub mod holes;
            pub mod json;
            pub mod map;
            pub mod metrics;
            mod portion;
            mod seen;
            mod shared;
            pub mod text;
            pub use seen::{SeenView, counts};
            pub use shared::{LookedBeside, range_words, some_of};
            use shared::{log_path, merged, place, readable, segment_name};
        }
    }
}

fn main() -> ExitCode {
    cli::interrupt::install();
    cli::commands::run().into()
}
