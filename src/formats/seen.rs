//! For tests of formats: what reading a log from its start to its end shows.

use std::path::Path;
use std::sync::Arc;

use super::{Ending, Format, Halt, Item, Sink, Summary, Visit, Want};
use crate::disk::{RealDisk, Source};
use crate::model::{Damage, Keys, Verdict};

/// Records, in their order, and what is wrong.
#[derive(Debug, Default)]
pub struct WholeRead {
    pub kinds: Vec<String>,
    /// Of the records that have one.
    pub lsns: Vec<u64>,
    pub payloads: Vec<Vec<u8>>,
    pub damage: Vec<Damage>,
    pub warnings: Vec<&'static str>,
    /// One for each segment.
    pub endings: Vec<Ending>,
    /// Whether each segment was looked into from its beginning to its end.
    pub whole: Vec<bool>,
    /// What the system itself would make of the log.
    pub recovery: Option<String>,
}

impl WholeRead {
    pub fn verdict(&self) -> Verdict {
        self.damage.iter().map(Damage::verdict).max().unwrap_or(Verdict::Clean)
    }
}

/// Reads the log that people mean by a folder with these files.
pub fn read_files<N: AsRef<Path>, B: AsRef<[u8]>>(format: &Format, files: &[(N, B)]) -> WholeRead {
    let dir = tempfile::tempdir().expect("a temporary folder");
    for (name, bytes) in files {
        std::fs::write(dir.path().join(name), bytes).expect("room for a few segments");
    }
    read_source(format, &format.log_in(Arc::new(RealDisk), dir.path()).expect("it lists"))
}

/// Reads a log.
pub fn read_source(format: &Format, source: &Source) -> WholeRead {
    let (mut seen, mut summaries) = (WholeRead::default(), Vec::<Summary>::new());
    let want = Want { payloads: true, deep: true, ..Want::default() };
    for segment in &source.segments {
        let mut take = |item: Item<'_>| -> Result<(), Halt> {
            let Item::Record(record) = item else { return Ok(()) };
            let mut payload = Vec::new();
            record.payload.each(&mut |piece| {
                payload.extend_from_slice(piece);
                Ok(())
            })?;
            seen.kinds.push(record.kind.to_owned());
            seen.lsns.extend(record.lsn.map(|lsn| lsn.0));
            seen.payloads.push(payload);
            Ok(())
        };
        let visit = Visit { source, segment, keys: &Keys::default(), want };
        summaries.push(format.walk(&visit, &mut Sink::new(&mut take)).expect("rotten bytes are no error"));
    }
    let between = (format.join)(source, &mut summaries);
    for summary in &summaries {
        seen.damage.extend_from_slice(summary.damage.kept());
        seen.warnings.extend(summary.warnings.kept().iter().map(|warning| warning.name));
        seen.endings.push(summary.ending);
        seen.whole.push(summary.whole);
        seen.recovery = summary.recovery.clone().or(seen.recovery);
    }
    seen.damage.extend(between);
    seen
}
