//! Content made safe for a ticket: its length and a keyed hash instead of itself.
//!
//! The key is random for each run and never shown, so a hash tells that two contents are equal and nothing else: likely contents
//! cannot be tried against it.

use sha2::{Digest, Sha256};
use walctl::model::{Error, Payload, Result};

/// The key of this run.
#[derive(Clone)]
pub struct Redaction {
    key: [u8; 64],
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
        Ok(Redaction { key })
    }

    /// Sixteen hex digits that stand for a payload.
    pub fn of(&self, payload: &Payload<'_>) -> Result<String> {
        let mut inner = self.hasher(0x36);
        payload.each(&mut |piece| {
            inner.update(piece);
            Ok(())
        })?;
        Ok(self.finish(inner))
    }

    /// Sixteen hex digits that stand for some bytes.
    pub fn of_bytes(&self, bytes: &[u8]) -> String {
        let mut inner = self.hasher(0x36);
        inner.update(bytes);
        self.finish(inner)
    }

    // HMAC (RFC 2104) with a key as long as a block.
    fn hasher(&self, pad: u8) -> Sha256 {
        let mut hasher = Sha256::new();
        hasher.update(self.key.map(|byte| byte ^ pad));
        hasher
    }

    fn finish(&self, inner: Sha256) -> String {
        let mut outer = self.hasher(0x5c);
        outer.update(inner.finalize());
        outer.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
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
