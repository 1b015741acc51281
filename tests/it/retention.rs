//! Retention in the writer: old segments go as the log grows, and nothing goes that somebody still needs.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use walctl::disk::{Disk, Fault, Luck, SimDisk};
use walctl::native::segment_lsn;
use walctl::{Clock, Draft, ErrorKind, Log, Lsn, Options, Reason, Retain, Time};

const DIR: &str = "/wal";

/// Ten records a segment, everything in the caller's thread.
fn open(disk: &SimDisk, retain: Retain) -> walctl::Result<Log> {
    let options = Options::new().disk(Arc::new(disk.clone())).background(false).preallocate(walctl::Preallocate::None);
    options.segment_records(10).retain(retain).open(DIR)
}

fn append(log: &Log, count: u64) {
    for _ in 0..count {
        log.append("record").expect("the disk is well");
    }
}

/// The first LSNs of the segments that are there.
fn segments(disk: &dyn Disk, dir: &Path) -> Vec<u64> {
    let firsts: BTreeSet<u64> = disk.list(dir).expect("it lists").iter().filter_map(|e| Some(segment_lsn(&e.name)?.0)).collect();
    firsts.into_iter().collect()
}

fn there(disk: &SimDisk) -> Vec<u64> {
    segments(disk, Path::new(DIR))
}

#[test]
fn old_segments_go_while_the_log_grows_and_the_rule_is_that_of_rotate() {
    let table = [
        (Retain::new(), vec![1, 11, 21, 31, 41]),
        (Retain::new().segments(2), vec![31, 41]),
        (Retain::new().segments(9), vec![1, 11, 21, 31, 41]),
        (Retain::new().bytes(10_000), vec![31, 41]),
        (Retain::new().bytes(0), vec![41]),
        (Retain::new().segments(3).bytes(0), vec![21, 31, 41]),
        (Retain::new().segments(1).age(Duration::from_secs(3600)), vec![1, 11, 21, 31, 41]),
        (Retain::new().below_checkpoint(), vec![1, 11, 21, 31, 41]),
    ];
    for (retain, expected) in table {
        let disk = SimDisk::new();
        let log = open(&disk, retain.clone()).expect("a new log");
        append(&log, 45);
        assert_eq!(there(&disk), expected, "{retain:?}");
        let counts = log.counts();
        assert_eq!(
            (counts.segments_begun, counts.rotations, counts.segments_gone),
            (5, 4, 5 - expected.len() as u64),
            "{retain:?}"
        );
        assert_eq!(log.reader().expect("it opens").next().expect("there are some").expect("it is whole").lsn.0, expected[0]);
    }
}

#[test]
fn the_age_of_a_segment_is_that_of_the_clock_that_was_given() {
    let hours = Arc::new(AtomicU64::new(1));
    let told = hours.clone();
    let clock = Clock::from_fn(move || Time(told.load(Ordering::Relaxed) * 3_600_000_000));
    let disk = SimDisk::new();
    let options = Options::new().disk(Arc::new(disk.clone())).background(false).preallocate(walctl::Preallocate::None);
    let options = options.segment_records(10).clock(clock).retain(Retain::new().age(Duration::from_secs(2 * 3600)));
    let log = options.open(DIR).expect("a new log");
    let mut seen = Vec::new();
    for hour in 1..=6 {
        hours.store(hour, Ordering::Relaxed);
        append(&log, 10);
        seen.push(there(&disk)[0]);
    }
    // At three o'clock the records of one o'clock are two hours old and stay; at four they go.
    assert_eq!(seen, [1, 1, 1, 11, 21, 31]);
    let times: BTreeSet<u64> =
        log.reader().expect("it opens").map(|r| r.expect("whole").time.expect("ours").0 / 3_600_000_000).collect();
    assert_eq!(times, BTreeSet::from([4, 5, 6]));
}

#[test]
fn a_closed_log_has_let_go_of_all_that_may_go_whatever_its_thread_had_come_to() {
    for turn in 0..50 {
        let disk = SimDisk::new();
        let options = Options::new().disk(Arc::new(disk.clone())).preallocate(walctl::Preallocate::None);
        let log = options.segment_records(10).retain(Retain::new().segments(2)).open(DIR).expect("a new log");
        append(&log, 45);
        log.close().expect("the disk is well");
        assert_eq!(there(&disk), [31, 41], "turn {turn}");
    }
}

#[test]
fn a_log_that_is_opened_with_a_rule_lets_go_at_once() {
    let disk = SimDisk::new();
    append(&open(&disk, Retain::new()).expect("a new log"), 45);
    let log = open(&disk, Retain::new().segments(2)).expect("it is whole");
    assert_eq!((there(&disk), log.next_lsn()), (vec![31, 41], Lsn(46)));
}

#[test]
fn nothing_goes_above_the_checkpoint_or_with_an_open_transaction() {
    let disk = SimDisk::new();
    let log = open(&disk, Retain::new().segments(1)).expect("a new log");
    append(&log, 1);
    log.checkpoint(Lsn(1)).expect("the disk is well");
    append(&log, 43);
    assert_eq!(there(&disk), [1, 11, 21, 31, 41], "everything lies above the checkpoint");
    assert_eq!(log.held_by(), [Reason::Checkpoint(Lsn(1))]);
    log.checkpoint(Lsn(25)).expect("the disk is well");
    assert_eq!(there(&disk), [21, 31, 41], "a checkpoint lets go at once");

    let disk = SimDisk::new();
    let log = open(&disk, Retain::new().segments(1)).expect("a new log");
    append(&log, 15);
    log.append(Draft::begin(7)).expect("the disk is well");
    append(&log, 29);
    assert_eq!((there(&disk), log.held_by()), (vec![11, 21, 31, 41], vec![Reason::Transactions(vec![7])]));
    log.append(Draft::commit(7)).expect("the disk is well");
    append(&log, 10);
    assert_eq!(there(&disk), [51]);
}

