//! Tells what is durable: the ledger first, then standard output.
//!
//! What is printed is in the ledger, durably: lines are held back until those of the ledger are synced. A sync is shared by all that was
//! acknowledged meanwhile, as in the log itself, and the log goes on during it.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, TryRecvError};

use walctl::disk::{Disk, Open, RealDisk};
use walctl::model::{Error, Lsn};
use walctl::ops::report::{LedgerEntry, ledger_from, ledger_head};
use walctl::writer::{Ack, GroupCommit};

use super::flushed;
use super::submit::Sent;
use crate::cli::exit::{CommandFailure, Exit};
use crate::cli::hint::show;
use crate::cli::render::out::Out;

/// Tells acknowledgements in the order of the records.
pub struct Tell<'a> {
    out: &'a mut Out,
    log: &'a GroupCommit,
    ledger: Option<LedgerFile>,
    stop: &'a AtomicBool,
    first: Option<Lsn>,
    last: Lsn,
    count: u64,
    promises: bool,
    /// What is to be printed once the ledger is durable.
    held: Vec<u8>,
}

struct LedgerFile {
    file: File,
    path: PathBuf,
    text: String,
    /// Its lines are made durable with the records. Where records are not, that would be for nothing.
    syncs: bool,
}

/// More than this is not held back.
const HELD: usize = 64 << 10;

