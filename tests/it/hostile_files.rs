//! Links, named pipes and folders where a file should be, strangers' files, and folders that are taken away: nothing hangs, nothing is
//! written where it should not be, and nothing that is there counts as absent.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::support::sandbox::{Ran, Sandbox, code, finish, have, wait};

const FIRST: &str = "00000000000000000001.wal";
const THREE: &str = "record alpha\nrecord beta\nseal\nsegment\nrecord gamma\nseal\nsegment\nrecord delta";

/// Nothing here takes that long unless it hangs: `timeout` ends it with 124.
fn quickly(sandbox: &Sandbox, line: &str) -> Ran {
    finish(sandbox.shell(&format!("timeout -k 1 20 walctl {line}")), b"")
}

fn mkfifo(path: &Path) {
    let status = Command::new("mkfifo").arg(path).status().expect("mkfifo is there");
    assert!(status.success());
}

/// The segments of a log, in order.
fn segments(sandbox: &Sandbox) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(sandbox.path().join("LOG"))
        .expect("the log is there")
        .map(|entry| entry.expect("it can be listed").file_name().to_string_lossy().into_owned())
        .filter(|name| name.ends_with(".wal"))
        .collect();
    names.sort();
    names
}

#[test]
fn a_lock_that_is_a_link_to_another_file_is_refused_and_the_file_keeps_its_content() {
    for (hard, command) in [false, true]
        .into_iter()
        .flat_map(|hard| ["append LOG --text a", "rotate LOG", "repair LOG"].map(|command| (hard, command)))
    {
        // There must be something to repair.
        let torn = if command.starts_with("repair") { "cut 10" } else { "" };
        let sandbox = Sandbox::with(&format!("record alpha\nrecord beta\n{torn}"));
        let (victim, lock) = (sandbox.path().join("victim"), sandbox.path().join("LOG/LOCK"));
        fs::write(&victim, "precious").expect("room for a few bytes");
        if hard { fs::hard_link(&victim, &lock) } else { symlink("../victim", &lock) }.expect("links can be made");
        let before = sandbox.files("LOG");
        let ran = quickly(&sandbox, command);
        assert_eq!(fs::read_to_string(&victim).expect("it is there"), "precious", "{hard} {command}");
        assert_eq!(ran.code, 1, "{hard} {command}: {ran:?}");
        assert!(ran.stderr.contains("LOG/LOCK") && ran.stderr.contains("link"), "{hard} {command}: {ran:?}");
        assert!(sandbox.files("LOG") == before, "{hard} {command}");
    }
}

#[test]
fn a_lock_file_with_words_that_no_writer_of_ours_left_is_not_emptied() {
    let sandbox = Sandbox::with("record alpha");
    fs::write(sandbox.path().join("LOG/LOCK"), "held by another program").expect("room for a few bytes");
    let ran = quickly(&sandbox, "append LOG --text a");
    assert_eq!(ran.code, 1, "{ran:?}");
    assert_eq!(fs::read_to_string(sandbox.path().join("LOG/LOCK")).expect("it is there"), "held by another program");
}

