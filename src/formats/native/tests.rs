//! Small logs, whole and hurt, walked and joined.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::walk::walk;
use crate::disk::{Disk, File, RealDisk, Source};
use crate::formats::{Ending, Item, Mark, Sink, State, Summary, Visit, Want, native};
use crate::model::{Acknowledged, DamageKind, Keys, Lsn, LsnRange, Payload, Result, Time, Verdict};
use crate::native::{
    FrameFields, FrameHeader, FrameKind, LZ4, MORE, Seed, SegmentHeader, Tally, encode_frame, encode_header, encode_seal,
    segment_name,
};

/// A segment under construction.
struct Build {
    bytes: Vec<u8>,
    header: SegmentHeader,
    tally: Tally,
    starts: Vec<usize>,
}

impl Build {
    fn new(first: u64, chain: u32) -> Build {
        let header = SegmentHeader {
            key: None,
            block: 0,
            log_id: [3; 16],
            first_lsn: Lsn(first),
            created: Time(0),
            chain,
            recycled: false,
        };
        Build { bytes: encode_header(&header), header, tally: Tally::default(), starts: Vec::new() }
    }

    fn frame(mut self, kind: FrameKind, flags: u8, lsn: u64, unsynced: u16, payload: &[u8]) -> Build {
        let fields = FrameFields { kind, flags, unsynced, lsn: Lsn(lsn), time: Time(lsn), tag: 0 };
        let at = self.bytes.len();
        self.starts.push(at);
        let seed = self.seed();
        encode_frame(&mut self.bytes, &fields, payload, seed, at as u64);
        let header = FrameHeader::parse(self.bytes[at..].first_chunk().expect("a frame")).expect("its magic");
        self.tally.observe(&header, at as u64, payload.len() as u64);
        self
    }

    fn full(self, lsn: u64, unsynced: u16, payload: &[u8]) -> Build {
        self.frame(FrameKind::Full, 0, lsn, unsynced, payload)
    }

    fn seal(mut self, next: u64) -> (Vec<u8>, u32) {
        let (seed, at) = (self.seed(), self.bytes.len() as u64);
        let sum = encode_seal(&mut self.bytes, &self.tally, 0, Lsn(next), Time(0), seed, at);
        (self.bytes, sum)
    }

    fn seed(&self) -> Seed {
        self.header.seed()
    }
}

/// What a walk over these segments gives: LSNs and payloads, and damage with what it means.
type Seen = (Vec<(u64, Vec<u8>)>, Vec<(DamageKind, u64, Verdict, Acknowledged)>);

fn read(segments: &[(u64, &[u8])], want: Want) -> Seen {
    let dir = tempfile::tempdir().expect("a temporary folder");
    for (lsn, bytes) in segments {
        std::fs::write(dir.path().join(segment_name(Lsn(*lsn))), bytes).expect("room for a small log");
    }
    read_dir(dir.path(), want)
}

fn read_dir(dir: &Path, want: Want) -> Seen {
    let source = native::FORMAT.log_in(Arc::new(RealDisk), dir).expect("it lists");
    let mut records = Vec::new();
    let mut take = |item: Item<'_>| {
        if let Item::Record(record) = item {
            let mut payload = Vec::new();
            record.payload.each(&mut |piece| {
                payload.extend_from_slice(piece);
                Ok(())
            })?;
            records.push((record.lsn.expect("ours have LSNs").0, payload));
        }
        Ok(())
    };
    let keys = Keys::default();
    let mut summaries: Vec<Summary> = source
        .segments
        .iter()
        .map(|segment| {
            let visit = Visit { source: &source, segment, keys: &keys, want };
            walk(&visit, &mut Sink::new(&mut take)).expect("nothing stops this walk")
        })
        .collect();
    let mut damage = super::join::join(&source, &mut summaries);
    damage.extend(summaries.into_iter().flat_map(|s| s.damage.into_parts().0));
    damage.sort_by_key(|d| d.span.place);
    (records, damage.iter().map(|d| (d.kind, d.span.start(), d.verdict(), d.acknowledged())).collect())
}

fn all() -> Want {
    Want { payloads: true, ..Want::default() }
}

