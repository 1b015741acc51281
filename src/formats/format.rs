//! What a format is: a value that knows its files, walks one of them, and joins what the walks found.

use std::any::Any;

use serde_json::Value;

use super::{Count, Decode, Ending, Folder, Laid, Mend, Mending, Ours, ReadEnds, ReadHeader, ReadTrailer, Restorer, Summary};
use crate::disk::{Entry, EntryKind, Lock, Segment, Source};
use crate::model::{Damage, DamageKind, Error, Facts, Keys, Look, Lsn, LsnRange, Place, Record, Span, Time};

/// A write-ahead log format that can be read.
#[derive(Debug)]
pub struct Format {
    /// What `--format` takes.
    pub name: &'static str,
    /// What `--format` takes besides: names of other systems that write the same bytes.
    pub aliases: &'static [&'static str],
    /// What people call it.
    pub title: &'static str,
    /// What its checksums cover, and what they leave open: said by `dump --format list`.
    pub protects: &'static str,
    /// What its records are called: every kind that a walk can deliver, and every operation.
    pub kinds: &'static [&'static str],
    /// Whether encrypted payloads can be opened with a key file.
    pub encrypted: bool,
    /// What the numbers of its records are, and how people read them.
    pub numbers: Numbers,
    /// The logs in a folder, with their segments in order. Formats with one log, in the order of its file names, use [`super::numbered`].
    pub layout: fn(&Folder<'_>) -> Vec<Laid>,
    /// How much a file looks like one of its segments.
    pub recognise: fn(&Sample<'_>) -> Likeness,
    /// Walks one segment by itself, which is a regular file; [`Format::walk`] sees to that. It delivers every record that begins in the
    /// segment, and where records cross segments it reads on in those that [`Visit::later`] gives: so segments are walked in any order.
    pub walk: fn(&Visit<'_>, &mut Sink<'_>) -> Walk,
    /// Joins the walks of all segments, in order: completes what their damage proves, and gives the damage between them.
    pub join: fn(&Source, &mut [Summary]) -> Vec<Damage>,
    /// Whether its logs may be cut. Asked through [`Format::mend_at`].
    pub mending: Mending,
    /// The file by whose lock its system keeps a second writer out, where it has one that tells. Without it, a process that has a file of
    /// the log open for writing counts as its writer.
    pub lock: Option<Lock>,
    /// What copies beside the log give back of a segment's damaged end, for systems that keep such copies.
    pub restore: Option<Restorer>,
    /// Reads the header of a segment, where it tells something by itself.
    pub header: Option<ReadHeader>,
    /// Reads the end of a finished segment, where it can answer for all of it.
    pub trailer: Option<ReadTrailer>,
    /// Reads both ends of any segment for the join, where they tell what it needs: which log it belongs to, where it begins, and where it
    /// ends if it was finished. Costs a few small reads.
    pub ends: Option<ReadEnds>,
    /// What a walk takes from the names and lengths of the other segments of its log, where that is more than which one follows it: only
    /// where this is the same as it was, a walk finds the same in the same bytes.
    pub around: Option<Around>,
    /// What only logs have that walctl writes itself; `None` for those of other systems.
    pub ours: Option<&'static Ours>,
    /// Makes a decoder that says what its records mean, where walctl can tell.
    pub decode: Option<Decode>,
    /// Makes a counter that adds up what its records hold, by what matters in this format, where that is more than their kinds.
    pub count: Option<Count>,
    /// The fields of a record's header, for drawing them over its bytes. The payload follows the last one.
    pub drawing: fn(&Record<'_>) -> Drawing,
    /// How long the header of a frame is, where payloads may be secret: then the bytes behind it are not shown unless the user
    /// asks for them. `None` where the log's own user decides.
    pub private: Option<u64>,
    /// Which bytes of whole records can change without any check of this format seeing it, in words; empty when there are none.
    pub unprotected: &'static str,
    /// The fixed texts that a walk puts into its summaries, so that a line of text can name them ([`write_line`](super::write_line)):
    /// names of warnings, and both parts of [`Proof::Told`](crate::model::Proof::Told).
    pub words: &'static [&'static str],
    /// What the walk leaves for the join ([`Summary::own`]), as JSON.
    pub write_own: WriteOwn,
    /// The same, back.
    pub read_own: ReadOwn,
}

/// What a walk takes from the listing of its log, as text.
pub type Around = fn(&Source, &Segment) -> String;
/// What [`Format::join`] reads of [`Summary::own`], as JSON; `None` when it cannot be kept.
pub type WriteOwn = fn(&Summary) -> Option<Value>;
/// The same, back; `None` when it is nothing that was kept.
pub type ReadOwn = fn(&Value) -> Option<Box<dyn Any + Send + Sync>>;

/// Fields of a header: name, offset, length.
pub type Drawing = &'static [(&'static str, usize, usize)];