#[test]
fn a_segment_that_cannot_be_reached_is_unreadable_by_name_in_every_command_and_never_absent() {
    for which in [0, 1, 2] {
        for stand in ["link", "pipe", "folder"] {
            let sandbox = Sandbox::with(THREE);
            let names = segments(&sandbox);
            let path = sandbox.path().join("LOG").join(&names[which]);
            fs::remove_file(&path).expect("it is there");
            match stand {
                "link" => symlink("/nowhere/at/all.wal", &path).expect("links can be made"),
                "pipe" => mkfifo(&path),
                _ => fs::create_dir(&path).expect("folders can be made"),
            }
            let context = format!("{stand} as segment {which}");
            for command in ["verify LOG", "dump LOG", "stats LOG", "verify LOG --media"] {
                let ran = quickly(&sandbox, command);
                assert_eq!(ran.code, 4, "{context}: {command}: {ran:?}");
                let named = (ran.stdout + &ran.stderr).contains(&names[which]);
                assert!(named || command.starts_with("stats"), "{context}: {command}");
            }
            let json = quickly(&sandbox, "verify LOG --json");
            let report: serde_json::Value = serde_json::from_str(&json.stdout).expect("it is JSON");
            assert_eq!(report["verdict"], "unreadable", "{context}: {report}");
            assert_eq!(report["segments"].as_array().map(Vec::len), Some(3), "{context}: {report}");
            let damage = &report["damage"][0];
            assert_eq!((&damage["file"], &damage["verdict"]), (&names[which].as_str().into(), &"unreadable".into()), "{context}");
            assert_eq!(damage["acknowledged"], "unknown", "{context}: {report}");
        }
    }
}

#[test]
fn a_last_segment_that_cannot_be_reached_is_neither_written_behind_nor_replaced() {
    for stand in ["link", "pipe", "folder"] {
        let sandbox = Sandbox::with(THREE);
        let last = segments(&sandbox).pop().expect("there are three");
        let path = sandbox.path().join("LOG").join(&last);
        fs::remove_file(&path).expect("it is there");
        match stand {
            "link" => symlink("/nowhere/at/all.wal", &path).expect("links can be made"),
            "pipe" => mkfifo(&path),
            _ => fs::create_dir(&path).expect("folders can be made"),
        }
        for command in
            ["append LOG --text a", "append LOG --repair --text a", "rotate LOG", "repair LOG", "rotate LOG --keep-segments 1"]
        {
            let ran = quickly(&sandbox, command);
            assert_eq!(ran.code, 4, "{stand}: {command}: {ran:?}");
            assert!(ran.stdout.is_empty() || command.starts_with("repair"), "{stand}: {command}: {ran:?}");
            assert!((ran.stdout + &ran.stderr).contains(&last), "{stand}: {command}");
        }
        let kind = fs::symlink_metadata(&path).expect("it is there").file_type();
        assert!(!kind.is_file(), "{stand}: it was replaced");
        assert_eq!(segments(&sandbox).len(), 3, "{stand}");
    }
}

#[test]
fn a_log_of_which_no_segment_can_be_reached_is_no_empty_log() {
    let sandbox = Sandbox::new();
    fs::create_dir(sandbox.path().join("LOG")).expect("folders can be made");
    symlink("/nowhere/1.wal", sandbox.path().join("LOG").join(FIRST)).expect("links can be made");
    for command in ["verify LOG", "dump LOG", "append LOG --text a"] {
        let ran = quickly(&sandbox, command);
        assert!(matches!(ran.code, 1 | 4), "{command}: {ran:?}");
        assert!((ran.stdout + &ran.stderr).contains(FIRST), "{command}");
    }
    assert!(fs::symlink_metadata(sandbox.path().join("LOG").join(FIRST)).expect("it is there").is_symlink());
}

#[test]
fn an_active_segment_behind_a_link_is_read_and_not_written() {
    let sandbox = Sandbox::with("record alpha");
    let (real, path) = (sandbox.path().join("elsewhere"), sandbox.path().join("LOG").join(FIRST));
    fs::rename(&path, &real).expect("it moves");
    symlink("../elsewhere", &path).expect("links can be made");
    let before = fs::read(&real).expect("it reads");
    assert_eq!(quickly(&sandbox, "verify LOG").code, 0);
    for command in ["append LOG --text a", "rotate LOG"] {
        let ran = quickly(&sandbox, command);
        assert_eq!(ran.code, 1, "{command}: {ran:?}");
        assert!(ran.stderr.contains("symbolic link"), "{command}: {ran:?}");
    }
    assert!(fs::read(&real).expect("it reads") == before);
}

