//! Which records are shown: what is typed behind `&`, in the words of dump's flags.

use clap::parser::ValueSource;
use clap::{Args as _, Command, FromArgMatches as _};
use regex::bytes::Regex;
use walctl::formats::Format;
use walctl::model::Time;
use walctl::ops::read::LsnWish;

use crate::cli::dump::{DumpArgs, has_kind};

/// The flags that are conditions.
const FLAGS: [&str; 6] = ["lsn", "since", "until", "kind", "tag", "grep"];

/// Conditions on records; all of them must hold.
#[derive(Clone, Debug)]
pub struct Conditions {
    /// As they were typed.
    pub typed: String,
    /// LSNs.
    pub lsn: Option<LsnWish>,
    /// From this moment on.
    pub since: Option<Time>,
    /// Up to this moment.
    pub until: Option<Time>,
    /// Any of these kinds.
    pub kinds: Vec<String>,
    /// Any of these tags.
    pub tags: Vec<u64>,
    /// What payload or decoded content must match.
    pub grep: Option<Regex>,
}

impl Conditions {
    /// Reads `--kind full --tag 7`, or a regular expression as less takes it.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn parse(typed: &str, format: &Format) -> Result<Conditions, String> {
        let typed = typed.trim();
        if !typed.starts_with('-') {
            let grep = Regex::new(typed).map_err(|error| last_line(&error.to_string()))?;
            let (kinds, tags) = (Vec::new(), Vec::new());
            return Ok(Conditions {
                typed: typed.to_owned(),
                lsn: None,
                since: None,
                until: None,
                kinds,
                tags,
                grep: Some(grep),
            });
        }
        let command = DumpArgs::augment_args(Command::new("&").no_binary_name(true).disable_help_flag(true));
        let matches = command.try_get_matches_from(words(typed)?).map_err(|error| first_line(&error.to_string()))?;
        let given = |id: &&clap::Id| matches.value_source(id.as_str()) == Some(ValueSource::CommandLine);
        if let Some(other) = matches.ids().filter(given).find(|id| is_flag(id.as_str()) && !FLAGS.contains(&id.as_str())) {
            let name = if other.as_str() == "paths" {
                "a word without a flag".to_owned()
            } else {
                format!("--{}", other.as_str().replace('_', "-"))
            };
            return Err(format!("{name} is no condition here: --lsn, --since, --until, --kind, --tag and --grep are"));
        }
        let args = DumpArgs::from_arg_matches(&matches).map_err(|error| first_line(&error.to_string()))?;
        if let Some(kind) = args.kind.iter().find(|kind| format.ours.is_none() && !has_kind(format, kind)) {
            return Err(format!("{} has no kind `{kind}`; it has {}", format.name, format.kinds.join(", ")));
        }
        let (since, until) = args.scope.moments();
        let DumpArgs { scope, kind, tag, grep, .. } = args;
        Ok(Conditions { typed: typed.to_owned(), lsn: scope.lsn, since, until, kinds: kind, tags: tag, grep })
    }
}

/// Groups of flags are no flags.
fn is_flag(id: &str) -> bool {
    id.starts_with(|c: char| c.is_ascii_lowercase()) && id != "shape"
}

/// The line that says what is wrong.
pub fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned()
}

/// An expression is drawn first, with a mark below it.
fn last_line(text: &str) -> String {
    text.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned()
}

/// The words of a line, as a shell would split them: blanks part them, and quotes keep blanks.
fn words(line: &str) -> Result<Vec<String>, String> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match (quote, c) {
            (Some(q), c) if c == q => quote = None,
            (None, '\'' | '"') => {
                word.get_or_insert_default();
                quote = Some(c);
            }
            (None, c) if c.is_whitespace() => words.extend(word.take()),
            // A backslash stands for itself where an expression could need it, which is wherever no quote or blank follows.
            (None, '\\') => match chars.next() {
                Some(next) if next.is_whitespace() || matches!(next, '\'' | '"' | '\\') => {
                    word.get_or_insert_default().push(next)
                }
                Some(next) => word.get_or_insert_default().extend(['\\', next]),
                None => word.get_or_insert_default().push('\\'),
            },
            (_, c) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    if quote.is_some() { Err("a quote is not closed".to_owned()) } else { Ok(words) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use walctl::formats::by_name;

    fn parse(typed: &str) -> Result<Conditions, String> {
        Conditions::parse(typed, by_name("native").expect("walctl reads its own logs"))
    }

    #[test]
    fn what_is_no_flag_is_an_expression_as_in_less() {
        let found = parse("time.?out").expect("a good expression");
        assert!(found.grep.is_some_and(|grep| grep.is_match(b"a timeout")) && found.kinds.is_empty());
        assert!(parse("a(").is_err_and(|why| why.contains("unclosed")));
    }

    #[test]
    fn conditions_are_those_of_dump_and_no_other_flag_is_one() {
        let found = parse("--kind full,txn-begin --tag 7 --grep 'a b' --lsn 5..9").expect("these are flags of dump");
        assert_eq!((found.kinds.len(), &found.tags[..]), (2, &[7][..]));
        assert!(found.grep.is_some_and(|grep| grep.is_match(b"xa bx")) && found.lsn.is_some());
        assert!(parse("--since 10min --until now").is_ok_and(|found| found.since < found.until));
        for (typed, part) in [
            ("--follow", "--follow is no condition"),
            ("--tag 7 more", "is no condition"),
            ("--json", "unexpected argument"),
            ("--kind nonsense", "no format has"),
            ("--tag x", "invalid"),
            ("--grep 'a", "not closed"),
            ("--help", "unexpected"),
        ] {
            let why = parse(typed).expect_err(typed);
            assert!(why.contains(part) && !why.contains('\n'), "{typed}: {why}");
        }
    }

    #[test]
    fn words_are_split_as_in_a_shell_and_expressions_keep_their_backslashes() {
        assert_eq!(words(r#" a  'b c' "d 'e'" f\ g h\d "#).expect("all quotes are closed"), ["a", "b c", "d 'e'", "f g", r"h\d"]);
        assert!(words("'a").is_err());
    }
}
