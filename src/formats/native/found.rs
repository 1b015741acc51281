//! What a walk finds wrong between whole frames, put into words.

use super::assemble::{Unit, Unopened};
use crate::model::{Damage, DamageKind, Facts, Look, Lsn, LsnRange, SegmentId, Span, Warning};
use crate::native::{FrameHeader, HEADER_USED};

fn in_frame(segment: SegmentId, offset: u64, kind: DamageKind, header: &FrameHeader, look: Look) -> Damage {
    Damage {
        kind,
        span: Span::new(segment, offset, offset + header.span()),
        lsn: Some(header.lsn),
        doubt: LsnRange::new(header.lsn, header.lsn),
        expected: String::new(),
        found: String::new(),
        facts: Facts::of(look),
    }
}

/// A frame that is not encrypted, in a segment that is.
pub fn plaintext(segment: SegmentId, offset: u64, header: &FrameHeader) -> Damage {
    Damage {
        expected: format!("an encrypted payload in frame {}, for the segment is encrypted", header.lsn),
        found: "a payload that is not encrypted, and is not handed out".into(),
        ..in_frame(segment, offset, DamageKind::PlaintextFrame, header, Look::Altered)
    }
}

/// A segment's header that does not say that payloads are encrypted, where this frame is.
pub fn unflagged(segment: SegmentId, begins: Option<Lsn>, header: &FrameHeader) -> Damage {
    Damage {
        kind: DamageKind::BadHeader,
        span: Span::new(segment, 0, HEADER_USED as u64),
        lsn: begins,
        doubt: None,
        expected: "a header that says that payloads are encrypted".into(),
        found: format!("one that does not, and frame {} is encrypted", header.lsn),
        facts: Facts::of(Look::Altered),
    }
}

/// Padding after a payload that is not zero.
pub fn padding(span: Span, header: &FrameHeader) -> Warning {
    let text = format!("the padding behind frame {} is not zero; no checksum covers it, and no record is affected", header.lsn);
    Warning { name: "padding-not-zero", span, text }
}

/// A frame with another LSN than was due, and no bytes between to blame.
pub fn jump(segment: SegmentId, offset: u64, due: Lsn, header: &FrameHeader) -> Damage {
    let back = header.lsn <= due;
    Damage {
        kind: if back { DamageKind::LsnBack } else { DamageKind::LsnGap },
        span: Span::new(segment, offset, if back { offset + header.span() } else { offset }),
        lsn: Some(due),
        doubt: header.lsn.before().and_then(|last| LsnRange::new(due, last)),
        expected: format!("LSN {due}"),
        found: format!("LSN {}", header.lsn),
        facts: Facts::of(if back { Look::Mixed } else { Look::Absent }),
    }
}

/// A payload that cannot be opened.
pub fn bad_payload(segment: SegmentId, offset: u64, header: &FrameHeader, unopened: Unopened) -> Damage {
    Damage {
        expected: format!("a payload that opens, in frame {}", header.lsn),
        found: unopened.why,
        ..in_frame(segment, offset, DamageKind::BadPayload, header, unopened.look)
    }
}

/// A whole frame that is not given out, because it is part of something that is not whole.
pub fn withheld(segment: SegmentId, offset: u64, kind: DamageKind, header: &FrameHeader, look: Look) -> Damage {
    let (expected, found) = match kind {
        DamageKind::BrokenBatch => ("a whole batch", "a record of the batch that was hurt before it"),
        _ => ("the first fragment of the record", "a fragment without it"),
    };
    Damage { expected: expected.to_owned(), found: found.to_owned(), ..in_frame(segment, offset, kind, header, look) }
}

/// A batch or a record whose end is lacking at this offset.
pub fn unfinished(segment: SegmentId, offset: u64, unit: &Unit, look: Look) -> Damage {
    let (kind, what) = match unit.batch {
        true => (DamageKind::BrokenBatch, "batch"),
        false => (DamageKind::BrokenRecord, "record"),
    };
    Damage {
        kind,
        span: Span::new(segment, unit.start, offset),
        lsn: Some(unit.first),
        doubt: LsnRange::new(unit.first, unit.last),
        expected: format!("the rest of the {what} that begins with LSN {}", unit.first),
        found: format!("its frames up to LSN {} and no more", unit.last),
        facts: Facts::of(look),
    }
}

/// The file became shorter or unreadable under its mapping: what was handed out of it may be wrong.
pub fn shrunk(segment: SegmentId, length: u64, begins: Option<Lsn>) -> Damage {
    Damage {
        kind: DamageKind::ReadError,
        span: Span::new(segment, 0, length),
        lsn: begins,
        doubt: None,
        expected: "a file that stays as it is".into(),
        found: "it became shorter or unreadable while it was read".into(),
        facts: Facts::of(Look::Refused),
    }
}
