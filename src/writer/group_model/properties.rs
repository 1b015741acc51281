//! What must hold under every schedule: no thread sleeps for ever, no accepted record is lost, and none is written after Close.
//!
//! Each property is a small program of threads over the real queue, completion, leader and threads. The checker runs it once a schedule;
//! a thread that is never woken is a deadlock to it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::Duration;

use shuttle::thread;

use super::api::GroupCommit;
use super::log::{OpenLog, Witness};
use super::primitives::THREADS_LEFT;
use super::ticket::Ticket;
use crate::model::{Error, Result};
use crate::writer::options::Settings;
use crate::writer::outcome::Ack;
use crate::writer::sync::{SyncMode, Window};

/// Half of the schedules are drawn evenly, half with few changes at the worst moments.
fn check(count: usize, property: impl Fn() + Send + Sync + Clone + 'static) {
    shuttle::check_random(property.clone(), count / 2);
    shuttle::check_pct(property, count / 2, 3);
}

/// The properties as tests: under few schedules every day, under very many where there is time.
macro_rules! tests {
    ($($property:ident)*) => {
        mod briefly {
            $(#[test] fn $property() { super::$property(1_500); })*
        }
        mod at_length {
            $(#[test] #[ignore = "slow: 100,000 schedules"] fn $property() { super::$property(100_000); })*
        }
    };
}

fn quiet() -> Settings {
    Settings { window: Window::Fixed(Duration::ZERO), ..Settings::default() }
}

/// A window that never ends by itself.
fn endless() -> Settings {
    Settings { window: Window::Fixed(Duration::from_secs(1 << 30)), ..Settings::default() }
}

fn open(witness: &Witness, options: Settings) -> GroupCommit {
    GroupCommit::over(OpenLog::standing_in(witness.clone()), Path::new("model"), options).expect("threads can be started")
}

/// Appends `count` records and answers how many were acknowledged; all others must have been refused or told of a failure.
fn appender(log: GroupCommit, count: usize) -> thread::JoinHandle<u64> {
    thread::spawn(move || {
        let acks: Vec<Result<Ack>> = (0..count).map(|_| log.append(&b"x"[..])).collect();
        let lsns: Vec<u64> = acks.iter().flatten().map(|ack| ack.lsn.0).collect();
        assert!(lsns.is_sorted_by(|a, b| a < b), "one thread's numbers grow: {lsns:?}");
        for error in acks.iter().filter_map(|ack| ack.as_ref().err()) {
            assert!(matches!(error, Error::Closed { .. } | Error::Poisoned { .. }), "{error}");
        }
        lsns.len() as u64
    })
}

fn appenders_and_a_sync_all_come_back(schedules: usize) {
    for appenders in [1, 2] {
        check(schedules, move || {
            let witness = Witness::default();
            let log = open(&witness, quiet());
            let threads: Vec<_> = (0..appenders).map(|_| appender(log.clone(), 2)).collect();
            for _ in 0..2 {
                log.sync().expect("the disk is well");
            }
            let acked: u64 = threads.into_iter().map(|t| t.join().expect("it returns")).sum();
            assert_eq!((acked, witness.facts().records), (2 * appenders, 2 * appenders));
        });
    }
}

fn appenders_and_a_rotation_all_come_back(schedules: usize) {
    check(schedules, || {
        let witness = Witness::default();
        let log = open(&witness, quiet());
        let threads = [appender(log.clone(), 2), appender(log.clone(), 1)];
        log.rotate().expect("the disk is well");
        log.rotate().expect("the disk is well");
        let acked: u64 = threads.into_iter().map(|t| t.join().expect("it returns")).sum();
        assert_eq!((acked, witness.facts().records, witness.facts().rotations), (3, 3, 2));
    });
}

fn closing_beside_appenders_loses_nothing_that_was_accepted_and_nothing_follows_it(schedules: usize) {
    check(schedules, || {
        let witness = Witness::default();
        let log = open(&witness, quiet());
        let appenders = [appender(log.clone(), 2), appender(log.clone(), 1)];
        let other = log.clone();
        let submitter = thread::spawn(move || {
            let tickets: Vec<Ticket> = (0..2).map_while(|_| other.submit(&b"y"[..]).ok()).collect();
            let accepted = tickets.len() as u64;
            for ticket in &tickets {
                other.wait(ticket).expect("what was accepted before the end is written");
            }
            accepted
        });
        let durable = log.close().expect("the disk is well");
        assert!(matches!(log.append(&b"late"[..]), Err(Error::Closed { .. })));
        assert!(matches!(log.sync(), Err(Error::Closed { .. })), "a sync after the end");
        assert!(matches!(log.rotate(), Err(Error::Closed { .. })), "a rotation after the end");
        assert!(matches!(log.close(), Err(Error::Closed { .. })), "a second end");
        let acked: u64 = appenders.into_iter().chain([submitter]).map(|t| t.join().expect("it returns")).sum();
        let facts = witness.facts();
        assert_eq!((facts.records, durable.0, facts.closed), (acked, acked, true));
    });
}

fn syncs_and_rotations_beside_a_close_come_back_and_touch_nothing_after_it(schedules: usize) {
    check(schedules, || {
        let witness = Witness::default();
        let log = open(&witness, quiet());
        let (syncing, rotating) = (log.clone(), log.clone());
        let syncer = thread::spawn(move || {
            let _ = syncing.append(&b"x"[..]);
            matches!(syncing.sync(), Ok(_) | Err(Error::Closed { .. }))
        });
        let rotator = thread::spawn(move || matches!(rotating.rotate(), Ok(_) | Err(Error::Closed { .. })));
        log.close().expect("the disk is well");
        let rotations = witness.facts().rotations;
        assert!(syncer.join().expect("it returns") && rotator.join().expect("it returns"));
        assert_eq!(witness.facts().rotations, rotations, "rotated behind Close");
    });
}

fn tickets_nobody_waits_for_are_written_before_the_last_handle_is_gone(schedules: usize) {
    check(schedules, || {
        let witness = Witness::default();
        let log = open(&witness, quiet());
        let other = log.clone();
        let submitter = thread::spawn(move || (0..2).filter(|_| other.submit(&b"y"[..]).is_ok()).count());
        let appender = appender(log.clone(), 1);
        drop(log.submit(&b"z"[..]).expect("the disk is well"));
        drop(log);
        assert_eq!((submitter.join().expect("it returns"), appender.join().expect("it returns")), (2, 1));
        assert_eq!(witness.facts().records, 4);
    });
}

fn a_leader_in_its_window_goes_on_when_nobody_else_can_come(schedules: usize) {
    check(schedules, || {
        let witness = Witness::default();
        let log = open(&witness, endless());
        let appender = appender(log.clone(), 1);
        // The other one that could come: it goes, sooner or later, without a word.
        drop(log);
        assert_eq!(appender.join().expect("it returns"), 1);
        assert_eq!(witness.facts().records, 1);
    });
}

fn a_leader_in_its_window_hurries_for_a_sync_and_for_a_close(schedules: usize) {
    check(schedules, || {
        let witness = Witness::default();
        let log = open(&witness, endless());
        let idle = log.clone();
        let threads = [appender(log.clone(), 1), appender(log.clone(), 1)];
        // What was not handed over yet is not waited for: a caller must come again.
        while witness.facts().records < 2 {
            log.sync().expect("the disk is well");
            thread::yield_now();
        }
        let acked: u64 = threads.into_iter().map(|t| t.join().expect("it returns")).sum();
        assert_eq!(acked, 2);
        let late = appender(log.clone(), 1);
        let closed = log.close();
        let late = late.join().expect("it returns");
        assert_eq!((closed.expect("the disk is well").0, witness.facts().records), (2 + late, 2 + late));
        drop(idle);
    });
}

fn callers_without_room_get_it_or_are_refused(schedules: usize) {
    // Whoever has no room ends a window.
    for (closes, options) in [(false, quiet()), (true, quiet()), (false, endless())] {
        check(schedules, move || {
            let witness = Witness::default();
            // Room for one record.
            let log = open(&witness, Settings { queue_bytes: 50, ..options.clone() });
            let threads = [appender(log.clone(), 1), appender(log.clone(), 1)];
            let other = log.clone();
            let submitter = thread::spawn(move || (0..2).filter(|_| other.submit(&b"y"[..]).is_ok()).count() as u64);
            if closes {
                log.close().expect("the disk is well");
            } else {
                drop(log);
            }
            let accepted: u64 = threads.into_iter().chain([submitter]).map(|t| t.join().expect("it returns")).sum();
            assert!(closes || accepted == 4);
            assert_eq!(witness.facts().records, accepted);
        });
    }
}

/// Runs tasks on one thread, as an executor does; answers how many records were acknowledged.
fn tasks(log: GroupCommit, count: usize) -> thread::JoinHandle<u64> {
    thread::spawn(move || {
        let tasks: Vec<_> = (0..count)
            .map(|_| {
                let log = log.clone();
                shuttle::future::spawn(async move { log.append_async(b"a").await })
            })
            .collect();
        drop(log);
        let mut acked = 0;
        for task in tasks {
            match shuttle::future::block_on(task).expect("it is not cancelled") {
                Ok(_) => acked += 1,
                Err(error) => assert!(matches!(error, Error::Closed { .. } | Error::Poisoned { .. }), "{error}"),
            }
        }
        acked
    })
}

fn tasks_beside_threads_are_all_woken(schedules: usize) {
    for room in [Settings::default().queue_bytes, 50] {
        check(schedules, move || {
            let witness = Witness::default();
            let log = open(&witness, Settings { queue_bytes: room, ..quiet() });
            let threads = [tasks(log.clone(), 2), appender(log.clone(), 1)];
            drop(log);
            let acked: u64 = threads.into_iter().map(|t| t.join().expect("it returns")).sum();
            assert_eq!((acked, witness.facts().records), (3, 3));
        });
    }
}

fn two_tasks_of_one_group_on_two_threads_are_both_woken(schedules: usize) {
    check(schedules, || {
        let witness = Witness::default();
        let log = open(&witness, quiet());
        let threads = [tasks(log.clone(), 1), tasks(log.clone(), 1)];
        drop(log);
        let acked: u64 = threads.into_iter().map(|t| t.join().expect("it returns")).sum();
        assert_eq!((acked, witness.facts().records), (2, 2));
    });
}

fn tasks_hear_of_a_close_and_of_a_failure(schedules: usize) {
    for (closes, room) in [(true, 50), (false, 50), (false, Settings::default().queue_bytes)] {
        check(schedules, move || {
            let witness = Witness::default();
            witness.lock().fails_at = (!closes).then_some(2);
            let log = open(&witness, Settings { queue_bytes: room, group_records: 1, ..quiet() });
            let threads = [tasks(log.clone(), 2), tasks(log.clone(), 1)];
            if closes {
                log.close().expect("the disk is well");
            }
            drop(log);
            let acked: u64 = threads.into_iter().map(|t| t.join().expect("it returns")).sum();
            assert_eq!(acked, witness.facts().records);
        });
    }
}

fn a_task_that_is_dropped_keeps_nobody_from_being_woken(schedules: usize) {
    for room in [Settings::default().queue_bytes, 50] {
        check(schedules, move || {
            let witness = Witness::default();
            let log = open(&witness, Settings { queue_bytes: room, ..quiet() });
            let other = tasks(log.clone(), 1);
            let dropped = log.clone();
            let canceller = thread::spawn(move || {
                let mut future = Box::pin(dropped.append_async(b"c"));
                shuttle::future::block_on(async {
                    // Once: it is handed over, or waits for room, and is given up.
                    std::future::poll_fn(|context| {
                        let _ = future.as_mut().poll(context);
                        std::task::Poll::Ready(())
                    })
                    .await;
                });
                drop(future);
                u64::from(dropped.append(b"d").is_ok())
            });
            drop(log);
            let acked = other.join().expect("it returns") + canceller.join().expect("it returns");
            let records = witness.facts().records;
            assert!(acked == 2 && (2..=3).contains(&records), "{acked} of {records}");
        });
    }
}

fn everybody_hears_of_a_failure(schedules: usize) {
    for options in [quiet(), endless()] {
        check(schedules, move || {
            let witness = Witness::default();
            witness.lock().fails_at = Some(2);
            let log = open(&witness, Settings { group_records: 1, ..options.clone() });
            let threads = [appender(log.clone(), 2), appender(log.clone(), 1)];
            let other = log.clone();
            let syncer = thread::spawn(move || {
                let _ = other.sync();
                u64::from(matches!(other.append(&b"x"[..]), Ok(ack) if ack.lsn.0 == 1))
            });
            let ticket = log.submit(&b"z"[..]);
            let waited = ticket.is_ok_and(|ticket| log.wait(&ticket).is_ok());
            drop(log);
            let acked: u64 = threads.into_iter().chain([syncer]).map(|t| t.join().expect("it returns")).sum();
            assert_eq!((acked + u64::from(waited), witness.facts().records), (1, 1));
        });
    }
}

fn a_failure_elsewhere_ends_a_window(schedules: usize) {
    check(schedules, || {
        let witness = Witness::default();
        let log = open(&witness, endless());
        let appender = appender(log.clone(), 1);
        // As a thread does that syncs in the background.
        log.shared.hold().abandon("the disk failed");
        assert_eq!(appender.join().expect("it returns"), 0);
        assert!(matches!(log.append(&b"x"[..]), Err(Error::Poisoned { .. })));
    });
}

fn a_leader_that_dies_leaves_nobody_asleep(schedules: usize) {
    for dies_at in [1, 2] {
        check(schedules, move || {
            let witness = Witness::default();
            witness.lock().dies_at = Some(dies_at);
            let log = open(&witness, quiet());
            let appender = |count: usize| {
                let log = log.clone();
                thread::spawn(move || {
                    let appended = || (0..count).filter(|_| log.append(&b"x"[..]).is_ok()).count() as u64;
                    // The thread that dies takes what it had acknowledged with it: it is counted by the log.
                    catch_unwind(AssertUnwindSafe(appended)).ok()
                })
            };
            let threads = [appender(2), appender(1)];
            let ended = catch_unwind(AssertUnwindSafe(|| log.sync().and_then(|_| log.close())));
            let died = witness.facts().groups >= dies_at;
            assert!(!died || !matches!(ended, Ok(Ok(_))), "a log in doubt was closed");
            let acked: Vec<Option<u64>> = threads.into_iter().map(|t| t.join().expect("it returns")).collect();
            assert!(acked.iter().flatten().sum::<u64>() <= witness.facts().records);
        });
    }
}

fn a_thread_that_cannot_be_started_ends_those_that_were_and_gives_the_log_back(schedules: usize) {
    let options =
        Settings { sync: SyncMode::Interval(Duration::from_secs(1)), segment_age: Some(Duration::from_secs(1)), ..quiet() };
    for left in 0..3 {
        let options = options.clone();
        let opens = move || {
            let witness = Witness::default();
            THREADS_LEFT.set(left);
            let opened = GroupCommit::over(OpenLog::standing_in(witness.clone()), Path::new("model"), options.clone());
            THREADS_LEFT.set(usize::MAX);
            // Two threads are asked for. The log goes with the last of those that share it, and what locks it goes with the log.
            let expected = if left < 2 { Err(std::io::ErrorKind::WouldBlock) } else { Ok(()) };
            let ended = opened.map(drop).map_err(|error| match error {
                Error::Io { source, .. } => source.kind(),
                other => panic!("{other}"),
            });
            assert_eq!((ended, witness.is_shared()), (expected, false), "{left} threads");
        };
        // Without a second thread there is one schedule.
        if left == 0 { shuttle::check_random(opens, 1) } else { check(schedules, opens) }
    }
}

fn a_ticket_for_which_no_thread_can_be_started_is_refused_and_the_log_goes_on(schedules: usize) {
    check(schedules, || {
        let witness = Witness::default();
        let log = open(&witness, quiet());
        let appender = appender(log.clone(), 1);
        THREADS_LEFT.set(0);
        let refused = log.submit(&b"y"[..]);
        THREADS_LEFT.set(usize::MAX);
        assert!(matches!(refused, Err(Error::Io { .. })), "no thread would write it");
        let ticket = log.submit(&b"z"[..]).expect("there are threads again");
        log.wait(&ticket).expect("the disk is well");
        assert_eq!((appender.join().expect("it returns"), witness.facts().records), (1, 2));
    });
}

tests! {
    appenders_and_a_sync_all_come_back
    appenders_and_a_rotation_all_come_back
    closing_beside_appenders_loses_nothing_that_was_accepted_and_nothing_follows_it
    syncs_and_rotations_beside_a_close_come_back_and_touch_nothing_after_it
    tickets_nobody_waits_for_are_written_before_the_last_handle_is_gone
    a_leader_in_its_window_goes_on_when_nobody_else_can_come
    a_leader_in_its_window_hurries_for_a_sync_and_for_a_close
    callers_without_room_get_it_or_are_refused
    tasks_beside_threads_are_all_woken
    two_tasks_of_one_group_on_two_threads_are_both_woken
    tasks_hear_of_a_close_and_of_a_failure
    a_task_that_is_dropped_keeps_nobody_from_being_woken
    everybody_hears_of_a_failure
    a_failure_elsewhere_ends_a_window
    a_leader_that_dies_leaves_nobody_asleep
    a_thread_that_cannot_be_started_ends_those_that_were_and_gives_the_log_back
    a_ticket_for_which_no_thread_can_be_started_is_refused_and_the_log_goes_on
}
