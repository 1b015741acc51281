//! Reading on while a log grows: the real binary, given one thing after the other and asked for each.

use std::fs::{self, OpenOptions};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::FileExt;
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use walctl::disk::{Disk, RealDisk};
use walctl::ops::open::{Choice, open};
use walctl::ops::read::Follow;

use crate::support::following::step;
use crate::support::recipe::{self, cook};
use crate::support::sandbox::{Sandbox, code, wait};
use crate::support::wounds::Dice;

/// A run of `dump --follow` whose lines are taken one by one.
struct Following {
    child: Child,
    lines: Receiver<String>,
}

impl Following {
    fn start(sandbox: &Sandbox, words: &[&str]) -> Following {
        let all = [&["dump", "--follow", "--raw", "LOG"], words].concat();
        let mut child = sandbox.command(&all).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
        let stdout = child.stdout.take().expect("it was piped");
        let (send, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if send.send(line).is_err() {
                    return;
                }
            }
        });
        Following { child, lines }
    }

    fn line(&mut self) -> String {
        // Nothing takes that long unless it hangs.
        self.lines.recv_timeout(Duration::from_secs(60)).expect("a line comes")
    }

    /// Interrupts it: how it ends, and what it says then.
    fn interrupt(mut self) -> (i32, String) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::INT).expect("it still runs");
        let status = wait(&mut self.child);
        let mut said = String::new();
        self.child.stderr.take().expect("it was piped").read_to_string(&mut said).expect("it is text");
        (code(status), said)
    }
}

/// Makes `LOG` what a longer recipe says, file by file, each with one write behind what is there.
fn grow(sandbox: &Sandbox, recipe: &str) {
    for segment in cook(recipe).expect("a good recipe").segments {
        let path = sandbox.path().join("LOG").join(&segment.name);
        let have = fs::metadata(&path).map_or(0, |meta| meta.len());
        let mut file = OpenOptions::new().create(true).append(true).open(path).expect("the folder takes files");
        file.write_all(&segment.bytes[usize::try_from(have).expect("small")..]).expect("the file takes bytes");
    }
}

#[test]
fn what_is_appended_is_shown_across_segments_until_an_interruption() {
    let sandbox = Sandbox::with("record one");
    let mut following = Following::start(&sandbox, &["--cursor", "cursor"]);
    assert_eq!(following.line(), "one");
    grow(&sandbox, "record one\nrecord two\nbatch\nrecord three\nrecord four\nend");
    assert_eq!([following.line(), following.line(), following.line()], ["two", "three", "four"]);
    grow(&sandbox, "record one\nrecord two\nbatch\nrecord three\nrecord four\nend\nrecord five\nsegment\nrecord six");
    assert_eq!([following.line(), following.line()], ["five", "six"]);
    let (code, said) = following.interrupt();
    assert_eq!(code, 130, "{said}");
    let cursor = fs::read_to_string(sandbox.path().join("cursor")).expect("it was kept");
    assert!(cursor.starts_with("{\"segment\":\"00000000000000000006.wal\",\"lsn\":6,"), "{cursor}");
    assert_eq!(sandbox.run(&["dump", "--raw", "LOG", "--cursor", "cursor", "--fail-empty"]).code, 7);
}

#[test]
fn following_ends_when_nobody_reads_any_more() {
    let sandbox = Sandbox::with("record one");
    let (reader, writer) = std::io::pipe().expect("a pipe can be made");
    let words = ["dump", "--follow", "--raw", "LOG"];
    let mut child = sandbox.command(&words).stdout(writer).stderr(Stdio::piped()).spawn().expect("it starts");
    let mut line = String::new();
    let mut reader = BufReader::new(reader);
    reader.read_line(&mut line).expect("a line comes");
    assert_eq!(line, "one\n");
    drop(reader);
    assert_eq!(code(wait(&mut child)), 0);
}

#[test]
fn following_ends_when_its_limit_is_reached_later() {
    let sandbox = Sandbox::with("record one");
    let mut following = Following::start(&sandbox, &["--limit", "2", "--tail", "1"]);
    assert_eq!(following.line(), "one");
    grow(&sandbox, "record one\nrecord two\nrecord three");
    assert_eq!(following.line(), "two");
    assert_eq!(code(wait(&mut following.child)), 0);
    assert!(following.lines.recv_timeout(Duration::from_secs(60)).is_err(), "nothing comes behind the limit");
}

