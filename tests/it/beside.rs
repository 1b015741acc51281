//! Reading beside a writer: nothing that is healthy is called damaged, and no command fails because a segment came or went.
//!
//! What happens between two looks is made to happen, at every place where it can; one test runs the real binary beside a real writer.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use walctl::disk::{Disk, EntryKind, Errno, Fault, RealDisk, SimDisk};
use walctl::formats::Halt;
use walctl::model::{Damage, Error, Keys, Lsn, Result, Verdict};
use walctl::ops::open::{Choice, Input, open};
use walctl::ops::read::{Event, Follow, Scan, ScanOutcome, ScanStart, Selection, Step, last_lsn};
use walctl::ops::report::{Checks, Progress, StatsWish, compare_media, stats, verify};
use walctl::writer::{GroupCommit, Settings};

use crate::support::meanwhile::{Door, Meanwhile};
use crate::support::sandbox::Sandbox;

const LOG: &str = "/log";

/// A log of some sealed segments with three records each, and its writer.
fn written(segments: u64) -> (SimDisk, GroupCommit) {
    let disk = SimDisk::new();
    let options = Settings { background: false, ..Settings::default() };
    let log = GroupCommit::open(Arc::new(disk.clone()), Path::new(LOG), options).expect("a new log");
    for n in 0..segments * 3 {
        log.append(format!("record {n}").as_bytes()).expect("the disk takes it");
        if n % 3 == 2 {
            log.rotate().expect("the disk takes it");
        }
    }
    log.append(&b"the newest"[..]).expect("the disk takes it");
    (disk, log)
}

/// The segments that are there, oldest first.
fn names(disk: &SimDisk) -> Vec<PathBuf> {
    let entries = disk.list(Path::new(LOG)).expect("it lists");
    let mut names: Vec<String> =
        entries.into_iter().filter(|e| e.kind == EntryKind::File && e.name.ends_with(".wal")).map(|e| e.name).collect();
    names.sort();
    names.into_iter().map(|name| Path::new(LOG).join(name)).collect()
}

/// Lets the oldest segments go, as retention does, but never the active one.
fn prune(disk: &SimDisk, count: usize) {
    let all = names(disk);
    for path in all.iter().take(count.min(all.len() - 1)) {
        disk.remove(path).expect("it is there");
    }
}

fn input(disk: &Meanwhile) -> Result<Input> {
    let disk: Arc<dyn Disk> = Arc::new(disk.clone());
    Ok(open(&disk, Path::new(LOG), &Choice::default())?.remove(0))
}

fn scan<'a>(input: &'a Input, selection: &'a Selection) -> Scan<'a> {
    Scan { growing: true, live: true, ..Scan::of(&input.source, input.format, &input.keys, selection) }
}

/// What can be asked of a log, each with the damage that it found and the records that it saw.
type Question = fn(&Input) -> Result<(Vec<Damage>, Vec<u64>)>;

