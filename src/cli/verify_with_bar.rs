//! Work that lasts: a bar while it goes on, an end at the next safe point when it is interrupted, and a sentence about how far it came.

use std::path::Path;
use std::sync::atomic::Ordering;

use walctl::model::units::{count, show_bytes};
use walctl::model::{Error, Result};
use walctl::ops;
use walctl::ops::report::{Checks, Progress, Report};

use super::args::LoadArgs;
use super::render::escape;
use super::render::out::Out;
use super::render::progress::WorkBar;
use super::{interrupt, place};

/// What an interruption leaves when nothing was written.
pub const UNCHANGED: &str = "nothing was changed";

/// From here on an interruption is waited for, unless a pipe is read: that may never say anything more, and must not be waited for.
pub fn ends_in_order(paths: &[impl AsRef<Path>]) {
    if paths.iter().all(|path| path.as_ref().as_os_str() != "-") {
        interrupt::be_polite();
    }
}

/// How much of the machine a piece of work takes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Effort {
    /// How many segments are read at once, if that was asked for.
    pub jobs: Option<u16>,
    /// At most this many bytes a second.
    pub rate: Option<u64>,
}

impl From<&LoadArgs> for Effort {
    fn from(args: &LoadArgs) -> Effort {
        Effort { jobs: args.jobs, rate: args.rate.max_rate }
    }
}

/// Checks a log, with a bar for what lasts. `left` says what an interruption leaves.
pub fn verify_with_bar(input: &ops::open::Input, load: Effort, left: &str, out: &Out) -> anyhow::Result<Report> {
    let checks = Checks { jobs: place::jobs(load.jobs, input.source.disk.as_ref()), ..Checks::default() };
    let work = |progress: &Progress| ops::report::verify(input, &checks, progress);
    Ok(watched(out, "checking", &input.source.path, bytes_of(input), load.rate, left, work)?)
}

/// How many bytes a log has, as far as they are known.
pub fn bytes_of(input: &ops::open::Input) -> u64 {
    input.source.segments.iter().map(|segment| if segment.length == u64::MAX { 0 } else { segment.length }).sum()
}

/// Does the work on another thread, and shows how far it has come. `left` says what an interruption leaves;
/// where that is empty, the caller says it.
pub fn watched<T: Send>(
    out: &Out,
    doing: &str,
    path: &Path,
    total: u64,
    rate: Option<u64>,
    left: &str,
    work: impl FnOnce(&Progress) -> Result<T> + Send,
) -> Result<T> {
    ends_in_order(&[path]);
    let progress = Progress::at_most(rate);
    let doing = format!("{doing} {}", escape::line(&path.display().to_string()));
    let bar = WorkBar::new(out, doing.clone(), total);
    let done = bar.watch(&progress.done, || interrupt::stopping(&progress.stop, || work(&progress)));
    bar.finish();
    if matches!(done, Err(Error::Interrupted)) && interrupt::caught() && !left.is_empty() {
        let read = progress.done.load(Ordering::Relaxed);
        let far = if total > 0 {
            format!("after {} of {}", show_bytes(read.min(total)), show_bytes(total))
        } else {
            format!("after {}", show_bytes(read))
        };
        let found = match progress.damage.load(Ordering::Relaxed) {
            0 => String::new(),
            pieces => format!(", {} of damage met so far", count(pieces, "piece")),
        };
        out.aside(format_args!("interrupted {doing}, {far}{found}; {left}"));
    }
    done
}
