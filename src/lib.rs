//! Write-ahead logs: write one, follow it, recover from it; and inspect, check and mend those that many systems write.
//!
//! To embed a log, [`Log`], [`Reader`], [`Report`] and [`Options`] are all that is needed:
//!
//! ```
//! use walctl::{ErrorKind, Log, Reader};
//!
//! # let folder = tempfile::tempdir().expect("a temporary folder");
//! # let dir = folder.path().join("wal");
//! // Whatever was acknowledged before the last crash comes back; a tail that was being written then is cut.
//! let mut accounts = Vec::new();
//! let log = Log::recover(&dir, |record| Ok(accounts.push(record.payload.to_vec())))?;
//!
//! // Any bytes are a record. When `append` returns, they are on the disk. Call it from many threads: they share one sync.
//! let ack = log.append("open account 7")?;
//! // All of a batch survives a crash, or nothing of it.
//! log.append_batch(["debit 7 30", "credit 9 30"])?;
//! // The state up to here is safe elsewhere: recovery begins behind it.
//! log.checkpoint(ack.lsn)?;
//!
//! // Read from any LSN, also while others append.
//! let lsns = Reader::open(&dir)?.from(ack.lsn).map(|record| Ok(record?.lsn.0)).collect::<walctl::Result<Vec<_>>>()?;
//! assert_eq!(lsns, [1, 2, 3, 4]);
//!
//! assert_eq!(Log::open(&dir).map(|_| ()).map_err(|error| error.kind()), Err(ErrorKind::Locked));
//! log.close()?;
//! assert!(walctl::verify(&dir)?.is_clean());
//! # Ok::<(), walctl::Error>(())
//! ```
//!
//! In a task, `log.append_async(..).await` does the same on any executor. [`guide`] says what is durable when, how to choose options, what a
//! crash may leave, and how to move here from other crates.
//!
//! Everything else is for tools, in reading order: [`model`] has the words, [`disk`] the one door to bytes, [`native`] our own segments,
//! [`writer`] appends to them, [`formats`] reads every log we know, [`ops`] is what can be done with a log, `bench` measures.
//! Features: `async` makes a follower a `Stream` (appending needs no feature), `encryption` of our own payloads, `formats` of other
//! systems, `log` for what the writer has to say while it works, `bench`, `cli` for the binary; without any, ten dependencies.

#[doc = include_str!("guide.md")]
pub mod guide {}
mod log;
mod options;
mod reader;
pub use disk::SimDisk;
pub use log::Log;
pub use model::{Acknowledged, Error, ErrorKind, Keys, Lsn, LsnRange, Result, Time, Verdict};
pub use ops::report::Report;
pub use options::{Options, Repair};
pub use reader::{Ended, FollowStream, Follower, Hurt, LogRecord, ReadAll, ReadItem, Reader, RecordBytes, verify};
pub use writer::{Ack, AsDraft, Clock, Counts, Draft, Pin, Preallocate, Reason, Retain, Rotated, SyncMode, Ticket, Window};

/// The words: positions, records, damage, verdicts. Values only.
pub mod model {
    mod damage;
    mod error;
    mod hole;
    mod keys;
    mod lsn;
    mod place;
    mod record;
    mod time;
    /// Sizes, rates and durations, parsed once for everybody.
    pub mod units;
    mod verdict;
    pub use damage::{CATALOGUE, CatalogueEntry, Damage, DamageKind, Warning};
    pub use error::{Error, ErrorKind, Result, plain};
    pub use hole::{Hole, HoleOrigin};
    pub use keys::Keys;
    pub use lsn::{Lsn, LsnRange};
    pub use place::{Place, SegmentId, Span};
    pub use record::{Field, Payload, Pieces, Record, Role, Value};
    pub use time::Time;
    pub use verdict::{Acknowledged, Facts, Look, Proof, Verdict, judge};
}