impl Format {
    /// Whether a log whose walks found this may be cut at this place.
    #[must_use]
    pub fn mend_at(&self, source: &Source, summaries: &[Summary], at: Place) -> Mend {
        match self.mending {
            Mending::Never { why, .. } => Mend::Refuse(why),
            Mending::Asked(asked) => asked(source, summaries, at),
        }
    }

    /// Walks one segment by itself. One that cannot be reached is damage as a whole, in every format alike.
    pub fn walk(&self, visit: &Visit<'_>, sink: &mut Sink<'_>) -> Walk {
        if visit.segment.kind == EntryKind::File {
            return match visit.source.disk.remote() {
                None => (self.walk)(visit, sink),
                Some(remote) => super::far::walk(self, remote, visit, sink),
            };
        }
        let damage = unreachable(visit.segment);
        sink.damage(&damage)?;
        let mut summary = Summary::new(visit.segment, 0);
        (summary.ending, summary.blank) = (Ending::Damage, false);
        summary.damage.push(damage);
        Ok(summary)
    }
}

/// The damage of a segment that is there by name and cannot be opened, or that is not there although something names it.
fn unreachable(segment: &Segment) -> Damage {
    let absent = segment.kind == EntryKind::Absent;
    Damage {
        kind: if absent { DamageKind::MissingSegment } else { DamageKind::ReadError },
        span: Span::new(segment.id, 0, 0),
        lsn: None,
        doubt: None,
        expected: "a segment".into(),
        found: segment.kind.words().into(),
        facts: Facts::of(if absent { Look::Absent } else { Look::Refused }),
    }
}

/// What the number of a record is, which every format calls by another name.
#[derive(Clone, Copy, Debug)]
pub enum Numbers {
    /// A count: the next record has the next number, or one that its format can tell.
    Counted,
    /// The same, and the system takes records back: what is written under a number that was there before counts, and neither the earlier
    /// record nor what came after it does.
    CountedAgain,
    /// A count whose first record in a log has the number 0.
    CountedFromZero,
    /// A place in the log, which grows by what was written. Programs get it as an integer, people in words of the format.
    Positions {
        /// A position as people read it.
        show: fn(Lsn) -> String,
        /// The same, back; `None` where a text is no such position.
        read: fn(&str) -> Option<Lsn>,
    },
    /// There are none: records are told apart by their places.
    None,
}

impl Numbers {
    /// A number as people read it.
    #[must_use]
    pub fn show(self, lsn: Lsn) -> String {
        match self {
            Numbers::Positions { show, .. } => show(lsn),
            Numbers::Counted | Numbers::CountedAgain | Numbers::CountedFromZero | Numbers::None => lsn.to_string(),
        }
    }

    /// The same for several of them.
    #[must_use]
    pub fn show_range(self, lsns: LsnRange) -> String {
        match self {
            Numbers::Positions { show, .. } if lsns.first != lsns.last => format!("{} to {}", show(lsns.first), show(lsns.last)),
            Numbers::Positions { show, .. } => show(lsns.first),
            Numbers::Counted | Numbers::CountedAgain | Numbers::CountedFromZero | Numbers::None => lsns.to_string(),
        }
    }
}

/// Formats are told apart by their names.
impl PartialEq for Format {
    fn eq(&self, other: &Format) -> bool {
        self.name == other.name
    }
}

/// What is shown of a file to tell whose it is.
#[derive(Clone, Copy, Debug)]
pub struct Sample<'a> {
    /// Its name; `None` for a stream.
    pub name: Option<&'a str>,
    /// Its first bytes, up to 64 KiB.
    pub head: &'a [u8],
    /// How long it is.
    pub length: u64,
    /// The folder that it is in, without it.
    pub beside: &'a [Entry],
}

/// How much something looks like a format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Likeness {
    /// Not at all.
    No,
    /// It may be: the name fits, and the content does not contradict.
    Maybe,
    /// It is: the content proves it.
    Sure,
}

/// One segment to be walked, and what is wanted of it.
#[derive(Clone, Copy, Debug)]
pub struct Visit<'a> {
    /// The log.
    pub source: &'a Source,
    /// The segment.
    pub segment: &'a Segment,
    /// Keys for encrypted payloads.
    pub keys: &'a Keys,
    /// What is wanted.
    pub want: Want,
}

