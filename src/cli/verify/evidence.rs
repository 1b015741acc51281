//! What an incident report holds about files and the machine: stat, hashes, versions.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::time::UNIX_EPOCH;

use sha2::{Digest, Sha256};
use walctl::disk::{EntryKind, Io, Segment};
use walctl::model::Time;
use walctl::model::units::{count, hex};
use walctl::ops::open::Input;

use super::super::render::incident::{Fact, FileFacts};

const PIECE: usize = 1 << 20;

/// A file of a log as the system has it; `room` is how much may still be read to make hashes.
pub fn file(input: &Input, segment: &Segment, room: &mut u64) -> FileFacts {
    let (bytes, modified, stat) = match fs::metadata(&segment.path) {
        Ok(meta) => (
            meta.len().to_string(),
            time(meta.modified().ok()),
            format!(
                "mode {:o}, owner {}:{}, inode {}, {}",
                meta.mode() & 0o7777,
                meta.uid(),
                meta.gid(),
                meta.ino(),
                count(meta.nlink(), "name")
            ),
        ),
        Err(error) => ("?".to_owned(), "?".to_owned(), error.kind().to_string()),
    };
    FileFacts { name: segment.name.clone(), bytes, modified, stat, hash: hash(input, segment, room) }
}

fn hash(input: &Input, segment: &Segment, room: &mut u64) -> String {
    if segment.kind != EntryKind::File || segment.length == u64::MAX {
        return "not a file".to_owned();
    }
    let Some(left) = room.checked_sub(segment.length) else {
        return "not made: there is too much to read; sha256sum makes it".to_owned();
    };
    *room = left;
    let Ok(mut cursor) = input.source.clone().with_io(Io::Read).cursor(segment) else { return "cannot be opened".to_owned() };
    let (mut hash, mut at) = (Sha256::new(), 0);
    loop {
        let piece = cursor.bytes(at, PIECE);
        if piece.is_empty() {
            break;
        }
        hash.update(piece);
        at += piece.len() as u64;
    }
    if at < segment.length {
        return format!("cannot be read beyond {at}");
    }
    hex(&hash.finalize())
}

fn time(time: Option<std::time::SystemTime>) -> String {
    let micros = time.and_then(|time| time.duration_since(UNIX_EPOCH).ok()).map(|since| since.as_micros());
    micros.and_then(|micros| u64::try_from(micros).ok()).map_or_else(|| "?".to_owned(), |micros| Time(micros).to_string())
}

/// The machine and the program.
pub fn host() -> Vec<Fact> {
    let kernel = |name: &str| {
        let text = fs::read_to_string(format!("/proc/sys/kernel/{name}")).unwrap_or_default();
        text.trim().to_owned()
    };
    let up = fs::read_to_string("/proc/uptime").ok().and_then(|text| text.split(' ').next()?.parse::<f64>().ok());
    let mut host = vec![
        ("walctl", env!("CARGO_PKG_VERSION").to_owned()),
        ("machine", kernel("hostname")),
        ("system", format!("Linux {}, {}", kernel("osrelease"), std::env::consts::ARCH)),
        ("user", rustix::process::geteuid().as_raw().to_string()),
        ("folder", std::env::current_dir().map(|dir| dir.display().to_string()).unwrap_or_default()),
    ];
    if let Some(up) = up {
        let started = Time(Time::now().0.saturating_sub((up * 1e6) as u64));
        host.push(("machine started", format!("{started}, give or take a second")));
    }
    host
}
