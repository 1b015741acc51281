//! What the cipher of a segment is made of: AES-256-GCM, HKDF and SHA-256. Without the feature `encryption` there are
//! no keys ([`Keys::parse`](crate::model::Keys::parse) refuses them), so nothing is encrypted and what was encrypted stays closed.

/// What encrypts with one key.
#[derive(Clone)]
pub(super) struct Aes(#[cfg(feature = "encryption")] aes_gcm::Aes256Gcm);

#[cfg(feature = "encryption")]
mod real {
    use aes_gcm::aead::{Aead, KeyInit, Payload};
    use aes_gcm::{Aes256Gcm, Key, Nonce};
    use hkdf::Hkdf;
    use sha2::{Digest, Sha256};

    use super::Aes;

    impl Aes {
        pub fn new(key: [u8; 32]) -> Aes {
            Aes(Aes256Gcm::new(&Key::<Aes256Gcm>::from(key)))
        }

        pub fn encrypt(&self, nonce: [u8; 12], msg: &[u8], aad: &[u8]) -> Option<Vec<u8>> {
            self.0.encrypt(&Nonce::from(nonce), Payload { msg, aad }).ok()
        }

        pub fn decrypt(&self, nonce: [u8; 12], msg: &[u8], aad: &[u8]) -> Option<Vec<u8>> {
            self.0.decrypt(&Nonce::from(nonce), Payload { msg, aad }).ok()
        }
    }

    /// Derives a key from a key.
    pub fn derive<const N: usize>(key: &[u8; 32], salt: &[u8], info: &[&[u8]]) -> [u8; N] {
        let mut out = [0; N];
        Hkdf::<Sha256>::new(Some(salt), key).expand_multi_info(info, &mut out).expect("32 bytes are not too many for HKDF");
        out
    }

    /// SHA-256 over several pieces.
    pub fn digest(pieces: [&[u8]; 3]) -> [u8; 32] {
        pieces.into_iter().fold(Sha256::new(), |hasher, piece| hasher.chain_update(piece)).finalize().into()
    }
}

#[cfg(not(feature = "encryption"))]
mod real {
    use super::Aes;

    impl Aes {
        pub fn new(_: [u8; 32]) -> Aes {
            Aes()
        }

        pub fn encrypt(&self, _: [u8; 12], _: &[u8], _: &[u8]) -> Option<Vec<u8>> {
            None
        }

        pub fn decrypt(&self, _: [u8; 12], _: &[u8], _: &[u8]) -> Option<Vec<u8>> {
            None
        }
    }

    pub fn derive<const N: usize>(_: &[u8; 32], _: &[u8], _: &[&[u8]]) -> [u8; N] {
        [0; N]
    }

    pub fn digest(_: [&[u8]; 3]) -> [u8; 32] {
        [0; 32]
    }
}

pub(super) use real::{derive, digest};
