//! Payloads as they are stored: compressed, then encrypted. Each frame's payload by itself.

use aes_gcm::aead::{Aead, KeyInit, Payload as Sealed};
use aes_gcm::{Aes256Gcm, Key, Nonce};
use sha2::{Digest, Sha256};

use super::layout::{ENCRYPTED, FRAME_HEADER, FrameHeader, KeyHint, LZ4};
use crate::disk::Cursor;
use crate::model::{Error, Keys, Result};

const NONCE: usize = 12;
const TAG: usize = 16;
const SIZE: usize = 4;
/// What encryption adds to a payload.
pub const ENCRYPTION_BYTES: usize = NONCE + TAG;
/// A payload that claims to be longer than this when decompressed is not opened; nor is a ciphertext of that length.
pub const OPEN_LIMIT: usize = 24 << 20;

/// What came of opening a stored payload.
#[derive(Debug, PartialEq, Eq)]
pub enum Opened {
    /// The payload stands in the buffer.
    Plain,
    /// No key fits, or none was given.
    Locked,
    /// It cannot be opened: why, in words.
    Bad(String),
}

/// The key id that a segment's header bears, so that a reader knows which key to take.
#[must_use]
pub fn key_hint(key: &[u8; 32], salt: [u8; 16]) -> KeyHint {
    let digest = Sha256::new().chain_update(b"walctl key id").chain_update(salt).chain_update(key).finalize();
    let mut id = [0; 8];
    id.copy_from_slice(&digest[..8]);
    KeyHint { id, salt }
}

/// Compresses `payload` into `out`, if that makes it shorter. True if it did.
pub fn compress(payload: &[u8], out: &mut Vec<u8>) -> bool {
    let Ok(size) = u32::try_from(payload.len()) else { return false };
    out.clear();
    out.extend_from_slice(&size.to_le_bytes());
    out.resize(SIZE + lz4_flex::block::get_maximum_output_size(payload.len()), 0);
    match lz4_flex::block::compress_into(payload, &mut out[SIZE..]) {
        Ok(written) if SIZE + written < payload.len() => {
            out.truncate(SIZE + written);
            true
        }
        _ => false,
    }
}

/// Encrypts `payload` for the frame with this header, whose length and flags must already be those of the encrypted payload.
///
/// A failure is an error: nothing is ever stored in plain text because encryption did not work.
pub fn encrypt(header: &FrameHeader, payload: &[u8], key: &[u8; 32]) -> Result<Vec<u8>> {
    let mut nonce = [0; NONCE];
    getrandom::fill(&mut nonce).map_err(|e| Error::Input { what: format!("no random numbers for encryption: {e}") })?;
    encrypt_with(header, payload, key, nonce)
}

fn encrypt_with(header: &FrameHeader, payload: &[u8], key: &[u8; 32], nonce: [u8; NONCE]) -> Result<Vec<u8>> {
    let bytes = header.encode();
    let sealed = Sealed { msg: payload, aad: &bytes[8..] };
    let ciphertext = cipher(key)
        .encrypt(&Nonce::from(nonce), sealed)
        .map_err(|_| Error::Input { what: "the payload could not be encrypted".into() })?;
    let mut stored = Vec::with_capacity(ENCRYPTION_BYTES + payload.len());
    stored.extend_from_slice(&nonce);
    stored.extend_from_slice(&ciphertext);
    Ok(stored)
}

fn cipher(key: &[u8; 32]) -> Aes256Gcm {
    Aes256Gcm::new(&Key::<Aes256Gcm>::from(*key))
}

/// Decrypts and decompresses a stored payload into `out`, as its frame's flags say. For frames without these flags `out` is a copy.
pub fn open(header: &FrameHeader, stored: &[u8], keys: &Keys, out: &mut Vec<u8>) -> Opened {
    if header.flags & ENCRYPTED == 0 {
        return unpack(header, stored, out);
    }
    if stored.len() < ENCRYPTION_BYTES {
        return Opened::Bad(format!("an encrypted payload has at least {ENCRYPTION_BYTES} bytes, this one {}", stored.len()));
    }
    if stored.len() > OPEN_LIMIT {
        return Opened::Bad(format!("an encrypted payload of {} bytes is over the limit of {OPEN_LIMIT}", stored.len()));
    }
    match keys.newest_first().find_map(|key| decrypt(header, stored, key)) {
        Some(plain) => unpack(header, &plain, out),
        None => Opened::Locked,
    }
}

/// The length of a payload before compression and encryption, as far as its frame tells without being opened.
pub fn plain_length(cursor: &mut Cursor, header: &FrameHeader, offset: u64) -> u64 {
    let stored = u64::from(header.length);
    if header.flags & ENCRYPTED != 0 {
        return stored.saturating_sub(ENCRYPTION_BYTES as u64);
    }
    if header.flags & LZ4 != 0 {
        return cursor.array::<SIZE>(offset + FRAME_HEADER as u64).map_or(stored, |size| u64::from(u32::from_le_bytes(size)));
    }
    stored
}

