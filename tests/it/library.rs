//! The library as a program embeds it: what is appended comes back, whatever happens in between.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use walctl::disk::{Disk, Luck, Open, SimDisk, write_full};
use walctl::model::Verdict;
use walctl::native::segment_name;
use walctl::{Draft, Ended, ErrorKind, Log, Lsn, Options, ReadItem, Reader, Repair, Result, Retain};

use crate::live_servers::looking;

const DIR: &str = "/wal";

fn options(disk: &SimDisk) -> Options {
    Options::new().disk(Arc::new(disk.clone())).background(false)
}

fn reader(disk: &SimDisk) -> Reader {
    Reader::open_on(Arc::new(disk.clone()), DIR).expect("it opens")
}

/// A log of `count` records in segments of ten, which is not closed.
fn log_of(disk: &SimDisk, count: u64) -> Log {
    let log = options(disk).segment_records(10).open(DIR).expect("a new log");
    for number in 1..=count {
        log.append(format!("{number:08}")).expect("the disk is well");
    }
    log
}

fn lsns(reader: Reader) -> Vec<u64> {
    reader.map(|record| record.expect("it is whole").lsn.0).collect()
}

fn flip(disk: &SimDisk, segment: u64, offset: u64) {
    let path = Path::new(DIR).join(segment_name(Lsn(segment)));
    let file = disk.open(&path, Open::WRITE).expect("it is there");
    let mut byte = [0];
    file.read_at(&mut byte, offset).expect("it reads");
    write_full(file.as_ref(), &[!byte[0]], offset).expect("it writes");
    file.sync_all().expect("it syncs");
}

fn cut(disk: &SimDisk, segment: u64, length: u64) {
    let path = Path::new(DIR).join(segment_name(Lsn(segment)));
    let file = disk.open(&path, Open::WRITE).expect("it is there");
    file.set_length(length).and_then(|()| file.sync_all()).expect("it can be cut");
}

/// Where the record with this LSN begins, in a segment of records of eight bytes each.
fn place(first: u64, lsn: u64) -> u64 {
    4096 + (lsn - first) * 48
}

#[test]
fn what_was_acknowledged_is_read_from_any_number_on_in_pieces_of_any_size() {
    let disk = SimDisk::new();
    let _log = log_of(&disk, 35);
    assert_eq!(lsns(reader(&disk)), (1..=35).collect::<Vec<_>>());
    for from in [1, 2, 10, 11, 35, 36, 1000] {
        assert_eq!(lsns(reader(&disk).from(Lsn(from))), (from..=35).collect::<Vec<_>>(), "from {from}");
    }
    let mut reader = reader(&disk);
    assert!(reader.ended().is_none());
    assert_eq!(reader.by_ref().count(), 35);
    assert_eq!(reader.ended(), Some(&Ended::Whole));
}

#[test]
fn a_log_larger_than_one_piece_is_read_without_a_miss_and_without_a_repeat() {
    let disk = SimDisk::new();
    let log = options(&disk).segment_bytes(1 << 20).open(DIR).expect("a new log");
    let payload = vec![7; 100_000];
    let batches = (0..60).map(|_| vec![&payload[..]; 1]).chain([vec![&payload[..50]; 40_000]]);
    let mut count = 0;
    for batch in batches {
        count += log.append_batch(batch).expect("the disk is well").len() as u64;
    }
    assert_eq!(lsns(reader(&disk)), (1..=count).collect::<Vec<_>>());
    let mut seen = Vec::new();
    let ended = reader(&disk).each(|record| {
        seen.push(record.lsn.0);
        Ok(())
    });
    assert_eq!((ended.expect("it is whole"), seen), (Ended::Whole, (1..=count).collect()));
}

#[test]
fn reading_ends_before_damage_with_an_error_and_a_torn_tail_is_an_end() {
    // A flipped bit in what was synced, a segment that is gone, a tail that is cut short.
    type Wound = fn(&SimDisk);
    let table: [(&str, Wound, u64, Result<(), ErrorKind>); 4] = [
        ("flipped", |disk| flip(disk, 11, place(11, 14) + 44), 13, Err(ErrorKind::Corrupt)),
        ("gone", |disk| disk.remove(&Path::new(DIR).join(segment_name(Lsn(11)))).expect("it goes"), 10, Err(ErrorKind::Corrupt)),
        ("torn", |disk| cut(disk, 31, place(31, 35) + 20), 34, Ok(())),
        ("rotten at the end", |disk| flip(disk, 31, place(31, 35) + 44), 34, Err(ErrorKind::Torn)),
    ];
    for (what, wound, last, expected) in table {
        let disk = SimDisk::new();
        drop(log_of(&disk, 35));
        wound(&disk);
        let (mut records, mut failure) = (Vec::new(), Ok(()));
        let mut iterator = reader(&disk);
        for record in iterator.by_ref() {
            match record {
                Ok(record) => records.push(record.lsn.0),
                Err(error) => failure = Err(error.kind()),
            }
        }
        assert_eq!((records, failure), ((1..=last).collect(), expected), "{what}");
        match iterator.ended() {
            Some(Ended::Torn(hurt)) => assert_eq!((what, hurt.verdict), ("torn", Verdict::Torn)),
            Some(Ended::Damaged(_)) => assert!(expected.is_err(), "{what}"),
            other => panic!("{what}: {other:?}"),
        }
        let mut lent = Vec::new();
        let ended = reader(&disk).each(|record| {
            lent.push(record.lsn.0);
            Ok(())
        });
        assert_eq!((lent, ended.map(|_| ()).map_err(|error| error.kind())), ((1..=last).collect(), expected), "{what}, lent");
    }
}

