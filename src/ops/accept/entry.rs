//! One acceptance: a line of JSON that people can read, and what it says.

use serde_json::{Map, Value, json};

use super::around::Surroundings;
use crate::model::{Acknowledged, CATALOGUE, Damage, DamageKind, Lsn, LsnRange, Time, Verdict};

/// What each line begins with.
const SCHEMA: &str = "walctl.accepted/1";

/// A piece of damage that is accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acceptance {
    /// Where its log was, for people: it may have been moved since.
    pub log: String,
    /// The name of the log's format.
    pub format: String,
    /// The segment's name within the log.
    pub file: String,
    /// Where in it.
    pub offset: u64,
    /// How many bytes.
    pub length: u64,
    /// What it is.
    pub kind: DamageKind,
    /// What it means.
    pub verdict: Verdict,
    /// The LSN that was due there.
    pub lsn: Option<Lsn>,
    /// The LSNs that may be lost with it.
    pub doubt: Option<LsnRange>,
    /// Whether they had been acknowledged.
    pub acknowledged: Acknowledged,
    /// When it was accepted.
    pub since: Time,
    /// Why, in the words of the person who accepted it.
    pub reason: String,
    /// What lay around it then.
    pub(super) around: Surroundings,
}

impl Acceptance {
    /// Of damage in a segment of this name.
    pub(super) fn of(damage: &Damage, names: [&str; 3], around: Surroundings, since: Time, reason: &str) -> Acceptance {
        let [log, format, file] = names.map(str::to_owned);
        Acceptance {
            log,
            format,
            file,
            offset: damage.span.start(),
            length: damage.span.length,
            kind: damage.kind,
            verdict: damage.verdict(),
            lsn: damage.lsn,
            doubt: damage.doubt,
            acknowledged: damage.acknowledged(),
            since,
            reason: reason.to_owned(),
            around,
        }
    }

    /// As a line, without its end.
    pub(super) fn line(&self) -> String {
        let lsn = |lsn: Option<Lsn>| json!(lsn.map(|lsn| lsn.0));
        let around = &self.around;
        format!(
            "{{\"schema\": \"{SCHEMA}\", \"log\": {}, \"format\": {}, \"file\": {}, \"offset\": {}, \"length\": {}, \"kind\": \"{}\", \
             \"verdict\": \"{}\", \"lsn\": {}, \"doubt_first_lsn\": {}, \"doubt_last_lsn\": {}, \"acknowledged\": \"{}\", \"since\": \"{}\", \
             \"reason\": {}, \"around\": {{\"segment_before\": {}, \"segment_behind\": {}, \"file_bytes\": {}, \"records\": {}, \
             \"damaged\": \"{}\", \"before\": \"{}\", \"behind\": \"{}\"}}}}",
            json!(self.log),
            json!(self.format),
            json!(self.file),
            self.offset,
            self.length,
            self.kind,
            self.verdict,
            lsn(self.lsn),
            lsn(self.doubt.map(|doubt| doubt.first)),
            lsn(self.doubt.map(|doubt| doubt.last)),
            self.acknowledged,
            self.since,
            json!(self.reason),
            json!(around.segment_before),
            json!(around.segment_behind),
            json!(around.file_bytes),
            json!(around.records),
            around.damaged,
            around.before,
            around.behind,
        )
    }

