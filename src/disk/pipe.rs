//! Standard input, or a named pipe, as a segment: what came through the pipe is kept in a file without a name, so that a search can go back.

use std::fmt;
use std::fs::File as SystemFile;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use super::File;
use crate::model::{Error, Result};

/// A stream that can be read at any offset. It is read only as far as callers ask.
pub struct Pipe {
    inner: Mutex<PipeState>,
    /// What it is called where something cannot be done with it.
    name: PathBuf,
}

struct PipeState {
    stream: Box<dyn Read + Send>,
    kept: SystemFile,
    drawn: u64,
    ended: bool,
}

impl Pipe {
    /// Over a stream with this name, in which `-` is standard input. What is kept goes to the system's folder for temporary files, and with the process.
    pub fn new(name: &Path, stream: Box<dyn Read + Send>) -> Result<Pipe> {
        let name = if name.as_os_str() == "-" { PathBuf::from("standard input") } else { name.to_owned() };
        let dir = std::env::temp_dir();
        let kept = nameless(&dir).map_err(Error::io("create a temporary file in", &dir))?;
        Ok(Pipe { inner: Mutex::new(PipeState { stream, kept, drawn: 0, ended: false }), name })
    }
}

fn nameless(dir: &Path) -> io::Result<SystemFile> {
    use rustix::fs::{Mode, OFlags};
    let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
    match rustix::fs::open(dir, flags, Mode::RUSR | Mode::WUSR) {
        Ok(fd) => Ok(SystemFile::from(fd)),
        // Not every filesystem can make a file without a name: make one and take its name away.
        Err(_) => {
            let mut random = [0; 8];
            getrandom::fill(&mut random).map_err(io::Error::other)?;
            let path = dir.join(format!("walctl-{:016x}", u64::from_le_bytes(random)));
            let file = SystemFile::options().read(true).write(true).create_new(true).open(&path)?;
            std::fs::remove_file(&path)?;
            Ok(file)
        }
    }
}

impl PipeState {
    fn draw(&mut self, to: u64) -> io::Result<()> {
        let mut room = [0; 64 << 10];
        while self.drawn < to && !self.ended {
            match self.stream.read(&mut room) {
                Ok(0) => self.ended = true,
                Ok(count) => {
                    self.kept.write_all_at(&room[..count], self.drawn)?;
                    self.drawn += count as u64;
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }
}

impl Pipe {
    fn refused(&self, doing: &'static str) -> Error {
        Error::io(doing, &self.name)(io::ErrorKind::Unsupported.into())
    }
}

impl fmt::Debug for Pipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pipe")
    }
}

impl File for Pipe {
    /// Not known before the end: `u64::MAX` until then.
    fn length(&self) -> Result<u64> {
        let inner = self.inner.lock().expect("no thread panics while holding the pipe");
        Ok(if inner.ended { inner.drawn } else { u64::MAX })
    }

    fn read_at(&self, into: &mut [u8], offset: u64) -> Result<usize> {
        let mut inner = self.inner.lock().expect("no thread panics while holding the pipe");
        let read = inner.draw(offset.saturating_add(into.len() as u64)).and_then(|()| inner.kept.read_at(into, offset));
        read.map_err(Error::io("read", &self.name))
    }

    fn write_at(&self, _: &[u8], _: u64) -> Result<usize> {
        Err(self.refused("write"))
    }

    fn sync_data(&self) -> Result<()> {
        Err(self.refused("sync"))
    }

    fn sync_all(&self) -> Result<()> {
        Err(self.refused("sync"))
    }

    fn set_length(&self, _: u64) -> Result<()> {
        Err(self.refused("set the length of"))
    }

    fn reserve(&self, _: u64, _: u64) -> Result<()> {
        Err(self.refused("reserve space in"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_can_be_read_back_and_forth() {
        let content: Vec<u8> = (0..200_000u32).map(|n| (n % 253) as u8).collect();
        let pipe = Pipe::new(Path::new("-"), Box::new(io::Cursor::new(content.clone()))).expect("a temporary file can be made");
        let mut room = [0; 100];
        assert_eq!(pipe.length().expect("it answers"), u64::MAX);
        assert_eq!(pipe.read_at(&mut room, 150_000).expect("it reads"), 100);
        assert_eq!(room[..], content[150_000..150_100]);
        assert_eq!(pipe.read_at(&mut room, 5).expect("it reads"), 100);
        assert_eq!(room[..], content[5..105]);
        assert_eq!(pipe.read_at(&mut room, 199_950).expect("it reads"), 50);
        assert_eq!(pipe.length().expect("it answers"), 200_000);
        assert_eq!(pipe.read_at(&mut room, 300_000).expect("it reads"), 0);
    }
}
