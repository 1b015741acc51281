//! What another format said about a record, kept beside it in a log of ours.
//!
//! A Facts frame stands directly before the frame of the record that it tells of, and bears the same LSN and time. Its payload is one
//! JSON object: `{"kind": "put", "meta": {"vshard": 7}}`. Where it is lost, the record is whole without it.

use serde_json::{Map, Value as Json};

use crate::model::units::hex;
use crate::model::{Field, Value};

/// A longer one is neither written nor read.
pub const FACTS_LIMIT: usize = 1 << 20;

/// The facts of one record.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RecordFacts {
    /// What the record is, in the words of its format.
    pub kind: String,
    /// What only that format says, by name.
    pub meta: Vec<(String, Fact)>,
}

/// The value of a fact, as [`Value`] has it. Bytes come back as text in hex.
#[derive(Clone, Debug, PartialEq)]
pub enum Fact {
    /// A number.
    Number(u64),
    /// A number below zero.
    Signed(i64),
    /// Text.
    Text(String),
    /// Yes or no.
    Flag(bool),
}

impl RecordFacts {
    /// Adds a fact, unless one has that name.
    pub fn add(&mut self, name: &str, fact: Fact) {
        if self.meta.iter().all(|(known, _)| known != name) {
            self.meta.push((name.to_owned(), fact));
        }
    }

    /// The facts that a record's walk gave.
    #[must_use]
    pub fn of(kind: &str, fields: &[Field<'_>]) -> RecordFacts {
        let mut facts = RecordFacts { kind: kind.to_owned(), meta: Vec::with_capacity(fields.len()) };
        for field in fields {
            let fact = match field.value {
                Value::Number(n) => Fact::Number(n),
                Value::Signed(n) => u64::try_from(n).map_or(Fact::Signed(n), Fact::Number),
                Value::Text(text) => Fact::Text(text.to_owned()),
                Value::Flag(flag) => Fact::Flag(flag),
                Value::Bytes(bytes) => Fact::Text(hex(bytes)),
            };
            facts.add(field.name, fact);
        }
        facts
    }

    /// The payload of a Facts frame.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut meta = Map::new();
        for (name, fact) in &self.meta {
            let value = match fact {
                Fact::Number(n) => Json::from(*n),
                Fact::Signed(n) => Json::from(*n),
                Fact::Text(text) => Json::from(text.as_str()),
                Fact::Flag(flag) => Json::from(*flag),
            };
            meta.insert(name.clone(), value);
        }
        let mut all = Map::new();
        all.insert("kind".into(), Json::from(self.kind.as_str()));
        all.insert("meta".into(), Json::Object(meta));
        Json::Object(all).to_string().into_bytes()
    }

    /// Reads a payload; `None` when it is of another form. What is no plain value in it is passed over.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<RecordFacts> {
        if bytes.len() > FACTS_LIMIT {
            return None;
        }
        let value: Json = serde_json::from_slice(bytes).ok()?;
        let kind = value.get("kind")?.as_str()?.to_owned();
        let plain = |(name, value): (&String, &Json)| {
            let fact = match value {
                Json::Bool(flag) => Fact::Flag(*flag),
                Json::String(text) => Fact::Text(text.clone()),
                Json::Number(n) => n.as_u64().map(Fact::Number).or(n.as_i64().map(Fact::Signed))?,
                _ => return None,
            };
            Some((name.clone(), fact))
        };
        let meta = value.get("meta").and_then(Json::as_object).map(|meta| meta.iter().filter_map(plain).collect());
        Some(RecordFacts { kind, meta: meta.unwrap_or_default() })
    }

    /// As a record shows them.
    #[must_use]
    pub fn fields(&self) -> Vec<Field<'_>> {
        self.meta.iter().map(|(name, fact)| Field { name, value: fact.value() }).collect()
    }
}

impl Fact {
    fn value(&self) -> Value<'_> {
        match self {
            Fact::Number(n) => Value::Number(*n),
            Fact::Signed(n) => Value::Signed(*n),
            Fact::Text(text) => Value::Text(text),
            Fact::Flag(flag) => Value::Flag(*flag),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_read_back_as_they_are_shown() {
        let fields = [
            Field { name: "vshard", value: Value::Number(u64::MAX) },
            Field { name: "delta", value: Value::Signed(-5) },
            Field { name: "event", value: Value::Text("a\"b\u{1f600}") },
            Field { name: "required", value: Value::Flag(true) },
            Field { name: "key", value: Value::Bytes(&[0, 255]) },
            Field { name: "vshard", value: Value::Number(1) },
        ];
        let facts = RecordFacts::of("put", &fields);
        let read = RecordFacts::decode(&facts.encode()).expect("what was just written");
        assert_eq!((read.kind.as_str(), read.meta.len()), ("put", 5));
        let get = |name: &str| read.meta.iter().find(|(known, _)| known == name).map(|(_, fact)| fact.clone());
        assert_eq!(get("vshard"), Some(Fact::Number(u64::MAX)), "the first one of a name stays");
        assert_eq!(get("key"), Some(Fact::Text("00ff".into())));
        assert_eq!(get("delta"), Some(Fact::Signed(-5)));
        assert_eq!(read.fields().len(), 5);
    }

    #[test]
    fn the_bytes_of_facts_are_frozen() {
        let facts = RecordFacts::of("put", &[Field { name: "vshard", value: Value::Number(7) }]);
        assert_eq!(facts.encode(), br#"{"kind":"put","meta":{"vshard":7}}"#);
    }

    #[test]
    fn what_is_of_another_form_is_passed_over() {
        for wrong in [&b""[..], b"[]", b"{}", br#"{"kind":7}"#, b"\xff", &[b'['; 100_000]] {
            assert_eq!(RecordFacts::decode(wrong), None);
        }
        let odd = RecordFacts::decode(br#"{"kind":"x","meta":{"a":[1],"b":1.5,"c":null,"d":1}}"#).expect("an object with a kind");
        assert_eq!(odd.meta, [("d".to_owned(), Fact::Number(1))]);
        assert_eq!(RecordFacts::decode(br#"{"kind":"x","meta":3}"#).map(|f| f.meta.len()), Some(0));
    }
}
