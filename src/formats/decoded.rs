//! What a record means, apart from where it lies: facts for programs, and a sentence for people.
//!
//! A format decodes what its own walk delivered. What the meaning of a record depends on beside its own bytes (names in a manifest, labels
//! in earlier records) is read when the decoder is made, or when it is first needed: a decoder is asked about the records that are
//! shown, not about all of them.

use std::fmt;

use serde_json::{Value, json};

use crate::disk::Source;
use crate::model::units::hex;
use crate::model::{Payload, Record, Result};

/// Makes the decoder of one log.
pub type Decode = fn(&Source) -> Decoder;

/// Says what records of one log mean. It is given the record and all of its payload, and leaves `Decoded` empty where it does not know.
pub type Decoder = Box<dyn FnMut(&Record<'_>, &[u8], &mut Decoded<'_>)>;

/// A record with a longer payload is not decoded.
pub const LONGEST_DECODED: u64 = 64 << 20;

/// How values that may be secret are shown.
#[derive(Clone, Copy)]
pub enum Secrets<'s> {
    /// As they are.
    Shown,
    /// By their length and what this function makes of them.
    Hidden(&'s dyn Fn(&[u8]) -> String),
}

impl fmt::Debug for Secrets<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if matches!(self, Secrets::Shown) { "Shown" } else { "Hidden" })
    }
}

/// What of a record's meaning is looked at: the rest need not be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// Both.
    All,
    /// [`Decoded::facts`], for programs.
    Facts,
    /// [`Decoded::sentence`], for people.
    Words,
}

/// What one record means.
#[derive(Debug)]
pub struct Decoded<'s> {
    /// Names and values, in the order in which they are shown.
    pub facts: Vec<(&'static str, Value)>,
    /// The same in words. It may hold any characters of the log, and is escaped where it is printed.
    pub sentence: String,
    secrets: Secrets<'s>,
    asked: Asked,
    /// Something is known, whether or not it was asked for.
    known: bool,
}

impl<'s> Decoded<'s> {
    /// Nothing yet.
    #[must_use]
    pub const fn new(secrets: Secrets<'s>) -> Decoded<'s> {
        Decoded { facts: Vec::new(), sentence: String::new(), secrets, asked: Asked::All, known: false }
    }

    /// The same for somebody who looks at this alone.
    #[must_use]
    pub fn only(self, asked: Asked) -> Decoded<'s> {
        Decoded { asked, ..self }
    }

    /// Whether facts are looked at.
    #[must_use]
    pub fn wants_facts(&self) -> bool {
        self.asked != Asked::Words
    }

    /// Whether the sentence is.
    #[must_use]
    pub fn wants_words(&self) -> bool {
        self.asked != Asked::Facts
    }

    /// Whether nothing is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.facts.is_empty() && self.sentence.is_empty() && !self.known
    }

    /// Adds a fact.
    pub fn fact(&mut self, name: &'static str, value: impl Into<Value>) {
        self.known = true;
        if self.wants_facts() {
            self.facts.push((name, value.into()));
        }
    }

    /// A value that may be secret, for [`Decoded::fact`]: itself, or its length and hash; nothing where facts are not looked at.
    #[must_use]
    pub fn secret(&self, bytes: &[u8]) -> Value {
        match self.secrets {
            _ if !self.wants_facts() => Value::Null,
            Secrets::Shown => plain(bytes),
            Secrets::Hidden(hash) => json!({ "length": bytes.len(), "hash": hash(bytes) }),
        }
    }

    /// The same for the sentence, and nothing where that is not looked at.
    #[must_use]
    pub fn secret_words(&self, bytes: &[u8]) -> String {
        match self.secrets {
            _ if !self.wants_words() => String::new(),
            Secrets::Shown => words(bytes),
            Secrets::Hidden(hash) => format!("{} B #{}", bytes.len(), hash(bytes)),
        }
    }

    /// All of it as one JSON text, the facts in their order.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut text = String::from("{");
        for (index, (name, value)) in self.facts.iter().enumerate() {
            text.push_str(if index > 0 { "," } else { "" });
            text.push_str(&format!("{}:{value}", Value::from(*name)));
        }
        text.push('}');
        text
    }
}

/// Bytes that are no secret, as JSON: text where they are text, else `{"hex": …}`.
#[must_use]
pub fn plain(bytes: &[u8]) -> Value {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.into(),
        Err(_) => json!({ "hex": hex(bytes) }),
    }
}

