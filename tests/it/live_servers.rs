//! Other systems' servers: beside them while they write, behind them when they were killed, and before them after a repair.
//!
//! They are Debian packages (etcd-server, prometheus, nats-server), which `.ci/run` installs; where one is missing its test says so and ends.

use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value as Json, json};

use crate::support::sandbox::{Ran, Sandbox, have};

/// How long the looks beside a running server go on: `WALCTL_LOOK_SECONDS`, or 4 seconds.
pub fn looking() -> Duration {
    let seconds = std::env::var("WALCTL_LOOK_SECONDS").ok().and_then(|seconds| seconds.parse().ok());
    Duration::from_secs(seconds.unwrap_or(4))
}
/// How long a server may take to answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server that ends with its test.
pub struct Server(pub Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Server {
    pub fn start(program: &str, args: &[String], dir: &Path) -> Server {
        let mut command = Command::new(program);
        command.args(args).current_dir(dir).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Server(command.spawn().expect("it was found before"))
    }
}

#[expect(clippy::print_stderr, reason = "a skipped test says so")]
pub fn found(program: &str) -> bool {
    let found = have(program);
    assert!(found || std::env::var_os("CI").is_none(), "{program} is needed here; .ci/run installs it");
    if !found {
        eprintln!("skipped: {program} is not installed");
    }
    found
}

/// Ports that were free a moment ago.
pub fn ports<const N: usize>() -> [u16; N] {
    let held: [TcpListener; N] = std::array::from_fn(|_| TcpListener::bind("127.0.0.1:0").expect("a free port"));
    held.map(|listener| listener.local_addr().expect("it is bound").port())
}

/// One request over HTTP: status and body.
fn http(port: u16, method: &str, path: &str, body: &str) -> Option<(u16, String)> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(10))).ok()?;
    let length = body.len();
    write!(stream, "{method} {path} HTTP/1.0\r\nHost: x\r\nContent-Length: {length}\r\n\r\n{body}").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    Some((head.split(' ').nth(1)?.parse().ok()?, body.to_owned()))
}

pub fn until<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let begin = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(begin.elapsed() < PATIENCE, "{what} did not come");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Says how often was looked, where a test's output is shown.
#[expect(clippy::print_stderr, reason = "a campaign counts the looks")]
pub fn told(looks: usize, log: &str, begun: Instant) {
    eprintln!("{looks} looks at {log} in {} s", begun.elapsed().as_secs());
}

/// Verifies a log over and over for a while: nothing of a running server is damage.
pub fn look_beside(sandbox: &Sandbox, log: &str) {
    let (begin, mut looks) = (Instant::now(), 0);
    while begin.elapsed() < looking() || looks < 5 {
        let ran = sandbox.run(&["verify", log, "--json"]);
        assert_eq!(ran.code, 0, "beside the running server: {}{}", ran.stdout, ran.stderr);
        looks += 1;
    }
    told(looks, log, begin);
    let refused = sandbox.run(&["repair", log]);
    assert!(refused.code == 0 || refused.code == 5, "repair beside the server: {}{}", refused.stdout, refused.stderr);
}

pub fn report(ran: &Ran) -> Json {
    serde_json::from_str(ran.stdout.lines().next().unwrap_or_default()).expect("verify --json prints a report")
}

/// How many bytes are torn off: `WALCTL_TEAR_BYTES`, or as many as the test says.
pub fn torn_bytes(bytes: u64) -> u64 {
    std::env::var("WALCTL_TEAR_BYTES").ok().and_then(|bytes| bytes.parse().ok()).unwrap_or(bytes)
}

/// Cuts some bytes off the end of the data of the last segment that holds any; gives the file back.
pub fn tear(sandbox: &Sandbox, log: &str, bytes: u64) -> PathBuf {
    let bytes = torn_bytes(bytes);
    let ran = sandbox.run(&["verify", log, "--json"]);
    assert_eq!(ran.code, 0, "behind the killed server: {}{}", ran.stdout, ran.stderr);
    let report = report(&ran);
    let mut segments = report["segments"].as_array().expect("a list").iter();
    let last = segments.rfind(|segment| segment["records"].as_u64() > Some(0)).expect("something was written");
    let end = last["data_end"].as_u64().expect("where its data ends");
    let path = sandbox.path().join(log).join(last["file"].as_str().expect("a name"));
    OpenOptions::new().write(true).open(&path).and_then(|file| file.set_len(end - bytes)).expect("it can be cut");
    path
}