#[test]
fn where_all_zeros_were_seen_a_moment_ago_the_nearest_are_enough_and_only_there() {
    let frames = Build::new(1, 0).full(1, 0, b"one").bytes;
    let end = frames.len();
    let with_byte_at = |behind: usize| {
        let mut bytes = frames.clone();
        bytes.resize(end + (1 << 20), 0);
        bytes[end + behind] = 7;
        bytes
    };
    let look = |behind: usize, zeros_seen: bool| {
        let bytes = with_byte_at(behind);
        let seen = read(&[(1, &bytes)], Want { zeros_seen, ..all() });
        assert_eq!(lsns(&seen), [1]);
        seen.1.len()
    };
    for behind in [0, 1, 5000, (16 << 10) - 1, 16 << 10, (1 << 20) - 1] {
        assert_eq!(look(behind, false), 1, "at {behind}");
        assert_eq!(look(behind, true), usize::from(behind < 16 << 10), "at {behind}");
    }
    // A segment that is not the last one is finished: all of it counts.
    let next = Build::new(2, 0).full(2, 0, b"two").bytes;
    let bytes = with_byte_at(100_000);
    let seen = read(&[(1, &bytes), (2, &next)], Want { zeros_seen: true, ..all() });
    assert!(!seen.1.is_empty());
}

#[test]
fn a_short_look_beside_a_writer_finds_no_damage_in_what_is_not_whole_and_a_thorough_one_does() {
    let build = Build::new(1, 0).full(1, 0, b"one").full(2, 0, &[7; 600]).full(3, 0, b"three");
    let mut hole = build.bytes.clone();
    hole[build.starts[1] + 100..build.starts[1] + 300].fill(0);
    hole.resize(hole.len() + 100_000, 0);
    let look = |want: Want| read(&[(1, &hole)], Want { live: true, ..want });
    let (short, thorough) = (look(Want { zeros_seen: true, ..all() }), look(all()));
    assert_eq!((lsns(&short), short.1), (vec![1], Vec::new()));
    assert_eq!((lsns(&thorough), thorough.1.len()), (vec![1, 3], 1));
}

#[test]
fn a_later_walk_goes_on_at_the_end_of_the_data_and_nowhere_behind_a_seal_or_in_a_record_that_lacks_its_end() {
    let resume = |bytes: &[u8], start: Option<Mark>| {
        let dir = tempfile::tempdir().expect("a temporary folder");
        std::fs::write(dir.path().join(segment_name(Lsn(1))), bytes).expect("room for a small log");
        let source = native::FORMAT.log_in(Arc::new(RealDisk), dir.path()).expect("it lists");
        let want = Want { start, live: true, zeros_seen: true, marks: true, ..all() };
        let visit = Visit { source: &source, segment: &source.segments[0], keys: &Keys::default(), want };
        let summary = walk(&visit, &mut Sink::new(&mut |_| Ok(()))).expect("nothing stops this walk");
        (summary.resume, summary.end)
    };
    let build = Build::new(1, 0).full(1, 0, b"one").full(2, 0, &[7; 600]);
    let (mut bytes, end) = (build.bytes.clone(), build.bytes.len() as u64);
    let mark = Mark { offset: end, due: Lsn(3), seed: 0 };
    assert_eq!(resume(&bytes, None), (Some(mark), end));
    bytes.resize(bytes.len() + 9000, 0);
    assert_eq!(resume(&bytes, None), (Some(mark), end));
    assert_eq!(resume(&bytes, Some(mark)), (Some(mark), end), "where nothing is new");
    let fragment = Build::new(1, 0).full(1, 0, b"one").frame(FrameKind::First, 0, 2, 0, b"a part");
    assert_eq!(resume(&fragment.bytes, None).0, None);
    let sealed = build.seal(3).0;
    assert_eq!(resume(&sealed, None).0, None);
    assert_eq!(resume(&sealed[..sealed.len() - 8], None), (Some(mark), end), "before a Seal that is not whole");
}

fn lsns(seen: &Seen) -> Vec<u64> {
    seen.0.iter().map(|(lsn, _)| *lsn).collect()
}

#[test]
fn a_hole_is_torn_in_its_own_group_and_corrupt_before_a_later_one() {
    let build = |last_unsynced| Build::new(1, 0).full(1, 0, b"a").full(2, 0, &[7; 600]).full(3, last_unsynced, b"c");
    // The same bytes are gone; only what the last frame knew differs.
    for (unsynced, verdict, acknowledged) in [
        (1, Verdict::Torn, Acknowledged::No),
        (0, Verdict::Corrupt, Acknowledged::Yes),
        (65_535, Verdict::Torn, Acknowledged::Unknown),
    ] {
        let log = build(unsynced);
        let (hole, mut bytes) = (log.starts[1], log.bytes);
        bytes[hole..hole + 640].fill(0);
        let seen = read(&[(1, &bytes)], all());
        assert_eq!(lsns(&seen), [1, 3]);
        assert_eq!(seen.1, [(DamageKind::Zeroed, hole as u64, verdict, acknowledged)], "unsynced {unsynced}");
    }
}

