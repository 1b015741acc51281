//! Waiting until a log grows, an interruption comes, or standard output is closed.

use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::inotify::{CreateFlags, WatchFlags, add_watch, init};
use walctl::ops::read::Follow;

/// A watch over a folder. Where the system has none to give, a short sleep stands in for it.
#[derive(Debug)]
pub struct Wait {
    watch: Option<OwnedFd>,
    /// How often in a row nothing came.
    idle: u32,
    /// When the last wait ended.
    woke: Instant,
}

/// What ended a wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Woken {
    /// It is time to look.
    Look,
    /// Standard output is closed.
    Closed,
}

/// Writes that the watch does not tell of (from another machine, through a mapping) are found after this long at the latest.
const LONGEST_MS: u32 = 500;

impl Wait {
    /// On a folder, or on a file in it.
    pub fn new(path: &Path) -> Wait {
        let events = WatchFlags::MODIFY | WatchFlags::CREATE | WatchFlags::MOVED_TO | WatchFlags::DELETE;
        let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        let watch = init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC).and_then(|watch| {
            add_watch(&watch, path, events)?;
            Ok(watch)
        });
        Wait { watch: watch.ok(), idle: 0, woke: Instant::now() }
    }

    /// Something came: look again soon.
    pub fn busy(&mut self) {
        self.idle = 0;
    }

    /// Waits. A signal ends the wait too.
    pub fn wait(&mut self) -> io::Result<Woken> {
        let busy = self.idle == 0;
        let most = if self.watch.is_some() { LONGEST_MS } else { LONGEST_MS / 4 };
        let wait_ms = if self.watch.is_some() { most } else { (5 << self.idle.min(8)).min(most) };
        self.idle += 1;
        let timeout = Timespec { tv_sec: 0, tv_nsec: i64::from(wait_ms) * 1_000_000 };
        let stdout = rustix::stdio::stdout();
        // No events are asked for: that the other end is gone is told without asking.
        let mut fds = vec![PollFd::from_borrowed_fd(stdout, PollFlags::empty())];
        if let Some(watch) = &self.watch {
            fds.push(PollFd::new(watch, PollFlags::IN));
        }
        match poll(&mut fds, Some(&timeout)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        if fds[0].revents().intersects(PollFlags::ERR | PollFlags::HUP | PollFlags::NVAL) {
            return Ok(Woken::Closed);
        }
        if busy {
            std::thread::sleep(Follow::PACE.saturating_sub(self.woke.elapsed()));
        }
        self.woke = Instant::now();
        if let Some(watch) = &self.watch {
            // What happened is not of interest, only that something did.
            let mut room = [0; 4096];
            while matches!(rustix::io::read(watch, &mut room), Ok(1..)) {}
        }
        Ok(Woken::Look)
    }
}
