//! What holds for every log, whole or hurt, whatever its shape and format: commands agree with each other, nothing is called clean
//! that lost a record, a repair takes nothing that is proven, and undo gives every byte back.
//!
//! A case is a number: it chooses a log, one to five wounds, and how the log is read. `WALCTL_PROPERTY_SEED=N` repeats one,
//! `WALCTL_PROPERTY_CASES=N` says how many the long run has. A case that fails is made smaller by leaving out wounds.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use walctl::disk::{Disk, EntryKind};
use walctl::formats::{Format, Halt, Item, Sink, Visit, Want};
use walctl::model::{Damage, DamageKind, Error, Keys, Lsn, LsnRange, Value, Verdict};
use walctl::ops::mend::{Permit, carry_out, plan, plan_undo, salvage, undo};
use walctl::ops::open::{Choice, Input, open_stream};
use walctl::ops::read::{Event, Scan, ScanStart, Scope, Selection};
use walctl::ops::report::{Checks, LedgerEntry, Progress, Report, StatsWish, ledger_head, payload_digest, stats, verify};

use crate::support::folder::{Files, files_in, reopen};
use crate::support::sandbox::{Ran, Sandbox, finish};
use crate::support::wounds::{Base, Dice, Wound, bases, choose, frames_of, open_in};

/// A record as `dump` gives it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Got {
    file: String,
    offset: u64,
    lsn: Option<u64>,
    last_lsn: Option<u64>,
    kind: String,
    payload: Vec<u8>,
    length: u64,
    /// What stands or falls with it: the first LSN of its batch.
    batch: Option<u64>,
    time: u64,
    tag: Option<u64>,
}

impl Got {
    /// Its bytes, and its frame's.
    fn bytes(&self) -> std::ops::Range<usize> {
        let end = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
        end(self.offset)..end(self.offset.saturating_add(self.length))
    }
}

/// One case: a log, what is done to it, and how it is read.
#[derive(Clone, Debug)]
struct Case {
    base: Base,
    wounds: Vec<Wound>,
    /// The format is named; otherwise it is told from the bytes.
    named: bool,
    keys: Keys,
}

impl Case {
    fn of(seed: u64, bases: &[Base]) -> Case {
        let mut dice = Dice::of(seed);
        // Our own format has more promises to keep than the others.
        let native = dice.roll(5) < 3;
        let fitting: Vec<&Base> = bases.iter().filter(|base| base.is_native() == native).collect();
        let mut base = (*dice.pick(&fitting)).clone();
        if native {
            vary(&mut base, &mut dice);
        }
        let frames = frames_of(&base);
        let count = 1 + dice.roll(5);
        let wounds = (0..count).filter_map(|_| choose(&base, &frames, &mut dice)).collect();
        let keys = if dice.roll(8) == 0 { Keys::default() } else { base.keys.clone() };
        Case { base, wounds, named: dice.roll(2) == 0, keys }
    }

    fn hurt(&self) -> Files {
        let mut files = self.base.files.clone();
        self.wounds.iter().for_each(|wound| wound.apply(&mut files));
        files
    }

    fn format(&self) -> Option<&'static Format> {
        self.named.then_some(self.base.format)
    }

    fn has_keys(&self) -> bool {
        self.keys.newest().is_some() || self.base.keys.newest().is_none()
    }
}

/// Pruned, salvaged, with a lock that somebody left: what becomes of logs in time.
fn vary(base: &mut Base, dice: &mut Dice) {
    if dice.roll(3) == 0 {
        base.files.insert("LOCK".into(), b"process 1, by nobody\n".to_vec());
    }
    let segments: Vec<String> = base.files.keys().filter(|name| base.format.number_of(name).is_some()).cloned().collect();
    match dice.roll(6) {
        0 if segments.len() > 1 => {
            base.files.remove(&segments[0]);
            base.name.push_str(", pruned");
        }
        1 => {
            let frames = frames_of(base);
            if let Some(wound) = choose(base, &frames, dice) {
                let mut files = base.files.clone();
                wound.apply(&mut files);
                if let Some(new) = salvaged_files(&files, base) {
                    base.files = new;
                    let _ = write!(base.name, ", salvaged after {wound:?}");
                }
            }
        }
        _ => {}
    }
}

fn salvaged_files(files: &Files, base: &Base) -> Option<Files> {
    let (disk, input) = open_in(files, Some(base.format), &base.keys).ok()?;
    let report = verify(&input, &Checks::default(), &Progress::default()).ok()?;
    salvage(&input, &report, Path::new("/new"), Scope::default(), &Progress::default()).ok()?;
    Some(files_in(disk.as_ref(), Path::new("/new")))
}

/// Why a case fails.
type Fails = String;
/// What is demanded of a case.
type Check = fn(&Case) -> Result<(), Fails>;

macro_rules! demand {
    ($holds:expr, $($words:tt)+) => {
        if !$holds {
            return Err(format!($($words)+));
        }
    };
}

mod alone;

