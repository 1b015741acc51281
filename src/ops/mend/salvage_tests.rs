//! Salvage on a disk that forgets: the power fails, or a call, at each of its operations.

use std::path::Path;
use std::sync::Arc;

use super::tests::{Files, LUCKS, disk_with, files, hurt, look, segment};
use crate::disk::{Disk, Errno, Fault, SimDisk, errno_of};
use crate::formats::{Item, Sink, Visit, Want};
use crate::model::{Error, Lsn, Payload, Result, Verdict};
use crate::native::{HeaderFound, SegmentHeader, segment_name};
use crate::ops::mend::salvage;
use crate::ops::open::{Choice, open};
use crate::ops::read::Scope;
use crate::ops::report::{Checks, Progress, verify};

/// The folder above the new log is not there either.
const TARGET: &str = "/saved/today/new";
const WORK: &str = "/saved/today/new.unfinished";

/// A record: its LSN, kind, tag and payload.
type Told = (u64, String, Option<u64>, Vec<u8>);

fn run(disk: &SimDisk) -> Result<()> {
    let (input, report) = look(disk)?;
    salvage(&input, &report, Path::new(TARGET), Scope::default(), &Progress::default()).map(drop)
}

fn is_there(disk: &SimDisk, path: &str) -> bool {
    disk.stat(Path::new(path)).expect("it answers").is_some()
}

/// What the new log holds, and how it checks.
fn new_log(disk: &SimDisk) -> (Verdict, Vec<(String, u64)>, Vec<Told>) {
    let shared: Arc<dyn Disk> = Arc::new(disk.clone());
    let input = open(&shared, Path::new(TARGET), &Choice::default()).expect("it is a log").remove(0);
    let report = verify(&input, &Checks::default(), &Progress::default()).expect("it reads");
    let mut records = Vec::new();
    let want = Want { payloads: true, ..Want::default() };
    for segment in &input.source.segments {
        let visit = Visit { source: &input.source, segment, keys: &input.keys, want };
        let mut take = |item: Item<'_>| {
            if let Item::Record(record) = item {
                let Payload::Whole(bytes) = record.payload else { panic!("these records are short") };
                records.push((record.lsn.expect("ours have numbers").0, record.kind.to_owned(), record.tag, bytes.to_vec()));
            }
            Ok(())
        };
        (input.format.walk)(&visit, &mut Sink::new(&mut take)).expect("it reads");
    }
    (report.verdict, input.source.segments.iter().map(|s| (s.name.clone(), s.length)).collect(), records)
}

/// Logs from which something can be saved: those that repair mends, and those that it refuses.
fn logs() -> Vec<(&'static str, Files)> {
    let name = |lsn| segment_name(Lsn(lsn));
    let (mut rotten, sum) = segment(1, 0, &[(1, 0, 0, b"alpha"), (2, 0, 0, b"beta"), (3, 0, 0, &[7; 3000])]);
    let (second, sum) = segment(4, sum, &[(4, 0, 0, b"delta")]);
    let (third, _) = segment(5, sum, &[(5, 0, 0, b"epsilon")]);
    let mut logs: Vec<(&str, Files)> = hurt().into_iter().map(|(what, files, _)| (what, files)).collect();
    logs.push(("a segment that is gone", vec![(name(1), rotten.clone()), (name(5), third)]));
    rotten[4186] ^= 1;
    logs.push(("a frame that had been acknowledged", vec![(name(1), rotten), (name(4), second)]));
    logs
}

#[test]
fn after_a_power_failure_at_any_point_the_old_log_is_untouched_and_salvage_can_be_run_again() {
    for (what, before) in logs() {
        let calm = disk_with(&before);
        run(&calm).expect("nothing fails");
        let expected = new_log(&calm);
        let start = disk_with(&before).operations();
        for operation in start + 1.. {
            let disk = disk_with(&before);
            disk.fail_at(operation, Fault::PowerOff);
            let done = run(&disk).is_ok();
            for luck in LUCKS {
                let what = format!("{what}, operation {operation}, {luck:?}");
                let again = disk.after_power_failure(luck);
                assert!(files(&again) == before, "{what}: the old log");
                if is_there(&again, TARGET) {
                    assert_eq!(new_log(&again), expected, "{what}: it has its name only when it is whole");
                } else {
                    assert!(!done, "{what}: it was said to be there");
                    let shared: Arc<dyn Disk> = Arc::new(again.clone());
                    let found = open(&shared, Path::new("/saved/today"), &Choice::default());
                    assert!(matches!(found, Err(Error::NotALog { .. } | Error::Io { .. })), "{what}: {found:?}");
                    run(&again).unwrap_or_else(|e| panic!("{what}: {e}"));
                    assert_eq!(new_log(&again), expected, "{what}");
                    let sure = again.after_power_failure(crate::disk::Luck::None);
                    assert_eq!(new_log(&sure), expected, "{what}: what is done is durable");
                }
                assert!(!is_there(&again, WORK), "{what}");
                assert!(files(&again) == before, "{what}: the old log, after all");
            }
            if done {
                assert!(!disk.is_off(), "it cannot be done without its last operation");
                break;
            }
        }
    }
}

#[test]
fn whichever_call_fails_salvage_says_so_and_can_be_run_again() {
    for (what, before) in logs() {
        let calm = disk_with(&before);
        let start = calm.operations();
        run(&calm).expect("nothing fails");
        let expected = new_log(&calm);
        for operation in start + 1..=calm.operations() {
            for number in [Errno::NOSPC, Errno::IO] {
                let disk = disk_with(&before);
                disk.fail_at(operation, Fault::Errno(number));
                let error = run(&disk).expect_err("a call failed");
                assert_eq!(errno_of(&error), Some(number), "{what}, operation {operation}: {error}");
                assert!(files(&disk) == before, "{what}, operation {operation}");
                assert!(is_there(&disk, TARGET) || !is_there(&disk, WORK), "{what}, operation {operation}: half a log is left");
                // After the very last sync the folder has its name already, and whether it is durable cannot be told.
                if !is_there(&disk, TARGET) {
                    run(&disk).unwrap_or_else(|e| panic!("{what}, operation {operation}: {e}"));
                }
                assert_eq!(new_log(&disk), expected, "{what}, operation {operation}");
            }
        }
    }
}

#[test]
fn each_salvaged_log_has_an_id_of_its_own() {
    let id = |disk: &SimDisk| {
        let shared: Arc<dyn Disk> = Arc::new(disk.clone());
        let input = open(&shared, Path::new(TARGET), &Choice::default()).expect("it is a log").remove(0);
        let head = input.source.cursor(&input.source.segments[0]).expect("it opens").array(0).expect("it has a header");
        match SegmentHeader::decode(&head) {
            HeaderFound::Good(header) => header.log_id,
            other => panic!("{other:?}"),
        }
    };
    let ids: Vec<[u8; 16]> = logs()
        .iter()
        .take(2)
        .map(|(_, before)| {
            let disk = disk_with(before);
            run(&disk).expect("nothing fails");
            id(&disk)
        })
        .collect();
    assert!(ids[0] != ids[1] && !ids.contains(&[5; 16]), "{ids:?}: two histories under one name");
}