fn read(
    how: impl FnOnce(&mut dyn FnMut(Event<'_>) -> Result<(), Halt>) -> Result<ScanOutcome>,
) -> Result<(Vec<Damage>, Vec<u64>)> {
    let mut seen = Vec::new();
    let outcome = how(&mut |event| {
        if let Event::Record(shown) = event {
            seen.extend(shown.record.lsn.map(|lsn| lsn.0));
        }
        Ok(())
    })?;
    Ok((outcome.damage, seen))
}

const QUESTIONS: [(&str, Question); 10] = [
    ("verify", |input| Ok((verify(input, &Checks::default(), &Progress::default())?.damage, Vec::new()))),
    ("verify, two at once", |input| {
        Ok((verify(input, &Checks { jobs: 2, ..Checks::default() }, &Progress::default())?.damage, Vec::new()))
    }),
    ("verify --media", |input| {
        let view = compare_media(input, &Progress::default())?;
        assert_eq!(view.differing, [], "a healthy log differs");
        Ok((Vec::new(), Vec::new()))
    }),
    ("stats", |input| {
        let stats = stats(input, &StatsWish::default(), &Progress::default())?;
        assert_eq!((stats.verdict, stats.damage), (Verdict::Clean, 0));
        Ok((Vec::new(), Vec::new()))
    }),
    ("stats --scan", |input| {
        let stats = stats(input, &StatsWish { scan: true, ..StatsWish::default() }, &Progress::default())?;
        assert_eq!((stats.verdict_name(), stats.damage), ("clean", 0));
        Ok((Vec::new(), Vec::new()))
    }),
    ("dump", |input| read(|take| scan(input, &Selection::default()).forward(&ScanStart::default(), take))),
    ("dump --lsn", |input| {
        let lsns = walctl::model::LsnRange::new(Lsn(5), Lsn(11));
        read(|take| scan(input, &Selection { lsns, ..Selection::default() }).forward(&ScanStart::default(), take))
    }),
    ("dump --reverse", |input| {
        let (damage, mut seen) = read(|take| scan(input, &Selection::default()).reverse(take))?;
        seen.reverse();
        Ok((damage, seen))
    }),
    ("dump --tail", |input| read(|take| scan(input, &Selection::default()).tail(8, 0, take))),
    ("dump --follow", |input| {
        let selection = Selection::default();
        let mut follow = Follow::new(input.source.clone(), None);
        let (mut damage, mut all) = (Vec::new(), Vec::new());
        for _ in 0..2 {
            let (found, seen) = read(|take| match follow.step(&scan(input, &selection), take)? {
                Step::Quiet => Ok(ScanOutcome::nothing(&input.source)),
                Step::Read(outcome) | Step::Pruned { outcome, .. } => Ok(*outcome),
            })?;
            damage.extend(found);
            all.extend(seen);
        }
        Ok((damage, all))
    }),
];

/// Runs every question with something happening at the n-th door, for each n until nothing happens any more.
fn at_each_door(segments: u64, wanted: fn(Door) -> bool, happens: fn(&SimDisk, &GroupCommit)) {
    for (name, question) in QUESTIONS {
        for at in 0.. {
            let (disk, log) = written(segments);
            let happened = Arc::new(AtomicBool::new(false));
            let (flag, sim, mut count) = (happened.clone(), disk.clone(), 0);
            let meanwhile = Meanwhile::new(&disk, move |door, _| {
                if wanted(door) {
                    if count == at {
                        flag.store(true, Ordering::Relaxed);
                        happens(&sim, &log);
                    }
                    count += 1;
                }
            });
            let answer = input(&meanwhile).and_then(|input| question(&input));
            let (damage, seen) = answer.unwrap_or_else(|error| panic!("{name}, door {at}: {error}"));
            assert!(damage.is_empty(), "{name}, door {at}: {damage:?}");
            assert!(seen.windows(2).all(|pair| pair[0] < pair[1]), "{name}, door {at}: {seen:?}");
            if !happened.load(Ordering::Relaxed) {
                break;
            }
        }
    }
}

#[test]
fn segments_that_are_pruned_before_they_are_opened_fail_no_command() {
    at_each_door(5, |door| door == Door::Open, |disk, _| prune(disk, 2));
}

#[test]
fn all_but_the_active_segment_may_go_behind_a_listing() {
    at_each_door(4, |door| door == Door::Listed, |disk, _| prune(disk, 10));
}

#[test]
fn a_segment_that_is_begun_while_a_log_is_read_is_no_damage() {
    at_each_door(
        2,
        |door| door != Door::Read { direct: true },
        |_, log| {
            for record in ["one", "two"] {
                log.append(record.as_bytes()).expect("the disk takes it");
                log.rotate().expect("the disk takes it");
            }
            log.append(&b"three"[..]).expect("the disk takes it");
        },
    );
}

#[test]
fn records_that_retention_took_unread_are_told_and_are_no_hole() {
    let (disk, _log) = written(5);
    let (sim, mut opened) = (disk.clone(), Vec::new());
    let meanwhile = Meanwhile::new(&disk, move |door, path| {
        // Heads of all files are looked at first; what counts is when the second segment is read.
        if door == Door::Open {
            opened.push(path.to_owned());
            if opened.iter().filter(|p| p.ends_with("00000000000000000004.wal")).count() == 2 {
                prune(&sim, 3);
                opened.clear();
            }
        }
    });
    let input = input(&meanwhile).expect("it opens");
    let mut seen = Vec::new();
    let selection = Selection::default();
    let outcome = scan(&input, &selection)
        .forward(&ScanStart::default(), &mut |event| {
            if let Event::Record(shown) = event {
                seen.extend(shown.record.lsn.map(|lsn| lsn.0));
            }
            Ok(())
        })
        .expect("it reads");
    assert_eq!(outcome.damage, []);
    assert_eq!(seen, [1, 2, 3, 10, 11, 12, 13, 14, 15, 16]);
    let told: Vec<String> =
        outcome.passed.iter().map(|p| format!("{} {:?}", p.gone, p.unread(&outcome).map(|r| r.to_string()))).collect();
    assert_eq!(told, ["00000000000000000004.wal Some(\"4-9\")"]);
}

#[test]
fn a_segment_taken_out_of_the_middle_is_a_hole_all_the_same() {
    let (disk, _log) = written(5);
    let sim = disk.clone();
    let mut opens = 0;
    let meanwhile = Meanwhile::new(&disk, move |door, path| {
        // The first opening only looks whose file it is.
        if door == Door::Open && path.ends_with("00000000000000000004.wal") {
            opens += 1;
            if opens == 2 {
                sim.remove(path).expect("it is there");
            }
        }
    });
    let input = input(&meanwhile).expect("it opens");
    let selection = Selection::default();
    let outcome = scan(&input, &selection).forward(&ScanStart::default(), &mut |_| Ok(())).expect("it reads");
    assert_eq!(outcome.damage.iter().map(Damage::verdict).collect::<Vec<_>>(), [Verdict::Missing]);
}

#[test]
fn a_name_that_is_listed_and_cannot_be_opened_is_a_failure_and_no_endless_loop() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let log = GroupCommit::open(disk.clone(), dir.path(), Settings::default()).expect("a new log");
    log.append(&b"alpha"[..]).expect("room");
    log.close().expect("room");
    let mut input = open(&disk, dir.path(), &Choice::default()).expect("it opens").remove(0);
    // As if the listing and the opening disagreed for ever.
    input.source.segments[0].path = dir.path().join("elsewhere.wal");
    let failed = verify(&input, &Checks::default(), &Progress::default());
    assert!(matches!(failed, Err(Error::Io { .. })), "{failed:?}");
    assert!(matches!(stats(&input, &StatsWish::default(), &Progress::default()), Err(Error::Io { .. })));
    assert!(matches!(last_lsn(&input.source, input.format, &Keys::default()), Ok(None)));
}

#[test]
fn what_a_running_writer_writes_between_two_looks_at_the_medium_is_no_failed_write() {
    at_each_door(
        1,
        |door| matches!(door, Door::Read { .. }),
        |_, log| {
            log.append(&[7; 9000][..]).expect("the disk takes it");
        },
    );
}

#[test]
fn a_sync_that_failed_is_seen_on_the_medium_although_a_writer_holds_the_log() {
    let (disk, log) = written(1);
    disk.fail_at(disk.operations() + 2, Fault::Errno(Errno::IO));
    let failed = log.append(&[7; 9000][..]);
    assert!(failed.is_err(), "{failed:?}");
    // A later writer took the cache for the truth, and its frames say that all before them is durable.
    let live = Meanwhile::new(&disk, |_, _| {});
    let quiet = input(&live).expect("it opens");
    let view = compare_media(&quiet, &Progress::default()).expect("it reads");
    // Nothing of what was promised is lost: the failed write lies behind it.
    assert_eq!(view.differing, []);
    let disk: Arc<dyn Disk> = Arc::new(disk);
    let dead = open(&disk, Path::new(LOG), &Choice::default()).expect("it opens").remove(0);
    let view = compare_media(&dead, &Progress::default()).expect("it reads");
    assert!(!view.differing.is_empty(), "without a writer nobody will write it any more");
}

/// Every kind of reader beside a writer with rotation and retention, as processes, for a few seconds: no alarm and no failure.
#[test]
fn no_reader_beside_a_real_writer_fails_or_finds_damage() {
    let sandbox = Sandbox::new();
    let dir = sandbox.path().join("LOG");
    let options = Settings { segment_bytes: 64 << 10, ..Settings::default() };
    let log = GroupCommit::open(Arc::new(RealDisk), &dir, options).expect("a new log");
    log.append(&b"the first"[..]).expect("room");
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                log.append(&[b'x'; 900][..]).expect("room");
            }
        });
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                let mut names: Vec<PathBuf> = std::fs::read_dir(&dir)
                    .expect("it lists")
                    .map(|entry| entry.expect("it lists").path())
                    .filter(|path| path.to_string_lossy().ends_with("0.wal") || path.extension().is_some_and(|e| e == "wal"))
                    .collect();
                names.sort();
                for path in names.iter().take(names.len().saturating_sub(3)) {
                    std::fs::remove_file(path).expect("only retention removes");
                }
                thread::sleep(Duration::from_millis(1));
            }
        });
        let readers: [(&[&str], i32); 9] = [
            (&["verify", "LOG", "--quiet"], 0),
            (&["verify", "LOG", "--media", "--json"], 0),
            (&["stats", "LOG", "--quiet"], 0),
            (&["stats", "LOG", "--scan", "--quiet"], 0),
            (&["dump", "LOG", "--quiet"], 0),
            (&["dump", "LOG", "--tail", "100", "--quiet"], 0),
            (&["dump", "LOG", "--lsn", "-50..", "--quiet"], 0),
            (&["rotate", "LOG", "--prune", "--quiet"], 5),
            (&["rotate", "LOG", "--prune", "--dry-run", "--quiet"], 5),
        ];
        let begun = Instant::now();
        let mut failed = Vec::new();
        while begun.elapsed() < Duration::from_secs(4) && failed.is_empty() {
            for (words, code) in readers {
                let ran = sandbox.run(words);
                if ran.code != code {
                    failed.push(format!("{words:?}: {ran:?}"));
                }
            }
        }
        stop.store(true, Ordering::Relaxed);
        assert!(failed.is_empty(), "{failed:#?}");
    });
}
