//! Ctrl-C and a polite kill: at once by default, at the next safe point where a command asks for that.

use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};

use super::exit::Exit;

static CAUGHT: AtomicI32 = AtomicI32::new(0);
static POLITE: AtomicBool = AtomicBool::new(false);

/// From here on an interruption ends the process with its own code and not by the signal.
pub fn install() {
    // A limit of file size is told as an error, which says what was acknowledged; death says nothing.
    // SAFETY: ignoring a signal has no preconditions.
    unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
    for signal in [libc::SIGINT, libc::SIGTERM] {
        let handler: extern "C" fn(libc::c_int) = on_signal;
        // SAFETY: the handler only touches atomics and calls _exit, both allowed in a signal handler; the action is fully
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

extern "C" fn on_signal(signal: libc::c_int) {
    // The second signal always ends it: whoever presses twice means it.
    if !POLITE.load(Ordering::Relaxed) || CAUGHT.swap(signal, Ordering::Relaxed) != 0 {
        // SAFETY: _exit is async-signal-safe and does not return.
        unsafe { libc::_exit(i32::from(Exit::Interrupted.code())) }
    }
}

/// Promises that [`caught`] is asked often: the first interruption only sets it, the second one ends the process.
pub fn be_polite() {
    POLITE.store(true, Ordering::Relaxed);
}

/// Whether an interruption came since [`be_polite`].
pub fn caught() -> bool {
    CAUGHT.load(Ordering::Relaxed) != 0
}
