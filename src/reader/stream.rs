//! A follower that tasks await: a thread of its own reads, so that no executor is kept waiting for a disk.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use super::{Follower, LogRecord};
use crate::model::{Error, Result};

/// So many records are read ahead, and not more.
const AHEAD: usize = 1024;
/// So many bytes of payload are read ahead; a longer record alone.
const AHEAD_BYTES: usize = 4 << 20;

/// Records as they come, for tasks: see [`Follower::stream`].
///
/// With the feature `async` it is a `futures_core::Stream`; [`FollowStream::next`] needs no feature. Dropped, it ends its thread.
#[derive(Debug)]
pub struct FollowStream {
    shared: Arc<FollowQueue>,
}

#[derive(Debug, Default)]
struct FollowQueue {
    state: Mutex<Ahead>,
    /// There is room again, or the stream was dropped.
    room: Condvar,
}

#[derive(Debug, Default)]
struct Ahead {
    ready: VecDeque<Result<LogRecord<'static>>>,
    bytes: usize,
    /// The task that waits for the next one.
    waker: Option<Waker>,
    /// Nothing follows what is ready.
    ended: bool,
    /// Nobody wants more.
    dropped: bool,
}

impl FollowQueue {
    fn lock(&self) -> MutexGuard<'_, Ahead> {
        // The state is whole between any two statements that could panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands one over when there is room. False when nobody wants it.
    fn hand_over(&self, item: Result<LogRecord<'static>>) -> bool {
        let length = item.as_ref().map_or(0, |record| record.payload.len());
        let full = |state: &Ahead| state.ready.len() >= AHEAD || (state.bytes > 0 && state.bytes + length > AHEAD_BYTES);
        let mut state = self.lock();
        while full(&state) && !state.dropped {
            state = self.room.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.bytes += length;
        state.ready.push_back(item);
        let (waker, wanted) = (state.waker.take(), !state.dropped);
        drop(state);
        waker.into_iter().for_each(Waker::wake);
        wanted
    }

    fn end(&self) {
        let mut state = self.lock();
        state.ended = true;
        let waker = state.waker.take();
        drop(state);
        waker.into_iter().for_each(Waker::wake);
    }

    /// Sleeps before the next look. False when nobody wants more.
    fn nap(&self, length: std::time::Duration) -> bool {
        if length.is_zero() {
            return true;
        }
        let state = self.lock();
        let slept = self.room.wait_timeout_while(state, length, |state| !state.dropped);
        !slept.unwrap_or_else(PoisonError::into_inner).0.dropped
    }
}

/// Says that nothing follows, however the thread ends.
struct AtTheEnd(Arc<FollowQueue>);

impl Drop for AtTheEnd {
    fn drop(&mut self) {
        self.0.end();
    }
}

impl Follower {
    /// The same for tasks, on any executor: a thread reads up to 1,024 records or 4 MiB ahead and waits while they are not taken.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().expect("a temporary folder");
    /// let log = walctl::Log::open(dir.path())?;
    /// let mut stream = walctl::Reader::open(dir.path())?.follow().stream()?;
    /// log.append("x")?;
    /// let record = futures::executor::block_on(stream.next()).expect("it waits for one")?;
    /// assert_eq!(&*record.payload, b"x");
    /// # Ok::<(), walctl::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// When the thread cannot be started.
    pub fn stream(mut self) -> Result<FollowStream> {
        let path = self.reader.input.source.path.clone();
        let shared = Arc::new(FollowQueue::default());
        let end = AtTheEnd(shared.clone());
        let read = move || {
            let shared = end.0.clone();
            let mut found_nothing = false;
            loop {
                if !shared.nap(self.pause(found_nothing)) {
                    return;
                }
                let item = self.try_next().transpose();
                found_nothing = item.is_none();
                let goes_on = match item {
                    Some(item) => {
                        let last = item.is_err();
                        shared.hand_over(item) && !last
                    }
                    None => self.reader.ended.is_none(),
                };
                if !goes_on {
                    return;
                }
            }
        };
        std::thread::Builder::new().name("walctl-follow".into()).spawn(read).map_err(Error::io("start a thread for", &path))?;
        Ok(FollowStream { shared })
    }
}

impl FollowStream {
    /// The next record; `None` behind the end that an error was, or a torn write. Dropped before it is ready, it loses no record.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().expect("a temporary folder");
    /// # let log = walctl::Log::open(dir.path())?;
    /// # log.append("x")?;
    /// async fn copy(mut stream: walctl::FollowStream, replica: &walctl::Log) -> Result<(), walctl::Error> {
    ///     while let Some(record) = stream.next().await {
    ///         replica.append_async(record?).await?;
    /// #       break;
    ///     }
    ///     Ok(())
    /// }
    /// # let replica = walctl::Log::open(dir.path().join("replica"))?;
    /// # futures::executor::block_on(copy(walctl::Reader::open(dir.path())?.follow().stream()?, &replica))?;
    /// # Ok::<(), walctl::Error>(())
    /// ```
    pub async fn next(&mut self) -> Option<Result<LogRecord<'static>>> {
        poll_fn(|context| self.poll(context)).await
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<LogRecord<'static>>>> {
        let mut state = self.shared.lock();
        let Some(item) = state.ready.pop_front() else {
            if state.ended {
                return Poll::Ready(None);
            }
            state.waker = Some(context.waker().clone());
            return Poll::Pending;
        };
        state.bytes -= item.as_ref().map_or(0, |record| record.payload.len());
        drop(state);
        self.shared.room.notify_one();
        Poll::Ready(Some(item))
    }
}

