//! What the writer does on a simulated disk and on real files.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use super::completion::Completion;
use super::primitives::{Arc, Ordering, lock};
use super::{GroupCommit, Ticket};
use crate::disk::{Disk, Errno, Fault, Luck, RealDisk, SimDisk, errno_of};
use crate::model::{Error, Lsn};
use crate::native::FrameKind;
use crate::writer::patience::new_pace;
use crate::writer::{Draft, Settings, Window};

fn sim(options: Settings) -> (SimDisk, GroupCommit) {
    let sim = SimDisk::new();
    let log = GroupCommit::open(Arc::new(sim.clone()), Path::new("/log"), options).expect("a new log");
    (sim, log)
}

fn quiet() -> Settings {
    Settings { background: false, preallocate: crate::writer::Preallocate::None, ..Settings::default() }
}

#[test]
fn each_record_gets_the_next_number_whoever_appends() {
    let (_, log) = sim(quiet());
    let mut lsns: Vec<u64> = thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|n| {
                let log = log.clone();
                scope.spawn(move || -> Vec<u64> {
                    let payload = [n; 100];
                    (0..200).map(|_| log.append(&payload[..]).expect("the disk is well").lsn.0).collect()
                })
            })
            .collect();
        threads.into_iter().flat_map(|t| t.join().expect("it does not panic")).collect()
    });
    lsns.sort_unstable();
    assert_eq!(lsns, (1..=1600).collect::<Vec<_>>());
    let counts = log.counts();
    assert_eq!((counts.records, counts.payload_bytes), (1600, 160_000));
    assert!(counts.groups <= 1600 && counts.syncs >= counts.groups);
    assert_eq!(log.close().expect("it closes"), Lsn(1600));
}

#[test]
fn thousands_of_tickets_from_one_thread_are_redeemed_in_any_order() {
    let (_, log) = sim(Settings { queue_bytes: 50_000, ..quiet() });
    let tickets: Vec<Ticket> = (0..3000).map(|_| log.submit(&b"alpha"[..]).expect("the disk is well")).collect();
    for (index, ticket) in tickets.iter().enumerate().rev() {
        let ack = log.wait(ticket).expect("the disk is well");
        assert_eq!((ack.lsn.0, ack.durable), (index as u64 + 1, true));
    }
    assert!(log.counts().groups < 3000, "each record had a sync of its own");
}

#[test]
fn a_ticket_nobody_waits_for_is_written_all_the_same() {
    let (_, log) = sim(quiet());
    let ticket = log.submit(&b"alpha"[..]).expect("the disk is well");
    while !ticket.is_over() {
        thread::yield_now();
    }
    assert!(log.poll(&ticket).expect("it is over").expect("the disk is well").durable);
}

#[test]
fn a_window_ends_early_when_nobody_else_can_come() {
    let (_, log) = sim(Settings { window: Window::Fixed(Duration::from_secs(3600)), ..quiet() });
    assert_eq!(log.append(&b"alone"[..]).expect("the disk is well").group_size, 1);
    thread::scope(|scope| {
        let other = log.clone();
        let other = scope.spawn(move || other.append(&b"one"[..]).expect("the disk is well").group_size);
        assert_eq!(log.append(&b"two"[..]).expect("the disk is well").group_size, 2);
        assert_eq!(other.join().expect("it does not panic"), 2);
    });
}

#[test]
fn a_window_ends_with_its_time_although_others_could_come() {
    let (_, log) = sim(Settings { window: Window::Fixed(Duration::from_millis(1)), ..quiet() });
    let _other = log.clone();
    let ack = log.append(&b"alpha"[..]).expect("the disk is well");
    let waited = ack.times.queue() + ack.times.window();
    assert!(waited >= Duration::from_millis(1), "{waited:?}");
}

