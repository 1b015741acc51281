//! The format of nodedb (crate nodedb-wal), releases 0.1 to 0.6: how its segments are recognised, drawn, and filled after a cut.

use super::join::sequence;
use super::record::{self, Header, Layout};
use super::{dwb, join, preamble, walk};
use crate::disk::{Segment, Source, crc32c};
use crate::formats::{Drawing, Format, Likeness, Mend, Mending, Numbers, Sample, Sink, Visit, Want, numbered};
use crate::model::{Error, Keys, Record, Value};

/// nodedb's log.
pub const FORMAT: Format = Format {
    name: "nodedb",
    aliases: &[],
    title: "nodedb WAL",
    protects: "CRC-32C over each record's header and stored payload; the preamble of encrypted segments only through decryption; \
               padding of direct writes of releases 0.1 to 0.4 not at all",
    kinds: record::KINDS,
    encrypted: true,
    numbers: Numbers::Counted,
    layout: |folder| numbered(folder, sequence),
    recognise,
    walk: walk::walk,
    join: join::join,
    mending: Mending::Asked(|_, _, _| Mend::CutAndFill(fill)),
    lock: None,
    restore: Some(dwb::restore),
    header: None,
    trailer: None,
    ends: None,
    around: None,
    ours: None,
    decode: None,
    count: None,
    drawing,
    private: None,
    // Padding bears nothing, and a changed preamble opens no payload.
    unprotected: "",
    words: &[
        "filler-restarts-lsns",
        "two-header-sizes",
        "overwritten-after-unknown-kind",
        "direct-reopen-overwrote-tail",
        "remains-of-a-torn-record",
        "lsn-goes-back",
        "no-key-fits",
        "plaintext-record-in-encrypted-segment",
        "unknown-required-record-type",
        "unknown-kind-before-last",
        "records-behind-direct-io-gap",
        "unaligned-end",
        "copy-in-double-write-file",
    ],
    write_own: join::write_own,
    read_own: join::read_own,
};

/// The headers of both layouts: releases 0.6 put three fields more before the checksum.
fn drawing(record: &Record<'_>) -> Drawing {
    const LONG: [(&str, usize, usize); 12] = [
        ("magic", 0, 4),
        ("version", 4, 2),
        ("type", 6, 4),
        ("lsn", 10, 8),
        ("tenant", 18, 8),
        ("vshard", 26, 4),
        ("length", 30, 4),
        ("database", 34, 8),
        ("apply key", 42, 8),
        ("source", 50, 1),
        ("hlc", 51, 8),
        ("checksum", 59, 4),
    ];
    const SHORT: [(&str, usize, usize); 10] = {
        let mut fields = [("", 0, 0); 10];
        let mut at = 0;
        while at < 8 {
            fields[at] = LONG[at];
            at += 1;
        }
        fields[8] = ("reserved", 42, 8);
        fields[9] = ("checksum", 50, 4);
        fields
    };
    let bytes = record.fields.iter().find(|f| f.name == "header_bytes").map(|f| f.value);
    if matches!(bytes, Some(Value::Number(54))) { &SHORT } else { &LONG }
}

fn recognise(sample: &Sample<'_>) -> Likeness {
    let named = sample.name.is_some_and(|name| sequence(name).is_some());
    let start = if sample.head.starts_with(&preamble::MAGIC) { preamble::BYTES } else { 0 };
    let whole = |at: usize| {
        Layout::BOTH.into_iter().any(|layout| {
            let rest = &sample.head[at..];
            Header::read(rest, layout).filter(Header::plausible).is_some_and(|header| {
                let total = usize::try_from(header.total()).unwrap_or(usize::MAX);
                let payload = rest.get(layout.size()..total);
                payload.is_some_and(|p| crc32c(crc32c(0, &rest[..layout.sum_at()]), p) == header.sum)
            })
        })
    };
    let begins = sample.head.get(start..).is_some_and(|rest| rest.starts_with(&record::MAGIC));
    if (start <= sample.head.len() && whole(start)) || (named && begins) {
        return Likeness::Sure;
    }
    // The first record may be damaged; a later one proves as much. A few places are enough.
    if memchr::memmem::find_iter(sample.head, &record::MAGIC).take(1000).any(whole) {
        return Likeness::Sure;
    }
    if named || begins { Likeness::Maybe } else { Likeness::No }
}

/// The Noop record that fills a segment of 0.6 up to the next block after a cut. Without it a direct-I/O opening rounds down and
/// overwrites the records of the last partial block. Short headers get none: 0.2.1 would take LSN 0 for a record.
fn fill(source: &Source, segment: &Segment, cut: u64) -> Result<Vec<u8>, Error> {
    let keys = Keys::default();
    let visit = Visit { source, segment, keys: &keys, want: Want::default() };
    let mut last = None;
    let mut take = |item: crate::formats::Item<'_>| {
        if let crate::formats::Item::Record(record) = item
            && record.span.end() <= cut
        {
            let long = record.fields.iter().any(|f| f.name == "apply_key");
            last = Some(if long { Layout::Long } else { Layout::Short });
        }
        Ok(())
    };
    match walk::walk(&visit, &mut Sink::new(&mut take)) {
        Ok(_) | Err(crate::formats::Halt::Enough) => {}
        Err(crate::formats::Halt::Failed(error)) => return Err(error),
    }
    Ok(last.map(|layout| record::filler_behind(layout, cut)).unwrap_or_default())
}
