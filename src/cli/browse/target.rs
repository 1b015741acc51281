//! Where to go: what is typed behind `:`.

use walctl::formats::Numbers;
use walctl::model::{Lsn, Time};
use walctl::ops::read::{Bound, LsnWish, parse_moment};

/// A place in a log as people name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JumpTarget {
    /// The first record with this number or a higher one.
    Lsn(Lsn),
    /// The n-th record from the end.
    FromEnd(u64),
    /// The first record from this moment on.
    Time(Time),
    /// What stands at an offset: of this segment, or of the one that is shown.
    Offset(Option<String>, u64),
}

impl JumpTarget {
    /// Reads an LSN, `-N` from the end, `@OFFSET`, `SEGMENT:OFFSET` as verify prints it, or a time as dump takes it.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn parse(typed: &str, numbers: Numbers, now: Time, east: &dyn Fn(Time) -> i64) -> Result<JumpTarget, String> {
        let typed = typed.trim();
        if let Some(offset) = typed.strip_prefix('@') {
            return number(offset)
                .map(|offset| JumpTarget::Offset(None, offset))
                .ok_or_else(|| format!("`{offset}` is no offset"));
        }
        if let Some((segment, offset)) = typed.rsplit_once(':')
            && let Some(offset) = number(offset)
            && parse_moment(typed, now, east).is_err()
        {
            let name = segment.rsplit('/').next().unwrap_or(segment);
            return Ok(JumpTarget::Offset(Some(name.to_owned()), offset));
        }
        let own = match numbers {
            Numbers::Positions { read, .. } => read(typed),
            _ => None,
        };
        match own.map(|lsn| LsnWish { first: Some(Bound::At(lsn)), last: None }).map_or_else(|| LsnWish::parse(typed), Ok) {
            Ok(LsnWish { first: Some(Bound::At(lsn)), .. }) if matches!(numbers, Numbers::None) => {
                Err(format!("records have no numbers here, so LSN {lsn} is none; @{lsn} is an offset"))
            }
            Ok(LsnWish { first: Some(Bound::At(lsn)), .. }) => Ok(JumpTarget::Lsn(lsn)),
            Ok(LsnWish { first: Some(Bound::FromEnd(count)), .. }) => Ok(JumpTarget::FromEnd(count)),
            _ => parse_moment(typed, now, east).map(JumpTarget::Time).map_err(|_| {
                format!("`{typed}` is no LSN, no @OFFSET, no SEGMENT:OFFSET and no time such as 03:04, yesterday or 10min ago")
            }),
        }
    }
}

/// A number in decimal or, behind 0x, in hex.
fn number(text: &str) -> Option<u64> {
    text.strip_prefix("0x").map_or_else(|| text.parse().ok(), |digits| u64::from_str_radix(digits, 16).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_what_other_commands_print_and_take() {
        let now = Time::parse("2026-01-02T03:04:05Z").expect("a good time");
        let parse = |typed: &str| JumpTarget::parse(typed, Numbers::Counted, now, &|_| 0);
        let time = |text: &str| JumpTarget::Time(Time::parse(text).expect("a good time"));
        for (typed, target) in [
            ("48213", JumpTarget::Lsn(Lsn(48_213))),
            ("-100", JumpTarget::FromEnd(100)),
            ("@4096", JumpTarget::Offset(None, 4096)),
            ("@0x1000", JumpTarget::Offset(None, 4096)),
            ("wal/00000000000000000001.wal:4144", JumpTarget::Offset(Some("00000000000000000001.wal".into()), 4144)),
            ("03:04", time("2026-01-02T03:04:00Z")),
            ("10min ago", time("2026-01-02T02:54:05Z")),
            ("2026-01-01", time("2026-01-01T00:00:00Z")),
            ("2026-01-01T07:08:09Z", time("2026-01-01T07:08:09Z")),
        ] {
            assert_eq!(parse(typed), Ok(target), "{typed}");
        }
        for typed in ["", "x", "@x", "@", "5 parsecs", "\u{e9}\u{e9}"] {
            assert!(parse(typed).is_err(), "{typed}");
        }
    }

    #[test]
    fn a_number_is_none_where_records_have_none_and_a_position_where_they_are_positions() {
        let now = Time(0);
        assert!(JumpTarget::parse("5", Numbers::None, now, &|_| 0).is_err_and(|why| why.contains("@5")));
        let positions =
            Numbers::Positions { show: |lsn| lsn.to_string(), read: |text| text.strip_prefix("0/")?.parse().ok().map(Lsn) };
        assert_eq!(JumpTarget::parse("0/17", positions, now, &|_| 0), Ok(JumpTarget::Lsn(Lsn(17))));
    }
}