fn decrypt(header: &FrameHeader, stored: &[u8], key: &[u8; 32]) -> Option<Vec<u8>> {
    let (nonce, ciphertext) = stored.split_first_chunk::<NONCE>()?;
    let nonce = Nonce::from(*nonce);
    let bytes = header.encode();
    let mut unsummed: [u8; FRAME_HEADER] = bytes;
    unsummed[4..8].fill(0);
    // The header is authenticated from byte 8 on, the part that its sum covers too. A writer that took all 40 bytes, with the sum
    // that it could not know yet as zeros, is read as well.
    [&bytes[8..], &unsummed[..]].into_iter().find_map(|aad| cipher(key).decrypt(&nonce, Sealed { msg: ciphertext, aad }).ok())
}

fn unpack(header: &FrameHeader, stored: &[u8], out: &mut Vec<u8>) -> Opened {
    out.clear();
    if header.flags & LZ4 == 0 {
        out.extend_from_slice(stored);
        return Opened::Plain;
    }
    let Some((size, block)) = stored.split_first_chunk::<SIZE>() else {
        return Opened::Bad("a compressed payload begins with its length, and this one is shorter than that".into());
    };
    let size = u32::from_le_bytes(*size) as usize;
    // A byte of LZ4 stands for 255 bytes at the most: a larger claim is false, and nothing is allocated for it.
    if size > OPEN_LIMIT || size > block.len().saturating_mul(255) {
        return Opened::Bad(format!("{} compressed bytes claim to be {size}", block.len()));
    }
    out.resize(size, 0);
    match lz4_flex::block::decompress_into(block, out) {
        Ok(written) if written == size => Opened::Plain,
        Ok(written) => Opened::Bad(format!("{size} bytes were promised and {written} came out")),
        Err(error) => Opened::Bad(format!("it does not decompress: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Lsn, Time};

    fn header(flags: u8, length: usize) -> FrameHeader {
        let length = u32::try_from(length).expect("small");
        FrameHeader { sum: 0, length, kind: 0, flags, unsynced: 0, lsn: Lsn(3), time: Time(4), tag: 5 }
    }

    fn keys(byte: u8) -> Keys {
        Keys::parse(&format!("{byte:02x}").repeat(32)).expect("64 hex digits")
    }

    #[test]
    fn compression_comes_before_encryption_and_both_come_off_again() {
        let payload = b"abcabcabcabc".repeat(50);
        let mut packed = Vec::new();
        assert!(compress(&payload, &mut packed));
        let header = header(LZ4 | ENCRYPTED, packed.len() + ENCRYPTION_BYTES);
        let stored = encrypt(&header, &packed, &[7; 32]).expect("it encrypts");
        assert_eq!(stored.len(), header.length as usize);
        let mut out = Vec::new();
        assert_eq!(open(&header, &stored, &keys(7), &mut out), Opened::Plain);
        assert_eq!(out, payload);
        assert_eq!(open(&header, &stored, &keys(8), &mut out), Opened::Locked);
        assert_eq!(open(&header, &stored, &Keys::default(), &mut out), Opened::Locked);
    }

    #[test]
    fn a_header_that_was_exchanged_does_not_open() {
        let header = header(ENCRYPTED, 5 + ENCRYPTION_BYTES);
        let stored = encrypt(&header, b"alpha", &[7; 32]).expect("it encrypts");
        let other = FrameHeader { tag: 6, ..header };
        assert_eq!(open(&other, &stored, &keys(7), &mut Vec::new()), Opened::Locked);
        assert_ne!(stored, encrypt(&header, b"alpha", &[7; 32]).expect("it encrypts"), "the nonce is new each time");
    }

    #[test]
    fn claims_are_not_believed() {
        let mut out = Vec::new();
        let mut stored = u32::MAX.to_le_bytes().to_vec();
        stored.extend_from_slice(&[0; 20]);
        for bytes in [&stored[..], &[], &[1], &[5, 0, 0, 0], &[200, 0, 0, 0, 0x10, 7]] {
            assert!(matches!(open(&header(LZ4, bytes.len()), bytes, &Keys::default(), &mut out), Opened::Bad(_)), "{bytes:?}");
        }
        assert!(out.capacity() < 1 << 16);
        assert!(matches!(open(&header(ENCRYPTED, 27), &[0; 27], &keys(1), &mut out), Opened::Bad(_)));
    }

    #[test]
    fn what_does_not_shrink_is_left_as_it_is() {
        assert!(!compress(b"", &mut Vec::new()));
        assert!(!compress(b"abcdefg", &mut Vec::new()));
    }

    #[test]
    fn equal_keys_have_different_ids_under_different_salts() {
        assert_eq!(key_hint(&[1; 32], [2; 16]), key_hint(&[1; 32], [2; 16]));
        assert_ne!(key_hint(&[1; 32], [2; 16]).id, key_hint(&[1; 32], [3; 16]).id);
        assert_ne!(key_hint(&[1; 32], [2; 16]).id, key_hint(&[4; 32], [2; 16]).id);
    }
}
