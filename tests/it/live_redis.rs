//! Redis itself as a writer: beside its rewrites, behind it when it was killed, and before it after a repair.
//!
//! The Debian package redis-server, which `.ci/run` installs; where Valkey is installed it is asked the same.

use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value as Json;

use crate::live_servers::{Server, found, kept_aside, look_beside, ports, report, torn_bytes, until};
use crate::support::sandbox::{Sandbox, installed};

const LOG: &str = "data/appendonlydir";

/// A client: it asks and waits for the answer.
struct Client(BufReader<TcpStream>);

impl Client {
    fn connect(port: u16) -> Option<Client> {
        let stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
        stream.set_nodelay(true).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(20))).ok()?;
        Some(Client(BufReader::new(stream)))
    }

    /// The answer; `None` where the server is gone, or says that something is wrong.
    fn ask(&mut self, words: &[&str]) -> Option<Json> {
        let mut command = format!("*{}\r\n", words.len());
        words.iter().for_each(|word| command += &format!("${}\r\n{word}\r\n", word.len()));
        self.0.get_mut().write_all(command.as_bytes()).ok()?;
        self.answer()
    }

    fn answer(&mut self) -> Option<Json> {
        let mut line = String::new();
        self.0.read_line(&mut line).ok()?;
        let (mark, rest) = line.trim_end().split_at_checked(1)?;
        match mark {
            "+" => Some(rest.into()),
            ":" => Some(rest.parse::<i64>().ok()?.into()),
            "$" if rest == "-1" => Some(Json::Null),
            "$" => {
                let mut bytes = vec![0; rest.parse::<usize>().ok()? + 2];
                self.0.read_exact(&mut bytes).ok()?;
                Some(String::from_utf8_lossy(&bytes[..bytes.len() - 2]).into())
            }
            "*" => (0..rest.parse::<usize>().ok()?).map(|_| self.answer()).collect(),
            _ => None,
        }
    }

    fn has(&mut self, key: &str) -> bool {
        self.ask(&["EXISTS", key]).expect("the server answers") == 1
    }

    /// A rewrite from its begin to its end.
    fn rewrite(&mut self) {
        self.ask(&["BGREWRITEAOF"]).expect("it can begin");
        until("the end of a rewrite", || {
            let info = self.ask(&["INFO", "persistence"])?;
            let says = |what: &str| info.as_str().is_some_and(|text| text.contains(what));
            (says("aof_rewrite_in_progress:0") && says("aof_rewrite_scheduled:0")).then_some(())
        });
    }
}

fn redis(program: &str, sandbox: &Sandbox) -> (Server, Client) {
    let data = sandbox.path().join("data");
    fs::create_dir_all(&data).expect("room for a folder");
    let [port] = ports();
    let args = format!(
        "--port {port} --bind 127.0.0.1 --dir {} --appendonly yes --appendfsync always --aof-timestamp-enabled yes --daemonize no \
         --auto-aof-rewrite-percentage 0",
        data.display()
    );
    let args: Vec<String> = args.split(' ').map(str::to_owned).chain(["--save".to_owned(), String::new()]).collect();
    let server = Server::start(program, &args, sandbox.path());
    let client = until(program, || {
        let mut client = Client::connect(port)?;
        client.ask(&["PING"]).filter(|answer| *answer == "PONG").map(|_| client)
    });
    (server, client)
}

/// The servers that are there; the first one must be.
fn programs() -> Vec<&'static str> {
    if !found("redis-server") {
        return Vec::new();
    }
    ["redis-server", "valkey-server"].into_iter().filter(|program| installed(program)).collect()
}

/// The keys that SET and INCR name in a log, as `dump` shows them.
fn keys_set(sandbox: &Sandbox, log: &str) -> BTreeSet<String> {
    let ran = sandbox.run(&["dump", log, "--json", "--kind", "SET"]);
    let lines = ran.stdout.lines().map(|line| serde_json::from_str::<Json>(line).expect("each line is JSON"));
    lines.filter_map(|record| record["decoded"]["key"].as_str().map(str::to_owned)).collect()
}

