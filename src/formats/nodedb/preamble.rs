//! The 16 bytes before the records of an encrypted segment, and opening what they encrypt.
//!
//! FORMAT.md draws the preamble, and says what is authenticated with a payload.

use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Nonce};

use super::record::{ENCRYPTED, Header};
use crate::model::Keys;
use crate::model::units::hex;

/// How long it is.
pub(super) const BYTES: usize = 16;
/// How it begins.
pub(super) const MAGIC: [u8; 4] = *b"WALP";
/// A tag of AES-256-GCM: no stored payload is shorter.
const TAG: usize = 16;

/// A preamble as it was found.
#[derive(Clone, Copy, Debug)]
pub(super) struct Preamble(pub(super) [u8; BYTES]);

impl Preamble {
    /// What no checksum tells: the field that is not as every release writes it, in words.
    pub(super) fn oddity(&self) -> Option<String> {
        let bytes = &self.0;
        let version = u16::from_le_bytes([bytes[4], bytes[5]]);
        if bytes[..4] != MAGIC {
            return Some(format!("magic {}", hex(&bytes[..4])));
        }
        if version != 1 {
            return Some(format!("version {version}"));
        }
        if bytes[6] != 0 {
            return Some(format!("cipher {}", bytes[6]));
        }
        if bytes[7] != 0 {
            return Some(format!("key id {}", bytes[7]));
        }
        (bytes[12..] != [0; 4]).then(|| format!("reserved bytes {}", hex(&bytes[12..])))
    }

    /// The same with every field but the epoch as the releases write it.
    fn corrected(&self) -> Preamble {
        let mut bytes = [0; BYTES];
        bytes[..4].copy_from_slice(&MAGIC);
        bytes[4] = 1;
        bytes[8..12].copy_from_slice(&self.0[8..12]);
        Preamble(bytes)
    }
}

/// Opens payloads with the keys that were given.
pub(super) struct PreparedKeys {
    ciphers: Vec<Aes256Gcm>,
    preambles: Vec<Preamble>,
    /// Epochs with one bit changed may still be tried: once a segment, for no checksum covers the epoch, and without it nothing opens.
    bits_left: bool,
    /// The epoch that stands there and the one that opened a record, in hex, when they differ.
    pub(super) mended: Option<(String, String)>,
}

impl PreparedKeys {
    /// Keys newest first, as a key ring is tried.
    pub(super) fn new(keys: &Keys, preamble: &Preamble) -> PreparedKeys {
        let ciphers = keys.newest_first().map(|key| Aes256Gcm::new(&(*key).into())).collect();
        let mut preambles = vec![*preamble];
        if preamble.oddity().is_some() {
            preambles.push(preamble.corrected());
        }
        PreparedKeys { ciphers, preambles, bits_left: true, mended: None }
    }

    /// The plain text, if a key opens it. The key that opened one record is tried first for the next.
    pub(super) fn open(&mut self, header: &Header, raw: &[u8], stored: &[u8]) -> Option<Vec<u8>> {
        if stored.len() < TAG {
            return None;
        }
        if let Some(plain) = self.try_all(header, raw, stored) {
            self.bits_left = false;
            return Some(plain);
        }
        if !std::mem::take(&mut self.bits_left) {
            return None;
        }
        let found = self.preambles[self.preambles.len() - 1];
        for bit in 0..32 {
            let mut other = found;
            other.0[8 + bit / 8] ^= 1 << (bit % 8);
            self.preambles.push(other);
            if let Some(plain) = self.try_all(header, raw, stored) {
                self.mended = Some((hex(&found.0[8..12]), hex(&other.0[8..12])));
                return Some(plain);
            }
            self.preambles.pop();
        }
        None
    }

    fn try_all(&mut self, header: &Header, raw: &[u8], stored: &[u8]) -> Option<Vec<u8>> {
        for p in 0..self.preambles.len() {
            let preamble = &self.preambles[p].0;
            let mut nonce = [0; 12];
            nonce[..4].copy_from_slice(&preamble[8..12]);
            nonce[4..].copy_from_slice(&header.lsn.0.to_le_bytes());
            let nonce: Nonce<_> = nonce.into();
            let aad = authenticated(preamble, header, raw);
            for c in 0..self.ciphers.len() {
                if let Ok(plain) = self.ciphers[c].decrypt(&nonce, Payload { msg: stored, aad: &aad }) {
                    self.ciphers.swap(0, c);
                    self.preambles.swap(0, p);
                    return Some(plain);
                }
            }
        }
        None
    }
}

fn authenticated(preamble: &[u8; BYTES], header: &Header, raw: &[u8]) -> Vec<u8> {
    let mut aad = preamble.to_vec();
    aad.extend_from_slice(&raw[..header.layout.sum_at()]);
    aad.extend_from_slice(&[0; 4]);
    let own = &mut aad[BYTES..];
    own[6..10].copy_from_slice(&(header.raw_type & !ENCRYPTED).to_le_bytes());
    own[30..34].fill(0);
    aad
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_field_of_a_preamble_that_no_release_writes_is_named() {
        let sound = Preamble(*b"WALP\x01\x00\x00\x00\xaa\xbb\xcc\xdd\x00\x00\x00\x00");
        assert_eq!(sound.oddity(), None);
        for (at, word) in [(0, "magic"), (4, "version"), (6, "cipher"), (7, "key id"), (15, "reserved")] {
            let mut bytes = sound.0;
            bytes[at] ^= 0x40;
            let odd = Preamble(bytes);
            assert!(odd.oddity().is_some_and(|text| text.contains(word)), "{word}");
            assert_eq!(odd.corrected().0, sound.0);
        }
    }
}
