//! Our own segments, seen as a format.
//!
//! ```text
//! | header, 4096 bytes | frame | frame | … | zeros to the end of the file |
//! frame: | "WLF1" | sum u32 | length u32 | kind u8 | flags u8 | unsynced u16 | LSN u64 | time u64 | tag u64 | payload … | pad to 8 |
//! ```
//! A frame is valid when its sum fits, started from a seed that is bound to the log, the segment and the frame's own offset. All of
//! it is on the format page.

use super::ends::{ends, header, trailer};
use super::hole::hole;
use super::join::{join, read_own, write_own};
use super::walk::walk;
use crate::disk::{Lock, LockKind};
use crate::formats::{Format, Likeness, Mend, Mending, Numbers, Ours, Sample, numbered};
use crate::model::Lsn;
use crate::native::{FRAME_HEADER, FRAME_MAGIC, FrameKind, HEADER_BYTES, LOCK, MAGIC, parse_cut_name, segment_lsn, segment_name};

/// Logs that walctl itself writes.
pub const FORMAT: Format = Format {
    name: "native",
    aliases: &[],
    title: "walctl's own log",
    protects: "headers, frames and payloads; not the zeros between them",
    kinds: &KINDS,
    encrypted: true,
    numbers: Numbers::Counted,
    layout: |folder| numbered(folder, |name| segment_lsn(name).map(|lsn| lsn.0)),
    recognise,
    walk,
    join,
    mending: Mending::Asked(|_, _, _| Mend::Cut),
    lock: Some(Lock { name: LOCK, kind: LockKind::Flock }),
    restore: None,
    header: Some(header),
    trailer: Some(trailer),
    ends: Some(ends),
    around: None,
    ours: Some(&OURS),
    decode: None,
    count: None,
    drawing: |_| {
        &[
            ("magic", 0, 4),
            ("sum", 4, 4),
            ("length", 8, 4),
            ("kind", 12, 1),
            ("flags", 13, 1),
            ("unsynced", 14, 2),
            ("lsn", 16, 8),
            ("time", 24, 8),
            ("tag", 32, 8),
        ]
    },
    private: None,
    unprotected: "",
    words: &["padding-not-zero", "header-reserve-not-zero", "unfinished-write"],
    write_own,
    read_own,
};

const OURS: Ours = Ours {
    segment_header: HEADER_BYTES,
    frame_header: FRAME_HEADER as u64,
    leaves: |name| name == LOCK || parse_cut_name(name).is_some(),
    name: segment_name,
    hole,
};

const KINDS: [&str; FrameKind::ALL.len()] = {
    let mut names = [""; FrameKind::ALL.len()];
    let mut index = 0;
    while index < names.len() {
        names[index] = FrameKind::ALL[index].name();
        index += 1;
    }
    names
};

fn recognise(sample: &Sample<'_>) -> Likeness {
    // LSNs begin at 1: an empty file named 0 is another format's.
    let named = sample.name.is_none_or(|name| segment_lsn(name).is_some_and(|lsn| lsn >= Lsn::FIRST));
    // Half of the magic is enough: what is damaged there is for the walk to say.
    let alike = sample.head.iter().zip(&MAGIC).filter(|(a, b)| a == b).count();
    let frame = sample.head.get(HEADER_BYTES as usize..).is_some_and(|rest| rest.starts_with(&FRAME_MAGIC));
    if alike == MAGIC.len() || alike >= 6 && named || frame && named {
        return Likeness::Sure;
    }
    let blank = sample.head.iter().all(|b| *b == 0);
    let ours = sample.beside.iter().any(|e| (OURS.leaves)(&e.name));
    match (sample.name.is_some() && named, blank) {
        (true, true) if ours => Likeness::Sure,
        // A half header, or nothing: the name is ours, and not ours alone.
        (true, _) if blank || sample.head.len() < MAGIC.len() && MAGIC.starts_with(sample.head) => Likeness::Maybe,
        // The header may be destroyed with frames after it further on.
        (true, false) if memchr::memmem::find(sample.head, &FRAME_MAGIC).is_some_and(|at| at % 8 == 0) => Likeness::Maybe,
        _ => Likeness::No,
    }
}
