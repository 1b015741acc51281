//! What the system says of a file without reading it.
//!
//! Programs change a file through the system, and the system puts down when: no program can set that time back. So a file whose stamp is
//! as it was has the bytes that it had, as far as programs go. What rots below the system changes no stamp.

use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::Disk;

/// How a file stood at a moment. Equal stamps of one path mean equal bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stamp {
    /// A file of a filesystem. Times are nanoseconds since the Unix epoch.
    File {
        /// How long it is.
        length: u64,
        /// When its content was changed. Programs can set this.
        modified_ns: i64,
        /// When its content, its owner or its name was changed. Programs cannot set this.
        changed_ns: i64,
        /// Its number in its filesystem.
        number: u64,
    },
    /// Something that is replaced whole, and gets a new mark by that.
    Object {
        /// How long it is.
        length: u64,
        /// The mark.
        etag: String,
    },
}

/// Two changes of a file within this time can bear the same time: a tick of the kernel's clock, and some.
const TICK_NS: i64 = 20_000_000;
/// The same where a filesystem keeps whole seconds.
const COARSE_NS: i64 = 2_000_000_000;

impl Stamp {
    /// How long the file is.
    #[must_use]
    pub fn length(&self) -> u64 {
        match self {
            Stamp::File { length, .. } | Stamp::Object { length, .. } => *length,
        }
    }

    /// How many nanoseconds must pass until a change of the file is sure to get another stamp; 0 when they have passed. `None` when its last
    /// change lies in the future: then nothing is sure.
    #[must_use]
    pub fn settles_in(&self, now_ns: i64) -> Option<u64> {
        let Stamp::File { changed_ns, .. } = self else { return Some(0) };
        let grain = if changed_ns % 1_000_000_000 == 0 { COARSE_NS } else { TICK_NS };
        let age = now_ns.checked_sub(*changed_ns)?;
        if age < 0 { None } else { Some(u64::try_from(grain - age).unwrap_or(0)) }
    }
}

/// The stamp of a file that any change from now on must alter. Where the file was changed just now, a tick of the clock is waited for;
/// `None` where more would have to be waited for, no file stands there, or the disk cannot tell.
pub fn settled_stamp(disk: &dyn Disk, path: &Path) -> Option<Stamp> {
    for _ in 0..3 {
        let stamp = disk.stamp(path).ok()??;
        match stamp.settles_in(now_ns())? {
            0 => return Some(stamp),
            wait if wait <= TICK_NS.unsigned_abs() => std::thread::sleep(Duration::from_nanos(wait)),
            _ => return None,
        }
    }
    None
}

/// Now, as stamps tell it.
fn now_ns() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos());
    i64::try_from(since).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_is_sure_once_the_clock_has_ticked_and_never_while_it_lies_ahead() {
        let stamp = |changed_ns| Stamp::File { length: 1, modified_ns: 0, changed_ns, number: 7 };
        for (changed, now, waits) in [
            (5_000_000_001, 5_000_000_001, Some(20_000_000)),
            (5_000_000_001, 5_015_000_001, Some(5_000_000)),
            (5_000_000_001, 5_020_000_001, Some(0)),
            (5_000_000_001, 9_000_000_000, Some(0)),
            (5_000_000_000, 5_500_000_000, Some(1_500_000_000)),
            (5_000_000_001, 5_000_000_000, None),
            (i64::MIN, i64::MAX, None),
        ] {
            assert_eq!(stamp(changed).settles_in(now), waits, "changed at {changed}, now {now}");
        }
        assert_eq!(Stamp::Object { length: 1, etag: "x".into() }.settles_in(0), Some(0));
    }
}