/// What a log gives, by all ways of reading it.
struct Seen {
    report: Report,
    records: Vec<Got>,
    /// Where payloads begin that are damage in themselves: they are shown as what they are, and there is nothing to save of them.
    spoilt: Vec<u64>,
}

/// Dumps a log.
fn dump(input: &Input, backwards: bool) -> Result<(Vec<Got>, Verdict), Error> {
    dump_selected(input, backwards, &Selection::default())
}

fn dump_selected(input: &Input, backwards: bool, selection: &Selection) -> Result<(Vec<Got>, Verdict), Error> {
    let scan = Scan::of(&input.source, input.format, &input.keys, selection);
    let mut records = Vec::new();
    let mut take = |event: Event<'_>| -> Result<(), Halt> {
        let Event::Record(shown) = event else { return Ok(()) };
        let record = shown.record;
        let mut payload = Vec::new();
        record.payload.each(&mut |piece| {
            payload.extend_from_slice(piece);
            Ok(())
        })?;
        records.push(Got {
            file: shown.segment.name.clone(),
            offset: record.span.start(),
            lsn: record.lsn.map(|lsn| lsn.0),
            last_lsn: record.last_lsn.map(|lsn| lsn.0),
            kind: record.kind.to_owned(),
            payload,
            length: record.span.length,
            batch: record.fields.iter().find_map(|field| match field.value {
                Value::Number(number) if field.name == "batch" => Some(number),
                _ => None,
            }),
            time: record.time.map_or(0, |time| time.0),
            tag: record.tag,
        });
        Ok(())
    };
    let outcome = if backwards { scan.reverse(&mut take)? } else { scan.forward(&ScanStart::default(), &mut take)? };
    let verdict = outcome.damage.iter().map(Damage::verdict).max().unwrap_or(Verdict::Clean);
    Ok((records, verdict))
}

/// Reads a log in every way, and demands that all agree. `None` where the log's version is one that nobody knows: then no command
/// reads it.
fn look(input: &Input) -> Result<Option<Seen>, Fails> {
    let one = |jobs, deep| verify(input, &Checks { jobs, deep, ..Checks::default() }, &Progress::default());
    let (dumped, report) = (dump(input, false), one(1, false));
    let (report, (records, dump_verdict)) = match (report, dumped) {
        (Err(Error::Unknown { .. }), Err(Error::Unknown { .. })) => {
            demand!(
                stats(input, &StatsWish { scan: true, ..StatsWish::default() }, &Progress::default()).is_err(),
                "stats reads a version that verify and dump do not know"
            );
            return Ok(None);
        }
        (Ok(report), Ok(dumped)) => (report, dumped),
        (report, dumped) => return Err(format!("verify gives {:?}, dump {:?}", report.map(|r| r.verdict), dumped.map(|d| d.1))),
    };
    let count = records.len() as u64;
    demand!(report.records == count, "verify counts {} records, dump gives {count}", report.records);
    let deep = one(1, true).map_err(|error| format!("verify --deep ends with: {error}"))?;
    demand!(deep.verdict >= report.verdict, "verify --deep says {}, verify {}", deep.verdict, report.verdict);
    // What is wrong inside a payload under a right sum shows only where payloads are opened.
    let opens = [report.verdict, deep.verdict].contains(&dump_verdict);
    demand!(opens, "verify says {}, dump {dump_verdict}: {:?}", report.verdict, report.damage);
    let counted = stats(input, &StatsWish { scan: true, ..StatsWish::default() }, &Progress::default())
        .map_err(|error| format!("stats --scan ends with: {error}"))?;
    demand!(counted.counts.records == count, "stats --scan counts {} records, dump gives {count}", counted.counts.records);
    demand!(counted.verdict == report.verdict, "stats --scan says {}, verify {}", counted.verdict, report.verdict);
    let by_segment: u64 = counted.segments.iter().map(|s| s.records).sum();
    demand!(by_segment == count, "stats --scan counts {by_segment} records segment by segment, dump gives {count}");
    stats(input, &StatsWish::default(), &Progress::default()).map_err(|error| format!("stats ends with: {error}"))?;
    let (mut back, back_verdict) = dump(input, true).map_err(|error| format!("dump --reverse ends with: {error}"))?;
    back.reverse();
    demand!(back == records, "dump --reverse gives {} records, dump {count}, or in another order", back.len());
    demand!(back_verdict == dump_verdict, "dump --reverse says {back_verdict}, dump {dump_verdict}");
    check_selections(input, &records)?;
    let many = one(3, false).map_err(|error| format!("verify --jobs 3 ends with: {error}"))?;
    demand!(many.damage == report.damage && many.records == count, "verify --jobs 3 finds something else");
    let spoilt = deep.damage.iter().filter(|d| d.kind == DamageKind::BadPayload).map(|d| d.span.start()).collect();
    Ok(Some(Seen { report, records, spoilt }))
}

