//! Bytes that were made to be expensive: each walk reads no more than a small multiple of what there is, whatever headers claim.
//!
//! What is counted is what is asked of the file, so the bound is the same on every machine.

use std::sync::Arc;

use walctl::disk::{RealDisk, Source};
use walctl::formats::{Halt, Sink, Visit, Want, by_name};
use walctl::model::{Keys, Lsn, Time};
use walctl::native::{FrameFields, FrameKind, SegmentHeader, encode_frame, encode_header, segment_name};

use crate::support::held::HeldFile;

const SIZE: usize = 2 << 20;
/// How often each byte may be read. Summing each claim would read it more than ten thousand times, and twice that in twice the bytes.
const MOST_READ: u64 = 600;

fn header() -> SegmentHeader {
    SegmentHeader { key: None, block: 0, log_id: [7; 16], first_lsn: Lsn(1), created: Time(1), chain: 0, recycled: false }
}

/// A segment that grows by what `piece` adds, given how much is left and the next LSN.
fn segment(mut piece: impl FnMut(&mut Vec<u8>, usize, u64)) -> Vec<u8> {
    let mut bytes = encode_header(&header());
    let mut lsn = 1;
    while bytes.len() < SIZE {
        let left = SIZE - bytes.len();
        piece(&mut bytes, left, lsn);
        lsn += 2;
    }
    bytes.truncate(SIZE);
    bytes
}

fn whole(bytes: &mut Vec<u8>, kind: FrameKind, flags: u8, lsn: u64, payload: &[u8]) {
    let fields = FrameFields { kind, flags, unsynced: 0, lsn: Lsn(lsn), time: Time(1), tag: 0 };
    let offset = bytes.len() as u64;
    encode_frame(bytes, &fields, payload, header().seed(), offset);
}

/// A header with a wrong sum that claims a payload of this length.
fn claim(bytes: &mut Vec<u8>, length: usize, lsn: u64) {
    let at = bytes.len();
    whole(bytes, FrameKind::Full, 0, lsn, b"");
    bytes[at + 4] ^= 0x55;
    bytes[at + 6] ^= 0x55;
    bytes[at + 8..at + 12].copy_from_slice(&u32::try_from(length).expect("small").to_le_bytes());
}

/// What a walk asked of the file, for each byte of it.
fn cost(format: &str, name: &str, bytes: Vec<u8>, want: Want) -> u64 {
    let size = bytes.len() as u64;
    let file = Arc::new(HeldFile::new(bytes));
    let source = Source::given(Arc::new(RealDisk), name, file.clone(), 1);
    let format = by_name(format).expect("it is known");
    let visit = Visit { source: &source, segment: &source.segments[0], keys: &Keys::default(), want };
    match (format.walk)(&visit, &mut Sink::new(&mut |_| Ok(()))) {
        Ok(_) | Err(Halt::Enough) => {}
        Err(Halt::Failed(error)) => panic!("{}: {error}", format.name),
    }
    file.bytes_read() / size
}

#[test]
fn hostile_frames_of_our_own_cost_a_small_multiple_of_their_length() {
    let name = segment_name(Lsn(1));
    let more = walctl::native::MORE;
    let recipes: [(&str, Vec<u8>); 9] = [
        ("claims of all that is left", segment(|bytes, left, _| claim(bytes, left.saturating_sub(100), 7))),
        ("claims of half of it", segment(|bytes, left, _| claim(bytes, left / 2, 7))),
        ("claims of 64 KiB", segment(|bytes, _, _| claim(bytes, 64 << 10, 7))),
        (
            "claims between whole frames",
            segment(|bytes, left, lsn| {
                whole(bytes, FrameKind::Full, 0, lsn, b"");
                claim(bytes, left / 2, lsn + 1);
            }),
        ),
        (
            "claims that break batches",
            segment(|bytes, left, lsn| {
                whole(bytes, FrameKind::Full, more, lsn, b"");
                claim(bytes, left / 2, lsn + 1);
            }),
        ),
        (
            "flipped bits and nothing whole",
            segment(|bytes, _, lsn| {
                let at = bytes.len();
                whole(bytes, FrameKind::Full, 0, lsn.div_ceil(2), &[7; 1000]);
                bytes[at + 60] ^= 1;
            }),
        ),
        ("a batch without an end", segment(|bytes, _, lsn| whole(bytes, FrameKind::Full, more, lsn.div_ceil(2), b""))),
        ("firsts without a last", segment(|bytes, _, lsn| whole(bytes, FrameKind::First, 0, lsn.div_ceil(2), b""))),
        ("middles without a first", segment(|bytes, _, lsn| whole(bytes, FrameKind::Middle, 0, lsn.div_ceil(2), b""))),
    ];
    for (what, bytes) in recipes {
        for want in [Want { counts_only: true, ..Want::default() }, Want { tally: true, payloads: true, ..Want::default() }] {
            let cost = cost("native", &name, bytes.clone(), want);
            assert!(cost <= MOST_READ, "{what}: each byte was read {cost} times");
        }
    }
}

