//! Walking one file: event by event, each by the length that it states.

use super::super::again::Rereads;
use super::super::{Ending, Halt, Mark, Sink, Summary, Visit, Walk};
use super::event::{
    ARTIFICIAL, ENCRYPTED_MAGIC, EventHere, FLAGS_AT, Guard, HEADER, IN_USE, LogEvent, MAGIC, RELAY, description, stands,
    version_of,
};
use super::kinds::{FORMAT_DESCRIPTION, ROTATE, START_ENCRYPTION, STOP, TRANSACTION_PAYLOAD};
use super::log::{Closing, Own, base_of, number_of};
use super::meaning::{LONGEST_PACKED, wrong_inside};
use super::search::EventSearch;
use super::transactions::TransactionTracker;
use crate::disk::{Cursor, zero_prefix};
use crate::model::{Damage, DamageKind, Error, Facts, Look, Lsn, Proof, Span, Warning};

/// How far a walk goes between two marks, and between two signs of life.
const STRIDE: u64 = 1 << 20;

pub const WRITTEN_AFTER: Proof = Proof::Told { by: "a whole event", words: "stands behind it and was written after it" };

const RIGHT_SUM: Proof = Proof::Told { by: "its own sum", words: "is right, so it was written like that" };

/// A walk under way.
pub struct Walker<'a, 's> {
    pub visit: &'a Visit<'a>,
    pub sink: &'a mut Sink<'s>,
    pub cursor: Cursor,
    pub summary: Summary,
    pub own: Own,
    pub at: u64,
    pub guard: Guard,
    /// Events note where they end: not in relay logs.
    pub counted: bool,
    pub transactions: TransactionTracker,
    pub rereads: Rereads,
    pub search: EventSearch,
    /// The last event ends the file.
    last_ends: bool,
}

pub fn walk(visit: &Visit<'_>, sink: &mut Sink<'_>) -> Walk {
    let cursor = visit.source.cursor(visit.segment)?;
    let mut state = Walker {
        visit,
        sink,
        summary: Summary::new(visit.segment, cursor.length()),
        cursor,
        own: Own::default(),
        at: 0,
        guard: Guard::default(),
        counted: true,
        transactions: TransactionTracker::default(),
        rereads: Rereads::default(),
        search: EventSearch::default(),
        last_ends: false,
    };
    if let Some(mark) = visit.want.start {
        state.resume(mark);
    }
    state.run()?;
    state.own.whole_to = state.transactions.whole_to;
    state.own.end = state.summary.end;
    let Walker { mut summary, cursor, own, .. } = state;
    summary.length = cursor.length();
    summary.recovery = if summary.whole { own.recovery(&summary, visit.segment) } else { None };
    summary.own = Some(Box::new(own));
    Ok(summary)
}

impl Walker<'_, '_> {
    /// What was known where another walk left a mark.
    fn resume(&mut self, mark: Mark) {
        self.at = mark.offset;
        self.transactions.whole_to = mark.offset;
        self.guard = match mark.seed & 3 {
            0 => Guard::Summed,
            1 => Guard::Plain,
            _ => Guard::Sealed,
        };
        let bit = |bit: u64| mark.seed & bit != 0;
        (self.counted, self.own.mariadb, self.own.in_use, self.own.relay) = (bit(4), bit(8), bit(16), bit(32));
    }

    fn mark(&self) -> Mark {
        let guard = match self.guard {
            Guard::Summed => 0,
            Guard::Plain => 1,
            Guard::Sealed => 2,
        };
        let bit = |set: bool, bit: u64| if set { bit } else { 0 };
        let flags = bit(self.counted, 4) | bit(self.own.mariadb, 8) | bit(self.own.in_use, 16) | bit(self.own.relay, 32);
        Mark { offset: self.at, due: Lsn(0), seed: guard | flags }
    }

    fn run(&mut self) -> Result<(), Halt> {
        if self.at == 0 && !self.magic()? {
            return Ok(());
        }
        let (mut told, mut marked) = (self.at, self.at);
        loop {
            match stands(&mut self.cursor, self.at, self.guard, self.counted) {
                EventHere::LogEvent(event) => self.event(event)?,
                // Bytes of a mapping that could not be read look like zeros: read them again in a way that tells.
                _ if self.cursor.unmap_if_faulty() => self.search.forget(),
                EventHere::FileEnds if self.ends()? => return Ok(()),
                EventHere::FileEnds => {}
                EventHere::Bad => {
                    if !self.stop()? {
                        return Ok(());
                    }
                }
            }
            if self.at >= told + STRIDE {
                told = self.at;
                self.sink.reached(told)?;
            }
            if self.visit.want.marks && self.at >= marked + STRIDE && self.transactions.open.is_none() {
                marked = self.at;
                let mark = self.mark();
                self.sink.mark(mark)?;
            }
        }
    }

