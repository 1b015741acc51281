//! A range that the system refuses to give costs the records that touch it, and no other; and it is told as such.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use walctl::disk::{Disk, Entry, File, Open, RealDisk};
use walctl::formats::Format;
use walctl::model::{DamageKind, Error, Keys, Look, Result, Verdict};

use crate::formats::{Found, Got, cases, expected, foreign, keys, logs_below, read};

/// A machine's disk on which a range of one file cannot be read.
#[derive(Clone, Debug)]
struct Worn {
    file: String,
    bad: Range<u64>,
    /// How often a file was opened.
    opened: Arc<AtomicUsize>,
}

#[derive(Debug)]
struct WornFile {
    file: Box<dyn File>,
    bad: Range<u64>,
}

fn read_only<T>() -> Result<T> {
    Err(Error::Input { what: "reading never writes".into() })
}

impl Disk for Worn {
    fn list(&self, dir: &Path) -> Result<Vec<Entry>> {
        RealDisk.list(dir)
    }

    fn stat(&self, path: &Path) -> Result<Option<Entry>> {
        RealDisk.stat(path)
    }

    fn open(&self, path: &Path, how: Open) -> Result<Box<dyn File>> {
        let file = RealDisk.open(path, how)?;
        self.opened.fetch_add(1, Ordering::Relaxed);
        let hit = path.file_name().is_some_and(|name| name.to_str() == Some(&self.file));
        Ok(if hit { Box::new(WornFile { file, bad: self.bad.clone() }) } else { file })
    }

    fn create_dir(&self, _: &Path) -> Result<()> {
        read_only()
    }

    fn rename(&self, _: &Path, _: &Path) -> Result<()> {
        read_only()
    }

    fn remove(&self, _: &Path) -> Result<()> {
        read_only()
    }

    fn remove_dir(&self, _: &Path) -> Result<()> {
        read_only()
    }

    fn sync_dir(&self, _: &Path) -> Result<()> {
        read_only()
    }

    fn lock(&self, _: &Path) -> Result<Option<Box<dyn File>>> {
        read_only()
    }

    fn open_dir(&self, _: &Path) -> Result<Box<dyn File>> {
        read_only()
    }
}

impl File for WornFile {
    fn length(&self) -> Result<u64> {
        self.file.length()
    }

    fn read_at(&self, into: &mut [u8], offset: u64) -> Result<usize> {
        let until = offset + into.len() as u64;
        if offset < self.bad.end && self.bad.start < until && offset < self.length()? {
            return Err(Error::io("read", Path::new("a worn disk"))(std::io::Error::from_raw_os_error(libc::EIO)));
        }
        self.file.read_at(into, offset)
    }

    fn write_at(&self, _: &[u8], _: u64) -> Result<usize> {
        read_only()
    }

    fn sync_data(&self) -> Result<()> {
        read_only()
    }

    fn sync_all(&self) -> Result<()> {
        read_only()
    }

    fn set_length(&self, _: u64) -> Result<()> {
        read_only()
    }

    fn reserve(&self, _: u64, _: u64) -> Result<()> {
        read_only()
    }
}

/// The system gives or refuses this much at a time.
const GRAIN: u64 = 4096;

/// Formats whose records prove themselves, each alone: what stands behind a hole is found again at once. In others a sum goes on from
/// record to record, or reading goes on at the next block.
const ALONE: [&str; 4] = ["allsource", "ironwal", "nodedb", "rivven"];

/// Whole older records stand in the gaps of this log, and only what follows a gap tells that it is one.
const GAP: &str = "clean_direct_io_gap";

/// What a fact about a record may say behind a hole is another matter: that its number is uncertain, for one.
fn same(one: &Got, other: &Got) -> bool {
    (one.offset, one.length, &one.kind, &one.payload) == (other.offset, other.length, &other.kind, &other.payload)
}