/// The increment that is written to, and how long it is.
fn last_file(sandbox: &Sandbox) -> (std::path::PathBuf, u64) {
    let ran = sandbox.run(&["verify", LOG, "--json"]);
    let report = report(&ran);
    let last = report["segments"].as_array().and_then(|all| all.last()).expect("a segment");
    let path = sandbox.path().join(LOG).join(last["file"].as_str().expect("a name"));
    let length = fs::metadata(&path).expect("it is there").len();
    (path, length)
}

fn cut(path: &Path, length: u64) {
    OpenOptions::new().write(true).open(path).and_then(|file| file.set_len(length)).expect("it can be cut");
}

/// What the server's own tool says of the last file: up to where it is right.
fn checked_to(sandbox: &Sandbox) -> u64 {
    let manifest = sandbox.path().join(LOG).join("appendonly.aof.manifest");
    let ran = Command::new("redis-check-aof").arg(manifest).output().expect("it comes with the server");
    let text = String::from_utf8_lossy(&ran.stdout).into_owned();
    let last = text.rsplit("ok_up_to=").next().and_then(|rest| rest.split(',').next());
    last.and_then(|number| number.parse().ok()).unwrap_or_else(|| panic!("no place in {text}"))
}

fn copy_log(sandbox: &Sandbox) -> Vec<(std::path::PathBuf, Vec<u8>)> {
    let files = fs::read_dir(sandbox.path().join(LOG)).expect("it lists").map(|entry| entry.expect("an entry").path());
    files.map(|path| (path.clone(), fs::read(path).expect("it reads"))).collect()
}

fn put_back(files: &[(std::path::PathBuf, Vec<u8>)], sandbox: &Sandbox) {
    fs::remove_dir_all(sandbox.path().join(LOG)).expect("it can go");
    fs::create_dir_all(sandbox.path().join(LOG)).expect("it can come");
    files.iter().for_each(|(path, bytes)| fs::write(path, bytes).expect("room for it"));
}

