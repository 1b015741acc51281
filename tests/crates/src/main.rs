//! The systems whose logs walctl reads, as writers that can be killed and readers that say what they find.
//!
//! ```text
//! writers SYSTEM write DIR FROM [COUNT]   appends records FROM, FROM + 1, …; prints the number of each once it is acknowledged
//! writers SYSTEM read DIR                 prints the numbers of all records that the system's own reader gives
//! ```
//! A record is its number as text, a colon, and as many letters as the number asks for, so that it proves itself.

use std::io::Write;

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    match words[..] {
        [system, "write", dir, from] => write(system, dir, from.parse()?, u64::MAX),
        [system, "write", dir, from, count] => write(system, dir, from.parse()?, count.parse()?),
        [system, "read", dir] => read(system, dir),
        _ => Err("usage: writers SYSTEM write DIR FROM [COUNT] | writers SYSTEM read DIR".into()),
    }
}

/// The content of record `number`: from a few bytes to some kilobytes.
fn payload(number: u64) -> String {
    let length = match number % 7 {
        0 => 3000,
        1 | 2 => 400,
        _ => 20 + number % 50,
    };
    let letters = (0..length).map(|at| char::from(b'a' + u8::try_from((number + at) % 26).expect("a letter")));
    format!("{number}:{}", letters.collect::<String>())
}

fn acknowledged(number: u64) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{number}")?;
    Ok(out.flush()?)
}

/// Prints the number of a record, if it is one of ours and whole.
fn found(bytes: &[u8]) -> Result<(), Failure> {
    let text = std::str::from_utf8(bytes)?;
    let number: u64 = text.split(':').next().unwrap_or_default().parse()?;
    if text != payload(number) {
        return Err(format!("record {number} has another content").into());
    }
    println!("{number}");
    Ok(())
}

fn write(system: &str, dir: &str, from: u64, count: u64) -> Result<(), Failure> {
    let numbers = from..from.saturating_add(count);
    match system {
        #[cfg(feature = "ironwal")]
        "ironwal" => ironwal_log::write(dir, numbers, ironwal::SyncMode::Strict, SEGMENT),
        #[cfg(feature = "ironwal")]
        "ironwal-batches" => ironwal_log::write(dir, numbers, ironwal::SyncMode::Async, SEGMENT),
        // Killed in the middle of a rotation, ironwal without syncs does not read what it appends next, whoever mends its log or does not.
        #[cfg(feature = "ironwal")]
        "ironwal-one-segment" => ironwal_log::write(dir, numbers, ironwal::SyncMode::Async, 1 << 30),
        #[cfg(feature = "nodedb")]
        "nodedb" => nodedb_log::write(dir, numbers, true),
        #[cfg(feature = "nodedb")]
        "nodedb-buffered" => nodedb_log::write(dir, numbers, false),
        #[cfg(feature = "raft-engine")]
        "raft-engine" => raft_log::write(dir, numbers, true),
        #[cfg(feature = "raft-engine")]
        "raft-engine-plain" => raft_log::write(dir, numbers, false),
        #[cfg(feature = "rivven")]
        "rivven" => rivven_log::write(dir, numbers),
        #[cfg(feature = "allsource")]
        "allsource" => allsource_log::write(dir, numbers),
        _ => Err(format!("{system} was not built in").into()),
    }
}

fn read(system: &str, dir: &str) -> Result<(), Failure> {
    match system {
        #[cfg(feature = "ironwal")]
        "ironwal" | "ironwal-batches" | "ironwal-one-segment" => ironwal_log::read(dir),
        #[cfg(feature = "nodedb")]
        "nodedb" | "nodedb-buffered" => nodedb_log::read(dir),
        #[cfg(feature = "raft-engine")]
        "raft-engine" | "raft-engine-plain" => raft_log::read(dir),
        #[cfg(feature = "rivven")]
        "rivven" => rivven_log::read(dir),
        #[cfg(feature = "allsource")]
        "allsource" => allsource_log::read(dir),
        _ => Err(format!("{system} was not built in").into()),
    }
}

