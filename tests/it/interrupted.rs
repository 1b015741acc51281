//! Ctrl-C and a polite kill: what was found is said, and what is left on the disk; nothing half-done stays under a name that counts.

use std::fs;
use std::process::Stdio;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::support::sandbox::{Sandbox, code, finish, have, wait};

/// A log that no command is through with before a signal can come.
fn large() -> Sandbox {
    let sandbox = Sandbox::new();
    let words = ["append", "LOG", "--count", "2000", "--size", "64KiB", "--segment-bytes", "1MiB", "--sync", "none", "--quiet"];
    let ran = sandbox.run(&words);
    assert_eq!(ran.code, 0, "{ran:?}");
    sandbox
}

/// Whether the process has read some of the log. Then its handlers stand, and its work has begun.
fn reads(id: u32) -> bool {
    let counts = fs::read_to_string(format!("/proc/{id}/io")).unwrap_or_default();
    let read = counts.lines().find_map(|line| line.strip_prefix("rchar: ")?.parse::<u64>().ok());
    read.is_some_and(|read| read > 500_000)
}

/// Stops the process, so that whatever is sent to it next comes at once and before it has done anything more.
fn at_once(child: &std::process::Child, signals: &[Signal]) {
    let send = |signal| kill_process(Pid::from_child(child), signal).expect("it runs");
    send(Signal::STOP);
    signals.iter().for_each(|signal| send(*signal));
    send(Signal::CONT);
}

/// Starts a command, sends it these signals once it is `ready`, and gives exit code, standard output and standard error.
fn interrupt(sandbox: &Sandbox, words: &[&str], signals: &[Signal], ready: impl Fn(u32) -> bool) -> (i32, String, String) {
    let file = |name: &str| Stdio::from(fs::File::create(sandbox.path().join(name)).expect("room"));
    let mut child = sandbox.command(words).stdout(file("out")).stderr(file("err")).spawn().expect("it starts");
    let begun = Instant::now();
    while !ready(child.id()) {
        assert!(child.try_wait().expect("it can be waited for").is_none(), "{words:?} ended before it was ready");
        assert!(begun.elapsed() < Duration::from_secs(60), "{words:?} was never ready");
        std::thread::sleep(Duration::from_millis(1));
    }
    match signals {
        [signal] => kill_process(Pid::from_child(&child), *signal).expect("it runs"),
        several => at_once(&child, several),
    }
    let ended = code(wait(&mut child));
    let text = |name: &str| fs::read_to_string(sandbox.path().join(name)).expect("it is text");
    (ended, text("out"), text("err"))
}

#[test]
fn a_check_says_how_far_it_came_and_that_nothing_was_changed() {
    let sandbox = large();
    let before = sandbox.files("LOG");
    for signal in [Signal::INT, Signal::TERM] {
        // Read so slowly, it cannot be through.
        let words = ["verify", "LOG", "--io", "read", "--max-rate", "1MiB/s", "--jobs", "1"];
        let (code, out, err) = interrupt(&sandbox, &words, &[signal], reads);
        assert_eq!((code, out.as_str()), (130, ""), "{err}");
        assert!(err.starts_with("interrupted checking LOG, after ") && err.ends_with("; nothing was changed\n"), "{err}");
        assert!(err.contains(" of 125.") || err.contains(" of 12"), "how much there is: {err}");
        let words = ["stats", "LOG", "--scan", "--io", "read"];
        let (code, out, err) = interrupt(&sandbox, &words, &[signal], reads);
        assert_eq!((code, out.as_str()), (130, ""), "{err}");
        assert!(err.starts_with("interrupted counting LOG, after ") && err.ends_with("; nothing was changed\n"), "{err}");
    }
    let quiet = ["verify", "LOG", "--io", "read", "--max-rate", "1MiB/s", "--jobs", "1", "--quiet"];
    let (code, _, err) = interrupt(&sandbox, &quiet, &[Signal::INT], reads);
    assert_eq!((code, err.as_str()), (130, ""));
    assert!(sandbox.files("LOG") == before, "nothing was changed");
}

