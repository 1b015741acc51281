//! Hostile bytes: random damage of every kind, with sums made right again where that hurts more. Nothing may panic, hang, or take
//! more memory than 64 MiB.
//!
//! `WALCTL_FUZZ_CASES` says how many cases the long run has, `WALCTL_FUZZ_SEED` which one to repeat.

use std::path::Path;
use std::sync::Arc;

use walctl::disk::{Disk, Io, RealDisk};
use walctl::formats::{Halt, Item, Sink, Visit, Want};
use walctl::model::{Error, Keys};
use walctl::native::Seed;
use walctl::ops::open::{Choice, open};
use walctl::ops::report::{Checks, Progress, verify};

use crate::support::held::HeldFolder;
use crate::support::memory::peak_of;
use crate::support::recipe::{KEY, Made, cook};

const SHAPES: [&str; 7] = [
    "segment\nrecord alpha\nrecord beta\nrecord gamma\nclose",
    "segment\ngroup\nrecord a\nfill 700 7\nrecord c\nsync\nrecord d\nzeros 5000",
    "segment\nbatch\nrecord one\nlz4 fill 3000 97\nrecord three\nend\nrecord four\nclose\nrecord five",
    "segment\nsplit 100 fill 350 98\nkind checkpoint tag 3 record cp\nkind txn-begin tag 9 record t\nencrypted record secret\nzeros 700",
    "segment\nrecord a\nrecord b\nseal\nsegment\nrecord c\npad 4096\nrecord d\nseal\nsegment\nrecord e\nzeros 4096",
    "segment\nlz4 encrypted fill 5000 1\nsplit 64 lz4 fill 300 5\nbatch\nencrypted record x\nsplit 30 fill 100 6\nend\nclose",
    "begin 48213\nsegment\ntimes 40 fill 90 100\nseal\nsegment\ntimes 9 record tail",
];

const MEMORY: usize = 64 << 20;

/// A generator of numbers that look random and are the same each time.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % below.max(1) as u64) as usize
    }
}

fn seed_of_segment(bytes: &[u8]) -> Option<Seed> {
    let id: [u8; 16] = bytes.get(16..32)?.try_into().ok()?;
    let lsn = u64::from_le_bytes(bytes.get(32..40)?.try_into().ok()?);
    Some(Seed::new(&id, walctl::model::Lsn(lsn)))
}

/// Makes the sum of the frame at `at` right again.
fn sum_again(bytes: &mut [u8], at: usize) {
    let Some(seed) = seed_of_segment(bytes) else { return };
    let Some(length) = bytes.get(at + 8..at + 12).map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]) as usize) else { return };
    let Some(summed) = bytes.get(at + 8..at + 40 + length) else { return };
    let mut hasher = crc32fast::Hasher::new_with_initial(seed.at(at as u64));
    hasher.update(summed);
    let sum = hasher.finalize();
    bytes[at + 4..at + 8].copy_from_slice(&sum.to_le_bytes());
}

fn hurt(made: &mut Made, dice: &mut Dice) {
    let which = dice.roll(made.segments.len());
    let others: Vec<Vec<u8>> = made.segments.iter().map(|s| s.bytes.clone()).collect();
    let frames: Vec<usize> = made.segments[which].frames.iter().map(|f| f.offset).collect();
    let bytes = &mut made.segments[which].bytes;
    let near_frame = !frames.is_empty() && dice.roll(3) > 0;
    let at = if near_frame { frames[dice.roll(frames.len())] + dice.roll(48) } else { dice.roll(bytes.len() + 1) };
    let at = at.min(bytes.len());
    let most = [8, 64, 600, 5000][dice.roll(4)];
    let count = dice.roll(1 + most).min(bytes.len() - at);
    match dice.roll(12) {
        0 | 1 => {
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= 1 << dice.roll(8);
            }
        }
        2 => bytes[at..at + count].fill(0),
        3 => bytes[at..at + count].iter_mut().for_each(|b| *b = dice.roll(256) as u8),
        4 => bytes.truncate(at),
        5 => drop(bytes.drain(at..at + count)),
        6 => drop(bytes.splice(at..at, vec![[0, 0xFF, 0x57][dice.roll(3)]; dice.roll(5000)])),
        7 => {
            let from = &others[dice.roll(others.len())];
            let start = dice.roll(from.len());
            let piece = from[start..(start + dice.roll(6000)).min(from.len())].to_vec();
            let end = (at + piece.len()).min(bytes.len());
            drop(bytes.splice(at..end, piece));
        }
        8 => {
            // Claims, one behind the other, each as large as can be or as the file allows.
            let length: u32 = [u32::MAX, 1 << 20, 3000, 0][dice.roll(4)];
            for _ in 0..dice.roll(400) {
                let mut header = [0; 40];
                header[..4].copy_from_slice(b"WLF1");
                header[8..12].copy_from_slice(&length.to_le_bytes());
                header[16] = dice.roll(256) as u8;
                bytes.extend_from_slice(&header);
            }
        }
        // A field of a frame or of a payload, with the sum made right: what only a hostile writer makes.
        _ if !frames.is_empty() => {
            let frame = frames[dice.roll(frames.len())];
            let field = [8, 9, 10, 12, 13, 14, 15, 16, 20, 23, 24, 31, 32, 40, 41, 42, 43, 44, 60][dice.roll(19)];
            if let Some(byte) = bytes.get_mut(frame + field) {
                *byte = [0, 1, 2, 3, 4, 7, 8, 16, 17, 18, 127, 128, 255][dice.roll(13)];
            }
            if frame + 40 < bytes.len() {
                sum_again(bytes, frame);
            }
        }
        _ => {}
    }
}

