//! The line that something is typed in.

/// What is typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PromptKind {
    /// What to search for.
    Search,
    /// Which records are shown.
    Filter,
    /// Where to go.
    Goto,
}

impl PromptKind {
    /// What stands before it.
    pub const fn mark(self) -> char {
        match self {
            PromptKind::Search => '/',
            PromptKind::Filter => '&',
            PromptKind::Goto => ':',
        }
    }

    /// What can be typed.
    pub const fn hint(self) -> &'static str {
        match self {
            PromptKind::Search => "a regular expression, as dump --grep takes it",
            PromptKind::Filter => "a regular expression, or --kind --tag --grep --lsn --since --until; nothing shows all",
            PromptKind::Goto => "an LSN, -N from the end, a time, @OFFSET or SEGMENT:OFFSET",
        }
    }
}

/// More than this is not typed.
const LONGEST: usize = 1000;

/// The line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prompt {
    /// What for.
    pub kind: PromptKind,
    /// What stands there.
    pub text: String,
}

impl Prompt {
    /// An empty line.
    pub fn new(kind: PromptKind) -> Prompt {
        Prompt { kind, text: String::new() }
    }

    /// Types a character. What steers a terminal is none.
    pub fn push(&mut self, c: char) {
        if self.text.len() < LONGEST && crate::cli::render::escape::is_plain_char(c) {
            self.text.push(c);
        }
    }

    /// Takes the last word away.
    pub fn cut_word(&mut self) {
        let kept = self.text.trim_end().rfind(' ').map_or(0, |at| at + 1);
        self.text.truncate(kept);
    }
}
