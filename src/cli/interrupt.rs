//! Ctrl-C and a polite kill: at once by default, at the next safe point where a command asks for that.
//!
//! A command that ends at a safe point must come to it. What it waits for in the system, such as output that is not taken, is woken
//! once a second; and when ten seconds were not enough, the process ends as if nothing had been promised. Nothing is lost by that: what
//! was acknowledged is durable, and a log that was not closed opens.

use std::sync::atomic::{AtomicBool, AtomicI32, AtomicPtr, AtomicU32, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use super::exit::Exit;

/// What is said when the second interruption ends the process at once.
static LAST_WORDS: AtomicPtr<String> = AtomicPtr::new(std::ptr::null_mut());
static CAUGHT: AtomicI32 = AtomicI32::new(0);
static POLITE: AtomicBool = AtomicBool::new(false);
/// Seconds since the first interruption.
static WAITED: AtomicU32 = AtomicU32::new(0);
/// How many seconds an interrupted command has to finish.
const PATIENCE: u32 = 10;

/// From here on an interruption ends the process with its own code and not by the signal.
pub fn install() {
    // A limit of file size is told as an error, which says what was acknowledged; death says nothing.
    // SAFETY: ignoring a signal has no preconditions.
    unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
    for (signal, handler) in [(libc::SIGINT, on_signal as Handler), (libc::SIGTERM, on_signal), (libc::SIGALRM, on_alarm)] {
        // SAFETY: the handlers only touch atomics and call _exit and alarm, all allowed in a signal handler; the action is fully
        // initialised before it is handed over, and a null old action is allowed.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = handler as libc::sighandler_t;
            // No SA_RESTART: a read that waits for input must come back, so that the flag is seen.
            libc::sigemptyset(&mut action.sa_mask);
            libc::sigaction(signal, &action, std::ptr::null_mut());
        }
    }
}

type Handler = extern "C" fn(libc::c_int);

extern "C" fn on_signal(signal: libc::c_int) {
    // The second signal always ends it: pressing twice is meant.
    if !POLITE.load(Ordering::Relaxed) || CAUGHT.swap(signal, Ordering::Relaxed) != 0 {
        end_now()
    }
    // SAFETY: alarm is async-signal-safe.
    unsafe { libc::alarm(1) };
}

/// Wakes what waits: a system call comes back, and its caller asks whether to go on.
extern "C" fn on_alarm(_: libc::c_int) {
    if CAUGHT.load(Ordering::Relaxed) == 0 {
        return;
    }
    if WAITED.fetch_add(1, Ordering::Relaxed) >= PATIENCE {
        end_now()
    }
    // SAFETY: alarm is async-signal-safe.
    unsafe { libc::alarm(1) };
}

/// Ends the process from within a handler, and says what is left.
fn end_now() -> ! {
    let words = LAST_WORDS.load(Ordering::Acquire);
    // SAFETY: the pointer is null or that of a string that is never freed; write and _exit are async-signal-safe.
    unsafe {
        if let Some(words) = words.as_ref() {
            libc::write(libc::STDERR_FILENO, words.as_ptr().cast(), words.len());
        }
        libc::_exit(i32::from(Exit::Interrupted.code()))
    }
}

/// What is said if a second interruption ends the work at once, until this is dropped.
#[derive(Debug)]
pub struct LastWords(());

impl LastWords {
    /// A line that names what is then left on the disk.
    pub fn new(words: &str) -> LastWords {
        // Never freed: the handler may be reading it.
        let words = Box::leak(Box::new(format!("{words}\n")));
        LAST_WORDS.store(words, Ordering::Release);
        LastWords(())
    }
}

impl Drop for LastWords {
    fn drop(&mut self) {
        LAST_WORDS.store(std::ptr::null_mut(), Ordering::Release);
    }
}

/// Promises that [`caught`] is asked often: the first interruption only sets it, the second one ends the process, and so does time.
pub fn be_polite() {
    POLITE.store(true, Ordering::Relaxed);
}

/// Does some work that looks at `stop` now and then, and sets it when an interruption comes.
pub fn stopping<T>(stop: &AtomicBool, work: impl FnOnce() -> T) -> T {
    if !POLITE.load(Ordering::Relaxed) {
        return work();
    }
    let (over, worker) = mpsc::channel::<()>();
    std::thread::scope(|scope| {
        // Where there is no thread to be had, the second signal ends the work, as it always does.
        let _ = std::thread::Builder::new().spawn_scoped(scope, move || {
            while worker.recv_timeout(Duration::from_millis(20)) == Err(RecvTimeoutError::Timeout) {
                if caught() {
                    stop.store(true, Ordering::Relaxed);
                }
            }
        });
        let done = work();
        // Dropped here, or by a panic.
        drop(over);
        done
    })
}

/// Whether an interruption came since [`be_polite`].
pub fn caught() -> bool {
    CAUGHT.load(Ordering::Relaxed) != 0
}