#[test]
fn a_leader_whose_last_group_had_more_callers_waits_for_them_by_the_measured_pace() {
    let (_, log) = sim(quiet());
    // As if a group of two had been written, and its callers were on their way.
    log.shared.queue().crowd = 2;
    let before = log.shared.pace.load(Ordering::Relaxed);
    let times = log.append(&b"alpha"[..]).expect("the disk is well").times;
    assert!(times.window() > Duration::from_nanos(before / 4), "it went without them after {:?}", times.window());
    let after = log.shared.pace.load(Ordering::Relaxed);
    assert_eq!(after, new_pace(before, times.write() + times.sync()));
}

#[test]
fn a_caller_that_waits_is_asleep_until_it_is_nudged() {
    let completion = Completion::default();
    let before = completion.seen();
    thread::scope(|scope| {
        let sleeper = scope.spawn(|| completion.sleep(before));
        let begun = Instant::now();
        // Laying itself down changes the word.
        while completion.seen() == before {
            assert!(begun.elapsed() < Duration::from_secs(60) && !sleeper.is_finished(), "it does not sleep");
            thread::yield_now();
        }
        completion.nudge();
        sleeper.join().expect("it does not panic");
    });
}

#[test]
fn closing_and_syncing_do_not_wait_for_a_window() {
    let (_, log) = sim(Settings { window: Window::Fixed(Duration::from_secs(3600)), ..quiet() });
    let _other = log.clone();
    let ticket = log.submit(&b"alpha"[..]).expect("the disk is well");
    assert_eq!(log.sync().expect("the disk is well"), Lsn(1));
    assert!(ticket.is_over());
    drop(log.submit(&b"beta"[..]).expect("the disk is well"));
    assert_eq!(log.close().expect("it closes"), Lsn(2));
    assert!(matches!(log.append(&b"late"[..]), Err(Error::Closed { .. })));
}

#[test]
fn a_failed_sync_ends_the_writer_and_says_what_is_durable() {
    let (sim, log) = sim(quiet());
    log.append(&b"alpha"[..]).expect("the disk is well");
    // A write, then a sync.
    sim.fail_at(sim.operations() + 2, Fault::Errno(Errno::IO));
    let error = log.append(&b"beta"[..]).expect_err("its sync failed");
    assert!(matches!(error, Error::Poisoned { durable: Lsn(1), .. }), "{error}");
    assert!(error.to_string().contains("/log/00000000000000000001.wal"), "it names another file: {error}");
    let before = sim.operations();
    assert!(matches!(log.append(&b"gamma"[..]), Err(Error::Poisoned { durable: Lsn(1), .. })));
    assert!(matches!(log.sync(), Err(Error::Poisoned { .. })) && matches!(log.close(), Err(Error::Poisoned { .. })));
    assert_eq!(sim.operations(), before, "the disk was touched again");
}

#[test]
fn everybody_who_waits_hears_of_the_failure() {
    let (sim, log) = sim(quiet());
    log.append(&b"alpha"[..]).expect("the disk is well");
    for n in 1..2000 {
        sim.fail_at(sim.operations() + n, Fault::Errno(Errno::IO));
    }
    let failed = thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(|| log.append(&b"beta"[..]).is_err())).collect();
        threads.into_iter().map(|t| t.join().expect("it does not panic")).filter(|e| *e).count()
    });
    assert_eq!(failed, 8);
}

