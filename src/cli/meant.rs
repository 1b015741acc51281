//! A command or a flag that is not there: what was probably meant by it.

use std::path::Path;

use super::hint::{show, shown};

/// What people call the commands who know them from other tools.
const OTHER_NAMES: [(&str, &[&str]); 9] = [
    ("verify", &["check", "fsck", "validate", "test", "scan", "inspect", "diagnose", "status", "health"]),
    ("dump", &["cat", "show", "print", "read", "less", "head", "tail", "ls", "list", "export"]),
    ("repair", &["fix", "mend", "recover", "restore", "truncate", "cut", "salvage", "undo", "revert", "rollback"]),
    ("append", &["write", "add", "put", "insert", "import"]),
    ("rotate", &["prune", "archive", "seal", "compact", "purge", "clean"]),
    ("stats", &["info", "count", "measure", "du", "size", "summary"]),
    ("diff", &["compare", "cmp"]),
    ("browse", &["view", "ui", "tui", "open", "explore"]),
    ("bench", &["benchmark", "perf", "disk", "speed", "tune"]),
];

/// What is a flag of a command and was typed like a command: what is added behind the paths.
const FLAG_OF: [(&str, &str); 6] = [
    ("undo", "--undo"),
    ("revert", "--undo"),
    ("rollback", "--undo"),
    ("salvage", "--salvage NEW"),
    ("archive", "--archive FOLDER"),
    ("tail", "--tail 20"),
];

/// Flags that people try, by command, and what does what they want.
const OTHER_FLAGS: [(&str, &[&str], &str, [&str; 2]); 3] = [
    ("verify", &["--fix", "--repair"], "repair cuts a torn tail, and keeps its bytes", ["walctl repair", ""]),
    (
        "repair",
        &["--force", "-f"],
        "a torn tail needs none, and what else can be cut has a flag of its own; the plan says which",
        ["walctl repair", " --dry-run"],
    ),
    ("dump", &["--damage", "--check"], "verify shows damage, and what it means", ["walctl verify", ""]),
];

/// A value that can be typed for one that is written so in the help.
const VALUES: [(&str, &str, &str); 6] = [
    ("N", "a number", "20"),
    ("NUMBER", "a number", "20"),
    ("LSN", "an LSN", "20"),
    ("SIZE", "a size", "64MiB"),
    ("SPAN", "a span of time", "1h"),
    ("RATE", "a rate", "100MiB/s"),
];

/// What is said of a path that was typed where a flag takes a number, and the next command to type. `words` are all that were typed.
pub fn value_instead(flag: &str, value_name: &str, value: &str, words: &[String]) -> Option<(String, String)> {
    let (_, what, example) = VALUES.iter().find(|(name, ..)| *name == value_name)?;
    if !value.contains('/') && !Path::new(value).exists() {
        return None;
    }
    let mut line = String::from("walctl");
    let mut before = "";
    for word in words {
        match word.split_once('=') {
            Some((name, value_of)) if name == flag && value_of == value => {
                line += &format!(" {flag} {example} {}", show(Path::new(value)))
            }
            _ if before == flag && word == value => line += &format!(" {example} {}", show(Path::new(value))),
            _ => line += &format!(" {}", shown(word)),
        }
        before = word;
    }
    Some((format!("{flag} takes {what}, and {value} is a path"), line))
}

/// What is said of a flag that a command does not have, and the next command to type, about the logs that were named.
pub fn flag_instead(command: &str, flag: &str, near: Option<&str>, logs: &[String]) -> (String, String) {
    let known = OTHER_FLAGS.iter().find(|(of, flags, ..)| *of == command && flags.contains(&flag));
    let Some((_, _, why, [start, end])) = known else {
        let near = near.map(|near| format!("; near: {near}")).unwrap_or_default();
        return (format!("no flag {flag}{near}"), format!("walctl help {command}"));
    };
    let named: String = logs.iter().map(|log| format!(" {}", show(Path::new(log)))).collect();
    let named = if named.is_empty() { " LOG" } else { &named };
    (format!("no flag {flag}: {why}"), format!("{start}{named}{end}"))
}

