//! The numbers of a log: for people in 80 columns, as JSON, and as OpenMetrics text for scrapers.

mod scrape;

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::time::Duration;

use serde_json::{Value, json};
use walctl::formats::{Ending, Numbers, State, numbers_of};
use walctl::model::Verdict;
use walctl::ops::report::{Amount, Buckets, Pinned, SegmentStats, Stats, WriteGap, bucket_end};

use super::content;
use super::escape;
use super::json::Object;
use super::out::{Ink, Out};
use super::report::range_words;
use super::scope::{scope_json, scope_words};
use super::table::Table;
use super::traffic;
pub use scrape::openmetrics;
use walctl::model::units::{count, show_bytes, show_duration};

/// How many parts of the time the rate is shown for.
const PARTS: usize = 48;
/// Known holes that are told by themselves.
const HOLES: usize = 8;
const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// A number: its name, what it is, and its value where it has one.
pub type Metric = (&'static str, &'static str, Option<f64>);

/// Every number of a log that can be scraped, and asked about with `--fail-if`.
pub fn metrics(stats: &Stats) -> Vec<Metric> {
    let c = &stats.counts;
    let of = |n: u64| Some(n as f64);
    let age = c.times.map(|(_, last)| stats.now.0.saturating_sub(last.0) as f64 / 1e6);
    let pause = c.pauses.first().map(|p| p.micros as f64 / 1e6);
    let mut all = vec![
        ("segments", "Segments of the log.", of(stats.of_segments as u64)),
        ("records", "Whole records.", of(c.records)),
        ("first_lsn", "The first LSN.", c.lsns.map(|l| l.first.0 as f64)),
        ("last_lsn", "The last LSN.", c.lsns.map(|l| l.last.0 as f64)),
        ("plain_bytes", "Payload as the caller wrote it.", of(c.plain_bytes)),
        ("stored_bytes", "Payload as it is stored.", of(c.stored_bytes)),
        ("used_bytes", "Segments up to the end of their data.", of(stats.used_bytes())),
        ("file_bytes", "Segments with the room made ahead.", of(stats.file_bytes())),
        ("reserved_bytes", "Room made ahead.", of(stats.reserved_bytes())),
        ("write_amplification", "Used bytes for each byte of payload.", Some(stats.write_amplification())),
        ("compression_ratio", "Payload bytes for each byte stored.", Some(stats.compression_ratio())),
        ("groups", "Groups that one sync made durable.", of(c.groups)),
        ("frames_per_group", "Frames for each sync.", Some(stats.frames_per_group())),
        ("checkpoint_lsn", "State is safe elsewhere up to this LSN.", c.checkpoint.map(|(_, safe)| safe.0 as f64)),
        ("replay_records", "Records that a restart reads.", of(stats.replay_records)),
        ("replay_bytes", "Bytes that a restart reads.", of(stats.replay_bytes)),
        ("replay_seconds", "How long a restart reads, at the measured rate.", stats.replay_seconds()),
        ("open_transactions", "Transactions that have not ended.", of(c.open.len() as u64)),
        ("clean_shutdowns", "Times the log was closed.", of(c.closes)),
        ("longest_pause_seconds", "The longest time without a record.", pause),
        ("age_seconds", "The time since the last record.", age),
        ("damage", "Pieces of damage that were seen.", of(stats.damage)),
        ("unchecked_segments", "Segments that were not read: their seal was believed.", of(stats.unchecked)),
        ("live", "1 while a writer holds the log.", Some(f64::from(u8::from(stats.live.is_some())))),
    ];
    if !stats.scope.is_all() {
        all.iter_mut().filter(|metric| is_of_all(metric.0)).for_each(|metric| metric.2 = None);
    }
    all
}

/// Whether a number is true only of a whole log, and not of some of its records.
pub fn is_of_all(metric: &str) -> bool {
    const OF_ALL: [&str; 11] = [
        "used_bytes",
        "file_bytes",
        "reserved_bytes",
        "write_amplification",
        "checkpoint_lsn",
        "replay_records",
        "replay_bytes",
        "replay_seconds",
        "open_transactions",
        "clean_shutdowns",
        "age_seconds",
    ];
    OF_ALL.contains(&metric)
}

