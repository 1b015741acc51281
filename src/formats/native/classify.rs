//! What a bad region is: its kind, how far it goes, and whether it looks like an interrupted write.

use super::found;
use crate::model::{DamageKind, Look, Lsn, SegmentId, Span, Warning};
use crate::native::{Check, FRAME_HEADER, FRAME_MAGIC, FrameHeader, FrameKind, FrameReader, HEADER_BYTES};

/// A bad region that was classified.
pub struct Region {
    /// What it is.
    pub kind: DamageKind,
    /// Where it ends.
    pub end: u64,
    /// What its bytes look like.
    pub look: Look,
    /// What should have stood there.
    pub expected: String,
    /// What stands there.
    pub found: String,
    /// The header of the bad frame, as far as it can be trusted to tell what the frame was.
    pub legible: Option<FrameHeader>,
}

impl Region {
    fn new(kind: DamageKind, end: u64, look: Look, expected: String, found: String) -> Region {
        Region { kind, end, look, expected, found, legible: None }
    }
}

/// Classifies what stands at `start`, where frame `due` should. `next` is where the next valid frame is, `content_end` the end of
/// what is not zero when there is none.
pub fn classify(reader: &mut FrameReader, check: Check, (start, due): (u64, Lsn), next: Option<u64>, content_end: u64) -> Region {
    let length = reader.cursor.length();
    // What stands after the last other byte are zeros: they are the end of the data, not part of the damage, unless they are few
    // enough to be the end of a cut frame.
    let tail =
        if length.saturating_sub(content_end) < HEADER_BYTES { length } else { content_end.next_multiple_of(8).min(length) };
    let end = next.unwrap_or(tail).max(start);
    if let Some((from, to)) = reader.cursor.next_refused(start).filter(|(from, _)| *from < end.max(start + 1)) {
        let found = format!("a read error between {from} and {to}");
        return Region::new(DamageKind::ReadError, end.max(to), Look::Refused, format!("frame {due}"), found);
    }
    if let Some(region) = explained(reader, check, start, next) {
        return region;
    }
    match check {
        Check::BadSum(header, computed) => bad_sum(reader, (start, due), header, computed, next, end),
        Check::Short(header) if next.is_none() => {
            let have = length.saturating_sub(start);
            let expected = format!("{} bytes of frame {due}", header.span());
            Region::new(DamageKind::CutShort, end, Look::Interrupted, expected, format!("only {have} bytes, then the file ends"))
        }
        Check::ShortHeader if next.is_none() => {
            let have = length.saturating_sub(start);
            let expected = format!("the header of frame {due}, {FRAME_HEADER} bytes");
            Region::new(DamageKind::CutShort, end, Look::Interrupted, expected, format!("only {have} bytes, then the file ends"))
        }
        _ => {
            let zeros = reader.cursor.zeros_end(start).min(end) - start;
            let expected = format!("frame {due}");
            if let Some(begun) = barely_begun(reader, start).filter(|_| next.is_none()) {
                let found = format!("its first {begun} bytes and zeros behind them");
                return Region::new(DamageKind::Zeroed, end, Look::Interrupted, expected, found);
            }
            if zeros > 0 {
                let found = format!("{zeros} bytes of zeros with other bytes behind them");
                return Region::new(DamageKind::Zeroed, end, Look::Interrupted, expected, found);
            }
            let interrupted = matches!(check, Check::Short(_)) && reader.looks_interrupted(start, end, None);
            let look = if interrupted { Look::Interrupted } else { Look::Wrong };
            Region::new(DamageKind::NotAFrame, end, look, expected, format!("{} bytes that are no frame", end - start))
        }
    }
}

/// The whole frame that follows at once, if the bad one at `start` leads to it by its own length: then the damage is inside. A wrong
/// length may lead across whole frames.
pub fn follower(reader: &mut FrameReader, check: Check, start: u64, due: Lsn) -> Option<(u64, FrameHeader)> {
    let Check::BadSum(header, _) = check else { return None };
    let at = start + header.span();
    // Looked at from afar first: hostile lengths lead all over the segment, and each way there and back costs two windows.
    if header.lsn != due || reader.peek(at)?.lsn != header.due_behind() {
        return None;
    }
    match reader.check_afar(at) {
        Check::Good(next) => Some((at, next)),
        _ => None,
    }
}

/// The zeros after a payload are under no sum: a warning when they are none.
pub fn padding(reader: &mut FrameReader, segment: SegmentId, offset: u64, header: &FrameHeader) -> Option<Warning> {
    let from = offset + FRAME_HEADER as u64 + u64::from(header.length);
    let to = offset + header.span();
    let want = usize::try_from(to - from).expect("at most 7");
    if reader.cursor.bytes(from, want).iter().all(|b| *b == 0) {
        return None;
    }
    Some(found::padding(Span::new(segment, from, to), header))
}

/// How much of a frame's magic stands at `start`, when less than all of it does and only zeros follow to the end of the file.
fn barely_begun(reader: &mut FrameReader, start: u64) -> Option<u64> {
    let head = reader.cursor.bytes(start, FRAME_MAGIC.len());
    let begun = head.iter().rposition(|b| *b != 0)? + 1;
    let alike = begun < FRAME_MAGIC.len() && head[..begun] == FRAME_MAGIC[..begun];
    (alike && reader.cursor.zeros_end(start + begun as u64) >= reader.cursor.length()).then_some(begun as u64)
}

/// A frame that is whole but for one bit.
fn explained(reader: &mut FrameReader, check: Check, start: u64, next: Option<u64>) -> Option<Region> {
    let (header, byte, bit) = reader.explain(start)?;
    // Zeros from that byte on explain it as well, and then a flip cannot be told from an interruption.
    if next.is_none() && reader.cursor.zeros_end(byte) >= (start + header.span()).min(reader.cursor.length()) {
        return None;
    }
    let sums = match check {
        Check::BadSum(stored, computed) => format!("sum {computed:08x}, stored {:08x}; ", stored.sum),
        _ => String::new(),
    };
    let found = format!("{sums}one flipped bit explains it: bit {bit} of byte {byte}");
    let end = next.unwrap_or(start + header.span()).min(reader.cursor.length());
    let what = FrameKind::from_byte(header.kind).map_or("frame", FrameKind::name);
    let expected = format!("{what} frame {} with its sum", header.lsn);
    Some(Region { legible: Some(header), ..Region::new(DamageKind::BadChecksum, end, Look::Wrong, expected, found) })
}

fn bad_sum(
    reader: &mut FrameReader,
    (start, due): (u64, Lsn),
    header: FrameHeader,
    computed: u32,
    next: Option<u64>,
    end: u64,
) -> Region {
    let frame_end = start + FRAME_HEADER as u64 + u64::from(header.length);
    let expected = format!("frame {due} with sum {:08x}", header.sum);
    let (kind, look, found) = if reader.looks_interrupted(start, frame_end, next) {
        (DamageKind::Zeroed, Look::Interrupted, format!("sum {computed:08x}, and zeros where its bytes were due"))
    } else {
        (DamageKind::BadChecksum, Look::Wrong, format!("sum {computed:08x}"))
    };
    // Without a frame after it the damage reaches as far as the frame or the bytes do.
    let end = next.unwrap_or(end.max((start + header.span()).min(reader.cursor.length())));
    // Only a header that leads to the next frame is believed about what the frame was.
    let legible = Some(header).filter(|h| h.lsn == due && next == Some(start + h.span()));
    Region { legible, ..Region::new(kind, end, look, expected, found) }
}
