//! How rivven encrypts the data of a record, and how it is opened.

use aes_gcm::Aes256Gcm;
use aes_gcm::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::ChaCha20Poly1305;
use hkdf::Hkdf;
use sha2::Sha256;

use crate::model::Keys;

const SALT: &[u8] = b"rivven-encryption-v1";
/// Both what the data key is made for and what is authenticated with each record, unless the host was configured otherwise.
const SCOPE: &[u8] = b"rivven";
const HEADER: usize = 24;
const TAG: usize = 16;

/// Encrypted data, taken apart; FORMAT.md draws it.
#[derive(Clone, Copy, Debug)]
pub struct Envelope<'a> {
    /// 0 AES-256-GCM, 1 ChaCha20-Poly1305.
    cipher: u8,
    /// Which master key, counted from 1.
    pub key_version: u32,
    nonce: [u8; 12],
    sealed: &'a [u8],
}

impl<'a> Envelope<'a> {
    /// From the data of a record; `None` when it is no envelope.
    #[must_use]
    pub fn parse(data: &'a [u8]) -> Option<Envelope<'a>> {
        let (head, sealed) = data.split_first_chunk::<HEADER>()?;
        let known = head[..5] == *b"RVEN\x01" && head[5] <= 1 && head[22..] == [0, 0] && sealed.len() >= TAG;
        let mut nonce = [0; 12];
        nonce.copy_from_slice(&head[10..22]);
        let key_version = u32::from_be_bytes([head[6], head[7], head[8], head[9]]);
        known.then_some(Envelope { cipher: head[5], key_version, nonce, sealed })
    }

    /// What the cipher is called.
    #[must_use]
    pub fn cipher_name(&self) -> &'static str {
        if self.cipher == 0 { "aes-256-gcm" } else { "chacha20-poly1305" }
    }
}

/// The keys of a key file, made ready.
#[derive(Default)]
pub struct ReadyKeys {
    /// Newest first.
    keys: Vec<(Aes256Gcm, ChaCha20Poly1305)>,
}

impl ReadyKeys {
    /// From master keys.
    #[must_use]
    pub fn new(keys: &Keys) -> ReadyKeys {
        let ready = |master: &[u8; 32]| {
            let mut key = [0; 32];
            Hkdf::<Sha256>::new(Some(SALT), master).expand(SCOPE, &mut key).expect("32 bytes are not too many for HKDF");
            (Aes256Gcm::new(&key.into()), ChaCha20Poly1305::new(&key.into()))
        };
        ReadyKeys { keys: keys.newest_first().map(ready).collect() }
    }

    /// The plaintext, if a key fits.
    #[must_use]
    pub fn open(&self, envelope: &Envelope<'_>) -> Option<Vec<u8>> {
        // The key of that version first; but a key file need not begin with the first key.
        let count = self.keys.len();
        let hinted = count.checked_sub(usize::try_from(envelope.key_version).ok()?).filter(|at| *at < count);
        let order = hinted.into_iter().chain((0..count).filter(|at| Some(*at) != hinted));
        order.map(|at| &self.keys[at]).find_map(|(aes, chacha)| {
            let sealed = Payload { msg: envelope.sealed, aad: SCOPE };
            match envelope.cipher {
                0 => aes.decrypt(&envelope.nonce.into(), sealed).ok(),
                _ => chacha.decrypt(&envelope.nonce.into(), sealed).ok(),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealed(master: &str, cipher: u8) -> Vec<u8> {
        let opener = ReadyKeys::new(&Keys::parse(master).expect("a key of 64 digits"));
        let payload = Payload { msg: b"secret".as_slice(), aad: SCOPE };
        let nonce = [9; 12];
        let (aes, chacha) = &opener.keys[0];
        let sealed = if cipher == 0 { aes.encrypt(&nonce.into(), payload) } else { chacha.encrypt(&nonce.into(), payload) };
        let mut data = b"RVEN\x01".to_vec();
        data.push(cipher);
        data.extend(1u32.to_be_bytes());
        data.extend(nonce);
        data.extend([0, 0]);
        data.extend(sealed.expect("six bytes can be encrypted"));
        data
    }

    #[test]
    fn both_ciphers_open_with_their_key_and_with_no_other() {
        let (right, wrong) = ("11".repeat(32), "22".repeat(32));
        let files = [
            (right.clone(), true),
            (wrong.clone(), false),
            (format!("{right}\n{wrong}"), true),
            (format!("{wrong}\n{right}"), true),
        ];
        for cipher in [0, 1] {
            let data = sealed(&right, cipher);
            let envelope = Envelope::parse(&data).expect("it is an envelope");
            for (file, fits) in &files {
                let opened = ReadyKeys::new(&Keys::parse(file).expect("keys")).open(&envelope);
                assert_eq!(opened.as_deref(), fits.then_some(&b"secret"[..]), "cipher {cipher}");
            }
            assert!(ReadyKeys::default().open(&envelope).is_none());
            let mut hurt = data.clone();
            hurt[26] ^= 1;
            let hurt = Envelope::parse(&hurt).expect("an envelope");
            assert!(ReadyKeys::new(&Keys::parse(&right).expect("a key")).open(&hurt).is_none());
        }
    }

    #[test]
    fn what_is_no_envelope_is_not_taken_for_one() {
        let data = sealed(&"11".repeat(32), 0);
        for cut in 0..HEADER + TAG {
            assert!(Envelope::parse(&data[..cut]).is_none(), "{cut} bytes");
        }
        for at in [0, 4, 5, 22, 23] {
            let mut other = data.clone();
            other[at] = 7;
            assert!(Envelope::parse(&other).is_none(), "byte {at}");
        }
    }
}