/// One log for programs, as one object.
pub fn json(out: &mut Out, stats: &Stats, top: usize) -> io::Result<()> {
    let c = &stats.counts;
    let kinds = c.kinds.iter().fold(Object::new(), |kinds, (kind, a)| kinds.put(kind, amount(Object::new(), a)));
    let tags = top_tags(&c.tags, top).into_iter().map(|(tag, a)| amount(Object::new().put("tag", tag), &a));
    let pause =
        |p: &WriteGap| Object::new().put("seconds", p.micros as f64 / 1e6).put("lsn", p.lsn).put("then_in_one_group", p.group);
    let mut object = Object::of("walctl.stats/1")
        .put("log", stats.log.display().to_string())
        .put("format", stats.format)
        .put("scope", scope_json(stats.scope))
        .put("scanned", stats.scanned)
        .put("live", stats.live.is_some())
        .put("writer_pid", stats.live)
        .put("verdict", stats.verdict_name())
        .put("first_time", c.times.map(|(first, _)| first))
        .put("last_time", c.times.map(|(_, last)| last))
        .put("ending", stats.ending.map(Ending::words))
        .put("frames", c.frames)
        .put("batches", c.batches)
        .put("kinds", kinds)
        .put("tags", tags.collect::<Vec<_>>())
        .put("all_tags_counted", !c.more_tags)
        .put("breakdowns", stats.breakdowns.all.iter().map(|breakdown| content::json(breakdown, top)).collect::<Vec<_>>())
        .put("prepared_transactions", stats.breakdowns.open.iter().map(String::as_str).collect::<Vec<_>>())
        .put("all_prepared_known", !stats.breakdowns.more_open)
        .put("untold_records", stats.breakdowns.untold)
        .put("frame_sizes", sizes(&c.sizes))
        .put("group_sizes", sizes(&c.group_sizes))
        .put("pads", amount(Object::new(), &c.pads))
        .put("frame_header_bytes", stats.frame_headers())
        .put("open_transaction_tags", c.open.iter().map(|(tag, _)| *tag).collect::<Vec<u64>>())
        .put("all_open_transactions_known", !c.more_open)
        .put("checkpoint_at_lsn", c.checkpoint.map(|(at, _)| at))
        .put("pauses", c.pauses.iter().map(pause).collect::<Vec<_>>())
        .put("rates", c.rates(PARTS))
        .put("scan_bytes_per_second", stats.scan_rate.map(f64::round).map(whole))
        .put("segments", stats.segments.iter().map(segment).collect::<Vec<_>>());
    for (name, _, number) in metrics(stats) {
        if let Some(key) = key_of(name) {
            object = object.put(key, number.map(whole));
        }
    }
    writeln!(out, "{}", traffic::add(object, stats.traffic).end())
}

