//! What an entry asks of the key space, of leases, users and members: protobuf to facts and a sentence.
//!
//! A field is looked up where it is needed, so a message costs no memory but its own.

use serde_json::{Map, Value, json};

use super::super::{Decoded, plain, words};
use super::raft::{FieldValue, field};

/// Transactions in transactions are shown so deep, and no deeper.
const DEPTH: usize = 8;
/// A sentence names so many operations of a transaction.
const NAMED: usize = 4;

/// Facts of one request, and the same in words.
pub struct Told {
    pub facts: Vec<(&'static str, Value)>,
    pub words: String,
}

impl Told {
    fn of(words: impl Into<String>) -> Told {
        Told { facts: Vec::new(), words: words.into() }
    }

    fn with(mut self, name: &'static str, value: impl Into<Value>) -> Told {
        self.facts.push((name, value.into()));
        self
    }

    fn object(self) -> Value {
        Value::Object(self.facts.into_iter().map(|(name, value)| (name.to_owned(), value)).collect::<Map<_, _>>())
    }
}

/// All of a message's fields; `None` in place of what cannot be read.
fn fields(mut message: &[u8]) -> impl Iterator<Item = Option<(u64, FieldValue<'_>)>> {
    let mut broken = false;
    std::iter::from_fn(move || {
        if message.is_empty() || broken {
            return None;
        }
        let next = field(&mut message);
        let whole = !matches!(next, Some((_, FieldValue::Bytes(given, length))) if (given.len() as u64) < length);
        broken = next.is_none() || !whole;
        Some(next.filter(|_| whole))
    })
}

/// Whether a message can be read to its end.
pub fn is_message(message: &[u8]) -> bool {
    fields(message).all(|field| field.is_some())
}

fn number(message: &[u8], wanted: u64) -> u64 {
    let found = fields(message).flatten().filter(|(number, _)| *number == wanted).last();
    found.map_or(0, |(_, value)| if let FieldValue::Number(number) = value { number } else { 0 })
}

fn all(message: &[u8], wanted: u64) -> impl Iterator<Item = &[u8]> {
    fields(message).flatten().filter_map(move |(number, value)| match value {
        FieldValue::Bytes(bytes, _) if number == wanted => Some(bytes),
        _ => None,
    })
}

fn bytes(message: &[u8], wanted: u64) -> &[u8] {
    all(message, wanted).last().unwrap_or_default()
}

fn has(message: &[u8], wanted: u64) -> bool {
    fields(message).flatten().any(|(number, _)| number == wanted)
}

fn text(message: &[u8], wanted: u64) -> String {
    words(bytes(message, wanted))
}

/// Leases and members as etcd's own tools print them.
fn hex(number: u64) -> String {
    format!("{number:x}")
}

/// The keys that a request is about.
fn keys_of(key: &[u8], end: &[u8]) -> String {
    let prefix_end = || {
        let mut next = key.to_vec();
        while next.last() == Some(&0xFF) {
            next.pop();
        }
        if let Some(last) = next.last_mut() {
            *last += 1;
        }
        next
    };
    match end {
        [] => words(key),
        [0] if key == [0] => "all keys".to_owned(),
        [0] => format!("all keys from {} on", words(key)),
        end if end == prefix_end() => format!("all keys that begin with {}", words(key)),
        end => format!("keys from {} up to {}", words(key), words(end)),
    }
}

fn ranged(told: Told, key: &[u8], end: &[u8]) -> Told {
    let told = told.with("key", plain(key));
    if end.is_empty() { told } else { told.with("range_end", plain(end)) }
}

/// A request of version 3: its name, and what it asks.
pub fn internal(message: &[u8], decoded: &Decoded<'_>) -> (String, Told) {
    for found in fields(message).flatten() {
        let (number, FieldValue::Bytes(request, _)) = found else { continue };
        let Some(name) = name_of(number) else { continue };
        let told = match number {
            2 => version_2(request, decoded),
            3..=6 => operation(number - 2, request, decoded, 0),
            _ => other(number, name, request, decoded),
        };
        return (name.to_owned(), told);
    }
    let unknown = fields(message).flatten().find(|(number, value)| *number > 100 && matches!(value, FieldValue::Bytes(..)));
    match unknown {
        Some((number, FieldValue::Bytes(request, _))) => {
            ("unknown".to_owned(), Told::of(format!("request {number} of {} bytes", request.len())).with("number", number))
        }
        _ => ("empty".to_owned(), Told::of("a request that asks nothing")),
    }
}

fn name_of(number: u64) -> Option<&'static str> {
    Some(match number {
        2 => "v2",
        3 => "range",
        4 => "put",
        5 => "delete_range",
        6 => "txn",
        7 => "compaction",
        8 => "lease_grant",
        9 => "lease_revoke",
        10 => "alarm",
        11 => "lease_checkpoint",
        1000 => "auth_enable",
        1011 => "auth_disable",
        1012 => "authenticate",
        1013 => "auth_status",
        1100 => "user_add",
        1101 => "user_delete",
        1102 => "user_get",
        1103 => "user_change_password",
        1104 => "user_grant_role",
        1105 => "user_revoke_role",
        1106 => "user_list",
        1107 => "role_list",
        1200 => "role_add",
        1201 => "role_delete",
        1202 => "role_get",
        1203 => "role_grant_permission",
        1204 => "role_revoke_permission",
        1300 => "cluster_version_set",
        1301 => "member_attributes_set",
        1302 => "downgrade_info_set",
        9900 => "downgrade_version_test",
        _ => return None,
    })
}