    /// The first four bytes. False when nothing is to be read behind them.
    fn magic(&mut self) -> Result<bool, Halt> {
        let head = self.cursor.bytes(0, MAGIC.len());
        if head == ENCRYPTED_MAGIC {
            return Err(Halt::Failed(Error::Unknown {
                path: self.visit.segment.path.clone(),
                offset: 0,
                what:
                    "a file that MySQL encrypted as a whole cannot be looked into (mysqlbinlog with the option read-from-remote-server asks the \
                       server that has its key); its content"
                        .to_owned(),
            }));
        }
        if head == MAGIC {
            self.at = MAGIC.len() as u64;
            self.summary.valid_bytes = self.at;
            self.summary.end = self.at;
            return Ok(true);
        }
        let (given, zeros) = (head.len(), zero_prefix(head));
        let begun = MAGIC.starts_with(head);
        if given < MAGIC.len() && self.cursor.refused_at(given as u64).is_none() {
            let stop = self.rereads.stop(&mut self.cursor, 0);
            if self.rereads.tail_moves(&stop, &mut self.cursor, self.visit.want.live)? && self.cursor.length() >= 4 {
                return self.magic();
            }
            let found = match given {
                0 => "an empty file".to_owned(),
                _ => format!("{given} bytes"),
            };
            let mut damage = self.bad(DamageKind::UnfinishedSegment, 0, given as u64, found);
            damage.expected = "a file that begins with fe 62 69 6e and a format description".to_owned();
            damage.facts = Facts::of(if begun || zeros == given { Look::Interrupted } else { Look::Wrong });
            self.summary.ending = Ending::Damage;
            self.hurt(damage, false)?;
            return Ok(false);
        }
        // Only the magic is hurt where an event follows it.
        if let EventHere::LogEvent(event) = stands(&mut self.cursor, 4, self.guard, self.counted) {
            let mut damage =
                self.bad(DamageKind::BadHeader, 0, event.at, "other bytes, and a whole event behind them".to_owned());
            damage.expected = "fe 62 69 6e".to_owned();
            damage.facts.proof = Some(WRITTEN_AFTER);
            self.at = event.at;
            self.hurt(damage, true)?;
            return Ok(true);
        }
        Ok(true)
    }

    /// The file ends at an event. False when it has grown meanwhile.
    fn ends(&mut self) -> Result<bool, Halt> {
        // A server closes a file only when it begins the next one, which may have been just now: look again before that is judged.
        if self.visit.segment.followed && !self.last_ends && self.visit.want.start.is_none() {
            let stop = self.rereads.stop(&mut self.cursor, self.at);
            if self.rereads.tail_moves(&stop, &mut self.cursor, self.visit.want.live)? {
                return Ok(false);
            }
        }
        self.read_flag();
        self.summary.end = self.at;
        self.summary.ending = if self.last_ends { Ending::Closed } else { Ending::FileEnds };
        if self.summary.frames == 0 && self.visit.want.start.is_none() && self.summary.damage.is_empty() {
            let mut damage = self.bad(DamageKind::UnfinishedSegment, 0, self.at, "the end of the file".to_owned());
            damage.expected = "a format description".to_owned();
            damage.facts = Facts::of(Look::Interrupted);
            (self.summary.end, self.summary.ending, self.summary.valid_bytes) = (0, Ending::Damage, 0);
            self.hurt(damage, false)?;
            return Ok(true);
        }
        self.warn_of_open();
        if self.own.in_use && !self.visit.segment.followed && !self.visit.want.live && self.own.first_bad.is_none() {
            let text = "its first event says that the file was not closed: the server runs, or it crashed";
            let span = Span::new(self.visit.segment.id, 4, 4);
            self.summary.warnings.push(Warning { name: "not-closed", span, text: text.to_owned() });
        }
        if self.guard == Guard::Plain && self.summary.frames > 0 {
            let text = "checksums are off (binlog_checksum=NONE): lengths and types are checked, a changed byte of content cannot be seen";
            let span = Span::new(self.visit.segment.id, 4, self.summary.end);
            self.summary.warnings.push(Warning { name: "no-checksums", span, text: text.to_owned() });
        }
        if self.guard == Guard::Sealed {
            let text = "encrypted by MariaDB: events are counted by their lengths, which nothing protects; no sum can be checked and no type be \
                        told without the server's key";
            let span = Span::new(self.visit.segment.id, 4, self.summary.end);
            self.summary.warnings.push(Warning { name: "encrypted", span, text: text.to_owned() });
        }
        Ok(true)
    }

    /// A transaction that the file's end leaves open.
    pub fn warn_of_open(&mut self) {
        let Some(open) = &self.transactions.open else { return };
        if self.visit.want.live || self.own.relay {
            return;
        }
        let name = open.gtid.as_ref().map_or_else(String::new, |gtid| format!(" {gtid}"));
        let text = format!(
            "transaction{name} begins at {} and has no commit; the last whole transaction ends at {}",
            open.start, self.transactions.whole_to
        );
        let span = Span::new(self.visit.segment.id, open.start, self.at);
        self.summary.warnings.push(Warning { name: "uncommitted", span, text });
    }

