//! Inspect, check, mend and write write-ahead logs.

fn main() {}
