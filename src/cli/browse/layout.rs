//! How the screen is divided: how many lines each part has, whatever its size.

use super::state::{Over, Tab};

/// Lines and columns of the parts of the screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScreenParts {
    /// Columns.
    pub width: usize,
    /// Lines at the top: the log and its verdict, and the names of the views.
    pub head: usize,
    /// Lines between the head and the last line.
    pub body: usize,
    /// Lines of the list of segments.
    pub segments: usize,
    /// Lines below it about the one that one stands on.
    pub about: usize,
    /// Lines of the list of records.
    pub records: usize,
    /// Lines of the list of damage.
    pub damage: usize,
    /// Lines of a page.
    pub doc: usize,
}

/// Below this height nothing is said about the segment that one stands on.
const ROOM_FOR_ABOUT: usize = 14;
/// Lines about a segment.
const ABOUT: usize = 6;

impl ScreenParts {
    /// Of a screen.
    pub fn of(size: (u16, u16), _tab: Tab, _over: Option<&Over>) -> ScreenParts {
        let (width, height) = (usize::from(size.0), usize::from(size.1));
        let head = 2.min(height.saturating_sub(2));
        let body = height.saturating_sub(head + 1);
        let about = if height >= ROOM_FOR_ABOUT { ABOUT } else { 0 };
        // One line of each is for the heads of its columns.
        let list = body.saturating_sub(1);
        ScreenParts { width, head, body, segments: list.saturating_sub(about), about, records: list, damage: list, doc: list }
    }
}
