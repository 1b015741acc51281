//! What a user names to be read once: a file, a pipe, a device.
//!
//! `--key-file <(pass show key)` and `verify <(zcat 1.wal.gz)` are pipes, so pipes are taken where a segment's own file would have to be
//! a regular one. They are opened without waiting. Once a pipe has a writer, reading waits for its bytes as long as it takes, and can be
//! interrupted; for the first writer it waits only a moment.

use std::fmt;
use std::fs::{self, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::not_regular;
use crate::model::{Error, Result};

/// How long a named pipe waits for its first writer.
const PATIENCE: Duration = Duration::from_secs(2);
/// How often an interruption is looked for.
const LOOK: Timespec = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };

/// A file that is read once, from its start to its end.
pub struct Stream {
    file: fs::File,
    stop: fn() -> bool,
    /// Until when a writer may come; `None` where there need be none, or where one has come.
    until: Option<Instant>,
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Stream({:?})", self.file)
    }
}

impl Stream {
    /// Opens what a user named, to do with it what an error calls `doing`. `stop` is asked while something is waited for: when it says so, reading fails.
    pub fn open(doing: &'static str, path: &Path, stop: fn() -> bool) -> Result<Stream> {
        let meta = fs::metadata(path).map_err(Error::io(doing, path))?;
        if meta.is_dir() {
            return Err(not_regular(doing, path, "a folder"));
        }
        let flags = libc::O_CLOEXEC | libc::O_NONBLOCK | libc::O_NOCTTY;
        let file = OpenOptions::new().read(true).custom_flags(flags).open(path).map_err(Error::io(doing, path))?;
        let pipe = file.metadata().map_err(Error::io("look at", path))?.file_type().is_fifo();
        Ok(Stream { file, stop, until: pipe.then(|| Instant::now() + PATIENCE) })
    }

    /// Waits until there is something to read, or the end.
    fn wait(&mut self) -> io::Result<()> {
        loop {
            let mut fds = [PollFd::new(&self.file, PollFlags::IN)];
            match poll(&mut fds, Some(&LOOK)) {
                // What cannot be waited for can be read at once.
                Ok(1..) | Err(rustix::io::Errno::PERM | rustix::io::Errno::INVAL) => return Ok(()),
                Ok(0) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
            if (self.stop)() {
                return Err(io::Error::other("interrupted"));
            }
            if self.until.is_some_and(|until| Instant::now() >= until) {
                return Ok(());
            }
        }
    }
}

impl Read for Stream {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        loop {
            // Reading from a pipe that has no writer yet answers the same as reading from one that has ended.
            if self.until.is_some() {
                self.wait()?;
            }
            match self.file.read(into) {
                Ok(0) if self.until.is_some_and(|until| Instant::now() >= until) => {
                    return Err(io::Error::other("it is a named pipe, and no process writes to it"));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    // A process holds the other end.
                    self.until = None;
                    self.wait()?;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted && (self.stop)() => {
                    return Err(io::Error::other("interrupted"));
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => {
                    self.until = None;
                    return read;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn pipe() -> (tempfile::TempDir, std::path::PathBuf) {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let path = dir.path().join("pipe");
        rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, rustix::fs::Mode::RWXU, 0).expect("a pipe");
        (dir, path)
    }

    #[test]
    fn a_pipe_is_read_to_its_end_though_its_writer_comes_late_and_writes_slowly() {
        let (_dir, path) = pipe();
        let writer = std::thread::spawn({
            let path = path.clone();
            move || {
                let mut file = OpenOptions::new().write(true).open(path).expect("a reader comes");
                for piece in [b"first", b"again"] {
                    std::thread::sleep(Duration::from_millis(20));
                    file.write_all(piece).expect("it is read");
                }
            }
        });
        let mut text = String::new();
        Stream::open("open", &path, || false).expect("it opens").read_to_string(&mut text).expect("it is read");
        writer.join().expect("it wrote");
        assert_eq!(text, "firstagain");
    }

    #[test]
    fn a_pipe_without_a_writer_is_given_up_and_one_that_is_waited_for_can_be_interrupted() {
        let (_dir, path) = pipe();
        let error = Stream::open("open", &path, || false).expect("it opens").read(&mut [0; 8]).expect_err("no process writes");
        assert!(error.to_string().contains("no process writes to it"), "{error}");
        // A descriptor for both directions opens at once, and is a writer that never writes.
        let _writer = OpenOptions::new().read(true).write(true).open(&path).expect("it opens");
        let error = Stream::open("open", &path, || true).expect("it opens").read(&mut [0; 8]).expect_err("it is stopped");
        assert_eq!(error.to_string(), "interrupted");
    }

    #[test]
    fn a_folder_is_no_stream() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        assert!(Stream::open("open", dir.path(), || false).is_err());
    }
}
