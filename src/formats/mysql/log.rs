//! What a log is besides its events: names, numbers, how files follow each other, and what its server makes of it.

use std::any::Any;
use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::super::kept::maybe;
use super::super::{Ending, Folder, Laid, Likeness, Placed, Sample, Summary};
use super::event::{ENCRYPTED_MAGIC, MAGIC, writer_of};
use super::kinds::FORMAT_DESCRIPTION;
use crate::disk::{Entry, Segment, Source, zero_prefix};
use crate::model::{Damage, DamageKind, Facts, Look, Proof, Span, Warning};

/// How a file was closed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Closing {
    /// Not at all.
    #[default]
    Open,
    /// The server was shut down.
    Stopped,
    /// The next file was begun, which has this number.
    Rotated(Option<u64>),
}

/// What the join needs to know of a file besides its summary.
#[derive(Debug, Default)]
pub struct Own {
    /// Its first event was read.
    pub described: bool,
    /// What the server called itself.
    pub version: String,
    pub mariadb: bool,
    /// The flag of a file that was not closed.
    pub in_use: bool,
    pub relay: bool,
    /// MariaDB encrypted it.
    pub sealed: bool,
    pub closing: Closing,
    /// Where the last whole transaction ends, and the last whole event.
    pub whole_to: u64,
    pub end: u64,
    /// Where its first damage begins, where the last whole transaction in front of that ends, and how many whole events stand behind it.
    pub first_bad: Option<u64>,
    pub whole_before_bad: Option<u64>,
    pub behind: u64,
}

impl Own {
    /// What its server would make of the file if it were started now.
    #[must_use]
    pub fn recovery(&self, summary: &Summary, segment: &Segment) -> Option<String> {
        let torn = self.first_bad.is_some();
        if segment.followed || !self.described || (!self.in_use && !torn) {
            return None;
        }
        let event = self.first_bad.unwrap_or(summary.end);
        let transaction = self.whole_before_bad.unwrap_or(self.whole_to);
        if self.relay {
            return Some(
                "a replica with relay_log_recovery=ON throws its relay logs away and fetches again what it did not apply; without, it stops at the \
                 first bad event"
                    .to_owned(),
            );
        }
        if self.sealed {
            return Some(format!(
                "MariaDB leaves the file as it is and writes to a new one; the last whole event ends at {event}"
            ));
        }
        let places = if event == transaction {
            format!("the last whole event and the last whole transaction end at {event}")
        } else {
            format!("the last whole event ends at {event}, the last whole transaction at {transaction}")
        };
        let behind = match (torn, self.behind) {
            (true, 1..) => format!("; {} whole events stand behind the damage, so copy the file first", self.behind),
            _ => String::new(),
        };
        Some(match (self.mariadb, self.in_use) {
            (true, _) => format!(
                "MariaDB leaves the file as it is, rolls its engines forward from it, and writes to a new one; {places}{behind}"
            ),
            (false, true) if torn || event != transaction => {
                format!("MySQL cuts the file at {transaction} and writes to a new one; {places}{behind}")
            }
            (false, _) => format!("MySQL leaves the events of the file as they are and writes to a new one; {places}{behind}"),
        })
    }
}

/// The number of a file: at least six digits behind the last dot.
#[must_use]
pub fn number_of(name: &str) -> Option<u64> {
    let (base, digits) = name.rsplit_once('.')?;
    let all = digits.len() >= 6 && digits.bytes().all(|b| b.is_ascii_digit());
    // Aria's own log is called so too.
    (all && !base.is_empty() && base != "aria_log").then(|| digits.parse().ok())?
}

/// The name of a file without its number.
#[must_use]
pub fn base_of(name: &str) -> &str {
    name.rsplit_once('.').map_or(name, |(base, _)| base)
}

