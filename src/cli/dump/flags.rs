//! The flags of `dump`.

use std::path::PathBuf;

use clap::ValueHint;
use regex::bytes::Regex;
use walctl::formats::Format;
use walctl::ops::read::same_word;

use crate::cli::args::{InputArgs, RateFlag, ScopeArgs, WHICH};
use crate::cli::exit::{CommandFailure, Exit, usage};
use crate::cli::render::out::Out;
use crate::cli::render::records::payload::View;
use crate::cli::render::records::raw::Separator;

const AFTER_HELP: &str = "\
A record is shown if it meets all conditions: they are ANDed. If a flag is repeated, one of its values must match. dump reads on after \
damage; records after it are marked (`!` in tables, \"after_damage\" in JSON), and the last line says why the log ends where it does. \
The exit code is the worst that was found in what was read: 3 a torn or suspect tail, 4 worse damage.";

/// Show the records of logs, past any damage
#[derive(clap::Args, Debug)]
#[command(after_help = AFTER_HELP)]
pub struct DumpArgs {
    #[command(flatten)]
    pub input: InputArgs,

    #[command(flatten)]
    pub scope: ScopeArgs,
    /// Records of this kind: full, checkpoint, txn-begin, ... as the format names them; repeat the flag for more kinds
    #[arg(long, value_name = "KIND", value_delimiter = ',', value_parser = kind, help_heading = WHICH)]
    pub kind: Vec<String>,
    /// Records with this tag; repeat the flag for more tags
    #[arg(long, value_name = "N", value_delimiter = ',', help_heading = WHICH)]
    pub tag: Vec<u64>,
    /// Records whose payload or decoded content matches this regular expression; (?i) in front ignores case
    #[arg(long, value_name = "REGEX", value_parser = regex, help_heading = WHICH)]
    pub grep: Option<Regex>,
    /// Also N records before and after each one that --grep finds
    #[arg(long, short = 'C', value_name = "N", default_value_t = 0, requires = "grep", help_heading = WHICH)]
    pub context: usize,
    /// At most the first N
    #[arg(long, short = 'n', value_name = "N", help_heading = WHICH)]
    pub limit: Option<u64>,
    /// Only the last N
    #[arg(long, value_name = "N", help_heading = WHICH)]
    pub tail: Option<u64>,
    /// From the end of the log to its start
    #[arg(long, conflicts_with = "follow", help_heading = WHICH)]
    pub reverse: bool,
    /// End with code 7 if no record is shown
    #[arg(long, help_heading = WHICH)]
    pub fail_empty: bool,

    /// At the end, wait for more records, across segments, until interrupted
    #[arg(long, short = 'f', help_heading = ON)]
    pub follow: bool,
    /// Continue after the last record of the previous run; FILE keeps the position
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, conflicts_with_all = ["reverse", "tail"], help_heading = ON)]
    pub cursor: Option<PathBuf>,

    /// What records of other systems mean: on, or none to show payloads only
    #[arg(long, value_name = "HOW", default_value = "on", help_heading = HOW)]
    pub decode: Decoding,
    /// Show the values in decoded records; without it they are shown by length and keyed hash
    #[arg(long, help_heading = HOW)]
    pub show_values: bool,
    /// How payloads are shown
    #[arg(long, value_name = "VIEW", default_value = "auto", help_heading = HOW)]
    pub payload: View,
    /// Length and keyed hash instead of content, safe for a ticket; equal contents have equal hashes within one run
    #[arg(long, conflicts_with_all = ["raw", "hex", "out_dir"], help_heading = HOW)]
    pub redact: bool,
    /// Show each frame on disk by itself, also fragments, padding and control frames (--hex shows their bytes); + marks the first frame of
    /// what one sync made durable
    #[arg(long, help_heading = HOW)]
    pub frames: bool,
    /// Bytes of each frame with its fields drawn over them (implies --frames)
    #[arg(long, group = "shape", help_heading = HOW)]
    pub hex: bool,
    /// Comma-separated values with a header line
    #[arg(long, group = "shape", help_heading = HOW)]
    pub csv: bool,
    /// Payloads only, as they are
    #[arg(long, group = "shape", help_heading = HOW)]
    pub raw: bool,
    /// Separator between raw payloads
    #[arg(long, value_name = "HOW", default_value = "lf", requires = "raw", help_heading = HOW)]
    pub delimiter: Separator,
    /// How many threads read segments and make lines [default: one for each processor]
    #[arg(long, short, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024), help_heading = HOW)]
    pub jobs: Option<u16>,
    #[command(flatten)]
    pub rate: RateFlag,
    /// Write each payload into a file of its own in this folder, named by its LSN
    #[arg(long, value_name = "DIR", group = "shape", value_hint = ValueHint::DirPath, help_heading = HOW)]
    pub out_dir: Option<PathBuf>,
}

/// Whether records are decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Decoding {
    /// Where the format's meaning is known.
    On,
    /// Not at all.
    None,
}

impl DumpArgs {
    /// Whether records are decoded. Redacted output shows no content in any form.
    pub fn decodes(&self) -> bool {
        self.decode == Decoding::On && !self.redact
    }
}

const ON: &str = "Reading on";
const HOW: &str = "How they are shown";

/// A kind that no format has is a typing error, and would look like a log without such records.
fn kind(text: &str) -> Result<String, String> {
    if walctl::formats::ALL.iter().any(|format| has_kind(format, text)) {
        return Ok(text.to_owned());
    }
    let kinds: Vec<&str> = walctl::native::FrameKind::ALL.into_iter().map(walctl::native::FrameKind::name).collect();
    Err(format!("no format has records of the kind `{text}`; walctl's own has {}", kinds.join(", ")))
}

pub fn has_kind(format: &Format, kind: &str) -> bool {
    format.kinds.iter().any(|known| same_word(known, kind))
}

fn regex(text: &str) -> Result<Regex, String> {
    Regex::new(text).map_err(|error| error.to_string())
}

/// What no parser of flags sees.
pub fn check(args: &DumpArgs, out: &Out, paths: &[PathBuf]) -> anyhow::Result<()> {
    let other_shape = args.csv || args.hex || args.raw || args.out_dir.is_some();
    if out.json() && other_shape {
        return Err(usage("--json is one shape of output; --csv, --hex, --raw and --out-dir are others"));
    }
    if args.raw && out.is_terminal() {
        let next = Some("walctl dump --raw ... > FILE".to_owned());
        let message = "raw bytes could steer the terminal; redirect them to a file or a pipe".to_owned();
        return Err(CommandFailure { exit: Exit::Usage, message, next }.into());
    }
    if (args.raw || args.out_dir.is_some()) && args.payload != View::Auto {
        return Err(usage("--raw and --out-dir write payloads as they are; --payload goes with the other shapes"));
    }
    if (args.follow || args.cursor.is_some()) && (paths.len() != 1 || paths[0].as_os_str() == "-") {
        return Err(usage("--follow and --cursor go with one log in a folder"));
    }
    args.scope.check()
}