#[test]
fn what_others_put_where_room_is_to_be_made_is_refused_before_anything_is_written() {
    for name in ["next.walctl-unfinished", "spare-2.walctl-unfinished"] {
        for kind in ["link", "folder"] {
            let sandbox = Sandbox::new();
            assert_eq!(sandbox.run(&["append", "LOG", "--text", "one"]).code, 0);
            let (path, before) = (sandbox.path().join("LOG").join(name), sandbox.files("LOG"));
            if kind == "link" { symlink("/nowhere", &path) } else { fs::create_dir(&path) }.expect("it can be made");
            let ran = sandbox.run(&["append", "LOG", "--text", "two"]);
            assert_eq!((ran.code, ran.stdout.as_str()), (1, ""), "{name}, {kind}: {}", ran.stderr);
            assert!(ran.stderr.contains("which walctl has not made"), "{name}, {kind}: {}", ran.stderr);
            fs::symlink_metadata(&path).expect("it is still there");
            if kind == "link" { fs::remove_file(&path) } else { fs::remove_dir(&path) }.expect("it goes");
            assert_eq!(sandbox.files("LOG"), before);
        }
    }
}

#[test]
fn a_cursor_that_is_a_pipe_or_a_link_is_refused_before_anything_is_shown() {
    let sandbox = Sandbox::with("record alpha");
    mkfifo(&sandbox.path().join("pipe"));
    symlink("nothing-yet", sandbox.path().join("dangling")).expect("links can be made");
    fs::write(sandbox.path().join("kept"), "").expect("room");
    symlink("kept", sandbox.path().join("link")).expect("links can be made");
    for name in ["pipe", "dangling", "link"] {
        for follow in ["", " --follow"] {
            let ran = quickly(&sandbox, &format!("dump LOG --cursor {name}{follow}"));
            assert_eq!((ran.code, ran.stdout.as_str()), (1, ""), "{name}: {ran:?}");
            assert!(ran.stderr.contains(name), "{ran:?}");
        }
    }
    assert!(!sandbox.path().join("nothing-yet").exists());
    assert_eq!(fs::read(sandbox.path().join("kept")).expect("it is there"), b"");
}

#[test]
fn a_new_cursor_is_not_written_through_a_link_that_waits_at_its_working_name() {
    let sandbox = Sandbox::with("record alpha");
    fs::write(sandbox.path().join("victim"), "precious").expect("room");
    for name in ["cursor.new", "cursor.walctl-unfinished"] {
        symlink("victim", sandbox.path().join(name)).expect("links can be made");
    }
    quickly(&sandbox, "dump LOG --cursor cursor");
    assert_eq!(fs::read_to_string(sandbox.path().join("victim")).expect("it is there"), "precious");
}

#[test]
fn a_ledger_is_not_written_through_a_link_nor_into_a_pipe() {
    for stand in ["link", "pipe"] {
        let sandbox = Sandbox::with("record alpha");
        fs::write(sandbox.path().join("victim"), "").expect("room");
        let path = sandbox.path().join("ledger");
        if stand == "link" {
            symlink("victim", &path).expect("links can be made")
        } else {
            mkfifo(&path)
        }
        let ran = quickly(&sandbox, "append LOG --text a --ledger ledger");
        assert_eq!((ran.code, ran.stdout.as_str()), (1, ""), "{stand}: {ran:?}");
        assert_eq!(fs::read(sandbox.path().join("victim")).expect("it is there"), b"", "{stand}");
    }
}