/// Every base name is a log of its own. A folder with one is meant by the folder; of several, each is called like its files.
pub fn layout(folder: &Folder<'_>) -> Vec<Laid> {
    let mut logs: BTreeMap<&str, Vec<(u64, &Entry)>> = BTreeMap::new();
    for entry in folder.entries {
        if let Some(number) = number_of(&entry.name) {
            logs.entry(base_of(&entry.name)).or_default().push((number, entry));
        }
    }
    let several = logs.len() > 1;
    let laid = |(base, mut files): (&str, Vec<(u64, &Entry)>)| {
        files.sort_by(|a, b| (a.0, &a.1.name).cmp(&(b.0, &b.1.name)));
        let count = files.len();
        let place = |(index, (number, entry)): (usize, (u64, &Entry))| Placed {
            entry: entry.clone(),
            number,
            followed: index + 1 < count,
        };
        Laid {
            name: if several { base.to_owned() } else { String::new() },
            segments: files.into_iter().enumerate().map(place).collect(),
        }
    };
    logs.into_iter().map(laid).collect()
}

pub fn recognise(sample: &Sample<'_>) -> Likeness {
    let named = sample.name.and_then(number_of).is_some();
    let head = sample.head;
    let described = |body: Option<&[u8]>| head.get(8) == Some(&FORMAT_DESCRIPTION) && body.and_then(writer_of).is_some();
    let body = || {
        let length = u32::from_le_bytes(head.get(13..17)?.try_into().ok()?) as usize;
        head.get(23..4usize.checked_add(length)?)
    };
    if head.starts_with(&MAGIC) || (head.starts_with(&ENCRYPTED_MAGIC) && (named || sample.name.is_none())) {
        return Likeness::Sure;
    }
    match named {
        true if described(body()) => Likeness::Sure,
        true if head.is_empty() || zero_prefix(head) == head.len() || MAGIC.starts_with(head) => Likeness::Maybe,
        _ => Likeness::No,
    }
}

/// What the join reads of a file, as JSON.
pub fn write_own(summary: &Summary) -> Option<Value> {
    let own = summary.own::<Own>()?;
    let closing = match own.closing {
        Closing::Open => json!("open"),
        Closing::Stopped => json!("stopped"),
        Closing::Rotated(next) => json!({ "next": next }),
    };
    Some(json!({
        "described": own.described, "version": own.version, "mariadb": own.mariadb, "in_use": own.in_use, "relay": own.relay,
        "sealed": own.sealed, "closing": closing, "whole_to": own.whole_to, "end": own.end, "first_bad": own.first_bad,
        "whole_before_bad": own.whole_before_bad, "behind": own.behind,
    }))
}

/// The same, back.
pub fn read_own(from: &Value) -> Option<Box<dyn Any + Send + Sync>> {
    let closing = match &from["closing"] {
        Value::String(word) if word == "open" => Closing::Open,
        Value::String(word) if word == "stopped" => Closing::Stopped,
        other => Closing::Rotated(maybe(other.as_object()?.get("next")?, Value::as_u64)?),
    };
    Some(Box::new(Own {
        described: from["described"].as_bool()?,
        version: from["version"].as_str()?.to_owned(),
        mariadb: from["mariadb"].as_bool()?,
        in_use: from["in_use"].as_bool()?,
        relay: from["relay"].as_bool()?,
        sealed: from["sealed"].as_bool()?,
        closing,
        whole_to: from["whole_to"].as_u64()?,
        end: from["end"].as_u64()?,
        first_bad: maybe(&from["first_bad"], Value::as_u64)?,
        whole_before_bad: maybe(&from["whole_before_bad"], Value::as_u64)?,
        behind: from["behind"].as_u64()?,
    }))
}

/// What a file that was closed proves about itself, and a later one about it.
pub const CLOSED: Proof =
    Proof::Told { by: "the file", words: "was closed, and all of it written, before the next one was begun" };

