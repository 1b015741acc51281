//! The power fails, or the disk refuses, at each operation of a rotation that prunes: the log opens, and only what was to go is gone.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use walctl::disk::{Disk, Errno, Fault, Luck, Open, SimDisk, read_full};
use walctl::model::{Error, Lsn, Verdict};
use walctl::native::{FrameKind, segment_lsn, segment_name};
use walctl::ops;
use walctl::ops::keep::{Rules, plan_prune, prune_facts, retire};
use walctl::ops::open::Choice;
use walctl::ops::report::{Checks, Progress};
use walctl::writer::{Draft, GroupCommit, Preallocate, Settings};

const DIR: &str = "/log";
const ARCHIVE: &str = "/archive";
/// Up to here state is safe elsewhere: the first four of the six segments may go.
const SAFE: u64 = 21;

fn options() -> Settings {
    Settings { background: false, preallocate: Preallocate::None, segment_records: Some(5), ..Settings::default() }
}

/// Six segments, the last one half full and closed.
fn log() -> SimDisk {
    let disk = SimDisk::new();
    let log = GroupCommit::open(Arc::new(disk.clone()), Path::new(DIR), options()).expect("a new log");
    for number in 0..28 {
        log.append(format!("record {number}").as_bytes()).expect("the disk is well");
    }
    log.close().expect("the disk is well");
    disk
}

/// What `rotate --checkpoint --prune --archive` does; the LSNs that were acknowledged.
fn rotate(disk: &SimDisk, archive: bool) -> (u64, Result<(), Error>) {
    let shared: Arc<dyn Disk> = Arc::new(disk.clone());
    let mut acknowledged = 28;
    let mut run = || {
        let log = GroupCommit::open(shared.clone(), Path::new(DIR), options())?;
        acknowledged = log.append(Draft { kind: FrameKind::Checkpoint, tag: SAFE, ..Draft::of(b"") })?.lsn.0;
        log.rotate()?;
        let rules = Rules { by_checkpoint: true, ..Rules::default() };
        let plan = plan_prune(prune_facts(&shared, Path::new(DIR))?, &rules);
        let archive = archive.then_some((&shared, Path::new(ARCHIVE)));
        let ended = retire(&shared, Path::new(DIR), &plan, archive, &Progress::default(), &mut |_, _| {});
        log.close()?;
        ended
    };
    let ended = run();
    (acknowledged, ended)
}

fn content(disk: &dyn Disk, path: &Path) -> Option<Vec<u8>> {
    let length = disk.stat(path).ok()??.length;
    let mut bytes = vec![0; usize::try_from(length).expect("small")];
    let file = disk.open(path, Open::READ).expect("it was just looked at");
    read_full(file.as_ref(), &mut bytes, 0).expect("memory can be read");
    Some(bytes)
}

/// What must hold whatever happened.
fn check(disk: &SimDisk, whole: &SimDisk, archive: bool, acknowledged: u64, what: &str) {
    let shared: Arc<dyn Disk> = Arc::new(disk.clone());
    let input = ops::open::open(&shared, Path::new(DIR), &Choice::default()).expect("there is a log").remove(0);
    let report = ops::report::verify(&input, &Checks::default(), &Progress::default()).expect("memory can be read");
    assert!(matches!(report.verdict, Verdict::Clean | Verdict::Torn), "{what}: {:?}", report.damage);
    let first = report.segments[0].id;
    let first = input.source.segments.iter().find(|s| s.id == first).and_then(|s| segment_lsn(&s.name)).expect("it has a name");
    assert!(first.0 <= 21 && first.0 % 5 == 1, "{what}: the log begins with LSN {first}");
    let lsns = report.lsns.expect("there are records");
    assert!(lsns.first == first && lsns.last.0 >= acknowledged, "{what}: {lsns} of {acknowledged}");
    for gone in (1..first.0).step_by(5).filter(|_| archive) {
        let name = segment_name(Lsn(gone));
        let (copy, was) = (content(disk, &Path::new(ARCHIVE).join(&name)), content(whole, &Path::new(DIR).join(&name)));
        assert!(copy.is_some() && copy == was, "{what}: {name} is gone, and the archive has no whole copy");
    }
    match GroupCommit::open(shared, Path::new(DIR), options()) {
        Ok(log) => {
            assert!(log.next_lsn().0 > acknowledged, "{what}: {} is given again", log.next_lsn());
            log.append(&b"afterwards"[..]).expect("the disk is well");
            log.close().expect("the disk is well");
        }
        Err(Error::Torn { why, .. }) => assert_eq!(report.verdict, Verdict::Torn, "{what}: {why}"),
        Err(other) => panic!("{what}: {other}"),
    }
    if report.verdict == Verdict::Clean {
        // A second run does what the first one could not.
        let (_, ended) = rotate(disk, archive);
        ended.unwrap_or_else(|error| panic!("{what}: and then: {error}"));
        let shared: Arc<dyn Disk> = Arc::new(disk.clone());
        let facts = prune_facts(&shared, Path::new(DIR)).expect("the log is whole");
        assert_eq!(facts[0].first, Lsn(21), "{what}");
    }
}