/// What is said of a word that is no command, and the next command to type. `words` are those behind it.
pub fn instead_of(word: &str, words: &[String], near: Option<&str>) -> (String, String) {
    let typed = || words.iter().map(|word| format!(" {}", shown(word))).collect::<String>();
    if word.contains('/') || Path::new(word).exists() {
        return (format!("{word} is no command but a path"), format!("walctl verify {}{}", show(Path::new(word)), typed()));
    }
    let message = format!("no command {word}");
    let known = OTHER_NAMES.iter().find(|(_, others)| others.contains(&word.to_lowercase().as_str()));
    match known.map(|(command, _)| *command).or(near) {
        Some(command) => {
            let flag = FLAG_OF.iter().find(|(other, _)| *other == word.to_lowercase()).map(|(_, flag)| format!(" {flag}"));
            (message, format!("walctl {command}{}{}", typed(), flag.unwrap_or_default()))
        }
        None => (message, "walctl --help lists the commands".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_other_tools_call_it_and_a_path_alone_lead_to_the_command() {
        let next = |word: &str, near| instead_of(word, &["a log".to_owned()], near).1;
        assert_eq!(next("fsck", None), "walctl verify 'a log'");
        assert_eq!(next("compare", Some("completions")), "walctl diff 'a log'", "the meaning comes before the letters");
        assert_eq!(next("verfy", Some("verify")), "walctl verify 'a log'");
        assert_eq!(instead_of("cat", &["-n".to_owned(), "9".to_owned()], None).1, "walctl dump -n 9");
        assert_eq!(next("undo", None), "walctl repair 'a log' --undo", "a flag that was typed like a command");
        assert_eq!(next("qqq", None), "walctl --help lists the commands");
        assert_eq!(
            instead_of("/var/lib/x", &[], None),
            ("/var/lib/x is no command but a path".into(), "walctl verify /var/lib/x".into())
        );
    }

    #[test]
    fn a_flag_that_people_try_leads_to_what_does_it() {
        let next = |command, flag, logs: &[&str]| {
            flag_instead(command, flag, None, &logs.iter().map(|log| (*log).to_owned()).collect::<Vec<_>>()).1
        };
        assert_eq!(next("verify", "--fix", &["a log", "b"]), "walctl repair 'a log' b", "a command to type");
        assert_eq!(next("repair", "--force", &["a"]), "walctl repair a --dry-run");
        assert_eq!(next("verify", "--repair", &[]), "walctl repair LOG");
        let slip = flag_instead("stats", "--formt", Some("--format"), &[]);
        assert_eq!(slip, ("no flag --formt; near: --format".into(), "walctl help stats".into()));
        let commands = super::super::commands::command();
        for (command, flags, ..) in OTHER_FLAGS {
            let sub = commands.get_subcommands().find(|sub| sub.get_name() == command).expect("it is a command");
            let longs: Vec<String> = sub.get_arguments().filter_map(|arg| Some(format!("--{}", arg.get_long()?))).collect();
            assert!(flags.iter().all(|flag| !longs.iter().any(|long| long == flag)), "{command} has one of {flags:?}");
        }
    }

    #[test]
    fn a_path_where_a_number_is_due_stays_a_path_and_the_flag_gets_a_number() {
        let words = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let next = |flag, value, line| value_instead(flag, "N", value, &words(line)).map(|(_, next)| next);
        assert_eq!(next("--tail", "/wal", "dump --tail /wal").as_deref(), Some("walctl dump --tail 20 /wal"));
        assert_eq!(next("--tail", "/wal", "dump --tail=/wal --json").as_deref(), Some("walctl dump --tail 20 /wal --json"));
        assert_eq!(next("--tail", "x", "dump --tail x"), None, "no path, and clap says what is wrong");
    }

    #[test]
    fn every_other_name_is_that_of_one_command_and_of_none_itself() {
        let mut all: Vec<&str> = OTHER_NAMES.iter().flat_map(|(_, others)| others.iter().copied()).collect();
        all.sort_unstable();
        assert!(all.windows(2).all(|pair| pair[0] != pair[1]), "{all:?}");
        let commands: Vec<String> =
            super::super::commands::command().get_subcommands().map(|sub| sub.get_name().to_owned()).collect();
        assert!(all.iter().all(|name| !commands.iter().any(|command| command == name)), "{all:?}");
        assert!(OTHER_NAMES.iter().all(|(command, _)| commands.iter().any(|known| known == command)));
    }
}
