//! How far reading has come: a bar, and a limit of how fast.

use walctl::ops::RateLimit;

use crate::cli::interrupt;
use crate::cli::render::progress::WorkBar;

/// The way through a log.
pub struct ReadingWay {
    bar: Option<WorkBar>,
    limit: RateLimit,
    /// Up to where the current segment was read.
    segment: String,
    offset: u64,
}

impl ReadingWay {
    /// With a bar where one is shown, and at most this many bytes a second.
    pub fn new(bar: Option<WorkBar>, rate: Option<u64>) -> ReadingWay {
        ReadingWay { bar, limit: RateLimit::at(rate), segment: String::new(), offset: 0 }
    }

    /// A segment was read up to this offset. Waits where that was too fast.
    pub fn reached(&mut self, segment: &str, offset: u64) {
        if self.segment != segment {
            (self.segment, self.offset) = (segment.to_owned(), 0);
        }
        let more = offset.saturating_sub(self.offset);
        self.offset += more;
        if let Some(bar) = &self.bar {
            bar.advance(more);
        }
        self.limit.wait(more, &interrupt::caught);
    }

    /// Takes the bar away.
    pub fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish();
        }
    }
}
