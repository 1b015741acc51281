//! The format of allsource (crate allsource-core), releases 0.16 to 0.27: what it states, and how its segments are recognised.

use super::join::sequence;
use super::walk::START;
use super::{join, walk};
use crate::formats::{Format, Likeness, Mend, Mending, Numbers, Sample, numbered};

/// allsource's log.
pub const FORMAT: Format = Format {
    name: "allsource",
    aliases: &[],
    title: "allsource WAL",
    protects: "CRC-32 over sequence, append time and event id only: a changed payload, entity, tenant, type, metadata, event time or \
               version that is still JSON cannot be seen",
    kinds: &["event"],
    encrypted: false,
    numbers: Numbers::Counted,
    layout: |folder| numbered(folder, sequence),
    recognise,
    walk: walk::walk,
    join: join::join,
    mending: Mending::Asked(|_, _, _| Mend::Cut),
    lock: None,
    restore: None,
    header: None,
    trailer: None,
    ends: None,
    around: None,
    ours: None,
    decode: None,
    count: None,
    drawing: |_| &[("sequence", 0, 12)],
    private: None,
    unprotected: "the checksum covers sequence, append time and event id alone: a payload, entity, tenant, type, metadata, event time or \
                  version that changed and is still JSON looks as good",
    words: &["missing-final-newline", "nested-too-deep", "invalid-utf8-line", "entry-inside-bad-line", "sequences-jump"],
    write_own: join::write_own,
    read_own: join::read_own,
};

fn recognise(sample: &Sample<'_>) -> Likeness {
    let named = sample.name.is_some_and(|name| sequence(name).is_some());
    let mut lines = sample.head.split(|b| *b == b'\n');
    let mut begun = lines.clone().take(64).any(|line| line.starts_with(START));
    // Under another name, an entry must prove itself; a line longer than the sample cannot.
    if !named {
        begun = begun && lines.any(|line| super::entry::read(line.strip_suffix(b"\r").unwrap_or(line)).is_ok());
    }
    match (named, begun) {
        (_, true) => Likeness::Sure,
        (true, false) => Likeness::Maybe,
        (false, false) => Likeness::No,
    }
}
