//! What transactions mean: an operation on a path by a session. Data is shown by length and hash.

use serde_json::{Value, json};

use super::super::{Decoded, Decoder};
use super::frame::{HEADER, Jute, Txn, kind_of, show};
use crate::disk::Source;

/// The decoder of a log.
pub fn decode(_: &Source) -> Decoder {
    Box::new(|_, payload, decoded| {
        let Some(head) = payload.first_chunk() else { return };
        let txn = Txn::parse(head);
        let record = &payload[HEADER as usize..];
        let Some(told) = operation(txn.kind, record, decoded) else {
            decoded.sentence = format!("type {} and {} bytes", txn.kind, record.len());
            return;
        };
        decoded.sentence = match txn.kind {
            -10 | -11 => format!("{} {}{}", kind_of(txn.kind), show(txn.session), told.words),
            _ => format!("{}{}", kind_of(txn.kind), told.words),
        };
        decoded.fact("operation", kind_of(txn.kind));
        for (name, value) in told.facts {
            decoded.fact(name, value);
        }
    })
}

/// Facts, and what comes behind the name of the operation.
struct TxnMeaning {
    facts: Vec<(&'static str, Value)>,
    words: String,
}

fn operation(kind: i32, record: &[u8], decoded: &Decoded<'_>) -> Option<TxnMeaning> {
    let mut jute = Jute(record);
    let mut facts = Vec::new();
    let mut words = String::new();
    let mut path = |jute: &mut Jute<'_>, facts: &mut Vec<(&'static str, Value)>| {
        let path = jute.text()?;
        facts.push(("path", path.as_str().into()));
        words = format!(" {path}");
        Some(())
    };
    match kind {
        1 | 15 | 19 | 21 => {
            path(&mut jute, &mut facts)?;
            data(&mut jute, &mut facts, &mut words, decoded)?;
            facts.push(("acls", acls(&mut jute)?.into()));
            if matches!(kind, 1 | 15) {
                let ephemeral = jute.take(1)?[0] != 0;
                facts.push(("ephemeral", ephemeral.into()));
                words += if ephemeral { ", ephemeral" } else { "" };
            }
            // Very old logs end here.
            if let Some(version) = jute.int() {
                facts.push(("parent_child_version", version.into()));
            }
            if kind == 21 {
                let ttl = jute.long()?;
                facts.push(("ttl_ms", ttl.into()));
                words += &format!(", for {ttl} ms");
            }
        }
        2 | 20 => path(&mut jute, &mut facts)?,
        5 | 16 => {
            path(&mut jute, &mut facts)?;
            data(&mut jute, &mut facts, &mut words, decoded)?;
            version(&mut jute, &mut facts, &mut words)?;
        }
        7 => {
            path(&mut jute, &mut facts)?;
            facts.push(("acls", acls(&mut jute)?.into()));
            version(&mut jute, &mut facts, &mut words)?;
        }
        13 => {
            path(&mut jute, &mut facts)?;
            version(&mut jute, &mut facts, &mut words)?;
        }
        14 => return multi(&mut jute, decoded),
        -10 => {
            let timeout = jute.int()?;
            facts.push(("timeout_ms", timeout.into()));
            words = format!(", timeout {timeout} ms");
        }
        -11 => {
            let closed = closed_paths(record).unwrap_or_default();
            if !closed.is_empty() {
                words = format!(", and with it {}", closed.join(", "));
            }
            facts.push(("paths", closed.into()));
        }
        -1 => {
            let error = jute.int()?;
            facts.push(("error", error.into()));
            words = format!(" {error}: a request that failed and changed nothing");
        }
        _ => return None,
    }
    Some(TxnMeaning { facts, words })
}

fn version(jute: &mut Jute<'_>, facts: &mut Vec<(&'static str, Value)>, words: &mut String) -> Option<()> {
    let version = jute.int()?;
    facts.push(("version", version.into()));
    *words += &format!(", version {version}");
    Some(())
}

fn data(jute: &mut Jute<'_>, facts: &mut Vec<(&'static str, Value)>, words: &mut String, decoded: &Decoded<'_>) -> Option<()> {
    let data = jute.buffer()?;
    facts.push(("data", data.map_or(Value::Null, |data| decoded.secret(data))));
    *words += &data.map_or(", no data".to_owned(), |data| format!(", {}", decoded.secret_words(data)));
    Some(())
}

/// Who may do what. The id of a digest is made of a password.
fn acls(jute: &mut Jute<'_>) -> Option<Vec<Value>> {
    let mut acls = Vec::new();
    for _ in 0..jute.int()?.max(0) {
        let (rights, scheme, id) = (jute.int()?, jute.text()?, jute.text()?);
        let id = if scheme == "digest" { Value::Null } else { id.into() };
        acls.push(json!({ "rights": rights, "scheme": scheme, "id": id }));
    }
    Some(acls)
}

