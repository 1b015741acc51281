//! From a failure to the next command to type.

use std::cell::LazyCell;
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use walctl::disk::{EntryKind, Errno, Segment, Source, scheme_of};
use walctl::formats::Format;
use walctl::model::{Damage, Error, Look, Verdict};
use walctl::ops::mend::{Help, can_cut, help_for, looks_cut};
use walctl::ops::open::Input;
use walctl::ops::report::Report;

use super::exit::CommandFailure;
use super::render::escape;
use super::render::mend::{accept_hole, restore};

/// What to try next, if there is something better than reading the message again.
pub fn for_error(command: &str, error: &anyhow::Error) -> Option<String> {
    if let Some(failure) = error.downcast_ref::<CommandFailure>() {
        return failure.next.clone();
    }
    match error.chain().find_map(|cause| cause.downcast_ref::<Error>())? {
        Error::Sighted { reader, .. } => Some(format!("read it with {reader}")),
        Error::NotALog { path, files: 0 } => Some(format!("look for the log's segments elsewhere: ls -l {}", show(path))),
        Error::NotALog { path, .. } if !takes_format(command) => {
            Some(format!("{command} is for walctl's own logs; to see whose files these are: ls -l {}", show(path)))
        }
        Error::NotALog { .. } => Some(format!("name the format with --format; walctl {command} --format list shows them all")),
        Error::Ambiguous { path, formats } if !takes_format(command) => {
            Some(format!("see what is in it: walctl verify --format {} {}", formats.first()?, show(path)))
        }
        Error::Ambiguous { path, formats } => {
            Some(format!("say which one: walctl {command} --format {} {}", formats.first()?, show(path)))
        }
        Error::Unknown { .. } => Some("read it with the version of walctl that wrote it, or a newer one".into()),
        Error::InUse { path, .. } => Some(format!(
            "stop that process, then run the same command again; if it surely writes no more, add --accept-running; reading needs no pause: \
             walctl verify {}",
            show(path)
        )),
        Error::Locked { path, .. } if command == "rotate" => Some(format!(
            "wait for it, or start the writer with --keep-bytes, --keep-for or --keep-segments, and it removes old segments itself: walctl append {} \
             --keep-segments N",
            show(path)
        )),
        Error::Locked { path, .. } => Some(format!("wait for it; reading needs no lock: walctl verify {}", show(path))),
        // A cut file is no log; its first lines are for people.
        Error::Refused { path, .. } if path.file_name().is_some_and(|name| looks_cut(&name.to_string_lossy())) => {
            Some(format!("head -n 2 {0} shows what it says; to continue without it: mv {0} {0}.aside", show(path)))
        }
        Error::Refused { path, .. } | Error::Torn { path, .. } | Error::Corrupt { path, .. } | Error::Closed { path } => {
            Some(format!("walctl verify {}", show(path)))
        }
        // A name like a flag is made none; standard input is the one that is meant so.
        Error::WrongKey { path, .. } if path.as_os_str() == "-" => {
            Some(format!("walctl {command} - --key-file FILE, with its key in the file"))
        }
        Error::WrongKey { path, .. } => Some(match command {
            "append" => format!(
                "name the file that holds the log's key, with a new one behind it if one is to begin: walctl append {} --key-file FILE; if the \
                 log's key is gone: --new-key",
                show(path)
            ),
            "diff" => "name a file that holds the keys of both logs: walctl diff A B --key-file FILE".to_owned(),
            "verify" => format!(
                "name the file that holds its key: walctl verify {0} --deep --key-file FILE; checksums need no key: walctl verify {0}",
                show(path)
            ),
            _ => format!("name the file that holds its key: walctl {command} {} --key-file FILE", show(path)),
        }),
        Error::Unreachable { path, denied: true, .. } => for_denied(path),
        Error::Poisoned { path, cause, .. } => Some(for_poisoned(path, cause)),
        Error::Io { doing, path, source } => for_io(doing, path, source),
        _ => None,
    }
}