#[test]
fn a_close_or_a_seal_that_only_the_cache_shows_is_not_believed() {
    for rotate in [false, true] {
        for behind in 1..14 {
            let seed = format!("operation {behind} of {} fails", if rotate { "a rotation" } else { "a close" });
            let (sim, log) = sim(quiet());
            // What follows it stands at the end of a sector, and nothing later touches that one again.
            log.append(&[1; 944][..]).expect("the disk is well");
            sim.fail_at(sim.operations() + behind, Fault::Errno(Errno::IO));
            let ended = if rotate { log.rotate().map(drop) } else { log.close().map(drop) };
            if ended.is_ok() {
                assert!(behind > 4, "{seed}, and nobody hears of it");
                break;
            }
            drop(log);
            let again = GroupCommit::open(Arc::new(sim.clone()), Path::new("/log"), quiet());
            let again = again.unwrap_or_else(|error| panic!("{seed}: {error}"));
            assert_eq!(again.append(&b"beta"[..]).expect("the disk is well").lsn, Lsn(2), "{seed}");
            again.rotate().expect("the disk is well");
            drop(again);
            let after: Arc<dyn Disk> = Arc::new(sim.after_power_failure(Luck::None));
            let log =
                crate::ops::open::open(&after, Path::new("/log"), &crate::ops::open::Choice::default()).expect("it is a log");
            let report = crate::ops::report::verify(
                &log[0],
                &crate::ops::report::Checks::default(),
                &crate::ops::report::Progress::default(),
            );
            let report = report.expect("it can be read");
            assert_eq!((report.verdict, report.records), (crate::model::Verdict::Clean, 2), "{seed}");
        }
    }
}

#[test]
fn a_group_for_which_there_is_no_room_fails_alone_and_its_number_goes_to_the_next() {
    let (sim, log) = sim(quiet());
    log.append(&b"alpha"[..]).expect("there is room");
    sim.fail_at(sim.operations() + 1, Fault::Short(20));
    sim.fail_at(sim.operations() + 2, Fault::Errno(Errno::NOSPC));
    let error = log.append(&[7; 300][..]).expect_err("there is no room");
    assert_eq!(errno_of(&error), Some(Errno::NOSPC), "{error}");
    assert_eq!(log.append(&b"beta"[..]).expect("there is room again").lsn, Lsn(2));
    log.close().expect("it closes");
    drop(log);
    let log = GroupCommit::open(Arc::new(sim), Path::new("/log"), quiet()).expect("nothing was left of it");
    assert_eq!(log.next_lsn(), Lsn(3));
}

#[test]
fn a_group_without_room_whose_cut_fails_ends_the_writer() {
    let (sim, log) = sim(quiet());
    log.append(&b"alpha"[..]).expect("there is room");
    sim.fail_at(sim.operations() + 1, Fault::Errno(Errno::NOSPC));
    sim.fail_at(sim.operations() + 2, Fault::Errno(Errno::IO));
    assert!(matches!(log.append(&b"beta"[..]), Err(Error::Poisoned { durable: Lsn(1), .. })));
}

#[test]
fn reopening_goes_on_at_the_next_number_after_each_kind_of_end() {
    let sim = SimDisk::new();
    let open = || GroupCommit::open(Arc::new(sim.clone()), Path::new("/log"), quiet());
    let mut expected = 1;
    for round in 0..4 {
        let log = open().expect("the log is clean");
        assert_eq!(log.next_lsn(), Lsn(expected), "round {round}");
        log.append(&b"alpha"[..]).expect("the disk is well");
        expected += 1;
        match round {
            0 => assert_eq!(log.close().expect("it closes"), Lsn(1)),
            1 => drop(log.rotate().expect("it rotates")),
            2 => {
                log.rotate().expect("it rotates");
                assert_eq!(log.rotate().expect("there is nothing to seal").sealed, None);
            }
            _ => {}
        }
    }
    assert_eq!(open().expect("the log is clean").next_lsn(), Lsn(expected));
    let _held = open().expect("the log is clean");
    assert!(matches!(open(), Err(Error::Locked { .. })));
}

#[test]
fn a_replica_keeps_the_numbers_it_is_given() {
    let (sim, log) = sim(quiet());
    let pin = |lsn| Draft { lsn: Some(Lsn(lsn)), kind: FrameKind::TxnBegin, tag: 9, ..Draft::of(b"x") };
    assert_eq!(log.append(pin(500)).expect("nothing can be missing").lsn, Lsn(500));
    assert!(matches!(log.append(pin(502)), Err(Error::Input { .. })));
    assert_eq!(log.append(pin(501)).expect("it is due").lsn, Lsn(501));
    log.close().expect("it closes");
    drop(log);
    let names: Vec<String> = sim.list(Path::new("/log")).expect("it lists").into_iter().map(|e| e.name).collect();
    assert_eq!(names, ["00000000000000000500.wal", "LOCK"]);
    let log = GroupCommit::open(Arc::new(sim), Path::new("/log"), quiet()).expect("the log is clean");
    assert_eq!(log.append(&b"y"[..]).expect("the disk is well").lsn, Lsn(502));
}