/// What is asked for by number comes as it does when all is asked for.
fn check_selections(input: &Input, records: &[Got]) -> Result<(), Fails> {
    let lsns: BTreeSet<u64> = records.iter().filter_map(|got| got.lsn).collect();
    let Some((first, last)) = lsns.first().zip(lsns.last()) else { return Ok(()) };
    let middle = lsns.iter().nth(lsns.len() / 2).expect("there is one");
    for (from, to) in [(*middle, *middle), (*middle, *last), (*first, *middle)] {
        let selection = Selection { lsns: LsnRange::new(Lsn(from), Lsn(to)), ..Selection::default() };
        for backwards in [false, true] {
            let (got, _) = dump_selected(input, backwards, &selection)
                .map_err(|error| format!("dump --lsn {from}..{to} ends with: {error}"))?;
            let wanted = |r: &&Got| r.lsn.is_some_and(|lsn| lsn <= to && r.last_lsn.unwrap_or(lsn) >= from);
            // A number that stands twice is found once at least; names of segments do not lead to copies in front of lower numbers.
            let all: BTreeSet<Option<u64>> = records.iter().filter(wanted).map(|r| r.lsn).collect();
            let low = |at: usize| records[at..].iter().filter_map(|r| r.lsn).min();
            // Nor do they lead to a number that a later segment of ours has for its name.
            let taken = |r: &Got| {
                let mut later = input.source.segments.iter().skip_while(|s| s.name != r.file).skip(1);
                input.format.ours.is_some() && r.lsn.is_some_and(|lsn| later.any(|segment| segment.sequence <= lsn))
            };
            let in_place = |(at, r): &(usize, &Got)| r.lsn <= low(*at) && !taken(r);
            let in_place = records.iter().enumerate().filter(in_place).map(|(_, r)| r.lsn).collect();
            let found = got.iter().map(|r| r.lsn).chain(all.difference(&in_place).copied()).collect::<BTreeSet<_>>();
            demand!(found == all, "dump --lsn {from}..{to}, {backwards}: {} LSNs of {}", found.len(), all.len());
            demand!(got.iter().all(|r| records.contains(r)), "dump --lsn {from}..{to}, {backwards}: not in dump");
        }
    }
    Ok(())
}

/// Checks all properties of a case.
fn check(case: &Case) -> Result<(), Fails> {
    let files = case.hurt();
    let (disk, input) = match open_in(&files, case.format(), &case.keys) {
        Ok(opened) => opened,
        // What is left of it looks like no log, or like several: that is said, and no command goes on.
        Err(Error::NotALog { .. } | Error::Ambiguous { .. }) if !case.named => return Ok(()),
        Err(error) => return Err(format!("it does not open: {error}")),
    };
    // Without any content left, nothing tells whose it was.
    let blank = files.iter().all(|(name, bytes)| case.base.format.number_of(name).is_none() || bytes.iter().all(|b| *b == 0));
    demand!(input.format == case.base.format || blank, "it is taken for {}", input.format.name);
    let (disk, input) = if input.format == case.base.format {
        (disk, input)
    } else {
        open_in(&files, Some(case.base.format), &case.keys).map_err(|error| error.to_string())?
    };
    let Some(seen) = look(&input)? else { return Ok(()) };
    demand!(files_in(disk.as_ref(), Path::new("/log")) == files, "reading changed a file");
    if case.has_keys() {
        check_clean(case, &files, &seen)?;
        check_untouched(case, &files, &seen)?;
    }
    check_salvage(&input, &seen)?;
    for suspect in [false, true] {
        check_repair(case, &files, &seen, Permit { suspect, ..Permit::default() })?;
    }
    check_repair(case, &files, &seen, Permit { from_copies: true, ..Permit::default() })?;
    check_at(case, &files, &seen)?;
    alone::check_alone(&disk, &input)
}

/// A cut behind an LSN leaves everything up to it and what has no number, and is undone byte for byte.
fn check_at(case: &Case, files: &Files, seen: &Seen) -> Result<(), Fails> {
    let lsns: Vec<u64> = seen.records.iter().filter_map(|got| got.lsn).collect();
    let Some(at) = lsns.get(lsns.len() / 2).copied() else { return Ok(()) };
    let (disk, input) = open_in(files, Some(case.base.format), &case.keys).map_err(|error| error.to_string())?;
    let permit = Permit { at: Some(Lsn(at)), ..Permit::default() };
    let planned = plan(&input, &seen.report, &permit).map_err(|error| format!("no plan for --at {at}: {error}"))?;
    if planned.refusal.is_some() || planned.cuts.is_empty() {
        return Ok(());
    }
    carry_out(&disk, &planned).map_err(|error| format!("repair --at {at} ends with: {error}"))?;
    let dir = Path::new("/log");
    let again = reopen(&disk, dir, Some(case.base.format), &case.keys).map_err(|error| format!("not opened again: {error}"))?;
    let after = look(&again)?.ok_or("after the repair nobody knows its version")?;
    let kept: Vec<&Got> = seen.records.iter().filter(|got| got.lsn.is_none_or(|lsn| lsn <= at)).collect();
    let sorted = seen.records.is_sorted_by_key(|got| got.lsn);
    demand!(
        !sorted || after.records.iter().eq(kept.iter().copied()),
        "repair --at {at} keeps {} of {} records",
        after.records.len(),
        kept.len()
    );
    let back = plan_undo(&again).map_err(|error| format!("undo of --at {at} is refused: {error}"))?;
    undo(&disk, &back).map_err(|error| format!("undo of --at {at} ends with: {error}"))?;
    let differing = difference(&files_in(disk.as_ref(), dir), files);
    demand!(differing.is_none(), "undo of --at {at} left another {}", differing.unwrap_or_default());
    Ok(())
}

