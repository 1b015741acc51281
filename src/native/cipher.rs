//! Encryption of payloads: the cipher of one segment, bound to that segment's place in its log, and what opens the payloads again.
//!
//! See the format page (`FORMAT.md`), *Encryption*, for what is authenticated and what is not.

use std::cell::Cell;
use std::fmt;

use super::aes::{Aes, derive, digest};
use super::layout::{FRAME_HEADER, FrameHeader, HEADER_FIELDS, KeyHint, MAC_AT, SegmentHeader};
use crate::model::{Error, Keys, Lsn, Result};

const NONCE: usize = 12;
const TAG: usize = 16;
/// What encryption adds to a payload.
pub const ENCRYPTION_BYTES: usize = NONCE + TAG;
/// The length of what is authenticated beside a bound payload: its offset, and its frame's header after the sum.
const BOUND_AAD: usize = 8 + FRAME_HEADER - 8;

/// The key id that a segment's header bears, so that a reader knows which key to take.
#[must_use]
pub fn key_hint(key: &[u8; 32], salt: [u8; 16]) -> KeyHint {
    let digest = digest([b"walctl key id", &salt, key]);
    let mut id = [0; 8];
    id.copy_from_slice(&digest[..8]);
    KeyHint { id, salt, mac: None }
}

impl SegmentHeader {
    /// The same header for an encrypted segment: with the key's id, and authenticated by the key.
    #[must_use]
    pub fn keyed(mut self, key: &[u8; 32], salt: [u8; 16]) -> SegmentHeader {
        // The flag that says so is authenticated too, so it must be there before.
        self.key = Some(KeyHint { mac: Some([0; 16]), ..key_hint(key, salt) });
        let mac = self.mac(key);
        self.key = Some(KeyHint { mac: Some(mac), ..key_hint(key, salt) });
        self
    }

    /// Whether this key's holder wrote the header as it is. Without authentication that cannot be known.
    #[must_use]
    pub fn is_authentic(&self, key: &[u8; 32]) -> bool {
        self.key.is_some_and(|hint| hint.mac == Some(self.mac(key)))
    }

    fn mac(&self, key: &[u8; 32]) -> [u8; HEADER_FIELDS - MAC_AT] {
        derive(key, &self.log_id, &[b"walctl header", &self.encode()[..MAC_AT]])
    }
}

/// What encrypts and decrypts the payloads of one segment under one key.
#[derive(Clone)]
pub struct SegmentCipher {
    aes: Aes,
    /// Payloads are bound to their place in the log, not to their frame's header alone.
    bound: bool,
}

impl SegmentCipher {
    /// For the segment with this header.
    #[must_use]
    pub fn new(key: &[u8; 32], header: &SegmentHeader) -> SegmentCipher {
        match header.is_bound() {
            true => SegmentCipher::bound(key, &header.log_id, header.first_lsn),
            false => SegmentCipher::free(key),
        }
    }

    fn bound(key: &[u8; 32], log_id: &[u8; 16], first_lsn: Lsn) -> SegmentCipher {
        let own: [u8; 32] = derive(key, log_id, &[b"walctl payloads", &first_lsn.0.to_le_bytes()]);
        SegmentCipher { aes: Aes::new(own), bound: true }
    }

    fn free(key: &[u8; 32]) -> SegmentCipher {
        SegmentCipher { aes: Aes::new(*key), bound: false }
    }

    /// Encrypts `payload` for the frame with this header at `offset`. The header's length and flags must already be those of the
    /// encrypted payload.
    ///
    /// A failure is an error: nothing is ever stored in plain text because encryption did not work.
    pub fn encrypt(&self, header: &FrameHeader, offset: u64, payload: &[u8]) -> Result<Vec<u8>> {
        let mut nonce = [0; NONCE];
        getrandom::fill(&mut nonce).map_err(|e| Error::Input { what: format!("no random numbers for encryption: {e}") })?;
        let aad = bound_aad(header, offset);
        let ciphertext = self
            .aes
            .encrypt(nonce, payload, if self.bound { &aad } else { &aad[8..] })
            .ok_or_else(|| Error::Input { what: "the payload could not be encrypted".into() })?;
        let mut stored = Vec::with_capacity(ENCRYPTION_BYTES + payload.len());
        stored.extend_from_slice(&nonce);
        stored.extend_from_slice(&ciphertext);
        Ok(stored)
    }