#[test]
#[ignore = "starts a Redis server"]
fn redis_is_read_beside_its_rewrites_killed_torn_repaired_and_starts_again_with_its_data() {
    for program in programs() {
        let sandbox = Sandbox::new();
        let (server, mut client) = redis(program, &sandbox);
        std::thread::scope(|scope| {
            let beside = scope.spawn(|| look_beside(&sandbox, LOG));
            let dumped = scope.spawn(|| {
                for _ in 0..5 {
                    let ran = sandbox.run(&["dump", "data", "--json"]);
                    assert_eq!(ran.code, 0, "beside the running server: {}", ran.stderr);
                }
            });
            for number in 0.. {
                if beside.is_finished() && dumped.is_finished() {
                    break;
                }
                let key = format!("before:{number}");
                // A value that looks like commands.
                client.ask(&["SET", &key, "*1\r\n$8\r\nFLUSHALL\r\n"]).expect("a healthy server takes it");
                for words in [&["MULTI"][..], &["SET", "in:a", "1"], &["INCR", "count"], &["EXEC"], &["SELECT", "1"]] {
                    client.ask(words).expect("a healthy server takes it");
                }
                if number % 200 == 0 {
                    client.rewrite();
                }
            }
            beside.join().expect("no look failed");
            dumped.join().expect("no dump failed");
        });
        client.rewrite();
        let refused = sandbox.run(&["repair", LOG]);
        assert_eq!(refused.code, 5, "the server has its files open: {}{}", refused.stdout, refused.stderr);
        let mut acknowledged = BTreeSet::new();
        for number in 0..300 {
            let key = format!("after:{number:03}");
            client.ask(&["SET", &key, "a value that nobody sees"]).expect("a healthy server takes it");
            acknowledged.insert(key);
        }
        drop(server);
        let clean = sandbox.run(&["verify", LOG, "--json"]);
        assert_eq!(clean.code, 0, "behind the killed server: {}", clean.stdout);
        assert!(acknowledged.is_subset(&keys_set(&sandbox, LOG)), "what was acknowledged is read");
        let (path, length) = last_file(&sandbox);
        let valkey = program.starts_with("valkey");
        assert!(valkey || checked_to(&sandbox) == length, "the server's own tool finds all of it right");
        cut(&path, length - torn_bytes(11));
        let torn = sandbox.run(&["verify", LOG]);
        assert_eq!(torn.code, 3, "{}{}", torn.stdout, torn.stderr);
        // Valkey's tool stops at its own snapshots.
        let checked = (!valkey).then(|| checked_to(&sandbox));
        let repaired = sandbox.run(&["repair", LOG]);
        assert_eq!(repaired.code, 0, "{}{}", repaired.stdout, repaired.stderr);
        let aside = kept_aside(&sandbox, LOG);
        let ends = last_file(&sandbox).1;
        assert_eq!(checked.unwrap_or(ends), ends, "cut where the server's own tool would");
        let kept = keys_set(&sandbox, LOG);
        let (server, mut client) = redis(program, &sandbox);
        client.ask(&["SELECT", "1"]).expect("it answers");
        let lost: Vec<&String> = acknowledged.iter().filter(|key| !client.has(key)).collect();
        assert_eq!(lost, ["after:299"], "the torn command is gone and no other");
        assert!(!kept.contains("after:299") && last_file(&sandbox).1 == ends, "the server cuts nothing more");
        client.ask(&["SET", "later", "x"]).expect("it takes what is written");
        drop(server);
        assert!(kept_aside(&sandbox, LOG) == aside, "the server has touched what the repair kept");
        assert_eq!(sandbox.run(&["verify", LOG]).code, 0, "what is written behind a repair is whole");
    }
}

#[test]
#[ignore = "starts a Redis server"]
fn what_a_tear_inside_a_transaction_costs_without_a_repair_is_foretold() {
    if !found("redis-server") {
        return;
    }
    let sandbox = Sandbox::new();
    let (server, mut client) = redis("redis-server", &sandbox);
    for words in [&["SET", "first", "1"][..], &["MULTI"], &["SET", "in:a", "1"], &["SET", "in:b", "2"], &["EXEC"]] {
        client.ask(words).expect("a healthy server takes it");
    }
    drop(server);
    let (path, length) = last_file(&sandbox);
    // Inside the second SET: its last byte, and EXEC behind it.
    cut(&path, length - 14 - 2);
    let torn = copy_log(&sandbox);
    let said = sandbox.run(&["verify", LOG]);
    assert!(said.code == 3 && said.stdout.contains("writes behind the open transaction"), "{}", said.stdout);

    // Without a repair the server leaves the transaction open, and what it acknowledges then is lost at the next start.
    let (server, mut client) = redis("redis-server", &sandbox);
    client.ask(&["SET", "behind", "1"]).expect("it takes what is written");
    drop(server);
    let said = sandbox.run(&["verify", LOG]);
    assert!(said.code == 3 && said.stdout.contains("open-transaction") && said.stdout.contains("behind"), "{}", said.stdout);
    let (server, mut client) = redis("redis-server", &sandbox);
    assert!(client.has("first") && !client.has("behind"), "an acknowledged write is gone");
    drop(server);

    // With it nothing is.
    put_back(&torn, &sandbox);
    let repaired = sandbox.run(&["repair", LOG]);
    assert_eq!(repaired.code, 0, "{}{}", repaired.stdout, repaired.stderr);
    assert_eq!(sandbox.run(&["repair", LOG]).stdout.trim(), format!("{LOG}: clean; nothing to repair"), "one cut is enough");
    for _ in 0..2 {
        let (server, mut client) = redis("redis-server", &sandbox);
        client.ask(&["SETNX", "behind", "1"]).expect("it takes what is written");
        assert!(client.has("first") && client.has("behind") && !client.has("in:a"));
        drop(server);
    }
    assert_eq!(sandbox.run(&["verify", LOG]).code, 0);
}

