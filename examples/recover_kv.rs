//! A small key-value store that survives `kill -9` and power cuts, over one log.
//! recover_kv DIR reads `set KEY VALUE`, `get KEY` and `compact` from standard input; `ok` means on the disk.
#![allow(clippy::print_stdout, dead_code, reason = "an example shows what it does, and tests use a part of it")]

use std::collections::BTreeMap;
use std::io::{BufRead, Write};
use std::path::Path;

use walctl::{Log, Lsn, Options, Result, Retain};

/// The store: a map in memory, and the log of all that was ever set.
pub struct Store {
    map: BTreeMap<String, String>,
    log: Log,
}

impl Store {
    /// Opens the store in `dir`. What was acknowledged is there, whatever happened.
    pub fn open(options: &Options, dir: &Path) -> Result<Store> {
        let mut map = BTreeMap::new();
        // Segments below the checkpoint go by themselves.
        let options = options.clone().retain(Retain::new().below_checkpoint());
        let log = options.recover(dir, |record| {
            let (key, value) = decode(&record.payload);
            map.insert(key, value);
            Ok(())
        })?;
        Ok(Store { map, log })
    }

    /// Sets a key. It is on the disk when this returns.
    pub fn set(&mut self, key: &str, value: &str) -> Result<()> {
        // First the log, then the map: nobody reads what could still be lost.
        self.log.append(encode(key, value))?;
        self.map.insert(key.to_owned(), value.to_owned());
        Ok(())
    }

    /// What a key is set to.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.map.get(key).map(String::as_str)
    }

    /// All that is set.
    pub fn all(&self) -> impl Iterator<Item = (&str, &str)> {
        self.map.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// Writes what is set now once more, as one batch that survives a crash whole or not at all; all before it is not needed any more.
    pub fn compact(&mut self) -> Result<()> {
        let batch = self.map.iter().map(|(key, value)| encode(key, value));
        let Some(first) = self.log.append_batch(batch)?.first().map(|ack| ack.lsn) else { return Ok(()) };
        if first > Lsn::FIRST {
            self.log.checkpoint(Lsn(first.0 - 1))?;
        }
        Ok(())
    }

    /// Closes the store cleanly. Without it nothing is lost either.
    pub fn close(&self) -> Result<()> {
        self.log.close().map(|_| ())
    }
}

/// A record: the key's length, the key, the value.
fn encode(key: &str, value: &str) -> Vec<u8> {
    let length = u32::try_from(key.len()).expect("a key is short");
    [&length.to_le_bytes(), key.as_bytes(), value.as_bytes()].concat()
}

fn decode(record: &[u8]) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    match record.split_first_chunk() {
        // Every record was checked when it was read: what stands here is what `encode` made.
        Some((length, rest)) => match rest.split_at_checked(u32::from_le_bytes(*length) as usize) {
            Some((key, value)) => (text(key), text(value)),
            None => (text(rest), String::new()),
        },
        None => (text(record), String::new()),
    }
}

fn main() -> Result<()> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let dir = std::env::args_os().nth(1).map_or_else(|| folder.path().join("store"), Into::into);
    let mut store = Store::open(&Options::new().segment_bytes(64 << 10), &dir)?;
    let (input, mut output) = (std::io::stdin().lock(), std::io::stdout().lock());
    for line in input.lines().map_while(std::io::Result::ok) {
        let mut words = line.splitn(3, ' ');
        let answer = match (words.next(), words.next(), words.next()) {
            (Some("set"), Some(key), Some(value)) => store.set(key, value).map(|()| format!("ok {key} {value}"))?,
            (Some("get"), Some(key), None) => store.get(key).unwrap_or("(nothing)").to_owned(),
            (Some("compact"), None, None) => store.compact().map(|()| "ok".to_owned())?,
            (Some("all"), None, None) => store.all().map(|(key, value)| format!("{key}={value} ")).collect(),
            _ => "set KEY VALUE, get KEY, all, or compact".to_owned(),
        };
        if writeln!(output, "{answer}").and_then(|()| output.flush()).is_err() {
            break;
        }
    }
    store.close()
}
