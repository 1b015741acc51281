//! Logs in object storage: the same verdict as here, or an error, whatever happens on the way.
//!
//! A run is a number: it chooses a log, how it is hurt, and what the server does. `WALCTL_BUCKET_SEED=N` repeats one, and
//! `WALCTL_BUCKET_RUNS=N` sets how many there are.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use walctl::disk::{Disk, bucket_at};
use walctl::model::{Error, ErrorKind};
use walctl::ops::open::{Choice, Input, open};
use walctl::ops::report::{Checks, Progress, Report, verify};

use crate::support::bucket::{Answer, Asked, BUCKET, Server};
use crate::support::folder::Files;
use crate::support::sandbox::{Ran, Sandbox, finish};
use crate::support::wounds::{Base, Dice, bases, choose, frames_of, open_in};

/// What is said of a log that must be the same wherever it lies.
fn told(mut report: Report) -> String {
    report.summaries.iter_mut().for_each(|summary| summary.tally = None);
    format!(
        "{:?} {} {:?}\n{:#?}\n{:#?}\n{:?} {:?} {:?}",
        report.verdict,
        report.records,
        report.lsns,
        report.segments,
        report.damage,
        report.warnings,
        report.known_holes,
        report.recovery
    )
}

fn checks() -> Checks {
    Checks { jobs: 2, ..Checks::default() }
}

fn place(rest: &str) -> String {
    format!("s3://{BUCKET}/{rest}")
}

/// The server with the files of a log in `log/`.
fn shelve(server: &Server, files: &Files) {
    server.clear();
    files.iter().for_each(|(name, bytes)| server.put(&format!("log/{name}"), bytes));
}

fn open_there(server: &Server, piece: u64, base: &Base) -> walctl::model::Result<Input> {
    let mut settings = server.settings();
    settings.push(("WALCTL_BUCKET_PIECE".into(), piece.to_string()));
    let path = place("log");
    let disk: Arc<dyn Disk> = bucket_at(Path::new(&path), &settings)?;
    let choice = Choice { format: Some(base.format), keys: base.keys.clone(), ..Choice::default() };
    Ok(open(&disk, Path::new(&path), &choice)?.remove(0))
}

fn verify_there(server: &Server, piece: u64, base: &Base) -> walctl::model::Result<String> {
    let input = open_there(server, piece, base)?;
    verify(&input, &checks(), &Progress::default()).map(told)
}

fn verify_here(base: &Base) -> walctl::model::Result<String> {
    let (_, input) = open_in(&base.files, Some(base.format), &base.keys)?;
    verify(&input, &checks(), &Progress::default()).map(told)
}

/// The binary, with the variables that lead to the server.
fn run(server: &Server, sandbox: &Sandbox, words: &[&str]) -> Ran {
    let mut command = sandbox.command(words);
    command.envs(server.settings());
    finish(command, b"")
}

/// How many segments were as they were seen before, and how many were read.
fn seen_of(ran: &Ran) -> (u64, u64) {
    let report: serde_json::Value = serde_json::from_str(&ran.stdout).expect("an object");
    let number = |key: &str| report["seen"][key].as_u64().expect("a count");
    (number("as_seen_count"), number("walked_count"))
}

fn hurt(base: &mut Base, dice: &mut Dice) {
    let frames = frames_of(base);
    for _ in 0..dice.roll(3) {
        if let Some(wound) = choose(base, &frames, dice) {
            wound.apply(&mut base.files);
        }
    }
}

#[test]
fn every_log_is_judged_in_a_bucket_as_it_is_judged_here() {
    let server = Server::start();
    server.pages_of(3);
    let mut looked = 0;
    for base in bases().into_iter().filter(|base| !base.files.is_empty()) {
        // What a folder holds besides files is not copied into a bucket.
        let Ok(here) = verify_here(&base) else { continue };
        shelve(&server, &base.files);
        for piece in [1 << 10, 8 << 20] {
            let there = verify_there(&server, piece, &base).unwrap_or_else(|error| panic!("{}: {error}", base.name));
            assert_eq!(here, there, "{} in pieces of {piece}", base.name);
        }
        server.answers(|_| Answer::Well);
        drop(verify_there(&server, 8 << 20, &base));
        let (asked, files) = (server.asked(), base.files.len());
        let lists = asked.iter().filter(|asked| asked.key.is_empty()).count();
        assert!(asked.len() - lists <= 8 * files && lists <= files / 3 + 8, "{}: {lists} listings, {asked:?}", base.name);
        looked += 1;
    }
    assert!(looked > 100, "{looked}");
}

