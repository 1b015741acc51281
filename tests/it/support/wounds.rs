//! Logs of every shape and format as files in memory, and random ways to hurt them.
//!
//! A wound is a value, chosen from a number and applied to bytes: the same number hurts the same log in the same places, and a list
//! of wounds can be made shorter.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use walctl::disk::{Disk, RealDisk, SimDisk};
use walctl::formats::{Format, Halt, Item, Sink, Visit, Want};
use walctl::model::Keys;
use walctl::ops::open::Input;
use walctl::writer::{Draft, GroupCommit, Preallocate, Settings};

use super::folder::{Files, disk_with, files_in, reopen};
use super::recipe::{KEY, cook};

/// A generator of numbers that look random and are the same each time.
pub struct Dice(u64);

impl Dice {
    pub fn of(seed: u64) -> Dice {
        Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(0xD1B5_4A32_D192_ED03) | 1)
    }

    pub fn roll(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        ((self.0 >> 11) % below.max(1) as u64) as usize
    }

    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.roll(from.len())]
    }
}

/// A log before it is hurt.
#[derive(Clone, Debug)]
pub struct Base {
    /// What it was made from.
    pub name: String,
    pub format: &'static Format,
    pub keys: Keys,
    /// The same as lines of a key file.
    pub key_lines: String,
    pub files: Files,
}

impl Base {
    pub fn is_native(&self) -> bool {
        self.format.name == "native"
    }
}

/// A log in a folder on a disk in memory.
pub fn open_in(files: &Files, format: Option<&'static Format>, keys: &Keys) -> walctl::model::Result<(Arc<dyn Disk>, Input)> {
    let disk: Arc<dyn Disk> = Arc::new(disk_with(files, Path::new("/log")));
    let input = reopen(&disk, Path::new("/log"), format, keys)?;
    Ok((disk, input))
}

/// Our own logs that the recipes below make: every kind of frame, one and several segments, buffered and direct.
const SHAPES: [&str; 14] = [
    "record alpha\nrecord beta\nrecord gamma\nclose",
    "record alpha\ngroup\nrecord beta\nrecord gamma\nrecord delta\nsync\nrecord omega",
    "group\nrecord one\nfill 1500 7\nrecord three\nfill 700 8\nsync",
    "record a\nbatch\nrecord b\nlz4 fill 90\nrecord c\nend\nrecord d\nbatch\nfill 600 1\nfill 600 2\nfill 600 3\nend",
    "record a\nsplit 20 fill 50 98\nkind checkpoint tag 1\nkind txn-begin tag 9 record t\nkind txn-commit tag 9\nsplit 600 fill 2000 4",
    "encrypted record secret\nlz4 encrypted fill 200\nclose\nencrypted record after\nencrypted fill 900 3",
    "record a\nrecord b\nseal\nsegment\nrecord c\nrecord d\nseal\nsegment\nrecord e\nzeros 4096",
    "begin 48213\nrecord a\nsegment\ngroup\nrecord b\nrecord c\nsync\nsegment\nunsynced unknown record d\nunsynced unknown record e",
    "block 512\nrecord a\npad 512\nrecord b\npad 512\nfill 900 5\npad 512\nclose\npad 512\nrecord c\npad 512",
    "block 4096\nsegment\nrecord a\npad 4096\ngroup\nrecord b\nfill 5000 2\nrecord c\nsync\npad 4096\nzeros 8192",
    "times 12 fill 90 100\nseal\nsegment\ntimes 12 fill 90 101\nseal\nsegment\ntimes 12 fill 90 102\nseal\nsegment\ntimes 5 record tail",
    "encrypted record a\nencrypted record b\nsegment\nencrypted split 64 lz4 fill 900 5\nbatch\nencrypted record x\nencrypted record y\nend",
    "begin 7\nbatch\nrecord a\nrecord b\nend\nsplit 50 fill 120 6\nclose\nsegment\nsegment\nrecord c\nclose\nrecord d\nsegment\nrecord e",
    "record a\nrecord b\nsegment\nskip 3\nrecord c\nclose",
];