/// Headers of other systems' formats, each of which claims `length` of what is left.
fn foreign(format: &str, claim: impl Fn(usize) -> usize) -> (&'static str, Vec<u8>) {
    let mut bytes = Vec::new();
    let name = match format {
        "nodedb" => "wal-00000000000000000001.seg",
        "pebble" | "rocksdb" => "000004.log",
        "postgres" => "000000010000000000000001",
        "sqlite" => "app.db-wal",
        "etcd" => "0000000000000001-0000000000000001.wal",
        "prometheus" => "00000004",
        "nats" => "1.blk",
        "raft-engine" => "0000000000000004.raftlog",
        "mysql" => "binlog.000001",
        "kafka" => "00000000000000000000.log",
        "redis" => "appendonly.aof.1.incr.aof",
        _ => "00000000000000000000.wal",
    };
    while bytes.len() < SIZE {
        let length = u32::try_from(claim(SIZE - bytes.len())).expect("small");
        match format {
            "ironwal" => {
                bytes.extend(b"LAWL\0\0\0\0\x09\0\0\0\0\0\0\0\x01\0\0\0\0");
                bytes.extend(length.to_le_bytes());
                bytes.extend([0; 7]);
            }
            "postgres" => {
                let (at, page) = (bytes.len(), bytes.len() % 8192);
                let behind = (SIZE - at).div_ceil(8192) - 1;
                let lsn = (at + SIZE) as u64;
                if page == 0 {
                    // All pages go on with one record that ends with the file.
                    let rest = if at == 0 { 0 } else { (behind + 1) * 8168 };
                    bytes.extend([0x10, 0xD1, if at == 0 { 2 } else { 1 }, 0, 1, 0, 0, 0]);
                    bytes.extend(lsn.to_le_bytes());
                    bytes.extend(u32::try_from(rest).expect("small").to_le_bytes());
                    bytes.extend([0; 4]);
                    if at == 0 {
                        bytes.extend([7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 32, 0, 0, 32, 0, 0]);
                    }
                } else if page + 24 <= 8192 {
                    // And so does each record: what the first recipe claims is exactly what is left.
                    let total = claim(8192 - page + behind * 8168 + 100).max(24);
                    bytes.extend(u32::try_from(total).expect("small").to_le_bytes());
                    bytes.extend([0; 4]);
                    bytes.extend((lsn - 8).to_le_bytes());
                    bytes.extend([0, 10, 0, 0, 1, 2, 3, 4]);
                } else {
                    bytes.resize(at.next_multiple_of(8192), 1);
                }
            }
            "pebble" => {
                // As dense as headers can stand, each with all that is left of its block or a part of it, and whole chunks between them, the
                // promises of which become fewer and fewer.
                let left = 32_768 - bytes.len() % 32_768;
                if bytes.len() % 5 == 0 && left > 19 {
                    let mut covered = vec![9, 4, 0, 0, 0];
                    covered.extend(((SIZE - bytes.len()) as u64).to_le_bytes());
                    let sum = walctl::disk::crc32c(0, &covered).rotate_right(15).wrapping_add(0xA282_EAD8);
                    bytes.extend(sum.to_le_bytes());
                    bytes.extend([0; 2]);
                    bytes.extend(covered);
                    continue;
                }
                let length = u16::try_from(claim(left).min(left).saturating_sub(19)).expect("less than a block");
                bytes.extend(b"crc!");
                bytes.extend(length.to_le_bytes());
                bytes.extend([9 + (bytes.len() % 4) as u8, 4, 0, 0, 0]);
            }
            "etcd" => {
                // Heads of records whose words agree with them.
                let length = u64::from(length) / 8 * 8 + 7;
                bytes.extend(((length + 10) | (0x87 << 56)).to_le_bytes());
                bytes.extend([8, 2, 16, 5, 26]);
                let mut rest = length;
                while rest >= 0x80 {
                    bytes.push(rest as u8 | 0x80);
                    rest >>= 7;
                }
                bytes.push(rest as u8);
                bytes.resize(bytes.len().next_multiple_of(8), 8);
            }
            "prometheus" => {
                let left = 32_768 - bytes.len() % 32_768;
                let length = u16::try_from(claim(left).min(left).saturating_sub(7)).expect("less than a page");
                bytes.push(1 + (bytes.len() % 4) as u8);
                bytes.extend(length.to_be_bytes());
                bytes.extend(b"crc!");
            }
            "nats" => {
                // Headers with a subject of one letter, each of a later sequence than the one before.
                let sequence = bytes.len() as u64 + 1;
                bytes.extend(length.max(40).to_le_bytes());
                bytes.extend(sequence.to_le_bytes());
                bytes.extend(1_795_192_805_315_665_108u64.to_le_bytes());
                bytes.extend([1, 0, b'a']);
            }
            "raft-engine" => {
                // Batches in each other, whose items begin as items do.
                if bytes.is_empty() {
                    bytes.extend(b"RAFT-LOG-FILE-HEADER-9986AB3E47F320B394C8E84916EB0ED5");
                    bytes.extend([2u64.to_be_bytes(), [0; 8]].concat());
                }
                bytes.extend((u64::from(length) << 8).to_be_bytes());
                bytes.extend(16u64.to_be_bytes());
                bytes.extend([1, 17, 2, 1]);
            }
            "mysql" => {
                // As dense as headers can stand, of a known type.
                if bytes.is_empty() {
                    bytes.extend(b"\xfebin");
                }
                bytes.extend([1, 2, 3, 4, 16, 7, 0, 0, 0]);
                bytes.extend(length.to_le_bytes());
                bytes.extend([0; 6]);
            }
            "kafka" => {
                bytes.extend([0, 0, 0, 0, 0, 0, 0, 9]);
                bytes.extend(length.max(100).to_be_bytes());
                bytes.extend([0, 0, 0, 0, 2, b'c', b'r', b'c', b'!']);
                bytes.extend([0; 39]);
                bytes.push(1);
            }
            "redis" => {
                // Commands in the arguments of each other, all of which claim more arguments than there are.
                let inner = format!("*{}", length.max(9));
                bytes.extend(format!("${}\r\n{inner}\r\n", inner.len()).bytes());
            }
            "rocksdb" => {
                // As dense as headers can stand, each with all that is left of its block or a part of it.
                let left = 32_768 - bytes.len() % 32_768;
                let length = u16::try_from(claim(left).min(left).saturating_sub(7)).expect("less than a block");
                bytes.extend(b"crc!");
                bytes.extend(length.to_le_bytes());
                bytes.push(1 + (bytes.len() % 8) as u8);
            }
            "sqlite" => {
                // A header that is wrong, and then frames that are wrong and right in turn, each with the salts of the log.
                if bytes.is_empty() {
                    bytes.extend(b"\x37\x7f\x06\x82\0\x2d\xe2\x18\0\0\x02\0\0\0\0\0saltsaltsum1sum2");
                }
                let commit = length % 2;
                bytes.extend([1u32.to_be_bytes(), commit.to_be_bytes()].concat());
                bytes.extend(b"saltsaltsum1sum2");
                bytes.extend(vec![(length % 251) as u8; 512]);
            }
            "rivven" => {
                bytes.extend(b"WALRcrc!");
                bytes.extend(length.to_be_bytes());
                bytes.extend([0, 4]);
            }
            _ => {
                bytes.extend(b"WNYS\x01\0\x01\0\0\0\x09\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0");
                bytes.extend(length.to_le_bytes());
                bytes.extend([0; 29]);
            }
        }
    }
    bytes.truncate(SIZE);
    (name, bytes)
}

#[test]
fn hostile_headers_of_other_systems_cost_a_small_multiple_of_their_length() {
    for format in [
        "etcd",
        "ironwal",
        "kafka",
        "mysql",
        "nats",
        "nodedb",
        "pebble",
        "postgres",
        "prometheus",
        "raft-engine",
        "redis",
        "rivven",
        "rocksdb",
        "sqlite",
    ] {
        type Claim = (&'static str, fn(usize) -> usize);
        let claims: [Claim; 3] = [("all", |left| left.saturating_sub(100)), ("half", |left| left / 2), ("64 KiB", |_| 64 << 10)];
        for (what, claim) in claims {
            let (name, bytes) = foreign(format, claim);
            let cost = cost(format, name, bytes, Want { counts_only: true, ..Want::default() });
            assert!(cost <= MOST_READ, "{format}, {what}: each byte was read {cost} times");
        }
    }
}