#[test]
fn a_close_or_a_later_segment_proves_what_stands_before_it() {
    let log = Build::new(1, 0).full(1, 0, b"a").full(2, 1, b"b");
    let at = log.starts[1];
    let closed = log.frame(FrameKind::Close, 0, 3, 65_535, b"");
    let mut bytes = closed.bytes.clone();
    bytes[at..at + 48].fill(0);
    assert_eq!(read(&[(1, &bytes)], all()).1[0].2, Verdict::Corrupt);
    let cut = &closed.bytes[..at + 10];
    assert_eq!(read(&[(1, cut)], all()).1[0].2, Verdict::Torn);
    let next = Build::new(3, 0).full(3, 0, b"c").bytes;
    let seen = read(&[(1, cut), (3, &next)], all());
    assert_eq!((seen.1[0].2, lsns(&seen)), (Verdict::Corrupt, vec![1, 3]));
}

#[test]
fn a_flip_at_the_end_is_suspect_and_names_its_bit() {
    let log = Build::new(1, 0).full(1, 0, b"a").full(2, 0, b"beta\0\0\0\0");
    let (at, mut bytes) = (log.starts[1], log.bytes);
    bytes[at + 41] ^= 4;
    bytes.resize(bytes.len() + 10_000, 0);
    let seen = read(&[(1, &bytes)], all());
    assert_eq!(seen.1, [(DamageKind::BadChecksum, at as u64, Verdict::Suspect, Acknowledged::Unknown)]);
}

#[test]
fn a_batch_comes_whole_or_not_at_all() {
    let build = || {
        let log = Build::new(1, 0).full(1, 0, b"a").frame(FrameKind::Full, MORE, 2, 0, b"b1");
        log.frame(FrameKind::Full, MORE, 3, 1, b"b2").frame(FrameKind::Full, 0, 4, 2, b"b3").full(5, 0, b"z")
    };
    let log = build();
    assert_eq!(lsns(&read(&[(1, &log.bytes)], all())), [1, 2, 3, 4, 5]);
    let seen = read(&[(1, &log.bytes[..log.starts[3]])], all());
    assert_eq!((lsns(&seen), seen.1[0].0, seen.1[0].1), (vec![1], DamageKind::BrokenBatch, log.starts[1] as u64));
    let mut bytes = log.bytes.clone();
    bytes[log.starts[2] + 40] ^= 1;
    let seen = read(&[(1, &bytes)], all());
    assert_eq!(lsns(&seen), [1, 5], "neither what stands before nor behind the hurt record of the batch");
    assert!(seen.1.iter().all(|d| d.2 == Verdict::Corrupt), "{:?}", seen.1);
}

#[test]
fn fragments_are_joined_and_orphans_are_not_given_out() {
    let log = Build::new(1, 0).frame(FrameKind::First, 0, 1, 0, b"one ").frame(FrameKind::Middle, 0, 2, 1, b"two ");
    let log = log.frame(FrameKind::Last, 0, 3, 2, b"three").full(4, 0, b"z");
    let seen = read(&[(1, &log.bytes)], all());
    assert_eq!(seen.0, [(1, b"one two three".to_vec()), (4, b"z".to_vec())]);
    let mut bytes = log.bytes.clone();
    bytes[log.starts[0] + 20] ^= 1;
    let seen = read(&[(1, &bytes)], all());
    assert_eq!(lsns(&seen), [4]);
    assert_eq!(seen.1.iter().map(|d| d.0).collect::<Vec<_>>(), [DamageKind::BadChecksum, DamageKind::BrokenRecord]);
}

#[test]
fn whole_frames_in_an_order_that_no_writer_makes_cost_the_record_that_was_begun_and_no_other() {
    let found = |log: &Build| {
        let seen = read(&[(1, &log.bytes)], all());
        (lsns(&seen), seen.1.iter().map(|d| d.0).collect::<Vec<_>>())
    };
    let begun = || Build::new(1, 0).frame(FrameKind::First, 0, 1, 0, b"one ");
    // A record that is begun and not ended before the next one.
    assert_eq!(found(&begun().full(2, 0, b"b").full(3, 0, b"c")), (vec![2, 3], vec![DamageKind::BrokenRecord]));
    // Two that are begun one after the other.
    let twice = begun().frame(FrameKind::First, 0, 2, 0, b"two ").frame(FrameKind::Last, 0, 3, 0, b"end");
    assert_eq!(found(&twice), (vec![2], vec![DamageKind::BrokenRecord]));
    // The end of a record that was not begun, inside of a batch.
    let batch = Build::new(1, 0).frame(FrameKind::Full, MORE, 1, 0, b"a").frame(FrameKind::Last, 0, 2, 0, b"b").full(3, 0, b"c");
    assert_eq!(found(&batch), (vec![3], vec![DamageKind::BrokenBatch, DamageKind::BrokenRecord]));
}