#[test]
fn segments_are_sealed_where_the_limits_say_and_cut_to_their_length() {
    let (sim, log) = sim(Settings { segment_records: Some(10), ..Settings::default() });
    for _ in 0..25 {
        log.append(&b"alpha"[..]).expect("the disk is well");
    }
    log.close().expect("it closes");
    let names: Vec<(String, u64)> =
        sim.list(Path::new("/log")).expect("it lists").into_iter().map(|e| (e.name, e.length)).collect();
    let starts: Vec<&str> = names.iter().map(|n| n.0.as_str()).collect();
    assert_eq!(starts, ["00000000000000000001.wal", "00000000000000000011.wal", "00000000000000000021.wal", "LOCK"]);
    assert!(names.iter().all(|(_, length)| *length < 10_000), "{names:?}");
}

#[test]
fn a_segment_that_gets_old_while_nobody_appends_is_sealed_and_an_empty_one_never_is() {
    let names = |sim: &SimDisk| -> Vec<String> {
        sim.list(Path::new("/log")).expect("it lists").into_iter().map(|e| e.name).filter(|name| name != "LOCK").collect()
    };
    let (sim, log) = sim(Settings { segment_age: Some(Duration::from_millis(1)), ..quiet() });
    let begun = Instant::now();
    for round in 1..=3 {
        log.append(&b"alpha"[..]).expect("the disk is well");
        while log.counts().rotations < round {
            assert!(begun.elapsed() < Duration::from_secs(60), "it never gets old");
            thread::yield_now();
        }
    }
    // However long nothing comes, there is nothing to seal.
    let looked = lock(&log.shared.log).rotate_if_old().expect("the disk is well");
    assert_eq!((looked, log.counts().rotations), (Duration::from_millis(1), 3));
    assert_eq!(names(&sim), [1, 2, 3, 4].map(|lsn| crate::native::segment_name(Lsn(lsn))));
    log.close().expect("it closes");
}

#[test]
fn a_segment_that_is_not_old_stays_and_nobody_waits_for_its_time() {
    let options = Settings { segment_age: Some(Duration::from_secs(3600)), ..quiet() };
    let (sim, log) = sim(options.clone());
    log.append(&b"alpha"[..]).expect("the disk is well");
    let left = lock(&log.shared.log).rotate_if_old().expect("the disk is well");
    assert!(left > Duration::from_secs(3500) && left < Duration::from_secs(3600), "{left:?}");
    log.close().expect("it closes at once");
    drop(log);
    let log = GroupCommit::open(Arc::new(sim), Path::new("/log"), options).expect("the log is clean");
    let left = lock(&log.shared.log).rotate_if_old().expect("the disk is well");
    assert!(left > Duration::from_secs(3500) && left < Duration::from_secs(3600), "its age is forgotten: {left:?}");
}

#[test]
fn an_old_segment_that_cannot_be_sealed_ends_the_writer() {
    let (sim, log) = sim(Settings { segment_age: Some(Duration::from_secs(3600)), ..quiet() });
    log.append(&b"alpha"[..]).expect("the disk is well");
    let mut inner = lock(&log.shared.log);
    inner.grow_old();
    sim.fail_at(sim.operations() + 1, Fault::Errno(Errno::IO));
    assert!(matches!(inner.rotate_if_old(), Err(Error::Poisoned { durable: Lsn(1), .. })));
    drop(inner);
    assert!(matches!(log.append(&b"beta"[..]), Err(Error::Poisoned { durable: Lsn(1), .. })));
}

