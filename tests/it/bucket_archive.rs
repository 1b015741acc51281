//! Archiving into a bucket: whatever fails, and whenever, nothing is removed here that is not whole there.

use std::collections::BTreeMap;
use std::sync::mpsc;
use std::time::Duration;

use crate::support::bucket::{Answer, Asked, BUCKET, Server};
use crate::support::sandbox::{Ran, Sandbox, finish, wait};

/// Four sealed segments and one that is written, of which a checkpoint lets three go.
const LOG: &str = "times 12 fill 90 100\nseal\nsegment\ntimes 12 fill 90 101\nseal\nsegment\ntimes 12 fill 90 102\nseal\nsegment\n\
                   times 12 fill 90 103\nseal\nsegment\ntimes 3 record tail\nkind checkpoint tag 36";

type Files = BTreeMap<String, Vec<u8>>;

fn segments(sandbox: &Sandbox) -> Files {
    sandbox.files("LOG").into_iter().filter(|(name, _)| name.ends_with(".wal")).collect()
}

fn rotate(server: &Server, sandbox: &Sandbox, piece: u64) -> std::process::Command {
    let mut command = sandbox.command(&["rotate", "LOG", "--prune", "--archive", &format!("s3://{BUCKET}/far/wal")]);
    command.envs(server.settings()).env("WALCTL_BUCKET_PIECE", piece.to_string());
    command
}

fn ended(server: &Server, sandbox: &Sandbox, piece: u64) -> Ran {
    finish(rotate(server, sandbox, piece), b"")
}

/// The segments that are gone here are whole there, and those that may not go are here.
fn nothing_is_lost(server: &Server, sandbox: &Sandbox, before: &Files, what: &str) -> usize {
    let now = segments(sandbox);
    let mut gone = 0;
    for (name, bytes) in before {
        match now.get(name) {
            // The active one was sealed meanwhile, or a checkpoint was written behind it.
            Some(here) => assert!(here.starts_with(&bytes[..4096]) && here.len() >= 4096, "{what}: {name} is another one now"),
            None => {
                let there = server.object(&format!("far/wal/{name}"));
                assert!(there.as_ref() == Some(bytes), "{what}: {name} is gone here and not whole there");
                gone += 1;
            }
        }
    }
    gone
}

/// In one piece each, and in parts.
const PIECES: [u64; 2] = [8 << 20, 1 << 10];
/// A segment of the log above is longer than eight pieces of the second size, as it would be with 64 MiB of the usual one.
const LARGER: &str = "times 12 fill 900 100";

fn log_for(piece: u64) -> Sandbox {
    Sandbox::with(&if piece == PIECES[1] { LOG.replace("times 12 fill 90 100", LARGER) } else { LOG.to_owned() })
}

#[test]
fn what_may_go_is_put_read_back_and_removed_here_and_can_be_verified_there() {
    for piece in PIECES {
        let (server, sandbox) = (Server::start(), log_for(piece));
        let before = segments(&sandbox);
        server.answers(|_| Answer::Well);
        let ran = ended(&server, &sandbox, piece);
        assert_eq!(ran.code, 0, "{ran:?}");
        assert_eq!(nothing_is_lost(&server, &sandbox, &before, "done"), 3, "{ran:?}");
        assert!(
            ran.stdout.contains(&format!("archived in s3://{BUCKET}/far/wal/00000000000000000001.wal and removed")),
            "{ran:?}"
        );
        let asked = server.asked();
        assert!(asked.iter().all(|asked| asked.method != "HEAD" && asked.method != "DELETE"), "{asked:?}");
        let puts =
            asked.iter().filter(|asked| asked.method == "PUT" && asked.query.is_empty() || asked.query.starts_with("uploadId"));
        assert!(puts.clone().all(|asked| asked.if_none_match.as_deref() == Some("*")), "{asked:?}");
        assert_eq!(puts.count(), 3, "{asked:?}");
        assert_eq!(asked.iter().any(|asked| asked.method == "POST"), piece == PIECES[1], "{asked:?}");
        let read: usize =
            asked.iter().filter(|asked| asked.is_read()).filter_map(|asked| asked.range.as_ref()).map(|r| r.len()).sum();
        let gone: usize =
            before.iter().filter(|(name, _)| server.object(&format!("far/wal/{name}")).is_some()).map(|(_, b)| b.len()).sum();
        assert!(read >= gone, "{read} bytes were read back of {gone}");
        let mut verify = sandbox.command(&["verify", &format!("s3://{BUCKET}/far/wal")]);
        verify.envs(server.settings());
        assert_eq!(finish(verify, b"").code, 0);
    }
}

#[test]
fn a_copy_that_is_there_already_is_done_and_another_object_is_refused_and_left_alone() {
    let (server, sandbox) = (Server::start(), Sandbox::with(LOG));
    let before = segments(&sandbox);
    let names: Vec<&String> = before.keys().collect();
    server.put(&format!("far/wal/{}", names[0]), &before[names[0]]);
    let mut other = before[names[1]].clone();
    other[5000] ^= 1;
    server.put(&format!("far/wal/{}", names[1]), &other);
    server.answers(|_| Answer::Well);
    let ran = ended(&server, &sandbox, PIECES[0]);
    assert!(ran.code == 1 && ran.stderr.contains("another object of that name stands there"), "{ran:?}");
    assert!(ran.stderr.contains("1 segment is gone from it"), "{ran:?}");
    assert_eq!(nothing_is_lost(&server, &sandbox, &before, "refused"), 1);
    assert_eq!(server.object(&format!("far/wal/{}", names[1])), Some(other));
    assert!(server.asked().iter().all(|asked| asked.method == "GET"), "nothing is put over what is there");
    // A shorter one is known by its length.
    server.put(&format!("far/wal/{}", names[1]), &before[names[1]][..9]);
    server.answers(|_| Answer::Well);
    assert_eq!(ended(&server, &sandbox, PIECES[0]).code, 1);
    assert!(!server.asked().iter().any(Asked::is_read));
}