/// The records of the log before it was hurt, by LSN; those whose LSN was given twice are left out.
fn ledger(base: &Base) -> BTreeMap<u64, Got> {
    let Ok((_, input)) = open_in(&base.files, Some(base.format), &base.keys) else { return BTreeMap::new() };
    let Ok((records, _)) = dump(&input, false) else { return BTreeMap::new() };
    let (mut ledger, mut twice) = (BTreeMap::new(), BTreeSet::new());
    for record in records {
        if let Some(lsn) = record.lsn
            && ledger.insert(lsn, record).is_some()
        {
            twice.insert(lsn);
        }
    }
    ledger.retain(|lsn, _| !twice.contains(lsn));
    ledger
}

/// A log that is called clean has every record of its ledger, but for those of its end and of segments that were pruned.
fn check_clean(case: &Case, files: &Files, seen: &Seen) -> Result<(), Fails> {
    if seen.report.verdict != Verdict::Clean || !case.base.is_native() && case.wounds.iter().any(Wound::replaces) {
        return Ok(());
    }
    let ledger = ledger(&case.base);
    let now: BTreeMap<u64, &Got> = seen.records.iter().filter_map(|r| Some((r.lsn?, r))).collect();
    let (first, last) = (now.keys().next().copied(), now.keys().next_back().copied());
    for (lsn, was) in &ledger {
        match now.get(lsn) {
            // No sum covers the content of an allsource record.
            Some(is) => demand!(
                is.payload == was.payload || case.base.format.name == "allsource",
                "it is clean, and record {lsn} has another content"
            ),
            None if last.is_none_or(|last| *lsn > last) => {}
            None if first.is_some_and(|first| *lsn < first) && !files.contains_key(&was.file) => {}
            // A hole between files of one log of Pebble is said, and is no damage: ingested files take numbers too.
            None if seen.report.warnings.iter().any(|w| w.name == "sequence-skipped") && case.base.format.name == "pebble" => {}
            None => return Err(format!("it is clean, and record {lsn} of {} is missing", was.file)),
        }
    }
    let known =
        |got: &&Got| got.lsn.is_some_and(|lsn| !ledger.is_empty() && ledger.get(&lsn).is_none_or(|was| was.kind != got.kind));
    // What a hurt log withholds can come out once its other segments were pruned.
    let was_whole = || {
        let opened = open_in(&case.base.files, Some(case.base.format), &case.base.keys);
        let report = opened.and_then(|(_, input)| verify(&input, &Checks::default(), &Progress::default()));
        report.is_ok_and(|report| report.verdict == Verdict::Clean)
    };
    if case.base.is_native()
        && let Some(new) = seen.records.iter().find(known)
        && was_whole()
    {
        return Err(format!("it is clean, and record {:?} was never written so", new.lsn));
    }
    Ok(())
}