#[cfg(feature = "async")]
impl futures_core::Stream for FollowStream {
    type Item = Result<LogRecord<'static>>;

    fn poll_next(self: std::pin::Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().poll(context)
    }
}

impl Drop for FollowStream {
    fn drop(&mut self) {
        self.shared.lock().dropped = true;
        self.shared.room.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures::executor::block_on;
    use futures::future::{Either, ready, select};

    use super::*;
    use crate::model::Lsn;
    use crate::{Log, Reader};

    fn stream(log: &Log) -> FollowStream {
        Reader::open(log.path()).expect("it is a log").follow().every(Duration::from_millis(1)).stream().expect("a thread starts")
    }

    fn next(stream: &mut FollowStream) -> Lsn {
        block_on(stream.next()).expect("it goes on").expect("a record").lsn
    }

    #[test]
    fn records_come_once_and_in_order_while_the_log_grows() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let log = Log::open(dir.path()).expect("a new log");
        let mut stream = stream(&log);
        for lsn in 1..=3000 {
            log.append(lsn.to_string()).expect("there is room");
            if lsn % 7 == 0 {
                for due in lsn - 6..=lsn {
                    assert_eq!(next(&mut stream), Lsn(due));
                }
            }
        }
    }

    #[test]
    fn a_wait_that_is_given_up_loses_no_record() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let log = Log::open(dir.path()).expect("a new log");
        let mut stream = stream(&log);
        for lsn in 1..=50 {
            // Whichever comes first: the wait is dropped, or had the record.
            let given_up = block_on(async { matches!(select(Box::pin(stream.next()), ready(())).await, Either::Right(_)) });
            assert!(given_up, "there is no record yet");
            log.append("x").expect("there is room");
            assert_eq!(next(&mut stream), Lsn(lsn));
        }
    }

    #[test]
    fn what_is_not_taken_is_not_read_ahead_without_end_and_a_dropped_stream_ends_its_thread() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let log = Log::open(dir.path()).expect("a new log");
        log.append_batch((0..3 * AHEAD).map(|_| vec![7; 2000])).expect("there is room");
        let mut stream = stream(&log);
        assert_eq!(next(&mut stream), Lsn(1));
        let shared = stream.shared.clone();
        for _ in 0..200 {
            let state = shared.lock();
            let (records, bytes) = (state.ready.len(), state.bytes);
            drop(state);
            assert!(records <= AHEAD && bytes <= AHEAD_BYTES, "{records} records of {bytes} bytes");
            std::thread::yield_now();
        }
        for lsn in 2..=3 * AHEAD as u64 {
            assert_eq!(next(&mut stream), Lsn(lsn));
        }
        drop(stream);
        // Held here and by the thread, until that is gone.
        while Arc::strong_count(&shared) > 1 {
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    #[test]
    fn a_failure_is_handed_over_once_and_ends_it() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let log = Log::open(dir.path()).expect("a new log");
        log.append("x").expect("there is room");
        log.append("y").expect("there is room");
        log.close().expect("it closes");
        let segment = dir.path().join("00000000000000000001.wal");
        let mut bytes = std::fs::read(&segment).expect("a segment");
        bytes[4096 + 40] ^= 1;
        std::fs::write(&segment, bytes).expect("room");
        let mut stream = Reader::open(dir.path()).expect("it is a log").follow().stream().expect("a thread starts");
        assert!(block_on(stream.next()).expect("there is something to say").is_err());
        assert!(block_on(stream.next()).is_none());
    }
}