#[test]
fn segments_are_joined_by_name_id_chain_and_number() {
    let (first, sum) = Build::new(1, 0).full(1, 0, b"a").full(2, 0, b"b").seal(3);
    let next = |lsn, chain| Build::new(lsn, chain).full(lsn, 0, b"c").bytes;
    assert_eq!(read(&[(1, &first), (3, &next(3, sum))], all()).1, []);
    let kinds = |segments: &[(u64, &[u8])]| read(segments, all()).1.iter().map(|d| (d.0, d.2)).collect::<Vec<_>>();
    assert_eq!(kinds(&[(1, &first), (3, &next(3, 77))]), [(DamageKind::BrokenChain, Verdict::Foreign)]);
    assert_eq!(kinds(&[(1, &first), (4, &next(3, sum))]), [(DamageKind::WrongName, Verdict::Foreign)]);
    assert_eq!(kinds(&[(1, &first), (9, &next(9, sum))]), [(DamageKind::MissingSegment, Verdict::Missing)]);
    let mut other = Build::new(3, sum);
    other.header.log_id = [4; 16];
    other.bytes = encode_header(&other.header);
    let other = other.full(3, 0, b"c").bytes;
    assert_eq!(kinds(&[(1, &first), (3, &other)]), [(DamageKind::OtherLog, Verdict::Foreign)]);
}

#[test]
fn a_seal_that_counts_otherwise_is_damage() {
    let mut log = Build::new(1, 0).full(1, 0, b"a");
    log.tally.digest ^= 1;
    let (bytes, _) = log.seal(2);
    assert_eq!(read(&[(1, &bytes)], all()).1.iter().map(|d| d.0).collect::<Vec<_>>(), [DamageKind::BadSeal]);
}

#[test]
fn an_empty_or_half_begun_last_segment_is_what_a_crash_leaves() {
    let (first, sum) = Build::new(1, 0).full(1, 0, b"a").seal(2);
    let next = Build::new(2, sum).bytes;
    for length in [0, 1, 59, 60, 4095] {
        let seen = read(&[(1, &first), (2, &next[..length])], all());
        assert_eq!(
            (lsns(&seen), seen.1.len(), seen.1[0].0, seen.1[0].2),
            (vec![1], 1, DamageKind::UnfinishedSegment, Verdict::Torn)
        );
    }
    let zeros = vec![0; 100_000];
    assert_eq!(read(&[(1, &first), (2, &zeros)], all()).1[0].0, DamageKind::UnfinishedSegment);
}

#[test]
fn a_sealed_segment_is_finished_though_none_follows_it() {
    let (bytes, _) = Build::new(1, 0).full(1, 0, b"a").seal(2);
    let dir = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(dir.path().join(segment_name(Lsn(1))), bytes).expect("room for a small log");
    let source = native::FORMAT.log_in(Arc::new(RealDisk), dir.path()).expect("it lists");
    let [segment] = &source.segments[..] else { panic!("one segment: {:?}", source.segments) };
    let trailer = super::ends::trailer(&source, segment).expect("it reads").expect("it has a Seal");
    let ends = super::ends::ends(&source, segment).expect("it reads");
    for summary in [trailer, ends] {
        assert_eq!((summary.state, summary.ending, summary.due), (State::Sealed, Ending::Sealed, Some(Lsn(2))));
    }
}

