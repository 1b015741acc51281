//! SQLite itself as a writer: beside it while it runs, and behind it when it was killed.
//!
//! Python's own module writes; where there is no Python that has it, a line says that the test was skipped. `.ci/run` installs it.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value as Json;

use crate::live_servers::{looking, told};
use crate::support::sandbox::{Sandbox, wait};

/// How often a writer is killed.
const KILLS: u64 = 6;

/// Small transactions, large ones that spill pages and change them again, rollbacks, and a log that is begun again every few hundred pages.
const WRITER: &str = r#"
import os, random, sqlite3, sys
random.seed(int(sys.argv[2]))
db = sqlite3.connect(sys.argv[1], isolation_level=None)
for setting in ("journal_mode=wal", "synchronous=normal", "wal_autocheckpoint=" + sys.argv[3], "cache_size=10"):
    db.execute("pragma " + setting)
db.execute("create table if not exists t(id integer primary key, k text, v blob)")
db.execute("create index if not exists tk on t(k)")
def row():
    db.execute("insert into t(k, v) values(?, ?)", ("k%06d" % random.randrange(10**6), os.urandom(random.randrange(10, 600))))
while True:
    if random.random() < 0.2:
        db.execute("begin")
        for _ in range(random.randrange(50, 400)):
            row()
            db.execute("update t set v = ? where id = ?", (os.urandom(300), random.randrange(1, 2000)))
        db.execute("rollback" if random.random() < 0.3 else "commit")
    else:
        row()
    print(db.execute("select count(*) from t").fetchone()[0], flush=True)
"#;

/// Opens a copy, as its owner would, and says how many frames were found in the log and whether the database is content.
const READER: &str = r#"
import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
print(db.execute("pragma wal_checkpoint(passive)").fetchone()[1], db.execute("pragma integrity_check").fetchone()[0])
"#;

#[expect(clippy::print_stderr, reason = "a skipped test says so")]
fn has_python() -> bool {
    let ran = Command::new("python3").args(["-c", "import sqlite3"]).stdin(Stdio::null()).stderr(Stdio::null()).status();
    let found = ran.is_ok_and(|status| status.success());
    assert!(found || std::env::var_os("CI").is_none(), "python3 with sqlite3 is needed here; .ci/run installs it");
    if !found {
        eprintln!("skipped: there is no python3 with sqlite3");
    }
    found
}

struct Writer {
    child: Child,
}

impl Drop for Writer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Writer {
    /// Writes until it is dropped; what it says is read on, so that it never waits for its reader.
    fn start(database: &Path, seed: u64, checkpoint: u32) -> Writer {
        let mut command = Command::new("python3");
        command.args(["-c", WRITER]).arg(database).args([seed.to_string(), checkpoint.to_string()]);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().expect("python3 starts");
        let mut said = BufReader::new(child.stdout.take().expect("it is piped"));
        said.read_line(&mut String::new()).expect("it writes a first row");
        std::thread::spawn(move || said.lines().map_while(Result::ok).count());
        Writer { child }
    }
}

/// The number of the last commit frame that counts.
fn last_commit(dumped: &str) -> u64 {
    let records = dumped.lines().map(|line| serde_json::from_str::<Json>(line).expect("an object a line"));
    let counts = records.take_while(|record| record.get("after_damage").is_none());
    counts.filter(|record| record["kind"] == "commit").filter_map(|record| record["meta"]["frame"].as_u64()).last().unwrap_or(0)
}

#[test]
#[ignore = "builds on SQLite"]
fn beside_a_running_sqlite_nothing_is_called_damaged() {
    if !has_python() {
        return;
    }
    // With and without a log that is begun again under our eyes.
    for checkpoint in [200, 20_000] {
        let sandbox = Sandbox::new();
        fs::create_dir(sandbox.path().join("LOG")).expect("room for a folder");
        let writer = Writer::start(&sandbox.path().join("LOG/app.db"), 1, checkpoint);
        let (begun, mut looks, mut alarms) = (Instant::now(), 0, Vec::new());
        while begun.elapsed() < looking().max(Duration::from_secs(6)) {
            for words in
                [&["verify", "LOG"][..], &["verify", "LOG/app.db-wal"], &["stats", "LOG"], &["dump", "LOG", "--limit", "2000"]]
            {
                let ran = sandbox.run(words);
                looks += 1;
                if ran.code != 0 {
                    alarms.push(format!(
                        "{words:?}: {}\n{}{}",
                        ran.code,
                        if words[0] == "dump" { "" } else { &ran.stdout },
                        ran.stderr
                    ));
                }
            }
        }
        drop(writer);
        told(looks, "LOG", begun);
        assert!(alarms.is_empty(), "{} of {looks} looks:\n{}", alarms.len(), alarms[0]);
        assert!(looks >= 8, "{looks} looks prove little");
    }
}

#[test]
#[ignore = "builds on SQLite"]
fn behind_a_killed_sqlite_the_last_commit_is_the_one_that_sqlite_finds() {
    if !has_python() {
        return;
    }
    let sandbox = Sandbox::new();
    let log = sandbox.path().join("LOG");
    fs::create_dir(&log).expect("room for a folder");
    for round in 0..KILLS {
        let mut writer = Writer::start(&log.join("app.db"), round, if round % 2 == 0 { 200 } else { 20_000 });
        // Another moment in each round.
        std::thread::sleep(Duration::from_millis(300 + round * 137));
        writer.child.kill().expect("it runs");
        wait(&mut writer.child);
        let verified = sandbox.run(&["verify", "LOG"]);
        assert!(verified.code == 0 || verified.code == 3, "round {round}: {}{}", verified.stdout, verified.stderr);
        let ours = last_commit(&sandbox.run(&["dump", "LOG", "--json", "--decode", "none"]).stdout);
        // It may be killed right after the log was begun again.
        let found = if ours == 0 { "no transaction in it".to_owned() } else { format!("{ours} frame") };
        assert!(
            verified.stdout.contains(&format!("if it is opened now: SQLite finds {found}")),
            "round {round}: {ours} frames by dump, and {}",
            verified.stdout
        );
        let copy = sandbox.path().join(format!("COPY-{round}"));
        fs::create_dir(&copy).expect("room for a folder");
        for name in ["app.db", "app.db-wal"] {
            fs::copy(log.join(name), copy.join(name)).expect("room for a file");
        }
        let theirs = Command::new("python3").args(["-c", READER]).arg(copy.join("app.db")).output().expect("python3 starts");
        assert_eq!(String::from_utf8_lossy(&theirs.stdout).trim(), format!("{ours} ok"), "round {round}");
    }
}
