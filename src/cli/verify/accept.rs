//! `verify --accept`: damage that is known, of logs that are not ours to write.

use std::path::PathBuf;
use std::sync::Arc;

use walctl::disk::RealDisk;
use walctl::model::Time;
use walctl::ops::accept::{AcceptFile, accept, accept_new};
use walctl::ops::open::Input;
use walctl::ops::report::Report;

use crate::cli::render::out::Out;

/// The flags that belong to a file of what is accepted.
#[derive(clap::Args, Debug)]
pub struct AcceptArgs {
    /// Report the damage that FILE lists as accepted, and let it not decide the exit code
    ///
    /// For logs that walctl does not write: an archive, another system's log. An acceptance is good for one piece of damage, with the bytes
    /// that stand there and 4 KiB of the log on both sides. When any of that has changed it is void, and the damage counts again.
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath, conflicts_with = "part")]
    accept: Option<PathBuf>,
    /// Add all damage of the logs to the FILE of --accept, for this reason. Never part of a job that runs by itself
    #[arg(long, value_name = "REASON", value_parser = reason, requires = "accept", conflicts_with_all = ["ends", "sample", "max_bytes"])]
    accept_new: Option<String>,
}

/// A reason is one line that says something.
fn reason(text: &str) -> Result<String, String> {
    match text.trim() {
        "" => Err("say in a few words why this damage is accepted".into()),
        text if text.len() > 1000 => Err("a reason has 1,000 bytes at most".into()),
        text => Ok(text.to_owned()),
    }
}

/// An open file of what is accepted.
#[derive(Debug)]
pub struct Accepting {
    file: AcceptFile,
    reason: Option<String>,
}

impl AcceptArgs {
    /// Reads the file, if one is named.
    pub fn open(&self) -> anyhow::Result<Option<Accepting>> {
        let Some(path) = &self.accept else { return Ok(None) };
        let file = AcceptFile::open(Arc::new(RealDisk), path, self.accept_new.is_some())?;
        Ok(Some(Accepting { file, reason: self.accept_new.clone() }))
    }
}

impl Accepting {
    /// Takes what is accepted out of a report, and accepts the rest of it first if that is wanted.
    pub fn apply(&self, input: &Input, report: &mut Report, out: &mut Out) -> anyhow::Result<()> {
        if let Some(reason) = &self.reason {
            let new = accept_new(report, input, &self.file, reason, Time::now())?;
            let (file, log) = (self.file.path().display(), report.log.display());
            let pieces = if new == 1 { "1 more piece of damage is".into() } else { format!("{new} more pieces of damage are") };
            out.note(format_args!("{log}: {pieces} accepted in {file}"));
        }
        Ok(accept(report, input, &self.file)?)
    }

    /// Its path.
    pub fn path(&self) -> PathBuf {
        self.file.path().to_owned()
    }
}
