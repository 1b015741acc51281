//! ZooKeeper itself as a writer: beside it, behind it when it was killed, and before it after a repair.
//!
//! The Debian packages zookeeper and default-jre-headless, which `.ci/run` installs.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::Value as Json;

use crate::live_servers::{Server, found, kept_aside, look_beside, ports, report, tear, until};
use crate::support::sandbox::Sandbox;

const LOG: &str = "D/version-2";
const CLASSES: &str = "/etc/zookeeper/conf:/usr/share/java/*";

/// A session: it asks and waits for the answer.
struct Client {
    stream: TcpStream,
    asked: i32,
}

fn text(to: &mut Vec<u8>, words: &[u8]) {
    to.extend(i32::try_from(words.len()).expect("a short word").to_be_bytes());
    to.extend(words);
}

impl Client {
    fn connect(port: u16) -> Option<Client> {
        let stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
        stream.set_nodelay(true).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(20))).ok()?;
        let mut client = Client { stream, asked: 0 };
        // Protocol 0, nothing seen, a timeout of 30 s, no session yet.
        let mut hello = vec![0; 12];
        hello.extend(30_000i32.to_be_bytes());
        hello.extend([0; 8]);
        text(&mut hello, &[0; 16]);
        client.exchange(&hello).filter(|answer| answer.len() >= 16 && answer[4..8] != [0; 4]).map(|_| client)
    }

    fn exchange(&mut self, request: &[u8]) -> Option<Vec<u8>> {
        let mut framed = Vec::new();
        text(&mut framed, request);
        self.stream.write_all(&framed).ok()?;
        let mut length = [0; 4];
        self.stream.read_exact(&mut length).ok()?;
        let mut answer = vec![0; usize::try_from(u32::from_be_bytes(length)).ok()?];
        self.stream.read_exact(&mut answer).ok()?;
        Some(answer)
    }

    /// The number of the transaction if the server did as it was asked; `None` where the server is gone, or says that something is wrong.
    fn ask(&mut self, operation: i32, body: &[u8]) -> Option<u64> {
        self.asked += 1;
        let request = [&self.asked.to_be_bytes()[..], &operation.to_be_bytes(), body].concat();
        let answer = self.exchange(&request)?;
        let zxid = u64::from_be_bytes(answer.get(4..12)?.try_into().ok()?);
        (answer.get(12..16)? == [0; 4]).then_some(zxid)
    }

    fn create(&mut self, path: &str, data: &[u8]) -> Option<u64> {
        let mut body = Vec::new();
        text(&mut body, path.as_bytes());
        text(&mut body, data);
        // One rule: all rights, for the world.
        body.extend(1i32.to_be_bytes());
        body.extend(31i32.to_be_bytes());
        text(&mut body, b"world");
        text(&mut body, b"anyone");
        body.extend(0i32.to_be_bytes());
        self.ask(1, &body)
    }

    fn set(&mut self, path: &str, data: &[u8]) -> Option<u64> {
        let mut body = Vec::new();
        text(&mut body, path.as_bytes());
        text(&mut body, data);
        body.extend((-1i32).to_be_bytes());
        self.ask(5, &body)
    }

    fn has(&mut self, path: &str) -> bool {
        let mut body = Vec::new();
        text(&mut body, path.as_bytes());
        body.push(0);
        self.ask(3, &body).is_some()
    }
}

/// Whether the server and what runs it are there.
fn can_run() -> bool {
    found("java") && {
        let there = Path::new("/usr/share/java/zookeeper.jar").exists();
        assert!(there || std::env::var_os("CI").is_none(), "zookeeper is needed here; .ci/run installs it");
        there
    }
}

fn start(sandbox: &Sandbox) -> (Server, Client) {
    let [port] = ports();
    let dir = sandbox.path().join("D");
    fs::create_dir_all(&dir).expect("room for a folder");
    let settings = format!(
        "tickTime=2000\ndataDir={}\nclientPort={port}\nclientPortAddress=127.0.0.1\nadmin.enableServer=false\nsnapCount=400\npreAllocSize=64\n",
        dir.display()
    );
    fs::write(sandbox.path().join("zoo.cfg"), settings).expect("room for a file");
    let args = ["-Xmx256m", "-cp", CLASSES, "org.apache.zookeeper.server.quorum.QuorumPeerMain", "zoo.cfg"].map(str::to_owned);
    let server = Server::start("java", &args, sandbox.path());
    (server, until("ZooKeeper", || Client::connect(port)))
}

