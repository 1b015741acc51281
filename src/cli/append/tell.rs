//! Tells what is durable: the ledger first, then standard output.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, TryRecvError};

use walctl::model::{Error, Lsn};
use walctl::ops::{LedgerEntry, ledger_head};
use walctl::writer::{Ack, GroupCommit};

use super::flushed;
use super::hand::Sent;
use crate::cli::exit::Failure;
use crate::cli::render::out::Out;

/// Tells acknowledgements in the order of the records.
pub struct Tell<'a> {
    out: &'a mut Out,
    log: &'a GroupCommit,
    ledger: Option<Ledger>,
    stop: &'a AtomicBool,
    first: Option<Lsn>,
    last: Lsn,
    count: u64,
    promises: bool,
}

struct Ledger {
    file: File,
    path: PathBuf,
    text: String,
}

impl<'a> Tell<'a> {
    pub fn new(out: &'a mut Out, log: &'a GroupCommit, ledger: Option<&Path>, stop: &'a AtomicBool) -> anyhow::Result<Tell<'a>> {
        let ledger = ledger.map(|path| Ledger::open(path, &log.log_id())).transpose()?;
        let promises = log.options().sync.promises();
        Ok(Tell { out, log, ledger, stop, first: None, last: Lsn(0), count: 0, promises })
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
                    // Whoever waits for these need not wait for that one.
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
        let ledger = self.ledger.as_mut().map_or(Ok(()), Ledger::flush);
        let out = flushed(self.out, self.stop).map_err(anyhow::Error::from);
        if let Err(error) = ledger.and(out) {
            self.keep(failed, error);
        }
    }

    fn ack(&mut self, ack: &Ack, sent: &Sent) -> anyhow::Result<()> {
        if let (Some(ledger), Some((length, digest))) = (&mut self.ledger, sent.digest) {
            LedgerEntry { lsn: ack.lsn, length, digest }.push(&mut ledger.text);
            if ledger.text.len() > 64 << 10 {
                ledger.flush()?;
            }
        }
        self.first.get_or_insert(ack.lsn);
        self.last = ack.last_lsn;
        self.count += 1;
        if self.out.quiet() || self.out.is_closed() {
            return Ok(());
        }
        let told = self.line(ack);
        if told.is_err() {
            self.stop.store(true, Ordering::Relaxed);
        }
        if self.out.is_closed() { Ok(()) } else { Ok(told?) }
    }

    fn line(&mut self, ack: &Ack) -> std::io::Result<()> {
        if self.out.json() {
            let (wait, sync) = (ack.times.wait().as_micros(), ack.times.sync().as_micros());
            write!(self.out, "{{\"lsn\":{},", ack.lsn)?;
            if ack.last_lsn != ack.lsn {
                write!(self.out, "\"last_lsn\":{},", ack.last_lsn)?;
            }
            write!(self.out, "\"group\":{},\"group_size\":{},\"wait_us\":{wait},\"sync_us\":{sync}", ack.group, ack.group_size)?;
            // A key that only those see who asked for less.
            let rest = if ack.durable { "}\n" } else { ",\"durable\":false}\n" };
            self.out.write_all(rest.as_bytes())?;
        } else {
            let mut room = [0; 21];
            self.out.write_all(decimal(ack.lsn.0, &mut room))?;
        }
        self.out.settle()
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

impl Ledger {
    /// Opens the file to be written behind what it holds; it must be a ledger of the same log.
    fn open(path: &Path, log_id: &[u8; 16]) -> anyhow::Result<Ledger> {
        let cannot = |doing| Error::io(doing, path);
        let mut file = File::options().read(true).append(true).create(true).open(path).map_err(cannot("open"))?;
        let head = ledger_head(log_id);
        let mut first = String::new();
        BufReader::new(std::io::Read::take(&mut file, 256)).read_line(&mut first).map_err(cannot("read"))?;
        if first.is_empty() {
            file.write_all(head.as_bytes()).map_err(cannot("write to"))?;
        } else if first != head {
            return Err(Failure::usage(format!("{} is no ledger of this log", path.display())).into());
        }
        // A line that a crash cut short must not run together with the next one.
        let length = file.metadata().map_err(cannot("look at"))?.len();
        let whole = whole_lines(&file, length).map_err(cannot("read"))?;
        if whole < length {
            file.set_len(whole).map_err(cannot("set the length of"))?;
        }
        Ok(Ledger { file, path: path.to_owned(), text: String::new() })
    }

    fn flush(&mut self) -> anyhow::Result<()> {
        if !self.text.is_empty() {
            self.file.write_all(self.text.as_bytes()).map_err(Error::io("write to", &self.path))?;
            self.text.clear();
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
        drop(Ledger::open(&path, &[7; 16]).expect("it is ours"));
        assert_eq!(std::fs::read_to_string(&path).expect("it reads"), format!("{head}1 2 00\n"));
        assert!(Ledger::open(&path, &[8; 16]).is_err(), "it belongs to another log");
    }
}