    fn decrypt(&self, header: &FrameHeader, offset: u64, stored: &[u8]) -> Option<Vec<u8>> {
        let (nonce, ciphertext) = stored.split_first_chunk::<NONCE>()?;
        let open = |aad: &[u8]| self.aes.decrypt(*nonce, ciphertext, aad);
        let aad = bound_aad(header, offset);
        if self.bound {
            return open(&aad);
        }
        // The header is authenticated from byte 8 on, the part that its sum covers too. A writer that took all 40 bytes, with the sum
        // that it could not know yet as zeros, is read as well.
        let mut unsummed = header.encode();
        unsummed[4..8].fill(0);
        open(&aad[8..]).or_else(|| open(&unsummed))
    }
}

fn bound_aad(header: &FrameHeader, offset: u64) -> [u8; BOUND_AAD] {
    let mut aad = [0; BOUND_AAD];
    aad[..8].copy_from_slice(&offset.to_le_bytes());
    aad[8..].copy_from_slice(&header.encode()[8..]);
    aad
}

impl fmt::Debug for SegmentCipher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SegmentCipher {{ bound: {} }}", self.bound)
    }
}

/// What opens the payloads of one segment: the ciphers that the keys of a key file lead to.
#[derive(Debug, Default)]
pub struct Opener {
    ciphers: Vec<SegmentCipher>,
    /// The cipher that is this segment's: the header names its key, or it opened a payload. A payload that it does not open was altered.
    right: Cell<Option<usize>>,
}

impl Opener {
    /// For the segment with this header. Where the header is lost, its log's id and its first LSN may be known from elsewhere.
    #[must_use]
    pub fn new(keys: &Keys, header: Option<&SegmentHeader>, place: Option<([u8; 16], Lsn)>) -> Opener {
        let keys = keys.newest_first();
        let Some((header, hint)) = header.and_then(|header| Some((header, header.key?))) else {
            let both = keys.flat_map(|key| {
                let bound = place.map(|(log_id, first)| SegmentCipher::bound(key, &log_id, first));
                bound.into_iter().chain([SegmentCipher::free(key)])
            });
            return Opener { ciphers: both.collect(), right: Cell::default() };
        };
        // Payloads that are bound to their place are never tried as if they were not: others could be put in their place.
        let (mut ciphers, mut right) = (Vec::new(), None);
        for key in keys {
            if right.is_none() && key_hint(key, hint.salt).id == hint.id {
                right = Some(ciphers.len());
            }
            ciphers.push(SegmentCipher::new(key, header));
        }
        Opener { ciphers, right: Cell::new(right) }
    }