/// The same in words: text where all of it can be read, else hex.
#[must_use]
pub fn words(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) if !text.chars().any(char::is_control) => text.to_owned(),
        _ => format!("0x{}", hex(bytes)),
    }
}

/// Decodes a record, if its payload can be had and is not too long. `room` is used for payloads that come in pieces.
pub fn decode(decoder: &mut Decoder, record: &Record<'_>, room: &mut Vec<u8>, into: &mut Decoded<'_>) -> Result<()> {
    if record.encrypted || record.is_control() || record.payload.length() > LONGEST_DECODED {
        return Ok(());
    }
    if let Payload::Whole(bytes) = record.payload {
        decoder(record, bytes, into);
        return Ok(());
    }
    room.clear();
    record.payload.each(&mut |piece| {
        room.extend_from_slice(piece);
        Ok(())
    })?;
    decoder(record, room, into);
    room.clear();
    room.shrink_to(1 << 20);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Pieces, SegmentId, Span};

    fn length_of_payload() -> Decoder {
        Box::new(|_, payload, decoded| {
            decoded.fact("length", payload.len());
            decoded.fact("a", decoded.secret(payload));
            decoded.sentence = decoded.secret_words(payload);
        })
    }

    #[test]
    fn what_is_not_asked_for_is_not_made_and_what_is_known_is_known_all_the_same() {
        let calls = std::cell::Cell::new(0);
        let hash = |_: &[u8]| {
            calls.set(calls.get() + 1);
            "0f".to_owned()
        };
        for (asked, facts, words) in [(Asked::All, 1, "3 B #0f"), (Asked::Facts, 1, ""), (Asked::Words, 0, "3 B #0f")] {
            calls.set(0);
            let mut decoded = Decoded::new(Secrets::Hidden(&hash)).only(asked);
            assert!(decoded.is_empty());
            decoded.fact("value", decoded.secret(b"abc"));
            assert!(!decoded.is_empty());
            decoded.sentence = decoded.secret_words(b"abc");
            assert_eq!((decoded.facts.len(), decoded.sentence.as_str()), (facts, words));
            assert_eq!(calls.get(), if asked == Asked::All { 2 } else { 1 });
        }
    }

    #[test]
    fn a_secret_is_a_length_and_a_hash_unless_it_is_asked_for() {
        let hash = |bytes: &[u8]| format!("h{}", bytes[0]);
        let record = Record { payload: Payload::Whole(b"\x01\xff"), ..Record::at(Span::new(SegmentId(0), 0, 2)) };
        let mut decoder = length_of_payload();
        for (secrets, json, words) in [
            (Secrets::Hidden(&hash), r#"{"length":2,"a":{"hash":"h1","length":2}}"#, "2 B #h1"),
            (Secrets::Shown, r#"{"length":2,"a":{"hex":"01ff"}}"#, "0x01ff"),
        ] {
            let mut decoded = Decoded::new(secrets);
            decode(&mut decoder, &record, &mut Vec::new(), &mut decoded).expect("it is at hand");
            assert_eq!((decoded.to_json().as_str(), decoded.sentence.as_str()), (json, words));
        }
    }

    #[test]
    fn long_payloads_are_joined_and_ciphertext_is_not_decoded() {
        let pieces: &Pieces<'_> = &|take| [b"ab", b"cd"].iter().try_for_each(|piece| take(&piece[..]));
        let long = Record { payload: Payload::Long(4, pieces), ..Record::at(Span::new(SegmentId(0), 0, 2)) };
        let mut decoder = length_of_payload();
        let mut facts = |record: &Record<'_>| {
            let mut decoded = Decoded::new(Secrets::Shown);
            decode(&mut decoder, record, &mut Vec::new(), &mut decoded).expect("these pieces cannot fail");
            decoded.to_json()
        };
        assert_eq!(facts(&long), r#"{"length":4,"a":"abcd"}"#);
        assert_eq!(facts(&Record { encrypted: true, ..long }), "{}");
        assert_eq!(facts(&Record { payload: Payload::Long(LONGEST_DECODED + 1, pieces), ..long }), "{}");
    }

    #[test]
    fn bytes_that_could_steer_a_terminal_are_hex_in_words() {
        assert_eq!(
            (words(b"/registry/x"), words(b"\x1b[2J"), words("ä".as_bytes())),
            ("/registry/x".into(), "0x1b5b324a".into(), "ä".into())
        );
    }
}
