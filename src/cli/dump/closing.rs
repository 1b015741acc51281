//! The last words: where and why the log ends, and what stands in what was read.

use walctl::formats::{Ending, Numbers};
use walctl::model::{Damage, LsnRange, Verdict};
use walctl::ops::open::Input;
use walctl::ops::read::{ScanOutcome, Stopped};

use crate::cli::exit::Exit;
use crate::cli::hint;
use walctl::model::units::count;

/// The exit code for what was read.
pub fn exit(outcome: &ScanOutcome) -> Exit {
    Exit::from(verdict(outcome))
}

fn verdict(outcome: &ScanOutcome) -> Verdict {
    outcome.damage.iter().map(Damage::verdict).max().unwrap_or(Verdict::Clean)
}

/// One line on where and why reading ended, and one on the verdict if it is not clean.
pub fn lines(log: &Input, outcome: &ScanOutcome, shown: u64, reverse: bool) -> Vec<String> {
    let name = log.source.path.display();
    let mut lines = vec![format!("{name}: {} shown; {}", count(shown, "record"), ending(outcome, log.format.numbers, reverse))];
    let verdict = verdict(outcome);
    if verdict != Verdict::Clean {
        let pieces = count(outcome.damage.len() as u64 + outcome.more_damage, "bad region");
        lines.push(format!("{name}: {verdict}: {}; {pieces}", verdict.words()));
        lines.push(format!("next: walctl verify {}", hint::show(&log.source.path)));
    }
    lines
}

fn ending(outcome: &ScanOutcome, numbers: Numbers, reverse: bool) -> String {
    if outcome.stopped == Some(Stopped::Enough) {
        return "reading stopped there, as asked".to_owned();
    }
    let read = outcome.summaries.iter().filter_map(|s| s.lsns);
    let read = read.reduce(|a, b| LsnRange { first: a.first.min(b.first), last: a.last.max(b.last) });
    // After the last record there may be segments that were begun and hold nothing.
    let last = outcome.summaries.iter().rposition(|s| !s.blank || s.ending == Ending::Damage);
    let Some((summary, segment)) = last.and_then(|i| Some((outcome.summaries.get(i)?, outcome.source.segments.get(i)?))) else {
        return "the log holds no record".to_owned();
    };
    let before = if reverse { "read from its end; " } else { "" };
    let ended_early = !summary.whole && summary.ending == Ending::FileEnds && summary.end < summary.length;
    if outcome.stopped == Some(Stopped::Past) || ended_early || more_follow(outcome) {
        return format!("{before}the rest of the log was not read, because nothing in it was asked for");
    }
    let place = format!("{}:{}", segment.path.display(), summary.end);
    match read {
        Some(range) => {
            format!("{before}the log ends with LSN {} at {place}: {}", numbers.show(range.last), summary.ending.words())
        }
        None => format!("{before}the log ends at {place}: {}", summary.ending.words()),
    }
}

/// Segments after those that were read hold nothing that was asked for.
fn more_follow(outcome: &ScanOutcome) -> bool {
    outcome.source.segments.last().is_some_and(|s| s.followed) && !outcome.source.alone
}
