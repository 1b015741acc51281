//! Looking around in a log, in a real terminal: the screen of tmux is read, and keys are typed into it.

use std::fs;
use std::os::unix::fs::FileExt;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::fixture;
use crate::support::sandbox::{Sandbox, finish, have};

/// Nothing on a screen lasts that long unless it hangs.
const PATIENCE: Duration = Duration::from_secs(120);

const HURT: &str = "times 40 record alpha\nsegment\ntimes 40 record beta\nin 1\nflip @20+42 0\n";

/// A terminal with a shell line in it, on a server of its own.
struct Terminal<'s> {
    sandbox: &'s Sandbox,
    socket: String,
}

/// How many terminals there were: each has a server of its own.
static TERMINALS: AtomicUsize = AtomicUsize::new(0);

impl Terminal<'_> {
    /// Of so many columns and lines. What stays when the line has ended is `ended` and its exit code, and how the terminal is set then.
    fn of<'s>(sandbox: &'s Sandbox, size: (u16, u16), line: &str) -> Terminal<'s> {
        let socket = format!("socket-{}", TERMINALS.fetch_add(1, Ordering::Relaxed));
        let terminal = Terminal { sandbox, socket };
        let (width, height) = (size.0.to_string(), size.1.to_string());
        let line = format!("{line}; echo ended $?; stty -a | grep -o '[-]*icanon'; echo over; exec cat");
        let shell = ["sh", "-c", &line];
        let new = ["-f", "/dev/null", "new-session", "-d", "-s", "walctl", "-x", &width, "-y", &height];
        terminal.tmux(&[&new[..], &shell].concat());
        terminal
    }

    fn tmux(&self, words: &[&str]) -> String {
        let mut command = self.sandbox.shell("exec tmux -u -S \"$0\" \"$@\"");
        command.arg(&self.socket).args(words).env("TERM", "xterm-256color").env_remove("TMUX");
        let ran = finish(command, b"");
        assert_eq!(ran.code, 0, "{words:?}: {ran:?}");
        ran.stdout
    }

    fn screen(&self) -> String {
        self.tmux(&["capture-pane", "-p", "-t", "walctl"])
    }

    /// Waits until this stands on the screen, and gives what stands there then.
    fn shows(&self, text: &str) -> String {
        let begun = Instant::now();
        loop {
            let screen = self.screen();
            if screen.contains(text) {
                return screen;
            }
            assert!(begun.elapsed() < PATIENCE, "`{text}` does not come:\n{screen}");
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Types words as they are, and names of keys.
    fn types(&self, text: &str) {
        self.tmux(&["send-keys", "-t", "walctl", "-l", "--", text]);
    }

    fn key(&self, name: &str) {
        self.tmux(&["send-keys", "-t", "walctl", name]);
    }

    /// The terminal is the shell's again: its own screen, with lines.
    fn is_left_as_it_was(&self, code: i32) {
        let screen = self.shows("over");
        assert!(screen.contains(&format!("ended {code}\nicanon\nover")), "{screen}");
        assert_eq!(self.tmux(&["display", "-p", "-t", "walctl", "#{alternate_on} #{cursor_flag}"]).trim(), "0 1");
    }
}

impl Drop for Terminal<'_> {
    fn drop(&mut self) {
        let mut command = self.sandbox.shell("exec tmux -S \"$0\" kill-server");
        let _ = command.arg(&self.socket).env_remove("TMUX").output();
    }
}

/// A byte of the log is changed where it is meant to be looked for.
fn line_with<'a>(screen: &'a str, part: &str) -> &'a str {
    screen.lines().find(|line| line.contains(part)).unwrap_or_default()
}

#[test]
fn a_log_is_opened_moved_in_searched_followed_and_left() {
    if !have("tmux") {
        return;
    }
    let sandbox = Sandbox::new();
    let lines: String = (1..=500).map(|n| format!("record {n}\n")).collect();
    assert_eq!(finish(sandbox.command(&["append", "LOG", "--segment-bytes", "8KiB"]), lines.as_bytes()).code, 0);
    let terminal = Terminal::of(&sandbox, (80, 24), "walctl browse LOG");
    assert!(terminal.shows("LOG: clean").contains("[1 Segments"));
    assert!(line_with(&terminal.shows("-####"), "> 0000").contains("####"));
    terminal.key("Enter");
    assert!(terminal.shows("record 1\n").contains("[2 Records]"));
    terminal.types("G");
    assert!(line_with(&terminal.shows("record 500"), "record 500").starts_with("> 500"));
    terminal.types("/record 9$");
    terminal.key("Enter");
    terminal.shows("nothing below matches");
    terminal.types("N");
    assert!(line_with(&terminal.shows("record 9\n"), "record 9").starts_with(">   9"));
    terminal.key("Enter");
    terminal.shows("57 4c 46 31");
    terminal.key("Escape");
    terminal.types("F");
    terminal.shows("following");
    assert_eq!(finish(sandbox.command(&["append", "LOG"]), b"one more\n").code, 0);
    assert!(line_with(&terminal.shows("one more"), "one more").starts_with("> 501"));
    terminal.tmux(&["resize-window", "-t", "walctl", "-x", "40", "-y", "9"]);
    terminal.shows("following");
    terminal.types("q");
    terminal.is_left_as_it_was(0);
}

