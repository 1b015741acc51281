//! `walctl append` is interrupted, killed, left alone by its reader, and fed by a log that grows: what it says then, and what is there.

use std::fs;
use std::io::{BufRead, BufReader, Lines, Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::support::sandbox::{Sandbox, code, finish, wait};

/// A run that gets its records one by one.
struct Appending {
    child: Child,
    stdin: Option<ChildStdin>,
    answers: Lines<BufReader<ChildStdout>>,
}

impl Appending {
    fn start(sandbox: &Sandbox, words: &[&str]) -> Appending {
        let mut command = sandbox.command(&[&["append", "LOG"], words].concat());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("it starts");
        let stdin = child.stdin.take();
        let answers = BufReader::new(child.stdout.take().expect("it was piped")).lines();
        Appending { child, stdin, answers }
    }

    fn give(&mut self, line: &str) {
        writeln!(self.stdin.as_mut().expect("it is open"), "{line}").expect("it reads");
    }

    fn answer(&mut self) -> String {
        self.answers.next().expect("an answer comes").expect("it is text")
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("it still runs");
    }

    /// How it ends, and what it says then.
    fn ended(mut self) -> (i32, String) {
        let status = wait(&mut self.child);
        let mut said = String::new();
        self.child.stderr.take().expect("it was piped").read_to_string(&mut said).expect("it is text");
        (code(status), said)
    }
}

fn is_clean(sandbox: &Sandbox, log: &str, records: &str) {
    let verify = sandbox.run(&["verify", log]);
    assert_eq!(verify.code, 0, "{verify:?}");
    let end = verify.stdout.lines().last().unwrap_or_default();
    assert!(end.contains(records) && end.ends_with("the log was closed cleanly there"), "{end}");
}

#[test]
fn an_interruption_closes_the_log_and_says_what_is_durable() {
    for signal in [Signal::INT, Signal::TERM] {
        let sandbox = Sandbox::new();
        let mut run = Appending::start(&sandbox, &[]);
        run.give("one\ntwo");
        assert_eq!([run.answer(), run.answer()], ["1", "2"]);
        run.signal(signal);
        let said = "interrupted: 2 records are durable: LSN 1-2; the log is closed cleanly\n";
        assert_eq!(run.ended(), (130, said.to_owned()));
        is_clean(&sandbox, "LOG", "2 records");
    }
}

#[test]
fn half_of_a_batch_is_not_written_when_it_is_interrupted() {
    let sandbox = Sandbox::new();
    let mut run = Appending::start(&sandbox, &["--batch", "2"]);
    run.give("one\ntwo\nthree");
    assert_eq!([run.answer(), run.answer()], ["1", "2"]);
    run.signal(Signal::INT);
    assert_eq!(run.ended().0, 130);
    is_clean(&sandbox, "LOG", "2 records");
}

#[test]
fn records_that_are_made_up_end_with_an_interruption_and_each_that_is_there_was_told() {
    let sandbox = Sandbox::new();
    let mut run = Appending::start(&sandbox, &["--count", "1000000000", "--size", "20"]);
    assert_eq!(run.answer(), "1");
    run.signal(Signal::INT);
    let last = run.answers.by_ref().last().expect("more came").expect("it is text");
    let (code, said) = run.ended();
    assert_eq!((code, said.contains(&format!("LSN 1-{last};"))), (130, true), "{said}");
    is_clean(&sandbox, "LOG", &format!("LSN 1-{last};"));
}

#[test]
fn when_nobody_reads_the_answers_it_ends_and_says_what_is_durable() {
    let sandbox = Sandbox::new();
    let ran = finish(sandbox.shell("walctl append LOG --count 100000 | head -1"), b"");
    assert_eq!((ran.code, ran.stdout.as_str()), (0, "1\n"));
    let durable = ran.stderr.strip_prefix("standard output is closed: ").expect("it says so");
    let (records, _) = durable.split_once(" are durable: LSN 1-").expect("it says which");
    is_clean(&sandbox, "LOG", records);
}

#[test]
fn a_writer_that_was_killed_keeps_nobody_out() {
    let sandbox = Sandbox::new();
    let mut run = Appending::start(&sandbox, &[]);
    run.give("one");
    assert_eq!(run.answer(), "1");
    let second = sandbox.run(&["append", "LOG", "--text", "two"]);
    let holder = format!("LOG is locked by process {} (walctl append LOG), since ", run.child.id());
    assert!(second.code == 5 && second.stderr.contains(&holder), "{second:?}");
    run.signal(Signal::KILL);
    assert_eq!(run.ended().0, 137);
    let third = sandbox.run(&["append", "LOG", "--text", "two"]);
    assert_eq!((third.code, third.stdout.as_str()), (0, "2\n"), "{third:?}");
}

#[test]
fn without_room_it_says_what_is_durable_and_the_log_goes_on_when_there_is_some() {
    let sandbox = Sandbox::new();
    let ran =
        finish(sandbox.shell("bash -c 'ulimit -f 40; exec walctl append LOG --count 100 --size 900 --group-records 4'"), b"");
    let last = ran.stdout.lines().last().expect("some were durable");
    assert_eq!(ran.code, 6, "{ran:?}");
    assert!(ran.stderr.contains("file too large") && ran.stderr.contains(&format!("are durable: LSN 1-{last}\n")), "{ran:?}");
    is_clean(&sandbox, "LOG", &format!("{last} records"));
    assert_eq!(sandbox.run(&["append", "LOG", "--text", "more"]).code, 0);
}

#[test]
fn a_rate_is_not_exceeded() {
    let (sandbox, begun) = (Sandbox::new(), Instant::now());
    let ran = sandbox.run(&["append", "LOG", "--count", "21", "--rate", "100"]);
    assert_eq!((ran.code, ran.stdout.lines().count()), (0, 21));
    assert!(begun.elapsed() >= Duration::from_millis(200), "{:?}", begun.elapsed());
}

/// Starts a replica that reads what `dump --follow` writes from this LSN on.
fn replicate(sandbox: &Sandbox, from: u64) -> (Child, Child) {
    let words = ["dump", "--follow", "--json", "LOG", "--lsn", &format!("{from}..")];
    let mut source = sandbox.command(&words).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("it starts");
    let mut replica = sandbox.command(&["append", "COPY", "--json", "--keep-lsn"]);
    replica.stdin(source.stdout.take().expect("it was piped")).stdout(Stdio::piped()).stderr(Stdio::piped());
    (source, replica.spawn().expect("it starts"))
}

/// Reads the replica's answers up to that of this LSN.
fn until(replica: &mut Child, lsn: u64) {
    let answers = BufReader::new(replica.stdout.as_mut().expect("it was piped")).lines().map_while(Result::ok);
    let mut lsns = answers.map(|line| serde_json::from_str::<serde_json::Value>(&line).expect("it is JSON")["lsn"].as_u64());
    assert!(lsns.any(|found| found == Some(lsn)), "LSN {lsn} does not come");
}

#[test]
fn a_replica_follows_a_log_under_the_same_numbers_and_goes_on_where_either_was_interrupted() {
    let sandbox = Sandbox::new();
    let mut run = Appending::start(&sandbox, &["--segment-records", "5", "--tag", "7"]);
    let mut next = 1u64;
    let mut grow = |count: u64| {
        for _ in 0..count {
            run.give(&format!("record {next}"));
            assert_eq!(run.answer(), next.to_string());
            next += 1;
        }
        next
    };
    let due = grow(8);
    let (mut source, mut replica) = replicate(&sandbox, 1);
    until(&mut replica, due - 1);
    // Whoever reads is interrupted: the other one ends with the first line that nobody takes.
    kill_process(Pid::from_child(&replica), Signal::INT).expect("it still runs");
    assert_eq!(code(wait(&mut replica)), 130);
    let due = grow(4);
    assert_eq!(code(wait(&mut source)), 0);

    // A place too far would leave a gap, and is refused.
    let (mut source, mut replica) = replicate(&sandbox, 11);
    let status = wait(&mut replica);
    let mut said = String::new();
    replica.stderr.take().expect("it was piped").read_to_string(&mut said).expect("it is text");
    assert!(code(status) == 1 && said.contains("9-10 would be missing"), "{said}");
    let _ = source.kill();
    let _ = source.wait();

    let (mut source, mut replica) = replicate(&sandbox, 9);
    until(&mut replica, due - 1);
    let due = grow(3);
    until(&mut replica, due - 1);
    // Whoever writes is interrupted: what came through is durable, and that is no error here.
    kill_process(Pid::from_child(&source), Signal::INT).expect("it still runs");
    assert_eq!((code(wait(&mut source)), code(wait(&mut replica))), (130, 0));
    run.stdin = None;
    assert_eq!(run.ended().0, 0);
    let facts = |log: &str| -> Vec<[serde_json::Value; 5]> {
        let dump = sandbox.run(&["dump", "--json", log]);
        let lines = dump.stdout.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).expect("it is JSON"));
        lines.map(|line| ["lsn", "kind", "time", "tag", "payload"].map(|key| line[key].clone())).collect()
    };
    assert_eq!((facts("COPY"), facts("COPY").len() as u64), (facts("LOG"), due - 1));
    is_clean(&sandbox, "COPY", "LSN 1-15");
    assert!(fs::metadata(sandbox.path().join("LOG/00000000000000000011.wal")).is_ok(), "the source went through segments");
}