/// What to try when the system refused something.
fn for_io(doing: &str, path: &Path, source: &std::io::Error) -> Option<String> {
    match source.kind() {
        ErrorKind::NotFound if scheme_of(path).is_some() => {
            let list = match scheme_of(path)? {
                "s3" => "aws s3 ls",
                "gs" => "gcloud storage ls",
                _ => return None,
            };
            Some(format!("{list} {}/", show(parent(path)?).trim_end_matches('/')))
        }
        ErrorKind::NotFound => parent(path).map(|dir| format!("ls -l {}", show(dir))),
        // What could not be made is not there to be looked at.
        ErrorKind::PermissionDenied if doing == "create" => {
            Some(format!("run it as a user with permission: ls -ld {}", show(parent(path).unwrap_or(path))))
        }
        ErrorKind::PermissionDenied => Some(format!("run it as a user with permission: ls -ld {}", show(path))),
        ErrorKind::ReadOnlyFilesystem => {
            let dir = show(parent(path).unwrap_or(path));
            Some(format!("see how it is mounted, and why: findmnt -T {dir}; dmesg | tail"))
        }
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            Some(format!("make room: df -h {}", show(parent(path).unwrap_or(path))))
        }
        // Our own refusal: what stands there is no file that is opened.
        ErrorKind::InvalidInput if source.raw_os_error().is_none() => Some(format!("see what it is: ls -l {}", show(path))),
        _ if Errno::from_io_error(source) == Some(Errno::IO) => {
            Some("see what the kernel says about the disk: dmesg | tail".into())
        }
        _ => None,
    }
}

