//! Content made safe for a ticket: its length and a keyed hash instead of itself.
//!
//! The key is random for each run and never shown, so a hash tells that two contents are equal and nothing else: likely contents
//! cannot be tried against it.

use sha2::{Digest, Sha256};
use walctl::model::units::hex;
use walctl::model::{Error, Payload, Result};

/// The key of this run, taken in already by the two hashes of an HMAC (RFC 2104): it is as long as a block, and hashing it again for each
/// content was half of the work.
#[derive(Clone)]
pub struct Redaction {
    inner: Sha256,
    outer: Sha256,
}

impl std::fmt::Debug for Redaction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Redaction")
    }
}

impl Redaction {
    /// With a new key.
    pub fn new() -> Result<Redaction> {
        let mut key = [0; 64];
        getrandom::fill(&mut key).map_err(|error| Error::Input { what: format!("the system has no random key: {error}") })?;
        let keyed = |pad: u8| Sha256::new().chain_update(key.map(|byte| byte ^ pad));
        Ok(Redaction { inner: keyed(0x36), outer: keyed(0x5c) })
    }

    /// Sixteen hex digits that stand for a payload.
    pub fn of(&self, payload: &Payload<'_>) -> Result<String> {
        let mut inner = self.inner.clone();
        payload.each(&mut |piece| {
            inner.update(piece);
            Ok(())
        })?;
        Ok(self.finish(inner))
    }

    /// Sixteen hex digits that stand for some bytes.
    pub fn of_bytes(&self, bytes: &[u8]) -> String {
        let mut inner = self.inner.clone();
        inner.update(bytes);
        self.finish(inner)
    }

    fn finish(&self, inner: Sha256) -> String {
        let outer = self.outer.clone().chain_update(inner.finalize());
        hex(&outer.finalize()[..8])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_contents_have_equal_hashes_in_one_run_only() {
        let one = Redaction::new().expect("the system has random bytes");
        let other = Redaction::new().expect("the system has random bytes");
        let payload = Payload::Whole(b"secret");
        let hash = one.of(&payload).expect("it reads");
        assert_eq!(hash, one.of_bytes(b"secret"));
        assert_eq!(hash.len(), 16);
        assert_ne!(hash, one.of_bytes(b"Secret"));
        assert_ne!(hash, other.of_bytes(b"secret"));
    }
}