/// Every log that can be hurt: from the shapes, from the recipes of the cases, from our own writer, and the fixtures.
pub fn bases() -> Vec<Base> {
    let mut bases = Vec::new();
    let native = &walctl::formats::native::FORMAT;
    let ours = Keys::parse(KEY).expect("the key of the recipes");
    let shapes = SHAPES.iter().map(|shape| (format!("recipe `{}`", shape.replace('\n', "; ")), (*shape).to_owned()));
    for (name, recipe) in shapes.chain(crate::cases::recipes()) {
        let made = cook(&recipe).expect("a good recipe");
        let mut files: Files = made.segments.into_iter().map(|s| (s.name, s.bytes)).collect();
        files.extend(made.files);
        // Some cases write a log of another system into the folder by hand.
        if !files.is_empty() && open_in(&files, None, &ours).is_ok_and(|(_, input)| input.format != native) {
            continue;
        }
        bases.push(Base { name, format: native, keys: ours.clone(), key_lines: KEY.into(), files });
    }
    for (name, options) in writers(&ours) {
        let name = format!("written with {name}");
        bases.push(Base { name, format: native, keys: ours.clone(), key_lines: KEY.into(), files: write(options) });
    }
    for format in crate::formats::foreign() {
        for (case, dir) in crate::formats::cases(format.name) {
            let expect = crate::formats::expected(&dir);
            let keys = crate::formats::keys(&expect);
            let lines = expect["test_keys_hex"].as_array().map_or(&[][..], Vec::as_slice);
            let key_lines = lines.iter().filter_map(|line| line.as_str()).collect::<Vec<_>>().join("\n");
            for log in crate::formats::logs_below(format, &dir.join("wal")) {
                let below = log.strip_prefix(&dir).expect("it lies below").display().to_string();
                let name = format!("{}/{case}/{below}", format.name);
                let (keys, key_lines) = (keys.clone(), key_lines.clone());
                bases.push(Base { name, format, keys, key_lines, files: files_in(&RealDisk, &log) });
            }
        }
    }
    bases.retain(|base| base.files.values().map(Vec::len).sum::<usize>() < 256 << 10);
    bases
}

/// Ways to write a log of our own.
fn writers(keys: &Keys) -> Vec<(&'static str, Settings)> {
    let plain = Settings { background: false, segment_bytes: 16 << 10, ahead_bytes: 8 << 10, ..Settings::default() };
    vec![
        ("room ahead", plain.clone()),
        ("direct", Settings { direct: true, ..plain.clone() }),
        ("compression", Settings { compress_min: Some(64), frame_limit: 1000, ..plain.clone() }),
        ("encryption", Settings { keys: keys.clone(), segment_records: Some(7), ..plain.clone() }),
        ("short segments", Settings { segment_records: Some(5), preallocate: Preallocate::None, ..plain }),
    ]
}

fn write(options: Settings) -> Files {
    let disk = SimDisk::new();
    let dir = Path::new("/log");
    let log = GroupCommit::open(Arc::new(disk.clone()), dir, options).expect("a new log");
    for n in 0..24u8 {
        let payload = vec![b'a' + n; usize::from(n) * 37];
        log.append(payload.as_slice()).expect("the disk is well");
        if n % 6 == 3 {
            let drafts: Vec<Draft<'_>> = [&b"one"[..], b"two", b"three"].into_iter().map(Draft::of).collect();
            log.append_batch(&drafts).expect("the disk is well");
        }
        if n == 20 {
            log.append(vec![b'L'; 3000].as_slice()).expect("the disk is well");
        }
    }
    log.close().expect("it closes");
    files_in(&disk, dir)
}

/// One way to hurt a log.
#[derive(Clone, Debug)]
pub enum Wound {
    Flip {
        file: String,
        at: usize,
        bit: u32,
    },
    Zero {
        file: String,
        at: usize,
        count: usize,
    },
    Junk {
        file: String,
        at: usize,
        count: usize,
        seed: u64,
    },
    Cut {
        file: String,
        at: usize,
    },
    Remove {
        file: String,
        at: usize,
        count: usize,
    },
    Insert {
        file: String,
        at: usize,
        count: usize,
        byte: u8,
    },
    /// Bytes that stand somewhere in the log, also at another place of it.
    Copy {
        file: String,
        at: usize,
        from: String,
        start: usize,
        count: usize,
    },
    Room {
        file: String,
        count: usize,
    },
    Gone {
        file: String,
    },
    Empty {
        file: String,
    },
    Renamed {
        file: String,
        to: String,
    },
    Swapped {
        file: String,
        with: String,
    },
    Twice {
        file: String,
        to: String,
    },
    Beside {
        name: String,
        bytes: Vec<u8>,
    },
}

