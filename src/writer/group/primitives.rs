//! What threads meet in: mutex, condition, futex. The model has a twin of this file, in which a checker decides who runs when.

use std::sync::PoisonError;
use std::time::Duration;

use rustix::thread::futex;

pub(super) use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
pub(super) use std::sync::{Arc, Condvar, Mutex, MutexGuard};
pub(super) use std::thread::{JoinHandle, panicking, yield_now};

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::Waker;

/// Starts a thread with this name.
pub(super) fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> std::io::Result<JoinHandle<()>> {
    std::thread::Builder::new().name(name.to_owned()).spawn(run)
}

/// Whether this is the thread that the handle stands for.
pub(super) fn is_current(thread: &JoinHandle<()>) -> bool {
    thread.thread().id() == std::thread::current().id()
}

/// Wakes a task. What its executor does meanwhile is not ours: a panic there must not end the thread that writes for all.
pub(super) fn wake_task(waker: Waker) {
    let _ = catch_unwind(AssertUnwindSafe(|| waker.wake()));
}

/// The lock, whether or not a thread panicked while it held it: what a panic leaves behind is dealt with where it happens.
#[inline]
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(super) fn wait<'a, T>(condition: &Condvar, guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
    condition.wait(guard).unwrap_or_else(PoisonError::into_inner)
}

pub(super) fn wait_for<'a, T>(condition: &Condvar, guard: MutexGuard<'a, T>, time: Duration) -> MutexGuard<'a, T> {
    condition.wait_timeout(guard, time).unwrap_or_else(PoisonError::into_inner).0
}

/// A word to sleep on: one system call wakes all sleepers, and none of them takes a lock.
#[derive(Debug, Default)]
pub(super) struct Futex(pub AtomicU32);

impl Futex {
    /// Sleeps while the word is `seen`. May return for no reason: the caller looks again.
    pub fn wait(&self, seen: u32) {
        let _ = futex::wait(&self.0, futex::Flags::PRIVATE, seen, None);
    }

    pub fn wake(&self, count: u32) {
        let _ = futex::wake(&self.0, futex::Flags::PRIVATE, count);
    }
}

/// As many sleepers as there can be.
pub(super) const ALL: u32 = i32::MAX as u32;