impl<'a> Tell<'a> {
    pub fn new(out: &'a mut Out, log: &'a GroupCommit, ledger: Option<&Path>, stop: &'a AtomicBool) -> anyhow::Result<Tell<'a>> {
        let promises = log.options().sync.promises();
        let mut ledger = ledger.map(|path| LedgerFile::open(path, &log.log_id(), log.next_lsn())).transpose()?;
        if let Some(ledger) = &mut ledger {
            ledger.syncs = promises;
        }
        Ok(Tell { out, log, ledger, stop, first: None, last: Lsn(0), count: 0, promises, held: Vec::new() })
    }

    /// Redeems tickets until no more come. The first failure is kept; those that were written all the same are told.
    pub fn all(&mut self, tickets: &Receiver<Vec<Sent>>) -> anyhow::Result<()> {
        let mut failed = None;
        loop {
            let chunk = match tickets.try_recv() {
                Ok(chunk) => chunk,
                Err(TryRecvError::Disconnected) => break,
                Err(TryRecvError::Empty) => {
                    self.flush(&mut failed);
                    match tickets.recv() {
                        Ok(chunk) => chunk,
                        Err(_) => break,
                    }
                }
            };
            for sent in chunk {
                if !sent.ticket.is_over() {
                    // Callers that wait for these need not wait for that one.
                    self.flush(&mut failed);
                }
                match self.log.wait(&sent.ticket) {
                    Ok(ack) => {
                        if let Err(error) = self.ack(&ack, &sent) {
                            self.keep(&mut failed, error);
                        }
                    }
                    Err(error) => self.keep(&mut failed, error.into()),
                }
            }
        }
        self.flush(&mut failed);
        failed.map_or(Ok(()), Err)
    }

    fn keep(&self, failed: &mut Option<anyhow::Error>, error: anyhow::Error) {
        self.stop.store(true, Ordering::Relaxed);
        failed.get_or_insert(error);
    }

    fn flush(&mut self, failed: &mut Option<anyhow::Error>) {
        if let Err(error) = self.let_out() {
            self.keep(failed, error);
        }
    }

    /// Makes the ledger durable, and then prints what was held back for it.
    fn let_out(&mut self) -> anyhow::Result<()> {
        let held = std::mem::take(&mut self.held);
        if let Some(ledger) = &mut self.ledger {
            ledger.flush()?;
        }
        if !held.is_empty() && !self.out.is_closed() {
            let told = self.out.write_all(&held);
            if told.is_err() {
                self.stop.store(true, Ordering::Relaxed);
            }
            if !self.out.is_closed() {
                told?;
            }
        }
        Ok(flushed(self.out, self.stop)?)
    }

    fn ack(&mut self, ack: &Ack, sent: &Sent) -> anyhow::Result<()> {
        if let (Some(ledger), Some((length, digest))) = (&mut self.ledger, sent.digest) {
            LedgerEntry { lsn: ack.lsn, length, digest }.push(&mut ledger.text);
        }
        self.first.get_or_insert(ack.lsn);
        self.last = ack.last_lsn;
        self.count += 1;
        if self.out.quiet() || self.out.is_closed() {
            return if self.ledger.as_ref().is_some_and(|ledger| ledger.text.len() > HELD) { self.let_out() } else { Ok(()) };
        }
        if self.ledger.is_some() {
            line(&mut self.held, self.out.json(), ack)?;
            return if self.held.len() > HELD { self.let_out() } else { Ok(()) };
        }
        let json = self.out.json();
        let told = line(self.out, json, ack).and_then(|()| self.out.settle());
        if told.is_err() {
            self.stop.store(true, Ordering::Relaxed);
        }
        if self.out.is_closed() { Ok(()) } else { Ok(told?) }
    }

    /// What was acknowledged, in one sentence.
    pub fn sentence(&self) -> String {
        let what = if self.promises { "durable" } else { "acknowledged, with no promise that they are durable" };
        match (self.first, self.count) {
            (None, _) => "nothing was acknowledged".into(),
            (Some(first), 1) => format!("1 record is {what}: LSN {first}"),
            (Some(first), count) => format!("{count} records are {what}: LSN {first}-{}", self.last),
        }
    }

    /// Makes the ledger durable.
    pub fn finish(self) -> anyhow::Result<()> {
        let Some(mut ledger) = self.ledger else { return Ok(()) };
        ledger.flush()?;
        ledger.file.sync_all().map_err(Error::io("sync", &ledger.path))?;
        Ok(())
    }
}

/// The line that tells an acknowledgement.
fn line(out: &mut dyn Write, json: bool, ack: &Ack) -> std::io::Result<()> {
    if !json {
        let mut room = [0; 21];
        return out.write_all(decimal(ack.lsn.0, &mut room));
    }
    let (wait, sync) = (ack.times.wait().as_micros(), ack.times.sync().as_micros());
    write!(out, "{{\"lsn\":{},", ack.lsn)?;
    if ack.last_lsn != ack.lsn {
        write!(out, "\"last_lsn\":{},", ack.last_lsn)?;
    }
    write!(out, "\"group\":{},\"group_size\":{},\"wait_us\":{wait},\"sync_us\":{sync}", ack.group, ack.group_size)?;
    // A key that only those see who asked for less.
    let rest = if ack.durable { "}\n" } else { ",\"durable\":false}\n" };
    out.write_all(rest.as_bytes())
}

impl LedgerFile {
    /// Opens the file to be written after what it holds; it must be a ledger of the same log.
    fn open(path: &Path, log_id: &[u8; 16], next: Lsn) -> anyhow::Result<LedgerFile> {
        use std::os::unix::fs::OpenOptionsExt;
        let cannot = |doing| Error::io(doing, path);
        // It is ours to write to: no link is followed, and nothing but a file is waited for.
        RealDisk.open(path, Open { or_create: true, ..Open::WRITE })?;
        let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK;
        let mut file = File::options().read(true).append(true).custom_flags(flags).open(path).map_err(cannot("open"))?;
        let head = ledger_head(log_id);
        let mut first = String::new();
        BufReader::new(std::io::Read::take(&mut file, 256)).read_line(&mut first).map_err(cannot("read"))?;
        if head.starts_with(&first) && first != head {
            // It is new, or a crash came when it was.
            file.set_len(0).map_err(cannot("set the length of"))?;
            file.write_all(head.as_bytes()).map_err(cannot("write to"))?;
        } else if first != head {
            let message = format!("{} is not the ledger of this log, and is left alone", path.display());
            let next = Some(format!("name a new file; what this one says it is: head -n 1 {}", show(path)));
            return Err(CommandFailure { exit: Exit::Usage, message, next }.into());
        }
        // A line that a crash cut short must not run together with the next one.
        let length = file.metadata().map_err(cannot("look at"))?.len();
        let whole = whole_lines(&file, length).map_err(cannot("read"))?;
        if whole < length {
            file.set_len(whole).map_err(cannot("set the length of"))?;
        }
        file.write_all(ledger_from(next).as_bytes()).map_err(cannot("write to"))?;
        file.sync_all().map_err(cannot("sync"))?;
        // A ledger whose name is lost in a crash proves nothing.
        let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
        RealDisk.sync_dir(dir)?;
        Ok(LedgerFile { file, path: path.to_owned(), text: String::new(), syncs: true })
    }