/// What a server does in one run: well-behaved, wholly broken, or anything between.
fn faults(seed: u64) -> impl FnMut(&Asked) -> Answer + Send {
    let mut dice = Dice::of(seed ^ 0xFA17);
    let often = [0, 2, 8, 30, 100][dice.roll(5)];
    let only = if dice.roll(2) == 0 { Some(dice.roll(10)) } else { None };
    let from = dice.roll(12);
    move |asked| {
        if asked.number < from || dice.roll(100) >= often {
            return Answer::Well;
        }
        match only.unwrap_or_else(|| dice.roll(10)) {
            0 => Answer::Status(503, "SlowDown"),
            1 => Answer::Status(500, "InternalError"),
            2 => Answer::Reset { done: dice.roll(2) == 0 },
            3 if dice.roll(8) == 0 => Answer::Stall(Duration::from_millis(900)),
            4 => Answer::Truncated,
            5 => Answer::Short,
            6 if asked.is_read() => Answer::Wrong(dice.roll(1 << 20)),
            7 if asked.is_read() => Answer::Replaced,
            8 => Answer::Status(403, "ExpiredToken"),
            9 => Answer::Late(Duration::from_millis(20)),
            _ => Answer::Well,
        }
    }
}

#[test]
fn whatever_the_server_does_the_verdict_is_right_or_there_is_none() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let seeds = match number("WALCTL_BUCKET_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("WALCTL_BUCKET_RUNS").unwrap_or(200),
    };
    let runs = seeds.end - seeds.start;
    let all = bases();
    let (next, judged, failed) = (AtomicU64::new(seeds.start), AtomicU64::new(0), AtomicU64::new(0));
    let work = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds.end {
                return;
            }
            let mut dice = Dice::of(seed);
            let mut base = dice.pick(&all).clone();
            hurt(&mut base, &mut dice);
            // A folder without files is nothing in a bucket.
            let Some(Ok(here)) = (!base.files.is_empty()).then(|| verify_here(&base)) else { continue };
            let server = Server::start();
            shelve(&server, &base.files);
            server.answers(faults(seed));
            let piece = [1 << 10, 4 << 10, 8 << 20][dice.roll(3)];
            match verify_there(&server, piece, &base) {
                Ok(there) => {
                    assert_eq!(here, there, "{}: repeat it with WALCTL_BUCKET_SEED={seed}", base.name);
                    judged.fetch_add(1, Ordering::Relaxed);
                }
                Err(error) => {
                    let fair = matches!(error.kind(), ErrorKind::Unreachable);
                    assert!(fair, "{}: {error}: repeat it with WALCTL_BUCKET_SEED={seed}", base.name);
                    assert!(!error.to_string().contains("VERYSECRET") && !error.to_string().contains("PUBLICNAME"), "{error}");
                    failed.fetch_add(1, Ordering::Relaxed);
                }
            }
            // Each request is sent three times at most, and an answer that ends early is asked for three times: never one for every offset.
            let asked = server.asked().len();
            server.answers(|_| Answer::Well);
            drop(verify_there(&server, piece, &base));
            let well = server.asked().len();
            assert!(
                asked <= 9 * well.max(8),
                "{}: {asked} requests, {well} when all is well: WALCTL_BUCKET_SEED={seed}",
                base.name
            );
        }
    };
    std::thread::scope(|scope| (0..8).for_each(|_| drop(scope.spawn(work))));
    let (judged, failed) = (judged.into_inner(), failed.into_inner());
    assert!(runs < 100 || judged > runs / 4 && failed > runs / 8, "{judged} judged, {failed} failed of {runs}");
}

fn one_log(recipe: &str) -> (Server, Sandbox) {
    let (server, sandbox) = (Server::start(), Sandbox::with(recipe));
    sandbox.files("LOG").iter().for_each(|(name, bytes)| server.put(&format!("a/log/{name}"), bytes));
    (server, sandbox)
}

const THREE: &str = "times 12 fill 90 100\nseal\nsegment\ntimes 12 fill 90 101\nseal\nsegment\ntimes 5 record tail";

