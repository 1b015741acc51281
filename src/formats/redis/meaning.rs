//! What commands mean: database, command, keys, and how much else there is.

use serde_json::Value;

use super::super::{Decoded, Decoder, plain, words};
use super::command::arguments_of;
use super::kinds::{OTHER, keys_of};
use crate::disk::Source;
use crate::model::{Record, Value as FieldValue};

/// So many keys, and so many other arguments, are shown of one command.
const SHOWN: usize = 100;
/// In a sentence.
const NAMED: usize = 4;

/// The decoder of one log.
pub fn decode(_source: &Source) -> Decoder {
    Box::new(|record, payload, decoded| {
        if let Some(arguments) = arguments_of(payload) {
            command(record, &arguments, decoded);
        }
    })
}

fn number(record: &Record<'_>, name: &str) -> Option<u64> {
    record.fields.iter().find_map(|field| match field.value {
        FieldValue::Number(number) if field.name == name => Some(number),
        _ => None,
    })
}

fn command(record: &Record<'_>, arguments: &[&[u8]], decoded: &mut Decoded<'_>) {
    let Some((name, rest)) = arguments.split_first() else { return };
    let known = (record.kind != OTHER).then_some(record.kind);
    let name = known.map_or_else(|| words(name), str::to_owned);
    let keys = keys_of(record.kind, arguments);
    // A key is told from an equal value by where it stands.
    let is_key = |argument: &&[u8]| keys.iter().any(|key| std::ptr::eq(*key, *argument));
    let others: Vec<&[u8]> = rest.iter().copied().filter(|argument| !is_key(argument)).collect();
    let database = record.tag;
    decoded.fact("db", database);
    decoded.fact("command", name.as_str());
    if let [key] = keys[..] {
        decoded.fact("key", plain(key));
    } else if !keys.is_empty() {
        decoded.fact("keys", keys.iter().take(SHOWN).map(|key| plain(key)).collect::<Vec<Value>>());
        decoded.fact("keys_count", keys.len());
    }
    let bytes: usize = others.iter().map(|argument| argument.len()).sum();
    let mut sentence = database.map_or_else(|| "db ? ".to_owned(), |database| format!("db {database} "));
    sentence += &name;
    for key in keys.iter().take(NAMED) {
        sentence += &format!(" {}", words(key));
    }
    if keys.len() > NAMED {
        sentence += &format!(" and {} more keys", keys.len() - NAMED);
    }
    // What these say is no secret.
    if matches!(
        record.kind,
        "SELECT" | "SWAPDB" | "FLUSHALL" | "FLUSHDB" | "EXPIRE" | "PEXPIRE" | "EXPIREAT" | "PEXPIREAT" | "PERSIST"
    ) {
        let open: Vec<String> = others.iter().take(SHOWN).map(|argument| words(argument)).collect();
        if !open.is_empty() {
            decoded.fact("arguments", open.clone());
            sentence += &format!(" {}", open.join(" "));
        }
    } else if !others.is_empty() {
        let shown: Vec<Value> = others.iter().take(SHOWN).map(|argument| decoded.secret(argument)).collect();
        decoded.fact("arguments", shown);
        if others.len() > SHOWN {
            decoded.fact("arguments_count", others.len());
        }
        sentence += &match others[..] {
            [only] => format!(" {}", decoded.secret_words(only)),
            [first, second] => format!(" {} {}", decoded.secret_words(first), decoded.secret_words(second)),
            _ => format!(" ({} more arguments, {bytes} bytes)", others.len()),
        };
    }
    if let Some(transaction) = number(record, "transaction") {
        decoded.fact("transaction", transaction);
        sentence += &format!(" [transaction {transaction}");
        if let Some(commands) = number(record, "transaction_commands") {
            decoded.fact("transaction_commands", commands);
            sentence += &format!(", {commands} commands");
        }
        sentence += "]";
    }
    decoded.sentence = sentence;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::Secrets;
    use crate::model::{SegmentId, Span};

    #[test]
    fn how_many_there_are_is_said_where_not_all_are_shown() {
        for count in [SHOWN - 1, SHOWN, SHOWN + 1, SHOWN + 2] {
            let values: Vec<String> = (0..count).map(|n| format!("v{n}")).collect();
            let arguments: Vec<&[u8]> = [&b"RPUSH"[..], b"k"].into_iter().chain(values.iter().map(String::as_bytes)).collect();
            let record = Record { kind: "RPUSH", ..Record::at(Span::new(SegmentId(0), 0, 1)) };
            let mut decoded = Decoded::new(Secrets::Shown);
            command(&record, &arguments, &mut decoded);
            let told: Value = serde_json::from_str(&decoded.to_json()).expect("it is JSON");
            let shown = told["arguments"].as_array().expect("there are some").len();
            assert_eq!((shown, told["key"].as_str()), (count.min(SHOWN), Some("k")));
            assert_eq!(told["arguments_count"].as_u64(), (count > SHOWN).then_some(count as u64), "{count} arguments");
        }
    }
}