#[test]
fn asked_for_damage_a_reader_gives_it_between_the_records_and_reads_on() {
    let disk = SimDisk::new();
    drop(log_of(&disk, 35));
    flip(&disk, 11, place(11, 14) + 44);
    disk.remove(&Path::new(DIR).join(segment_name(Lsn(21)))).expect("it goes");
    let found: Vec<String> = reader(&disk)
        .with_damage()
        .map(|item| match item.expect("it reads on") {
            ReadItem::Record(record) => record.lsn.to_string(),
            ReadItem::Damage(hurt) => hurt.verdict.to_string(),
            other => panic!("{other:?}"),
        })
        .collect();
    let numbers = |range: std::ops::RangeInclusive<u64>| range.map(|n| n.to_string()).collect::<Vec<_>>();
    let expected = [numbers(1..=13), vec!["corrupt".into()], numbers(15..=20), vec!["missing".into()], numbers(31..=35)].concat();
    assert_eq!(found, expected);
}

#[test]
fn recovery_hands_over_what_lies_behind_the_checkpoint_and_goes_on_with_the_next_number() {
    let disk = SimDisk::new();
    let log = log_of(&disk, 25);
    log.checkpoint(Lsn(12)).expect("the disk is well");
    log.append("26").expect("the disk is well");
    let after = disk.after_power_failure(Luck::None);
    let mut seen = Vec::new();
    let log = options(&after)
        .recover(DIR, |record| {
            seen.push(record.lsn.0);
            Ok(())
        })
        .expect("it is whole");
    assert_eq!(seen, (13..=25).chain([27]).collect::<Vec<_>>(), "the checkpoint itself is 26");
    assert_eq!(log.append("next").expect("the disk is well").lsn, Lsn(28));
}

#[test]
fn recovery_repairs_a_torn_tail_if_it_may_and_says_what_to_do_if_not() {
    let torn = || {
        let disk = SimDisk::new();
        drop(log_of(&disk, 35));
        cut(&disk, 31, place(31, 35) + 20);
        disk
    };
    let recover = |disk: &SimDisk, repair| {
        let mut count = 0;
        let log = options(disk).repair(repair).recover(DIR, |_| {
            count += 1;
            Ok(())
        });
        log.map(|log| (count, log.next_lsn().0)).map_err(|error| (error.kind(), error.to_string()))
    };
    let (kind, words) = recover(&torn(), Repair::Never).expect_err("it may not be cut");
    assert!(kind == ErrorKind::Torn && words.contains("must be repaired"), "{words}");
    let disk = torn();
    assert_eq!(recover(&disk, Repair::Torn), Ok((34, 35)));
    let saved = disk.list(Path::new(DIR)).expect("it lists").into_iter().filter(|entry| entry.name.contains(".cut-")).count();
    assert_eq!(saved, 1, "what was cut is kept");

    // Rotten or badly written: only on request.
    let rotten = || {
        let disk = SimDisk::new();
        drop(log_of(&disk, 35));
        flip(&disk, 31, place(31, 35) + 44);
        disk
    };
    assert_eq!(recover(&rotten(), Repair::Torn).map_err(|(kind, _)| kind), Err(ErrorKind::Torn));
    assert_eq!(recover(&rotten(), Repair::Suspect), Ok((34, 35)));

    // A loss that is proven is never cut away, nor passed over.
    let disk = SimDisk::new();
    drop(log_of(&disk, 35));
    flip(&disk, 11, place(11, 14) + 44);
    assert_eq!(recover(&disk, Repair::Suspect).map_err(|(kind, _)| kind), Err(ErrorKind::Corrupt));
}

#[test]
fn a_replay_that_fails_opens_nothing_and_gives_the_lock_back() {
    let disk = SimDisk::new();
    drop(log_of(&disk, 5));
    let refused = options(&disk).recover(DIR, |_| Err(walctl::Error::Input { what: "not mine".into() }));
    assert_eq!(refused.map(|_| ()).map_err(|error| error.kind()), Err(ErrorKind::Input));
    assert_eq!(options(&disk).open(DIR).expect("nobody holds it").next_lsn(), Lsn(6));
}