/// Since 3.6 the end of a session names its ephemeral nodes; before, nothing or a digest stands there.
fn closed_paths(record: &[u8]) -> Option<Vec<String>> {
    let mut jute = Jute(record);
    let mut paths = Vec::new();
    for _ in 0..jute.int()?.max(0) {
        paths.push(jute.text()?);
    }
    matches!(jute.0.len(), 0 | 12).then_some(paths)
}

fn multi(jute: &mut Jute<'_>, decoded: &Decoded<'_>) -> Option<TxnMeaning> {
    let (mut all, mut words, mut failed) = (Vec::new(), Vec::new(), false);
    for _ in 0..jute.int()?.max(0) {
        let (kind, record) = (jute.int()?, jute.buffer()?.unwrap_or_default());
        failed |= kind == -1;
        // A multi in a multi is not written by any server.
        let told = if kind == 14 { None } else { operation(kind, record, decoded) };
        let told = told.unwrap_or(TxnMeaning { facts: Vec::new(), words: format!(" of {} bytes", record.len()) });
        let mut one = serde_json::Map::from_iter([("operation".to_owned(), Value::from(kind_of(kind)))]);
        one.extend(told.facts.into_iter().map(|(name, value)| (name.to_owned(), value)));
        all.push(Value::Object(one));
        words.push(format!("{}{}", kind_of(kind), told.words));
    }
    let nothing = if failed { " (failed, nothing was done)" } else { "" };
    let words = format!("{nothing}: {}", words.join("; "));
    Some(TxnMeaning { facts: vec![("failed", failed.into()), ("operations", all.into())], words })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::Secrets;

    fn text(text: &str) -> Vec<u8> {
        [&u32::try_from(text.len()).expect("short").to_be_bytes(), text.as_bytes()].concat()
    }

    #[test]
    fn each_operation_is_told_with_all_that_stands_in_it() {
        let one = |number: i32| number.to_be_bytes().to_vec();
        let acls = [one(2), one(31), text("world"), text("anyone"), one(1), text("digest"), text("me:hash")].concat();
        let open = json!([
            {"rights": 31, "scheme": "world", "id": "anyone"},
            {"rights": 1, "scheme": "digest", "id": null},
        ]);
        let (path, data) = (text("/a"), text("abc"));
        let ttl = 0x0102_0304_0506_i64.to_be_bytes().to_vec();
        let created = json!({"path": "/a", "data": "abc", "acls": open, "parent_child_version": 6});
        let with = |name: &str, value: Value| {
            let mut facts = created.clone();
            facts[name] = value;
            facts
        };
        let change = [path.clone(), data.clone(), one(4)].concat();
        let changed = json!({"path": "/a", "data": "abc", "version": 4});
        let table = [
            (
                1,
                [&path, &data, &acls, &vec![1], &one(6)].map(Vec::as_slice).concat(),
                with("ephemeral", true.into()),
                " /a, abc, ephemeral",
            ),
            (
                15,
                [&path, &data, &acls, &vec![0], &one(6)].map(Vec::as_slice).concat(),
                with("ephemeral", false.into()),
                " /a, abc",
            ),
            (19, [&path, &data, &acls, &one(6)].map(Vec::as_slice).concat(), created.clone(), " /a, abc"),
            (
                21,
                [&path, &data, &acls, &one(6), &ttl].map(Vec::as_slice).concat(),
                with("ttl_ms", 0x0102_0304_0506_i64.into()),
                " /a, abc, for 1108152157446 ms",
            ),
            (2, path.clone(), json!({"path": "/a"}), " /a"),
            (20, path.clone(), json!({"path": "/a"}), " /a"),
            (5, change.clone(), changed.clone(), " /a, abc, version 4"),
            (16, change, changed, " /a, abc, version 4"),
            (
                5,
                [path.clone(), one(-1), one(4)].concat(),
                json!({"path": "/a", "data": null, "version": 4}),
                " /a, no data, version 4",
            ),
            (7, [path.clone(), acls, one(9)].concat(), json!({"path": "/a", "acls": open, "version": 9}), " /a, version 9"),
            (13, [path, one(3)].concat(), json!({"path": "/a", "version": 3}), " /a, version 3"),
            (-10, one(30_000), json!({"timeout_ms": 30_000}), ", timeout 30000 ms"),
            (-11, [one(2), text("/e"), text("/f")].concat(), json!({"paths": ["/e", "/f"]}), ", and with it /e, /f"),
            (-11, one(0), json!({"paths": []}), ""),
            (-1, one(-101), json!({"error": -101}), " -101: a request that failed and changed nothing"),
        ];
        let decoded = Decoded::new(Secrets::Shown);
        for (kind, record, facts, words) in table {
            let told = operation(kind, &record, &decoded).unwrap_or_else(|| panic!("{kind}"));
            let found: serde_json::Map<String, Value> =
                told.facts.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
            assert_eq!((Value::Object(found), told.words.as_str()), (facts, words), "{kind}");
        }
        assert!(operation(99, b"", &decoded).is_none());
    }
}
