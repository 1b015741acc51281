//! What appenders append: payloads of one length, of several lengths by weight, or those of a real log.

use std::path::Path;
use std::sync::Arc;

use crate::disk::Disk;
use crate::formats::{Halt, Item, Want};
use crate::model::{Error, Payload, Result};
use crate::ops::open::{Choice, open};
use crate::ops::walk;

/// A pool that appenders go through again and again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payloads {
    name: String,
    pieces: Vec<Vec<u8>>,
}

/// Pieces of a mix.
const MIX: usize = 1000;
/// No payload of a benchmark is longer.
const LONGEST: usize = 256 << 20;
/// Bytes that a mix may take.
const MIX_BYTES: usize = 256 << 20;

/// Payloads that are taken from a real log, and how much memory they may take.
const TAKEN: usize = 10_000;
const TAKEN_BYTES: usize = 64 << 20;

impl Payloads {
    /// All of one length.
    #[must_use]
    pub fn fixed(bytes: usize) -> Arc<Payloads> {
        Arc::new(Payloads { name: bytes.to_string(), pieces: vec![noise(bytes.min(LONGEST), 1)] })
    }

    /// Lengths and how often they come, in no visible order.
    pub fn mix(lengths: &[(usize, u64)]) -> Result<Arc<Payloads>> {
        let wrong = |what: &str| Err(Error::Input { what: what.into() });
        let total: u64 = lengths.iter().map(|(_, weight)| weight).fold(0, |sum, more| sum.saturating_add(*more));
        if total == 0 || total > 1 << 40 {
            return wrong("a mix of sizes needs weights above 0, and not absurd ones");
        }
        let mut pieces = Vec::new();
        let mut bytes = 0usize;
        for (length, weight) in lengths {
            let count = (*weight as usize * MIX).div_ceil(total as usize);
            bytes = bytes.saturating_add(count.saturating_mul(*length));
            if bytes > MIX_BYTES {
                return wrong("that mix of sizes takes more memory than a benchmark may: make the large ones rarer");
            }
            pieces.extend((0..count).map(|i| noise(*length, i as u64 + 1)));
        }
        // A fixed shuffle: the same mix comes in the same order in every run.
        let mut state = 0x9e37_79b9_7f4a_7c15;
        for i in (1..pieces.len()).rev() {
            pieces.swap(i, (next(&mut state) % (i as u64 + 1)) as usize);
        }
        let name: Vec<String> = lengths.iter().map(|(length, weight)| format!("{length}:{weight}")).collect();
        Ok(Arc::new(Payloads { name: name.join(","), pieces }))
    }

    /// Payloads of a real log, under its name.
    pub fn real(name: &str, pieces: Vec<Vec<u8>>) -> Result<Arc<Payloads>> {
        if pieces.is_empty() {
            return Err(Error::Input { what: format!("{name} holds no record whose payload could be appended") });
        }
        Ok(Arc::new(Payloads { name: format!("from {name}"), pieces }))
    }

    /// Those of a run that is over: nothing is left of them but their name.
    #[must_use]
    pub fn named(name: &str) -> Arc<Payloads> {
        Arc::new(Payloads { name: name.to_owned(), pieces: vec![Vec::new()] })
    }

    /// The first payloads of the logs at a path, as many as a benchmark keeps in memory.
    pub fn of_log(disk: &Arc<dyn Disk>, path: &Path) -> Result<Arc<Payloads>> {
        let (mut pieces, mut bytes) = (Vec::new(), 0);
        for input in open(disk, path, &Choice::default())? {
            walk::each(&input, Want { payloads: true, ..Want::default() }, &mut |_, item| {
                if let Item::Record(record) = item
                    && let Payload::Whole(payload) = &record.payload
                    && bytes + payload.len() <= TAKEN_BYTES
                {
                    bytes += payload.len();
                    pieces.push(payload.to_vec());
                }
                if pieces.len() >= TAKEN { Err(Halt::Enough) } else { Ok(()) }
            })?;
        }
        Payloads::real(&path.display().to_string(), pieces)
    }

    /// What they are, in a word.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The mean length.
    #[must_use]
    pub fn mean(&self) -> usize {
        self.pieces.iter().map(Vec::len).sum::<usize>() / self.pieces.len().max(1)
    }

    /// The one that comes at this turn.
    #[must_use]
    pub fn piece(&self, turn: usize) -> &[u8] {
        &self.pieces[turn % self.pieces.len()]
    }
}

/// Bytes that nothing compresses.
fn noise(length: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x2545_f491_4f6c_dd1d) | 1;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        bytes.extend_from_slice(&next(&mut state).to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

fn next(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mix_has_its_lengths_by_weight() {
        let mix = Payloads::mix(&[(100, 9), (1000, 1)]).expect("it is a mix");
        let long = (0..MIX).filter(|turn| mix.piece(*turn).len() == 1000).count();
        assert_eq!(long, 100);
        assert!((0..50).any(|turn| mix.piece(turn).len() == 1000), "the rare ones are spread");
        assert_eq!(mix.name(), "100:9,1000:1");
    }

    #[test]
    fn absurd_mixes_are_refused_before_memory_is_taken() {
        for lengths in [&[][..], &[(1, 0)], &[(usize::MAX, 1)], &[(1 << 30, 5)], &[(1, u64::MAX), (1, 5)]] {
            assert!(Payloads::mix(lengths).is_err(), "{lengths:?}");
        }
        assert!(Payloads::real("x", Vec::new()).is_err());
    }
}
