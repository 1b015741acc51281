//! Examples for each page of the manual: what is typed, and what for.

/// A line for the shell, and what it is for.
pub type Example = (&'static str, &'static str);

/// Those of a command, or of walctl itself.
pub fn of(command: &str) -> &'static [Example] {
    match command {
        "dump" => DUMP,
        "verify" => VERIFY,
        "repair" => REPAIR,
        "append" => APPEND,
        "rotate" => ROTATE,
        "stats" => STATS,
        "diff" => DIFF,
        "browse" => BROWSE,
        "bench" => BENCH,
        "explain" => EXPLAIN,
        "completions" => COMPLETIONS,
        "man" => MAN,
        "help" => HELP,
        _ => TOP,
    }
}

const TOP: &[Example] = &[
    ("printf 'alpha\\nbeta\\n' | walctl append wal", "Write two records, and see the LSN of each when it is durable"),
    ("walctl verify wal", "See whether a log is whole, and if not, what that means and what to do"),
    ("walctl verify /var/lib", "Check every log below a folder, whatever system it belongs to"),
    ("walctl dump wal --since -10min", "Show the records of the last ten minutes"),
    ("walctl explain bad-checksum", "See what a word of the output means"),
];

const DUMP: &[Example] = &[
    ("walctl dump wal --lsn 41..60", "Show some records"),
    ("walctl dump wal --tail 20", "Show the last ones"),
    (
        "walctl dump wal --since yesterday --grep timeout -C 2",
        "Show records of yesterday and today that contain a word, with two records on each side",
    ),
    (
        "walctl dump wal --follow --cursor reader.cursor --json",
        "Hand on each record as it comes, and go on there after a restart",
    ),
    ("walctl dump wal --raw | walctl append copy", "Copy the payloads into another log"),
    ("walctl dump /var/lib/etcd --limit 5 --show-values", "See what records of another system mean"),
    ("walctl dump wal --redact --json", "Show a log to somebody who must not see its content"),
];

const VERIFY: &[Example] = &[
    ("walctl verify wal", "Check a log"),
    ("walctl verify wal --deep --key-file KEYS", "Also decrypt and unpack every payload"),
    ("walctl verify /var/lib --brief", "Check every log below a folder, with a line for each piece of damage"),
    ("walctl verify wal --ledger LEDGER", "See whether the log holds every record that append acknowledged"),
    (
        "walctl verify /archive/wal --seen /var/lib/walctl/wal.seen --max-rate 100MiB/s",
        "Check a large archive again and again without reading it again",
    ),
    ("walctl verify wal --json | jq -r '.damage[].next'", "See what to do next, in a script"),
];

const REPAIR: &[Example] = &[
    ("walctl repair wal --dry-run", "See what would be cut"),
    ("walctl repair wal", "Cut a torn tail, after its bytes were saved"),
    ("walctl repair wal --undo", "Put it back"),
    ("walctl repair wal --accept-suspect --max-cut 4KiB", "Also cut a tail that may have rotted, if it is not long"),
    ("walctl repair wal --salvage wal-salvaged", "Copy everything valid out of a log that cannot be cut"),
    ("walctl repair wal --accept-hole 41..60 --yes", "Declare records lost for ever, so that the log is clean again"),
];

const APPEND: &[Example] = &[
    ("printf 'alpha\\nbeta\\n' | walctl append wal", "Append each line as a record"),
    ("walctl append wal --text 'deployed 1.4.2' --tag 7", "Append one record"),
    ("walctl append wal --file state.bin --kind checkpoint --tag 41", "Append the content of a file as a checkpoint"),
    ("walctl append wal --ledger LEDGER --sync fdatasync", "Keep a list of what was acknowledged, to be compared after a crash"),
    ("walctl dump old --json | walctl append new --json --keep-lsn", "Move records into another log, with their LSNs"),
    ("walctl append wal --repair --keep-bytes 1GiB", "Go on after a crash, and keep no more than a gigabyte"),
];

