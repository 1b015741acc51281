//! What comparing two logs found.

use walctl::ops::open::Input;
use walctl::ops::read::Which;

use super::escape;

mod content;
pub mod json;
pub mod text;

/// What the two logs are called: their paths, as safe text.
#[derive(Debug)]
pub struct LogNames([String; 2]);

impl LogNames {
    /// Two logs under one path are told apart.
    pub fn of(logs: &[Input; 2]) -> LogNames {
        let path = |log: &Input| escape::line(&log.source.path.display().to_string());
        let (a, b) = (path(&logs[0]), path(&logs[1]));
        if a == b { LogNames([format!("{a} (first)"), format!("{b} (second)")]) } else { LogNames([a, b]) }
    }

    /// The name of one of them.
    pub fn get(&self, which: Which) -> &str {
        &self.0[which.index()]
    }
}
