//! Every exit code, and which one counts when several logs disagree.

use std::fmt;
use std::process::ExitCode;

use walctl::model::{Error, Verdict};

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Exit {
    /// Done; the log is clean.
    Done = 0,
    /// The work could not be done.
    Failed = 1,
    /// The command line was wrong.
    Usage = 2,
    /// A torn or suspect tail stands.
    Torn = 3,
    /// Worse than that stands.
    Damaged = 4,
    /// Another process has the lock.
    Locked = 5,
    /// A write or sync failed.
    WriteFailed = 6,
    /// A gate that was asked for is not met.
    GateMissed = 7,
    /// Ctrl-C, or a polite kill.
    Interrupted = 130,
}

impl Exit {
    /// In the order of their codes, for the manual.
    pub const ALL: [Exit; 9] = [
        Exit::Done,
        Exit::Failed,
        Exit::Usage,
        Exit::Torn,
        Exit::Damaged,
        Exit::Locked,
        Exit::WriteFailed,
        Exit::GateMissed,
        Exit::Interrupted,
    ];

    /// From worst to best. It is written out because it is no order of the numbers: "could not look" must not hide behind "torn".
    pub const WORST_FIRST: [Exit; 9] = [
        Exit::Interrupted,
        Exit::WriteFailed,
        Exit::Failed,
        Exit::Usage,
        Exit::Damaged,
        Exit::Torn,
        Exit::GateMissed,
        Exit::Locked,
        Exit::Done,
    ];

    /// The number.
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// What it means, as it stands in the manual and the README.
    pub const fn sentence(self) -> &'static str {
        match self {
            Exit::Done => "done; the log is clean (also: repaired, and now clean)",
            Exit::Failed => "could not do the work: I/O error, no such log, unknown format or version",
            Exit::Usage => "wrong usage",
            Exit::Torn => "the log has a torn or suspect tail",
            Exit::Damaged => "the log has corrupt, missing, foreign or unreadable data",
            Exit::Locked => "another process holds the lock",
            Exit::WriteFailed => {
                "a write or sync failed: acknowledged records are safe, but nothing after the last durable LSN, which is printed"
            }
            Exit::GateMissed => {
                "a gate that was asked for is not met (bench --fail-if, stats --fail-if, dump --fail-empty, a ledger that \
                 lists what the log lacks, two logs that diff finds unequal)"
            }
            Exit::Interrupted => "interrupted",
        }
    }

    /// The worse of the two.
    #[must_use]
    pub fn or_worse(self, other: Exit) -> Exit {
        let rank = |exit: Exit| Exit::WORST_FIRST.iter().position(|e| *e == exit);
        if rank(other) < rank(self) { other } else { self }
    }

    /// What a failure ends with: its own code when a command gave it one, else by the kind of the library's error.
    pub fn of_error(error: &anyhow::Error) -> Exit {
        if let Some(failure) = error.downcast_ref::<CommandFailure>() {
            return failure.exit;
        }
        match error.chain().find_map(|cause| cause.downcast_ref::<Error>()) {
            Some(Error::Locked { .. } | Error::InUse { .. }) => Exit::Locked,
            Some(Error::Poisoned { .. }) => Exit::WriteFailed,
            Some(Error::Interrupted) => Exit::Interrupted,
            _ => Exit::Failed,
        }
    }
}

impl From<Verdict> for Exit {
    fn from(verdict: Verdict) -> Exit {
        match verdict {
            Verdict::Clean => Exit::Done,
            Verdict::Torn | Verdict::Suspect => Exit::Torn,
            Verdict::Unreadable | Verdict::Foreign | Verdict::Missing | Verdict::Corrupt => Exit::Damaged,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit.code())
    }
}

/// A failure for which a command knows the exit code and the next step better than the table of errors does.
#[derive(Debug)]
pub struct CommandFailure {
    /// How to end.
    pub exit: Exit,
    /// What went wrong: path first, lower case, no full stop.
    pub message: String,
    /// The next command to type.
    pub next: Option<String>,
}

impl CommandFailure {
    /// Wrong usage that only shows once the arguments are looked at together.
    pub fn usage(message: impl Into<String>) -> CommandFailure {
        CommandFailure { exit: Exit::Usage, message: message.into(), next: None }
    }
}

impl fmt::Display for CommandFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for CommandFailure {}

/// Wrong usage, in the words of the command line parser.
pub fn usage(message: impl Into<String>) -> anyhow::Error {
    CommandFailure::usage(message).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn over_several_logs_the_worst_counts_in_the_written_order() {
        let codes: Vec<u8> = Exit::WORST_FIRST.iter().map(|e| e.code()).collect();
        assert_eq!(codes, [130, 6, 1, 2, 4, 3, 7, 5, 0]);
        assert_eq!(Exit::Torn.or_worse(Exit::Failed), Exit::Failed);
        assert_eq!(Exit::Failed.or_worse(Exit::Torn), Exit::Failed);
        assert_eq!(Exit::Torn.or_worse(Exit::Damaged), Exit::Damaged);
        assert_eq!(Exit::Locked.or_worse(Exit::GateMissed), Exit::GateMissed);
        assert_eq!(Exit::ALL.into_iter().fold(Exit::Done, Exit::or_worse), Exit::Interrupted);
    }

    #[test]
    fn an_error_keeps_its_code_under_any_context() {
        let locked = anyhow::Error::new(Error::Locked { path: "wal".into(), holder: "process 7".into() });
        assert_eq!(Exit::of_error(&locked.context("while opening")), Exit::Locked);
        let own = CommandFailure { exit: Exit::GateMissed, message: "p99 is 12 ms".into(), next: None };
        assert_eq!(Exit::of_error(&own.into()), Exit::GateMissed);
        assert_eq!(Exit::of_error(&anyhow::anyhow!("something else")), Exit::Failed);
        // Ctrl-C inside a walk comes back as an error of the library.
        assert_eq!(Exit::of_error(&Error::Interrupted.into()).code(), 130);
        let poisoned = Error::Poisoned { path: "wal".into(), durable: walctl::model::Lsn(7), cause: "input/output error".into() };
        assert_eq!(Exit::of_error(&poisoned.into()).code(), 6);
    }

    #[test]
    fn only_a_clean_log_ends_with_zero() {
        for verdict in Verdict::ALL {
            assert_eq!(Exit::from(verdict) == Exit::Done, verdict == Verdict::Clean, "{verdict}");
        }
    }
}