    /// From a line; or what is wrong with it, in words.
    pub(super) fn parse(line: &str) -> Result<Acceptance, String> {
        let value: Value = serde_json::from_str(line).map_err(|error| format!("it is no JSON: {error}"))?;
        let Value::Object(object) = value else { return Err("it is no object".into()) };
        let mut keys = KeysLeft(object);
        let schema = keys.text("schema")?;
        if schema != SCHEMA {
            return Err(format!("its schema is {schema:?}, and this version of walctl reads {SCHEMA}"));
        }
        let acceptance = Acceptance {
            log: keys.text("log")?,
            format: keys.text("format")?,
            file: keys.text("file")?,
            offset: keys.number("offset")?,
            length: keys.number("length")?,
            kind: keys.named("kind", CATALOGUE.iter().map(|entry| (entry.kind, entry.name)))?,
            verdict: keys.named("verdict", Verdict::ALL.into_iter().skip(1).map(|verdict| (verdict, verdict.name())))?,
            lsn: keys.maybe_number("lsn")?.map(Lsn),
            doubt: keys.range()?,
            acknowledged: keys.named("acknowledged", ANSWERS.map(|answer| (answer, answer.name())).into_iter())?,
            since: Time::parse(&keys.text("since")?).ok_or("`since` is no time")?,
            reason: keys.text("reason")?,
            around: Surroundings::parse(keys.take("around")?)?,
        };
        if acceptance.offset.checked_add(acceptance.length).is_none() {
            return Err("`offset` and `length` lead beyond any file".into());
        }
        if acceptance.reason.trim().is_empty() {
            return Err("`reason` is empty".into());
        }
        keys.end()?;
        Ok(acceptance)
    }

    /// What is not as it was when this was accepted, in words; `None` when all of it is.
    pub(super) fn differs(&self, now: &Acceptance) -> Option<String> {
        let (was, is) = (&self.around, &now.around);
        let lsns = |one: &Acceptance| (one.lsn, one.doubt);
        let segment = |name: &Option<String>| match name.as_deref() {
            None => "this one".to_owned(),
            Some("") => "none".to_owned(),
            Some(name) => name.to_owned(),
        };
        let length = |n: Option<u64>| n.map_or_else(|| "not finished".to_owned(), |n| n.to_string());
        // What was still written to may be finished since.
        let changed = |was: Option<u64>, is: Option<u64>| was.is_some() && was != is;
        Some(match () {
            () if self.kind != now.kind => format!("it is {} now, and was {}", now.kind, self.kind),
            () if self.length != now.length => format!("it is {} bytes long now, and was {}", now.length, self.length),
            () if self.verdict != now.verdict => format!("its verdict is {} now, and was {}", now.verdict, self.verdict),
            () if self.acknowledged != now.acknowledged => {
                format!(
                    "whether it was acknowledged is answered with {} now, and was with {}",
                    now.acknowledged, self.acknowledged
                )
            }
            () if lsns(self) != lsns(now) => "other LSNs are in doubt now".to_owned(),
            () if was.damaged != is.damaged => "the damaged bytes have changed".to_owned(),
            () if was.segment_before != is.segment_before => {
                format!("the segment before it is {} now, and was {}", segment(&is.segment_before), segment(&was.segment_before))
            }
            () if was.segment_behind != is.segment_behind => {
                format!("the segment behind it is {} now, and was {}", segment(&is.segment_behind), segment(&was.segment_behind))
            }
            () if was.before != is.before => "what stands before it has changed".to_owned(),
            () if was.behind != is.behind => "what stands behind it has changed".to_owned(),
            () if changed(was.file_bytes, is.file_bytes) => {
                format!("the length of its segment is {} now, and was {}", length(is.file_bytes), length(was.file_bytes))
            }
            () if changed(was.records, is.records) => {
                format!("the number of records of its segment is {} now, and was {}", length(is.records), length(was.records))
            }
            () => return None,
        })
    }
}

const ANSWERS: [Acknowledged; 3] = [Acknowledged::Yes, Acknowledged::No, Acknowledged::Unknown];

impl Surroundings {
    fn parse(value: Value) -> Result<Surroundings, String> {
        let Value::Object(object) = value else { return Err("`around` is no object".into()) };
        let mut keys = KeysLeft(object);
        let around = Surroundings {
            segment_before: keys.maybe_text("segment_before")?,
            segment_behind: keys.maybe_text("segment_behind")?,
            file_bytes: keys.maybe_number("file_bytes")?,
            records: keys.maybe_number("records")?,
            damaged: keys.sum("damaged")?,
            before: keys.sum("before")?,
            behind: keys.sum("behind")?,
        };
        keys.end()?;
        Ok(around)
    }
}

