//! A command that is not there: what was probably meant by it.

use std::path::Path;

use super::hint::show;

/// What people call the commands who know them from other tools.
const OTHER_NAMES: [(&str, &[&str]); 9] = [
    ("verify", &["check", "fsck", "validate", "test", "scan", "inspect", "diagnose", "status", "health"]),
    ("dump", &["cat", "show", "print", "read", "less", "head", "tail", "ls", "list", "export"]),
    ("repair", &["fix", "mend", "recover", "restore", "truncate", "cut", "salvage", "undo"]),
    ("append", &["write", "add", "put", "insert", "import"]),
    ("rotate", &["prune", "archive", "seal", "compact", "purge", "clean"]),
    ("stats", &["info", "count", "measure", "du", "size", "summary"]),
    ("diff", &["compare", "cmp"]),
    ("browse", &["view", "ui", "tui", "open", "explore"]),
    ("bench", &["benchmark", "perf", "disk", "speed", "tune"]),
];

/// What is said of a word that is no command, and the next command to type. `words` are those behind it.
pub fn instead_of(word: &str, words: &[String], near: Option<&str>) -> (String, String) {
    // A flag stays what it is; a path of such a name would be typed with ./ in front already.
    let plain = |word: &str| word.chars().all(|c| c.is_alphanumeric() || "-_=.,:".contains(c));
    let shown = |word: &String| if word.starts_with('-') && plain(word) { word.clone() } else { show(Path::new(word)) };
    let typed = || words.iter().map(|word| format!(" {}", shown(word))).collect::<String>();
    if word.contains('/') || Path::new(word).exists() {
        return (format!("{word} is no command but a path"), format!("walctl verify {}{}", show(Path::new(word)), typed()));
    }
    let message = format!("no command {word}");
    let known = OTHER_NAMES.iter().find(|(_, others)| others.contains(&word.to_lowercase().as_str()));
    match known.map(|(command, _)| *command).or(near) {
        Some(command) => (message, format!("walctl {command}{}", typed())),
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
        assert_eq!(next("qqq", None), "walctl --help lists the commands");
        assert_eq!(
            instead_of("/var/lib/x", &[], None),
            ("/var/lib/x is no command but a path".into(), "walctl verify /var/lib/x".into())
        );
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
