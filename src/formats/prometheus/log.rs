//! What a log is besides its frames: names, numbers, checkpoints, and when it may be cut.

use std::any::Any;

use serde_json::{Value, json};

use super::super::kept::maybe;
use super::super::{Folder, Laid, Likeness, Mend, Sample, Summary, numbered};
use super::frame::{FRAME_HEADER, PAGE, Packed, PieceOf, parse_header};
use crate::disk::{EntryKind, Source, crc32c, zero_prefix};
use crate::model::{Damage, DamageKind, Facts, Look, Place, Proof, Span};

/// What the join needs to know of a file besides its summary.
#[derive(Debug, Default)]
pub struct Own {
    /// Where its first damage begins.
    pub first_bad: Option<u64>,
    /// How many whole records stand behind that.
    pub behind: u64,
}

/// The number of a segment: eight digits.
pub fn number_of(name: &str) -> Option<u64> {
    let all = name.len() == 8 && name.bytes().all(|b| b.is_ascii_digit());
    all.then(|| name.parse().ok())?
}

/// The number up to which a checkpoint goes. One that is being made is none yet.
pub fn checkpoint_of(name: &str) -> Option<u64> {
    name.strip_prefix("checkpoint.").and_then(number_of)
}

/// The segments of a folder, and the checkpoints in it, each a log of its own in its own folder.
pub fn layout(folder: &Folder<'_>) -> Vec<Laid> {
    let mut logs = numbered(folder, number_of);
    let mut inside: Vec<(u64, &str)> = folder
        .entries
        .iter()
        .filter(|entry| entry.kind == EntryKind::Folder)
        .filter_map(|entry| Some((checkpoint_of(&entry.name)?, entry.name.as_str())))
        .collect();
    inside.sort_unstable();
    logs.extend(inside.into_iter().map(|(_, name)| Laid { name: name.to_owned(), segments: Vec::new() }));
    logs
}

pub fn recognise(sample: &Sample<'_>) -> Likeness {
    let named = sample.name.and_then(number_of).is_some();
    if sample.name.is_some() && !named {
        return Likeness::No;
    }
    let page = &sample.head[..sample.head.len().min(PAGE as usize)];
    if zero_prefix(page) == page.len() {
        return if named { Likeness::Maybe } else { Likeness::No };
    }
    let whole = |at: usize| {
        let (frame, sum) = parse_header(page.get(at..)?, at as u64, PAGE as usize - at)?;
        let fragment = page.get(at + FRAME_HEADER..at + FRAME_HEADER + usize::from(frame.length))?;
        let record = frame.packed != Packed::Plain || fragment.first().is_some_and(|kind| (1..=13).contains(kind));
        let begins = matches!(frame.piece, PieceOf::Whole | PieceOf::First);
        (crc32c(0, fragment) == sum && record && begins && !fragment.is_empty()).then_some(())
    };
    let begun =
        || page.len() < FRAME_HEADER || parse_header(page, 0, PAGE as usize).is_some_and(|(f, _)| f.end() > page.len() as u64);
    match (whole(0).is_some(), named) {
        (true, _) => Likeness::Sure,
        // The first frame is damaged: one further on tells.
        (false, true) if (1..page.len().min(8 << 10)).any(|at| whole(at).is_some()) => Likeness::Sure,
        (false, true) if begun() => Likeness::Maybe,
        _ => Likeness::No,
    }
}

/// What the join reads of a file, as JSON.
pub fn write_own(summary: &Summary) -> Option<Value> {
    let own = summary.own::<Own>()?;
    Some(json!({ "first_bad": own.first_bad, "behind": own.behind }))
}

/// The same, back.
pub fn read_own(from: &Value) -> Option<Box<dyn Any + Send + Sync>> {
    Some(Box::new(Own { first_bad: maybe(&from["first_bad"], Value::as_u64)?, behind: from["behind"].as_u64()? }))
}

const BEGUN_LATER: Proof =
    Proof::Told { by: "a later segment", words: "stands, and Prometheus ends or mends a segment before it begins another" };

