//! The flags that say how a log is written: shared by what writes.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum, ValueHint};
use walctl::writer::{Preallocate, Retain, Settings, SyncMode, Window};

use crate::cli::presets::{PRESETS, Preset};

use crate::cli::args::KeyFlag;
use crate::cli::exit::usage;
use crate::cli::render::out::Out;
use walctl::model::units::{parse_bytes, parse_duration};

/// How to write.
#[derive(Args, Debug)]
#[command(next_help_heading = "How it is written")]
pub struct WriteFlags {
    /// A named set of options; options given explicitly override it. Prints what it sets
    #[arg(long, value_name = "NAME", value_parser = preset_names())]
    preset: Option<String>,
    /// What makes a group durable: fdatasync, fsync, dsync, none or interval=SPAN [default: fdatasync]
    #[arg(long, value_name = "MODE", value_parser = |text: &str| text.parse::<SyncMode>().map_err(|e| e.to_string()))]
    sync: Option<SyncMode>,
    /// Commit window, how long a group waits for more records: auto, 0, or a duration from its first record on [default: auto]
    #[arg(long, value_name = "SPAN", value_parser = |text: &str| text.parse::<Window>().map_err(|e| e.to_string()))]
    window: Option<Window>,
    /// Bypass the page cache (O_DIRECT), in whole blocks; no block is written twice
    #[arg(long)]
    direct: bool,
    /// Write everything through the page cache. By default groups bypass it wherever zero-filled space is ready for them, so that a
    /// process that follows the log on this machine reads them from the disk
    #[arg(long, conflicts_with = "direct")]
    buffered: bool,
    /// How space is reserved ahead of the data: none, sparse, fallocate, zero, or recycle: files of segments that retention lets go are
    /// written over, so each byte goes to the disk once [default: zero]
    #[arg(long, value_name = "HOW", value_parser = |text: &str| text.parse::<Preallocate>().map_err(|e| e.to_string()))]
    preallocate: Option<Preallocate>,
    /// Seal a segment before it grows beyond this size [default: 64MiB]
    #[arg(long, value_name = "SIZE", value_parser = parse_bytes)]
    segment_bytes: Option<u64>,
    /// Seal a segment when it holds N records
    #[arg(long, value_name = "N")]
    segment_records: Option<u64>,
    /// Seal a segment when its first record is this old, even if no more records come
    #[arg(long, value_name = "SPAN", value_parser = parse_duration)]
    segment_age: Option<Duration>,
    /// Largest group, in bytes [default: 4MiB]
    #[arg(long, value_name = "SIZE", value_parser = parse_bytes)]
    group_bytes: Option<u64>,
    /// Largest group, in records [default: 65536]
    #[arg(long, value_name = "N")]
    group_records: Option<NonZeroUsize>,
    /// Make callers wait while more bytes than this are queued or being written [default: 16MiB]
    #[arg(long, value_name = "SIZE", value_parser = parse_bytes)]
    queue_bytes: Option<u64>,
    /// Split payloads longer than this into fragments [default: 1MiB]
    #[arg(long, value_name = "SIZE", value_parser = parse_bytes)]
    frame_limit: Option<u64>,
    /// Compress payloads
    #[arg(long, value_name = "HOW")]
    compress: Option<Compression>,
    /// Do not compress payloads shorter than this
    #[arg(long, value_name = "SIZE", value_parser = parse_bytes, default_value = "128", requires = "compress")]
    compress_min: u64,
    /// While writing, remove old segments, but keep the N newest, including the active one. With several of these flags, a segment stays if
    /// any of them keeps it; what reaches above the newest checkpoint, holds the beginning of an open transaction, or was not read by a
    /// --pin or a kept pin always stays
    #[arg(long, value_name = "N")]
    keep_segments: Option<u64>,
    /// While writing, remove old segments, but keep the newest ones up to this size in total
    #[arg(long, value_name = "SIZE", value_parser = parse_bytes)]
    keep_bytes: Option<u64>,
    /// While writing, remove old segments, but keep those that hold a record not older than this
    #[arg(long, value_name = "SPAN", value_parser = parse_duration)]
    keep_for: Option<Duration>,
    /// Keep what a reader has not read yet: FILE is its `dump --cursor` file, read again each time; repeat the flag for more readers
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pin: Vec<PathBuf>,
    #[command(flatten)]
    key: KeyFlag,
    /// Begin a new key: encrypt with the last key of the key file, although the log's newest key is not in it. To read the older records
    /// too, use a key file that holds both
    #[arg(long)]
    new_key: bool,
}

