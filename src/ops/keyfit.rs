//! Whether the keys that were given open anything in a log. A wrong key is reported before it is taken for damage.

use crate::disk::Segment;
use crate::formats::{Halt, Item, Want};
use crate::model::{Error, Keys, Result};
use crate::ops::open::Input;
use crate::ops::walk::{self, LogView};

/// How the keys and a log go together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyFit {
    /// Nothing that was looked at is encrypted.
    NothingEncrypted,
    /// A key opens something.
    Fits,
    /// It is encrypted, and no key opens anything; perhaps none was given.
    NoKey,
}

/// How many records of a segment are read.
const LOOKED_AT: usize = 256;
/// How many encrypted ones are tried.
const TRIED: usize = 64;

/// Looks at the headers of the segments, and into the first records of those whose header does not tell.
pub fn key_fit(input: &Input) -> KeyFit {
    let mut fit = KeyFit::NothingEncrypted;
    if !input.format.encrypted {
        return fit;
    }
    for segment in &input.source.segments {
        let told = by_header(input, segment);
        // What cannot be read here is told by the command that reads it.
        match told.unwrap_or_else(|| by_records(input, segment).unwrap_or(KeyFit::NothingEncrypted)) {
            KeyFit::Fits => return KeyFit::Fits,
            KeyFit::NoKey => fit = KeyFit::NoKey,
            KeyFit::NothingEncrypted => {}
        }
    }
    fit
}

/// An error, if the log is encrypted and no key opens anything in it.
pub fn need_key(input: &Input) -> Result<()> {
    if key_fit(input) != KeyFit::NoKey {
        return Ok(());
    }
    let why = match input.keys.is_empty() {
        true => "its payloads are encrypted, and there is no key to check them with",
        false => "its payloads are encrypted, and none of the keys opens any of them",
    };
    Err(Error::WrongKey { path: input.source.path.clone(), why: why.into() })
}

/// What the header of a segment tells, where the format has one that does. Of a log with a key file, a header that none of the keys
/// fits leaves it open: the segment may have been written with several.
fn by_header(input: &Input, segment: &Segment) -> Option<KeyFit> {
    match (input.format.header?(&input.source, segment, &input.keys)?.opens, input.keys.is_empty()) {
        (None, _) => Some(KeyFit::NothingEncrypted),
        (Some(_), true) => Some(KeyFit::NoKey),
        (Some(opens), false) => opens.then_some(KeyFit::Fits),
    }
}

/// What the first records tell: those that are ciphertext without the keys, and are none with them.
fn by_records(input: &Input, segment: &Segment) -> Result<KeyFit> {
    let sealed = sealed(input, segment, &Keys::default())?;
    if !sealed.contains(&true) {
        return Ok(KeyFit::NothingEncrypted);
    }
    if input.keys.is_empty() {
        return Ok(KeyFit::NoKey);
    }
    let left = self::sealed(input, segment, &input.keys)?;
    let opened = sealed.iter().zip(&left).any(|(before, after)| *before && !after);
    Ok(if opened { KeyFit::Fits } else { KeyFit::NoKey })
}

/// Which of the first records are ciphertext under these keys.
fn sealed(input: &Input, segment: &Segment, keys: &Keys) -> Result<Vec<bool>> {
    let (mut found, mut tried) = (Vec::new(), 0);
    let mut take = |item: Item<'_>| {
        if let Item::Record(record) = item {
            found.push(record.encrypted);
            tried += usize::from(record.encrypted);
            if found.len() >= LOOKED_AT || tried >= TRIED {
                return Err(Halt::Enough);
            }
        }
        Ok(())
    };
    walk::one(LogView { keys, ..input.into() }, segment, Want { payloads: true, ..Want::default() }, &mut take)?;
    Ok(found)
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use super::*;
    use crate::disk::{Disk, SimDisk};
    use crate::ops::open::{Choice, open};
    use crate::writer::{GroupCommit, Settings};

    fn keys(byte: &str) -> Keys {
        Keys::parse(&byte.repeat(32)).expect("64 digits are a key")
    }

    /// A log of this many records, looked at with keys.
    fn log(records: usize, written_with: &Keys, read_with: &Keys) -> Input {
        let disk = SimDisk::new();
        let options = Settings { background: false, keys: written_with.clone(), ..Settings::default() };
        let log = GroupCommit::open(Arc::new(disk.clone()), Path::new("/log"), options).expect("a new log");
        (0..records).for_each(|_| drop(log.submit(&b"alpha"[..]).expect("the disk is well")));
        log.close().expect("it closes");
        let disk: Arc<dyn Disk> = Arc::new(disk);
        let choice = Choice { keys: read_with.clone(), ..Choice::default() };
        open(&disk, Path::new("/log"), &choice).expect("it is a log").remove(0)
    }

    #[test]
    fn only_the_first_records_are_looked_at_and_fewer_of_those_that_cost_a_key() {
        let (none, right) = (Keys::default(), keys("07"));
        let looked_at = |records, written_with: &Keys, read_with: &Keys| {
            let input = log(records, written_with, read_with);
            let found = sealed(&input, &input.source.segments[0], read_with).expect("it reads");
            (found.len(), found.iter().filter(|sealed| **sealed).count())
        };
        assert_eq!(looked_at(300, &none, &none), (LOOKED_AT, 0));
        assert_eq!(looked_at(100, &right, &none), (TRIED, TRIED));
        assert_eq!(looked_at(100, &right, &right), (100, 0), "what the key opens is no ciphertext");
    }

    #[test]
    fn keys_fit_where_one_opens_something_whether_the_header_says_so_or_the_records() {
        let (none, right, wrong) = (Keys::default(), keys("07"), keys("08"));
        for (written_with, read_with, fit) in [
            (&none, &none, KeyFit::NothingEncrypted),
            (&none, &wrong, KeyFit::NothingEncrypted),
            (&right, &none, KeyFit::NoKey),
            (&right, &wrong, KeyFit::NoKey),
            (&right, &right, KeyFit::Fits),
        ] {
            let input = log(3, written_with, read_with);
            assert_eq!(key_fit(&input), fit);
            assert_eq!(by_records(&input, &input.source.segments[0]).expect("it reads"), fit, "by the records alone");
            assert_eq!(need_key(&input).is_err(), fit == KeyFit::NoKey);
        }
    }
}