/// The key of a number that scrapers get: counts say that they are counts. None where another key has it already.
fn key_of(metric: &'static str) -> Option<&'static str> {
    match metric {
        "segments" => Some("segments_count"),
        "damage" => Some("damage_count"),
        "open_transactions" => Some("open_transactions_count"),
        "frames" | "batches" | "live" | "scanned" | "frame_header_bytes" => None,
        other => Some(other),
    }
}

fn amount(object: Object, amount: &Amount) -> Object {
    object.put("count", amount.count).put("bytes", amount.bytes)
}

/// A number as an integer where it is one.
fn whole(number: f64) -> Value {
    if number.fract() == 0.0 && (0.0..9e15).contains(&number) { json!(number as u64) } else { json!(number) }
}

fn sizes(buckets: &Buckets) -> Object {
    let of = buckets.0.iter().enumerate().filter(|(_, n)| **n > 0);
    let bucket = |(index, count): (usize, &u64)| Object::new().put("up_to", bucket_end(index)).put("count", *count);
    [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("max", 1.0)]
        .into_iter()
        .fold(Object::new(), |object, (name, part)| object.put(name, buckets.at(part)))
        .put("histogram", of.map(bucket).collect::<Vec<_>>())
}

fn segment(s: &SegmentStats) -> Object {
    let pinned = match s.pinned {
        Pinned::Nothing => None,
        Pinned::Active => Some("active".to_owned()),
        Pinned::Checkpoint => Some("checkpoint".to_owned()),
        Pinned::Transaction(tag) => Some(format!("transaction {tag}")),
    };
    Object::new()
        .put("file", s.file.as_str())
        .put("state", s.state.name())
        .put("records", s.records)
        .put("checked", s.checked)
        .put("first_lsn", s.lsns.map(|lsns| lsns.first))
        .put("last_lsn", s.lsns.map(|lsns| lsns.last))
        .put("first_time", s.times.map(|(first, _)| first))
        .put("last_time", s.times.map(|(_, last)| last))
        .put("used_bytes", s.used)
        .put("file_bytes", s.file_bytes)
        .put("kept_by", pinned)
}

fn top_tags(tags: &BTreeMap<u64, Amount>, top: usize) -> Vec<(u64, Amount)> {
    let mut all: Vec<(u64, Amount)> = tags.iter().map(|(tag, amount)| (*tag, *amount)).collect();
    all.sort_by(|a, b| (b.1.bytes, b.1.count, a.0).cmp(&(a.1.bytes, a.1.count, b.0)));
    if top > 0 {
        all.truncate(top);
    }
    all
}

/// One log for people. `typed` are the flags that found it.
pub fn text(out: &mut Out, stats: &Stats, typed: &str, top: usize) -> io::Result<()> {
    let (c, whole) = (&stats.counts, stats.scope.is_all());
    head(out, stats, typed)?;
    line(out, "payload", &payload(stats))?;
    if whole {
        line(out, "on disk", &on_disk(stats))?;
        line(out, "overhead", &overhead(stats))?;
    }
    if c.frames > 0 {
        line(
            out,
            "payload sizes",
            &format!("{}, histogram by powers of two {}", quantiles(&c.sizes, show_bytes), spark(&trim(&c.sizes))),
        )?;
    }
    if c.groups > 0 {
        let mean = stats.frames_per_group();
        let text =
            format!("{mean:.1} frames for each of {}; {}", count(c.groups, "sync"), quantiles(&c.group_sizes, |n| n.to_string()));
        line(out, "groups", &text)?;
    }
    if let Some((first, last)) = c.times {
        let span = Duration::from_micros(last.0.saturating_sub(first.0));
        line(out, "time", &format!("{first} to {last}"))?;
        let per = c.records as f64 / span.as_secs_f64().max(1e-6);
        let rates = c.rates(PARTS);
        if span > Duration::ZERO {
            line(out, "", &format!("{}, {per:.0} records a second on average", show_duration(span)))?;
            let peak = rates.iter().max().copied().unwrap_or(0) as f64 * PARTS as f64 / span.as_secs_f64();
            line(out, "rate", &spark(&rates))?;
            line(out, "", &format!("highest {peak:.0} records a second, in {PARTS} parts of the time"))?;
        }
    }
    pauses(out, stats)?;
    if !whole {
        stats.traffic.map_or(Ok(()), |traffic| line(out, "asked for", &traffic::bill(traffic)))?;
        kinds_and_tags(out, stats, top)?;
        return content::tables(out, &stats.breakdowns, top);
    }
    line(out, "checkpoint", &checkpoint(stats))?;
    line(out, "restart", &restart(stats))?;
    transactions(out, stats)?;
    line(out, "shutdowns", &shutdowns(stats))?;
    stats.traffic.map_or(Ok(()), |traffic| line(out, "asked for", &traffic::bill(traffic)))?;
    kinds_and_tags(out, stats, top)?;
    content::tables(out, &stats.breakdowns, top)?;
    segments(out, stats, top)
}

fn pauses(out: &mut Out, stats: &Stats) -> io::Result<()> {
    let numbers = numbers_of(stats.format);
    let notable = |(index, p): &(usize, &WriteGap)| *index == 0 || p.micros >= 100_000;
    for (_, pause) in stats.counts.pauses.iter().enumerate().filter(notable) {
        let then = pause
            .group
            .map(|n| format!(", then {} in one group", if n == 1 { "1".into() } else { n.to_string() }))
            .unwrap_or_default();
        let span = show_duration(Duration::from_micros(pause.micros));
        let what = if matches!(numbers, Numbers::None) { "record" } else { "LSN" };
        line(out, "pause", &format!("no records for {span} before {what} {}{then}", numbers.show(pause.lsn)))?;
    }
    Ok(())
}

fn transactions(out: &mut Out, stats: &Stats) -> io::Result<()> {
    let c = &stats.counts;
    if !stats.breakdowns.open.is_empty() {
        let open = &stats.breakdowns.open;
        let names: Vec<&str> = open.iter().take(8).map(String::as_str).collect();
        let more = if open.len() > 8 || stats.breakdowns.more_open { ", ..." } else { "" };
        line(out, "transactions", &format!("{} without an end in this log: {}{more}", open.len(), names.join(", ")))?;
    } else if c.open.is_empty() && stats.ours.is_none() {
        // Nobody looked.
    } else if c.open.is_empty() {
        line(out, "transactions", if c.more_open { "perhaps open: there are too many to follow" } else { "none left open" })?;
    } else {
        let tags: Vec<String> = c.open.iter().take(8).map(|(tag, _)| tag.to_string()).collect();
        let more = if c.open.len() > 8 || c.more_open { " …" } else { "" };
        line(out, "transactions", &format!("{} left open: {}{more}", c.open.len(), tags.join(", ")))?;
    }
    Ok(())
}

/// What was counted, and what is not known of it.
fn head(out: &mut Out, stats: &Stats, typed: &str) -> io::Result<()> {
    let c = &stats.counts;
    let log = escape::line(&stats.log.display().to_string());
    let numbers = numbers_of(stats.format);
    let range = c.lsns.map(|lsns| format!(", LSN {}", numbers.show_range(lsns))).unwrap_or_default();
    let whole = stats.scope.is_all();
    let (all, records) = (count(stats.of_segments as u64, "segment"), count(c.records, "record"));
    let found = if whole { format!("in {all}") } else { format!("in {} of {all}", stats.segments.len()) };
    writeln!(out, "{log}: {records}{range}, {found} ({})", stats.format)?;
    if let Some(scope) = scope_words(stats.scope, numbers) {
        line(out, "only", &format!("records {scope}"))?;
    }
    if stats.verdict != Verdict::Clean {
        let word = out.paint(if stats.verdict > Verdict::Suspect { Ink::Bad } else { Ink::Warn }, stats.verdict);
        writeln!(out, "  {word}: {} of damage seen; what follows counts what is whole", count(stats.damage, "piece"))?;
        writeln!(out, "  next: walctl verify {}{typed}", escape::line(&crate::cli::hint::show(&stats.log)))?;
    }
    for lsns in stats.known_holes.iter().take(HOLES) {
        line(out, "known hole", &format!("{}: lost, and known to be", range_words(numbers, *lsns)))?;
    }
    if stats.known_holes.len() > HOLES {
        line(out, "", &format!("and {} more; walctl verify lists them", stats.known_holes.len() - HOLES))?;
    }
    if stats.unchecked > 0 {
        let why = match (whole, stats.scanned) {
            (false, _) => ": only the records that were asked for were counted",
            (true, true) => " that cannot be looked into",
            (true, false) => ", whose seals were believed; --scan reads them",
        };
        let text = format!("not checked: {}{why}", count(stats.unchecked, "segment"));
        line(out, "checked", &text)?;
    }
    Ok(())
}

fn line(out: &mut Out, name: &str, text: &str) -> io::Result<()> {
    let text = escape::line(text);
    // Long lines go on below, after the names.
    let mut rest = text.as_str();
    let mut name = name;
    loop {
        let cut = if rest.chars().count() <= 64 {
            rest.len()
        } else {
            let limit = rest.char_indices().nth(64).map_or(rest.len(), |(at, _)| at);
            rest[..limit].rfind(' ').unwrap_or(limit)
        };
        writeln!(out, "  {name:<13} {}", &rest[..cut])?;
        rest = rest[cut..].trim_start();
        name = "";
        if rest.is_empty() {
            return Ok(());
        }
    }
}

fn payload(stats: &Stats) -> String {
    let c = &stats.counts;
    if c.plain_bytes == c.stored_bytes {
        return show_bytes(c.stored_bytes);
    }
    format!("{}, stored as {}: {:.2} to 1", show_bytes(c.plain_bytes), show_bytes(c.stored_bytes), stats.compression_ratio())
}

fn on_disk(stats: &Stats) -> String {
    let damaged = match stats.damaged_bytes() {
        0 => String::new(),
        bytes => format!(", {} of damage behind the last whole record", show_bytes(bytes)),
    };
    let reserved = match stats.reserved_bytes() {
        0 => String::new(),
        bytes => format!(", and {} reserved", show_bytes(bytes)),
    };
    format!("{} used{damaged}{reserved}", show_bytes(stats.used_bytes()))
}

fn overhead(stats: &Stats) -> String {
    let c = &stats.counts;
    let used = stats.used_bytes();
    let (Some(ours), Some(frame_headers), 1..) = (stats.ours, stats.frame_headers(), used) else {
        return match c.plain_bytes {
            0 => "no payload to compare with".into(),
            _ => format!("{:.2} bytes written for each byte of payload", stats.write_amplification()),
        };
    };
    let headers = ours.segment_header * stats.segments.iter().filter(|s| s.used > 0).count() as u64;
    let rest = used.saturating_sub(headers + frame_headers + c.stored_bytes + c.pads.bytes);
    format!(
        "{:.2} bytes written for each byte of payload: frame headers {}, segment headers {}, padding {}, alignment and seals {}",
        stats.write_amplification(),
        show_bytes(frame_headers),
        show_bytes(headers),
        show_bytes(c.pads.bytes),
        show_bytes(rest)
    )
}

fn quantiles(buckets: &Buckets, show: impl Fn(u64) -> String) -> String {
    let at = |part| show(buckets.at(part));
    format!("half up to {}, 90% up to {}, 99% up to {}, all up to {}", at(0.5), at(0.9), at(0.99), at(1.0))
}

/// The buckets from the first to the last that is not empty.
fn trim(buckets: &Buckets) -> Vec<u64> {
    let first = buckets.0.iter().position(|n| *n > 0).unwrap_or(0);
    let last = buckets.0.iter().rposition(|n| *n > 0).unwrap_or(0);
    buckets.0[first..=last].to_vec()
}

/// Numbers as bars; a blank is nothing at all.
fn spark(numbers: &[u64]) -> String {
    let most = numbers.iter().max().copied().unwrap_or(0).max(1);
    let bar = |n: &u64| match *n {
        0 => ' ',
        n => BARS[((u128::from(n) * 8).div_ceil(u128::from(most)) as usize).clamp(1, 8) - 1],
    };
    numbers.iter().map(bar).collect::<String>().trim_end().to_owned()
}

fn checkpoint(stats: &Stats) -> String {
    match stats.counts.checkpoint {
        None => "none in the log".into(),
        Some((at, safe)) => format!("safe elsewhere up to LSN {safe}, said by LSN {at}"),
    }
}

fn restart(stats: &Stats) -> String {
    let time = match (stats.replay_seconds(), stats.scan_rate) {
        (Some(seconds), Some(rate)) => {
            let span = show_duration(Duration::from_secs_f64(seconds.min(1e9)));
            format!(", about {span} at {}/s", show_bytes(rate as u64))
        }
        _ => ", at once".into(),
    };
    format!("{} to read, {}{time}", count(stats.replay_records, "record"), show_bytes(stats.replay_bytes))
}

fn shutdowns(stats: &Stats) -> String {
    let clean = count(stats.counts.closes, "clean one");
    match (stats.live, stats.ending) {
        (Some(0), _) => format!("{clean}; a writer has it open now"),
        (Some(pid), _) => format!("{clean}; process {pid} has it open now"),
        (None, Some(Ending::Closed | Ending::Sealed)) => format!("{clean}; the last one was clean"),
        (None, None) => "nothing was ever written".into(),
        (None, _) if stats.ours.is_some() => format!("{clean}; the last one was not: no Close at the end"),
        (None, _) => "the format does not say".into(),
    }
}

fn kinds_and_tags(out: &mut Out, stats: &Stats, top: usize) -> io::Result<()> {
    let c = &stats.counts;
    if c.frames == 0 {
        return Ok(());
    }
    writeln!(out)?;
    let share = |bytes: u64| format!("{:.1}%", bytes as f64 * 100.0 / (c.stored_bytes.max(1)) as f64);
    let mut table = Table::new(out, &["kind", ">frames", ">stored", ">share"]);
    for (kind, amount) in &c.kinds {
        table.row([escape::line(kind), amount.count.to_string(), show_bytes(amount.bytes), share(amount.bytes)]);
    }
    table.write(out)?;
    if c.tags.len() < 2 {
        return Ok(());
    }
    writeln!(out)?;
    let mut table = Table::new(out, &["tag", ">frames", ">stored", ">share"]);
    let shown = top_tags(&c.tags, top);
    for (tag, amount) in &shown {
        table.row([tag.to_string(), amount.count.to_string(), show_bytes(amount.bytes), share(amount.bytes)]);
    }
    let (frames, bytes) = shown.iter().fold((0, 0), |(n, b), (_, a)| (n + a.count, b + a.bytes));
    if frames < c.frames {
        let bytes = c.stored_bytes.saturating_sub(bytes);
        table.row(["others".to_owned(), (c.frames - frames).to_string(), show_bytes(bytes), share(bytes)]);
    }
    table.write(out)
}

fn segments(out: &mut Out, stats: &Stats, top: usize) -> io::Result<()> {
    writeln!(out)?;
    let numbers = numbers_of(stats.format);
    let all = stats.segments.len();
    let from = if top == 0 { 0 } else { all.saturating_sub(top) };
    let mut table = Table::new(out, &["segment", ">LSN", ">time", ">used", ">free", "state", "kept by"]);
    for s in &stats.segments[from..] {
        let span = s.times.map(|(a, b)| show_duration(Duration::from_micros(b.0.saturating_sub(a.0)))).unwrap_or_default();
        let pinned = match s.pinned {
            Pinned::Nothing => "nothing".to_owned(),
            Pinned::Active => "active".to_owned(),
            Pinned::Checkpoint if stats.counts.checkpoint.is_none() => "no checkpoint".to_owned(),
            Pinned::Checkpoint => "checkpoint".to_owned(),
            Pinned::Transaction(tag) => format!("txn {tag}"),
        };
        table.inked_row([
            (short(&s.file), None),
            (s.lsns.map(|lsns| numbers.show_range(lsns)).unwrap_or_default(), None),
            (span, None),
            (show_bytes(s.used), None),
            (show_bytes(s.file_bytes.saturating_sub(s.used + s.damaged)), None),
            (s.state.name().to_owned(), (s.state == State::Active).then_some(Ink::Strong)),
            (pinned, None),
        ]);
    }
    table.write(out)?;
    if from > 0 {
        writeln!(out, "and {} before; --top 0 shows them all", count(from as u64, "segment"))?;
    }
    Ok(())
}

/// A segment's name without the zeros in front: twenty digits leave no room for anything else.
fn short(file: &str) -> String {
    let name = escape::line(file);
    match name.strip_suffix(".wal").map(|digits| digits.trim_start_matches('0')) {
        Some(digits) if name.len() == 24 => format!("…{digits}.wal"),
        _ => name,
    }
}
