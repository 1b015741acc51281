//! Other systems' logs as their writers left them: copied from tests/fixtures, and drawn by what their writers wrote down.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// The folder of a fixture, named like `rivven/torn_tail`.
pub fn dir_of(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

/// Copies the files of a fixture's log into a folder, which is made.
pub fn copy(name: &str, to: &Path) -> Result<(), String> {
    let dir = dir_of(name);
    // Logs of our own lie there without a page about them.
    let from = Some(dir.join("wal")).filter(|wal| wal.is_dir()).unwrap_or(dir);
    copy_all(&from, to).map_err(|why| format!("fixture {name}: {why}"))
}

/// By other processes: a file that this one has open for writing is open in each child that it is just starting too, and would pass for
/// one that its system writes to. Bytes are copied and not permissions, for a checkout may be read-only; large files are stored compressed.
pub fn copy_all(from: &Path, to: &Path) -> std::io::Result<()> {
    let run = |command: &mut Command| match command.status()?.success() {
        true => Ok(()),
        false => Err(std::io::Error::other(format!("{command:?} failed"))),
    };
    fs::create_dir_all(to)?;
    run(Command::new("cp").args(["-R", "--no-preserve=mode,ownership"]).arg(from.join(".")).arg(to))?;
    run(Command::new("gzip").args(["-d", "-r", "-q"]).arg(to))
}

/// The keys that a fixture was encrypted with, as lines of a key file.
pub fn keys(name: &str) -> Option<String> {
    let keys = page(name).ok()?;
    let lines: Vec<&str> = keys["test_keys_hex"].as_array()?.iter().filter_map(Value::as_str).collect();
    (!lines.is_empty()).then(|| format!("{}\n", lines.join("\n")))
}

fn page(name: &str) -> Result<Value, String> {
    let text = fs::read(dir_of(name).join("expect.json")).map_err(|why| format!("fixture {name}: {why}"))?;
    serde_json::from_slice(&text).map_err(|why| format!("fixture {name}: {why}"))
}

/// A fixture as its page tells it: offset, kind and LSN of each record that is whole, the bytes that are not, and what had been done
/// to it. Nothing of it was read by walctl.
pub fn draw(name: &str) -> Result<String, String> {
    let page = page(name)?;
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let (segments, records) = (list(&page["segments"]), list(&page["records"]));
    let mut text = String::new();
    for segment in &segments {
        let file = segment["file"].as_str().unwrap_or_default();
        let _ = writeln!(text, "{file}, {} bytes", segment["size"]);
        let mut lines: Vec<(u64, String)> = Vec::new();
        for record in records.iter().filter(|record| record["file"] == file) {
            let kind = record["type"].as_str().unwrap_or("record");
            lines.push((record["offset"].as_u64().unwrap_or(0), format!("{kind:<12} {}", record["seq"])));
        }
        for range in list(&segment["bad_ranges"]) {
            let (start, end) = (range["start"].as_u64().unwrap_or(0), range["end"].as_u64().unwrap_or(0));
            lines.push((start, format!("bad          {} bytes", end.saturating_sub(start))));
        }
        lines.sort();
        for (offset, line) in lines {
            let _ = writeln!(text, "{offset:>7}  {line}");
        }
    }
    for change in list(&page["damage"]["changes"]) {
        let facts = change.as_object().into_iter().flatten();
        let facts: Vec<String> = facts.map(|(name, value)| format!("{name} {}", value.to_string().trim_matches('"'))).collect();
        let _ = writeln!(text, "done to it: {}", facts.join(", "));
    }
    Ok(text)
}