/// The files that repairs kept beside a log, by name. A server must neither take one for a part of its log nor change it.
pub fn kept_aside(sandbox: &Sandbox, log: &str) -> Vec<(String, Vec<u8>)> {
    let kept: Vec<_> = sandbox.files(log).into_iter().filter(|(name, _)| name.contains(".cut-")).collect();
    assert!(!kept.is_empty(), "a repair keeps what it cuts");
    kept
}

fn etcd(data: &Path, client: u16, peer: u16) -> Server {
    let url = |port: u16| format!("http://127.0.0.1:{port}");
    let pairs = [
        ("--name", "a".to_owned()),
        ("--data-dir", data.display().to_string()),
        ("--listen-client-urls", url(client)),
        ("--advertise-client-urls", url(client)),
        ("--listen-peer-urls", url(peer)),
        ("--initial-advertise-peer-urls", url(peer)),
        ("--initial-cluster", format!("a={}", url(peer))),
        ("--snapshot-count", "100".to_owned()),
    ];
    let args: Vec<String> = pairs.into_iter().flat_map(|(name, value)| [name.to_owned(), value]).collect();
    let server = Server::start("etcd", &args, data.parent().expect("it is in the sandbox"));
    until("etcd", || http(client, "GET", "/health", "").filter(|(status, body)| *status == 200 && body.contains("true")));
    server
}

fn put(client: u16, key: &str, value: &str) -> bool {
    let body = json!({"key": STANDARD.encode(key), "value": STANDARD.encode(value)}).to_string();
    http(client, "POST", "/v3/kv/put", &body).is_some_and(|(status, _)| status == 200)
}

fn has_key(client: u16, key: &str) -> bool {
    let body = json!({"key": STANDARD.encode(key)}).to_string();
    until("an answer", || http(client, "POST", "/v3/kv/range", &body)).1.contains("\"kvs\"")
}

/// The keys that entries of a log put.
fn keys_put(sandbox: &Sandbox, log: &str) -> BTreeSet<String> {
    let ran = sandbox.run(&["dump", log, "--json", "--kind", "entry"]);
    let lines = ran.stdout.lines().map(|line| serde_json::from_str::<Json>(line).expect("each line is JSON"));
    lines.filter_map(|record| record["decoded"]["key"].as_str().map(str::to_owned)).collect()
}

#[test]
#[ignore = "starts an etcd server"]
fn etcd_is_read_beside_killed_torn_repaired_and_starts_again_with_its_data() {
    if !found("etcd") {
        return;
    }
    let sandbox = Sandbox::new();
    let (data, log) = (sandbox.path().join("data"), "data/member/wal");
    let [client, peer] = ports();
    let server = etcd(&data, client, peer);
    let mut acknowledged = BTreeSet::new();
    std::thread::scope(|scope| {
        let beside = scope.spawn(|| look_beside(&sandbox, log));
        let mut number = 0;
        while !beside.is_finished() {
            let key = format!("/shop/k{number:05}");
            assert!(put(client, &key, "a value that nobody sees"), "a healthy server takes what is put");
            acknowledged.insert(key);
            number += 1;
        }
        beside.join().expect("no look failed");
    });
    let refused = sandbox.run(&["repair", log]);
    assert_eq!(refused.code, 5, "etcd holds its segments: {}{}", refused.stdout, refused.stderr);
    drop(server);
    let read = keys_put(&sandbox, log);
    assert!(acknowledged.is_subset(&read), "{} of {} acknowledged keys are read", read.len(), acknowledged.len());
    tear(&sandbox, log, 11);
    let torn = sandbox.run(&["verify", log]);
    assert_eq!(torn.code, 3, "{}{}", torn.stdout, torn.stderr);
    let repaired = sandbox.run(&["repair", log]);
    assert_eq!(repaired.code, 0, "{}{}", repaired.stdout, repaired.stderr);
    let aside = kept_aside(&sandbox, log);
    let kept = keys_put(&sandbox, log);
    assert!(kept.len() + 1 >= read.len(), "a torn end costs one record: {} of {} keys are left", kept.len(), read.len());
    let [client, peer] = ports();
    let server = etcd(&data, client, peer);
    for key in &kept {
        assert!(has_key(client, key), "{key} is not there after the repair");
    }
    assert!(put(client, "/shop/after", "x"));
    drop(server);
    assert!(kept_aside(&sandbox, log) == aside, "etcd has touched what the repair kept");
    assert_eq!(sandbox.run(&["verify", log]).code, 0, "what etcd writes behind a repair is whole");
}