impl<'a> Visit<'a> {
    /// The segments that stand after this one in the log, in order, whether they are to be walked or not.
    pub fn later(&self) -> impl Iterator<Item = &'a Segment> + use<'a> {
        let behind = self.source.segments.get(self.segment.id.index() + 1..).unwrap_or_default();
        behind.iter().chain(&self.source.beyond)
    }
}

/// What the caller of a walk wants to be given. Hints, all of them: a walk may give more, never less.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Want {
    /// Payloads, decompressed and decrypted. Without it a record's payload may be as stored.
    pub payloads: bool,
    /// Everything as it lies there: fragments, padding, control frames. Nothing is joined.
    pub frames: bool,
    /// Check what costs more than checksums: decompress, decrypt, compare what frames say about each other.
    pub deep: bool,
    /// Records that are whole inside a bad region are of use too: what a system's own reader passes over and a salvage can keep.
    pub salvage: bool,
    /// Only records in this range are of use: what lies outside may be skipped, if it can be found.
    pub lsns: Option<LsnRange>,
    /// Only records from this moment on are of use.
    pub since: Option<Time>,
    /// Only records up to this moment are of use.
    pub until: Option<Time>,
    /// Only the summary is of use: records need not be delivered.
    pub counts_only: bool,
    /// Counts by kind, size, tag and group are of use, for statistics: a format that counts by itself ([`Summary::tally`]) need not
    /// deliver records.
    pub tally: bool,
    /// A writer holds the log: what stands unfinished at the end may be on its way.
    pub live: bool,
    /// Places from which a later walk can start are of use.
    pub marks: bool,
    /// Begin here and not at the start of the segment.
    pub start: Option<Mark>,
    /// Behind the data there were only zeros a moment ago, and a writer has come closer to them since: it is enough to look at the
    /// nearest. With `live`, another walk follows soon: what is not whole yet is left to it, without a second look.
    pub zeros_seen: bool,
}

impl Want {
    /// Whether a record with this number and this time is.
    #[must_use]
    #[inline]
    pub fn is_of_use(&self, lsn: Lsn, time: Time) -> bool {
        self.lsns.is_none_or(|lsns| lsns.contains(lsn))
            && self.since.is_none_or(|since| time >= since)
            && self.until.is_none_or(|until| time <= until)
    }
}

/// A place in a segment at which a walk can begin: no record or batch is under way there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The offset of a frame.
    pub offset: u64,
    /// The LSN that is due there.
    pub due: Lsn,
    /// What else the walk must know there: a running sum, whether what follows is compressed. Only the format knows what it means.
    pub seed: u64,
}

/// Why a walk ended before the end.
#[derive(Debug)]
pub enum Halt {
    /// The receiver has seen enough.
    Enough,
    /// Something stopped us.
    Failed(Error),
}

impl From<Error> for Halt {
    fn from(error: Error) -> Halt {
        Halt::Failed(error)
    }
}

/// What a walk over a segment returns.
pub type Walk = Result<Summary, Halt>;

/// What a walk delivers on the way.
#[derive(Debug)]
pub enum Item<'a> {
    /// An entry.
    Record(&'a Record<'a>),
    /// A bad region was met. What it means is known only when the log has been read to its end: see [`Summary::damage`].
    Hurt(&'a Damage),
    /// A later walk can begin here.
    Mark(Mark),
    /// The walk has come this far.
    Reached(u64),
}

/// Where a walk delivers.
pub struct Sink<'a> {
    take: &'a mut dyn FnMut(Item<'_>) -> Result<(), Halt>,
}

impl std::fmt::Debug for Sink<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sink")
    }
}

impl<'a> Sink<'a> {
    /// Delivers to a function.
    pub fn new(take: &'a mut dyn FnMut(Item<'_>) -> Result<(), Halt>) -> Sink<'a> {
        Sink { take }
    }

    /// Delivers an entry.
    #[inline]
    pub fn record(&mut self, record: &Record<'_>) -> Result<(), Halt> {
        (self.take)(Item::Record(record))
    }

    /// Says that a bad region was met, before anything after it is delivered.
    pub fn damage(&mut self, damage: &Damage) -> Result<(), Halt> {
        (self.take)(Item::Hurt(damage))
    }

    /// Says that a later walk can begin at `mark`.
    pub fn mark(&mut self, mark: Mark) -> Result<(), Halt> {
        (self.take)(Item::Mark(mark))
    }

    /// Says how far the walk has come; every megabyte or so.
    pub fn reached(&mut self, offset: u64) -> Result<(), Halt> {
        (self.take)(Item::Reached(offset))
    }

    /// Hands on what another walk delivered.
    pub(super) fn item(&mut self, item: Item<'_>) -> Result<(), Halt> {
        (self.take)(item)
    }
}