/// Segments are small, so that they come and go.
const SEGMENT: u64 = 64 << 10;

#[cfg(feature = "ironwal")]
mod ironwal_log {
    use ironwal::{CompressionType, SyncMode, Wal, WalOptions};

    use super::{Failure, SEGMENT, acknowledged, found, payload};

    const STREAM: &str = "orders";

    fn open(dir: &str, sync_mode: SyncMode, max_segment_size: u64) -> Result<Wal, Failure> {
        let compression = if sync_mode == SyncMode::Strict { CompressionType::None } else { CompressionType::Lz4 };
        Ok(Wal::new(WalOptions { max_segment_size, sync_mode, compression, ..WalOptions::new(dir) })?)
    }

    /// One by one, synced each; or in batches that reach over segments, with no sync at all.
    pub fn write(dir: &str, numbers: std::ops::Range<u64>, sync_mode: SyncMode, max_segment_size: u64) -> Result<(), Failure> {
        let wal = open(dir, sync_mode, max_segment_size)?;
        let mut next = numbers.start;
        while next < numbers.end {
            let end = if sync_mode == SyncMode::Strict { next + 1 } else { numbers.end.min(next + 1 + next % 150) };
            let batch: Vec<String> = (next..end).map(payload).collect();
            let entries: Vec<&[u8]> = batch.iter().map(String::as_bytes).collect();
            match entries[..] {
                [one] => drop(wal.append(STREAM, one)?),
                _ => drop(wal.append_batch(STREAM, &entries)?),
            }
            for number in next..end {
                acknowledged(number)?;
            }
            next = end;
        }
        Ok(())
    }

    pub fn read(dir: &str) -> Result<(), Failure> {
        let wal = open(dir, SyncMode::Strict, SEGMENT)?;
        for record in wal.iter(STREAM, 0)? {
            found(&record?)?;
        }
        Ok(())
    }
}

#[cfg(feature = "nodedb")]
mod nodedb_log {
    use nodedb_wal::segmented::{SegmentedWal, SegmentedWalConfig};

    use super::{Failure, SEGMENT, acknowledged, found, payload};

    fn open(dir: &str, direct: bool) -> Result<SegmentedWal, Failure> {
        let dir = dir.into();
        let mut config = if direct { SegmentedWalConfig::new(dir) } else { SegmentedWalConfig::for_testing(dir) };
        config.segment_target_size = SEGMENT;
        Ok(SegmentedWal::open(config)?)
    }

    /// Three records a sync.
    pub fn write(dir: &str, numbers: std::ops::Range<u64>, direct: bool) -> Result<(), Failure> {
        let mut wal = open(dir, direct)?;
        let mut next = numbers.start;
        while next < numbers.end {
            let end = numbers.end.min(next + 3);
            for number in next..end {
                wal.append(0x8001, 1, 2, 3, payload(number).as_bytes())?;
            }
            wal.sync()?;
            for number in next..end {
                acknowledged(number)?;
            }
            next = end;
        }
        Ok(())
    }

    pub fn read(dir: &str) -> Result<(), Failure> {
        for record in nodedb_wal::segmented::replay_all_segments(dir.as_ref(), None)? {
            if record.header.record_type & 0xFF == 1 {
                found(&record.payload)?;
            }
        }
        Ok(())
    }
}

#[cfg(feature = "raft-engine")]
mod raft_log {
    use raft_engine::{Config, Engine, LogBatch, ReadableSize};

    use super::{Failure, SEGMENT, acknowledged, found, payload};

    /// Records go to these groups by turns.
    const GROUPS: u64 = 3;

    /// Files are small, and what is old is soon written anew into the other queue.
    fn config(dir: &str, recycles: bool) -> Config {
        Config {
            dir: dir.to_owned(),
            target_file_size: ReadableSize(SEGMENT),
            purge_threshold: ReadableSize(8 * SEGMENT),
            batch_compression_threshold: ReadableSize(2000),
            enable_log_recycle: recycles,
            ..Config::default()
        }
    }

