//! A path that is no log itself, and the logs in the folders below it: a system's data folder, or the one above that.

use std::path::Path;
use std::sync::Arc;

use walctl::disk::{Disk, RealDisk};
use walctl::model::Error;
use walctl::model::units::count;
use walctl::ops::open::{Choice, Input};
use walctl::ops::survey::survey;

use super::args::InputArgs;
use super::exit::{CommandFailure, Exit};
use super::hint::{show, shown};
use super::interrupt;
use super::render::out::Out;

/// So many of the logs below are named.
const NAMED: usize = 8;

/// The logs at a path, for a command that reads: where there is none and exactly one below, that one.
pub fn open(input: &InputArgs, path: &Path, choice: &Choice, out: &mut Out) -> anyhow::Result<Vec<Input>> {
    let error = match input.open(path, choice) {
        Ok(logs) => return Ok(logs),
        Err(error) => error,
    };
    let mut found = below(path, choice, &error);
    if found.len() != 1 {
        return Err(named(path, &found, error));
    }
    out.note(format_args!("{} holds no log itself; the only one below it is {}", path.display(), found[0].source.path.display()));
    found.truncate(1);
    Ok(found)
}

/// The same for a command that changes a log: it must be named.
pub fn open_to_mend(input: &InputArgs, path: &Path, choice: &Choice) -> anyhow::Result<Vec<Input>> {
    input.open(path, choice).map_err(|error| named(path, &below(path, choice, &error), error))
}

fn below(path: &Path, choice: &Choice, error: &anyhow::Error) -> Vec<Input> {
    let none = error.chain().any(|cause| matches!(cause.downcast_ref::<Error>(), Some(Error::NotALog { .. })));
    if !none || path.as_os_str() == "-" || !path.is_dir() {
        return Vec::new();
    }
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    survey(&disk, path, choice, &interrupt::caught).ok().flatten().map(|found| found.logs).unwrap_or_default()
}

/// The error that names what is below, or the one that there was.
fn named(path: &Path, found: &[Input], error: anyhow::Error) -> anyhow::Error {
    let Some(first) = found.first() else { return error };
    let mut names: Vec<String> =
        found.iter().take(NAMED).map(|log| format!("{} ({})", log.source.path.display(), log.format.name)).collect();
    if found.len() > NAMED {
        names.push("…".to_owned());
    }
    let logs = count(found.len() as u64, "log");
    let message = format!("{} holds no log itself; below it: {logs}: {}", path.display(), names.join(", "));
    CommandFailure { exit: Exit::Failed, message, next: Some(typed_with(path, &first.source.path)) }.into()
}

/// What was typed, with another path.
fn typed_with(path: &Path, instead: &Path) -> String {
    let words = std::env::args_os().skip(1);
    let word = |word: std::ffi::OsString| {
        if Path::new(&word) == path { show(instead) } else { shown(&word.to_string_lossy()) }
    };
    std::iter::once("walctl".to_owned()).chain(words.map(word)).collect::<Vec<_>>().join(" ")
}
