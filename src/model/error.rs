//! Why we could not: everything that stops a look or an act. Damage is not among them.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use super::Lsn;

/// What stopped us.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The system refused an operation.
    Io {
        /// What was being done: `open`, `sync`.
        doing: &'static str,
        /// To which file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Nothing there looks like a log.
    NotALog {
        /// What was looked at.
        path: PathBuf,
        /// How many files were looked at.
        files: usize,
    },
    /// A log of a system that walctl knows by sight and does not read.
    Sighted {
        /// What was looked at.
        path: PathBuf,
        /// Whose log it is.
        system: &'static str,
        /// What reads it.
        reader: &'static str,
    },
    /// Several formats claim the log.
    Ambiguous {
        /// What was looked at.
        path: PathBuf,
        /// The names of those formats.
        formats: Vec<&'static str>,
    },
    /// Bytes are whole and of a kind that this version does not know: an unknown version, flag or kind.
    Unknown {
        /// The file.
        path: PathBuf,
        /// Where in it.
        offset: u64,
        /// What is unknown, with its number.
        what: String,
    },
    /// Another process holds the lock.
    Locked {
        /// The log.
        path: PathBuf,
        /// Who, in words: `process 4121 (walctl append wal), since 2026-…`.
        holder: String,
    },
    /// Another system's log is in use by that system, as far as can be seen.
    InUse {
        /// The log.
        path: PathBuf,
        /// Who uses it and how, in words: `process 4121 (rivvend) has open for writing 00000000000000000000.wal`.
        by: String,
    },
    /// The log ends in a write that did not finish. Nothing is appended to it before the tail is cut.
    Torn {
        /// The segment.
        path: PathBuf,
        /// Where it stops being whole, in words.
        why: String,
    },
    /// Bytes that had been synced are wrong, or records are missing. Nothing is appended to such a log.
    Corrupt {
        /// The log or segment.
        path: PathBuf,
        /// What is wrong, in words.
        why: String,
    },
    /// This writer was closed before.
    Closed {
        /// The log.
        path: PathBuf,
    },
    /// The log is in a state in which this must not be done.
    Refused {
        /// The log or segment.
        path: PathBuf,
        /// Why, in words.
        why: String,
    },
    /// A write or sync failed: the writer accepts nothing more.
    Poisoned {
        /// The log.
        path: PathBuf,
        /// The last LSN that is known durable; 0 when none is.
        durable: Lsn,
        /// What failed, in words.
        cause: String,
    },
    /// The log is encrypted, and the key that this needs is not among those that were given.
    WrongKey {
        /// The log.
        path: PathBuf,
        /// What is lacking, in words.
        why: String,
    },
    /// What the caller gave cannot be used: a key file that holds none, a record that is too long.
    Input {
        /// What is wrong with it, in words.
        what: String,
    },
    /// What holds the bytes could not be reached or did not do its part: a network, a server, credentials. Nothing is known of the bytes.
    Unreachable {
        /// What was being done: `read`, `list`.
        doing: &'static str,
        /// To which object or folder.
        path: PathBuf,
        /// From which byte on, where bytes were read.
        offset: Option<u64>,
        /// What came instead, in words.
        why: String,
        /// Credentials are lacking, or were not accepted.
        denied: bool,
    },
    /// The caller ended the work before its end.
    Interrupted,
}

/// What an [`Error`] means to a program: for a `match` that need not know what is told to people.
///
/// ```
/// use walctl::ErrorKind;
///
/// let missing = walctl::Options::new().create(false).open("/no/such/folder");
/// match missing.map_err(|error| error.kind()) {
///     Err(ErrorKind::Locked) => println!("another process writes it"),
///     Err(ErrorKind::Torn) => println!("open it with Options::repair"),
///     Err(ErrorKind::Poisoned { durable }) => println!("durable up to {durable}"),
///     Err(kind) => assert_eq!(kind, ErrorKind::NotFound),
///     Ok(_) => unreachable!(),
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The system refused an operation for a reason that has no kind of its own here.
    Io,
    /// There is no file or folder of that name.
    NotFound,
    /// The disk is full, a quota is used up, or the log has given its last LSN. What failed left no trace: the log goes on when there is
    /// room again.
    Full,
    /// Nothing there looks like a log, or several formats claim it.
    NotALog,
    /// A version, flag or kind that this version of the library does not know.
    Unknown,
    /// Another process writes the log.
    Locked,
    /// The log ends in a write that did not finish: cut it, for example with [`Options::repair`](crate::Options::repair).
    Torn,
    /// Bytes that had been synced are wrong or gone. [`verify`](crate::verify) tells what.
    Corrupt,
    /// A write or sync failed: what was acknowledged is durable, and this writer accepts nothing more.
    Poisoned {
        /// The last LSN that is known durable; 0 when none is.
        durable: Lsn,
    },
    /// This writer was closed before.
    Closed,
    /// The key for an encrypted log is not among those that were given.
    WrongKey,
    /// What the caller gave cannot be used.
    Input,
    /// The log is in a state in which this must not be done.
    Refused,
    /// A network, a server or credentials failed. Nothing is known of the log; trying again may do.
    Unreachable,
    /// The caller ended the work before its end.
    Interrupted,
}