pub fn join(source: &Source, summaries: &mut [Summary]) -> Vec<Damage> {
    let mut followed = source.segments.last().is_some_and(|segment| segment.followed);
    for summary in summaries.iter_mut().rev() {
        if followed {
            for damage in summary.damage.kept_mut() {
                damage.facts.proof.get_or_insert(BEGUN_LATER);
            }
        }
        followed = true;
    }
    what_the_server_does(source, summaries);
    let mut found = Vec::new();
    for pair in source.segments.windows(2) {
        let due = pair[0].sequence.saturating_add(1);
        if pair[1].sequence > due {
            found.push(missing(&pair[1], due, &format!("after {}", pair[0].name)));
        }
    }
    let checkpoint = source.others.iter().filter_map(|name| checkpoint_of(name)).max();
    if let (Some(checkpoint), Some(first)) = (checkpoint, source.segments.first().filter(|_| !source.alone))
        && first.sequence > checkpoint.saturating_add(1)
    {
        found.push(missing(first, checkpoint + 1, &format!("behind checkpoint.{checkpoint:08}")));
    }
    found
}

/// What Prometheus would do about the first damage when it is started: it deletes all that follows.
fn what_the_server_does(source: &Source, summaries: &mut [Summary]) {
    let hurt = |summary: &Summary| summary.own::<Own>().and_then(|own| Some((own.first_bad?, own.behind)));
    let Some(index) = summaries.iter().position(|summary| hurt(summary).is_some()) else { return };
    let Some((at, behind)) = hurt(&summaries[index]).filter(|_| !source.alone && !is_checkpoint(source)) else { return };
    let later: u64 = summaries[index + 1..].iter().map(|summary| summary.records).sum();
    let mine: u64 = summaries[index + 1..].iter().filter_map(hurt).map(|(_, behind)| behind).sum::<u64>() + behind;
    let place = format!("{} at byte {at}", source.segments[index].name);
    let text = match behind + later {
        0 => format!("Prometheus cuts {place} itself, and starts"),
        lost => format!(
            "Prometheus keeps what stands in front of {place}, deletes the {lost} whole records behind it, later segments included, and starts; \
             walctl repair cuts only damaged segments, and {mine} whole records go"
        ),
    };
    if let Some(last) = summaries.last_mut() {
        last.recovery = Some(text);
    }
}

fn is_checkpoint(source: &Source) -> bool {
    source.dir.file_name().is_some_and(|name| checkpoint_of(&name.to_string_lossy()).is_some())
}

fn missing(later: &crate::disk::Segment, due: u64, behind: &str) -> Damage {
    Damage {
        kind: DamageKind::MissingSegment,
        span: Span::new(later.id, 0, 0),
        lsn: None,
        doubt: None,
        expected: format!("segment {due:08} next, {behind}"),
        found: format!("{}; Prometheus does not start with a hole in its numbers", later.name),
        facts: Facts::of(Look::Absent),
    }
}

/// Whether a log may be cut: the segment that is damaged, at its last good record. The server's own repair drops more.
pub fn mend(source: &Source, summaries: &[Summary], at: Place) -> Mend {
    if is_checkpoint(source) {
        return Mend::Refuse(
            "a damaged checkpoint has lost series that later samples belong to; remove nothing from it: take the checkpoint from a backup, or let the \
             server start without the folder wal and keep its blocks",
        );
    }
    let first = summaries.get(at.segment.index()).and_then(|summary| summary.own::<Own>()?.first_bad);
    match first == Some(at.offset) {
        true => Mend::CutEach,
        false => Mend::Refuse(
            "only a damaged segment is cut, at its last good record; nothing links records, so a cut elsewhere loses them unseen",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::Entry;

    #[test]
    fn names_of_eight_digits_are_segments_and_finished_checkpoints_are_logs_of_their_own() {
        assert_eq!((number_of("00000012"), checkpoint_of("checkpoint.00000002")), (Some(12), Some(2)));
        for name in ["0000001", "000001.log", "00000003.repair", "checkpoint.00000002.tmp", "series_state.json", "+0000001"] {
            assert_eq!((number_of(name), checkpoint_of(name)), (None, None), "{name}");
        }
        let entry = |name: &str, kind| Entry { name: name.to_owned(), length: 0, kind };
        let entries = [
            entry("checkpoint.00000002", EntryKind::Folder),
            entry("checkpoint.00000002.tmp", EntryKind::Folder),
            entry("00000004", EntryKind::File),
            entry("00000003", EntryKind::File),
        ];
        let logs = layout(&Folder::new(&entries, &|_| None));
        let seen: Vec<(&str, usize)> = logs.iter().map(|log| (log.name.as_str(), log.segments.len())).collect();
        assert_eq!(seen, [("", 2), ("checkpoint.00000002", 0)]);
    }
}