impl Wound {
    /// Hurts the files. What is not there any more cannot be hurt.
    pub fn apply(&self, files: &mut Files) {
        match self {
            Wound::Flip { file, at, bit } => {
                if let Some(byte) = files.get_mut(file).and_then(|bytes| bytes.get_mut(*at)) {
                    *byte ^= 1 << bit;
                }
            }
            Wound::Zero { file, at, count } => {
                if let Some(piece) = piece(files, file, *at, *count) {
                    piece.fill(0);
                }
            }
            Wound::Junk { file, at, count, seed } => {
                let mut dice = Dice::of(*seed);
                if let Some(piece) = piece(files, file, *at, *count) {
                    piece.iter_mut().for_each(|byte| *byte = dice.roll(256) as u8);
                }
            }
            Wound::Cut { file, at } => {
                if let Some(bytes) = files.get_mut(file) {
                    bytes.truncate(*at);
                }
            }
            Wound::Remove { file, at, count } => {
                if let Some(bytes) = files.get_mut(file) {
                    let start = (*at).min(bytes.len());
                    bytes.drain(start..(start + count).min(bytes.len()));
                }
            }
            Wound::Insert { file, at, count, byte } => {
                if let Some(bytes) = files.get_mut(file) {
                    let start = (*at).min(bytes.len());
                    bytes.splice(start..start, vec![*byte; *count]);
                }
            }
            Wound::Copy { file, at, from, start, count } => {
                let Some(source) = files.get(from) else { return };
                let copy = source.get(*start..(start + count).min(source.len())).unwrap_or_default().to_vec();
                if let Some(bytes) = files.get_mut(file) {
                    let at = (*at).min(bytes.len());
                    let end = (at + copy.len()).min(bytes.len());
                    bytes.splice(at..end, copy);
                }
            }
            Wound::Room { file, count } => {
                if let Some(bytes) = files.get_mut(file) {
                    bytes.resize(bytes.len() + count, 0);
                }
            }
            Wound::Gone { file } => drop(files.remove(file)),
            Wound::Empty { file } => {
                if let Some(bytes) = files.get_mut(file) {
                    bytes.clear();
                }
            }
            Wound::Renamed { file, to } => {
                if !files.contains_key(to)
                    && let Some(bytes) = files.remove(file)
                {
                    files.insert(to.clone(), bytes);
                }
            }
            Wound::Swapped { file, with } => {
                if let (Some(a), Some(b)) = (files.get(file).cloned(), files.get(with).cloned()) {
                    files.insert(file.clone(), b);
                    files.insert(with.clone(), a);
                }
            }
            Wound::Twice { file, to } => {
                if !files.contains_key(to)
                    && let Some(bytes) = files.get(file).cloned()
                {
                    files.insert(to.clone(), bytes);
                }
            }
            Wound::Beside { name, bytes } => drop(files.entry(name.clone()).or_insert_with(|| bytes.clone())),
        }
    }

    /// Whether it can put valid bytes in the place of other ones, in a format whose frames are valid wherever they stand.
    pub fn replaces(&self) -> bool {
        matches!(
            self,
            Wound::Copy { .. } | Wound::Remove { .. } | Wound::Renamed { .. } | Wound::Swapped { .. } | Wound::Twice { .. }
        )
    }
}

fn piece<'a>(files: &'a mut Files, file: &str, at: usize, count: usize) -> Option<&'a mut [u8]> {
    let bytes = files.get_mut(file)?;
    let end = (at + count).min(bytes.len());
    bytes.get_mut(at..end)
}