#[test]
fn verify_stats_and_dump_say_the_same_there_and_what_it_cost() {
    let (server, sandbox) = one_log(THREE);
    let there = place("a/log");
    let verified = run(&server, &sandbox, &["verify", &there]);
    assert_eq!(verified.code, 0, "{verified:?}");
    assert!(verified.stdout.contains(&format!("{there}: clean")), "{verified:?}");
    assert!(verified.stdout.contains("requests, "), "{verified:?}");
    let json: serde_json::Value =
        serde_json::from_str(&run(&server, &sandbox, &["verify", "--json", &there]).stdout).expect("an object");
    let here: serde_json::Value =
        serde_json::from_str(&run(&server, &sandbox, &["verify", "--json", "LOG"]).stdout).expect("an object");
    for key in ["verdict", "records", "first_lsn", "last_lsn", "segments", "damage"] {
        assert_eq!(json[key], here[key], "{key}");
    }
    server.answers(|_| Answer::Well);
    let json: serde_json::Value =
        serde_json::from_str(&run(&server, &sandbox, &["verify", "--json", &there]).stdout).expect("an object");
    assert_eq!(json["requests"].as_u64(), Some(server.asked().len() as u64), "{json}");
    let sizes: usize = sandbox.files("LOG").iter().filter(|(name, _)| name != "LOCK").map(|(_, bytes)| bytes.len()).sum();
    assert_eq!(json["bytes_read"].as_u64(), Some(sizes as u64), "each byte once: {json}");
    assert!(here.get("requests").is_none() && here.get("bytes_read").is_none());
    let (dumped, same) =
        (run(&server, &sandbox, &["dump", "--json", &there]), run(&server, &sandbox, &["dump", "--json", "LOG"]));
    assert_eq!((dumped.code, &dumped.stdout), (0, &same.stdout));
    assert!(dumped.stderr.contains("requests, "), "{dumped:?}");
    let stats = run(&server, &sandbox, &["stats", &there]);
    assert!(stats.code == 0 && stats.stdout.contains("asked for"), "{stats:?}");
    // One object, and a bucket of nothing but a log.
    let one = run(&server, &sandbox, &["verify", &format!("{there}/00000000000000000001.wal")]);
    assert_eq!(one.code, 0, "{one:?}");
    let absent = run(&server, &sandbox, &["verify", &place("a/lag")]);
    assert!(absent.code == 1 && absent.stderr.contains("no such file"), "{absent:?}");
}

#[test]
fn objects_are_read_in_the_state_in_which_they_were_listed_and_never_asked_for_their_size() {
    let (server, sandbox) = one_log(THREE);
    server.answers(|_| Answer::Well);
    assert_eq!(run(&server, &sandbox, &["verify", &place("a/log")]).code, 0);
    let asked = server.asked();
    assert!(asked.iter().all(|asked| asked.method == "GET"), "{asked:?}");
    assert!(
        asked.iter().filter(|asked| asked.is_read()).all(|asked| asked.if_match.is_some() && asked.range.is_some()),
        "{asked:?}"
    );
    let replaced = |asked: &Asked| if asked.key.ends_with("25.wal") { Answer::Replaced } else { Answer::Well };
    server.answers(replaced);
    let ran = run(&server, &sandbox, &["verify", &place("a/log")]);
    assert!(ran.code == 1 && ran.stderr.contains("it was replaced while it was read"), "{ran:?}");
    assert!(ran.stderr.contains(&place("a/log/00000000000000000025.wal from byte 0 on")), "{ran:?}");
    // A server that looks at no condition still says what it gives.
    let mut first = true;
    server.answers(
        move |asked| if asked.is_read() && std::mem::take(&mut first) { Answer::Replaced } else { Answer::Unconditional },
    );
    let ran = run(&server, &sandbox, &["verify", &place("a/log")]);
    assert_eq!(ran.code, 1, "{ran:?}");
}

#[test]
fn what_fails_on_the_way_is_no_damage_and_ends_at_once() {
    for (recipe, command) in [(THREE, "verify"), (THREE, "dump"), (THREE, "stats")] {
        let (server, sandbox) = one_log(recipe);
        for answer in [
            Answer::Status(503, "SlowDown"),
            Answer::Reset { done: true },
            Answer::Status(403, "ExpiredToken"),
            Answer::Truncated,
        ] {
            // All is well until the log was listed and looked at.
            let until = if command == "stats" { 2 } else { 5 };
            let fault = answer.clone();
            server.answers(move |asked| if asked.number < until { Answer::Well } else { fault.clone() });
            let ran = run(&server, &sandbox, &[command, &place("a/log")]);
            // A small log may have been read by then.
            let spared = ran.code == 0 && server.asked().len() <= until;
            assert!(spared || ran.code == 1, "{command} {answer:?}: {ran:?}");
            assert!(server.asked().len() < 60, "{command} {answer:?}: {} requests", server.asked().len());
            for word in ["corrupt", "torn", "missing", "unreadable"] {
                assert!(!ran.stdout.contains(word) && !ran.stderr.contains(word), "{command} {answer:?}: {ran:?}");
            }
            assert!(!ran.stderr.contains("VERYSECRET") && !ran.stderr.contains("PUBLICNAME"), "{ran:?}");
        }
    }
}