#[test]
fn an_object_that_comes_between_listing_and_putting_is_not_overwritten() {
    for (piece, same) in [(PIECES[0], true), (PIECES[0], false), (PIECES[1], true), (PIECES[1], false)] {
        let (server, sandbox) = (Server::start(), log_for(piece));
        let before = segments(&sandbox);
        let (name, bytes) = before.iter().next().expect("there are some");
        let mut theirs = bytes.clone();
        if !same {
            theirs[4200] ^= 1;
        }
        let key = format!("far/wal/{name}");
        let put = (key.clone(), theirs.clone());
        server.answers(move |asked| {
            // The first thing that is put, or the last step of it.
            if asked.if_none_match.is_some() && asked.key == put.0 {
                return Answer::After(put.0.clone(), put.1.clone());
            }
            Answer::Well
        });
        let ran = ended(&server, &sandbox, piece);
        assert_eq!(ran.code, i32::from(!same), "{piece} {same}: {ran:?}");
        assert_eq!(server.object(&key), Some(theirs), "{piece} {same}");
        nothing_is_lost(&server, &sandbox, &before, "a race");
    }
}

#[test]
fn a_server_that_fails_at_any_request_loses_nothing_and_the_next_run_goes_on() {
    let faults = [
        Answer::Status(503, "SlowDown"),
        Answer::Status(403, "ExpiredToken"),
        Answer::Reset { done: false },
        Answer::Reset { done: true },
        Answer::Truncated,
        Answer::Wrong(4999),
        Answer::Replaced,
        Answer::Unconditional,
    ];
    for piece in PIECES {
        let (server, sandbox) = (Server::start(), log_for(piece));
        server.answers(|_| Answer::Well);
        assert_eq!(ended(&server, &sandbox, piece).code, 0);
        let requests = server.asked().len();
        for number in 0..requests {
            // Each fault at each request would be some hundred runs: they take turns, with every fault at every kind of request.
            let fault = faults[(number * 5 + number / faults.len()) % faults.len()].clone();
            for from_then_on in [false, true] {
                let (server, sandbox) = (Server::start(), log_for(piece));
                let before = segments(&sandbox);
                let what = format!("piece {piece}: {fault:?} at request {number}, from then on: {from_then_on}");
                let one = fault.clone();
                server.answers(move |asked| {
                    let now = asked.number == number || from_then_on && asked.number > number;
                    if now { one.clone() } else { Answer::Well }
                });
                let ran = ended(&server, &sandbox, piece);
                assert!(matches!(ran.code, 0 | 1), "{what}: {ran:?}");
                let gone = nothing_is_lost(&server, &sandbox, &before, &what);
                assert!(ran.code != 0 || gone == 3, "{what}: {ran:?}");
                server.answers(|_| Answer::Well);
                let again = ended(&server, &sandbox, piece);
                // What the server replaced by something else is never overwritten.
                let stays = again.stderr.contains("another object of that name") && fault == Answer::Replaced;
                assert!(again.code == 0 || stays, "{what}: {again:?}");
                nothing_is_lost(&server, &sandbox, &before, &what);
            }
        }
    }
}

#[test]
fn killed_at_any_request_it_loses_nothing_and_the_next_run_goes_on() {
    for piece in PIECES {
        let mut number = 0;
        loop {
            let (server, sandbox) = (Server::start(), log_for(piece));
            let before = segments(&sandbox);
            let (say, met) = mpsc::channel();
            server.answers(move |asked| {
                if asked.number == number {
                    let _ = say.send(());
                    // It is dead before the answer comes; what it asked for is done.
                    return Answer::Late(Duration::from_millis(300));
                }
                Answer::Well
            });
            let mut command = rotate(&server, &sandbox, piece);
            let mut child =
                command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()).spawn().expect("it starts");
            let was_met = loop {
                match met.recv_timeout(Duration::from_millis(5)) {
                    Ok(()) => break true,
                    Err(_) if child.try_wait().expect("it can be waited for").is_some() => break met.try_recv().is_ok(),
                    Err(_) => {}
                }
            };
            // It may have ended by itself, where its last request was met.
            let _ = child.kill();
            wait(&mut child);
            let what = format!("piece {piece}: killed at request {number}");
            nothing_is_lost(&server, &sandbox, &before, &what);
            server.answers(|_| Answer::Well);
            let again = ended(&server, &sandbox, piece);
            assert_eq!(again.code, 0, "{what}: {again:?}");
            assert_eq!(nothing_is_lost(&server, &sandbox, &before, &what), 3, "{what}");
            if !was_met {
                break;
            }
            number += 1;
        }
        assert!(number > 5, "{number} requests");
    }
}
