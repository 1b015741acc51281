//! File names of segments, and of what is kept beside them.

use crate::model::Lsn;

/// The file that a writer locks.
pub const LOCK: &str = "LOCK";
const SUFFIX: &str = ".wal";
const DIGITS: usize = 20;

/// The name of the segment that begins with `lsn`: 20 digits and `.wal`.
#[must_use]
pub fn segment_name(lsn: Lsn) -> String {
    format!("{:020}{SUFFIX}", lsn.0)
}

/// The first LSN that a segment's name gives; `None` when it is no segment's name.
#[must_use]
pub fn segment_lsn(name: &str) -> Option<Lsn> {
    let digits = name.strip_suffix(SUFFIX)?;
    if digits.len() != DIGITS || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    digits.parse().ok().map(Lsn)
}

/// The segment and offset that a cut file's name gives. The second and later cuts at one place have `-2`, `-3` … after it.
#[must_use]
pub fn parse_cut_name(name: &str) -> Option<(&str, u64)> {
    let (segment, place) = name.rsplit_once(".cut-")?;
    segment_lsn(segment)?;
    let (offset, again) = place.split_once('-').unwrap_or((place, "2"));
    again.parse::<u64>().ok()?;
    Some((segment, offset.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_their_lsn_and_nothing_else_is_a_name() {
        assert_eq!(segment_name(Lsn(48_213)), "00000000000000048213.wal");
        assert_eq!(segment_lsn("00000000000000048213.wal"), Some(Lsn(48_213)));
        assert_eq!(segment_lsn(&segment_name(Lsn(u64::MAX))), Some(Lsn(u64::MAX)));
        for wrong in
            ["48213.wal", "0000000000000004821x.wal", "99999999999999999999.wal", "00000000000000048213.wal.cut-1", ".wal", ""]
        {
            assert_eq!(segment_lsn(wrong), None, "{wrong}");
        }
        let cut = "00000000000000048213.wal.cut-40960".to_owned();
        assert_eq!(parse_cut_name(&cut), Some(("00000000000000048213.wal", 40_960)));
        assert_eq!(parse_cut_name(&format!("{cut}-2")), Some(("00000000000000048213.wal", 40_960)));
        assert_eq!(parse_cut_name(&format!("{cut}.tmp")), None);
        assert_eq!(parse_cut_name("a.cut-1"), None);
    }
}
