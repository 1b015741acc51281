//! MariaDB itself as a writer of binary logs: beside it, behind it when it was killed, and beside what it makes of a torn log.
//!
//! The Debian package mariadb-server, which `.ci/run` installs.

use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value as Json;

use crate::live_servers::{Server, found, look_beside, ports, report, until};
use crate::support::sandbox::Sandbox;

/// One client that stays connected; what it is told is one statement a line.
struct Client(Child);

impl Client {
    fn connect(sandbox: &Sandbox) -> Client {
        let mut command = mariadb(sandbox);
        let child = command.arg("--force").stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        Client(child.expect("it comes with the server"))
    }

    fn tell(&mut self, statements: &str) {
        self.0.stdin.as_mut().expect("it is piped").write_all(statements.as_bytes()).expect("it reads");
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn mariadb(sandbox: &Sandbox) -> Command {
    let mut command = Command::new("mariadb");
    command.args(["--no-defaults", "--skip-column-names", "--batch", "--user=root"]).arg(format!("--socket={}", socket(sandbox)));
    command
}

fn socket(sandbox: &Sandbox) -> String {
    sandbox.path().join("socket").display().to_string()
}

/// What a statement answers; `None` where it fails.
fn ask(sandbox: &Sandbox, statement: &str) -> Option<String> {
    let ran = mariadb(sandbox).arg("-e").arg(statement).stderr(Stdio::null()).output().expect("it comes with the server");
    ran.status.success().then(|| String::from_utf8_lossy(&ran.stdout).trim().to_owned())
}

fn install(sandbox: &Sandbox) {
    let mut command = Command::new("mariadb-install-db");
    command.args(["--no-defaults", "--user=root", "--auth-root-authentication-method=normal", "--skip-test-db"]);
    command.arg(format!("--datadir={}", sandbox.path().join("D").display())).current_dir(sandbox.path());
    let made =
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status().expect("it comes with the server");
    assert!(made.success(), "a database can be made");
}

fn start(sandbox: &Sandbox, more: &[&str]) -> Server {
    let [port] = ports();
    let dir = sandbox.path().join("D");
    let args = format!(
        "--no-defaults --user=root --datadir={} --socket={} --port={port} --bind-address=127.0.0.1 --log-bin=binlog --server-id=7 \
         --sync-binlog=1 --max-binlog-size=65536 --binlog-format=MIXED",
        dir.display(),
        socket(sandbox)
    );
    let args: Vec<String> = args.split(' ').chain(more.iter().copied()).map(str::to_owned).collect();
    let server = Server::start("mariadbd", &args, sandbox.path());
    until("MariaDB", || ask(sandbox, "select 1"));
    server
}

/// The file that was written to last, and how long it is.
fn last_file(sandbox: &Sandbox) -> (String, u64) {
    let report = report(&sandbox.run(&["verify", "D", "--json"]));
    let last = report["segments"].as_array().and_then(|all| all.last()).expect("a segment");
    (last["file"].as_str().expect("a name").to_owned(), last["file_bytes"].as_u64().expect("its length"))
}

/// Where the system's own tool finds events in a file.
fn own_places(file: &Path) -> BTreeSet<u64> {
    let mut command = Command::new("mariadb-binlog");
    command.args(["--no-defaults", "--verify-binlog-checksum", "--base64-output=decode-rows"]).arg(file);
    let ran = command.output().expect("it comes with the server");
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    let text = String::from_utf8_lossy(&ran.stdout).into_owned();
    text.lines().filter_map(|line| line.strip_prefix("# at ")?.parse().ok()).collect()
}

/// Each event: its file and its offset, and what it means.
fn events(sandbox: &Sandbox) -> Vec<Json> {
    let ran = sandbox.run(&["dump", "D", "--json"]);
    ran.stdout.lines().map(|line| serde_json::from_str(line).expect("each line is JSON")).collect()
}

fn places(events: &[Json], file: &str) -> BTreeSet<u64> {
    events.iter().filter(|event| event["file"] == file).filter_map(|event| event["offset"].as_u64()).collect()
}

#[test]
#[ignore = "starts a MariaDB server"]
fn mariadb_is_read_beside_its_rotations_killed_and_torn_and_goes_on_in_a_new_file() {
    if !found("mariadbd") {
        return;
    }
    let sandbox = Sandbox::new();
    install(&sandbox);
    let server = start(&sandbox, &["--log-bin-compress"]);
    ask(&sandbox, "create database d; create table d.t (id int primary key, v varchar(4000))").expect("a healthy server");
    let mut client = Client::connect(&sandbox);
    let mut number = 0;
    std::thread::scope(|scope| {
        let beside = scope.spawn(|| look_beside(&sandbox, "D"));
        let dumped = scope.spawn(|| {
            for _ in 0..5 {
                let ran = sandbox.run(&["dump", "D", "--json"]);
                assert_eq!(ran.code, 0, "beside the running server: {}", ran.stderr);
            }
        });
        while !(beside.is_finished() && dumped.is_finished()) {
            let (a, b) = (number + 1, number + 2);
            number = b;
            client.tell(&format!("insert into d.t values ({a}, repeat('x', {}));\n", a % 4000));
            client.tell(&format!(
                "begin; insert into d.t values ({b}, uuid()); update d.t set v = now() where id = {a}; commit;\n"
            ));
        }
        beside.join().expect("no look failed");
        dumped.join().expect("no dump failed");
    });
    ask(&sandbox, "insert into d.t values (-1, 'acknowledged')").expect("a healthy server takes it");
    let refused = sandbox.run(&["repair", "D"]);
    assert_eq!(refused.code, 5, "the server has its files open: {}{}", refused.stdout, refused.stderr);
    drop((client, server));

    let clean = sandbox.run(&["verify", "D", "--json"]);
    assert_eq!(clean.code, 0, "behind the killed server: {}", clean.stdout);
    let (events, (last, length)) = (events(&sandbox), last_file(&sandbox));
    let names: BTreeSet<&str> = events.iter().filter_map(|event| event["file"].as_str()).collect();
    assert!(names.len() > 2, "it rotated: {names:?}");
    for name in &names {
        assert_eq!(places(&events, name), own_places(&sandbox.path().join("D").join(name)), "{name}: as the system's own tool");
    }

    // The server does not mend a torn file: it goes on in the next one, and its readers stop here.
    let path = sandbox.path().join("D").join(&last);
    OpenOptions::new().write(true).open(&path).and_then(|file| file.set_len(length - 7)).expect("it can be cut");
    let torn = sandbox.run(&["verify", "D"]);
    assert!(torn.code == 3 && torn.stdout.contains("next: start the server"), "{}{}", torn.stdout, torn.stderr);
    let kept = fs::read(&path).expect("it reads");
    assert_eq!(sandbox.run(&["repair", "D"]).code, 3, "no binary log is cut");
    let server = start(&sandbox, &["--log-bin-compress"]);
    assert_eq!(ask(&sandbox, "select v from d.t where id = -1").as_deref(), Some("acknowledged"), "its tables have it");
    assert!(fs::read(&path).expect("it reads") == kept, "as foretold, it leaves the file as it is");
    let (newest, _) = last_file(&sandbox);
    assert!(newest > last, "and writes to a new one");
    for round in 0..3 {
        ask(&sandbox, &format!("insert into d.t values ({}, 'later')", -2 - round)).expect("a healthy server takes it");
        let later = sandbox.run(&["verify", "D"]);
        assert_eq!(later.code, 3, "{}{}", later.stdout, later.stderr);
        assert!(later.stdout.contains(&format!("next: nothing here: the system has gone on in {newest}")), "{}", later.stdout);
    }
    drop(server);
}

#[test]
#[ignore = "starts a MariaDB server"]
fn an_encrypted_binary_log_is_walked_by_length_beside_the_server_and_behind_it() {
    if !found("mariadbd") {
        return;
    }
    let sandbox = Sandbox::new();
    let keys = sandbox.path().join("server-keys");
    fs::write(&keys, format!("1;{}\n", "a7".repeat(32))).expect("room for a file");
    install(&sandbox);
    let named = format!("--file-key-management-filename={}", keys.display());
    let more = ["--plugin-load-add=file_key_management", &named, "--encrypt-binlog=1"];
    let server = start(&sandbox, &more);
    ask(&sandbox, "create database d; create table d.t (id int primary key, v varchar(100))").expect("a healthy server");
    let mut client = Client::connect(&sandbox);
    std::thread::scope(|scope| {
        let beside = scope.spawn(|| look_beside(&sandbox, "D"));
        for number in 0.. {
            if beside.is_finished() {
                break;
            }
            client.tell(&format!("insert into d.t values ({number}, 'not to be read without the key');\n"));
        }
        beside.join().expect("no look failed");
    });
    drop((client, server));
    let events = events(&sandbox);
    assert!(events.len() > 100, "events are counted without the key: {}", events.len());
    let shown = sandbox.run(&["dump", "D"]);
    assert!(shown.code == 0 && !shown.stdout.contains("not to be read"), "{}", shown.stderr);
    let (last, length) = last_file(&sandbox);
    let path = sandbox.path().join("D").join(last);
    OpenOptions::new().write(true).open(&path).and_then(|file| file.set_len(length - 7)).expect("it can be cut");
    let torn = sandbox.run(&["verify", "D"]);
    assert!(torn.code == 3 && torn.stdout.contains("cut-short"), "{}{}", torn.stdout, torn.stderr);
}