fn prometheus(sandbox: &Sandbox, port: u16) -> Server {
    let config = sandbox.path().join("p.yml");
    let text = format!(
        "global: {{scrape_interval: 1s}}\nscrape_configs: [{{job_name: self, static_configs: [{{targets: ['127.0.0.1:{port}']}}]}}]\n"
    );
    fs::write(&config, text).expect("room for a file");
    let args = [
        format!("--config.file={}", config.display()),
        format!("--storage.tsdb.path={}", sandbox.path().join("data").display()),
        format!("--web.listen-address=127.0.0.1:{port}"),
    ];
    let server = Server::start("prometheus", &args, sandbox.path());
    until("Prometheus", || http(port, "GET", "/-/ready", "").filter(|(status, _)| *status == 200));
    server
}

/// A figure that Prometheus tells of itself.
fn figure(port: u16, name: &str) -> Option<f64> {
    let (_, body) = http(port, "GET", "/metrics", "")?;
    body.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.trim().parse().ok())
}

#[test]
#[ignore = "starts a Prometheus server"]
fn prometheus_is_read_beside_killed_torn_repaired_and_starts_again_without_a_repair_of_its_own() {
    if !found("prometheus") {
        return;
    }
    let sandbox = Sandbox::new();
    let [port] = ports();
    let server = prometheus(&sandbox, port);
    let records = || sandbox.run(&["dump", "data/wal", "--json", "--kind", "samples"]).stdout.lines().count();
    until("three scrapes", || (records() >= 3).then_some(()));
    look_beside(&sandbox, "data/wal");
    drop(server);
    let before = records();
    tear(&sandbox, "data/wal", 11);
    let torn = sandbox.run(&["verify", "data/wal"]);
    assert_eq!(torn.code, 3, "{}{}", torn.stdout, torn.stderr);
    let repaired = sandbox.run(&["repair", "data/wal"]);
    assert_eq!(repaired.code, 0, "{}{}", repaired.stdout, repaired.stderr);
    let aside = kept_aside(&sandbox, "data/wal");
    assert!(records() + 1 >= before, "a torn end costs one record");
    let [port] = ports();
    let server = prometheus(&sandbox, port);
    let corruptions = until("its figures", || figure(port, "prometheus_tsdb_wal_corruptions_total"));
    assert_eq!(corruptions.to_bits(), 0f64.to_bits(), "the server found something to repair");
    let series = until("its figures", || figure(port, "prometheus_tsdb_head_series"));
    assert!(series > 100.0, "only {series} series are there after the repair");
    drop(server);
    assert!(kept_aside(&sandbox, "data/wal") == aside, "Prometheus has touched what the repair kept");
    assert_eq!(sandbox.run(&["verify", "data"]).code, 0, "what Prometheus writes behind a repair is whole");
}

/// A client of a NATS server: it asks and waits for the answer.
struct Nats {
    stream: BufReader<TcpStream>,
    asked: u32,
}