    /// Two records a batch, synced each.
    pub fn write(dir: &str, numbers: std::ops::Range<u64>, recycles: bool) -> Result<(), Failure> {
        let engine = Engine::open(config(dir, recycles))?;
        let mut next = numbers.start;
        while next < numbers.end {
            let (end, mut batch) = (numbers.end.min(next + 2), LogBatch::default());
            for number in next..end {
                batch.put(1 + number % GROUPS, number.to_string().into_bytes(), payload(number).into_bytes())?;
            }
            engine.write(&mut batch, true)?;
            for number in next..end {
                acknowledged(number)?;
            }
            if next % 64 == 0 {
                engine.purge_expired_files()?;
            }
            next = end;
        }
        Ok(())
    }

    pub fn read(dir: &str) -> Result<(), Failure> {
        let engine = Engine::open(config(dir, false))?;
        let mut result = Ok(());
        for group in 1..=GROUPS {
            engine.scan_raw_messages(group, None, None, false, |_, value| {
                result = found(value);
                result.is_ok()
            })?;
            std::mem::replace(&mut result, Ok(()))?;
        }
        result
    }
}

#[cfg(feature = "rivven")]
mod rivven_log {
    use std::time::Duration;

    use bytes::Bytes;
    use rivven_core::wal::{GroupCommitWal, WalConfig};

    use super::{Failure, SEGMENT, acknowledged, found, payload};

    fn config(dir: &str) -> WalConfig {
        WalConfig {
            dir: dir.into(),
            group_commit_window: Duration::from_micros(200),
            // Large groups outgrow the room that was made for them.
            preallocate_size: SEGMENT / 2,
            max_file_size: SEGMENT,
            ..WalConfig::default()
        }
    }

    pub fn write(dir: &str, numbers: std::ops::Range<u64>) -> Result<(), Failure> {
        tokio::runtime::Runtime::new()?.block_on(async {
            let wal = GroupCommitWal::new(config(dir)).await?;
            let mut next = numbers.start;
            while next < numbers.end {
                let end = numbers.end.min(next + 1 + next % 5);
                let batch: Vec<Bytes> = (next..end).map(|number| Bytes::from(payload(number))).collect();
                wal.write_batch(batch).await?;
                for number in next..end {
                    acknowledged(number)?;
                }
                next = end;
            }
            Ok(wal.shutdown().await?)
        })
    }

    pub fn read(dir: &str) -> Result<(), Failure> {
        let records = tokio::runtime::Runtime::new()?.block_on(GroupCommitWal::replay_all(&config(dir)))?;
        records.iter().try_for_each(|record| found(&record.data))
    }
}

#[cfg(feature = "allsource")]
mod allsource_log {
    use allsource_core::Event;
    use allsource_core::infrastructure::persistence::wal::{WALConfig, WriteAheadLog};
    use serde_json::json;

    use super::{Failure, SEGMENT, acknowledged, found, payload};

    fn open(dir: &str) -> Result<(WriteAheadLog, Vec<Event>), Failure> {
        let config = WALConfig { max_file_size: usize::try_from(SEGMENT)?, ..WALConfig::default() };
        let wal = WriteAheadLog::new(dir, config)?;
        let events = wal.recover_for_append()?;
        Ok((wal, events))
    }

    pub fn write(dir: &str, numbers: std::ops::Range<u64>) -> Result<(), Failure> {
        let (wal, _) = open(dir)?;
        for number in numbers {
            let content = json!({ "text": payload(number) });
            wal.append(Event::from_strings("note".into(), "e".into(), "default".into(), content, None)?)?;
            acknowledged(number)?;
        }
        Ok(())
    }

    pub fn read(dir: &str) -> Result<(), Failure> {
        let (_, events) = open(dir)?;
        events.iter().try_for_each(|event| found(event.payload["text"].as_str().unwrap_or_default().as_bytes()))
    }
}