#[test]
fn a_record_is_handed_over_in_pieces_where_it_is_long_and_stored_as_it_is() {
    const WHOLE: usize = 8 << 20;
    let in_pieces = |flags: u8, length: usize| {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let log = Build::new(1, 0).frame(FrameKind::Full, flags, 1, 0, &vec![7; length]);
        std::fs::write(dir.path().join(segment_name(Lsn(1))), log.bytes).expect("room for a long record");
        let source = native::FORMAT.log_in(Arc::new(RealDisk), dir.path()).expect("it lists");
        let keys = Keys::default();
        let visit = Visit { source: &source, segment: &source.segments[0], keys: &keys, want: Want::default() };
        let mut seen = Vec::new();
        let mut take = |item: Item<'_>| {
            if let Item::Record(record) = item {
                assert_eq!(record.payload.length(), length as u64);
                seen.push(matches!(record.payload, Payload::Long(..)));
            }
            Ok(())
        };
        walk(&visit, &mut Sink::new(&mut take)).expect("it reads");
        let [long] = seen[..] else { panic!("one record: {seen:?}") };
        long
    };
    assert_eq!([9, WHOLE, WHOLE + 1].map(|length| in_pieces(0, length)), [false, false, true]);
    assert!(!in_pieces(LZ4, WHOLE + 1), "what is packed is unpacked as a whole");
}

#[test]
fn an_index_leads_to_the_wanted_records() {
    let mut log = Build::new(1, 0);
    for lsn in 1..=500 {
        log = log.full(lsn, 0, &[5; 4000]);
    }
    let (bytes, _) = log.seal(501);
    let range = LsnRange::new(Lsn(400), Lsn(402));
    let seen = read(&[(1, &bytes)], Want { lsns: range, ..all() });
    assert_eq!((lsns(&seen), seen.1.len()), (vec![400, 401, 402], 0));
    let since = read(&[(1, &bytes)], Want { since: Some(Time(499)), ..all() });
    assert_eq!(lsns(&since), [499, 500]);
}

/// A file that is written to between two reads: it has its new content from the `turn`-th read on.
#[derive(Debug)]
struct Growing {
    before: Vec<u8>,
    after: Vec<u8>,
    turn: usize,
    reads: AtomicUsize,
}

impl Growing {
    fn now(&self) -> &[u8] {
        if self.reads.load(Ordering::Relaxed) < self.turn { &self.before } else { &self.after }
    }
}

impl File for Growing {
    fn length(&self) -> Result<u64> {
        Ok(self.now().len() as u64)
    }
    fn read_at(&self, into: &mut [u8], offset: u64) -> Result<usize> {
        let from = usize::try_from(offset).expect("small").min(self.now().len());
        let count = into.len().min(self.now().len() - from);
        into[..count].copy_from_slice(&self.now()[from..from + count]);
        self.reads.fetch_add(1, Ordering::Relaxed);
        Ok(count)
    }
    fn write_at(&self, _: &[u8], _: u64) -> Result<usize> {
        unreachable!("reading never writes")
    }
    fn sync_data(&self) -> Result<()> {
        unreachable!("reading never syncs")
    }
    fn sync_all(&self) -> Result<()> {
        unreachable!("reading never syncs")
    }
    fn set_length(&self, _: u64) -> Result<()> {
        unreachable!("reading never cuts")
    }
    fn reserve(&self, _: u64, _: u64) -> Result<()> {
        unreachable!("reading never reserves")
    }
}

#[test]
fn whenever_a_writer_comes_between_two_reads_no_record_is_lost_and_nothing_is_called_damaged() {
    let old = Build::new(1, 0).full(1, 0, b"one").full(2, 0, b"two");
    let end = old.bytes.len();
    // What is written meanwhile is more than one read gives, and stands where zeros were.
    let new = (3..=20).fold(old, |build, lsn| build.full(lsn, 0, &[b'x'; 50_000]));
    let after = [new.bytes.as_slice(), &[0; 100_000]].concat();
    let mut before = after.clone();
    before[end..].fill(0);
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    for turn in 0..40 {
        let file = Growing { before: before.clone(), after: after.clone(), turn, reads: AtomicUsize::new(0) };
        let source = Source::given(disk.clone(), &segment_name(Lsn(1)), Arc::new(file), 1);
        let keys = Keys::default();
        let visit = Visit { source: &source, segment: &source.segments[0], keys: &keys, want: Want::default() };
        let mut seen = Vec::new();
        let mut take = |item: Item<'_>| {
            if let Item::Record(record) = item {
                seen.extend(record.lsn.map(|lsn| lsn.0));
            }
            Ok(())
        };
        let summary = walk(&visit, &mut Sink::new(&mut take)).expect("it reads");
        assert!(summary.damage.is_empty(), "read {turn}: {:?}", summary.damage);
        assert_eq!(seen, (1..=seen.len() as u64).collect::<Vec<_>>(), "read {turn}");
        assert!(seen.len() == 2 || seen.len() == 20, "read {turn}: {seen:?}");
    }
}