#[test]
fn a_pin_holds_across_restarts_until_it_moves_or_goes() {
    let disk = SimDisk::new();
    let log = open(&disk, Retain::new().segments(1)).expect("a new log");
    append(&log, 5);
    log.pin("replica-2", Lsn(5)).expect("the disk is well");
    append(&log, 40);
    assert_eq!(there(&disk), [1, 11, 21, 31, 41]);
    drop(log);
    let disk = disk.after_power_failure(Luck::None);
    let log = open(&disk, Retain::new().segments(1)).expect("it is whole");
    assert_eq!(log.held_by(), [Reason::Cursor("replica-2".into(), Some(Lsn(5)))]);
    assert_eq!(there(&disk), [1, 11, 21, 31, 41]);
    log.pin("replica-2", Lsn(20)).expect("the disk is well");
    assert_eq!(there(&disk), [21, 31, 41]);
    assert_eq!(log.pin("late", Lsn(7)).map_err(|error| error.kind()), Err(ErrorKind::Refused), "8 is gone");
    assert_eq!(log.pin("../late", Lsn(30)).map_err(|error| error.kind()), Err(ErrorKind::Input));
    assert!(log.unpin("replica-2").expect("the disk is well"));
    assert_eq!((there(&disk), log.pinned()), (vec![41], Vec::new()));
}

#[test]
fn the_power_may_fail_at_each_operation_and_no_number_is_given_again_nor_a_pin_forgotten() {
    let load = |disk: &SimDisk| {
        let (mut acknowledged, mut pinned) = (0, 0);
        let Ok(log) = open(disk, Retain::new().segments(2)) else { return (0, 0) };
        for number in 1..=60 {
            match log.append("record") {
                Ok(ack) => acknowledged = ack.lsn.0,
                Err(_) => break,
            }
            if number % 7 == 0 && number > 7 && log.pin("replica", Lsn(number - 8)).is_ok() {
                pinned = number - 8;
            }
        }
        (acknowledged, pinned)
    };
    let whole = SimDisk::new();
    assert_eq!(load(&whole), (60, 48));
    for operation in 1..whole.operations() {
        let disk = SimDisk::new();
        disk.fail_at(operation, Fault::PowerOff);
        let (acknowledged, pinned) = load(&disk);
        for luck in [Luck::None, Luck::All, Luck::Dice(operation)] {
            let after = disk.after_power_failure(luck);
            let mut lsns = Vec::new();
            let recovered = Options::new().disk(Arc::new(after.clone())).background(false).recover(DIR, |record| {
                lsns.push(record.lsn.0);
                Ok(())
            });
            let log = recovered.unwrap_or_else(|error| panic!("operation {operation}, {luck:?}: {error}"));
            assert!(log.next_lsn().0 > acknowledged, "operation {operation}, {luck:?}: {} of {acknowledged}", log.next_lsn());
            assert!(lsns.is_sorted_by(|a, b| a + 1 == *b), "operation {operation}, {luck:?}: a hole in {lsns:?}");
            let first = lsns.first().copied().unwrap_or(log.next_lsn().0);
            assert!(pinned == 0 || first <= pinned + 1, "operation {operation}, {luck:?}: from {first}, pinned {pinned}");
            assert!(acknowledged == 0 || lsns.last().copied() >= Some(acknowledged), "operation {operation}, {luck:?}");
        }
    }
}

#[test]
fn a_removal_that_fails_leaves_the_log_whole_and_is_tried_again() {
    let disk = SimDisk::new();
    let log = open(&disk, Retain::new().segments(1)).expect("a new log");
    append(&log, 10);
    let before = disk.operations();
    append(&log, 1);
    let removal = disk.trace().iter().skip(before as usize).position(|line| line.contains("remove")).expect("one went");
    drop(log);

    let disk = SimDisk::new();
    let log = open(&disk, Retain::new().segments(1)).expect("a new log");
    append(&log, 10);
    disk.fail_at(before + removal as u64 + 1, Fault::Errno(walctl::disk::Errno::IO));
    append(&log, 5);
    assert_eq!(there(&disk), [1, 11], "its removal failed");
    append(&log, 6);
    assert_eq!(there(&disk), [21]);
}

#[test]
fn a_thread_lets_go_beside_threads_that_append() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let log = Options::new().segment_bytes(64 << 10).retain(Retain::new().segments(3)).open(dir.path()).expect("a new log");
    std::thread::scope(|scope| {
        for _ in 0..3 {
            let log = log.clone();
            scope.spawn(move || {
                let tickets: Vec<_> = (0..300).map(|_| log.submit([7; 1000]).expect("the disk is well")).collect();
                assert!(tickets.iter().all(|ticket| log.wait(ticket).is_ok()));
            });
        }
    });
    let until = Instant::now() + Duration::from_secs(20);
    while log.counts().rotations + 1 - log.counts().segments_gone > 3 {
        assert!(Instant::now() < until, "{:?}", log.counts());
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(segments(&walctl::disk::RealDisk, dir.path()).len(), 3);
    assert_eq!(log.close().expect("the disk is well"), Lsn(900));
    assert!(walctl::verify(dir.path()).expect("it reads").is_clean());
}
