//! Where output goes: standard output with a buffer, standard error in lines, and what the terminal can show.

use std::fmt::Display;
use std::fs::File;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::os::fd::AsFd;

use walctl::model::{Error, plain};

use super::escape;
use super::json::Object;
use super::wrap;
use crate::cli::args::{Colour, Global};
use crate::cli::exit::Exit;
use crate::cli::hint;
use crate::cli::interrupt;

/// What a piece of text is, for those who see colours. Nothing is told by colour alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ink {
    /// As it should be.
    Good,
    /// Not good, and no promise is known to be broken.
    Warn,
    /// A broken promise.
    Bad,
    /// Of less interest.
    Dim,
    /// Of more interest.
    Strong,
    /// A match of a search.
    Match,
}

impl Ink {
    /// The number that a terminal knows it by.
    pub const fn code(self) -> &'static str {
        match self {
            Ink::Good => "32",
            Ink::Warn => "33",
            Ink::Bad => "1;31",
            Ink::Dim => "2",
            Ink::Strong => "1",
            Ink::Match => "1;35",
        }
    }
}

/// Standard output and standard error of one run.
#[derive(Debug)]
pub struct Out {
    stdout: BufWriter<Stdout>,
    command: String,
    terminal: bool,
    width: Option<usize>,
    colour: bool,
    json: bool,
    quiet: bool,
    settled: bool,
    /// The end of what was written, where that is sentences: a line that is not ended yet.
    sentence: Option<Vec<u8>>,
}

/// What stands before the system's word when standard output takes no more.
const REFUSED: &str = "cannot write to standard output: ";

#[derive(Debug)]
struct Stdout {
    file: File,
    closed: bool,
}

impl Write for Stdout {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.closed {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        self.file.write(bytes).map_err(|error| {
            if error.kind() == io::ErrorKind::Interrupted {
                if !interrupt::caught() {
                    return error;
                }
                // The output is not taken, and the command is to end: it is as if the output were closed.
                self.closed = true;
                return io::Error::new(io::ErrorKind::BrokenPipe, format!("{REFUSED}interrupted"));
            }
            self.closed |= error.kind() == io::ErrorKind::BrokenPipe;
            io::Error::new(error.kind(), format!("{REFUSED}{}", plain(&error)))
        })
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Out {
    /// For the command of this name.
    pub fn new(command: &str, global: &Global) -> io::Result<Out> {
        let stdout = io::stdout();
        let terminal = stdout.is_terminal();
        // The handle's own buffer writes at each line end; what is fast enough for a terminal is too slow for a file.
        let file = File::from(stdout.as_fd().try_clone_to_owned()?);
        Ok(Out {
            stdout: BufWriter::with_capacity(64 << 10, Stdout { file, closed: false }),
            command: command.to_owned(),
            terminal,
            width: width(terminal),
            colour: match global.color {
                Colour::Always => true,
                Colour::Never => false,
                Colour::Auto => terminal && !set("NO_COLOR") && std::env::var_os("TERM").is_none_or(|term| term != "dumb"),
            },
            json: global.json,
            quiet: global.quiet,
            settled: false,
            sentence: None,
        })
    }

    /// From now on what is written is sentences, or it is not: on a terminal those that are too long are broken at blanks.
    pub fn sentences(&mut self, begin: bool) -> io::Result<()> {
        if let Some(rest) = self.sentence.take() {
            self.stdout.write_all(&rest)?;
        }
        self.sentence = (begin && self.terminal).then(Vec::new);
        Ok(())
    }

    /// A sentence, broken at blanks where the terminal ends.
    pub fn wrapped(&self, line: &str) -> String {
        self.width.filter(|_| self.terminal).map_or_else(|| line.to_owned(), |width| wrap::wrap(line, width))
    }

    /// Whether results are for programs.
    pub fn json(&self) -> bool {
        self.json
    }

    /// Whether only the exit code and failures are wanted.
    pub fn quiet(&self) -> bool {
        self.quiet
    }

    /// Whether standard output is a terminal.
    pub fn is_terminal(&self) -> bool {
        self.terminal
    }

    /// How many columns the terminal has; `None` without one.
    pub fn width(&self) -> Option<usize> {
        self.width
    }

    /// Whether colours are shown.
    pub fn colour(&self) -> bool {
        self.colour
    }

    /// The text in that ink, if colours are shown.
    pub fn paint(&self, ink: Ink, text: impl Display) -> String {
        if self.colour { format!("\x1b[{}m{text}\x1b[0m", ink.code()) } else { text.to_string() }
    }

    /// Call it after each record: the first one is written out at once, and on a terminal each one.
    pub fn settle(&mut self) -> io::Result<()> {
        if self.terminal || !self.settled {
            self.settled = true;
            self.stdout.flush()?;
        }
        Ok(())
    }

    /// Whether standard output was closed. A closed pipe is no error.
    pub fn is_closed(&self) -> bool {
        self.stdout.get_ref().closed
    }

    /// Whether that is all that is wrong: standard output is closed.
    pub fn is_closing(&self, error: &anyhow::Error) -> bool {
        let broken = |cause: &(dyn std::error::Error + 'static)| {
            cause.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
        };
        self.is_closed() && error.chain().any(broken)
    }

    /// For what must be done, and told by the exit code, whether or not what is said about it is read.
    pub fn heard(&self, said: io::Result<()>) -> io::Result<()> {
        match said {
            Err(error) if self.is_closed() && error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            said => said,
        }
    }

    /// A line on standard error, where nothing that was found waits to be written before it. Not shown under `--quiet`.
    pub fn aside(&self, text: impl Display) {
        if !self.quiet {
            self.wrapped(&escape::line(&text.to_string())).lines().for_each(say);
        }
    }

    /// A line on standard error about what is going on. Not a failure, and not shown under `--quiet`.
    pub fn note(&mut self, text: impl Display) {
        if !self.quiet {
            // What was found before the note stands before it.
            let _ = self.stdout.flush();
            self.wrapped(&escape::line(&text.to_string())).lines().for_each(say);
        }
    }

    fn write_sentences(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut pending = self.sentence.take().unwrap_or_default();
        pending.extend_from_slice(bytes);
        while let Some(end) = pending.iter().position(|byte| *byte == b'\n') {
            let line = self.wrapped(&String::from_utf8_lossy(&pending[..end]));
            self.stdout.write_all(line.as_bytes())?;
            self.stdout.write_all(b"\n")?;
            pending.drain(..=end);
        }
        self.sentence = Some(pending);
        Ok(())
    }

    /// Reports a failure in words and the next command to type, or as one JSON object, and says what to end with.
    pub fn failure(&mut self, error: &anyhow::Error) -> Exit {
        let exit = Exit::of_error(error);
        let _ = self.stdout.flush();
        if self.is_closing(error) {
            return Exit::Done;
        }
        if exit == Exit::Interrupted {
            return exit;
        }
        let message = told(error);
        let next = hint::for_error(&self.command, error);
        if self.json {
            say_json(exit, &message, next.as_deref());
        } else {
            say(&format!("walctl {}: {message}", self.command));
            if let Some(next) = next {
                say(&format!("next: {next}"));
            }
        }
        exit
    }
}

impl Write for Out {
    #[inline]
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.sentence.is_some() {
            return self.write_sentences(bytes).map(|()| bytes.len());
        }
        self.stdout.write(bytes)
    }