    /// Whether there is no key at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ciphers.is_empty()
    }

    /// Whether the segment's own key is among those that were given.
    #[must_use]
    pub fn has_the_key(&self) -> bool {
        self.right.get().is_some()
    }

    pub(super) fn decrypt(&self, header: &FrameHeader, offset: u64, stored: &[u8]) -> Option<Vec<u8>> {
        let first = self.right.get();
        let order = first.into_iter().chain((0..self.ciphers.len()).filter(|at| Some(*at) != first));
        for at in order {
            if let Some(plain) = self.ciphers.get(at)?.decrypt(header, offset, stored) {
                self.right.set(Some(at));
                return Some(plain);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Time;

    fn segment() -> SegmentHeader {
        SegmentHeader { key: None, block: 0, log_id: [9; 16], first_lsn: Lsn(3), created: Time(7), chain: 8, recycled: false }
    }

    fn frame() -> FrameHeader {
        let length = u32::try_from(5 + ENCRYPTION_BYTES).expect("small");
        FrameHeader { sum: 0, length, kind: 0, flags: 2, unsynced: 0, lsn: Lsn(3), time: Time(4), tag: 5 }
    }

    fn opener(byte: u8, header: &SegmentHeader) -> Opener {
        let keys = Keys::parse(&format!("{byte:02x}").repeat(32)).expect("64 hex digits");
        Opener::new(&keys, Some(header), None)
    }

    #[test]
    fn a_payload_opens_at_its_place_in_its_segment_and_nowhere_else() {
        let home = segment().keyed(&[7; 32], [1; 16]);
        let stored = SegmentCipher::new(&[7; 32], &home).encrypt(&frame(), 4096, b"alpha").expect("it encrypts");
        assert_eq!(opener(7, &home).decrypt(&frame(), 4096, &stored).as_deref(), Some(&b"alpha"[..]));
        let keyed = |header: SegmentHeader| header.keyed(&[7; 32], [1; 16]);
        let elsewhere = [
            ("another offset", home, frame(), 4104),
            ("another log", keyed(SegmentHeader { log_id: [8; 16], ..segment() }), frame(), 4096),
            ("another segment", keyed(SegmentHeader { first_lsn: Lsn(2), ..segment() }), frame(), 4096),
            (
                "a header that is not authenticated",
                SegmentHeader { key: Some(key_hint(&[7; 32], [1; 16])), ..home },
                frame(),
                4096,
            ),
            ("another LSN", home, FrameHeader { lsn: Lsn(4), ..frame() }, 4096),
            ("another time", home, FrameHeader { time: Time(5), ..frame() }, 4096),
            ("another tag", home, FrameHeader { tag: 6, ..frame() }, 4096),
            ("another kind", home, FrameHeader { kind: 4, ..frame() }, 4096),
            ("another promise", home, FrameHeader { unsynced: 1, ..frame() }, 4096),
        ];
        for (what, header, frame, offset) in elsewhere {
            assert_eq!(opener(7, &header).decrypt(&frame, offset, &stored), None, "{what}");
        }
        assert_eq!(opener(8, &home).decrypt(&frame(), 4096, &stored), None);
    }

    #[test]
    fn a_payload_that_is_bound_to_its_frame_alone_opens_only_where_the_header_says_so() {
        let old = SegmentHeader { key: Some(key_hint(&[7; 32], [1; 16])), ..segment() };
        let stored = SegmentCipher::new(&[7; 32], &old).encrypt(&frame(), 4096, b"alpha").expect("it encrypts");
        assert_eq!(opener(7, &old).decrypt(&frame(), 8192, &stored).as_deref(), Some(&b"alpha"[..]));
        assert_eq!(opener(7, &segment().keyed(&[7; 32], [1; 16])).decrypt(&frame(), 4096, &stored), None);
    }

    #[test]
    fn no_field_of_an_authenticated_header_can_be_changed_without_the_key() {
        let home = segment().keyed(&[7; 32], [1; 16]);
        assert!(home.is_authentic(&[7; 32]) && !home.is_authentic(&[8; 32]));
        let hint = home.key.expect("it has one");
        for changed in [
            SegmentHeader { block: 512, ..home },
            SegmentHeader { log_id: [8; 16], ..home },
            SegmentHeader { first_lsn: Lsn(4), ..home },
            SegmentHeader { created: Time(8), ..home },
            SegmentHeader { chain: 9, ..home },
            SegmentHeader { key: Some(KeyHint { id: [0; 8], ..hint }), ..home },
            SegmentHeader { key: Some(KeyHint { salt: [0; 16], ..hint }), ..home },
            SegmentHeader { key: Some(KeyHint { mac: None, ..hint }), ..home },
        ] {
            assert!(!changed.is_authentic(&[7; 32]), "{changed:?}");
        }
    }

    #[test]
    fn where_the_header_is_lost_the_place_it_had_is_enough() {
        let home = segment().keyed(&[7; 32], [1; 16]);
        let stored = SegmentCipher::new(&[7; 32], &home).encrypt(&frame(), 4096, b"alpha").expect("it encrypts");
        let keys = Keys::parse(&"07".repeat(32)).expect("64 hex digits");
        let opens = |place| Opener::new(&keys, None, place).decrypt(&frame(), 4096, &stored).is_some();
        assert!(opens(Some(([9; 16], Lsn(3)))));
        assert!(!opens(Some(([9; 16], Lsn(4)))) && !opens(None));
    }

    #[test]
    fn the_key_that_the_header_names_is_known_before_anything_was_opened() {
        let home = segment().keyed(&[7; 32], [1; 16]);
        assert!(opener(7, &home).has_the_key() && !opener(8, &home).has_the_key());
        let unnamed = SegmentHeader { key: Some(KeyHint { id: [0; 8], ..home.key.expect("it has one") }), ..home };
        let opener = opener(7, &unnamed);
        assert!(!opener.has_the_key());
        let stored = SegmentCipher::new(&[7; 32], &home).encrypt(&frame(), 4096, b"alpha").expect("it encrypts");
        assert!(opener.decrypt(&frame(), 4096, &stored).is_some() && opener.has_the_key());
    }

    #[test]
    fn equal_keys_have_different_ids_under_different_salts() {
        assert_eq!(key_hint(&[1; 32], [2; 16]), key_hint(&[1; 32], [2; 16]));
        assert_ne!(key_hint(&[1; 32], [2; 16]).id, key_hint(&[1; 32], [3; 16]).id);
        assert_ne!(key_hint(&[1; 32], [2; 16]).id, key_hint(&[4; 32], [2; 16]).id);
    }
}