#[test]
fn a_follower_misses_nothing_and_repeats_nothing_beside_threads_that_append() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let log = Options::new().segment_bytes(256 << 10).open(dir.path()).expect("a new log");
    const EACH: u64 = 2000;
    let mut follower = log.reader().expect("it opens").follow().every(Duration::from_millis(1));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            let log = log.clone();
            scope.spawn(move || {
                let tickets: Vec<_> = (0..EACH).map(|_| log.submit([7; 300]).expect("the disk is well")).collect();
                assert!(tickets.iter().all(|ticket| log.wait(ticket).is_ok()));
            });
        }
        for expected in 1..=2 * EACH {
            assert_eq!(follower.next().expect("it waits").expect("it is whole").lsn, Lsn(expected));
        }
    });
    assert!(follower.try_next().expect("it is whole").is_none());
}

#[test]
#[ignore = "follows a log at full load for a while; WALCTL_LOOK_SECONDS says how long"]
fn a_follower_at_full_load_beside_rotation_and_retention_gets_each_record_once_and_in_order() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let retain = Retain::new().segments(2);
    let log = Options::new().segment_bytes(4 << 20).retain(retain).open(dir.path()).expect("a new log");
    log.pin("follower", Lsn(0)).expect("the disk is well");
    let mut follower = log.reader().expect("it opens").follow().every(Duration::from_millis(1));
    let over = AtomicBool::new(false);
    let last = std::thread::scope(|scope| {
        for thread in 0..4u64 {
            let (log, over) = (log.clone(), &over);
            scope.spawn(move || {
                let mut number = 0u64;
                while !over.load(Ordering::Relaxed) {
                    let payloads = (0..50)
                        .map(|more| [[thread.to_le_bytes(), (number + more).to_le_bytes()].concat(), vec![7; 200]].concat());
                    let tickets: Vec<_> = payloads.map(|payload| log.submit(payload).expect("the disk is well")).collect();
                    assert!(tickets.iter().all(|ticket| log.wait(ticket).is_ok()));
                    number += 50;
                }
            });
        }
        let begun = Instant::now();
        let (mut expected, mut of_each) = (1, [0u64; 4]);
        let mut take = |record: Result<walctl::LogRecord<'_>>| {
            let record = record.expect("it is whole");
            let word = |at: usize| u64::from_le_bytes(record.payload[at..at + 8].try_into().expect("eight bytes"));
            assert_eq!((record.lsn, word(8)), (Lsn(expected), of_each[word(0) as usize]), "the next of its thread");
            of_each[word(0) as usize] += 1;
            expected += 1;
            if expected % 5000 == 0 {
                log.pin("follower", record.lsn).expect("the disk is well");
            }
        };
        while begun.elapsed() < looking() {
            take(follower.next().expect("it waits"));
        }
        over.store(true, Ordering::Relaxed);
        // The rest, which the threads are still adding to: until nothing came for a while.
        let mut quiet = Instant::now();
        while quiet.elapsed() < Duration::from_secs(1) {
            if let Some(record) = follower.try_next().transpose() {
                take(record);
                quiet = Instant::now();
            }
        }
        expected
    });
    assert_eq!(log.next_lsn(), Lsn(last), "all that was appended was followed");
    assert!(log.counts().segments_gone > 0, "retention was at work");
}

#[test]
fn a_replica_has_the_numbers_kinds_tags_and_times_of_its_source() {
    let (one, two) = (SimDisk::new(), SimDisk::new());
    let source = options(&one).open(DIR).expect("a new log");
    source.append(Draft::begin(7)).expect("the disk is well");
    source.append(Draft::of(b"x").tag(7)).expect("the disk is well");
    source.append(Draft::commit(7)).expect("the disk is well");
    source.checkpoint(Lsn(2)).expect("the disk is well");
    let replica = options(&two).open(DIR).expect("a new log");
    for record in reader(&one).from(Lsn(2)) {
        replica.append(record.expect("it is whole")).expect("its number is due");
    }
    let all = |disk: &SimDisk| reader(disk).from(Lsn(2)).collect::<Result<Vec<_>>>().expect("it is whole");
    assert_eq!(all(&one), all(&two));
    let twice = replica.append(reader(&one).from(Lsn(2)).next().expect("it is there").expect("it is whole"));
    assert_eq!(twice.map(|_| ()).map_err(|error| error.kind()), Err(ErrorKind::Input));
}

#[test]
fn an_ack_says_where_the_record_lies() {
    let disk = SimDisk::new();
    let log = options(&disk).segment_records(10).open(DIR).expect("a new log");
    let tickets: Vec<_> = (0..25).map(|_| log.submit([1; 8]).expect("the disk is well")).collect();
    for ticket in &tickets {
        let ack = log.wait(ticket).expect("the disk is well");
        let first = (ack.lsn.0 - 1) / 10 * 10 + 1;
        assert_eq!((ack.segment, ack.offset), (Lsn(first), place(first, ack.lsn.0)), "{ack:?}");
    }
}

#[test]
fn a_full_disk_is_a_kind_of_its_own_and_the_log_goes_on() {
    let disk = SimDisk::new();
    let log = options(&disk).open(DIR).expect("a new log");
    log.append("x").expect("there is room");
    disk.limit(1);
    assert_eq!(log.append(vec![7; 1 << 20]).map(|_| ()).map_err(|error| error.kind()), Err(ErrorKind::Full));
    disk.limit(0);
    assert_eq!(log.append("y").expect("there is room again").lsn, Lsn(2));
}