/// The transactions of a log by their numbers, as `dump` shows them, with the file that each stands in.
fn transactions(sandbox: &Sandbox) -> BTreeMap<u64, String> {
    let ran = sandbox.run(&["dump", LOG, "--json"]);
    let lines = ran.stdout.lines().map(|line| serde_json::from_str::<Json>(line).expect("each line is JSON"));
    lines.filter_map(|record| Some((record["lsn"].as_u64()?, record["file"].as_str()?.to_owned()))).collect()
}

/// The numbers that the system's own tool finds in a file.
fn own_numbers(file: &Path) -> BTreeSet<u64> {
    let mut command = Command::new("java");
    command.args(["-cp", CLASSES, "org.apache.zookeeper.server.persistence.TxnLogToolkit", "-d"]).arg(file);
    let ran = command.output().expect("it comes with the server");
    let said = String::from_utf8_lossy(&ran.stdout).into_owned();
    assert!(!said.contains("CRC ERROR"), "{said}");
    let numbers = said.lines().filter_map(|line| line.split("zxid 0x").nth(1)?.split_whitespace().next());
    numbers.map(|number| u64::from_str_radix(number, 16).expect("a hexadecimal number")).collect()
}

#[test]
#[ignore = "starts a ZooKeeper server"]
fn zookeeper_is_read_beside_its_rotations_killed_torn_repaired_and_starts_again_with_its_data() {
    if !can_run() {
        return;
    }
    let sandbox = Sandbox::new();
    let (server, mut client) = start(&sandbox);
    client.create("/before", b"").expect("a healthy server takes it");
    std::thread::scope(|scope| {
        let beside = scope.spawn(|| look_beside(&sandbox, LOG));
        let dumped = scope.spawn(|| {
            for _ in 0..5 {
                let ran = sandbox.run(&["dump", "D", "--json"]);
                assert_eq!(ran.code, 0, "beside the running server: {}", ran.stderr);
            }
        });
        for number in 0.. {
            if beside.is_finished() && dumped.is_finished() && number > 1000 {
                break;
            }
            let path = format!("/before/{number}");
            client.create(&path, &vec![b'x'; number % 700]).expect("a healthy server takes it");
            client.set(&path, b"changed").expect("a healthy server takes it");
        }
        beside.join().expect("no look failed");
        dumped.join().expect("no dump failed");
    });
    let refused = sandbox.run(&["repair", LOG]);
    assert_eq!(refused.code, 5, "the server has its files open: {}{}", refused.stdout, refused.stderr);
    let acknowledged: Vec<u64> = (0..50)
        .map(|number| client.create(&format!("/after-{number:02}"), b"a value").expect("a healthy server takes it"))
        .collect();
    drop((client, server));

    let clean = sandbox.run(&["verify", LOG, "--json"]);
    assert_eq!(clean.code, 0, "behind the killed server: {}", clean.stdout);
    let found = transactions(&sandbox);
    assert!(acknowledged.iter().all(|zxid| found.contains_key(zxid)), "what was acknowledged is read");
    let files: BTreeSet<&String> = found.values().collect();
    assert!(files.len() > 2, "it rotated: {files:?}");
    for file in files {
        let ours: BTreeSet<u64> = found.iter().filter(|(_, at)| *at == file).map(|(zxid, _)| *zxid).collect();
        assert_eq!(ours, own_numbers(&sandbox.path().join(LOG).join(file)), "{file}: as the system's own tool");
    }

    tear(&sandbox, LOG, 5);
    let torn = sandbox.run(&["verify", LOG]);
    assert_eq!(torn.code, 3, "{}{}", torn.stdout, torn.stderr);
    let repaired = sandbox.run(&["repair", LOG]);
    assert_eq!(repaired.code, 0, "{}{}", repaired.stdout, repaired.stderr);
    let aside = kept_aside(&sandbox, LOG);
    let kept = transactions(&sandbox);
    let lost: Vec<&u64> = acknowledged.iter().filter(|zxid| !kept.contains_key(zxid)).collect();
    assert_eq!(lost, [&acknowledged[49]], "the torn transaction and no other");
    let (server, mut client) = start(&sandbox);
    let gone: Vec<usize> = (0..50).filter(|number| !client.has(&format!("/after-{number:02}"))).collect();
    assert_eq!(gone, [49], "the server has what was kept");
    client.create("/later", b"").expect("it takes what is written");
    drop((client, server));
    assert!(kept_aside(&sandbox, LOG) == aside, "ZooKeeper has touched what the repair kept");
    let after = sandbox.run(&["verify", LOG, "--json"]);
    assert_eq!(after.code, 0, "what is written behind a repair is whole: {}", after.stdout);
    assert!(report(&after)["records"].as_u64() > Some(kept.len() as u64));
}