#[test]
fn without_credentials_the_next_command_is_named_and_keys_are_not() {
    let (server, sandbox) = one_log(THREE);
    server.answers(|_| Answer::Status(403, "InvalidAccessKeyId"));
    let ran = run(&server, &sandbox, &["verify", &place("a/log")]);
    assert!(ran.code == 1 && ran.stderr.contains("the server refuses it: 403 InvalidAccessKeyId"), "{ran:?}");
    assert!(ran.stderr.contains("s3:ListBucket") && !ran.stderr.contains("PUBLICNAME"), "{ran:?}");
    std::fs::create_dir(sandbox.path().join(".aws")).expect("room for a folder");
    std::fs::write(sandbox.path().join(".aws/config"), "[default]\nregion = here\n").expect("room for a file");
    let mut command = sandbox.command(&["verify", &place("a/log")]);
    command
        .envs(server.settings())
        .env_remove("AWS_ACCESS_KEY_ID")
        .env_remove("AWS_SECRET_ACCESS_KEY")
        .env("HOME", sandbox.path());
    // Nobody is there who would give a machine its credentials.
    command.env("AWS_METADATA_ENDPOINT", "http://127.0.0.1:1");
    let ran = finish(command, b"");
    assert!(ran.code == 1 && ran.stderr.contains("aws configure export-credentials --format env"), "{ran:?}");
}

#[test]
fn what_was_seen_is_known_again_by_its_etag_and_parts_are_joined() {
    let (server, sandbox) = one_log(THREE);
    let there = place("a/log");
    for part in ["1/2", "2/2"] {
        let ran = run(&server, &sandbox, &["verify", &there, "--seen", "SEEN", "--part", part]);
        assert!(ran.code == 0 && ran.stdout.contains("requests"), "{ran:?}");
    }
    server.answers(|_| Answer::Well);
    let ran = run(&server, &sandbox, &["verify", &there, "--seen", "SEEN", "--json"]);
    assert!(ran.code == 0 && ran.stdout.contains("\"verdict\": \"clean\""), "{ran:?}");
    assert_eq!(seen_of(&ran), (2, 1), "{ran:?}");
    // The same bytes under a new mark are read again.
    let same = server.object("a/log/00000000000000000013.wal").expect("it is there");
    server.put("a/log/00000000000000000013.wal", &same);
    let ran = run(&server, &sandbox, &["verify", &there, "--seen", "SEEN", "--json"]);
    assert_eq!(seen_of(&ran), (1, 2), "{ran:?}");
    let ends = run(&server, &sandbox, &["verify", &there, "--ends"]);
    assert!(ends.code == 0 && ends.stdout.contains("not checked"), "{ends:?}");
}

#[test]
fn damage_in_a_bucket_is_shown_with_a_way_to_a_copy() {
    let (server, sandbox) = one_log("record alpha\nrecord beta\nrecord gamma\nclose");
    let name = "a/log/00000000000000000001.wal";
    let mut bytes = server.object(name).expect("it is there");
    bytes[4096 + 48 + 50] ^= 1;
    server.put(name, &bytes);
    let ran = run(&server, &sandbox, &["verify", &place("a/log")]);
    assert!(ran.code == 4 && ran.stdout.contains("aws s3 cp --recursive"), "{ran:?}");
}

#[test]
fn what_only_works_here_says_so() {
    let (server, sandbox) = one_log(THREE);
    let there = place("a/log");
    for words in [
        &["repair", &there][..],
        &["diff", &there, "LOG"],
        &["append", &there],
        &["verify", "--media", &there],
        &["dump", "--follow", &there],
    ] {
        let ran = run(&server, &sandbox, words);
        assert!(ran.code == 2 && ran.stderr.contains("works on this machine only"), "{words:?}: {ran:?}");
    }
    assert!(!sandbox.path().join("s3:").exists());
}

#[test]
fn a_segment_that_retention_took_between_listing_and_reading_is_no_failure() {
    let (server, _sandbox) = one_log(THREE);
    let gone = "a/log/00000000000000000001.wal";
    let settings = server.settings();
    let path = place("a/log");
    let disk = bucket_at(Path::new(&path), &settings).expect("a place");
    let input = open(&disk, Path::new(&path), &Choice::default()).expect("a log").remove(0);
    let whole = verify(&input, &checks(), &Progress::default()).expect("it is there");
    assert!(whole.is_clean() && whole.segments.len() == 3);
    let disk = bucket_at(Path::new(&path), &settings).expect("a place");
    let named = Choice { format: Some(input.format), ..Choice::default() };
    let entries = disk.list(Path::new(&path)).expect("it lists");
    let source = input.format.lay_out(disk.as_ref(), Path::new(&path), &entries).remove(0).source(
        disk.clone(),
        Path::new(&path),
        &entries,
    );
    let input = Input { source, format: input.format, keys: named.keys, named: true };
    server.answers(|_| Answer::Well);
    server.remove(gone);
    let left = verify(&input, &checks(), &Progress::default()).unwrap_or_else(|error: Error| panic!("{error}"));
    assert!(left.is_clean() && left.segments.len() == 2, "{left:?}");
}