#[test]
fn pipes_that_nobody_writes_to_hang_no_command() {
    let sandbox = Sandbox::with(THREE);
    mkfifo(&sandbox.path().join("pipe"));
    for line in [
        "verify pipe",
        "dump pipe",
        "verify LOG --key-file pipe",
        "verify LOG --ledger pipe",
        "append LOG --file pipe",
        "rotate LOG --pin pipe --keep-segments 1",
    ] {
        let ran = quickly(&sandbox, line);
        assert_eq!(ran.code, 1, "{line}: {ran:?}");
        assert!(ran.stderr.contains("pipe"), "{line}: {ran:?}");
    }
    let archive = sandbox.path().join("archive");
    fs::create_dir(&archive).expect("folders can be made");
    mkfifo(&archive.join(FIRST));
    let ran = quickly(&sandbox, "rotate LOG --keep-segments 1 --archive archive");
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.stderr.contains("named pipe") && sandbox.path().join("LOG").join(FIRST).exists(), "{ran:?}");
}

#[test]
fn a_pipe_that_somebody_writes_to_is_read_wherever_a_file_can_be_named() {
    let sandbox = Sandbox::with("record alpha\nrecord beta");
    let line = format!(
        "bash -c 'walctl dump <(cat LOG/{FIRST}) --raw && walctl verify LOG --key-file <(sleep 0.2; cat KEYS) && walctl append LOG --file <(sleep 0.2; echo -n gamma) && walctl dump LOG --raw'"
    );
    let ran = finish(sandbox.shell(&line), b"");
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.stdout.starts_with("alpha\nbeta\n") && ran.stdout.ends_with("alpha\nbeta\ngamma\n"), "{ran:?}");
}

#[test]
fn an_archive_or_out_dir_in_which_a_link_has_the_name_of_what_is_to_be_written_keeps_it() {
    let sandbox = Sandbox::with(THREE);
    let (archive, out) = (sandbox.path().join("archive"), sandbox.path().join("out"));
    for dir in [&archive, &out] {
        fs::create_dir(dir).expect("folders can be made");
    }
    symlink("../victim", archive.join(FIRST)).expect("links can be made");
    symlink("../victim", out.join("00000000000000000001")).expect("links can be made");
    for line in ["rotate LOG --keep-segments 1 --archive archive", "dump LOG --out-dir out"] {
        let ran = quickly(&sandbox, line);
        assert_eq!(ran.code, 1, "{line}: {ran:?}");
        assert!(!sandbox.path().join("victim").exists(), "{line}");
    }
    assert!(fs::symlink_metadata(archive.join(FIRST)).expect("it is there").is_symlink());
    assert!(sandbox.path().join("LOG").join(FIRST).exists());
}

#[test]
fn a_command_whose_output_nobody_takes_ends_at_the_first_signal() {
    for words in [&["dump", "LOG", "--follow"][..], &["append", "LOG", "--count", "200000"]] {
        for signal in ["-TERM", "-INT"] {
            let sandbox = Sandbox::with("times 20000 record the quick brown fox jumps over the lazy dog");
            let (reader, writer) = std::io::pipe().expect("a pipe can be made");
            let other = writer.try_clone().expect("descriptors can be doubled");
            let mut child = sandbox.command(words).stdout(writer).stderr(Stdio::null()).spawn().expect("it starts");
            // It is stuck once the pipe is full, or will be with its next write.
            until(|| !takes_more(&other));
            let killed = Command::new("kill").args([signal, &child.id().to_string()]).status().expect("kill is there");
            assert!(killed.success());
            assert_eq!(code(wait(&mut child)), 130, "{words:?} {signal}");
            drop(reader);
        }
    }
}

fn takes_more(pipe: &std::io::PipeWriter) -> bool {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    poll(&mut [PollFd::new(pipe, PollFlags::OUT)], Some(&now)).expect("a pipe can be asked") > 0
}