impl Nats {
    fn connect(port: u16) -> Option<Nats> {
        let stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(10))).ok()?;
        let mut nats = Nats { stream: BufReader::new(stream), asked: 0 };
        nats.send(b"CONNECT {\"verbose\":false}\r\nSUB _I.* 1\r\n")?;
        Some(nats)
    }

    fn send(&mut self, bytes: &[u8]) -> Option<()> {
        self.stream.get_mut().write_all(bytes).ok()
    }

    fn ask(&mut self, subject: &str, body: &str) -> Option<Json> {
        self.asked += 1;
        let inbox = format!("_I.{}", self.asked);
        self.send(format!("PUB {subject} {inbox} {}\r\n{body}\r\n", body.len()).as_bytes())?;
        loop {
            let mut line = String::new();
            self.stream.read_line(&mut line).ok()?;
            let words: Vec<&str> = line.split_whitespace().collect();
            match words[..] {
                ["PING"] => self.send(b"PONG\r\n")?,
                ["MSG", to, _, length] => {
                    let mut answer = vec![0; length.parse::<usize>().ok()? + 2];
                    self.stream.read_exact(&mut answer).ok()?;
                    if to == inbox {
                        return serde_json::from_slice(&answer).ok();
                    }
                }
                [] => return None,
                _ => {}
            }
        }
    }
}

fn nats(sandbox: &Sandbox, port: u16) -> (Server, Nats) {
    let store = sandbox.path().join("data").display().to_string();
    let args = ["-js", "-sd", &store, "-a", "127.0.0.1", "-p", &port.to_string()].map(str::to_owned);
    let server = Server::start("nats-server", &args, sandbox.path());
    let client = until("NATS", || {
        let mut client = Nats::connect(port)?;
        client.ask("$JS.API.INFO", "").map(|_| client)
    });
    (server, client)
}

#[test]
#[ignore = "starts a NATS server"]
fn nats_is_read_beside_killed_torn_repaired_and_gives_lost_numbers_again() {
    if !found("nats-server") {
        return;
    }
    let sandbox = Sandbox::new();
    let log = "data/jetstream/$G/streams/ORDERS/msgs";
    let [port] = ports();
    let (server, mut client) = nats(&sandbox, port);
    let stream = json!({"name": "ORDERS", "subjects": ["orders.>"], "storage": "file", "retention": "limits", "max_msgs": 1500})
        .to_string();
    let made = client.ask("$JS.API.STREAM.CREATE.ORDERS", &stream).expect("the server answers");
    assert_eq!(made["config"]["name"], "ORDERS", "{made}");
    let mut last = 0;
    let mut publish = |client: &mut Nats| {
        let ack = client.ask("orders.paid", "a message that nobody sees").expect("the server answers");
        last = ack["seq"].as_u64().unwrap_or_else(|| panic!("an acknowledgement: {ack}"));
        last
    };
    publish(&mut client);
    std::thread::scope(|scope| {
        let beside = scope.spawn(|| look_beside(&sandbox, log));
        while !beside.is_finished() {
            let sequence = publish(&mut client);
            if sequence % 7 == 0 {
                let erase = json!({"seq": sequence - 3}).to_string();
                client.ask("$JS.API.STREAM.MSG.DELETE.ORDERS", &erase).expect("the server answers");
            }
        }
        beside.join().expect("no look failed");
    });
    drop(server);
    let before = report(&sandbox.run(&["verify", log, "--json"]));
    assert_eq!((before["verdict"].as_str(), before["last_lsn"].as_u64()), (Some("clean"), Some(last)), "{before}");
    tear(&sandbox, log, 11);
    let torn = sandbox.run(&["verify", log]);
    assert!(torn.code == 3 && torn.stdout.contains("given out again"), "{}{}", torn.stdout, torn.stderr);
    let repaired = sandbox.run(&["repair", log]);
    assert_eq!(repaired.code, 0, "{}{}", repaired.stdout, repaired.stderr);
    let aside = kept_aside(&sandbox, log);
    let [port] = ports();
    let (server, mut client) = nats(&sandbox, port);
    let info = client.ask("$JS.API.STREAM.INFO.ORDERS", "").expect("the server answers");
    assert_eq!(info["state"]["last_seq"], last - 1, "{info}");
    let ack = client.ask("orders.paid", "another message").expect("the server answers");
    assert_eq!(ack["seq"], last, "the number of the lost message is given again: {ack}");
    drop(server);
    assert!(kept_aside(&sandbox, log) == aside, "NATS has touched what the repair kept");
    assert_eq!(sandbox.run(&["verify", log]).code, 0, "what NATS writes behind a repair is whole");
}