#[test]
fn a_salvage_that_is_interrupted_leaves_nothing_and_says_so() {
    let sandbox = large();
    let (new, before) = (sandbox.path().join("NEW.walctl-unfinished"), sandbox.files("LOG"));
    for signal in [Signal::INT, Signal::TERM] {
        let (code, out, err) = interrupt(&sandbox, &["repair", "LOG", "--salvage", "NEW"], &[signal], |_| new.exists());
        assert_eq!((code, out.as_str()), (130, ""), "{err}");
        let says = "; what was written of NEW has been removed, and LOG was not touched\n";
        assert!(err.starts_with("interrupted salvaging LOG, after ") && err.ends_with(says), "{err}");
        assert!(!new.exists() && !sandbox.path().join("NEW").exists(), "nothing is left");
    }
    assert!(sandbox.files("LOG") == before, "the log is as it was");
}

#[test]
fn on_a_terminal_the_sentence_is_broken_into_lines_and_no_escapes_are_seen() {
    if !have("script") {
        return;
    }
    // A terminal of 80 columns: the note on what an interrupted salvage leaves is longer.
    let sandbox = large();
    let line = "stty cols 80; walctl repair LOG --salvage NEW & id=$!; until [ -d NEW.walctl-unfinished ]; do sleep 0.01; done; kill $id; wait $id";
    let shell = format!("script -qec '{line}' /dev/null </dev/null");
    let ran = finish(sandbox.shell(&shell), b"");
    assert_eq!(ran.code, 130, "{ran:?}");
    let (_, said) = ran.stdout.split_once("interrupted salvaging LOG, after ").unwrap_or_else(|| panic!("{ran:?}"));
    assert!(!said.contains("\\n") && said.contains("\r\n  "), "{said}");
    assert!(
        said.replace("\r\n  ", " ").contains("; what was written of NEW has been removed, and LOG was not touched"),
        "{said}"
    );
}

#[test]
fn a_search_that_is_interrupted_hands_over_what_it_found() {
    let sandbox = large();
    let words = ["dump", "LOG", "--grep", "no record has this", "--json", "--io", "read"];
    let (code, out, err) = interrupt(&sandbox, &words, &[Signal::TERM], reads);
    assert_eq!((code, out.as_str()), (130, ""));
    assert_eq!(err, "LOG: interrupted: 0 records shown; the rest of the log was not read\n");
    let out_file = sandbox.path().join("out");
    let some = |_| fs::metadata(&out_file).is_ok_and(|meta| meta.len() > 100_000);
    let (code, out, err) = interrupt(&sandbox, &["dump", "LOG", "--json"], &[Signal::INT], some);
    assert_eq!(code, 130, "{err}");
    let lines: Vec<&str> = out.lines().collect();
    assert!(out.ends_with('\n') && lines.iter().all(|line| line.starts_with('{') && line.ends_with('}')), "only whole lines");
    assert_eq!(err, format!("LOG: interrupted: {} records shown; the rest of the log was not read\n", lines.len()));
}

#[test]
fn an_archive_that_is_interrupted_says_what_is_gone_and_leaves_a_whole_log() {
    let sandbox = large();
    let archive = sandbox.path().join("ARCHIVE");
    let some = |_| fs::read_dir(&archive).is_ok_and(|entries| entries.count() > 2);
    let words = ["rotate", "LOG", "--keep-segments", "1", "--archive", "ARCHIVE"];
    let (code, out, err) = interrupt(&sandbox, &words, &[Signal::INT], some);
    assert_eq!(code, 130, "{out}{err}");
    assert!(err.starts_with("interrupted: ") && err.ends_with(" left to go, with the same command; the log is whole\n"), "{err}");
    assert!(err.contains(" archived in ARCHIVE and gone from LOG; "), "{err}");
    assert_eq!(sandbox.run(&["verify", "LOG", "--quiet"]).code, 0);
    assert_eq!(sandbox.run(&["verify", "ARCHIVE", "--quiet"]).code, 0, "what was copied is whole");
    let half: Vec<String> =
        sandbox.files("ARCHIVE").into_iter().map(|(name, _)| name).filter(|name| name.contains("unfinished")).collect();
    assert_eq!(half, [""; 0]);
    let again = sandbox.run(&words);
    assert_eq!((again.code, sandbox.run(&["verify", "LOG", "--quiet"]).code), (0, 0), "{again:?}");
}

