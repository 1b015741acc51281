//! `walctl explain`: what a word of the output means, how it comes about, and what to do.

use std::collections::BTreeMap;
use std::io::{self, Write};

use clap::builder::{PossibleValue, StringValueParser, TypedValueParser};
use clap::{Arg, Args, Command};
use walctl::formats;
use walctl::model::{CATALOGUE, Verdict};

use super::exit::{CommandFailure, Exit};
use super::reference::terms::TERMS;
use super::reference::warnings::WARNINGS;
use super::reference::{EXAMPLES, SHAPES, each};
use super::render::json::Object;
use super::render::out::Out;

/// Say what a word of the output or the help means: damage, verdicts, warnings, exit codes, terms, formats, JSON keys
#[derive(Args, Debug)]
#[command(
    after_help = "Without a name all names are listed. Case, -, _ and blanks do not matter. The same texts are in the manual: walctl man explain."
)]
pub struct ExplainArgs {
    /// Any word: damage, a verdict, a warning, an exit code, a term, a format, or a key of --json, alone or with its path
    #[arg(value_name = "NAME", value_parser = WordParser)]
    names: Vec<String>,
}

/// Takes any word, for what is not known is answered with what is near, and completes those that are not keys.
#[derive(Clone)]
struct WordParser;

impl TypedValueParser for WordParser {
    type Value = String;

    fn parse_ref(&self, command: &Command, arg: Option<&Arg>, value: &std::ffi::OsStr) -> Result<String, clap::Error> {
        StringValueParser::new().parse_ref(command, arg, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        let words = words().into_iter().filter(|word| word.class != KEY);
        let mut names: Vec<String> = words.map(|word| word.name).collect();
        names.sort();
        names.dedup();
        Some(Box::new(names.into_iter().map(PossibleValue::new)))
    }
}

const KEY: &str = "key";
const FORMAT: &str = "format";

/// A place in which a key stands.
pub struct KeyPlace {
    command: &'static str,
    path: String,
    kind: String,
    words: &'static str,
}

/// What can be explained.
pub struct Word {
    /// What sort of word it is.
    pub class: &'static str,
    /// As it stands in the output.
    pub name: String,
    /// What it is.
    pub meaning: String,
    /// What is said besides.
    pub more: Vec<(&'static str, String)>,
    /// What else it is found by.
    also: Vec<&'static str>,
    places: Vec<KeyPlace>,
}

/// All of them, by class.
pub fn words() -> Vec<Word> {
    let word = |class, name: &str, meaning: &str, more: Vec<(&'static str, String)>| {
        let example = EXAMPLES.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix("\t"));
        let more = more.into_iter().chain(example.map(|line| ("example", line.to_owned()))).collect();
        Word { class, name: name.to_owned(), meaning: meaning.to_owned(), more, also: Vec::new(), places: Vec::new() }
    };
    let mut words = Vec::new();
    for entry in &CATALOGUE {
        let more = vec![("usual cause", entry.cause.to_owned()), ("what helps", entry.remedy.to_owned())];
        words.push(word("damage", entry.name, entry.words, more));
    }
    for verdict in Verdict::ALL {
        let more = vec![("exit code", Exit::from(verdict).code().to_string()), ("what helps", helps(verdict).to_owned())];
        words.push(word("verdict", verdict.name(), verdict.words(), more));
    }
    for entry in WARNINGS {
        let more = vec![("usual cause", entry.cause.to_owned()), ("what helps", entry.remedy.to_owned())];
        words.push(word("warning", entry.name, entry.words, more));
    }
    for exit in Exit::ALL {
        let verdicts: Vec<&str> =
            Verdict::ALL.into_iter().filter(|verdict| Exit::from(*verdict) == exit).map(Verdict::name).collect();
        let verdicts = (!verdicts.is_empty()).then(|| ("verdicts", verdicts.join(", ")));
        let more = verdicts.into_iter().chain([("what helps", after(exit).to_owned())]).collect();
        words.push(word("exit code", &exit.code().to_string(), exit.sentence(), more));
    }
    for term in TERMS {
        let also = term.also.to_vec();
        words.push(Word { also, ..word("term", term.name, term.words, vec![("see", term.see.to_owned())]) });
    }
    for format in formats::ALL {
        let meaning = format!("a format that can be read, {}; --format {} names it", format.title, format.name);
        let mends = match format.mending.never() {
            None => "walctl repair LOG cuts a torn tail as its own recovery would".to_owned(),
            Some(why) => format!("walctl repair never cuts it: {why}; walctl repair LOG --salvage NEW copies what is whole"),
        };
        words.push(Word { also: format.aliases.to_vec(), ..word(FORMAT, format.name, &meaning, vec![("see", mends)]) });
    }
    words.extend(keys());
    words
}

/// The keys of JSON, each with its places.
fn keys() -> impl Iterator<Item = Word> {
    let mut keys: BTreeMap<&'static str, Vec<KeyPlace>> = BTreeMap::new();
    for shape in &SHAPES {
        each(shape.keys, &mut |path, key| {
            let place = KeyPlace { command: shape.command, path: path.to_owned(), kind: key.kind.words(), words: key.words };
            keys.entry(key.name).or_default().push(place);
        });
    }
    keys.remove("*");
    keys.into_iter().map(|(name, places)| {
        let first = &places[0];
        let example = format!("{} | jq '.{}'", first.command, first.path.replace(".*", "[]"));
        let meaning = first.words.to_owned();
        Word { class: KEY, name: name.to_owned(), meaning, more: vec![("example", example)], also: Vec::new(), places }
    })
}

/// What to do with a log of this verdict.
const fn helps(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Clean => "nothing",
        Verdict::Torn => "walctl repair LOG cuts the tail after saving its bytes; many systems do the same when they start",
        Verdict::Suspect => "compare with a replica; walctl repair LOG --accept-suspect cuts the tail after saving its bytes",
        Verdict::Unreadable => "look at the kernel's log and copy the log to another disk; then check the copy",
        Verdict::Foreign => "find out which files belong here; walctl repair LOG --salvage NEW takes what is valid",
        Verdict::Missing => {
            "first look for the segments in a backup, an archive or a replica, copy them into the folder and verify again; if no copy is left \
             anywhere: walctl repair LOG --accept-hole A..B --yes where walctl verify LOG names it, else walctl repair LOG --salvage NEW"
        }
        Verdict::Corrupt => "restore the segment from a backup or a replica; walctl repair LOG --salvage NEW takes the rest",
    }
}