/// What to try when a bucket's owner did not let us in. Only variables are read, never what they hold.
fn for_denied(path: &Path) -> Option<String> {
    let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let home = |file: &str| std::env::var_os("HOME").is_some_and(|home| Path::new(&home).join(file).is_file());
    let next = match scheme_of(path)? {
        "s3" => {
            let given = ["AWS_ACCESS_KEY_ID", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"];
            let profile = ["AWS_PROFILE", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"].into_iter().any(set)
                || home(".aws/config")
                || home(".aws/credentials");
            if profile && !given.into_iter().any(set) {
                return Some(
                    "profiles are not read; put what this one gives into the environment: \
                             eval \"$(aws configure export-credentials --format env)\""
                        .to_owned(),
                );
            }
            "set AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_REGION, or AWS_SKIP_SIGNATURE=true for a public bucket; \
             what is needed is s3:ListBucket and s3:GetObject"
        }
        "gs" => "gcloud auth application-default login, or set GOOGLE_APPLICATION_CREDENTIALS to a key file",
        _ => "set AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY, or AZURE_STORAGE_SAS_TOKEN",
    };
    Some(next.to_owned())
}

/// How a log in a bucket is copied to this machine, where it can be mended.
fn copy_here(path: &Path) -> Option<String> {
    let (from, copy) = (show(path), "walctl-copy");
    let fetch = match scheme_of(path)? {
        "s3" => format!("aws s3 cp --recursive {from} {copy}"),
        "gs" => format!("mkdir {copy} && gcloud storage cp -r {from}/* {copy}"),
        _ => return Some(format!("copy {from} to this machine, then walctl verify the copy: objects are not mended in place")),
    };
    Some(format!("copy it here, since objects are not mended in place: {fetch}; walctl verify {copy}"))
}

/// What to try when a writer came to its end.
fn for_poisoned(path: &Path, cause: &str) -> String {
    let path = show(path);
    if cause.ends_with("no space left on device") {
        return format!("make room: df -h {path}");
    }
    if cause.contains(" while it was written") || cause.contains("walctl has not made") {
        return format!("find out what did that: ls -la {path}; what is there now: walctl verify {path}");
    }
    format!("see what the kernel says about the disk: dmesg | tail; then walctl verify {path}")
}

/// Whether a command reads logs of every format, and can be told which one.
pub fn takes_format(command: &str) -> bool {
    matches!(command, "browse" | "diff" | "dump" | "verify" | "repair" | "stats")
}

/// What to do next about each piece of a log's damage. What is the same for all of them is found out once, and only if it is needed.
pub fn advisor<'a>(input: &'a Input, report: &'a Report) -> impl Fn(&Damage) -> String + 'a {
    let source = &input.source;
    let path = if source.alone { parent(&source.path).unwrap_or(&source.path) } else { &source.path };
    let format = if input.named { format!(" --format {}", input.format.name) } else { String::new() };
    let log = format!("{}{format}", show(path));
    let salvaged = LazyCell::new(|| show(&salvaged_to(path, input.format)));
    let cuts = LazyCell::new(|| can_cut(input, report));
    move |damage| {
        if source.path.as_os_str() == "-" {
            return "keep the stream in a file and name that: walctl verify FILE".into();
        }
        if let Some(copy) = copy_here(path) {
            return copy;
        }
        let segment = source.segments.get(damage.span.place.segment.index());
        if let Some(lost) = segment.filter(|segment| segment.kind == EntryKind::Absent) {
            let dir = show(parent(&lost.path).unwrap_or(path));
            return format!(
                "find the file in a backup or on a replica, and do not start the system before; what is there: ls -l {dir}"
            );
        }
        if let Some(lost) = segment.filter(|segment| segment.kind != EntryKind::File) {
            return format!("see what it is, and whether a volume is not mounted: ls -l {}", show(&lost.path));
        }
        let ending = matches!(damage.verdict(), Verdict::Torn | Verdict::Suspect) && *cuts;
        match (damage.verdict(), input.format.mending.torn_end()) {
            _ if damage.facts.look == Look::Skipped => "compare with a backup or a replica: walctl verify BACKUP".into(),
            // What a copy beside the log gives back must not be cut.
            _ if ending && report.has_copy(damage) => format!("walctl repair {log} --from-dwb"),
            // Where any damaged segment is cut, damage without bytes is not among what is cut.
            (Verdict::Corrupt, _) if *cuts => format!("walctl repair {log}"),
            (Verdict::Torn, _) if ending => format!("walctl repair {log}"),
            (Verdict::Suspect, _) if ending => format!("walctl repair {log} --accept-suspect"),
            (Verdict::Torn | Verdict::Suspect, Some(instead)) => match segment.and_then(|torn| begun_after(source, torn)) {
                // The system was started since, and needs no second start.
                Some(later) => format!(
                    "nothing here: the system has gone on in {later}; whatever else reads this file (a replica, a restore) must go on there too"
                ),
                None => instead.to_owned(),
            },
            _ => match help_for(input, damage) {
                // A copy of what can be read brings no service back.
                Help::Salvage if input.format.ours.is_none() && report.recovery.is_some() => {
                    format!(
                        "first read `if it is opened now`; then, to keep what is whole: walctl repair {log} --salvage {}",
                        *salvaged
                    )
                }
                Help::Salvage => format!("walctl repair {log} --salvage {}", *salvaged),
                Help::AcceptHole(lsns) => accept_hole(&log, lsns),
                Help::Restore => restore(&log),
            },
        }
    }
}

/// The name of the file that the system began behind this one, if it did.
fn begun_after(source: &Source, torn: &Segment) -> Option<String> {
    let mut behind = source.segments.iter().skip_while(|segment| segment.id != torn.id).skip(1);
    torn.followed.then(|| behind.find(|segment| segment.kind == EntryKind::File)).flatten().map(|segment| segment.name.clone())
}

/// A name for what is salvaged from a log. Another system's folder is no place for a log of ours: it goes into the current one.
pub fn salvaged_to(log: &Path, format: &Format) -> PathBuf {
    match log.file_name().filter(|_| format.ours.is_none()) {
        Some(name) => beside(Path::new(name)),
        None => beside(log),
    }
}

/// A name for what is salvaged from a log: beside it, and not taken yet.
pub fn beside(log: &Path) -> PathBuf {
    // A path that ends in dots has a name all the same, and inside the log itself is no place for another one.
    let full =
        if log.file_name().is_none() { std::fs::canonicalize(log).unwrap_or_default() } else { log.components().collect() };
    let name = |number: u64| {
        let mut name = full.clone();
        name.as_mut_os_string().push(if number == 1 { "-salvaged".to_owned() } else { format!("-salvaged-{number}") });
        name
    };
    (1..100).map(name).find(|name| !name.exists()).unwrap_or_else(|| name(100))
}

fn parent(path: &Path) -> Option<&Path> {
    path.parent().map(|dir| if dir.as_os_str().is_empty() { Path::new(".") } else { dir })
}

/// A path as it can be pasted into a shell, and shown on a terminal.
pub fn show(path: &Path) -> String {
    let plain = |c: char| c.is_alphanumeric() || "/._-+:,@%=~".contains(c);
    match path.to_str() {
        // A name that begins like a flag or a home folder is none with this in front.
        Some(text) if text.starts_with(['-', '~']) => show(Path::new(&format!("./{text}"))),
        Some(text) if !text.is_empty() && text.chars().all(plain) => text.to_owned(),
        Some(text) if escape::is_plain(text) => format!("'{}'", text.replace('\'', r"'\''")),
        // What a terminal must not get, the shell can be told in escapes.
        _ => {
            let mut quoted = String::from("$'");
            for byte in path.as_os_str().as_bytes() {
                match byte {
                    b'\'' | b'\\' => quoted.extend(['\\', char::from(*byte)]),
                    b' '..=b'~' => quoted.push(char::from(*byte)),
                    _ => quoted.push_str(&format!("\\x{byte:02x}")),
                }
            }
            quoted + "'"
        }
    }
}

/// A word as it is typed: a flag stays what it is, and a path of such a name would be typed with ./ in front already.
pub fn shown(word: &str) -> String {
    let plain = |word: &str| word.chars().all(|c| c.is_alphanumeric() || "-_=.,:".contains(c));
    if word.starts_with('-') && plain(word) { word.to_owned() } else { show(Path::new(word)) }
}

#[cfg(test)]
mod tests {
    use walctl::model::Lsn;

    use super::*;

    #[test]
    fn a_path_can_be_pasted_whatever_it_holds() {
        assert_eq!(show(Path::new("data/wal")), "data/wal");
        assert_eq!(show(Path::new("my wal")), "'my wal'");
        assert_eq!(show(Path::new("-rf")), "./-rf");
        assert_eq!(show(Path::new("~me/wal")), "./~me/wal");
        assert_eq!(show(Path::new("it's; rm")), r"'it'\''s; rm'");
        assert_eq!(show(Path::new("a\x1b[31m 'b")), r"$'a\x1b[31m \'b'");
    }

    #[test]
    fn a_locked_log_points_to_what_needs_no_lock() {
        let error = anyhow::Error::new(Error::Locked { path: "wal".into(), holder: "process 4121".into() });
        assert_eq!(for_error("append", &error).as_deref(), Some("wait for it; reading needs no lock: walctl verify wal"));
        assert_eq!(for_error("append", &anyhow::anyhow!("odd")), None);
    }

    #[test]
    fn a_writer_that_came_to_its_end_for_want_of_room_is_told_to_make_some() {
        let ended = |cause: &str| {
            let error = anyhow::Error::new(Error::Poisoned { path: "wal".into(), durable: Lsn(7), cause: cause.into() });
            for_error("append", &error).expect("there is something to do")
        };
        assert_eq!(ended("cannot write to wal: no space left on device"), "make room: df -h wal");
        assert!(ended("cannot sync wal/1.wal: input/output error").contains("dmesg"));
    }

    #[test]
    fn a_hint_never_names_a_flag_that_its_command_lacks() {
        let everything = crate::cli::commands::command();
        for command in everything.get_subcommands() {
            let name = command.get_name();
            let errors = [
                Error::NotALog { path: "data/".into(), files: 3 },
                Error::NotALog { path: "data/".into(), files: 0 },
                Error::Ambiguous { path: "data/".into(), formats: vec!["native", "rivven"] },
                Error::Locked { path: "data/".into(), holder: "process 7".into() },
                Error::Refused { path: "data/".into(), why: "for a reason".into() },
            ];
            for error in errors {
                let hint = for_error(name, &anyhow::Error::new(error)).expect("there is something to do");
                for typed in hint.split("walctl ").skip(1) {
                    let mut words = typed.split_whitespace();
                    let Some(named) = words.next().and_then(|word| everything.find_subcommand(word)) else { continue };
                    for flag in words.filter_map(|word| word.strip_prefix("--")) {
                        assert!(named.get_arguments().any(|arg| arg.get_long() == Some(flag)), "{name}: {hint}");
                    }
                }
                let flagged = hint.contains("--format") && !hint.contains("walctl ");
                assert!(!flagged, "{name}: {hint}");
            }
        }
    }

    #[test]
    fn an_unknown_log_names_the_flag_that_helps() {
        let error = anyhow::Error::new(Error::NotALog { path: "data/".into(), files: 3 });
        assert!(for_error("dump", &error).is_some_and(|h| h.contains("walctl dump --format list")));
    }
}