/// Everything that touches bytes on a machine.
pub mod disk {
    #[cfg(feature = "bucket")]
    mod bucket;
    mod checksum;
    mod cursor;
    mod direct;
    mod file;
    mod mapping;
    mod names;
    mod noting;
    mod pipe;
    mod place;
    mod real;
    mod remote;
    mod sim;
    mod source;
    mod stamp;
    mod stream;
    mod unfinished;
    mod users;
    #[cfg(feature = "bucket")]
    pub use bucket::{BucketDisk, bucket_at};
    pub use checksum::{PREFIX_BLOCK, PrefixSums, WindowSums, crc32, crc32c, flipped_bit, seed_of};
    pub use cursor::{Cursor, Io, LARGEST_PIECE, pieces, zero_prefix};
    pub use direct::{AlignedBytes, DIRECT_BLOCK};
    pub use file::{
        Disk, Entry, EntryKind, File, Identity, Open, Whereabouts, errno_of, make_dir, not_regular, read_full, write_full,
    };
    pub use mapping::Mapping;
    pub use noting::{Notes, Noting};
    pub use pipe::Pipe;
    pub use place::{only_here, scheme_of};
    pub use real::RealDisk;
    pub use remote::{Remote, Traffic};
    pub use rustix::io::Errno;
    pub use sim::{Fault, Luck, SimDisk};
    pub use source::{Lock, LockKind, Segment, Source};
    pub use stamp::{Stamp, settled_stamp};
    pub use stream::Stream;
    pub use unfinished::{as_private, begin_file, finished, is_left, sweep, unfinished};
    pub use users::{REPAIR_LOCK, User};
}

#[doc = include_str!("native/FORMAT.md")]
pub mod native {
    mod aes;
    mod cipher;
    mod decode;
    mod encode;
    mod explain;
    mod facts;
    mod hole;
    mod layout;
    mod name;
    mod payload;
    mod remains;
    mod scan;
    mod seal;
    mod tally;
    pub use cipher::{ENCRYPTION_BYTES, Opener, SegmentCipher, key_hint};
    pub use decode::{Check, Found, FrameReader, HeaderState};
    pub use encode::{FrameFields, encode_frame, encode_header, frame_bytes, header_of};
    pub use facts::{FACTS_LIMIT, Fact, RecordFacts};
    pub use hole::{HoleFound, hole_at};
    pub use layout::{
        ALIGN, ENCRYPTED, FRAME_HEADER, FRAME_LIMIT, FRAME_MAGIC, FrameHeader, FrameKind, HEADER_BYTES, HEADER_COPY,
        HEADER_FIELDS, HEADER_USED, HeaderFound, KeyHint, LZ4, MAGIC, MORE, SEGMENT_BOUND, SEGMENT_ENCRYPTED, SEGMENT_RECYCLED,
        Seed, SegmentHeader, UNSYNCED_UNKNOWN, VERSION,
    };
    pub use name::{LOCK, parse_cut_name, segment_lsn, segment_name};
    pub use payload::{OPEN_LIMIT, Opened, compress, open, plain_length};
    pub use remains::{RemainsTable, table_bytes};
    pub use scan::FrameScan;
    pub use seal::{Seal, decode_body, encode_seal, find_seal};
    pub use tally::{BUCKETS, DATA_KINDS, IndexEntry, TagCount, Tally, bucket, digest};
}

