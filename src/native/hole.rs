//! A known hole: LSNs that are gone, written down so that they raise no second alarm.
//!
//! ```text
//! 0      4         6          7         8           16         24             32             40       44         48
//! | WLHO | version | origin u8 | flags u8 | first u64 | last u64 | before, time | behind, time | chain u32 | length u32 | reason, UTF-8 |
//! ```
//! A Hole bears the LSN after its range, as every control frame bears that of the next data frame. It counts only where the first LSN
//! of its range was due, so it can never hide more than it names. One of another form explains nothing.

use super::layout::{FrameHeader, FrameKind, HEADER_BYTES};
use crate::disk::Cursor;
use crate::model::{Hole, HoleOrigin, Lsn, LsnRange, Time};

const MAGIC: [u8; 4] = *b"WLHO";
const VERSION: u16 = 1;
/// The payload in front of the reason.
const FIXED: usize = 48;
/// The longest reason that is written; a longer one is cut, and one that is read is no Hole of ours.
const LONGEST_REASON: usize = 1024;
/// Flag: the segment after it goes on with the sum in `chain`.
const NAMES_CHAIN: u8 = 1;

/// Who wrote a hole down, as it lies on disk.
const fn origin_byte(origin: HoleOrigin) -> u8 {
    match origin {
        HoleOrigin::Salvaged => 1,
        HoleOrigin::Accepted => 2,
        HoleOrigin::Unused => 3,
    }
}

/// What a frame of that kind turned out to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HoleFound {
    /// A hole that the frame's own LSN fits.
    Hole(Hole),
    /// A later version wrote it: what is unknown, in words.
    Unknown(String),
    /// It is of another form and says nothing.
    Nothing,
}

impl Hole {
    /// The payload of its frame.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut end = self.reason.len().min(LONGEST_REASON);
        while !self.reason.is_char_boundary(end) {
            end -= 1;
        }
        let reason = &self.reason.as_bytes()[..end];
        let mut bytes = Vec::with_capacity(FIXED + reason.len());
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&VERSION.to_le_bytes());
        bytes.extend_from_slice(&[origin_byte(self.origin), if self.chain.is_some() { NAMES_CHAIN } else { 0 }]);
        let time = |time: Option<Time>| time.map_or(0, |time| time.0);
        for number in [self.lsns.first.0, self.lsns.last.0, time(self.before), time(self.behind)] {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
        bytes.extend_from_slice(&self.chain.unwrap_or(0).to_le_bytes());
        bytes.extend_from_slice(&u32::try_from(reason.len()).expect("at most 1024").to_le_bytes());
        bytes.extend_from_slice(reason);
        bytes
    }

    /// Reads the payload of a Hole frame that bears `lsn`.
    #[must_use]
    pub fn decode(bytes: &[u8], lsn: Lsn) -> HoleFound {
        let Some(rest) = bytes.strip_prefix(&MAGIC) else { return HoleFound::Nothing };
        let version = rest.first_chunk().map(|b| u16::from_le_bytes(*b));
        match version {
            Some(VERSION) => parse(bytes, lsn).map_or(HoleFound::Nothing, HoleFound::Hole),
            Some(later) if later > VERSION => HoleFound::Unknown(format!("version {later} of a Hole frame")),
            _ => HoleFound::Nothing,
        }
    }
}

fn parse(bytes: &[u8], lsn: Lsn) -> Option<Hole> {
    let number = |at: usize| Some(u64::from_le_bytes(*bytes.get(at..)?.first_chunk()?));
    let word = |at: usize| Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?));
    let (origin, flags) = (*bytes.get(6)?, *bytes.get(7)?);
    let origin = HoleOrigin::ALL.into_iter().find(|known| origin_byte(*known) == origin)?;
    let lsns = LsnRange::new(Lsn(number(8)?), Lsn(number(16)?))?;
    let time = |micros: u64| (micros != 0).then_some(Time(micros));
    let (before, behind, chain) = (time(number(24)?), time(number(32)?), word(40)?);
    let reason =
        bytes.get(FIXED..).filter(|reason| reason.len() <= LONGEST_REASON && word(44) == u32::try_from(reason.len()).ok())?;
    let chain = match flags {
        0 => None,
        NAMES_CHAIN => Some(chain),
        _ => return None,
    };
    let fits = lsns.first >= Lsn::FIRST && lsns.last.0 < u64::MAX && lsns.last.next() == lsn;
    let reason = std::str::from_utf8(reason).ok()?.to_owned();
    fits.then_some(Hole { lsns, origin, before, behind, chain, reason })
}