/// How payloads are compressed.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Compression {
    /// Fast, in both directions.
    Lz4,
    /// Not at all.
    None,
}

fn preset_names() -> Vec<&'static str> {
    PRESETS.iter().map(|preset| preset.name).collect()
}

fn size(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

impl WriteFlags {
    /// The options that they stand for; says what a preset sets, and what a mode may lose.
    pub fn options(&self, out: &mut Out) -> anyhow::Result<Settings> {
        let mut options = Settings { who: command_line(), ..Settings::default() };
        if let Some(name) = &self.preset {
            let preset = Preset::named(name)?;
            preset.apply(&mut options)?;
            out.note(format_args!("preset {}: {} ({})", preset.name, preset.words(), preset.about));
        }
        options.sync = self.sync.unwrap_or(options.sync);
        options.window = self.window.unwrap_or(options.window);
        options.direct |= self.direct;
        options.buffered |= self.buffered;
        options.preallocate = self.preallocate.unwrap_or(options.preallocate);
        options.segment_bytes = self.segment_bytes.unwrap_or(options.segment_bytes);
        options.segment_records = self.segment_records;
        options.segment_age = self.segment_age;
        options.group_bytes = self.group_bytes.map_or(options.group_bytes, size);
        options.group_records = self.group_records.map_or(options.group_records, NonZeroUsize::get);
        options.queue_bytes = self.queue_bytes.map_or(options.queue_bytes, size);
        options.frame_limit = self.frame_limit.map_or(options.frame_limit, size);
        if let Some(Compression::Lz4) = self.compress {
            options.compress_min = Some(size(self.compress_min));
        }
        options.retain = self.retain()?;
        options.keys = self.key.keys()?;
        options.new_key = self.new_key;
        if options.new_key && options.keys.is_empty() {
            return Err(usage("--new-key begins the last key of a key file; name that with --key-file"));
        }
        options.check().map_err(|error| usage(error.to_string()))?;
        if let Some(loss) = options.sync.loss() {
            out.note(format_args!("--sync {}: an acknowledgement does not mean durable; {loss}", options.sync));
        }
        if options.preallocate == Preallocate::Recycle && !options.retain.any() {
            out.note(format_args!(
                "--preallocate recycle: no segment is ever let go without --keep-segments, --keep-bytes or --keep-for, so zeros are written as ever"
            ));
        }
        Ok(options)
    }

    fn retain(&self) -> anyhow::Result<Retain> {
        let mut retain = self.pin.iter().fold(Retain::new(), |retain, file| retain.cursor(file));
        if let Some(count) = self.keep_segments {
            retain = retain.segments(count);
        }
        if let Some(bytes) = self.keep_bytes {
            retain = retain.bytes(bytes);
        }
        if let Some(span) = self.keep_for {
            retain = retain.age(span);
        }
        if !retain.any() && !self.pin.is_empty() {
            return Err(usage("--pin is about segments that go; say which, with a --keep flag"));
        }
        Ok(retain)
    }
}

/// The command line, for the lock: who holds it.
pub fn command_line() -> String {
    let mut words = std::env::args_os().map(|word| word.to_string_lossy().into_owned());
    let program = words.next().unwrap_or_default();
    let program = program.rsplit('/').next().unwrap_or("walctl").to_owned();
    std::iter::once(program).chain(words).collect::<Vec<_>>().join(" ")
}