#[test]
fn what_comes_to_stand_far_behind_the_end_is_found_a_second_later_and_records_do_not_wait_for_it() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let log = walctl::Log::open(dir.path()).expect("a new log");
    for _ in 0..100 {
        log.append([7; 1000]).expect("the disk is well");
    }
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let inputs = open(&disk, dir.path(), &Choice::default()).expect("it opens");
    let mut follow = Follow::new(inputs[0].source.clone(), None);
    assert_eq!(step(&mut follow, &inputs[0], false).0.len(), 100);
    assert!(step(&mut follow, &inputs[0], false).1.is_none(), "nothing was written");
    let path = &inputs[0].source.segments[0].path;
    let end = log.append("x").expect("the disk is well").offset + 100;
    let length = fs::metadata(path).expect("it is there").len();
    assert!(length > end + 300_000, "room was made ahead");
    let file = OpenOptions::new().write(true).open(path).expect("it is there");
    file.write_all_at(b"nobody wrote this", end + 200_000).expect("it takes bytes");
    let began = Instant::now();
    assert_eq!(step(&mut follow, &inputs[0], false).0, [101]);
    while step(&mut follow, &inputs[0], false).1.is_none_or(|outcome| outcome.damage.is_empty()) {
        assert!(began.elapsed() < Duration::from_secs(60), "it is never found");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_log_that_grows_in_pieces_of_any_length_is_followed_without_a_gap_a_repetition_or_damage() {
    for seed in 0..60 {
        let mut dice = Dice::of(seed);
        let recipe = growing(&mut dice);
        let made = cook(&recipe).expect("a good recipe");
        let dir = tempfile::tempdir().expect("a temporary folder");
        let (first, room) = (&made.segments[0], 8192 * dice.roll(2) as u64);
        let begin = |segment: &recipe::Segment| {
            let file = fs::File::create(dir.path().join(&segment.name)).expect("room for a small log");
            // Some writers make room ahead.
            file.set_len(if room > 0 { segment.bytes.len() as u64 + room } else { 0 }).expect("room for a small log");
            file.write_all_at(&segment.bytes[..4096], 0).expect("room for a small log");
            file
        };
        let mut file = begin(first);
        let disk: Arc<dyn Disk> = Arc::new(RealDisk);
        let input = &open(&disk, dir.path(), &Choice::default()).expect("it opens")[0];
        let mut follow = Follow::new(input.source.clone(), None);
        let mut seen = Vec::new();
        for (index, segment) in made.segments.iter().enumerate() {
            if index > 0 {
                file.set_len(made.segments[index - 1].bytes.len() as u64).expect("the room is given back");
                file = begin(segment);
            }
            let mut at = 4096;
            while at < segment.bytes.len() {
                let most = *dice.pick(&[8, 40, 300]);
                let end = (at + 1 + dice.roll(most)).min(segment.bytes.len());
                file.write_all_at(&segment.bytes[at..end], at as u64).expect("room for a small log");
                at = end;
                follow = follow.soon_again();
                let (lsns, outcome) = step(&mut follow, input, true);
                seen.extend(lsns);
                let damage = outcome.map(|outcome| outcome.damage).unwrap_or_default();
                assert!(damage.is_empty(), "seed {seed}, {} to {at}: {damage:?}\n{recipe}", segment.name);
            }
        }
        let whole = open(&disk, dir.path(), &Choice::default()).expect("it opens");
        let mut thorough = Follow::new(whole[0].source.clone(), None);
        let (all, outcome) = step(&mut thorough, &whole[0], false);
        let damage = outcome.map(|outcome| outcome.damage).unwrap_or_default();
        assert!(damage.is_empty() && seen == all, "seed {seed}: {seen:?}, {all:?}, {damage:?}\n{recipe}");
        assert!(seen.len() > 5, "seed {seed}\n{recipe}");
    }
}

/// Records of every sort in one to four segments.
fn growing(dice: &mut Dice) -> String {
    let mut recipe = "record first\n".to_owned();
    for n in 0..6 + dice.roll(12) {
        recipe += &match dice.roll(8) {
            0 => format!("batch\nrecord {n}\nrecord b{n}\nend\n"),
            1 => format!("lz4 record {}\n", "abc".repeat(60)),
            2 => format!("split {} record {}\n", 1 + dice.roll(9), "x".repeat(20 + dice.roll(400))),
            3 => format!("record {n}\nseal\nsegment\n"),
            4 => format!("fill {} 120\n", 1 + dice.roll(20)),
            _ => format!("record {n}\n"),
        };
    }
    recipe + "record last\n"
}