const ROTATE: &[Example] = &[
    ("walctl rotate wal", "Seal the segment that is written to, and begin the next"),
    ("walctl rotate wal --keep-for 7d --dry-run", "See which segments would go"),
    (
        "walctl rotate wal --checkpoint 48212 --prune --archive /archive/wal",
        "Say that all up to an LSN is safe elsewhere, and move what lies below it into an archive",
    ),
    ("walctl rotate wal --keep-segments 8 --pin reader.cursor", "Keep the newest segments, and what a reader has not read yet"),
];

const STATS: &[Example] = &[
    ("walctl stats wal", "See what a log holds, how long a restart would read, and what keeps each segment"),
    ("walctl stats wal --fail-if 'replay_seconds>30s'", "End with 7 if a restart would take too long"),
    ("walctl stats wal --watch=10s", "See the numbers again every ten seconds"),
    ("walctl stats wal --openmetrics > /var/lib/node_exporter/wal.prom", "Hand the numbers to Prometheus"),
];

const DIFF: &[Example] = &[
    ("walctl diff wal /backup/wal", "See where a log and its backup part"),
    ("walctl diff wal wal-salvaged", "See what a salvage could not keep"),
    ("walctl diff primary replica --lsn 40000.. --json", "Compare the newer records of two logs, in a script"),
];

const BROWSE: &[Example] = &[
    ("walctl browse wal", "Look around in a log: h shows what the keys do, q ends it"),
    ("walctl browse wal/00000000000000000001.wal", "Look at one segment of it"),
    ("walctl browse /var/lib/etcd/member/wal --show-values", "Look at the log of another system, with the values in it"),
];

const BENCH: &[Example] = &[
    ("walctl bench /var/lib/app", "See how fast records become durable there, what to set, and whether the disk can be trusted"),
    (
        "walctl bench /var/lib/app --target 'p99<2ms'",
        "Find the highest rate at which nearly every append takes less than two milliseconds",
    ),
    ("walctl bench /var/lib/app --baseline run.json --fail-if 'p99>+10%'", "Compare with an earlier run, in CI"),
    ("walctl bench /var/lib/app --crash-test 50", "Kill an appender 50 times and see whether anything acknowledged is lost"),
];

const EXPLAIN: &[Example] = &[
    ("walctl explain bad-checksum", "See what a kind of damage means and what to do"),
    ("walctl explain 4", "See what an exit code means"),
    ("walctl explain damage[].doubt_first_lsn", "See what a key of JSON means"),
    ("walctl explain", "List all names"),
];

const COMPLETIONS: &[Example] = &[
    ("walctl completions bash > ~/.local/share/bash-completion/completions/walctl", "Install them for bash"),
    ("walctl completions zsh > ~/.zfunc/_walctl", "Install them for zsh, where ~/.zfunc is in fpath"),
];

const MAN: &[Example] = &[
    ("walctl man verify", "Read the page of a command"),
    ("walctl man dump > walctl-dump.1", "Write its source, to be installed"),
];

const HELP: &[Example] = &[("walctl help repair", "Read the help of a command")];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::commands::command;

    /// The words of a line up to a pipe or a redirection; quotes hold words together.
    fn words(line: &str) -> Vec<String> {
        let (mut words, mut word, mut quoted) = (Vec::new(), String::new(), false);
        for c in line.chars() {
            match c {
                '\'' => quoted = !quoted,
                '|' | '>' if !quoted => break,
                ' ' if !quoted => words.push(std::mem::take(&mut word)),
                _ => word.push(c),
            }
        }
        words.push(word);
        words.retain(|word| !word.is_empty());
        words
    }

    #[test]
    fn every_example_is_taken_by_the_command_line() {
        for sub in command().get_subcommands().map(clap::Command::get_name).chain(["walctl"]) {
            assert!(!of(sub).is_empty() && (sub == "walctl" || of(sub)[0].0.contains(&format!("walctl {sub}"))), "{sub}");
            for (line, what) in of(sub) {
                assert!(!what.ends_with('.') && what.starts_with(char::is_uppercase), "{what}");
                let typed = line.match_indices("walctl ").filter(|(at, _)| *at == 0 || line[..*at].ends_with("| "));
                let mut runs = 0;
                for (at, _) in typed {
                    runs += 1;
                    if let Err(error) = command().try_get_matches_from(words(&line[at..])) {
                        panic!("{line}\n{error}");
                    }
                }
                assert!(runs > 0, "{line}");
            }
        }
    }
}