/// Where bytes were changed in place: what was not touched is delivered, and only what was touched is called damaged.
fn check_untouched(case: &Case, files: &Files, seen: &Seen) -> Result<(), Fails> {
    let in_place = |w: &Wound| matches!(w, Wound::Flip { .. } | Wound::Zero { .. } | Wound::Junk { .. } | Wound::Beside { .. });
    if !case.wounds.iter().all(in_place) {
        return Ok(());
    }
    let Ok((_, whole)) = open_in(&case.base.files, Some(case.base.format), &case.base.keys) else { return Ok(()) };
    let Ok(Some(before)) = look(&whole) else { return Ok(()) };
    if before.report.verdict != Verdict::Clean {
        return Ok(());
    }
    let harmed: BTreeMap<&str, Vec<usize>> = files
        .iter()
        .filter_map(|(name, bytes)| {
            let was = case.base.files.get(name)?;
            let at: Vec<usize> = (0..bytes.len()).filter(|at| bytes[*at] != was[*at]).collect();
            (!at.is_empty()).then_some((name.as_str(), at))
        })
        .collect();
    let hits = |file: &str, range: &std::ops::Range<usize>| {
        let at = harmed.get(file).map_or(&[][..], Vec::as_slice);
        at.get(at.partition_point(|at| *at < range.start)).is_some_and(|at| range.contains(at))
    };
    if harmed.is_empty() {
        demand!(
            seen.report.verdict == Verdict::Clean,
            "nothing was hurt, and it is {}: {:?}",
            seen.report.verdict,
            seen.report.damage
        );
    }
    // A lost header costs a frame that stands alone; nodedb's has what its keys need, RocksDB's first record how others are compressed, and
    // the sum that an etcd segment carries over is all that its next record is checked by.
    let headless = |file: &str| match case.base.format.name {
        "native" | "nodedb" => hits(file, &(0..88)),
        "rocksdb" => hits(file, &(0..11)),
        "etcd" => hits(file, &(0..16)),
        _ => false,
    };
    // A line of allsource begins behind the end of another one; a frame of SQLite goes on from the sum in the one before, or in the header.
    let line = usize::from(case.base.format.name == "allsource");
    let before_it = |got: &Got| if case.base.format.name == "sqlite" { got.bytes().len() } else { line };
    let needs = |got: &Got| got.bytes().start.saturating_sub(before_it(got))..got.bytes().end;
    let unit = |got: &Got| (got.file.clone(), got.batch.or(got.lsn).or(Some(got.offset)));
    let broken: BTreeSet<_> = before.records.iter().filter(|got| hits(&got.file, &needs(got))).map(unit).collect();
    let commits = seen.records.iter().filter(|got| got.kind == "commit" && case.base.format.name == "sqlite");
    let last_commit = commits.map(|got| got.offset).max().unwrap_or(0);
    // What SQLite has behind the last commit that is left belongs to no transaction.
    let open = |got: &&Got| case.base.format.name == "sqlite" && got.offset > last_commit;
    for got in before.records.iter().filter(|got| !headless(&got.file) && !broken.contains(&unit(got)) && !open(got)) {
        // What stands in two files of one log of Pebble is given once.
        let same =
            |r: &Got| (&r.file, r.offset) == (&got.file, got.offset) || case.base.format.name == "pebble" && r.lsn == got.lsn;
        let there = seen.records.iter().any(|r| same(r) && r.payload == got.payload);
        demand!(there, "record {:?} at {}:{} was not touched and is not given", got.lsn, got.file, got.offset);
    }
    for damage in seen.report.damage.iter().filter(|d| d.span.length > 0) {
        let file = &seen.report.segments[damage.span.place.segment.index()].file;
        let end = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
        let (from, to) = (end(damage.span.start()), end(damage.span.end()));
        // Zeros at the end of what is wrong need not be counted in.
        let frame = before.records.iter().find(|got| got.file == *file && got.bytes().contains(&from));
        let inside = hits(file, &(from..to.max(frame.map_or(0, |got| got.bytes().end))));
        let of_others = matches!(damage.kind, DamageKind::BrokenBatch | DamageKind::BrokenRecord | DamageKind::BadSeal | DamageKind::BrokenChain)
            // Direct writes of nodedb leave copies of records behind, among which one can be missed that was harmed elsewhere.
            || case.base.name.contains("direct");
        demand!(
            inside || of_others,
            "{} at {file}:{}-{}, where no byte was touched",
            damage.kind,
            damage.span.start(),
            damage.span.end()
        );
    }
    Ok(())
}

/// Everything that dump gives is in what salvage writes, and what it writes is clean.
fn check_salvage(input: &Input, seen: &Seen) -> Result<(), Fails> {
    let done = match salvage(input, &seen.report, Path::new("/new"), Scope::default(), &Progress::default()) {
        Ok(done) => done,
        // Ciphertext that no key opens is not copied as if it were content.
        Err(Error::Input { what }) if what.contains("encrypted") => return Ok(()),
        Err(error) => return Err(format!("salvage ends with: {error}")),
    };
    let native = reopen(&input.source.disk, Path::new("/new"), Some(&walctl::formats::native::FORMAT), &input.keys);
    let native = native.map_err(|error| format!("what was salvaged does not open: {error}"))?;
    let new = look(&native)?.ok_or("what was salvaged is of an unknown version")?;
    // What is missing is known to be missing: no advice runs in a circle.
    let verdict = new.report.verdict;
    demand!(verdict == Verdict::Clean, "what was salvaged is {verdict}: {:?}", new.report.damage);
    let number = |got: &Got| got.lsn.filter(|_| !done.renumbered).map(|lsn| lsn + done.shifted);
    // What only our own format has stays too.
    let own = input.format.name == "native";
    let facts = |got: &Got| own.then(|| (got.kind.clone(), got.time, got.tag));
    let mut there: BTreeMap<_, u64> = BTreeMap::new();
    for got in &new.records {
        *there.entry((got.payload.as_slice(), got.lsn.filter(|_| !done.renumbered), facts(got))).or_default() += 1;
    }
    let mut aside = Vec::new();
    if let Some(dir) = &done.left_out_to {
        let other = reopen(&input.source.disk, dir, Some(&walctl::formats::native::FORMAT), &input.keys);
        let other = other.map_err(|error| format!("what was left out does not open: {error}"))?;
        aside = dump(&other, false).map_err(|error| format!("what was left out cannot be read: {error}"))?.0;
    }
    for got in seen.records.iter().filter(|got| !seen.spoilt.contains(&got.offset)) {
        if let Some(count @ 1..) = there.get_mut(&(got.payload.as_slice(), number(got), facts(got))) {
            *count -= 1;
        } else if let Some(at) = aside.iter().position(|other| other.payload == got.payload) {
            aside.swap_remove(at);
        } else {
            return Err(format!("dump gives record {:?} of {}:{}, salvage does not", got.lsn, got.file, got.offset));
        }
    }
    Ok(())
}