fn until(mut met: impl FnMut() -> bool) {
    for _ in 0..12_000 {
        if met() {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("it never came to that");
}

/// An appender that has acknowledged one record and waits for more.
fn appender(sandbox: &Sandbox, more: &[&str]) -> std::process::Child {
    let mut child = sandbox
        .command(&[&["append", "LOG"][..], more].concat())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    child.stdin.as_mut().expect("it was piped").write_all(b"first\n").expect("it takes bytes");
    let mut told = [0; 2];
    std::io::Read::read_exact(child.stdout.as_mut().expect("it was piped"), &mut told).expect("it answers");
    assert_eq!(&told, b"1\n");
    child
}

type Act = fn(&Path);

#[test]
fn a_writer_whose_log_is_taken_away_or_replaced_stops_with_6_and_says_so() {
    let cases: [(&str, Act); 5] = [
        ("deleted", |dir| fs::remove_dir_all(dir).expect("it goes")),
        ("moved", |dir| fs::rename(dir, dir.with_extension("old")).expect("it moves")),
        ("replaced", |dir| {
            fs::rename(dir, dir.with_extension("old")).expect("it moves");
            fs::create_dir(dir).expect("folders can be made");
        }),
        ("segment deleted", |dir| fs::remove_file(dir.join(FIRST)).expect("it goes")),
        ("segment replaced", |dir| {
            fs::rename(dir.join(FIRST), dir.join("aside")).expect("it moves");
            fs::copy(dir.join("aside"), dir.join(FIRST)).expect("it is copied");
        }),
    ];
    for (name, act) in cases {
        for rotates in [false, true] {
            let sandbox = Sandbox::new();
            let dir = sandbox.path().join("LOG");
            let flags: &[&str] = if rotates { &["--segment-records", "1"] } else { &[] };
            let mut child = appender(&sandbox, flags);
            act(&dir);
            let mut stdin = child.stdin.take().expect("it was piped");
            let _ = stdin.write_all(b"second\nthird\n");
            drop(stdin);
            let output = child.wait_with_output().expect("it ends");
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert_eq!(code(output.status), 6, "{name} {rotates}: {said}");
            assert!(said.contains("LOG") && !said.contains("dmesg"), "{name} {rotates}: {said}");
            // Nothing is made in what has the path now.
            let there = fs::read_dir(&dir).map_or(0, Iterator::count);
            assert!(there <= 3 && (name != "replaced" || there == 0), "{name} {rotates}: {there}");
        }
    }
}

#[test]
fn a_writer_whose_lock_file_is_gone_or_another_stops_with_6() {
    for replaced in [false, true] {
        let sandbox = Sandbox::new();
        let mut child = appender(&sandbox, &[]);
        let lock = sandbox.path().join("LOG/LOCK");
        fs::remove_file(&lock).expect("it is there");
        if replaced {
            fs::write(&lock, "").expect("room");
        }
        drop(child.stdin.take());
        let output = child.wait_with_output().expect("it ends");
        assert_eq!(code(output.status), 6, "{replaced}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("LOCK"), "{replaced}");
    }
}

#[test]
fn without_a_thread_to_be_had_a_command_does_with_fewer_or_says_so() {
    let sandbox = Sandbox::with("record alpha\nrecord beta\ncut 10");
    sandbox.log("MANY", THREE);
    // The limit is on address space, so that not even the stack of a thread fits.
    for kib in [9000, 10_000, 11_000, 12_288, 14_000, 16_000, 20_000, 30_000] {
        for line in ["verify MANY", "verify LOG", "repair LOG --dry-run", "append NEW --text a", "stats MANY"] {
            let ran = finish(sandbox.shell(&format!("ulimit -v {kib}; walctl {line}")), b"");
            assert_ne!(ran.code, 101, "{kib} {line}: {ran:?}");
            assert!(!ran.stderr.contains("panicked"), "{kib} {line}: {ran:?}");
        }
    }
}

/// The limit on processes does not bind root: the commands run as a user that owns nothing but the logs.
#[test]
fn a_user_who_may_start_no_thread_gets_an_answer_or_is_told() {
    let sandbox = Sandbox::with("record alpha\nrecord beta\ncut 10");
    sandbox.log("MANY", THREE);
    let limited = if fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0) {
        fs::copy(env!("CARGO_BIN_EXE_walctl"), sandbox.path().join("walctl")).expect("room for the program");
        fs::set_permissions(sandbox.path(), PermissionsExt::from_mode(0o755)).expect("it is ours");
        let given = finish(sandbox.shell("chown -R 65534:65534 . && chmod 755 walctl"), b"");
        assert_eq!(given.code, 0, "{given:?}");
        "setpriv --reuid=65534 --regid=65534 --clear-groups prlimit --nproc=0 ./walctl"
    } else {
        "prlimit --nproc=0 walctl"
    };
    if !have("prlimit") || !have("setpriv") {
        return;
    }
    for (line, alone) in [
        ("verify MANY", 0),
        ("verify MANY --jobs 4", 0),
        ("stats MANY", 0),
        ("dump MANY", 0),
        ("verify LOG", 3),
        ("append NEW --text a", 0),
        ("append MANY --text a --sync interval=10ms", 1),
        ("repair LOG", 0),
    ] {
        let ran = finish(sandbox.shell(&format!("{limited} {line}")), b"");
        assert!(!ran.stderr.contains("panicked"), "{line}: {ran:?}");
        assert!(ran.code == alone || ran.code == 1 && ran.stderr.contains("thread"), "{line}: {ran:?}");
    }
}

#[test]
fn a_folder_with_the_name_of_the_next_segment_is_not_blamed_on_the_disk() {
    let sandbox = Sandbox::with("record alpha\nrecord beta");
    fs::create_dir(sandbox.path().join("LOG/00000000000000000003.wal")).expect("folders can be made");
    for line in ["rotate LOG", "append LOG --text a"] {
        let ran = quickly(&sandbox, line);
        assert_eq!(ran.code, 4, "{line}: {ran:?}");
        assert!(ran.stderr.contains("00000000000000000003.wal") && ran.stderr.contains("folder"), "{line}: {ran:?}");
        assert!(!ran.stderr.contains("dmesg") && !ran.stderr.contains("kernel"), "{line}: {ran:?}");
    }
}

#[test]
fn a_log_that_is_begun_among_other_files_is_said_to_be() {
    let sandbox = Sandbox::new();
    let dir = sandbox.path().join("home");
    fs::create_dir(&dir).expect("folders can be made");
    for name in ["letter.txt", "photo.jpg"] {
        fs::write(dir.join(name), name).expect("room");
    }
    let ran = quickly(&sandbox, "append home --text a");
    assert_eq!((ran.code, ran.stdout.as_str()), (0, "1\n"), "{ran:?}");
    assert!(ran.stderr.contains("home") && ran.stderr.contains("2 other"), "{ran:?}");
    for line in ["append home --text a", "append fresh --text a"] {
        let ran = quickly(&sandbox, line);
        assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{line}: {ran:?}");
    }
}

#[test]
fn a_strangers_file_with_a_working_name_is_never_deleted() {
    let names = ["next.tmp", "x.wal.cut-4144.tmp", "cursor.new", "00000000000000000001.wal.partly"];
    for recipe in ["", "record alpha\nrecord beta\ncut 10"] {
        let sandbox = Sandbox::with("record alpha\nrecord beta\ncut 10");
        if recipe.is_empty() {
            fs::remove_file(sandbox.path().join("LOG").join(FIRST)).expect("it is there");
        }
        for name in names {
            fs::write(sandbox.path().join("LOG").join(name), "a stranger's").expect("room");
        }
        quickly(&sandbox, "append LOG --text a");
        quickly(&sandbox, "append LOG --repair --text a");
        quickly(&sandbox, "rotate LOG");
        for name in names {
            let content = fs::read_to_string(sandbox.path().join("LOG").join(name)).unwrap_or_default();
            assert_eq!(content, "a stranger's", "{recipe:?} {name}");
        }
    }
}

#[test]
fn a_log_that_a_crash_of_an_earlier_version_left_with_the_next_segment_half_made_opens() {
    let sandbox = Sandbox::with("record alpha");
    fs::write(sandbox.path().join("LOG/next.tmp"), vec![0; 100_000]).expect("room");
    assert_eq!(quickly(&sandbox, "verify LOG").code, 0);
    let ran = quickly(&sandbox, "append LOG --text a");
    assert_eq!((ran.code, ran.stdout.as_str()), (0, "2\n"), "{ran:?}");
    assert_eq!(quickly(&sandbox, "rotate LOG").code, 0);
}

/// What the handler of the process that embeds us was called with.
static FAULTS: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);

extern "C" fn embedder(_: libc::c_int, info: *mut libc::siginfo_t, _: *mut libc::c_void) {
    FAULTS.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    // SAFETY: the page is in a mapping of this test's own, and is replaced by one that can be read.
    unsafe {
        let page = ((*info).si_addr() as usize & !4095) as *mut libc::c_void;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED;
        libc::mmap(page, 4096, libc::PROT_READ, flags, -1, 0);
    }
}

/// Maps a file by hand, cuts it, and reads behind its end.
fn fault(dir: &Path) {
    use std::os::fd::AsRawFd;
    let path = dir.join("own");
    fs::write(&path, [1; 8192]).expect("room");
    let file = fs::File::options().read(true).write(true).open(&path).expect("it is there");
    // SAFETY: a mapping of two pages over a file that is two pages long; it is read at a byte of the second one.
    unsafe {
        let map = libc::mmap(std::ptr::null_mut(), 8192, libc::PROT_READ, libc::MAP_SHARED, file.as_raw_fd(), 0);
        assert_ne!(map, libc::MAP_FAILED);
        file.set_len(4096).expect("it can be cut");
        assert_eq!(map.cast::<u8>().add(4096).read_volatile(), 0);
    }
}

#[test]
fn a_fault_outside_our_mappings_goes_to_the_handler_that_was_there_before_and_on_its_stack() {
    const NAME: &str = "hostile_files::a_fault_outside_our_mappings_goes_to_the_handler_that_was_there_before_and_on_its_stack";
    use walctl::disk::{Disk, Open, RealDisk};
    if std::env::var_os("WALCTL_TEST_FAULT").is_none() {
        // A process of its own: handlers are the whole process's.
        let status = Command::new(std::env::current_exe().expect("we run"))
            .args([NAME, "--exact"])
            .env("WALCTL_TEST_FAULT", "1")
            .stdout(Stdio::null())
            .status()
            .expect("it starts");
        assert_eq!(code(status), 0);
        return;
    }
    let dir = tempfile::tempdir().expect("a temporary folder");
    // SAFETY: the action is fully initialised, and its handler calls only mmap.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = embedder as *const () as usize;
        action.sa_flags = libc::SA_SIGINFO;
        libc::sigaction(libc::SIGBUS, &action, std::ptr::null_mut());
    }
    let path = dir.path().join("segment");
    fs::write(&path, [7; 8192]).expect("room");
    let mapping = RealDisk.open(&path, Open::READ).expect("it opens").map(8192).expect("it maps");
    fault(dir.path());
    assert_eq!((FAULTS.load(std::sync::atomic::Ordering::Relaxed), mapping.faults()), (1, 0));
    fs::File::options().write(true).open(&path).expect("it opens").set_len(4096).expect("it can be cut");
    assert_eq!((mapping.bytes()[4096], mapping.faults()), (0, 1));
    assert_eq!(FAULTS.load(std::sync::atomic::Ordering::Relaxed), 1, "ours is not handed on");
    // SAFETY: a null action only asks.
    let flags = unsafe {
        let mut now: libc::sigaction = std::mem::zeroed();
        libc::sigaction(libc::SIGBUS, std::ptr::null(), &mut now);
        now.sa_flags
    };
    assert_ne!(flags & libc::SA_ONSTACK, 0);
}
