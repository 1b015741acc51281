//! Every key of every `--json`: its type and what it means. `docs/json.md`, `explain` and the manual are made of this; a test runs the
//! commands and compares.

pub mod bench;
pub mod compare;
pub mod mend;
pub mod page;
pub mod records;
pub mod stats;
pub mod terms;
pub mod verify;
pub mod warnings;

/// Output in which words stand, as the tests have it: a name, a tab and a line.
pub const EXAMPLES: &str = include_str!("reference/examples.txt");

/// A key of an object.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// As it stands in the object; `*` for keys that are named by what is in the log.
    pub name: &'static str,
    /// What its value is.
    pub kind: ValueKind,
    /// It is in every object of that shape. Else it is left out where it says nothing.
    pub always: bool,
    /// The version of the schema that brought it.
    pub since: u32,
    /// What it means, as a sentence.
    pub words: &'static str,
}

/// What was asked of object storage: the same in every shape.
pub const REQUESTS: Key =
    int("requests", "How many requests object storage was sent, repeated ones included; only for `s3://` and the like.")
        .sometimes();
/// The same, for bytes.
pub const BYTES_READ: Key = int("bytes_read", "How many bytes of objects came from there.").sometimes();

/// Which records were asked for, of every command that takes `--lsn`, `--since` and `--until`.
pub const SCOPE: Key = Key {
    kind: ValueKind::OrNull(&ValueKind::Object(ASKED)),
    ..text("scope", "Which records were asked for, with `--lsn`, `--since` and `--until`; null if all were.")
};

const ASKED: &[Key] = &[
    int("first_lsn", "The lowest LSN that was asked for.").or_null(),
    int("last_lsn", "The highest LSN that was asked for.").or_null(),
    time("since", "The earliest time that was asked for.").or_null(),
    time("until", "The latest time that was asked for.").or_null(),
];