    /// The flag that is cleared in the first event when the file is closed: read at the end, when it is.
    pub fn read_flag(&mut self) {
        if self.visit.want.start.is_none()
            && let Some([low, high]) = self.cursor.array(4 + FLAGS_AT)
            && self.own.described
        {
            self.own.in_use = u16::from_le_bytes([low, high]) & IN_USE != 0;
        }
    }

    /// A whole event.
    fn event(&mut self, event: LogEvent) -> Result<(), Halt> {
        self.summary.blank = false;
        self.summary.frames += 1;
        self.summary.records += 1;
        self.summary.valid_bytes += u64::from(event.length);
        self.own.behind += u64::from(self.own.first_bad.is_some());
        self.last_ends = false;
        if self.guard == Guard::Sealed {
            self.transactions.whole_to = event.end();
            self.sealed(&event)?;
            self.at = event.end();
            return Ok(());
        }
        self.deliver(&event)?;
        if event.kind == TRANSACTION_PAYLOAD && self.visit.want.deep {
            self.look_inside(&event)?;
        }
        match event.kind {
            FORMAT_DESCRIPTION => self.described(&event),
            START_ENCRYPTION => (self.guard, self.own.sealed) = (Guard::Sealed, true),
            STOP => (self.last_ends, self.own.closing) = (true, Closing::Stopped),
            ROTATE if event.flags & ARTIFICIAL == 0 => self.rotated(&event),
            _ => {}
        }
        self.own.relay |= event.flags & RELAY != 0;
        if self.own.relay {
            self.counted = false;
        }
        if !self.last_ends {
            self.own.closing = Closing::Open;
        }
        self.at = event.end();
        Ok(())
    }

    /// A transaction that is packed as a whole: it must unpack to as many bytes as it says, and these must be events to the last one.
    fn look_inside(&mut self, event: &LogEvent) -> Result<(), Halt> {
        let Some(bytes) = usize::try_from(event.body_bytes()).ok().filter(|bytes| *bytes <= LONGEST_PACKED) else {
            return Ok(());
        };
        let Some(found) = wrong_inside(self.cursor.bytes(event.body(), bytes)) else { return Ok(()) };
        let mut damage = self.bad(DamageKind::BadPayload, event.at, event.end(), found);
        damage.expected = "a packed transaction that unpacks to whole events".to_owned();
        damage.facts.proof = Some(if event.summed { RIGHT_SUM } else { WRITTEN_AFTER });
        // The event itself is whole, and the file goes on behind it.
        self.summary.hurt(damage, self.sink)
    }

    /// What the first event says about the others, or a later one of a relay log about those of another server.
    fn described(&mut self, event: &LogEvent) {
        let Some(writer) = description(&mut self.cursor, event) else { return };
        self.guard = writer.guard;
        if self.own.described {
            return;
        }
        self.own.described = true;
        self.own.mariadb = writer.mariadb;
        self.own.in_use = event.flags & IN_USE != 0;
        let body = self.cursor.bytes(event.body(), 64);
        self.own.version = String::from_utf8_lossy(version_of(body)).into_owned();
        // Another beginning than of a file: a part of one, or a relay log.
        if !event.counts_well() {
            self.counted = false;
        }
    }

    /// The last event of a file names the next one. A relay log also holds those of the files that it repeats.
    fn rotated(&mut self, event: &LogEvent) {
        let bytes = usize::try_from(event.body_bytes()).unwrap_or(0).min(4096);
        let body = self.cursor.bytes(event.body(), bytes);
        let name = String::from_utf8_lossy(body.get(8..).unwrap_or_default()).into_owned();
        let name = name.rsplit(['/', '\\']).next().unwrap_or_default();
        let here = &self.visit.segment.name;
        if number_of(here).is_some() && base_of(here) != base_of(name) {
            return;
        }
        self.last_ends = true;
        self.own.closing = Closing::Rotated(number_of(name));
    }

    pub fn bad(&self, kind: DamageKind, start: u64, end: u64, found: String) -> Damage {
        Damage {
            kind,
            span: Span::new(self.visit.segment.id, start, end),
            lsn: None,
            doubt: None,
            expected: "an event".to_owned(),
            found,
            facts: Facts::of(Look::Wrong),
        }
    }

    pub fn hurt(&mut self, damage: Damage, goes_on: bool) -> Result<(), Halt> {
        self.own.first_bad.get_or_insert(damage.span.start());
        self.own.whole_before_bad.get_or_insert(self.transactions.whole_to);
        if goes_on {
            self.transactions.lost();
        }
        self.summary.hurt(damage, self.sink)
    }
}

const _: () = assert!(HEADER == 19);
