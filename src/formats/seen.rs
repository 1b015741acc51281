//! For tests of formats: what reading a log from its start to its end shows.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::{Ending, Format, Halt, Item, Sink, Summary, Visit, Want};
use crate::disk::{Errno, File, RealDisk, Source};
use crate::model::{Damage, Error, Keys, Result, Verdict};

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

/// Reads a log of one file of which the system refuses to give a range. What it refuses are whole pieces of 4 KiB.
pub fn read_worn(format: &Format, name: &str, bytes: &[u8], refused: Range<u64>) -> WholeRead {
    let file = MadeFile { before: bytes.to_vec(), refused, ..MadeFile::default() };
    read_source(format, &Source::given(Arc::new(RealDisk), name, Arc::new(file), 1))
}

/// Reads a log of one file that is written to meanwhile: it holds something else once the record with this LSN was handed over.
pub fn read_while_written(format: &Format, name: &str, before: &[u8], after: &[u8], lsn: u64) -> WholeRead {
    let written = Arc::new(AtomicBool::new(false));
    let file = MadeFile { before: before.to_vec(), after: after.to_vec(), written: written.clone(), refused: 0..0 };
    let source = Source::given(Arc::new(RealDisk), name, Arc::new(file), 1);
    read_each(format, &source, &|seen| {
        written.fetch_or(seen == lsn, Ordering::Relaxed);
    })
}

#[derive(Debug, Default)]
struct MadeFile {
    before: Vec<u8>,
    after: Vec<u8>,
    written: Arc<AtomicBool>,
    refused: Range<u64>,
}

impl MadeFile {
    fn now(&self) -> &[u8] {
        if self.written.load(Ordering::Relaxed) { &self.after } else { &self.before }
    }
}

impl File for MadeFile {
    fn length(&self) -> Result<u64> {
        Ok(self.now().len() as u64)
    }
    fn read_at(&self, into: &mut [u8], offset: u64) -> Result<usize> {
        let rest = self.now().get(usize::try_from(offset).unwrap_or(usize::MAX)..).unwrap_or_default();
        let count = into.len().min(rest.len());
        if offset < self.refused.end && self.refused.start < offset + count as u64 {
            return Err(Error::io("read", Path::new("a worn file"))(Errno::IO.into()));
        }
        into[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }
    fn write_at(&self, _: &[u8], _: u64) -> Result<usize> {
        unreachable!("reading never writes")
    }
    fn sync_data(&self) -> Result<()> {
        unreachable!("reading never syncs")
    }
    fn sync_all(&self) -> Result<()> {
        unreachable!("reading never syncs")
    }
    fn set_length(&self, _: u64) -> Result<()> {
        unreachable!("reading never cuts")
    }
    fn reserve(&self, _: u64, _: u64) -> Result<()> {
        unreachable!("reading never reserves")
    }
}

/// Reads a log.
pub fn read_source(format: &Format, source: &Source) -> WholeRead {
    read_each(format, source, &|_| {})
}

fn read_each(format: &Format, source: &Source, each: &dyn Fn(u64)) -> WholeRead {
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
            record.lsn.into_iter().for_each(|lsn| each(lsn.0));
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