/// What the frames of a log prove by themselves: below this LSN everything had been synced.
fn proven(input: &Input) -> u64 {
    let mut bound = 0;
    for segment in &input.source.segments {
        let want = Want { frames: true, ..Want::default() };
        let visit = Visit { source: &input.source, segment, keys: &input.keys, want };
        let mut take = |item: Item<'_>| {
            if let Item::Record(record) = item {
                let number = |name| {
                    record.fields.iter().find_map(|field| match field.value {
                        Value::Number(number) if field.name == name => Some(number),
                        _ => None,
                    })
                };
                let lsn = record.lsn.map_or(0, |lsn| lsn.0);
                let unsynced = number("unsynced").filter(|n| *n != u64::from(u16::MAX));
                let below =
                    if matches!(record.kind, "close" | "seal") { Some(lsn) } else { unsynced.map(|n| lsn.saturating_sub(n)) };
                bound = bound.max(below.unwrap_or(0));
            }
            Ok(())
        };
        if let Err(Halt::Failed(error)) = (input.format.walk)(&visit, &mut Sink::new(&mut take)) {
            panic!("{error}");
        }
    }
    bound
}

/// A repair cuts nothing that is proven, leaves a clean log, and is undone byte for byte.
fn check_repair(case: &Case, files: &Files, seen: &Seen, permit: Permit) -> Result<(), Fails> {
    let (disk, input) = open_in(files, Some(case.base.format), &case.keys).map_err(|error| error.to_string())?;
    let planned = plan(&input, &seen.report, &permit).map_err(|error| format!("no plan: {error}"))?;
    let dir = Path::new("/log");
    demand!(files_in(disk.as_ref(), dir) == *files, "planning a repair changed a file");
    if planned.refusal.is_some() {
        demand!(planned.cuts.is_empty() || seen.report.verdict != Verdict::Clean, "a repair of a clean log is refused");
        return Ok(());
    }
    demand!(
        permit.from_copies || planned.cuts.is_empty() == (seen.report.verdict == Verdict::Clean),
        "{}: the plan has {:?}",
        seen.report.verdict,
        planned.cuts
    );
    let bound = if case.base.is_native() { proven(&input) } else { 0 };
    carry_out(&disk, &planned).map_err(|error| format!("the repair ends with: {error}"))?;
    let again = reopen(&disk, dir, Some(case.base.format), &case.keys).map_err(|error| format!("not opened again: {error}"))?;
    let after = look(&again)?.ok_or("after the repair nobody knows its version")?;
    demand!(after.report.verdict == Verdict::Clean, "repaired, it is {}: {:?}", after.report.verdict, after.report.damage);
    // Prometheus itself would drop more: what stands behind damage in its segment goes. With Redis a transaction goes as a whole.
    let cuts = planned.cuts.iter().filter(|_| ["prometheus", "redis"].contains(&case.base.format.name));
    let cut: BTreeMap<&str, u64> = cuts.map(|cut| (cut.from.segment.as_str(), cut.from.offset)).collect();
    for cut in planned.cuts.iter().filter(|cut| case.base.format.name == "redis" && cut.whole > 0) {
        let mut taken = seen.records.iter().filter(|got| got.file == cut.from.segment && got.offset >= cut.from.offset);
        let begins = taken.next().is_some_and(|got| got.kind == "MULTI");
        demand!(begins && taken.all(|got| got.kind != "EXEC"), "the repair took whole commands that no MULTI holds");
    }
    for got in seen.records.iter().filter(|got| cut.get(got.file.as_str()).is_none_or(|at| got.offset < *at)) {
        let stays = case.base.is_native() && got.lsn.is_none_or(|lsn| lsn >= bound);
        demand!(stays || after.records.contains(got), "the repair took record {:?} of {}:{}", got.lsn, got.file, got.offset);
    }
    let new = after.records.iter().find(|got| !seen.records.contains(got));
    demand!(new.is_none() || permit.from_copies, "the repair brought {new:?}");
    if planned.cuts.is_empty() {
        demand!(files_in(disk.as_ref(), dir) == *files, "there was nothing to repair, and a file changed");
        return Ok(());
    }
    let once = files_in(disk.as_ref(), dir);
    let second = plan(&again, &after.report, &permit).map_err(|error| format!("no second plan: {error}"))?;
    demand!(
        second.cuts.is_empty() && (second.refusal.is_none() || permit.from_copies),
        "a second repair would cut {:?}",
        second.cuts
    );
    demand!(files_in(disk.as_ref(), dir) == once, "a second repair changed a file");
    let back = plan_undo(&again).map_err(|error| format!("undo is refused: {error}"))?;
    undo(&disk, &back).map_err(|error| format!("undo ends with: {error}"))?;
    let differing = difference(&files_in(disk.as_ref(), dir), files);
    demand!(differing.is_none(), "undo left another {}", differing.unwrap_or_default());
    Ok(())
}