#[test]
fn groups_go_past_the_cache_where_room_is_ready_and_only_there() {
    for (buffered, preallocate, sync) in [
        (false, crate::writer::Preallocate::Zero, "fdatasync"),
        (false, crate::writer::Preallocate::Zero, "dsync"),
        (true, crate::writer::Preallocate::Zero, "fdatasync"),
        (false, crate::writer::Preallocate::None, "fdatasync"),
        // Who does not wait for the disk is faster through the cache.
        (false, crate::writer::Preallocate::Zero, "none"),
    ] {
        let options = Settings {
            buffered,
            preallocate,
            sync: sync.parse().expect("a mode"),
            background: false,
            segment_bytes: 200_000,
            ..Settings::default()
        };
        let (sim, log) = sim(options.clone());
        for n in 0..300usize {
            log.append(&vec![1; n * 7][..]).expect("the disk is well");
        }
        let counts = log.counts();
        let expected =
            if !buffered && preallocate == crate::writer::Preallocate::Zero && sync != "none" { 290..300 } else { 0..1 };
        assert!(expected.contains(&counts.past_cache), "{} of 300: {buffered} {preallocate} {sync}", counts.past_cache);
        assert!(counts.rotations >= 1);
        drop(log);
        let again = GroupCommit::open(Arc::new(sim.clone()), Path::new("/log"), options).expect("it opens again");
        assert_eq!(again.append(&b"x"[..]).expect("the disk is well").lsn, Lsn(301));
    }
}

#[test]
fn a_direct_write_that_falls_short_is_finished_through_the_cache() {
    let options = Settings { background: false, ..Settings::default() };
    for behind in 1..12 {
        let (sim, log) = sim(options.clone());
        log.append(&[1; 5000][..]).expect("the disk is well");
        sim.fail_at(sim.operations() + behind, Fault::Short(40));
        for _ in 0..10 {
            log.append(&[2; 5000][..]).expect("it goes another way");
        }
        drop(log);
        let again = GroupCommit::open(Arc::new(sim), Path::new("/log"), options.clone()).expect("it opens again");
        assert_eq!(again.next_lsn(), Lsn(12), "short write at operation {behind}");
    }
}

#[test]
fn direct_writes_and_real_files_go_together_in_each_mode() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    for (index, sync) in ["fdatasync", "fsync", "dsync", "none", "interval=1ms"].into_iter().enumerate() {
        for direct in [false, true] {
            let path = dir.path().join(format!("{index}-{direct}"));
            let options = Settings { sync: sync.parse().expect("a mode"), direct, ..Settings::default() };
            for round in 0..3u64 {
                let log = GroupCommit::open(Arc::new(RealDisk), &path, options.clone()).expect("the log is clean");
                assert_eq!(log.next_lsn(), Lsn(round * 43 + 1), "{sync} {direct}");
                for n in 0..40usize {
                    log.append(&vec![1; n * 131][..]).expect("the disk is well");
                }
                let ack = log.append(&vec![2; 3 << 20][..]).expect("the disk is well");
                assert_eq!(ack.last_lsn, ack.lsn.plus(2), "three fragments take three numbers");
                if round == 1 {
                    log.close().expect("it closes");
                }
            }
        }
    }
}

/// Runs `meanwhile` while a leader has taken a group and waits for the log, which is let go afterwards.
fn while_one_leads<T>(log: &GroupCommit, appends: impl FnOnce() + Send, meanwhile: impl FnOnce() -> T) -> T {
    thread::scope(|scope| {
        let held = lock(&log.shared.log);
        scope.spawn(appends);
        while !log.shared.queue().busy || !log.shared.queue().is_empty() {
            thread::yield_now();
        }
        let result = meanwhile();
        drop(held);
        result
    })
}