/// Appending to our own log.
pub mod writer {
    mod clock;
    mod counters;
    mod events;
    mod frames;
    mod gaps;
    /// Group commit: one sync for many.
    mod group {
        mod api;
        mod completion;
        mod leader;
        mod primitives;
        mod queue;
        #[cfg(test)]
        mod queue_tests;
        mod tasks;
        #[cfg(test)]
        mod tests;
        mod threads;
        mod ticket;
        use super::log;
        pub use api::GroupCommit;
        pub use ticket::Ticket;
    }
    /// The same sources once more, over threads that a model checker runs.
    #[cfg(test)]
    #[allow(
        dead_code,
        clippy::duplicate_mod,
        reason = "compiled a second time, for the checker's threads; the properties need a part"
    )]
    mod group_model {
        #[path = "../group/api.rs"]
        mod api;
        #[path = "../group/completion.rs"]
        mod completion;
        #[path = "../group/leader.rs"]
        mod leader;
        mod log;
        mod primitives;
        mod properties;
        #[path = "../group/queue.rs"]
        mod queue;
        #[path = "../group/tasks.rs"]
        mod tasks;
        #[path = "../group/threads.rs"]
        mod threads;
        #[path = "../group/ticket.rs"]
        mod ticket;
    }
    mod key;
    mod lock;
    mod log;
    mod newlog;
    mod options;
    mod outcome;
    mod patience;
    mod pins;
    mod reopen;
    mod retain;
    mod retention;
    mod segment;
    mod space;
    mod spare;
    mod stage;
    mod standing;
    mod sync;
    pub use crate::native::{FRAME_LIMIT, Fact, FrameKind, RecordFacts};
    pub use clock::Clock;
    pub use counters::{Counters, Counts};
    pub(crate) use events::{Weight, tell};
    pub use frames::{AsDraft, Draft};
    pub use gaps::MISSING;
    pub use group::{GroupCommit, Ticket};
    pub use lock::WriterLock;
    pub use log::Rotated;
    pub use newlog::{NewLog, NewRecord};
    pub use options::{RECORD_LIMIT, SEGMENT_LEAST, Settings};
    pub use outcome::{Ack, Times};
    pub use pins::kept_pins;
    pub use retain::{Fate, Pin, Reason, Rules, SegmentFacts, check_frames, plan_prune, prune_facts, safe_below};
    pub use retention::Retain;
    pub use segment::is_segment_name;
    pub use sync::{Preallocate, SyncMode, Window};
}