fn difference(a: &Files, b: &Files) -> Option<String> {
    let names = a.keys().chain(b.keys());
    names.into_iter().find(|name| a.get(*name) != b.get(*name)).cloned()
}

/// What the binary makes of a case: exit codes that say what was found, and advice that can be typed.
fn check_commands(case: &Case) -> Result<(), Fails> {
    let files = case.hurt();
    let lay = || {
        let sandbox = Sandbox::new();
        let write = |name: &Path, bytes: &[u8]| std::fs::write(sandbox.path().join(name), bytes).expect("the sandbox has room");
        std::fs::create_dir(sandbox.path().join("LOG")).expect("the sandbox has room");
        files.iter().for_each(|(name, bytes)| write(&Path::new("LOG").join(name), bytes));
        write(Path::new("KEYS"), case.base.key_lines.as_bytes());
        sandbox
    };
    let sandbox = lay();
    let mut more = vec!["--format", case.base.format.name];
    if case.base.format.encrypted && !case.base.key_lines.is_empty() {
        more.extend(["--key-file", "KEYS"]);
    }
    let mut advised = BTreeSet::new();
    let mut run = |words: &[&str]| -> Result<(Ran, i32), Fails> {
        let ran = sandbox.run(&[words, &more[..]].concat());
        let what = words.join(" ");
        demand!(
            !ran.stderr.contains("panicked") && ran.code < 8 && ran.code != 2,
            "walctl {what} ends with {}: {}",
            ran.code,
            ran.stderr
        );
        let lines = ran.stdout.lines().chain(ran.stderr.lines());
        advised.extend(
            lines.filter_map(|line| line.split_once("next: ")?.1.split_once("walctl ")).map(|(_, command)| command.to_owned()),
        );
        let code = ran.code;
        Ok((ran, code))
    };
    let (checked, code) = run(&["verify", "LOG", "--json"])?;
    // A failure is the last line on standard error.
    let last = if code == 1 { &checked.stderr } else { &checked.stdout }.lines().last().unwrap_or_default();
    let report: serde_json::Value = serde_json::from_str(last).map_err(|error| format!("verify --json: {error}: {last}"))?;
    if code == 1 {
        demand!(report["error"]["message"].is_string(), "verify --json ends with 1 and says no error: {last}");
    } else {
        let verdict = report["verdict"].as_str().unwrap_or_default();
        let expected = match verdict {
            "clean" => 0,
            "torn" | "suspect" => 3,
            _ => 4,
        };
        demand!(code == expected, "verify says {verdict} and ends with {code}");
        let (dumped, ended) = run(&["dump", "LOG", "--json"])?;
        let lines = dumped.stdout.lines().count() as u64;
        let deep = if ended == code { code } else { run(&["verify", "LOG", "--deep", "--json"])?.1 };
        demand!([code, deep].contains(&ended), "verify ends with {code}, with --deep {deep}, dump with {ended}");
        demand!(Some(lines) == report["records"].as_u64(), "verify counts {}, dump prints {lines}", report["records"]);
        let (counted, _) = run(&["stats", "LOG", "--scan", "--json"])?;
        let counted: serde_json::Value =
            serde_json::from_str(counted.stdout.trim()).map_err(|error| format!("stats: {error}"))?;
        demand!(counted["records"].as_u64() == Some(lines), "stats --scan counts {}, dump prints {lines}", counted["records"]);
    }
    for words in [&["verify", "LOG"][..], &["dump", "LOG", "--fail-empty"], &["stats", "LOG"], &["repair", "LOG", "--dry-run"]] {
        run(words)?;
    }
    let now: Files = sandbox.files("LOG").into_iter().collect();
    demand!(now == files, "looking changed {}", difference(&now, &files).unwrap_or_default());
    if case.base.is_native() {
        check_ledger_file(case, &sandbox, &more)?;
    }
    for command in advised.iter().filter(|command| !command.contains("FILE") && !command.contains("...")) {
        let sandbox = lay();
        let ran = finish(sandbox.shell(&format!("walctl {command}")), b"");
        demand!(
            !ran.stderr.contains("panicked") && ran.code < 8 && ran.code != 2,
            "the advice `walctl {command}` ends with {}: {}",
            ran.code,
            ran.stderr
        );
    }
    Ok(())
}