#[test]
fn callers_of_a_later_group_hear_of_a_failed_sync() {
    let (sim, log) = sim(quiet());
    log.append(&b"alpha"[..]).expect("the disk is well");
    let poisoned = |log: &GroupCommit| matches!(log.append(&b"beta"[..]), Err(Error::Poisoned { durable: Lsn(1), .. }));
    thread::scope(|scope| {
        let later = while_one_leads(
            &log,
            || assert!(poisoned(&log), "the one whose sync fails"),
            || {
                let later: Vec<_> = (0..3).map(|_| scope.spawn(|| poisoned(&log))).collect();
                while log.shared.queue().callers < 3 {
                    thread::yield_now();
                }
                // A write, then a sync.
                sim.fail_at(sim.operations() + 2, Fault::Errno(Errno::IO));
                later
            },
        );
        assert!(later.into_iter().all(|t| t.join().expect("it does not panic")), "one of those that came later");
    });
}

#[test]
fn tickets_handed_over_while_another_leads_are_written_without_further_calls() {
    for batch in [false, true] {
        let (_, log) = sim(quiet());
        let first = log.submit(&b"alpha"[..]).expect("the disk is well");
        // The committer has nothing more to do and sleeps.
        while !first.is_over() || !log.shared.queue().committer_idle {
            thread::yield_now();
        }
        let tickets = while_one_leads(
            &log,
            || {
                let _ = log.append(&b"beta"[..]).expect("the disk is well");
            },
            || match batch {
                true => log.submit_batch(&[Draft::of(b"gamma"), Draft::of(b"delta")]).expect("the disk is well"),
                false => vec![log.submit(&b"gamma"[..]).expect("the disk is well")],
            },
        );
        while !tickets.iter().all(Ticket::is_over) {
            thread::yield_now();
        }
        let last = log.poll(&tickets[tickets.len() - 1]).expect("it is over").expect("the disk is well");
        assert_eq!(last.lsn, Lsn(2 + tickets.len() as u64));
    }
}

#[test]
fn a_batch_nobody_waits_for_is_written_all_the_same() {
    let (_, log) = sim(quiet());
    let tickets = log.submit_batch(&[Draft::of(b"alpha"), Draft::of(b"beta")]).expect("the disk is well");
    while !tickets.iter().all(Ticket::is_over) {
        thread::yield_now();
    }
    assert_eq!(log.durable_lsn(), Lsn(2));
}

#[test]
fn a_sync_in_the_background_is_heard_of_without_a_call() {
    let (_, log) = sim(Settings { sync: "interval=1ms".parse().expect("a mode"), ..quiet() });
    assert!(!log.append(&b"alpha"[..]).expect("the disk is well").durable);
    let begun = Instant::now();
    while log.durable_lsn() < Lsn(1) {
        assert!(begun.elapsed() < Duration::from_secs(60), "it is never said to be durable");
        thread::yield_now();
    }
}

#[test]
fn what_is_durable_is_known_while_a_group_is_being_written() {
    let (_, log) = sim(quiet());
    log.append(&b"alpha"[..]).expect("the disk is well");
    let seen = while_one_leads(
        &log,
        || {
            let _ = log.append(&b"beta"[..]).expect("the disk is well");
        },
        || (log.durable_lsn(), log.next_lsn(), log.notes().len(), log.log_id() != [0; 16]),
    );
    assert_eq!(seen, (Lsn(1), Lsn(3), 0, true));
    assert_eq!(log.durable_lsn(), Lsn(2));
}

#[test]
fn a_caller_without_room_goes_on_when_there_is_some() {
    let (_, log) = sim(Settings { queue_bytes: 100, ..quiet() });
    thread::scope(|scope| {
        let waiting = while_one_leads(
            &log,
            || {
                let _ = log.append(&[1; 50][..]).expect("the disk is well");
            },
            || {
                let waiting = scope.spawn(|| log.append(&[2; 50][..]).expect("the disk is well").lsn);
                while log.shared.queue().waiting == 0 {
                    thread::yield_now();
                }
                waiting
            },
        );
        assert_eq!(waiting.join().expect("it does not panic"), Lsn(2));
    });
    // A leader waits for company only while no caller is without room.
    assert_eq!(log.shared.queue().waiting, 0);
}

