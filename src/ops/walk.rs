//! The one loop over the segments of a log, and its one step.
//!
//! A walk ends at the end of a segment, because its receiver has enough, or because something stopped it. A caller says here what is
//! wanted and what becomes of each item, and gets these three ends as values.

use crate::disk::{Segment, Source};
use crate::formats::{Format, Halt, Item, Sink, Summary, Visit, Want};
use crate::model::{Keys, Result};
use crate::ops::open::Input;

/// What is walked: the segments of a log, and how they are read.
#[derive(Clone, Copy, Debug)]
pub struct LogView<'a> {
    /// The segments.
    pub source: &'a Source,
    /// How they are read.
    pub format: &'static Format,
    /// Keys for encrypted payloads.
    pub keys: &'a Keys,
}

impl<'a> From<&'a Input> for LogView<'a> {
    fn from(input: &'a Input) -> LogView<'a> {
        LogView { source: &input.source, format: input.format, keys: &input.keys }
    }
}

/// Walks the segments of a log in their order until `take` has enough. Gives the summaries of those that were walked to their ends.
pub fn each<'a>(
    log: impl Into<LogView<'a>>,
    want: Want,
    take: &mut dyn FnMut(&Segment, Item<'_>) -> Result<(), Halt>,
) -> Result<Vec<Summary>> {
    let log = log.into();
    let mut summaries = Vec::with_capacity(log.source.segments.len());
    for segment in &log.source.segments {
        match one(log, segment, want, &mut |item| take(segment, item))? {
            Some(summary) => summaries.push(summary),
            None => break,
        }
    }
    Ok(summaries)
}

/// Walks one segment of a log. `None` when `take` had enough before its end.
pub fn one<'a>(
    log: impl Into<LogView<'a>>,
    segment: &Segment,
    want: Want,
    take: &mut dyn FnMut(Item<'_>) -> Result<(), Halt>,
) -> Result<Option<Summary>> {
    let LogView { source, format, keys } = log.into();
    match format.walk(&Visit { source, segment, keys, want }, &mut Sink::new(take)) {
        Ok(summary) => Ok(Some(summary)),
        Err(Halt::Enough) => Ok(None),
        Err(Halt::Failed(error)) => Err(error),
    }
}

/// Walks one segment for its summary alone.
pub fn summary<'a>(log: impl Into<LogView<'a>>, segment: &Segment, want: Want) -> Result<Summary> {
    let summary = one(log, segment, want, &mut |_| Ok(()))?;
    Ok(summary.expect("a receiver that takes everything never has enough"))
}