    fn flush(&mut self) -> anyhow::Result<()> {
        if !self.text.is_empty() {
            self.file.write_all(self.text.as_bytes()).map_err(Error::io("write to", &self.path))?;
            self.text.clear();
            if self.syncs {
                self.file.sync_data().map_err(Error::io("sync", &self.path))?;
            }
        }
        Ok(())
    }
}

/// Where the last whole line ends.
fn whole_lines(file: &File, length: u64) -> std::io::Result<u64> {
    use std::os::unix::fs::FileExt;
    let from = length.saturating_sub(256);
    let mut tail = vec![0; usize::try_from(length - from).unwrap_or(256)];
    file.read_exact_at(&mut tail, from)?;
    Ok(tail.iter().rposition(|b| *b == b'\n').map_or(from, |at| from + at as u64 + 1))
}

/// The number and a line end.
fn decimal(mut number: u64, room: &mut [u8; 21]) -> &[u8] {
    room[20] = b'\n';
    let mut at = 20;
    loop {
        at -= 1;
        room[at] = b'0' + u8::try_from(number % 10).expect("a remainder of ten fits a byte");
        number /= 10;
        if number == 0 {
            return &room[at..];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_printed_whole() {
        for number in [0, 7, 10, 48_213, u64::MAX] {
            assert_eq!(decimal(number, &mut [0; 21]), format!("{number}\n").as_bytes());
        }
    }

    #[test]
    fn a_line_that_was_cut_short_is_taken_off_a_ledger() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let path = dir.path().join("ledger");
        let head = ledger_head(&[7; 16]);
        std::fs::write(&path, format!("{head}1 2 00\n3 4")).expect("room for a few bytes");
        drop(LedgerFile::open(&path, &[7; 16], Lsn(4)).expect("it is ours"));
        assert_eq!(std::fs::read_to_string(&path).expect("it reads"), format!("{head}1 2 00\n# from 4\n"));
        assert!(LedgerFile::open(&path, &[8; 16], Lsn(4)).is_err(), "it belongs to another log");
        // The crash came when it was new.
        std::fs::write(&path, &head[..20]).expect("room for a few bytes");
        drop(LedgerFile::open(&path, &[7; 16], Lsn(1)).expect("it is ours"));
        assert_eq!(std::fs::read_to_string(&path).expect("it reads"), format!("{head}# from 1\n"));
    }

    #[test]
    fn a_ledger_is_never_written_through_a_link_and_never_waits_for_a_reader() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let (other, link, pipe) = (dir.path().join("other"), dir.path().join("link"), dir.path().join("pipe"));
        std::fs::write(&other, "precious").expect("room for a few bytes");
        std::os::unix::fs::symlink(&other, &link).expect("links can be made");
        assert!(LedgerFile::open(&link, &[7; 16], Lsn(1)).is_err());
        assert_eq!(std::fs::read_to_string(&other).expect("it reads"), "precious");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status().expect("mkfifo runs");
        assert!(made.success() && LedgerFile::open(&pipe, &[7; 16], Lsn(1)).is_err());
    }
}
