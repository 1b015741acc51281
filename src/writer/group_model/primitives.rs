//! The twin of `group/primitives.rs` in which a checker decides who runs when. A time never comes: who sleeps must be woken.

use std::cell::Cell;
use std::sync::PoisonError;
use std::time::Duration;

pub(super) use shuttle::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
pub(super) use shuttle::sync::{Condvar, Mutex, MutexGuard};
pub(super) use shuttle::thread::{JoinHandle, yield_now};
pub(super) use std::sync::Arc;

thread_local! {
    /// How many more threads the writer can start. The checker runs all threads of the model on one thread of the system.
    pub(super) static THREADS_LEFT: Cell<usize> = const { Cell::new(usize::MAX) };
}

pub(super) fn spawn(_: &str, run: impl FnOnce() + Send + 'static) -> std::io::Result<JoinHandle<()>> {
    match THREADS_LEFT.get() {
        0 => Err(std::io::ErrorKind::WouldBlock.into()),
        left => {
            THREADS_LEFT.set(left.saturating_sub(1));
            Ok(shuttle::thread::spawn(run))
        }
    }
}

pub(super) fn is_current(thread: &JoinHandle<()>) -> bool {
    thread.thread().id() == shuttle::thread::current().id()
}

pub(super) fn wake_task(waker: std::task::Waker) {
    waker.wake();
}

/// All threads of the model share one thread of the system: whether that one panics says nothing.
pub(super) fn panicking() -> bool {
    false
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(super) fn wait<'a, T>(condition: &Condvar, guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
    condition.wait(guard).unwrap_or_else(PoisonError::into_inner)
}

pub(super) fn wait_for<'a, T>(condition: &Condvar, guard: MutexGuard<'a, T>, _: Duration) -> MutexGuard<'a, T> {
    wait(condition, guard)
}

/// As the system does it: comparing and going to sleep is one step, and so is waking.
#[derive(Debug, Default)]
pub(super) struct Futex(pub AtomicU32, Mutex<()>, Condvar);

impl Futex {
    pub fn wait(&self, seen: u32) {
        let guard = lock(&self.1);
        if self.0.load(Ordering::SeqCst) == seen {
            drop(wait(&self.2, guard));
        }
    }

    pub fn wake(&self, count: u32) {
        let _guard = lock(&self.1);
        if count == 1 {
            self.2.notify_one();
        } else {
            self.2.notify_all();
        }
    }
}

pub(super) const ALL: u32 = i32::MAX as u32;
