//! What records of Prometheus mean: which series, which samples, from when to when.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::super::{CountedPart, Decoded, Decoder, Halt, Item, Sink, Visit, Want, plain, words};
use super::log::checkpoint_of;
use super::records::{Logged, each};
use crate::disk::Source;
use crate::model::{Keys, Time};

/// This value says that a series ended there, and is no number.
const STALE: u64 = 0x7FF0_0000_0000_0002;
/// So many things of a record are named in its sentence.
const NAMED: usize = 3;
/// Labels of no more series are kept, and a record lists no more things: both are bounded by what a server keeps in memory.
pub const MOST: usize = 1 << 20;

/// Names of series by their numbers, as `name{label="value"}`.
type Names = HashMap<u64, String>;

/// The decoder of one log.
pub fn decode(source: &Source) -> Decoder {
    let source = source.clone();
    let mut names: Option<Names> = None;
    Box::new(move |record, payload, decoded| {
        if record.kind == "unknown" {
            return;
        }
        let names = names.get_or_insert_with(|| names_of(&source));
        let mut things = Vec::new();
        let whole = each(payload, &mut |thing| {
            if things.len() < MOST {
                things.push(thing);
            }
        });
        if whole == Some(true) {
            say(record.kind, &things, names, decoded);
        }
    })
}

/// Labels in the form in which people query them; everything that could break out of it is escaped.
fn name(labels: &[(&[u8], &[u8])]) -> String {
    let metric = metric_of(labels);
    let quoted = |value: &[u8]| words(value).replace('\\', "\\\\").replace('"', "\\\"");
    let rest: Vec<String> = labels
        .iter()
        .filter(|(label, _)| *label != b"__name__")
        .map(|(label, value)| format!("{}=\"{}\"", words(label), quoted(value)))
        .collect();
    if rest.is_empty() && !metric.is_empty() { metric } else { format!("{metric}{{{}}}", rest.join(",")) }
}

/// The series of a log and, for a `wal`, those of its newest checkpoint; for a `wbl`, those of the `wal` beside it.
fn names_of(source: &Source) -> Names {
    let mut names = Names::new();
    names_before(source, CountedPart::Some, &mut |number, labels| {
        if names.len() < MOST {
            names.insert(number, name(labels));
        }
    });
    names
}

/// Takes the number and the labels of a series.
type TakeSeries<'t> = dyn FnMut(u64, &[(&[u8], &[u8])]) + 't;

/// The same, one series after the other; those of the log itself only if its records are not all given anyway.
pub fn names_before(source: &Source, given: CountedPart, take: &mut TakeSeries<'_>) {
    let folder = source.dir.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    if folder == "wbl" {
        if let Some(beside) = source.dir.parent().and_then(|data| open(source, &data.join("wal"))) {
            with_checkpoint(&beside, take);
            collect(&beside, take);
        }
    } else if checkpoint_of(&folder).is_none() {
        with_checkpoint(source, take);
    }
    if given == CountedPart::Some {
        collect(source, take);
    }
}

/// The metric of a series; empty where it has none.
pub fn metric_of(labels: &[(&[u8], &[u8])]) -> String {
    labels.iter().find(|(label, _)| *label == b"__name__").map_or_else(String::new, |(_, value)| words(value))
}

fn open(source: &Source, dir: &std::path::Path) -> Option<Source> {
    super::format::FORMAT.log_in(source.disk.clone(), dir).ok()
}

fn with_checkpoint(source: &Source, take: &mut TakeSeries<'_>) {
    let newest = source.others.iter().filter_map(|name| Some((checkpoint_of(name)?, name))).max();
    if let Some(checkpoint) = newest.and_then(|(_, name)| open(source, &source.dir.join(name))) {
        collect(&checkpoint, take);
    }
}

/// Adds the series of one log; what cannot be read is left out.
fn collect(source: &Source, series: &mut TakeSeries<'_>) {
    for segment in source.segments.iter().chain(&source.beyond) {
        // A stream is read once, and its reader is under way.
        if source.file(segment).ok().and_then(|file| file.identity()).is_none() {
            return;
        }
        let mut take = |item: Item<'_>| -> Result<(), Halt> {
            if let Item::Record(record) = item
                && record.kind == "series"
                && let Some(bytes) = record.payload.whole()
            {
                each(bytes, &mut |thing| {
                    if let Logged::Series(number, labels) = thing {
                        series(number, &labels);
                    }
                });
            }
            Ok(())
        };
        let visit = Visit { source, segment, keys: &Keys::default(), want: Want::default() };
        let _ = super::format::FORMAT.walk(&visit, &mut Sink::new(&mut take));
    }
}

/// A time as people read it, and as it is stored where it lies before 1970.
fn time(milliseconds: i64) -> String {
    let micros = u64::try_from(milliseconds).ok().and_then(|ms| ms.checked_mul(1000));
    micros.map_or_else(|| format!("{milliseconds} ms"), |micros| Time(micros).to_string())
}

fn number_words(value: f64) -> String {
    if value.to_bits() == STALE { "stale".to_owned() } else { value.to_string() }
}

fn number_fact(value: f64) -> Value {
    // JSON has no numbers that are none, or without an end.
    if value.is_finite() { value.into() } else { number_words(value).into() }
}

/// What a series is called; `None` where no record before says it, so that the server drops its samples.
struct Called<'n> {
    known: Option<&'n str>,
    number: u64,
}

