//! A command or a flag that is not there: what was probably meant by it.

use std::path::Path;

use super::hint::show;

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
const OTHER_FLAGS: [(&str, &[&str], &str); 3] = [
    ("verify", &["--fix", "--repair"], "walctl repair cuts a torn tail and keeps its bytes; --dry-run shows what it would do"),
    (
        "repair",
        &["--force", "-f"],
        "walctl repair needs no force for a torn tail; what else it can be told to cut: walctl help repair",
    ),
    ("dump", &["--damage", "--check"], "walctl verify shows damage, and what it means"),
];

/// What is said of a flag that a command does not have, and what to do instead.
pub fn flag_instead(command: &str, flag: &str, near: Option<&str>) -> (String, String) {
    let known = OTHER_FLAGS.iter().find(|(of, flags, _)| *of == command && flags.contains(&flag));
    let near = near.filter(|_| known.is_none()).map(|near| format!("; near: {near}")).unwrap_or_default();
    let next = known.map_or_else(|| format!("walctl help {command} lists its flags"), |(_, _, next)| (*next).to_owned());
    (format!("no flag {flag}{near}"), next)
}

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
        assert_eq!(next("qqq", None), "walctl --help lists the commands");
        assert_eq!(
            instead_of("/var/lib/x", &[], None),
            ("/var/lib/x is no command but a path".into(), "walctl verify /var/lib/x".into())
        );
    }

    #[test]
    fn a_flag_that_people_try_leads_to_what_does_it() {
        assert!(flag_instead("verify", "--fix", None).1.starts_with("walctl repair cuts a torn tail"));
        let slip = flag_instead("stats", "--formt", Some("--format"));
        assert_eq!(slip, ("no flag --formt; near: --format".into(), "walctl help stats lists its flags".into()));
        let commands = super::super::commands::command();
        for (command, flags, _) in OTHER_FLAGS {
            let sub = commands.get_subcommands().find(|sub| sub.get_name() == command).expect("it is a command");
            let longs: Vec<String> = sub.get_arguments().filter_map(|arg| Some(format!("--{}", arg.get_long()?))).collect();
            assert!(flags.iter().all(|flag| !longs.iter().any(|long| long == flag)), "{command} has one of {flags:?}");
        }
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
        assert_eq!(next("undo", None), "walctl repair 'a log' --undo", "a flag that was typed like a command");