#[test]
fn a_rotation_that_prunes_survives_a_crash_at_each_operation() {
    let mut states = HashSet::new();
    for archive in [false, true] {
        let whole = log();
        let (begun, original) = (whole.operations(), whole.after_power_failure(Luck::All));
        let (acknowledged, ended) = rotate(&whole, archive);
        ended.expect("the disk is well");
        for operation in begun + 1..=whole.operations() {
            let disk = log();
            let original = disk.after_power_failure(Luck::All);
            disk.fail_at(operation, Fault::PowerOff);
            let (acknowledged, _) = rotate(&disk, archive);
            for luck in [Luck::None, Luck::All].into_iter().chain((0..20).map(Luck::Dice)) {
                let after = disk.after_power_failure(luck);
                if states.insert((archive, acknowledged, after.fingerprint())) {
                    let at = disk.trace().last().cloned().unwrap_or_default();
                    check(&after, &original, archive, acknowledged, &format!("power off at `{at}`, {luck:?}"));
                }
            }
        }
        check(&whole.after_power_failure(Luck::None), &original, archive, acknowledged, "after the end");
    }
    assert!(states.len() > 200, "{} different states", states.len());
}

#[test]
fn a_rotation_that_prunes_survives_each_failing_operation() {
    for archive in [false, true] {
        let whole = log();
        let begun = whole.operations();
        rotate(&whole, archive).1.expect("the disk is well");
        for operation in begun + 1..=whole.operations() {
            for fault in [Fault::Errno(Errno::IO), Fault::Errno(Errno::NOSPC), Fault::Short(7)] {
                let disk = log();
                let original = disk.after_power_failure(Luck::All);
                disk.fail_at(operation, fault);
                let (acknowledged, ended) = rotate(&disk, archive);
                let at = disk.trace().get(usize::try_from(operation).expect("small") - 1).cloned().unwrap_or_default();
                assert!(
                    ended.is_err() || fault == Fault::Short(7) || at.contains("remove"),
                    "{fault:?} at `{at}` went unnoticed"
                );
                for luck in [Luck::None, Luck::All] {
                    let what = format!("{fault:?} at `{at}`, then {luck:?}");
                    check(&disk.after_power_failure(luck), &original, archive, acknowledged, &what);
                }
            }
        }
    }
}

/// A clean end may leave a segment that holds a Close and nothing else: sealed, it would be in the way of the next one.
#[test]
fn a_closed_segment_without_a_record_is_gone_on_with() {
    for rounds in 1..4 {
        let disk = log();
        for _ in 0..rounds {
            rotate(&disk, false).1.expect("the disk is well");
            let log = GroupCommit::open(Arc::new(disk.clone()), Path::new(DIR), options()).expect("it is clean");
            assert_eq!(log.rotate().expect("the disk is well").sealed, None);
            log.close().expect("the disk is well");
        }
        // Direct writes need another kind of segment: it replaces the one without a record.
        let direct = Settings { direct: true, ..options() };
        let log = GroupCommit::open(Arc::new(disk.clone()), Path::new(DIR), direct).expect("it is clean");
        log.append(&b"afterwards"[..]).expect("the disk is well");
        log.close().expect("the disk is well");
        drop(log);
        check(&disk, &disk, false, 28 + rounds, "after a rotation, a close and another one");
    }
}

/// All records may go, and still no number is given again, nor may a replica leave some out.
#[test]
fn a_log_without_a_record_left_goes_on_with_the_next_number() {
    let disk = log();
    let shared: Arc<dyn Disk> = Arc::new(disk.clone());
    let log = GroupCommit::open(shared.clone(), Path::new(DIR), options()).expect("it is clean");
    log.rotate().expect("the disk is well");
    let rules = Rules { keep_segments: Some(0), force: true, ..Rules::default() };
    let plan = plan_prune(prune_facts(&shared, Path::new(DIR)).expect("the log is whole"), &rules);
    retire(&shared, Path::new(DIR), &plan, None, &Progress::default(), &mut |_, _| {}).expect("the disk is well");
    log.close().expect("the disk is well");
    drop(log);
    let disk = disk.after_power_failure(Luck::None);
    let log = GroupCommit::open(Arc::new(disk.clone()), Path::new(DIR), options()).expect("it is clean");
    assert_eq!(log.next_lsn(), Lsn(29));
    let ahead = Draft { lsn: Some(Lsn(40)), ..Draft::of(b"x") };
    assert!(matches!(log.append(ahead), Err(Error::Input { .. })), "the LSNs between would be missing");
    assert_eq!(log.append(&b"afterwards"[..]).expect("the disk is well").lsn, Lsn(29));
}