#[test]
fn a_task_that_no_longer_waits_for_room_leaves_no_waker_behind() {
    let (_, log) = sim(Settings { queue_bytes: 100, ..Settings::default() });
    while_one_leads(
        &log,
        || {
            let _ = log.append(&[1; 50][..]).expect("the disk is well");
        },
        || {
            let task = Arc::new(NobodyIsWoken);
            let waker: std::task::Waker = task.clone().into();
            let mut future = Box::pin(log.submit_async([2; 50]));
            assert!(future.as_mut().poll(&mut std::task::Context::from_waker(&waker)).is_pending(), "there is no room");
            drop(waker);
            assert_eq!(Arc::strong_count(&task), 2, "the writer keeps a waker");
            drop(future);
            assert_eq!(Arc::strong_count(&task), 1, "of a task that is gone");
        },
    );
}

struct NobodyIsWoken;

impl std::task::Wake for NobodyIsWoken {
    fn wake(self: Arc<Self>) {}
}

#[test]
fn records_behind_a_rotation_fill_the_new_segment() {
    let (sim, log) = sim(Settings { segment_records: Some(10), ..quiet() });
    for _ in 0..6 {
        log.append(&b"alpha"[..]).expect("the disk is well");
    }
    log.rotate().expect("the disk is well");
    let tickets: Vec<_> = (0..10).map(|_| log.submit(&b"beta"[..]).expect("the disk is well")).collect();
    for ticket in &tickets {
        log.wait(ticket).expect("the disk is well");
    }
    let batch = log.append_batch(&[Draft::of(b"gamma"); 3]).expect("the disk is well");
    assert_eq!(batch.iter().map(|ack| ack.lsn.0).collect::<Vec<_>>(), [17, 18, 19]);
    let names: Vec<String> = sim.list(Path::new("/log")).expect("it lists").into_iter().map(|e| e.name).collect();
    assert_eq!(names[..3], [1, 7, 17].map(|lsn| crate::native::segment_name(Lsn(lsn))));
    assert_eq!(log.counts().rotations, 2);
}

#[test]
fn the_parts_of_an_append_add_up_to_the_whole() {
    let (_, log) = sim(quiet());
    thread::scope(|scope| {
        let slept = while_one_leads(
            &log,
            || {
                let _ = log.append(&b"alpha"[..]).expect("the disk is well");
            },
            || {
                let slept = scope.spawn(|| log.append(&b"beta"[..]).expect("the disk is well"));
                while log.shared.queue().callers == 0 {
                    thread::yield_now();
                }
                slept
            },
        );
        let slept = slept.join().expect("it does not panic").times;
        let alone = log.append(&b"gamma"[..]).expect("the disk is well").times;
        for times in [slept, alone] {
            let parts = times.queue() + times.window() + times.write() + times.sync();
            assert_eq!(parts, times.done() - times.came());
            assert_eq!(times.wait() + times.sync(), parts + times.wake());
        }
        assert_eq!(alone.wake(), Duration::ZERO, "a leader is not woken");
    });
}

#[test]
fn dropping_the_last_handle_after_a_failed_start_frees_the_lock() {
    let sim = SimDisk::new();
    let open = || GroupCommit::open(Arc::new(sim.clone()), Path::new("/log"), quiet());
    let log = open().expect("a new log");
    // As if the second of two threads could not be started: the first is there, the handle goes.
    log.shared.need_committer().expect("a thread can be started");
    drop(log);
    open().expect("the lock is free, and no thread holds on to it");
}

