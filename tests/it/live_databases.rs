//! Databases that are no servers of their own protocol here: PostgreSQL by its shell, RocksDB by its own bench and its own tool.
//!
//! Both are Debian packages (postgresql, rocksdb-tools), which `.ci/run` installs; where one is missing its test says so and ends.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use serde_json::Value as Json;

use crate::live_servers::{Server, found, kept_aside, look_beside, ports, tear, until};
use crate::support::sandbox::{Sandbox, finish};

/// Whom PostgreSQL runs as: it refuses root.
struct Postgres {
    bin: PathBuf,
    ids: Option<(u32, u32)>,
}

impl Postgres {
    fn find() -> Option<Postgres> {
        let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten().map(|entry| entry.path().join("bin"));
        let bin = versions.filter(|bin| bin.join("initdb").exists()).max();
        if bin.is_none() {
            // Says so, or fails where it must not be missing.
            found("initdb");
        }
        let ids = rustix::process::getuid().is_root().then(|| {
            let users = fs::read_to_string("/etc/passwd").expect("a list of users");
            let line = users.lines().find(|line| line.starts_with("postgres:")).expect("the package made a user");
            let fields: Vec<&str> = line.split(':').collect();
            (fields[2].parse().expect("a number"), fields[3].parse().expect("a number"))
        });
        Some(Postgres { bin: bin?, ids })
    }