/// A log of before 7.0: a snapshot and commands in one file, which the server takes too.
#[test]
#[ignore = "starts a Redis server"]
fn one_file_with_a_snapshot_and_commands_is_read_as_the_server_reads_it() {
    if !found("redis-server") {
        return;
    }
    let sandbox = Sandbox::new();
    let (server, mut client) = redis("redis-server", &sandbox);
    for number in 0..500 {
        client.ask(&["SET", &format!("old:{number}"), &"x".repeat(number)]).expect("a healthy server takes it");
    }
    client.rewrite();
    for number in 0..20 {
        client.ask(&["SET", &format!("new:{number}"), "y"]).expect("a healthy server takes it");
    }
    drop(server);
    let of = |ending: &str| {
        let files = copy_log(&sandbox);
        files.into_iter().find(|(path, _)| path.to_string_lossy().ends_with(ending)).expect("it is there").1
    };
    let (base, increment) = (of(".base.rdb"), of(".incr.aof"));
    fs::remove_dir_all(sandbox.path().join(LOG)).expect("it can go");
    let single = sandbox.path().join("data/appendonly.aof");
    fs::write(&single, [&base[..], &increment].concat()).expect("room for it");
    let whole = sandbox.run(&["verify", "data/appendonly.aof", "--json"]);
    assert_eq!(whole.code, 0, "{}", whole.stdout);
    assert_eq!(keys_set(&sandbox, "data").len(), 20, "the commands behind the snapshot");
    cut(&single, (base.len() + increment.len()) as u64 - 3);
    assert_eq!(sandbox.run(&["verify", "data"]).code, 3);
    let repaired = sandbox.run(&["repair", "data"]);
    assert_eq!(repaired.code, 0, "{}{}", repaired.stdout, repaired.stderr);
    let (server, mut client) = redis("redis-server", &sandbox);
    assert_eq!(client.ask(&["DBSIZE"]), Some(Json::from(519)), "all but the torn one");
    drop(server);
    assert_eq!(sandbox.run(&["verify", "data"]).code, 0, "what the server made of it has a manifest");
}

/// A rewrite takes away the file that is being followed, and the next one goes on where it ended.
#[test]
#[ignore = "starts a Redis server"]
fn a_follower_shows_what_is_written_while_rewrites_replace_the_files() {
    if !found("redis-server") {
        return;
    }
    let sandbox = Sandbox::new();
    let (server, mut client) = redis("redis-server", &sandbox);
    let shown = sandbox.path().join("shown");
    let to = fs::File::create(&shown).expect("room for a file");
    let mut command = Command::new(env!("CARGO_BIN_EXE_walctl"));
    command
        .args(["dump", "data", "--follow", "--json", "--kind", "SET"])
        .current_dir(sandbox.path())
        .stdout(to)
        .stderr(Stdio::null());
    let mut follower = command.spawn().expect("it runs");
    for number in 0..3 {
        let key = format!("round:{number}");
        client.ask(&["SET", &key, "x"]).expect("a healthy server takes it");
        // Shown before the next rewrite, which takes away the file that it stands in.
        until(&key, || fs::read_to_string(&shown).ok()?.contains(&format!("\"key\":\"{key}\"")).then_some(()));
        client.rewrite();
    }
    assert!(follower.try_wait().expect("it can be asked").is_none(), "it goes on");
    follower.kill().expect("it can be ended");
    follower.wait().expect("it ends");
    drop(server);
    let text = fs::read_to_string(&shown).expect("it reads");
    assert_eq!(text.lines().count(), 3, "each once: {text}");
}