/// One operation: 1 range, 2 put, 3 delete range, 4 transaction.
fn operation(kind: u64, request: &[u8], decoded: &Decoded<'_>, depth: usize) -> Told {
    let (key, end) = (bytes(request, 1), bytes(request, 2));
    match kind {
        1 => ranged(Told::of(format!("read {}", keys_of(key, end))), key, end),
        2 => {
            let (value, lease) = (bytes(request, 2), number(request, 3));
            let bound = if lease > 0 { format!(", lease {}", hex(lease)) } else { String::new() };
            let words = match number(request, 5) {
                0 => format!("put {} = {}{bound}", words(key), decoded.secret_words(value)),
                _ => format!("put {} with the value that it has{bound}", words(key)),
            };
            let told = Told::of(words).with("key", plain(key)).with("value", decoded.secret(value));
            if lease > 0 { told.with("lease", hex(lease)) } else { told }
        }
        3 => ranged(Told::of(format!("delete {}", keys_of(key, end))), key, end),
        _ => transaction(request, decoded, depth),
    }
}

fn transaction(request: &[u8], decoded: &Decoded<'_>, depth: usize) -> Told {
    if depth >= DEPTH {
        return Told::of("a transaction that lies too deep to be shown");
    }
    let compares: Vec<Told> = all(request, 1).map(|compare| compared(compare, decoded)).collect();
    let branch = |wanted: u64| -> Vec<Told> {
        let one = |op: &[u8]| match (1..=4).find(|kind| has(op, *kind)) {
            Some(kind) => operation(kind, bytes(op, kind), decoded, depth + 1),
            None => Told::of("nothing"),
        };
        all(request, wanted).map(one).collect()
    };
    let (success, failure) = (branch(2), branch(3));
    let list = |told: &[Told], between: &str| {
        let mut named: Vec<String> = told.iter().take(NAMED).map(|told| told.words.clone()).collect();
        if told.len() > NAMED {
            named.push(format!("{} more", told.len() - NAMED));
        }
        if named.is_empty() { "nothing".to_owned() } else { named.join(between) }
    };
    let condition = if compares.is_empty() { String::new() } else { format!("if {} ", list(&compares, " and ")) };
    let otherwise = if failure.is_empty() { String::new() } else { format!(", else {}", list(&failure, ", ")) };
    let words = format!("transaction: {condition}then {}{otherwise}", list(&success, ", "));
    let kept = |told: Vec<Told>| {
        let objects = told.into_iter().map(|told| {
            let words = told.words.split(' ').next().unwrap_or_default().to_owned();
            let mut object = told.object();
            if let Value::Object(map) = &mut object
                && ["put", "read", "delete"].contains(&words.as_str())
            {
                map.insert("operation".to_owned(), words.into());
            }
            object
        });
        Value::Array(objects.collect())
    };
    Told::of(words).with("compare", kept(compares)).with("success", kept(success)).with("failure", kept(failure))
}