#[test]
fn every_sort_of_hurt_log_is_shown_with_what_it_means() {
    if !have("tmux") {
        return;
    }
    for (recipe, verdict, kind) in [
        ("record alpha\nrecord beta\ncut 10\n", "torn", "cut-short"),
        (HURT, "corrupt", "bad-checksum"),
        ("record alpha\nsegment\nrecord beta\nsegment\nrecord gamma\ndrop segment 2\n", "missing", "missing-segment"),
    ] {
        let sandbox = Sandbox::with(recipe);
        let terminal = Terminal::of(&sandbox, (80, 24), "walctl browse LOG");
        let screen = terminal.shows("LOG: ");
        assert!(!screen.contains("ended"), "{recipe}: {screen}");
        terminal.shows(&format!("LOG: {verdict}"));
        terminal.types("3");
        terminal.shows(kind);
        terminal.key("Enter");
        terminal.shows("usual cause");
        terminal.key("Enter");
        terminal.shows("[2 Records]");
        terminal.types("q");
        terminal.is_left_as_it_was(0);
    }
    // Nothing, and what is no frame at all.
    for (name, bytes) in
        [("empty", vec![]), ("noise", (0..9000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect())]
    {
        let sandbox = Sandbox::with("record alpha\nsegment\nrecord beta\n");
        fs::write(sandbox.path().join("LOG/00000000000000000002.wal"), bytes).expect("there is room");
        let terminal = Terminal::of(&sandbox, (80, 24), "walctl browse LOG");
        terminal.shows("LOG: ");
        terminal.types("2G");
        terminal.shows("[2 Records]");
        terminal.types("3q");
        let screen = terminal.shows("over");
        assert!(screen.contains("ended 0"), "{name}: {screen}");
    }
}

#[test]
fn sixteen_gibibytes_are_open_at_once_and_take_little_memory() {
    if !have("tmux") {
        return;
    }
    let sandbox = Sandbox::with("times 2000 record alpha\nclose\n");
    let path = sandbox.path().join("LOG/00000000000000000001.wal");
    let file = fs::OpenOptions::new().write(true).open(&path).expect("the segment is there");
    file.set_len(16 << 30).expect("the filesystem takes a hole");
    let terminal = Terminal::of(&sandbox, (80, 24), "sh -c 'echo $$ >pid; exec walctl browse LOG'");
    assert!(terminal.shows("[1 Segments (1)]").contains("16.0 GiB"));
    terminal.key("Enter");
    terminal.shows("> ");
    terminal.types(":1990");
    terminal.key("Enter");
    terminal.shows("> 1990");
    // When the check has read all of it, the most memory at any time is known, pages of mapped files among it.
    terminal.shows("LOG: clean");
    let pid = fs::read_to_string(sandbox.path().join("pid")).expect("it was written before");
    let status = fs::read_to_string(format!("/proc/{}/status", pid.trim())).expect("it runs");
    let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default().trim().to_owned();
    let kib =
        |name: &str| field(name).trim_end_matches(" kB").parse::<u64>().unwrap_or_else(|why| panic!("{name} {why}: {status}"));
    assert!(kib("VmHWM:") < 64 << 10, "{status}");
    terminal.types("q");
    terminal.is_left_as_it_was(0);
}

#[test]
fn a_signal_and_ctrl_c_give_the_terminal_back() {
    if !have("tmux") {
        return;
    }
    let sandbox = Sandbox::with(HURT);
    let terminal = Terminal::of(&sandbox, (80, 24), "walctl browse LOG");
    terminal.shows("LOG: corrupt");
    terminal.key("C-c");
    terminal.is_left_as_it_was(130);
    drop(terminal);
    let terminal = Terminal::of(&sandbox, (80, 24), "sh -c 'echo $$ >pid; exec walctl browse LOG'");
    terminal.shows("LOG: corrupt");
    let pid = fs::read_to_string(sandbox.path().join("pid")).expect("it was written before");
    assert!(Command::new("kill").args(["-TERM", pid.trim()]).status().expect("kill runs").success());
    terminal.is_left_as_it_was(130);
}

#[test]
fn what_could_steer_the_terminal_does_not_come_to_it() {
    if !have("tmux") {
        return;
    }
    let sandbox = Sandbox::with("record \\x1b]2;owned\\x07\\x1b[2J\\x1b[?1049ltext\n");
    let terminal = Terminal::of(&sandbox, (80, 24), "walctl browse LOG");
    terminal.shows("LOG: clean");
    terminal.key("Enter");
    terminal.shows(r"\x1b]2;owned");
    assert!(!terminal.tmux(&["display", "-p", "-t", "walctl", "#{pane_title}"]).contains("owned"));
    terminal.types("q");
    terminal.is_left_as_it_was(0);
}

#[test]
fn values_that_may_be_secret_come_to_the_screen_only_when_they_are_asked_for() {
    if !have("tmux") {
        return;
    }
    let sandbox = Sandbox::new();
    fixture::copy("etcd/clean_single", &sandbox.path().join("LOG")).expect("the fixture is there");
    let lines = sandbox.run(&["dump", "LOG", "--json", "--show-values", "--lsn", "11"]).stdout;
    let record: serde_json::Value = serde_json::from_str(lines.lines().next().expect("it has it")).expect("it is JSON");
    let value = record["decoded"]["value"].as_str().expect("it is a put").to_owned();
    let digits: Vec<String> = value.bytes().take(4).map(|byte| format!("{byte:02x}")).collect();
    let digits = digits.join(" ");
    for (flag, in_records, in_bytes) in
        [("", "put /shop/k0047 = 23 B #", "xx xx xx xx xx xx xx xx"), (" --show-values", &value, &digits)]
    {
        let is_shown = in_records == value;
        let terminal = Terminal::of(&sandbox, (200, 50), &format!("walctl browse LOG{flag}"));
        terminal.shows("LOG: clean");
        terminal.key("Enter");
        let records = terminal.shows(in_records);
        assert_eq!(records.contains(value.as_str()), is_shown, "{records}");
        terminal.types(":11");
        terminal.key("Enter");
        terminal.shows(">  11");
        terminal.key("Enter");
        let page = terminal.shows(in_bytes);
        assert!(page.contains("entry, LSN 11"), "{page}");
        assert_eq!((page.contains(value.as_str()), page.contains(&digits)), (is_shown, is_shown), "{page}");
        terminal.key("Escape");
        terminal.types("q");
        terminal.is_left_as_it_was(0);
    }
}

#[test]
fn without_colours_nothing_is_told_by_colour() {
    if !have("tmux") {
        return;
    }
    let sandbox = Sandbox::with(HURT);
    let coloured = |line: &str| {
        let terminal = Terminal::of(&sandbox, (80, 24), line);
        terminal.shows("LOG: corrupt");
        terminal.tmux(&["capture-pane", "-p", "-e", "-t", "walctl"])
    };
    let is = |screen: &str| ["\x1b[31m", "\x1b[1m\x1b[31m", ";31m", "38;5;1m"].iter().any(|red| screen.contains(red));
    assert!(is(&coloured("walctl browse LOG")));
    assert!(!is(&coloured("NO_COLOR=1 walctl browse LOG")) && !is(&coloured("walctl browse LOG --color never")));
}

#[test]
fn where_there_is_no_screen_it_says_so_and_names_dump() {
    let sandbox = Sandbox::with(HURT);
    let ran = sandbox.run(&["browse", "LOG"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (2, ""));
    assert!(ran.stderr.contains("needs a terminal") && ran.stderr.contains("next: walctl dump LOG"), "{ran:?}");
    for words in
        [&["browse", "LOG", "--json"][..], &["browse", "-"], &["browse"], &["browse", "LOG", "LOG"], &["browse", "s3://a/b"]]
    {
        assert_eq!(sandbox.run(words).code, 2, "{words:?}");
    }
    if !have("script") {
        return;
    }
    let on_terminal = |line: &str| finish(sandbox.shell(&format!("script -qec '{line}' /dev/null")), b"");
    let dumb = on_terminal("TERM=dumb walctl browse LOG");
    assert!(dumb.code == 2 && dumb.stdout.contains("TERM=dumb") && !dumb.stdout.contains('\x1b'), "{dumb:?}");
    assert_eq!(on_terminal("walctl browse nothing-here").code, 1);
}

#[test]
fn a_log_that_is_written_and_pruned_under_the_eyes_is_no_failure() {
    if !have("tmux") {
        return;
    }
    let sandbox = Sandbox::new();
    let lines: String = (1..=2000).map(|n| format!("record {n}\n")).collect();
    assert_eq!(finish(sandbox.command(&["append", "LOG", "--segment-bytes", "8KiB"]), lines.as_bytes()).code, 0);
    let terminal = Terminal::of(&sandbox, (80, 24), "walctl browse LOG");
    terminal.shows("LOG: clean");
    terminal.key("Enter");
    terminal.shows("record 1\n");
    let gone = sandbox.run(&["rotate", "LOG", "--keep-segments", "3"]);
    assert_eq!(gone.code, 0, "{gone:?}");
    terminal.types("G");
    terminal.shows("record 2000");
    terminal.types("g");
    terminal.shows("[2 Records]");
    terminal.types("R");
    terminal.shows("LOG: clean");
    terminal.types("q");
    terminal.is_left_as_it_was(0);
    // A byte that rots meanwhile is found by the next check.
    let segments = fs::read_dir(sandbox.path().join("LOG")).expect("it lists").filter_map(Result::ok);
    let first = segments
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|e| e == "wal"))
        .min()
        .expect("one is left");
    let terminal = Terminal::of(&sandbox, (80, 24), "walctl browse LOG");
    terminal.shows("LOG: clean");
    let file = fs::OpenOptions::new().write(true).open(first).expect("the segment is there");
    file.write_all_at(b"\xff", 4096 + 42).expect("it takes a byte");
    terminal.types("R");
    terminal.shows("LOG: corrupt");
}