/// What to do after this exit code.
const fn after(exit: Exit) -> &'static str {
    match exit {
        Exit::Done => "nothing",
        Exit::Failed => "read the message on standard error; nothing is known about the log",
        Exit::Usage => "walctl COMMAND --help",
        Exit::Torn => "walctl verify LOG says what would be cut; walctl repair LOG cuts it",
        Exit::Damaged => "walctl verify LOG says where and what to do next; change nothing before that",
        Exit::Locked => "wait for the process that is named, or stop it; reading needs no lock",
        Exit::WriteFailed => "note the last durable LSN, look at the disk, then walctl verify LOG",
        Exit::GateMissed => {
            "after diff: the logs are not the same, and it said where they part; else read on standard error which gate was not met"
        }
        Exit::Interrupted => "run it again; repair and salvage leave no half-done work under a name that counts",
    }
}

impl Word {
    fn is(&self, name: &str) -> bool {
        let path = |place: &KeyPlace| place.path == name || place.path.trim_start_matches('.') == name.trim_start_matches('.');
        let plain = plain(name);
        let named = self::plain(&self.name) == plain || self.also.iter().any(|also| self::plain(also) == plain);
        named || (name.contains(['.', '[']) && self.places.iter().any(path))
    }

    fn json(&self) -> Object {
        let object = Object::of("walctl.explain/1").put("name", self.name.as_str()).put("class", self.class);
        let object = object.put("meaning", self.meaning.as_str());
        let object = if self.also.is_empty() { object } else { object.put("also", self.also.clone()) };
        let object = self.more.iter().fold(object, |object, (what, text)| object.put(&what.replace(' ', "_"), text.as_str()));
        if self.places.is_empty() {
            return object;
        }
        let place = |place: &KeyPlace| {
            let object = Object::new().put("command", place.command).put("path", place.path.as_str());
            object.put("type", place.kind.as_str()).put("meaning", place.words)
        };
        object.put("places", self.places.iter().map(place).collect::<Vec<_>>())
    }

    fn text(&self, out: &mut Out) -> io::Result<()> {
        writeln!(out, "{} ({}): {}", self.name, self.class, self.meaning)?;
        let same = self.places.iter().all(|place| place.words == self.meaning);
        for place in &self.places {
            writeln!(out, "  in {}: {}, {}", place.command, place.path, place.kind)?;
            if !same {
                writeln!(out, "    {}", place.words)?;
            }
        }
        for (what, text) in &self.more {
            writeln!(out, "  {what}: {text}")?;
        }
        Ok(())
    }
}

/// Says what words mean.
pub fn explain(args: &ExplainArgs, out: &mut Out) -> anyhow::Result<Exit> {
    let words = words();
    let mut chosen: Vec<&Word> = Vec::new();
    for name in &args.names {
        let found: Vec<&Word> = words.iter().filter(|word| word.is(name)).collect();
        if found.is_empty() {
            return Err(unknown(name, &words).into());
        }
        chosen.extend(found);
    }
    if args.names.is_empty() && !out.json() {
        list(&words, out)?;
        return Ok(Exit::Done);
    }
    let chosen = if args.names.is_empty() { words.iter().collect() } else { chosen };
    out.sentences(!out.json())?;
    for (index, word) in chosen.iter().enumerate() {
        if out.json() {
            writeln!(out, "{}", word.json().end())?;
            continue;
        }
        if index > 0 {
            writeln!(out)?;
        }
        word.text(out)?;
    }
    out.sentences(false)?;
    Ok(Exit::Done)
}