fn compared(compare: &[u8], decoded: &Decoded<'_>) -> Told {
    let sign = ["=", ">", "<", "≠"][usize::try_from(number(compare, 1)).unwrap_or(0).min(3)];
    let target = usize::try_from(number(compare, 2)).unwrap_or(0).min(4);
    let name = ["version", "create revision", "mod revision", "value", "lease"][target];
    let (key, end) = (bytes(compare, 3), bytes(compare, 64));
    let (operand, shown) = match target {
        3 => (decoded.secret(bytes(compare, 7)), decoded.secret_words(bytes(compare, 7))),
        4 => (hex(number(compare, 8)).into(), hex(number(compare, 8))),
        target => {
            let operand = number(compare, 4 + target as u64) as i64;
            (operand.into(), operand.to_string())
        }
    };
    let told = Told::of(format!("{name} of {} {sign} {shown}", keys_of(key, end)));
    ranged(told.with("target", name).with("result", sign).with("operand", operand), key, end)
}

fn other(number_: u64, name: &'static str, request: &[u8], decoded: &Decoded<'_>) -> Told {
    let plainly = || name.replace('_', " ");
    match number_ {
        7 => {
            let revision = number(request, 1);
            Told::of(format!("compact up to revision {revision}")).with("revision", revision)
        }
        8 => {
            let (ttl, lease) = (number(request, 1), number(request, 2));
            Told::of(format!("grant lease {} for {ttl} s", hex(lease))).with("lease", hex(lease)).with("ttl", ttl)
        }
        9 => Told::of(format!("revoke lease {}", hex(number(request, 1)))).with("lease", hex(number(request, 1))),
        10 => {
            let one = |names: [&'static str; 3], field| names[usize::try_from(number(request, field)).unwrap_or(0).min(2)];
            let (action, alarm) = (one(["get", "set", "clear"], 1), one(["none", "no space", "corrupt"], 3));
            let member = hex(number(request, 2));
            Told::of(format!("{action} the alarm {alarm} of member {member}"))
                .with("action", action)
                .with("alarm", alarm)
                .with("member", member)
        }
        11 => {
            let one = |lease: &[u8]| json!({"lease": hex(number(lease, 1)), "remaining_ttl": number(lease, 2)});
            let leases: Vec<Value> = all(request, 1).map(one).collect();
            Told::of(format!("remaining time of {} leases", leases.len())).with("leases", leases)
        }
        1012 => {
            let told = Told::of(format!("authenticate {}", text(request, 1))).with("name", plain(bytes(request, 1)));
            told.with("password", decoded.secret(bytes(request, 2))).with("token", decoded.secret(bytes(request, 3)))
        }
        1100 | 1103 => {
            let told = Told::of(format!("{} {}", plainly(), text(request, 1))).with("name", plain(bytes(request, 1)));
            let hash = bytes(request, if number_ == 1100 { 4 } else { 3 });
            told.with("password", decoded.secret(bytes(request, 2))).with("password_hash", decoded.secret(hash))
        }
        1101 | 1102 | 1200..=1202 => {
            Told::of(format!("{} {}", plainly(), text(request, 1))).with("name", plain(bytes(request, 1)))
        }
        1104 | 1105 => Told::of(format!("{} {} {}", plainly(), text(request, 1), text(request, 2)))
            .with("name", plain(bytes(request, 1)))
            .with("role", plain(bytes(request, 2))),
        1203 => {
            let permission = bytes(request, 2);
            let kind = ["read", "write", "read and write"][usize::try_from(number(permission, 1)).unwrap_or(0).min(2)];
            let (key, end) = (bytes(permission, 2), bytes(permission, 3));
            let words = format!("allow role {} to {kind} {}", text(request, 1), keys_of(key, end));
            ranged(Told::of(words).with("role", plain(bytes(request, 1))).with("permission", kind), key, end)
        }
        1204 => {
            let (key, end) = (bytes(request, 2), bytes(request, 3));
            let words = format!("forbid role {} {}", text(request, 1), keys_of(key, end));
            ranged(Told::of(words).with("role", plain(bytes(request, 1))), key, end)
        }
        1300 => Told::of(format!("cluster version {}", text(request, 1))).with("version", plain(bytes(request, 1))),
        1301 => {
            let attributes = bytes(request, 2);
            let urls: Vec<Value> = all(attributes, 2).map(plain).collect();
            Told::of(format!("member {} is {}", hex(number(request, 1)), text(attributes, 1)))
                .with("member", hex(number(request, 1)))
                .with("name", plain(bytes(attributes, 1)))
                .with("client_urls", urls)
        }
        1302 => Told::of(format!("downgrade {} to {}", if number(request, 1) > 0 { "on" } else { "off" }, text(request, 2)))
            .with("enabled", number(request, 1) > 0)
            .with("version", plain(bytes(request, 2))),
        _ => Told::of(plainly()),
    }
}

/// A request of version 2, which the server still uses for itself.
pub fn version_2(request: &[u8], decoded: &Decoded<'_>) -> Told {
    let (method, path, value) = (text(request, 2), bytes(request, 3), bytes(request, 4));
    let told = match value {
        [] => Told::of(format!("v2 {method} {}", words(path))),
        value => Told::of(format!("v2 {method} {} = {}", words(path), decoded.secret_words(value))),
    };
    let mut told = told.with("method", method).with("path", plain(path));
    if !value.is_empty() {
        told = told.with("value", decoded.secret(value));
    }
    if has(request, 6) && !bytes(request, 6).is_empty() {
        told.with("previous_value", decoded.secret(bytes(request, 6)))
    } else {
        told
    }
}

/// Whether the content of an entry is a request of version 3.
pub fn is_internal(content: &[u8]) -> bool {
    has(content, 100)
}

/// A change of the members: of the first kind, or of the second one, which may hold several.
pub fn member_change(kind: u64, content: &[u8]) -> Told {
    let one = |change: u64, node: u64| {
        let name = ["add", "remove", "update", "add learner"][usize::try_from(change).unwrap_or(0).min(3)];
        (format!("{name} member {}", hex(node)), json!({"change": name, "member": hex(node)}))
    };
    let (changes, context) = match kind {
        1 => (vec![one(number(content, 2), number(content, 3))], bytes(content, 4)),
        _ => (all(content, 2).map(|single| one(number(single, 1), number(single, 2))).collect(), bytes(content, 3)),
    };
    let (said, facts): (Vec<String>, Vec<Value>) = changes.into_iter().unzip();
    let told = Told::of(said.join(", ")).with("changes", facts);
    if context.is_empty() { told } else { told.with("context", plain(context)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_of_a_request_has_its_name_and_no_other_has_one() {
        let named: Vec<(u64, &str)> = (0..20_000).filter_map(|number| Some((number, name_of(number)?))).collect();
        let expected = "2 v2, 3 range, 4 put, 5 delete_range, 6 txn, 7 compaction, 8 lease_grant, 9 lease_revoke, 10 alarm, 11 lease_checkpoint, \
                        1000 auth_enable, 1011 auth_disable, 1012 authenticate, 1013 auth_status, 1100 user_add, 1101 user_delete, 1102 user_get, \
                        1103 user_change_password, 1104 user_grant_role, 1105 user_revoke_role, 1106 user_list, 1107 role_list, 1200 role_add, \
                        1201 role_delete, 1202 role_get, 1203 role_grant_permission, 1204 role_revoke_permission, 1300 cluster_version_set, \
                        1301 member_attributes_set, 1302 downgrade_info_set, 9900 downgrade_version_test";
        let found: Vec<String> = named.iter().map(|(number, name)| format!("{number} {name}")).collect();
        assert_eq!(found.join(", "), expected);
    }
}
