//! Checking a log before and after it is changed.

use walctl::ops;
use walctl::ops::report::{Checks, Progress, Report};

use super::render::out::Out;
use super::render::progress;

/// Checks a log, with a bar for what lasts.
pub fn verify_with_bar(input: &ops::open::Input, out: &Out) -> anyhow::Result<Report> {
    let progress = Progress::default();
    let jobs = std::thread::available_parallelism().map_or(1, usize::from);
    let total = input.source.segments.iter().map(|s| s.length).sum();
    let bar = progress::WorkBar::new(out, format!("checking {}", input.source.path.display()), total);
    let report = bar.watch(&progress.done, || ops::report::verify(input, &Checks { jobs, ..Checks::default() }, &progress))?;
    Ok(report)
}