/// Everything that reading can be asked for.
fn read(disk: &Arc<dyn Disk>, dir: &Path, io: Io) {
    let keys = Keys::parse(KEY).expect("the key of the recipes");
    for keys in [keys, Keys::default()] {
        let choice = Choice { format: Some(&walctl::formats::native::FORMAT), io, keys, ..Choice::default() };
        let Ok(inputs) = open(disk, dir, &choice) else { return };
        for input in inputs {
            let checks = Checks { deep: true, tally: true, ..Checks::default() };
            match verify(&input, &checks, &Progress::default()) {
                Ok(_) | Err(Error::Unknown { .. }) => {}
                Err(other) => panic!("{other}"),
            }
            for frames in [false, true] {
                for segment in &input.source.segments {
                    let want = Want { payloads: true, frames, marks: true, ..Want::default() };
                    let visit = Visit { source: &input.source, segment, keys: &input.keys, want };
                    let mut seen = 0;
                    let mut take = |item: Item<'_>| {
                        if let Item::Record(record) = item {
                            record.payload.each(&mut |piece| {
                                seen += piece.len();
                                Ok(())
                            })?;
                        }
                        Ok(())
                    };
                    match (input.format.walk)(&visit, &mut Sink::new(&mut take)) {
                        Ok(_) | Err(Halt::Failed(Error::Unknown { .. })) => {}
                        Err(Halt::Failed(other)) => panic!("{other}"),
                        Err(Halt::Enough) => panic!("nobody had enough"),
                    }
                }
            }
        }
    }
}

fn run(cases: u64, first: u64) {
    for case in first..first + cases {
        let mut dice = Dice(case.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
        let mut made = cook(SHAPES[dice.roll(SHAPES.len())]).expect("a good recipe");
        for _ in 0..=dice.roll(4) {
            hurt(&mut made, &mut dice);
        }
        // Mappings need real files; everything else goes faster through a folder held in memory.
        let mapped = dice.roll(64) == 0;
        let outcome = std::panic::catch_unwind(move || {
            if mapped {
                let dir = tempfile::tempdir().expect("a temporary folder");
                made.write_to(dir.path());
                let disk: Arc<dyn Disk> = Arc::new(RealDisk);
                return peak_of(|| read(&disk, dir.path(), Io::Map)).1;
            }
            let disk: Arc<dyn Disk> = Arc::new(HeldFolder::of(&made));
            peak_of(|| read(&disk, Path::new("LOG"), Io::Read)).1
        });
        match outcome {
            Ok(peak) => assert!(peak < MEMORY, "WALCTL_FUZZ_SEED={case}: {peak} bytes were held at once"),
            Err(_) => panic!("WALCTL_FUZZ_SEED={case} panics"),
        }
    }
}

#[test]
fn two_thousand_hurt_logs_are_read_without_panic_and_within_bounds() {
    run(2000, 1);
}

#[test]
#[ignore = "a long run"]
fn many_hurt_logs_are_read_without_panic_and_within_bounds() {
    let number = |name: &str| std::env::var(name).ok().and_then(|v| v.parse().ok());
    match number("WALCTL_FUZZ_SEED") {
        Some(seed) => run(1, seed),
        None => run(number("WALCTL_FUZZ_CASES").unwrap_or(200_000), 1_000_000),
    }
}