    #[inline]
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.sentence.is_some() { self.write_sentences(bytes) } else { self.stdout.write_all(bytes) }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stdout.flush()
    }
}

/// The failure and what led to it. The library's errors name their cause themselves.
pub fn told(error: &anyhow::Error) -> String {
    let mut message = String::new();
    for cause in error.chain() {
        if !message.is_empty() {
            message.push_str(": ");
        }
        message.push_str(&cause.to_string());
        if cause.is::<Error>() {
            break;
        }
    }
    message
}

/// A line on standard error. That it is closed is no error.
pub fn say(text: &str) {
    let mut line = escape::line(text);
    line.push('\n');
    let _ = io::stderr().lock().write_all(line.as_bytes());
}

/// A failure as one JSON object on standard error.
pub fn say_json(exit: Exit, message: &str, hint: Option<&str>) {
    let error = Object::new().put("code", exit.code()).put("message", message).put("hint", hint);
    let error = Object::of("walctl.error/1").put("error", error).end() + "\n";
    let _ = io::stderr().lock().write_all(error.as_bytes());
}

/// The library's word for a write to standard output that failed, so that a walk can be ended with it.
pub fn stopped(error: io::Error) -> Error {
    let text = error.to_string();
    let text = text.strip_prefix(REFUSED).unwrap_or(&text).to_owned();
    Error::Io { doing: "write to", path: "standard output".into(), source: io::Error::new(error.kind(), text) }
}

fn set(name: &str) -> bool {
    std::env::var_os(name).is_some_and(|value| !value.is_empty())
}

fn width(terminal: bool) -> Option<usize> {
    let told = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    match told {
        Some(columns) if columns >= 20 => Some(columns),
        // comfy-table knows how to ask the terminal.
        _ if terminal => Some(comfy_table::Table::new().width().map_or(80, usize::from).max(20)),
        _ => None,
    }
}