/// What the value of a key is.
#[derive(Clone, Copy, Debug)]
pub enum ValueKind {
    /// A whole number that is not negative.
    Integer,
    /// Any number.
    Number,
    /// Text.
    Text,
    /// `true` or `false`.
    Flag,
    /// RFC 3339 in UTC, with microseconds.
    Time,
    /// Whatever the content of a record is.
    Any,
    /// An object with these keys.
    Object(&'static [Key]),
    /// A list.
    List(&'static ValueKind),
    /// That, or `null` where it is not known or there is none.
    OrNull(&'static ValueKind),
}

/// One shape of object that a command prints.
#[derive(Clone, Copy, Debug)]
pub struct ObjectShape {
    /// What `schema` says; none for the record lines, which have no such key.
    pub schema: Option<&'static str>,
    /// What is typed to see it.
    pub command: &'static str,
    /// What it is about, as a sentence.
    pub about: &'static str,
    /// Where several shapes have the same schema: the key that only this one has.
    pub mark: Option<&'static str>,
    /// Its keys, in their order.
    pub keys: &'static [Key],
}

/// A word that is explained.
#[derive(Clone, Copy, Debug)]
pub struct Explained {
    /// As it stands in the output.
    pub name: &'static str,
    /// What it is.
    pub words: &'static str,
    /// How it usually comes about.
    pub cause: &'static str,
    /// What helps.
    pub remedy: &'static str,
}

/// All of them. Of those with the same schema the first whose mark is in the object is the one that is meant.
pub const SHAPES: [ObjectShape; 17] = [
    verify::LOG,
    verify::PART,
    verify::SIGHTED,
    stats::STATS,
    mend::REPAIR,
    mend::UNDO,
    mend::SALVAGED,
    mend::SALVAGE_PLAN,
    mend::ROTATE,
    compare::DIFF,
    bench::BENCH,
    bench::CRASH,
    records::DUMP,
    records::APPEND,
    records::FORMATS,
    records::EXPLAIN,
    records::ERROR,
];

const fn key(name: &'static str, kind: ValueKind, words: &'static str) -> Key {
    Key { name, kind, always: true, since: 1, words }
}

const fn int(name: &'static str, words: &'static str) -> Key {
    key(name, ValueKind::Integer, words)
}

const fn number(name: &'static str, words: &'static str) -> Key {
    key(name, ValueKind::Number, words)
}

const fn text(name: &'static str, words: &'static str) -> Key {
    key(name, ValueKind::Text, words)
}

const fn flag(name: &'static str, words: &'static str) -> Key {
    key(name, ValueKind::Flag, words)
}

const fn time(name: &'static str, words: &'static str) -> Key {
    key(name, ValueKind::Time, words)
}

const fn object(name: &'static str, keys: &'static [Key], words: &'static str) -> Key {
    key(name, ValueKind::Object(keys), words)
}

const fn list(name: &'static str, of: &'static ValueKind, words: &'static str) -> Key {
    key(name, ValueKind::List(of), words)
}

impl Key {
    /// It may be `null`.
    const fn or_null(self) -> Key {
        let kind = match self.kind {
            ValueKind::Integer => ValueKind::OrNull(&ValueKind::Integer),
            ValueKind::Number => ValueKind::OrNull(&ValueKind::Number),
            ValueKind::Text => ValueKind::OrNull(&ValueKind::Text),
            ValueKind::Flag => ValueKind::OrNull(&ValueKind::Flag),
            ValueKind::Time => ValueKind::OrNull(&ValueKind::Time),
            other => other,
        };
        Key { kind, ..self }
    }

    /// It is left out where it says nothing.
    const fn sometimes(self) -> Key {
        Key { always: false, ..self }
    }
}

impl ValueKind {
    /// In words, for a table.
    pub fn words(self) -> String {
        match self {
            ValueKind::Integer => "integer".into(),
            ValueKind::Number => "number".into(),
            ValueKind::Text => "text".into(),
            ValueKind::Flag => "boolean".into(),
            ValueKind::Time => "time".into(),
            ValueKind::Any => "any".into(),
            ValueKind::Object(_) => "object".into(),
            ValueKind::List(of) => format!("list of {}", of.words()),
            ValueKind::OrNull(kind) => format!("{} or null", kind.words()),
        }
    }

    /// The keys of the object that it is, or that its items are.
    pub fn keys(self) -> &'static [Key] {
        match self {
            ValueKind::Object(keys) => keys,
            ValueKind::List(of) | ValueKind::OrNull(of) => of.keys(),
            _ => &[],
        }
    }

    /// What stands behind a key's name in a path: `[]` for each item of a list.
    pub fn step(self) -> &'static str {
        match self {
            ValueKind::List(_) => "[]",
            ValueKind::OrNull(kind) => kind.step(),
            _ => "",
        }
    }
}

/// Calls `see` with the path of each key of a shape, outer ones first.
pub fn each(keys: &'static [Key], see: &mut impl FnMut(&str, &'static Key)) {
    below("", keys, see);
}

fn below(path: &str, keys: &'static [Key], see: &mut impl FnMut(&str, &'static Key)) {
    for key in keys {
        // As jq wants them.
        let plain = key.name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'*'));
        let here = if plain { format!("{path}{}", key.name) } else { format!("{path}\"{}\"", key.name) };
        see(&here, key);
        below(&format!("{here}{}.", key.kind.step()), key.kind.keys(), see);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_is_named_once_and_explained() {
        for shape in &SHAPES {
            let mut paths = Vec::new();
            each(shape.keys, &mut |path, key| {
                assert!(key.words.len() > 8 && key.words.ends_with('.'), "{}: {path}: {}", shape.command, key.words);
                assert!(!paths.contains(&path.to_owned()), "{}: {path} is there twice", shape.command);
                paths.push(path.to_owned());
            });
            assert!(shape.mark.is_none_or(|mark| paths.iter().any(|path| path == mark)), "{}: {:?}", shape.command, shape.mark);
        }
    }
}