    fn command(&self, program: &str, dir: &Path) -> Command {
        let mut command = Command::new(self.bin.join(program));
        if let Some((user, group)) = self.ids {
            command.uid(user).gid(group);
        }
        command.current_dir(dir).env("LC_ALL", "C").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    /// The server, and the port that it listens on.
    fn start(&self, home: &Path) -> (Server, u16) {
        let words =
            ["-D", "data", "-h", "127.0.0.1", "-c", "max_wal_size=8MB", "-c", "autovacuum=off", "-c", "wal_level=logical"];
        // Another process may take the port that was free a moment ago.
        for _ in 0..5 {
            let [port] = ports();
            let mut command = self.command("postgres", home);
            command.args(words).arg("-k").arg(home).arg("-p").arg(port.to_string());
            command.stderr(fs::File::create(home.join("said")).expect("room for a file"));
            let mut server = Server(command.spawn().expect("it was found before"));
            let begun = until("PostgreSQL", || match server.0.try_wait().expect("it is our child") {
                Some(_) => Some(false),
                None => self.ask(home, port, "select 1").map(|_| true),
            });
            if begun {
                return (server, port);
            }
        }
        panic!("{}", fs::read_to_string(home.join("said")).unwrap_or_default());
    }

    /// The first line of the answer.
    fn ask(&self, home: &Path, port: u16, query: &str) -> Option<String> {
        let mut command = self.command("psql", home);
        command.args(["-h", "127.0.0.1", "-U", "postgres", "-X", "-A", "-t", "-q", "-c", query, "-p"]).arg(port.to_string());
        let ran = finish(command, b"");
        (ran.code == 0).then(|| ran.stdout.lines().next().unwrap_or_default().to_owned())
    }

    /// A shell that says a line for each statement that is done.
    fn shell(&self, home: &Path, port: u16) -> Child {
        let mut command = self.command("psql", home);
        command.args(["-h", "127.0.0.1", "-U", "postgres", "-X", "-p"]).arg(port.to_string());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("it was found before")
    }
}

/// No process has its folder open any more: those that a killed server leaves behind end by themselves.
fn all_are_gone(home: &Path) {
    until("the end of the server's processes", || {
        let processes = fs::read_dir("/proc").ok()?.flatten();
        let here = processes.filter(|process| fs::read_link(process.path().join("cwd")).is_ok_and(|cwd| cwd.starts_with(home)));
        (here.count() == 0).then_some(())
    });
}

#[test]
#[ignore = "starts a PostgreSQL server"]
fn postgres_is_read_beside_and_killed_as_its_own_tool_reads_it_and_starts_again_with_what_was_promised() {
    let Some(postgres) = Postgres::find() else { return };
    let sandbox = Sandbox::new();
    let home = sandbox.path().join("home");
    fs::create_dir(&home).expect("room for a folder");
    fs::set_permissions(sandbox.path(), fs::Permissions::from_mode(0o711)).expect("the sandbox is ours");
    if let Some((user, group)) = postgres.ids {
        std::os::unix::fs::chown(&home, Some(user), Some(group)).expect("root may");
    }
    let mut made = postgres.command("initdb", &home);
    made.args(["-D", "data", "-A", "trust", "-U", "postgres", "--wal-segsize=1", "-N"]);
    let made = finish(made, b"");
    assert_eq!(made.code, 0, "{}{}", made.stdout, made.stderr);
    let (server, port) = postgres.start(&home);
    postgres.ask(&home, port, "create table t (n bigint, filler text)").expect("a table can be made");
    let log = "home/data";
    let (acknowledged, done) = (AtomicU64::new(0), AtomicBool::new(false));
    let mut shell = postgres.shell(&home, port);
    let (mut typed, answers) = (shell.stdin.take().expect("piped"), shell.stdout.take().expect("piped"));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for answer in BufReader::new(answers).lines().map_while(Result::ok) {
                if answer.starts_with("INSERT") {
                    acknowledged.fetch_add(1, Ordering::Relaxed);
                }
            }
        });
        scope.spawn(|| {
            for n in 1u64.. {
                let ended = done.load(Ordering::Relaxed);
                if ended || writeln!(typed, "insert into t values ({n}, repeat('x', {}));", n % 500).is_err() {
                    break;
                }
                if n % 400 == 0 && writeln!(typed, "checkpoint;").is_err() {
                    break;
                }
            }
        });
        look_beside(&sandbox, log);
        // In the middle of its writes, of which there are some on the slowest disk too.
        until("a hundred rows", || (acknowledged.load(Ordering::Relaxed) > 100).then_some(()));
        drop(server);
        done.store(true, Ordering::Relaxed);
        let _ = shell.kill();
        let _ = shell.wait();
    });
    all_are_gone(&home);
    let acknowledged = acknowledged.load(Ordering::Relaxed);
    assert!(acknowledged > 100, "{acknowledged} rows prove little");
    let killed = sandbox.run(&["verify", log, "--json"]);
    // The last page that was written may hold the beginning of a record that was never finished.
    assert!(matches!(killed.code, 0 | 3), "behind the killed server: {}{}", killed.stdout, killed.stderr);

    // PostgreSQL's own reader sees the same records at the same places, from the oldest segment to the same end.
    let ours = sandbox.run(&["dump", log, "--json", "--decode", "none"]);
    let ours: Vec<u64> = ours
        .stdout
        .lines()
        .map(|line| serde_json::from_str::<Json>(line).expect("JSON")["lsn"].as_u64().expect("a position"))
        .collect();
    let start = format!("{:X}/{:X}", ours[0] >> 32, ours[0] & 0xffff_ffff);
    let mut whole = postgres.command("pg_waldump", &home.join("data/pg_wal"));
    whole.args(["-s", &start]);
    let theirs = finish(whole, b"");
    let position = |line: &str| {
        let text = line.split("lsn: ").nth(1)?.split(',').next()?;
        let (high, low) = text.split_once('/')?;
        Some(u64::from_str_radix(high, 16).ok()? << 32 | u64::from_str_radix(low, 16).ok()?)
    };
    let theirs: Vec<u64> = theirs.stdout.lines().filter_map(position).collect();
    assert_eq!(ours, theirs, "pg_waldump reads {} records, walctl {}", theirs.len(), ours.len());

    // Nothing is cut by hand here: the last record may be a checkpoint, without which the server does not start.
    let (server, port) = postgres.start(&home);
    let rows: u64 = postgres.ask(&home, port, "select count(*) from t").expect("an answer").parse().expect("a number");
    assert!(rows >= acknowledged, "{rows} rows of {acknowledged} that were acknowledged");
    look_beside(&sandbox, log);
    drop(server);
    all_are_gone(&home);
}

