//! Rendering on all processors: reading goes on while records become text elsewhere, and the text is written in the order of the log.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::thread::Scope;

use walctl::model::Result;
use walctl::ops::read::{HeldRecords, Shown};

use super::print::LineStyle;

/// Records are handed over in lots of about this much memory.
pub const LOT: usize = 256 << 10;
/// The first lots are small, so that a reader does not wait for the first records.
const FIRST: usize = 16 << 10;

/// A lot on its way, and where its text is awaited.
type Job = (HeldRecords, SyncSender<Result<Vec<u8>>>);

/// Threads that render.
pub struct Workers<'q> {
    queue: &'q LotQueue,
    jobs: SyncSender<Job>,
    lot: HeldRecords,
    most: usize,
    /// The text of lots that were handed over, in order.
    coming: VecDeque<Receiver<Result<Vec<u8>>>>,
    count: usize,
}

impl<'q> Workers<'q> {
    /// Starts a thread for each of these, and none where none can be had.
    pub fn start<'scope>(
        scope: &'scope Scope<'scope, '_>,
        styles: Vec<LineStyle>,
        queue: &'scope LotQueue,
    ) -> Option<Workers<'scope>> {
        let count = styles.len();
        let jobs = queue.sender()?;
        let mut started = 0;
        for style in styles {
            started += usize::from(std::thread::Builder::new().spawn_scoped(scope, move || queue.work(style)).is_ok());
        }
        (started > 0).then(|| Workers { queue, jobs, lot: HeldRecords::default(), most: FIRST, coming: VecDeque::new(), count })
    }

    /// Takes a record over. False when it must be printed here, after what was handed over before it.
    pub fn take(&mut self, shown: &Shown<'_>) -> bool {
        if !self.lot.keep(shown) {
            self.hand_over();
            if !self.lot.keep(shown) {
                return false;
            }
        }
        if self.lot.bytes() >= self.most {
            self.hand_over();
        }
        true
    }

    fn hand_over(&mut self) {
        if self.lot.is_empty() {
            // A segment of which nothing is kept.
            self.lot.clear();
            return;
        }
        let (sender, text) = sync_channel(1);
        let lot = std::mem::replace(&mut self.lot, self.queue.used.lots());
        self.most = (2 * self.most).min(LOT);
        // The threads live as long as this end of the channel.
        if self.jobs.send((lot, sender)).is_ok() {
            self.coming.push_back(text);
        }
    }

    /// The next text that is due, in order: what is ready, and more only where so many lots are on their way that reading must wait.
    pub fn text(&mut self) -> Option<Result<Vec<u8>>> {
        let waits = self.coming.len() > 2 * self.count;
        let first = self.coming.front()?;
        let text = if waits { first.recv().ok() } else { first.try_recv().ok() };
        text.inspect(|_| {
            self.coming.pop_front();
        })
    }

    /// A text that was written: its room is used again.
    pub fn written(&self, text: Vec<u8>) {
        self.queue.used.keep_text(text);
    }

    /// All that is left, one after the other.
    pub fn rest(&mut self) -> Option<Result<Vec<u8>>> {
        self.hand_over();
        self.coming.pop_front()?.recv().ok()
    }
}

/// Where lots wait for a thread.
pub struct LotQueue {
    ends: Mutex<Option<SyncSender<Job>>>,
    jobs: Mutex<Receiver<Job>>,
    used: Used,
}

/// Room that was used and can be again: to get it anew from the system each time costs a fifth of the work.
#[derive(Default)]
struct Used {
    lots: Mutex<Vec<HeldRecords>>,
    texts: Mutex<Vec<Vec<u8>>>,
}

impl Used {
    fn lots(&self) -> HeldRecords {
        self.lots.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default()
    }

    fn keep_lot(&self, mut lot: HeldRecords) {
        lot.clear();
        self.lots.lock().unwrap_or_else(PoisonError::into_inner).push(lot);
    }

    fn text(&self) -> Vec<u8> {
        self.texts.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_else(|| Vec::with_capacity(2 * LOT))
    }

    fn keep_text(&self, mut text: Vec<u8>) {
        // A giant's room is given back.
        if text.capacity() <= 8 * LOT {
            text.clear();
            self.texts.lock().unwrap_or_else(PoisonError::into_inner).push(text);
        }
    }
}

impl LotQueue {
    /// For so many threads.
    pub fn new(threads: usize) -> LotQueue {
        let (sender, jobs) = sync_channel(2 * threads);
        LotQueue { ends: Mutex::new(Some(sender)), jobs: Mutex::new(jobs), used: Used::default() }
    }

    /// The one end into which lots go: when it is dropped, the threads end.
    fn sender(&self) -> Option<SyncSender<Job>> {
        self.ends.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn work(&self, style: LineStyle) {
        let mut printer = style.printer();
        loop {
            let job = self.jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
            let Ok((lot, answer)) = job else { return };
            let mut text = self.used.text();
            let done = lot.each(|shown| printer.record(&mut text, shown));
            self.used.keep_lot(lot);
            // Nobody waits for it where the output is closed.
            let _ = answer.send(done.map(|()| text));
        }
    }
}