/// Every word: one a line with its meaning, and keys, of which there are many, by their names alone.
fn list(words: &[Word], out: &mut Out) -> io::Result<()> {
    out.sentences(true)?;
    for word in words.iter().filter(|word| word.class != KEY) {
        writeln!(out, "{:<10} {:<18} {}", word.class, word.name, word.meaning)?;
    }
    let names: Vec<&str> = words.iter().filter(|word| word.class == KEY).map(|word| word.name.as_str()).collect();
    writeln!(out, "keys       {}", names.join(" "))?;
    writeln!(out, "walctl explain NAME says more, with an example")?;
    out.sentences(false)
}

fn unknown(name: &str, words: &[Word]) -> CommandFailure {
    let near = near(name, words);
    let next = match near.first() {
        Some(first) if first.contains(' ') => format!("walctl explain '{first}'"),
        Some(first) => format!("walctl explain {first}"),
        None => "walctl explain".to_owned(),
    };
    let near = if near.is_empty() { String::new() } else { format!("; near: {} (walctl explain lists all)", near.join(", ")) };
    CommandFailure { exit: Exit::Usage, message: format!("no word {name}{near}"), next: Some(next) }
}

/// A word without what does not matter in it.
fn plain(word: &str) -> String {
    word.to_lowercase().replace([' ', '_'], "-")
}

/// The words that someone may have meant, the likeliest first.
fn near<'a>(name: &str, words: &'a [Word]) -> Vec<&'a str> {
    let wanted = plain(name);
    let mut near: Vec<(usize, &str)> = Vec::new();
    for word in words {
        let have = plain(&word.name);
        let far = distance(&wanted, &have);
        let part = wanted.len() > 2 && have.contains(&wanted);
        if far <= wanted.len().div_ceil(3).min(4) || part {
            near.push((if part { far.min(2) } else { far }, &word.name));
        }
    }
    near.sort_unstable();
    near.dedup();
    near.into_iter().take(5).map(|(_, name)| name).collect()
}

/// How many letters must be added, removed or changed to make one of the other.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (index, a) in one.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], index + 1);
        for (at, b) in other.iter().enumerate() {
            let changed = diagonal + usize::from(a != *b);
            diagonal = row[at + 1];
            row[at + 1] = changed.min(diagonal + 1).min(row[at] + 1);
        }
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_mistyped_is_found() {
        let all = words();
        for (typed, meant) in [("bad-cheksum", "bad-checksum"), ("torm", "torn"), ("Bad_Checksum", "bad-checksum")] {
            assert!(near(typed, &all).contains(&meant), "{typed}: {:?}", near(typed, &all));
        }
        assert_eq!(near("qqqqqqqq", &all), [""; 0]);
        assert_eq!((distance("", "abc"), distance("abc", "abc"), distance("abc", "axc")), (3, 0, 1));
    }

    #[test]
    fn other_names_lead_to_a_word_and_case_and_blanks_do_not_matter() {
        let all = words();
        let classes = |name: &str| all.iter().filter(|word| word.is(name)).map(|word| word.class).collect::<Vec<_>>();
        for name in [
            "gap",
            "hole",
            "known hole",
            "Known-Hole",
            "in doubt",
            "in_doubt",
            "acked",
            "acknowledged",
            "frame",
            "lsn",
            "LSN",
            "cut",
            "undo",
            "sealed",
            "active",
            "torn",
            "lag",
            "differ",
            "salvage",
            "etcd",
            "leveldb",
            "running sum",
            "trust",
            "too noisy to measure",
            "synced",
            "unknown",
            "state",
            "refuses",
            "only in",
            "BAD_CHECKSUM",
        ] {
            assert!(!classes(name).is_empty(), "{name}");
        }
        assert_eq!(classes("acknowledged"), ["term", KEY], "all meanings are shown");
        assert!(formats::ALL.iter().all(|format| classes(format.name).contains(&FORMAT)));
        assert!(TERMS.is_sorted_by_key(|term| term.name.to_lowercase()), "they are sorted by name");
    }

    #[test]
    fn every_word_says_what_to_do_or_shows_an_example() {
        for word in words() {
            assert!(!word.more.is_empty() && word.meaning.len() > 5, "{}", word.name);
        }
        assert!(WARNINGS.is_sorted_by(|a, b| a.name < b.name), "they are sorted by name");
    }
}