fn ldb(sandbox: &Sandbox, words: &[&str]) -> String {
    let mut command = Command::new("ldb");
    command.args(words).current_dir(sandbox.path());
    let ran = finish(command, b"");
    assert_eq!(ran.code, 0, "ldb {words:?}: {}{}", ran.stdout, ran.stderr);
    ran.stdout
}

#[test]
#[ignore = "runs RocksDB's own bench"]
fn rocksdb_is_read_beside_killed_torn_repaired_and_opened_with_what_repair_left() {
    if !found("db_bench") || !found("ldb") {
        return;
    }
    let sandbox = Sandbox::new();
    let words = [
        "--benchmarks=fillrandom",
        "--db=db",
        "--num=100000000",
        "--batch_size=7",
        "--sync=1",
        "--write_buffer_size=4000000",
        "--compression_type=none",
        "--threads=2",
    ];
    let logs = || fs::read_dir(sandbox.path().join("db")).into_iter().flatten().flatten().map(|entry| entry.path());
    let newest = || logs().filter(|path| path.extension().is_some_and(|kind| kind == "log")).max();
    let full = || newest().filter(|path| fs::metadata(path).is_ok_and(|meta| meta.len() > 100_000));
    // It may be killed right after it began another log: then it goes on, and is killed again.
    for beside in std::iter::once(true).chain(std::iter::repeat(false)) {
        let server = Server::start("db_bench", &words.map(str::to_owned), sandbox.path());
        until("a log", full);
        if beside {
            look_beside(&sandbox, "db");
        }
        drop(server);
        if full().is_some() {
            break;
        }
    }
    let killed = sandbox.run(&["verify", "db", "--json"]);
    assert_eq!(killed.code, 0, "behind the killed writer: {}{}", killed.stdout, killed.stderr);

    // Its own tool finds as many batches, and the same last number.
    let path = newest().expect("a log is there");
    let name = path.file_name().expect("a name").to_string_lossy().into_owned();
    let theirs = ldb(&sandbox, &["dump_wal", &format!("--walfile=db/{name}"), "--header"]);
    let theirs: Vec<u64> = theirs.lines().filter_map(|line| line.split(',').next()?.parse().ok()).collect();
    let records = || {
        let dumped = sandbox.run(&["dump", &format!("db/{name}"), "--json", "--decode", "none"]).stdout;
        let lsn = |line: &str| serde_json::from_str::<Json>(line).expect("JSON")["lsn"].as_u64();
        dumped.lines().filter_map(lsn).collect::<Vec<u64>>()
    };
    let ours = records();
    assert!(ours.len() > 100, "{} batches prove little", ours.len());
    assert_eq!(ours, theirs, "ldb reads {} batches, walctl {}", theirs.len(), ours.len());

    tear(&sandbox, "db", 11);
    let torn = sandbox.run(&["verify", "db"]);
    assert_eq!(torn.code, 3, "{}{}", torn.stdout, torn.stderr);
    let repaired = sandbox.run(&["repair", "db"]);
    assert_eq!(repaired.code, 0, "{}{}", repaired.stdout, repaired.stderr);
    let aside = kept_aside(&sandbox, "db");
    let left = records();
    assert_eq!(left[..], ours[..ours.len() - 1], "a torn end costs one batch");
    // Opened for writing, it takes over what the log has.
    ldb(&sandbox, &["--db=db", "put", "after", "repair"]);
    let got = ldb(&sandbox, &["--db=db", "get", "after"]);
    assert_eq!(got.trim(), "repair");
    assert!(kept_aside(&sandbox, "db") == aside, "RocksDB has touched what the repair kept");
    assert_eq!(sandbox.run(&["verify", "db"]).code, 0, "what RocksDB writes behind a repair is whole");
}
