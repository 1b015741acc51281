//! Closed pipes, standard input as a log, and no terminal anywhere.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::support::sandbox::{Sandbox, code, finish, have, wait};

const COMMANDS: [&[&str]; 3] = [&["dump", "LOG"], &["verify", "LOG"], &["dump", "LOG", "--json"]];

#[test]
fn a_closed_standard_output_is_no_error() {
    let sandbox = Sandbox::with("times 2000 record the quick brown fox jumps over the lazy dog");
    for words in COMMANDS {
        let (reader, writer) = std::io::pipe().expect("a pipe can be made");
        drop(reader);
        let mut child = sandbox.command(words).stdout(writer).stderr(Stdio::piped()).spawn().expect("it starts");
        let status = wait(&mut child);
        let mut said = String::new();
        std::io::Read::read_to_string(&mut child.stderr.take().expect("it was piped"), &mut said).expect("it is text");
        assert_eq!((code(status), said.as_str()), (0, ""), "{words:?}");
    }
}

#[test]
fn a_verdict_that_nobody_reads_is_still_the_exit_code() {
    let torn = Sandbox::with("times 50 record alpha\nrecord beta\ncut 10");
    torn.log("CORRUPT", "record alpha\nrecord beta\nrecord gamma\nflip @2+42 1");
    let run = |words: &[&str]| {
        let (reader, writer) = std::io::pipe().expect("a pipe can be made");
        drop(reader);
        let mut child = torn.command(words).stdout(writer).stderr(Stdio::piped()).spawn().expect("it starts");
        let status = wait(&mut child);
        let mut said = String::new();
        std::io::Read::read_to_string(&mut child.stderr.take().expect("it was piped"), &mut said).expect("it is text");
        assert!(!said.contains("cannot write"), "{words:?}: {said}");
        code(status)
    };
    for command in ["verify", "stats"] {
        for json in [&[][..], &["--json"]] {
            let words = |log: &[&'static str]| [&[command], log, json].concat();
            assert_eq!(run(&words(&["LOG"])), 3, "{command} {json:?}");
            assert_eq!(run(&words(&["CORRUPT"])), 4, "{command} {json:?}");
            assert_eq!(run(&words(&["LOG", "CORRUPT"])), 4, "{command} {json:?}");
        }
    }
    // Nobody reads, so dump reads no further than to its first record; damage before it was met.
    torn.log("BEGINS", "record alpha\ntimes 2000 record beta\nflip @1+42 1");
    assert!([3, 4].contains(&run(&["dump", "BEGINS"])));
    assert_eq!(run(&["dump", "LOG", "--lsn", "51"]), 3, "all was read before anything was to be said");
    assert_eq!(run(&["stats", "CORRUPT", "--openmetrics"]), 4);
    assert_eq!(run(&["stats", "CORRUPT", "--watch"]), 4);
}

#[test]
fn a_repair_that_nobody_reads_is_done_all_the_same_and_the_exit_code_tells_the_truth() {
    let run = |sandbox: &Sandbox, words: &[&str]| {
        let (reader, writer) = std::io::pipe().expect("a pipe can be made");
        drop(reader);
        code(wait(&mut sandbox.command(words).stdout(writer).stderr(Stdio::null()).spawn().expect("it starts")))
    };
    for json in [&[][..], &["--json"]] {
        let words = |rest: &[&'static str]| [rest, json].concat();
        let sandbox = Sandbox::with("record alpha\nrecord beta\ncut 10");
        sandbox.log("CORRUPT", "record alpha\nrecord beta\nflip @1+42 1");
        let before = sandbox.files("LOG");
        assert_eq!(run(&sandbox, &words(&["repair", "LOG", "--dry-run"])), 3);
        assert_eq!(run(&sandbox, &words(&["repair", "CORRUPT", "LOG"])), 4);
        assert_eq!(sandbox.run(&["verify", "LOG"]).code, 0);
        assert_eq!(run(&sandbox, &words(&["repair", "LOG", "--undo"])), 0);
        assert!(sandbox.files("LOG") == before);
        assert_eq!(run(&sandbox, &words(&["repair", "nowhere"])), 1);
    }
}

#[test]
fn a_full_standard_output_is_an_error_that_says_so() {
    let sandbox = Sandbox::with("times 100 record alpha");
    for words in COMMANDS {
        let full = File::options().write(true).open("/dev/full").expect("Linux has it");
        let mut child = sandbox.command(words).stdout(full).stderr(Stdio::piped()).spawn().expect("it starts");
        let status = wait(&mut child);
        let mut said = String::new();
        std::io::Read::read_to_string(&mut child.stderr.take().expect("it was piped"), &mut said).expect("it is text");
        assert_eq!(code(status), 1, "{words:?}");
        assert!(said.contains("cannot write to standard output: no space left"), "{words:?}: {said}");
    }
}

#[test]
fn a_record_that_cannot_be_read_to_its_end_leaves_no_half_line() {
    if !have("strace") {
        return;
    }
    let sandbox = Sandbox::new();
    let big = vec![0xff; 9 << 20];
    let append = ["append", "LOG", "--quiet", "--text", "alpha", "--file", "BIG"];
    std::fs::write(sandbox.path().join("BIG"), big).expect("the sandbox has room");
    assert_eq!(sandbox.run(&append).code, 0);
    let mut broke_off = 0;
    for when in (1..400).step_by(13) {
        let line = format!(
            "strace -f -qq -o /dev/null -e trace=pread64 -e inject=pread64:error=EIO:when={when}+ walctl dump LOG --json"
        );
        let ran = finish(sandbox.shell(&line), b"");
        let whole = ran.stdout.is_empty() || ran.stdout.ends_with('\n');
        assert!(whole, "{when}: {:?}", &ran.stdout[ran.stdout.len().saturating_sub(80)..]);
        for line in ran.stdout.lines() {
            let value: serde_json::Value = serde_json::from_str(line).unwrap_or_else(|why| panic!("{when}: {why}"));
            broke_off += usize::from(value["incomplete"] == true);
            assert!(ran.code != 0 || value["incomplete"].is_null(), "{when}: a broken line and exit 0");
        }
    }
    assert!(broke_off > 0, "no read of the payload failed while it was printed");
}

#[test]
fn closed_descriptors_do_not_panic() {
    let sandbox = Sandbox::with("record alpha\ncut 10");
    for line in ["walctl verify LOG >&- 2>&-", "walctl dump LOG <&- >&- 2>&-", "walctl verify nothing-here 2>&-"] {
        let ran = finish(sandbox.shell(line), b"");
        assert!(ran.code < 100, "{line}: {ran:?}");
    }
}

#[test]
fn a_segment_on_standard_input_is_read_as_it_would_be_from_a_file() {
    let sandbox = Sandbox::with("times 50 record alpha\nrecord beta\ncut 10");
    let segment = std::fs::read(sandbox.path().join("LOG/00000000000000000001.wal")).expect("the recipe made it");
    let whole = finish(sandbox.command(&["dump", "LOG", "--raw"]), b"");
    let piped = finish(sandbox.command(&["dump", "-", "--raw"]), &segment);
    assert_eq!(piped.stdout, whole.stdout);
    assert_eq!(piped.stdout.lines().count(), 50);
    assert_eq!(finish(sandbox.command(&["verify", "-"]), &segment).code, 3);
}

#[test]
fn an_empty_standard_input_is_no_log() {
    let sandbox = Sandbox::new();
    let ran = finish(sandbox.command(&["verify", "-"]), b"");
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.stderr.starts_with("walctl verify: "), "{ran:?}");
}

#[test]
fn standard_input_can_be_named_only_once() {
    let sandbox = Sandbox::new();
    assert_eq!(sandbox.run(&["verify", "-", "-"]).code, 2);
}

#[test]
fn without_a_terminal_there_is_neither_colour_nor_progress() {
    let sandbox = Sandbox::with("times 100 record alpha\ncut 10");
    for words in COMMANDS {
        let ran = sandbox.run(words);
        assert!(!ran.stdout.contains('\x1b') && !ran.stderr.contains('\x1b'), "{words:?}: {ran:?}");
    }
    let asked = sandbox.run(&["verify", "LOG", "--color", "always"]);
    assert!(asked.stdout.contains('\x1b'), "{asked:?}");
}

#[test]
fn what_a_log_holds_cannot_steer_a_terminal() {
    let sandbox = Sandbox::with(r"record \x1b[2J\x1b]0;owned\x07 \xc2\x9b31m \xe2\x80\xae reversed");
    for words in [&["dump", "LOG"][..], &["verify", "LOG", "--map"], &["dump", "LOG", "--json"]] {
        let ran = sandbox.run(words);
        let steering = ran.stdout.chars().find(|c| (c.is_control() && *c != '\n') || *c == '\u{202e}');
        assert!(steering.is_none() || words.contains(&"--json") && steering == Some('\u{202e}'), "{words:?}: {ran:?}");
    }
}

#[test]
fn a_segment_is_sealed_when_it_is_old_though_nothing_comes_through_the_pipe() {
    let sandbox = Sandbox::new();
    let words = ["append", "LOG", "--segment-age", "20ms", "--json"];
    let mut child = sandbox.command(&words).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("it starts");
    let (mut stdin, stdout) = (child.stdin.take().expect("it was piped"), child.stdout.take().expect("it was piped"));
    let mut answers = BufReader::new(stdout).lines();
    let begun = Instant::now();
    for lsn in 1..=3u64 {
        writeln!(stdin, "{{\"payload\":\"alpha\"}}").expect("it reads");
        let answer = answers.next().expect("each record is answered").expect("it is text");
        assert!(answer.starts_with(&format!("{{\"lsn\":{lsn},")), "{answer}");
        // Only then the next one comes.
        let next = sandbox.path().join(format!("LOG/{:020}.wal", lsn + 1));
        while !next.exists() {
            assert!(begun.elapsed() < Duration::from_secs(60), "segment {lsn} never gets old");
            std::thread::sleep(Duration::from_millis(1));
        }
    }
    drop(stdin);
    assert_eq!(code(wait(&mut child)), 0);
    let verify = sandbox.run(&["verify", "LOG", "--json"]);
    assert_eq!((verify.code, verify.stdout.matches("\"sealed\"").count()), (0, 3), "{verify:?}");
}