impl Called<'_> {
    fn fact(&self) -> (&'static str, Value) {
        match self.known {
            Some(name) => ("series", name.into()),
            None => ("unknown_ref", self.number.into()),
        }
    }

    fn words(&self) -> String {
        self.known.map_or_else(|| format!("unknown series {}", self.number), str::to_owned)
    }
}

fn object(pairs: impl IntoIterator<Item = (&'static str, Value)>) -> Value {
    Value::Object(pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

/// What a series is called in a record.
fn called(number: u64, names: &Names) -> Called<'_> {
    Called { known: names.get(&number).map(String::as_str), number }
}

/// One thing of a record, for programs.
fn thing_facts(thing: &Logged<'_>, names: &Names) -> Value {
    let texts = |labels: &[(&[u8], &[u8])]| -> Value {
        Value::Array(labels.iter().map(|(name, value)| json!([plain(name), plain(value)])).collect())
    };
    let series = |number: &u64| called(*number, names).fact();
    match thing {
        Logged::Series(number, labels) => json!({"ref": number, "series": name(labels), "labels": texts(labels)}),
        Logged::Sample(number, at, value) => object([series(number), ("value", number_fact(*value)), ("time", time(*at).into())]),
        Logged::Tombstone(number, from, to) => object([series(number), ("from", time(*from).into()), ("to", time(*to).into())]),
        Logged::Exemplar(number, at, value, labels) => {
            object([series(number), ("labels", texts(labels)), ("value", number_fact(*value)), ("time", time(*at).into())])
        }
        Logged::Marker(number, chunk) => {
            let (file, offset) = chunk_place(*chunk);
            object([series(number), ("chunk_file", file.into()), ("chunk_offset", offset.into())])
        }
        Logged::Metadata(number, kind, labels) => {
            object([series(number), ("metric_type", metric_kind(*kind).into()), ("metadata", texts(labels))])
        }
        Logged::Histogram(number, at, outline) => object([
            series(number),
            ("count", number_fact(outline.count)),
            ("sum", number_fact(outline.sum)),
            ("schema", outline.schema.into()),
            ("buckets", outline.buckets.into()),
            ("time", time(*at).into()),
        ]),
    }
}

/// The same for people.
fn thing_words(thing: &Logged<'_>, names: &Names) -> String {
    let series = |number: &u64| called(*number, names).words();
    match thing {
        Logged::Series(_, labels) => name(labels),
        Logged::Sample(number, at, value) => format!("{} {} {}", series(number), number_words(*value), time(*at)),
        Logged::Tombstone(number, from, to) => format!("{} deleted from {} to {}", series(number), time(*from), time(*to)),
        Logged::Exemplar(number, at, value, labels) => {
            format!("{} {} {} {}", series(number), name(labels), number_words(*value), time(*at))
        }
        Logged::Marker(number, chunk) => {
            let (file, offset) = chunk_place(*chunk);
            format!("{} in chunk file {file} at {offset}", series(number))
        }
        Logged::Metadata(number, kind, labels) => {
            let said: Vec<String> = labels.iter().map(|(name, value)| format!("{} {}", words(name), words(value))).collect();
            format!("{} is a {} {}", series(number), metric_kind(*kind), said.join(", "))
        }
        Logged::Histogram(number, at, outline) => format!(
            "{} histogram of {}, sum {}, schema {}, {} buckets {}",
            series(number),
            number_words(outline.count),
            number_words(outline.sum),
            outline.schema,
            outline.buckets,
            time(*at)
        ),
    }
}

/// The chunk file and the place in it that a marker names.
const fn chunk_place(chunk: u64) -> (u64, u64) {
    (chunk >> 32, chunk & 0xFFFF_FFFF)
}

fn metric_kind(kind: u8) -> &'static str {
    const KINDS: [&str; 8] = ["unknown", "counter", "gauge", "histogram", "gauge histogram", "summary", "info", "state set"];
    KINDS.get(usize::from(kind)).copied().unwrap_or("unknown")
}

fn say(kind: &str, things: &[Logged<'_>], names: &Names, decoded: &mut Decoded<'_>) {
    let times = || {
        things.iter().filter_map(|thing| match thing {
            Logged::Sample(_, at, _) | Logged::Exemplar(_, at, ..) | Logged::Histogram(_, at, _) => Some(*at),
            Logged::Series(..) | Logged::Tombstone(..) | Logged::Marker(..) | Logged::Metadata(..) => None,
        })
    };
    let dropped = things
        .iter()
        .filter(|thing| match thing {
            Logged::Sample(series, ..) | Logged::Exemplar(series, ..) | Logged::Histogram(series, ..) => {
                !names.contains_key(series)
            }
            Logged::Series(..) | Logged::Tombstone(..) | Logged::Marker(..) | Logged::Metadata(..) => false,
        })
        .count();
    decoded.fact("items", things.len());
    let mut sentence = format!("{} {}", things.len(), kind.replace('_', " "));
    if let (Some(first), Some(last)) = (times().min(), times().max()) {
        decoded.fact("first_time", time(first));
        decoded.fact("last_time", time(last));
    }
    if dropped > 0 {
        decoded.fact("unknown_series", dropped);
        sentence += &format!(", {dropped} of unknown series, which Prometheus drops");
    }
    let mut said: Vec<String> = things.iter().take(NAMED).map(|thing| thing_words(thing, names)).collect();
    if things.len() > NAMED {
        said.push(format!("{} more", things.len() - NAMED));
    }
    decoded.sentence = format!("{sentence}: {}", said.join("; "));
    if decoded.wants_facts() {
        decoded.fact("list", Value::Array(things.iter().map(|thing| thing_facts(thing, names)).collect()));
    }
}