#[test]
fn twice_means_now_for_every_command_that_lasts_and_what_is_left_is_named() {
    let sandbox = large();
    let exists = |name: &'static str| {
        let path = sandbox.path().join(name);
        move |_: u32| path.exists()
    };
    let archive = sandbox.path().join("ARCHIVE");
    let archives = move |_: u32| fs::read_dir(&archive).is_ok_and(|entries| entries.count() > 1);
    let slow = ["--io", "read", "--max-rate", "1MiB/s"];
    let salvage = "ended at once: what was written is left in NEW.walctl-unfinished, and LOG was not touched\n";
    let append = "ended at once: OTHER is not closed; what was acknowledged is durable, and the next writer opens it\n";
    let rotate =
        "ended at once: LOG is whole; half a copy may be left in ARCHIVE, under a name that the same command uses again\n";
    let out = sandbox.path().join("out");
    let acknowledges = move |_: u32| fs::metadata(&out).is_ok_and(|meta| meta.len() > 10);
    type Ready<'a> = &'a dyn Fn(u32) -> bool;
    let long: [(&[&str], Ready<'_>, &str); 7] = [
        (&[&["verify", "LOG", "--jobs", "1"], &slow[..]].concat(), &reads, ""),
        (&[&["stats", "LOG", "--scan", "--jobs", "1"], &slow[..]].concat(), &reads, ""),
        (&[&["dump", "LOG", "--json"], &slow[..]].concat(), &reads, ""),
        (&[&["diff", "LOG", "LOG"], &slow[..]].concat(), &reads, ""),
        (&["repair", "LOG", "--salvage", "NEW", "--max-rate", "60MiB/s"], &exists("NEW.walctl-unfinished"), salvage),
        (&["append", "OTHER", "--count", "100000000", "--rate", "1000"], &acknowledges, append),
        (&["rotate", "LOG", "--keep-segments", "1", "--archive", "ARCHIVE"], &archives, rotate),
    ];
    for (words, ready, says) in long {
        let (code, _, err) = interrupt(&sandbox, words, &[Signal::INT, Signal::TERM], ready);
        assert_eq!((code, err.as_str()), (130, says), "{words:?}");
    }
    let left = || {
        let names = fs::read_dir(sandbox.path().join("DISK")).into_iter().flatten().filter_map(Result::ok);
        names.map(|entry| entry.file_name().to_string_lossy().into_owned()).find(|name| name.starts_with("walctl-bench-"))
    };
    let measures = |_: u32| left().is_some_and(|name| sandbox.path().join("DISK").join(name).join("cell-0").exists());
    let words = ["bench", "DISK", "--appenders", "1", "--duration", "100s", "--repeats", "1"];
    let (code, out, err) = interrupt(&sandbox, &words, &[Signal::INT, Signal::TERM], measures);
    let name = left().expect("its folder is left");
    let said = format!("ended at once: DISK/{name} is left, which holds only what was measured with, and can be removed\n");
    assert_eq!((code, out.as_str(), err), (130, "", said));
    // What was named can be gone on from.
    assert_eq!(sandbox.run(&["repair", "LOG", "--salvage", "NEW", "--quiet"]).code, 0);
    assert_eq!(sandbox.run(&["rotate", "LOG", "--keep-segments", "1", "--archive", "ARCHIVE", "--quiet"]).code, 0);
    assert_eq!(sandbox.run(&["append", "OTHER", "--repair", "--text", "one more", "--quiet"]).code, 0);
    assert_eq!(sandbox.run(&["verify", "LOG", "ARCHIVE", "OTHER", "NEW", "--quiet"]).code, 0);
}

#[test]
fn appending_files_shows_a_bar_on_a_terminal_with_rate_and_time_left_and_nothing_in_a_pipe() {
    if !have("script") {
        return;
    }
    let sandbox = Sandbox::new();
    fs::write(sandbox.path().join("FILE"), "x".repeat(1000)).expect("room");
    // Two records a second: the third and the fourth come after what is short shows no bar.
    let words = "append LOG --file FILE --file FILE --file FILE --file FILE --file FILE --rate 2 --quiet";
    let line = words.replace(" --quiet", " > OUT");
    let ran = finish(sandbox.shell(&format!("script -qec 'stty cols 80; walctl {line}' /dev/null </dev/null")), b"");
    assert_eq!(ran.code, 0, "{ran:?}");
    let says = |text: &str| ran.stdout.contains("appending to LOG [") && ran.stdout.contains(text);
    assert!(says("B/s, ") && says(" of 4.9 KiB") && says(" s left"), "{ran:?}");
    let ran = finish(sandbox.shell(&format!("walctl {}", words.replace(" --quiet", ""))), b"");
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
}
