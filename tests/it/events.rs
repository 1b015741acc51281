//! What the writer has to say through the crate `log`, to a program that listens.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, Once, PoisonError};

use log::{Level, LevelFilter, Metadata, Record};
use walctl::disk::{Disk, Errno, Fault, Open, SimDisk};
use walctl::{Lsn, Options, Retain};

/// Keeps what is told of the logs under `/events`: other tests of this program write logs too.
struct Kept;

static LINES: Mutex<Vec<(Level, String)>> = Mutex::new(Vec::new());

impl log::Log for Kept {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "walctl"
    }

    fn log(&self, record: &Record<'_>) {
        let line = record.args().to_string();
        if self.enabled(record.metadata()) && line.starts_with("/events/") {
            LINES.lock().unwrap_or_else(PoisonError::into_inner).push((record.level(), line));
        }
    }

    fn flush(&self) {}
}

/// What was told of the log in `dir`, without its name.
fn told(dir: &Path) -> Vec<(Level, String)> {
    let prefix = format!("{}: ", dir.display());
    let lines = LINES.lock().unwrap_or_else(PoisonError::into_inner);
    lines.iter().filter_map(|(level, line)| Some((*level, line.strip_prefix(&prefix)?.to_owned()))).collect()
}

fn listen(name: &str) -> PathBuf {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        log::set_logger(&Kept).expect("no other test listens");
        log::set_max_level(LevelFilter::Debug);
    });
    Path::new("/events").join(name)
}

fn options(disk: &SimDisk) -> Options {
    let options = Options::new().disk(Arc::new(disk.clone())).background(false).preallocate(walctl::Preallocate::None);
    options.segment_records(2)
}

#[test]
fn segments_are_told_one_by_one_and_records_not_at_all() {
    let (dir, disk) = (listen("life"), SimDisk::new());
    let log = options(&disk).retain(Retain::new().segments(1)).open(&dir).expect("a new log");
    for _ in 0..3 {
        log.append("x").expect("the disk is well");
    }
    log.close().expect("the disk is well");
    let expected = [
        (Level::Info, "opened: LSN 1 is next"),
        (Level::Debug, "begun: 00000000000000000001.wal"),
        (Level::Debug, "sealed: 3 is next"),
        (Level::Debug, "begun: 00000000000000000003.wal"),
        (Level::Info, "let go: 00000000000000000001.wal"),
        (Level::Info, "closed: LSN 4 is next"),
    ];
    assert_eq!(told(&dir), expected.map(|(level, line)| (level, line.to_owned())));
}

#[test]
fn a_failed_sync_is_an_error_that_is_told_once() {
    let (dir, disk) = (listen("poisoned"), SimDisk::new());
    let log = options(&disk).open(&dir).expect("a new log");
    log.append("durable").expect("the disk is well");
    disk.fail_at(disk.operations() + 2, Fault::Errno(Errno::IO));
    for _ in 0..3 {
        log.append("lost").expect_err("its sync failed");
    }
    let told = told(&dir);
    let errors: Vec<&String> = told.iter().filter(|(level, _)| *level == Level::Error).map(|(_, line)| line).collect();
    assert_eq!(errors.len(), 1, "{told:?}");
    assert!(errors[0].starts_with("nothing more is accepted: ") && errors[0].ends_with("; durable up to LSN 1"), "{errors:?}");
}

#[test]
fn a_tail_that_is_cut_at_opening_is_a_warning_that_names_where_its_bytes_are() {
    let (dir, disk) = (listen("torn"), SimDisk::new());
    let log = options(&disk).open(&dir).expect("a new log");
    log.append("whole").expect("the disk is well");
    let segment = dir.join("00000000000000000001.wal");
    let whole = disk.stat(&segment).expect("it is a disk").expect("it is there").length;
    log.append("torn").expect("the disk is well");
    drop(log);
    disk.open(&segment, Open::WRITE).expect("it opens").set_length(whole + 9).expect("the disk is well");
    let log = options(&disk).open(&dir).expect("a torn tail is cut");
    assert_eq!(log.next_lsn(), Lsn(2));
    let cut = format!("cut: {} at {whole}, saved in ", segment.display());
    let told = told(&dir);
    let cuts: Vec<&String> =
        told.iter().filter(|(level, line)| *level == Level::Warn && line.starts_with(&cut)).map(|(_, l)| l).collect();
    assert_eq!(cuts.len(), 1, "{told:?}");
    let saved = cuts[0].strip_prefix(&cut).expect("it begins so");
    assert!(disk.stat(&dir.join(saved)).expect("it is a disk").is_some(), "{saved}");
}