/// Every log format that can be read.
pub mod formats {
    #[cfg(feature = "formats")]
    mod again;
    #[cfg(feature = "formats")]
    mod batch;
    #[cfg(feature = "formats")]
    mod blocks;
    mod breakdown;
    mod capped;
    mod decoded;
    #[cfg(feature = "formats")]
    mod edits;
    mod far;
    mod format;
    mod kept;
    mod layout;
    mod mend;
    mod ours;
    mod proofs;
    mod registry;
    #[cfg(feature = "formats")]
    mod resync;
    #[cfg(test)]
    mod seen;
    mod sight;
    #[cfg(feature = "formats")]
    mod snappy;
    mod summary;
    #[cfg(feature = "formats")]
    mod zstandard;
    #[cfg(feature = "formats")]
    #[doc = include_str!("formats/ironwal/FORMAT.md")]
    pub mod ironwal {
        mod diagnose;
        mod entries;
        mod frame;
        mod log;
        #[cfg(test)]
        mod tests;
        mod walk;
        pub use walk::FORMAT;
    }
    #[cfg(feature = "formats")]
    #[doc = include_str!("formats/allsource/FORMAT.md")]
    pub mod allsource {
        mod entry;
        mod format;
        mod join;
        #[cfg(test)]
        mod tests;
        mod walk;
        pub use format::FORMAT;
    }
    #[cfg(feature = "formats")]
    #[doc = include_str!("formats/nodedb/FORMAT.md")]
    pub mod nodedb {
        mod diagnose;
        mod dwb;
        mod format;
        mod join;
        mod preamble;
        mod record;
        mod search;
        #[cfg(test)]
        mod tests;
        mod walk;
        mod warnings;
        pub use dwb::{Restore, restorable};
        pub use format::FORMAT;
    }
    /// Our own segments, seen as a format.
    pub mod native {
        mod assemble;
        mod beside;
        mod classify;
        mod ends;
        mod format;
        mod found;
        mod header;
        mod hole;
        mod join;
        mod proofs;
        #[cfg(test)]
        mod tests;
        mod walk;
        pub use format::FORMAT;
    }
    #[cfg(feature = "formats")]
    #[doc = include_str!("formats/rivven/FORMAT.md")]
    pub mod rivven {
        mod cipher;
        mod deliver;
        mod diagnose;
        mod host;
        mod log;
        mod numbers;
        mod record;
        #[cfg(test)]
        mod tests;
        mod walk;
        pub use walk::FORMAT;
    }
    #[cfg(feature = "formats")]
    pub mod etcd;
    #[cfg(feature = "formats")]
    pub mod kafka;
    #[cfg(feature = "formats")]
    pub mod mysql;
    #[cfg(feature = "formats")]
    pub mod nats;
    #[cfg(feature = "formats")]
    pub mod pebble;
    #[cfg(feature = "formats")]
    #[doc = include_str!("formats/postgres/FORMAT.md")]
    pub mod postgres {
        mod body;
        mod counts;
        mod deliver;
        mod diagnose;
        mod format;
        mod log;
        mod meaning;
        mod operations;
        mod page;
        mod pages;
        #[cfg(test)]
        mod tests;
        mod walk;
        pub use format::FORMAT;
    }
    #[cfg(feature = "formats")]
    pub mod prometheus;
    #[cfg(feature = "formats")]
    pub mod raft_engine;
    #[cfg(feature = "formats")]
    pub mod redis;
    #[cfg(feature = "formats")]
    #[doc = include_str!("formats/rocksdb/FORMAT.md")]
    pub mod rocksdb {
        mod batch;
        mod counts;
        mod decode;
        mod deliver;
        mod diagnose;
        mod format;
        mod frame;
        mod log;
        mod manifest;
        #[cfg(test)]
        mod tests;
        mod walk;
        pub use format::FORMAT;
    }
    #[cfg(feature = "formats")]
    #[doc = include_str!("formats/sqlite/FORMAT.md")]
    pub mod sqlite {
        mod btree;
        mod counts;
        mod decode;
        mod diagnose;
        mod format;
        mod frame;
        mod log;
        mod owners;
        mod search;
        #[cfg(test)]
        mod tests;
        mod walk;
        pub use format::FORMAT;
    }
    #[cfg(feature = "formats")]
    pub mod zookeeper;
    pub use crate::native::{BUCKETS, IndexEntry, Tally, bucket};
    pub use breakdown::{Breakdown, BreakdownKind, Breakdowns, Count, CountedPart, Counter, Share};
    pub use capped::Capped;
    pub use decoded::{Asked, Decode, Decoded, Decoder, LONGEST_DECODED, Secrets, decode, plain, words};
    pub use format::{
        Around, Drawing, Format, Halt, Item, Likeness, Mark, Numbers, ReadOwn, Sample, Sink, Visit, Walk, Want, WriteOwn,
    };
    pub use kept::{KEPT, LONGEST_LINE, Label, Parts, line_key, parts, read_found, read_line, write_line};
    pub use layout::{Folder, Laid, Placed, numbered};
    pub use mend::{Mend, Mending, Restored, Restorer};
    pub use ours::{HeaderFacts, HoleSite, Ours, ReadEnds, ReadHeader, ReadTrailer, WriteHole};
    pub use proofs::{first_damage, gap_between, later_segments_prove, looks_interrupted};
    pub use registry::{ALL, by_name, numbers_of, ours, recognise};
    pub use sight::{Sight, by_sight, may_be_sighted};
    pub use summary::{Ending, KnownHole, State, Summary};
}