/// What is wrong with reading a log of which a range of one file is refused.
fn check(format: &Format, dir: &Path, keys: &Keys, clean: &Found, file: &str, bad: &Range<u64>) -> Vec<String> {
    let disk: Arc<dyn Disk> = Arc::new(Worn { file: file.to_owned(), bad: bad.clone(), opened: Arc::default() });
    let source = format.log_in(disk, dir).expect("it can be listed");
    let mut found = Found::default();
    read(format, &source, keys, "", &mut found);
    let touched = |got: &Got| got.file == file && got.offset < bad.end && bad.start < got.offset + got.length;
    let held = |all: &[Got], got: &Got| all.iter().any(|other| got.file == other.file && same(got, other));
    let mut wrong = Vec::new();
    let told = found.damage.iter().any(|(name, d)| {
        let refused = d.kind == DamageKind::ReadError && d.facts.look == Look::Refused;
        name == file && refused && d.span.start() < bad.end && bad.start < d.span.end()
    });
    // Where nothing was written nobody need look.
    if clean.records.iter().any(touched) && (!told || found.verdict() < Verdict::Unreadable) {
        wrong.push(format!("it is told otherwise: {:?}", found.damage));
    }
    let alone = ALONE.contains(&format.name);
    let kept = |got: &&Got| !touched(got) && (alone || got.file == file && got.offset < bad.start);
    for record in clean.records.iter().filter(kept).filter(|got| !held(&found.records, got)) {
        wrong.push(format!("the record at {}:{} is gone", record.file, record.offset));
    }
    for record in found.records.iter().filter(|got| !held(&clean.records, got)) {
        wrong.push(format!("a record that nobody wrote at {}:{}", record.file, record.offset));
    }
    wrong
}

#[test]
fn what_the_system_refuses_costs_the_records_that_touch_it_and_no_other() {
    let (mut looks, mut failed) = (0, Vec::new());
    for format in foreign() {
        for (case, dir) in cases(format.name).into_iter().filter(|(case, _)| case.starts_with("clean") && case != GAP) {
            for log in logs_below(format, &dir.join("wal")) {
                let source = format.log_in(Arc::new(RealDisk), &log).expect("it can be listed");
                let (mut clean, keys) = (Found::default(), keys(&expected(&dir)));
                read(format, &source, &keys, "", &mut clean);
                for segment in &source.segments {
                    let grains = segment.length.div_ceil(GRAIN);
                    for grain in (0..grains).filter(|grain| grains < 8 || grain % (grains / 5) == 0 || grain + 1 == grains) {
                        let bad = grain * GRAIN..(grain + 1) * GRAIN;
                        looks += 1;
                        for wrong in check(format, &log, &keys, &clean, &segment.name, &bad) {
                            failed.push(format!("{}/{case}: {} without {bad:?}: {wrong}", format.name, segment.name));
                        }
                    }
                }
            }
        }
    }
    assert!(failed.is_empty(), "{looks} looks:\n{}", failed.join("\n"));
    assert!(looks > 100, "{looks} looks");
}

#[test]
fn how_often_files_are_opened_does_not_grow_with_the_records() {
    let (mut formats, mut failed) = (0, Vec::new());
    for format in foreign() {
        let mut asked = false;
        for (case, dir) in cases(format.name).into_iter().filter(|(case, _)| case.starts_with("clean")) {
            for log in logs_below(format, &dir.join("wal")) {
                let opened = Arc::new(AtomicUsize::new(0));
                let disk: Arc<dyn Disk> = Arc::new(Worn { file: String::new(), bad: 0..0, opened: opened.clone() });
                let source = format.log_in(disk, &log).expect("it can be listed");
                let mut found = Found::default();
                read(format, &source, &keys(&expected(&dir)), "", &mut found);
                let (opened, most) = (opened.load(Ordering::Relaxed), 8 * (source.segments.len() + 1));
                asked |= found.records.len() > most;
                if opened > most {
                    let (files, records) = (source.segments.len(), found.records.len());
                    failed.push(format!("{}/{case}: {files} files of {records} records are opened {opened} times", format.name));
                }
            }
        }
        formats += usize::from(asked);
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    assert!(formats >= 8, "only {formats} formats have a log with enough records");
}