/// Where the frames of each segment begin and end.
pub fn frames_of(base: &Base) -> BTreeMap<String, Vec<(usize, usize)>> {
    let mut frames: BTreeMap<String, Vec<(usize, usize)>> = BTreeMap::new();
    let Ok((_, input)) = open_in(&base.files, Some(base.format), &base.keys) else { return frames };
    for segment in &input.source.segments {
        let spans = frames.entry(segment.name.clone()).or_default();
        let want = Want { frames: true, ..Want::default() };
        let visit = Visit { source: &input.source, segment, keys: &input.keys, want };
        let mut take = |item: Item<'_>| {
            if let Item::Record(record) = item {
                let end = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
                spans.push((end(record.span.start()), end(record.span.end())));
            }
            Ok(())
        };
        match (input.format.walk)(&visit, &mut Sink::new(&mut take)) {
            Ok(_) | Err(Halt::Failed(_) | Halt::Enough) => {}
        }
    }
    frames
}

/// Chooses a way to hurt a log: near its frames more often than elsewhere.
pub fn choose(base: &Base, frames: &BTreeMap<String, Vec<(usize, usize)>>, dice: &mut Dice) -> Option<Wound> {
    let segments: Vec<&String> = base.files.keys().filter(|name| base.format.number_of(name).is_some()).collect();
    if segments.is_empty() {
        return None;
    }
    // The last segment is where crashes happen.
    let file = if dice.roll(3) == 0 { segments[segments.len() - 1] } else { *dice.pick(&segments) }.clone();
    let length = base.files[&file].len();
    let none = Vec::new();
    let spans = frames.get(&file).unwrap_or(&none);
    let most = [8, 64, 600, 5000][dice.roll(4)];
    let (mut at, mut count) = (dice.roll(length + 1), 1 + dice.roll(most));
    if !spans.is_empty() && dice.roll(4) > 0 {
        let (start, end) = *dice.pick(spans);
        at = start;
        if dice.roll(2) == 0 {
            at += dice.roll(end - start + 1);
        } else if dice.roll(2) == 0 {
            count = end - start;
        }
    }
    if dice.roll(6) == 0 {
        (at, count) = (at / 512 * 512, 512 * (1 + dice.roll(3)));
    }
    if dice.roll(4) == 0 {
        count = length.saturating_sub(at);
    }
    let another = || -> String {
        let number = base.format.number_of(&file).unwrap_or(0);
        let width = file.chars().filter(char::is_ascii_digit).count();
        // The same name with another number in it, as far as the format writes it in decimal.
        file.replace(&format!("{number:0width$}"), &format!("{:0width$}", number.saturating_add(1)))
    };
    Some(match dice.roll(22) {
        0..=2 => Wound::Flip { file, at, bit: dice.roll(8) as u32 },
        3..=5 => Wound::Zero { file, at, count },
        6 | 7 => Wound::Junk { file, at, count, seed: dice.roll(1 << 20) as u64 },
        8..=10 => Wound::Cut { file, at },
        11 => Wound::Remove { file, at, count },
        12 => Wound::Insert { file, at, count, byte: [0, 0xFF, b'W'][dice.roll(3)] },
        13 => {
            let from = (*dice.pick(&segments)).clone();
            let start = dice.roll(base.files[&from].len() + 1);
            Wound::Copy { file, at, from, start, count }
        }
        14 => {
            // A frame in the place of another one of the same log, as a misdirected write leaves it.
            let from = (*dice.pick(&segments)).clone();
            let others = frames.get(&from).unwrap_or(&none);
            let (start, end) = if others.is_empty() { (0, 64) } else { *dice.pick(others) };
            Wound::Copy { file, at, from, start, count: end - start }
        }
        15 => Wound::Room { file, count: [1, 7, 512, 5000][dice.roll(4)] },
        16 => Wound::Gone { file },
        17 => Wound::Empty { file },
        18 => Wound::Renamed { to: another(), file },
        19 => Wound::Swapped { file, with: (*dice.pick(&segments)).clone() },
        20 => Wound::Twice { to: another(), file },
        _ => Wound::Beside {
            name: (*dice.pick(&["notes.txt", "LOCK", "core", ".DS_Store"])).to_owned(),
            bytes: vec![b'x'; dice.roll(50)],
        },
    })
}