/// What can be done with a log.
pub mod ops {
    /// A log that another machine holds.
    pub mod far;
    /// Going through a log: what is chosen, in which direction, and while it grows.
    pub mod read {
        mod backward;
        mod bytes;
        mod compare;
        mod context;
        mod follow;
        mod held;
        mod owned;
        mod page;
        mod position;
        mod scan;
        mod seek;
        mod select;
        #[cfg(test)]
        mod tests;
        pub use bytes::{SegmentFiles, bytes_around};
        pub use compare::{
            Comparison, Difference, Differing, InNeither, OnlyRange, Parting, Ranges, RecordRange, RecordSeen, SideReport,
            Uncompared, Which, Why, comparable, compare,
        };
        pub use context::{Context, Put};
        pub use follow::{Follow, Passed, Step, had_enough, unread};
        pub use held::HeldRecords;
        pub use owned::OwnedRecord;
        pub use page::{Make, PageEnd, PageFrom, PageTurner, Spot};
        pub use position::Position;
        pub use scan::{Event, Helper, Lot, Maker, Scan, ScanOutcome, ScanStart, Shown, Stopped, Take, WalkAhead, Way};
        pub use seek::last_lsn;
        pub(in crate::ops) use seek::segments_of_use;
        pub use select::{Bound, Content, LsnWish, Scope, Selection, parse_moment, same_word};
    }
    /// What a log is: whether it is whole, what it holds, what it lacks.
    pub mod report {
        mod behind;
        mod count;
        mod ledger;
        mod map;
        mod media;
        mod pauses;
        mod restart;
        mod stats;
        mod times;
        mod verify;
        mod walks;
        pub use behind::{WholeBehind, behind, behind_damage};
        pub use count::{Amount, Buckets, LogCounts, WriteGap, bucket_end};
        pub use ledger::{LedgerEntry, LedgerReport, PayloadDigest, check_ledger, ledger_from, ledger_head, payload_digest};
        pub use map::{MapCell, SeeDrawing, draw_segment, map_segment};
        pub use media::{MediaView, compare_media};
        pub use stats::{NOT_CHECKED, Pinned, SegmentStats, Stats, StatsWish, stats};
        pub use times::{RecordTime, TimesAround, times_around};
        pub use verify::{Checks, Looked, Partly, Progress, Report, SegmentReport, verify, verify_portion, verify_seen};
        pub use walks::Portion;
    }
    /// Cutting a tail and putting it back, and saving what is valid from a log that cannot be mended.
    pub mod mend {
        mod accept;
        mod apply;
        mod aside;
        mod cutfile;
        mod describe;
        mod numbers;
        mod repair;
        mod salvage;
        #[cfg(test)]
        mod salvage_tests;
        #[cfg(test)]
        mod tests;
        mod undo;
        pub use accept::{Help, help_for};
        pub use apply::carry_out;
        pub use cutfile::{CutFile, Provenance, looks_cut};
        pub use repair::{Cut, Decision, MAX_CUT, Obstacle, Permit, Plan, Refusal, can_cut, decide, plan};
        pub use salvage::{Gap, Neighbour, Salvaged, salvage};
        pub use undo::{Undo, plan_undo, undo};
    }
    /// Which segments stay, and letting the others go.
    pub mod keep {
        mod foretell;
        mod retire;
        pub use crate::writer::{Fate, Pin, Reason, Rules, SegmentFacts, plan_prune, prune_facts, safe_below};
        pub use foretell::{Foretold, end_of, foretell};
        pub use retire::retire;
    }
    pub mod accept;
    mod in_order;
    pub mod keyfit;
    mod limit;
    pub mod open;
    pub mod seen;
    pub(crate) mod settle;
    pub mod survey;
    pub mod walk;
    pub use limit::RateLimit;
}

/// How fast records become durable, and what to set.
#[cfg(feature = "bench")]
pub mod bench {
    mod advice;
    mod answer;
    mod candidates;
    mod ceiling;
    mod crash;
    mod device;
    mod figures;
    mod folder;
    mod gate;
    mod load;
    mod machine;
    mod observer;
    mod payloads;
    mod plan;
    mod probe;
    mod session;
    mod setting;
    mod target;
    mod trust;
    pub use advice::{Advice, advise, is_split};
    pub use answer::{InARow, Steadiness};
    pub use candidates::{busy_sync, candidates};
    pub use ceiling::share;
    pub use crash::{CrashPlan, CrashVerdict, crash_test};
    pub use figures::{Figures, Latency, PARTS, PERCENTILES, Run, Spread, percentile};
    pub use folder::BenchFolder;
    pub use gate::{GATE_FIGURES, Limit, Rule, Ruling};
    pub use machine::{BenchPlace, look_around};
    pub use observer::Watch;
    pub use payloads::Payloads;
    pub use plan::{Measured, Measurements, Pace, measure};
    pub use probe::{Cost, PROBE_STEPS, Probe, Room, SyncWay, probe};
    pub use session::Session;
    pub use setting::{CELLS_LIMIT, Cell, Matrix};
    pub use target::{FoundRate, Goal, TARGET_STEPS, TriedRate, find_rate};
    pub use trust::{Doubt, doubts};
}