pub fn join(source: &Source, summaries: &mut [Summary]) -> Vec<Damage> {
    let mut found = Vec::new();
    for (index, (segment, summary)) in source.segments.iter().zip(summaries.iter_mut()).enumerate() {
        if !segment.followed {
            continue;
        }
        let later = source.segments.get(index + 1);
        let Some(own) = summary.own::<Own>() else { continue };
        // A server that crashed left the flag, and began another file. What it was writing then is torn, not rotten.
        let (crashed, closing, described) = (own.in_use && own.described, own.closing, own.described);
        let cut_by_mysql = described && !own.mariadb && !own.relay;
        let (sealed, whole_to) = (own.sealed, own.whole_to);
        if !crashed {
            for damage in summary.damage.kept_mut() {
                damage.facts.proof.get_or_insert(CLOSED);
            }
        }
        let due = segment.sequence.saturating_add(1);
        if let Some(later) = later {
            let next = match closing {
                Closing::Rotated(Some(next)) if next != later.sequence => Some(next),
                _ if later.sequence > due => Some(due),
                _ => None,
            };
            if let Some(next) = next {
                found.push(missing(segment, later, next, closing));
                continue;
            }
        }
        let ends = summary.ending == Ending::FileEnds && summary.frames > 0 && closing == Closing::Open && !sealed;
        if ends && !crashed && cut_by_mysql && whole_to == summary.end {
            let text = "it ends without the event that names the next file, as after a crash of the server, which then cuts the file behind its last \
                        whole transaction; events that a replica had read may be gone";
            let span = Span::new(segment.id, summary.end, summary.end);
            summary.warnings.push(Warning { name: "not-rotated", span, text: text.to_owned() });
        } else if ends && !crashed {
            found.push(Damage {
                kind: DamageKind::MissingSegment,
                span: Span::new(segment.id, summary.end, summary.end),
                lsn: None,
                doubt: None,
                expected: "the event that names the next file, for the file was closed".to_owned(),
                found: "the end of the file: events are gone from its end".to_owned(),
                facts: Facts::of(Look::Absent),
            });
        }
    }
    found
}

fn missing(segment: &Segment, later: &Segment, next: u64, closing: Closing) -> Damage {
    let name = format!("{}.{next:06}", base_of(&segment.name));
    let expected = match closing {
        Closing::Rotated(_) => format!("{name} next, which {} names", segment.name),
        Closing::Open | Closing::Stopped => format!("{name} next, after {}", segment.name),
    };
    Damage {
        kind: DamageKind::MissingSegment,
        span: Span::new(later.id, 0, 0),
        lsn: None,
        doubt: None,
        expected,
        found: later.name.clone(),
        facts: Facts::of(Look::Absent),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use super::*;
    use crate::disk::EntryKind;
    use crate::disk::{Disk, Open, SimDisk};

    #[test]
    fn names_have_a_base_and_at_least_six_digits() {
        assert_eq!((number_of("binlog.000012"), number_of("a.b.1000000")), (Some(12), Some(1_000_000)));
        for name in ["binlog.index", "binlog.00001", ".000001", "000001.log", "aria_log.00000001", "binlog.00000x"] {
            assert_eq!(number_of(name), None, "{name}");
        }
    }

    #[test]
    fn each_base_name_is_a_log_and_one_alone_is_meant_by_its_folder() {
        let entry = |name: &&str| Entry { name: (*name).to_owned(), length: 4, kind: EntryKind::File };
        let logs = |names: &[&str]| {
            let entries: Vec<Entry> = names.iter().map(entry).collect();
            let logs = layout(&Folder::new(&entries, &|_| None));
            logs.iter().map(|log| (log.name.clone(), log.segments.len())).collect::<Vec<_>>()
        };
        assert_eq!(logs(&["binlog.000002", "binlog.000001", "binlog.index"]), [(String::new(), 2)]);
        let both = logs(&["relay-bin.000004", "binlog.000001", "aria_log.00000001"]);
        assert_eq!(both, [("binlog".to_owned(), 1), ("relay-bin".to_owned(), 1)]);
    }

    #[test]
    fn what_a_server_makes_of_a_file_is_said_of_the_last_one_that_was_described_and_not_closed_whole() {
        let disk = SimDisk::new();
        let file = disk.open(Path::new("/a"), Open::CREATE).expect("it is new");
        let source = Source::given(Arc::new(disk), "a", file.into(), 1);
        let said = |followed, described, in_use, first_bad| {
            let segment = Segment { followed, ..source.segments[0].clone() };
            let own = Own { described, in_use, first_bad, ..Own::default() };
            own.recovery(&Summary::new(&segment, 0), &segment).is_some()
        };
        for (in_use, first_bad, expected) in
            [(true, None, true), (false, Some(7), true), (true, Some(7), true), (false, None, false)]
        {
            assert_eq!(said(false, true, in_use, first_bad), expected, "{in_use} {first_bad:?}");
            assert!(!said(true, true, in_use, first_bad), "another file follows");
            assert!(!said(false, false, in_use, first_bad), "nothing says who wrote it");
        }
    }
}