/// Reads the Hole frame at `offset`, whose sum was checked.
#[must_use]
pub fn hole_at(cursor: &mut Cursor, offset: u64, header: &FrameHeader) -> HoleFound {
    let length = header.length as usize;
    let ours = header.kind == FrameKind::Hole as u8 && header.flags == 0 && length <= FIXED + LONGEST_REASON;
    if !ours || offset < HEADER_BYTES {
        return HoleFound::Nothing;
    }
    let bytes = cursor.bytes(offset + super::layout::FRAME_HEADER as u64, length);
    if bytes.len() == length { Hole::decode(bytes, header.lsn) } else { HoleFound::Nothing }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hole() -> Hole {
        Hole {
            lsns: LsnRange { first: Lsn(41), last: Lsn(60) },
            origin: HoleOrigin::Accepted,
            before: Some(Time(1_700_000_000_000_000)),
            behind: None,
            chain: Some(0xAABB_CCDD),
            reason: "missing-segment".into(),
        }
    }

    #[test]
    fn the_bytes_of_a_hole_are_frozen() {
        let frozen = [
            &b"WLHO\x01\0\x02\x01"[..],
            &[41, 0, 0, 0, 0, 0, 0, 0],
            &[60, 0, 0, 0, 0, 0, 0, 0],
            &1_700_000_000_000_000u64.to_le_bytes(),
            &[0; 8],
            &[0xDD, 0xCC, 0xBB, 0xAA, 15, 0, 0, 0],
            b"missing-segment",
        ]
        .concat();
        assert_eq!(hole().encode(), frozen);
        assert_eq!(Hole::decode(&frozen, Lsn(61)), HoleFound::Hole(hole()));
    }

    #[test]
    fn a_hole_reads_back_whoever_wrote_it() {
        for origin in HoleOrigin::ALL {
            let hole = Hole { origin, chain: None, reason: String::new(), behind: Some(Time(9)), ..hole() };
            assert_eq!(Hole::decode(&hole.encode(), Lsn(61)), HoleFound::Hole(hole));
        }
        let long = Hole { reason: "ü".repeat(2000), ..hole() };
        let HoleFound::Hole(read) = Hole::decode(&long.encode(), Lsn(61)) else { panic!("a long reason is cut") };
        assert_eq!(read.reason, "ü".repeat(512));
    }

    #[test]
    fn a_hole_that_does_not_fit_its_frame_or_is_of_another_form_says_nothing() {
        let good = hole().encode();
        assert_eq!(Hole::decode(&good, Lsn(62)), HoleFound::Nothing, "the frame bears another LSN");
        for cut in 0..good.len() {
            assert_eq!(Hole::decode(&good[..cut], Lsn(61)), HoleFound::Nothing, "{cut}");
        }
        let with = |at: usize, byte: u8| {
            let mut bytes = good.clone();
            bytes[at] = byte;
            Hole::decode(&bytes, Lsn(61))
        };
        for (at, byte, what) in [
            (0, b'X', "magic"),
            (6, 9, "origin"),
            (7, 2, "flags"),
            (8, 61, "first behind last"),
            (44, 14, "length"),
            (48, 0xFF, "UTF-8"),
        ] {
            assert_eq!(with(at, byte), HoleFound::Nothing, "{what}");
        }
        assert_eq!(with(4, 2), HoleFound::Unknown("version 2 of a Hole frame".into()));
        let all = Hole { lsns: LsnRange { first: Lsn(1), last: Lsn(u64::MAX) }, ..hole() };
        assert_eq!(Hole::decode(&all.encode(), Lsn(u64::MAX)), HoleFound::Nothing, "nothing could follow");
        let zero = Hole { lsns: LsnRange { first: Lsn(0), last: Lsn(60) }, ..hole() };
        assert_eq!(Hole::decode(&zero.encode(), Lsn(61)), HoleFound::Nothing, "LSNs begin with 1");
    }
}