/// A ledger of the log before it was hurt is met only if every record that it lists is there as it was.
fn check_ledger_file(case: &Case, sandbox: &Sandbox, more: &[&str]) -> Result<(), Fails> {
    let ledger = ledger(&case.base);
    let first = case.base.files.iter().find(|(name, bytes)| case.base.format.number_of(name).is_some() && bytes.len() >= 32);
    let Some(id) = first.and_then(|(_, bytes)| bytes.get(16..32)?.try_into().ok()) else { return Ok(()) };
    let mut text = ledger_head(id);
    for (lsn, got) in &ledger {
        let digest = payload_digest(&got.payload);
        LedgerEntry { lsn: Lsn(*lsn), length: got.payload.len() as u64, digest }.push(&mut text);
    }
    std::fs::write(sandbox.path().join("LEDGER"), text).expect("the sandbox has room");
    let ran = sandbox.run(&[&["verify", "LOG", "--ledger", "LEDGER"], more].concat());
    let now: BTreeMap<u64, Vec<u8>> = match open_in(&case.hurt(), Some(case.base.format), &case.base.keys) {
        Ok((_, input)) => match dump(&input, false) {
            Ok((records, _)) => records.into_iter().filter_map(|got| Some((got.lsn?, got.payload))).collect(),
            Err(_) => return Ok(()),
        },
        Err(_) => return Ok(()),
    };
    let lacking = ledger.iter().find(|(lsn, got)| now.get(lsn) != Some(&got.payload));
    demand!(
        ran.code != 0 || lacking.is_none(),
        "verify --ledger ends with 0, and record {:?} is not as it was",
        lacking.map(|l| l.0)
    );
    Ok(())
}

/// Checks a case, and takes a panic for a failure.
fn outcome(case: &Case, check: Check) -> Result<(), Fails> {
    catch_unwind(AssertUnwindSafe(|| check(case))).unwrap_or_else(|panic| {
        let words = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
        Err(format!("panic: {}", words.unwrap_or("without a word")))
    })
}

/// The same case with as few wounds as still fail.
fn smallest(mut case: Case, mut fails: Fails, check: Check) -> (Case, Fails) {
    let mut index = 0;
    while index < case.wounds.len() {
        let mut less = case.clone();
        less.wounds.remove(index);
        match outcome(&less, check) {
            Err(why) => (case, fails) = (less, why),
            Ok(()) => index += 1,
        }
    }
    (case, fails)
}

static STEPS: AtomicU64 = AtomicU64::new(0);

/// Ends the process when one case takes two minutes: a test that hangs tells nobody why.
#[expect(clippy::print_stderr, reason = "the last words before the end")]
fn watch(running: Arc<Mutex<BTreeSet<u64>>>) {
    std::thread::spawn(move || {
        let (mut seen, mut seconds) = (0, 0);
        while Arc::strong_count(&running) > 1 {
            std::thread::sleep(Duration::from_secs(1));
            let now = STEPS.load(Ordering::Relaxed);
            seconds = if now == seen { seconds + 1 } else { 0 };
            seen = now;
            if seconds == 120 {
                eprintln!("one of these does not end: WALCTL_PROPERTY_SEED={:?}", running.lock().expect("nobody panics here"));
                std::process::abort();
            }
        }
    });
}

fn all_bases() -> &'static [Base] {
    static BASES: OnceLock<Vec<Base>> = OnceLock::new();
    BASES.get_or_init(bases)
}

fn run(first: u64, cases: u64, check: Check) {
    let (next, failures) = (AtomicU64::new(first), Mutex::new(Vec::new()));
    let running = Arc::new(Mutex::new(BTreeSet::new()));
    watch(running.clone());
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= first + cases {
                        return;
                    }
                    running.lock().expect("nobody panics while holding it").insert(seed);
                    let case = Case::of(seed, all_bases());
                    if let Err(fails) = outcome(&case, check) {
                        let (case, fails) = smallest(case, fails, check);
                        let how = if case.named { "named" } else { "recognised" };
                        let text = format!(
                            "WALCTL_PROPERTY_SEED={seed}: {fails}\n    {} {how}, {} {:?}",
                            case.base.format.name, case.base.name, case.wounds
                        );
                        failures.lock().expect("nobody panics while holding it").push(text);
                    }
                    running.lock().expect("nobody panics while holding it").remove(&seed);
                    STEPS.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    drop(running);
    let failures = failures.into_inner().expect("nobody panicked while holding it");
    assert!(failures.is_empty(), "{} of {cases} cases:\n{}", failures.len(), failures.join("\n"));
}

fn from_environment(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|value| value.parse().ok())
}

#[test]
fn five_hundred_hurt_logs_keep_every_promise() {
    match from_environment("WALCTL_PROPERTY_SEED") {
        Some(seed) => run(seed, 1, check),
        None => run(1, 500, check),
    }
}

#[test]
fn exit_codes_say_what_was_found_and_every_advice_can_be_typed() {
    match from_environment("WALCTL_PROPERTY_SEED") {
        Some(seed) => run(seed, 1, check_commands),
        None => run(1, 20, check_commands),
    }
}

#[test]
#[ignore = "a long run"]
fn many_hurt_logs_keep_every_promise() {
    run(1_000_000, from_environment("WALCTL_PROPERTY_CASES").unwrap_or(5000), check);
}

#[test]
#[ignore = "a long run of the binary"]
fn many_exit_codes_say_what_was_found_and_every_advice_can_be_typed() {
    run(1_000_000, from_environment("WALCTL_PROPERTY_CASES").unwrap_or(5000) / 10, check_commands);
}