/// The keys of an object that were not taken yet.
struct KeysLeft(Map<String, Value>);

impl KeysLeft {
    fn take(&mut self, key: &str) -> Result<Value, String> {
        self.0.remove(key).ok_or_else(|| format!("`{key}` is missing"))
    }

    fn text(&mut self, key: &str) -> Result<String, String> {
        self.maybe_text(key)?.ok_or_else(|| format!("`{key}` is no text"))
    }

    fn maybe_text(&mut self, key: &str) -> Result<Option<String>, String> {
        match self.take(key)? {
            Value::String(text) => Ok(Some(text)),
            Value::Null => Ok(None),
            _ => Err(format!("`{key}` is no text")),
        }
    }

    fn number(&mut self, key: &str) -> Result<u64, String> {
        self.maybe_number(key)?.ok_or_else(|| format!("`{key}` is no number"))
    }

    fn maybe_number(&mut self, key: &str) -> Result<Option<u64>, String> {
        match self.take(key)? {
            Value::Null => Ok(None),
            value => value.as_u64().map(Some).ok_or_else(|| format!("`{key}` is no number from 0 to 2^64 - 1")),
        }
    }

    fn named<T>(&mut self, key: &str, mut all: impl Iterator<Item = (T, &'static str)>) -> Result<T, String> {
        let text = self.text(key)?;
        let found = all.find(|(_, name)| *name == text);
        found.map(|(thing, _)| thing).ok_or_else(|| format!("`{key}` is {text:?}, which this version of walctl does not know"))
    }

    fn range(&mut self) -> Result<Option<LsnRange>, String> {
        match (self.maybe_number("doubt_first_lsn")?, self.maybe_number("doubt_last_lsn")?) {
            (None, None) => Ok(None),
            (Some(first), Some(last)) => {
                let range = LsnRange::new(Lsn(first), Lsn(last));
                range.map(Some).ok_or_else(|| "`doubt_first_lsn` is greater than `doubt_last_lsn`".into())
            }
            _ => Err("of `doubt_first_lsn` and `doubt_last_lsn` one is missing".into()),
        }
    }

    fn sum(&mut self, key: &str) -> Result<String, String> {
        let text = self.text(key)?;
        let digits = text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if digits { Ok(text) } else { Err(format!("`{key}` is no sum of 64 hexadecimal digits")) }
    }

    fn end(self) -> Result<(), String> {
        match self.0.keys().next() {
            Some(key) => Err(format!("`{key}` is no key that this version of walctl knows")),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn acceptance() -> Acceptance {
        Acceptance {
            log: "/archive/\"odd\"\nwal".into(),
            format: "native".into(),
            file: "00000000000000000004.wal".into(),
            offset: 4144,
            length: 48,
            kind: DamageKind::BadChecksum,
            verdict: Verdict::Corrupt,
            lsn: Some(Lsn(5)),
            doubt: LsnRange::new(Lsn(5), Lsn(7)),
            acknowledged: Acknowledged::Yes,
            since: Time(1_795_000_000_000_000),
            reason: "disk 7; ticket 4711".into(),
            around: Surroundings {
                damaged: "0a".repeat(32),
                before: "1b".repeat(32),
                behind: "2c".repeat(32),
                segment_before: None,
                segment_behind: Some(String::new()),
                file_bytes: Some(4280),
                records: Some(2),
            },
        }
    }

    #[test]
    fn a_line_leads_back_to_what_it_was_made_of() {
        let one = acceptance();
        assert_eq!(Acceptance::parse(&one.line()), Ok(one.clone()));
        let none = Surroundings { segment_behind: Some("x".into()), file_bytes: None, records: None, ..one.around.clone() };
        let other = Acceptance { lsn: None, doubt: None, acknowledged: Acknowledged::Unknown, around: none, ..one };
        assert_eq!(Acceptance::parse(&other.line()), Ok(other));
    }

    #[test]
    fn a_line_that_lacks_a_key_or_has_one_more_or_another_value_says_so() {
        let line = acceptance().line();
        let whole: Value = serde_json::from_str(&line).expect("it is JSON");
        let keys = |value: &Value| value.as_object().expect("an object").keys().cloned().collect::<Vec<String>>();
        let refused = |value: &Value, about: &str| {
            let why = Acceptance::parse(&value.to_string()).expect_err(about);
            assert!(!why.is_empty(), "{about}");
        };
        for (below, object) in [("", &whole), ("around", &whole["around"])] {
            for key in keys(object).iter().map(String::as_str).chain(["more"]) {
                for other in [Value::Null, json!(-1), json!(1.5), json!([]), json!({}), json!("x"), json!(true)] {
                    let mut hurt = whole.clone();
                    let place = if below.is_empty() { &mut hurt } else { &mut hurt[below] };
                    place[key] = other.clone();
                    // Names and texts may be any, and some may be absent.
                    let text = ["log", "format", "file", "reason", "segment_before", "segment_behind"].contains(&key);
                    let absent = ["lsn", "file_bytes", "records", "segment_before", "segment_behind"].contains(&key);
                    if !(text && other.is_string() || absent && other.is_null()) {
                        refused(&hurt, &format!("{below} {key}: {other}"));
                    }
                }
                let mut hurt = whole.clone();
                let place = if below.is_empty() { &mut hurt } else { &mut hurt[below] };
                if place.as_object_mut().expect("an object").remove(key).is_some() {
                    refused(&hurt, key);
                }
            }
        }
        for line in
            ["", "null", "[]", "{", &line[1..], &line[..line.len() - 1], &"[".repeat(100_000), &line.replace("d/1", "d/2")]
        {
            assert!(Acceptance::parse(line).is_err(), "{line:.80}");
        }
    }

    #[test]
    fn every_change_is_named() {
        let one = acceptance();
        let around = |change: &dyn Fn(&mut Surroundings)| {
            let mut other = acceptance();
            change(&mut other.around);
            other
        };
        let other = "f".repeat(64);
        let changes = [
            (Acceptance { kind: DamageKind::Zeroed, ..acceptance() }, "it is zeroed now, and was bad-checksum"),
            (Acceptance { length: 49, ..acceptance() }, "it is 49 bytes long now, and was 48"),
            (Acceptance { verdict: Verdict::Torn, ..acceptance() }, "its verdict is torn now, and was corrupt"),
            (
                Acceptance { acknowledged: Acknowledged::No, ..acceptance() },
                "whether it was acknowledged is answered with no now, and was with yes",
            ),
            (Acceptance { lsn: None, ..acceptance() }, "other LSNs are in doubt now"),
            (Acceptance { doubt: LsnRange::new(Lsn(5), Lsn(8)), ..acceptance() }, "other LSNs are in doubt now"),
            (around(&|a| a.damaged = other.clone()), "the damaged bytes have changed"),
            (around(&|a| a.before = other.clone()), "what stands before it has changed"),
            (around(&|a| a.behind = other.clone()), "what stands behind it has changed"),
            (around(&|a| a.segment_before = Some("x".into())), "the segment before it is x now, and was this one"),
            (around(&|a| a.segment_behind = Some("x".into())), "the segment behind it is x now, and was none"),
            (around(&|a| a.file_bytes = Some(7)), "the length of its segment is 7 now, and was 4280"),
            (around(&|a| a.file_bytes = None), "the length of its segment is not finished now, and was 4280"),
            (around(&|a| a.records = Some(7)), "the number of records of its segment is 7 now, and was 2"),
        ];
        for (now, words) in changes {
            assert_eq!(one.differs(&now).as_deref(), Some(words));
        }
        // When and why it was accepted, and where the log was then, are no part of the damage.
        assert_eq!(one.differs(&Acceptance { log: "x".into(), since: Time(1), reason: "y".into(), ..acceptance() }), None);
        let growing = around(&|a| (a.file_bytes, a.records) = (None, None));
        assert_eq!(growing.differs(&one), None);
    }
}