/// The result of anything that can be stopped.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// For `map_err` on an [`io::Error`].
    pub fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
        let path = path.to_owned();
        move |source| Error::Io { doing, path, source }
    }

    /// What it means to a program.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Error::Io { source, .. } => match source.kind() {
                io::ErrorKind::NotFound => ErrorKind::NotFound,
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => ErrorKind::Full,
                _ => ErrorKind::Io,
            },
            Error::NotALog { .. } | Error::Sighted { .. } | Error::Ambiguous { .. } => ErrorKind::NotALog,
            Error::Unknown { .. } => ErrorKind::Unknown,
            Error::Locked { .. } | Error::InUse { .. } => ErrorKind::Locked,
            Error::Torn { .. } => ErrorKind::Torn,
            Error::Corrupt { .. } => ErrorKind::Corrupt,
            Error::Closed { .. } => ErrorKind::Closed,
            Error::Refused { .. } => ErrorKind::Refused,
            Error::Poisoned { durable, .. } => ErrorKind::Poisoned { durable: *durable },
            Error::WrongKey { .. } => ErrorKind::WrongKey,
            Error::Input { .. } => ErrorKind::Input,
            Error::Unreachable { .. } => ErrorKind::Unreachable,
            Error::Interrupted => ErrorKind::Interrupted,
        }
    }

    /// The system's error number, where there is one.
    #[must_use]
    pub fn errno(&self) -> Option<i32> {
        match self {
            Error::Io { source, .. } => source.raw_os_error(),
            _ => None,
        }
    }
}

/// What the system said, without the number that Rust appends: `permission denied`.
#[must_use]
pub fn plain(source: &io::Error) -> String {
    if source.raw_os_error().is_none() && source.kind() == io::ErrorKind::NotFound {
        // Our own finding, in the system's words.
        return "no such file or directory".to_owned();
    }
    let text = source.to_string();
    let text = text.split(" (os error").next().unwrap_or(&text);
    let mut chars = text.chars();
    match chars.next() {
        // An abbreviation keeps its capitals.
        Some(first) if chars.clone().next().is_some_and(|c| !c.is_uppercase()) => first.to_lowercase().chain(chars).collect(),
        _ => text.to_owned(),
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Io { doing, path, source } => write!(f, "cannot {doing} {}: {}", path.display(), plain(source)),
            Error::Sighted { path, system, .. } => {
                write!(f, "{} is a log of {system}, which walctl does not read", path.display())
            }
            Error::NotALog { path, files: 0 } => write!(f, "{} holds no log: there is no file in it", path.display()),
            Error::NotALog { path, files } => {
                let plural = if *files == 1 { "" } else { "s" };
                write!(f, "{} looks like no log walctl knows (looked at {files} file{plural})", path.display())
            }
            Error::Ambiguous { path, formats } => write!(f, "{} could be {}", path.display(), formats.join(" or ")),
            Error::Unknown { path, offset, what } => write!(f, "{}:{offset}: {what} is unknown to this version", path.display()),
            Error::InUse { path, by } => write!(f, "{} is in use: {by}", path.display()),
            Error::Locked { path, holder } => write!(f, "{} is locked by {holder}", path.display()),
            Error::Closed { path } => write!(f, "{}: this writer was closed", path.display()),
            Error::Refused { path, why }
            | Error::Torn { path, why }
            | Error::Corrupt { path, why }
            | Error::WrongKey { path, why } => write!(f, "{}: {why}", path.display()),
            Error::Poisoned { path, durable, cause } if durable.0 == 0 => {
                write!(f, "{}: {cause}; nothing was made durable, nothing more is accepted", path.display())
            }
            Error::Poisoned { path, durable, cause } => {
                write!(f, "{}: {cause}; durable up to LSN {durable}, nothing after it, nothing more is accepted", path.display())
            }
            Error::Input { what } => f.write_str(what),
            Error::Unreachable { doing, path, offset: Some(offset), why, .. } => {
                write!(f, "cannot {doing} {} from byte {offset} on: {why}", path.display())
            }
            Error::Unreachable { doing, path, why, .. } => write!(f, "cannot {doing} {}: {why}", path.display()),
            Error::Interrupted => f.write_str("interrupted"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Error::Io { source, .. } => Some(source),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_say_what_and_where_without_type_names() {
        let denied = Error::io("open", Path::new("wal/1.wal"))(io::Error::from_raw_os_error(13));
        assert_eq!(denied.to_string(), "cannot open wal/1.wal: permission denied");
        assert_eq!(denied.errno(), Some(13));
        let poisoned =
            Error::Poisoned { path: "wal".into(), durable: Lsn(41), cause: "cannot sync wal/1.wal: input/output error".into() };
        assert!(poisoned.to_string().contains("durable up to LSN 41"), "{poisoned}");
        let none = Error::NotALog { path: "x".into(), files: 1 };
        assert_eq!(none.to_string(), "x looks like no log walctl knows (looked at 1 file)");
    }
}