#[test]
fn the_last_number_is_given_once_and_a_full_log_opens_and_closes() {
    let (disk, log) = sim(quiet());
    let last = |lsn| Draft { lsn: Some(lsn), ..Draft::of(b"x") };
    assert_eq!(log.append(last(Lsn::LAST)).expect("nothing can be missing").lsn, Lsn::LAST);
    for _ in 0..2 {
        let error = log.append(&b"y"[..]).expect_err("there is no number for it");
        assert!(matches!(error, Error::Input { .. }) && error.to_string().contains("18446744073709551614"), "{error}");
    }
    log.rotate().expect("it can be sealed");
    log.close().expect("it closes");
    drop(log);
    let log = GroupCommit::open(Arc::new(disk), Path::new("/log"), quiet()).expect("the log is clean");
    assert!(log.append(&b"y"[..]).is_err() && log.append(last(Lsn(u64::MAX))).is_err());
    assert_eq!(log.durable_lsn(), Lsn::LAST);
    let (_, other) = sim(quiet());
    assert!(other.append_batch(&[last(Lsn::LAST), Draft::of(b"y")]).is_err(), "the second one has no number");
    assert!(other.append(last(Lsn(u64::MAX))).is_err());
    assert_eq!(other.append(&b"z"[..]).expect("nothing was taken").lsn, Lsn(1));
}

/// The calls that once never came back, beside appenders that never stop. A hang shows as a test that does not end.
#[test]
#[ignore = "slow: 100,000 calls of each kind"]
fn a_hundred_thousand_calls_beside_appenders_all_come_back() {
    type Call = (&'static str, u32, fn(&GroupCommit));
    let calls: [Call; 4] = [
        ("sync", 100_000, |log| assert!(log.sync().is_ok())),
        ("submit and wait", 100_000, |log| {
            let ticket = log.submit(&b"ticket"[..]).expect("the disk is well");
            assert!(log.wait(&ticket).is_ok());
        }),
        ("drop", 100_000, |log| drop(log.clone())),
        ("rotate", 100_000, |log| assert!(log.rotate().is_ok())),
    ];
    for appenders in [1, 2, 4] {
        for (what, count, call) in calls {
            let (_, log) = sim(Settings { window: Window::Fixed(Duration::from_micros(1)), ..quiet() });
            let stop = std::sync::atomic::AtomicBool::new(false);
            let acknowledged: u64 = thread::scope(|scope| {
                let appending: Vec<_> = (0..appenders)
                    .map(|_| {
                        let (log, stop) = (log.clone(), &stop);
                        scope.spawn(move || {
                            let more = || !stop.load(Ordering::Relaxed);
                            (0..50_000).take_while(|_| more() && log.append(&b"x"[..]).is_ok()).count() as u64
                        })
                    })
                    .collect();
                (0..count).for_each(|_| call(&log));
                stop.store(true, Ordering::Relaxed);
                appending.into_iter().map(|t| t.join().expect("it does not panic")).sum()
            });
            let submitted = if what.starts_with("submit") { u64::from(count) } else { 0 };
            assert_eq!(log.close().expect("the disk is well").0, acknowledged + submitted, "{what} beside {appenders}");
        }
    }
}

#[test]
#[ignore = "slow: 100,000 logs"]
fn a_hundred_thousand_closes_beside_appenders_all_come_back_and_lose_nothing() {
    for round in 0..100_000usize {
        let (_, log) = sim(quiet());
        let appenders = [1, 2, 4][round % 3];
        let acknowledged: u64 = thread::scope(|scope| {
            let appending: Vec<_> = (0..appenders)
                .map(|_| {
                    let log = log.clone();
                    scope.spawn(move || (0..100).take_while(|_| log.append(&b"x"[..]).is_ok()).count() as u64)
                })
                .collect();
            let durable = log.close().expect("the disk is well").0;
            let acknowledged = appending.into_iter().map(|t| t.join().expect("it does not panic")).sum();
            assert_eq!(durable, acknowledged, "round {round}");
            acknowledged
        });
        assert_eq!(log.counts().records, acknowledged);
    }
}
