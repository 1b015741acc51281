//! What a partition is besides its batches: names, and what its segments say about each other.

use std::any::Any;

use serde_json::{Value, json};

use super::super::kept::maybe;
use super::super::{Likeness, Sample, Summary, gap_between};
use super::batch::{BatchHeader, COVERED, HEADER};
use super::diagnose;
use crate::disk::{Source, crc32c};
use crate::model::{Damage, DamageKind, Facts, Look, LsnRange, Span, Warning};

/// What the join needs to know of a segment besides its summary.
#[derive(Debug, Default)]
pub struct Own {
    /// Something in it was compacted away.
    pub compacted: bool,
    /// Where its first damage begins that has bytes.
    pub first_bad: Option<u64>,
    /// How many whole batches stand behind damage.
    pub behind: u64,
}

/// What the join reads of a segment, as JSON.
pub fn write_own(summary: &Summary) -> Option<Value> {
    let own = summary.own::<Own>()?;
    Some(json!({ "compacted": own.compacted, "first_bad": own.first_bad, "behind": own.behind }))
}

/// The same, back.
pub fn read_own(from: &Value) -> Option<Box<dyn Any + Send + Sync>> {
    Some(Box::new(Own {
        compacted: from["compacted"].as_bool()?,
        first_bad: maybe(&from["first_bad"], Value::as_u64)?,
        behind: from["behind"].as_u64()?,
    }))
}

/// `00000000000000004711.log` is 4711: the offset of the segment's first record.
pub fn base_of(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(".log")?;
    let base: Option<u64> = (digits.len() == 20 && digits.bytes().all(|b| b.is_ascii_digit())).then(|| digits.parse().ok())?;
    base.filter(|base| *base <= i64::MAX as u64)
}

pub fn recognise(sample: &Sample<'_>) -> Likeness {
    let base = match sample.name.map(base_of) {
        Some(None) => return Likeness::No,
        named => named.flatten(),
    };
    let first = sample.head.first_chunk::<HEADER>().map(BatchHeader::parse).filter(BatchHeader::plausible);
    let whole = first.is_some_and(|header| {
        let end = usize::try_from(header.length()).unwrap_or(usize::MAX);
        sample.head.get(COVERED..end).is_some_and(|covered| crc32c(0, covered) == header.crc)
    });
    match (whole, base) {
        (true, _) => Likeness::Sure,
        // Longer than what is shown, or damaged: the number in its name tells.
        (false, Some(base)) if first.is_some_and(|header| header.base == base) => Likeness::Sure,
        (false, Some(_)) => Likeness::Maybe,
        (false, None) => Likeness::No,
    }
}

pub fn join(source: &Source, summaries: &mut [Summary]) -> Vec<Damage> {
    let mut followed = source.segments.last().is_some_and(|segment| segment.followed);
    for summary in summaries.iter_mut().rev() {
        if followed {
            for damage in summary.damage.kept_mut().iter_mut().filter(|damage| damage.span.length > 0) {
                damage.facts.look = diagnose::followed(damage.facts.look);
            }
        }
        followed = true;
    }
    let compacted = summaries.iter().any(|summary| summary.own::<Own>().is_some_and(|own| own.compacted));
    let mut between = Vec::new();
    for later in 1..summaries.len() {
        let span = Span::new(source.segments[later].id, 0, 0);
        if let Some(gap) = gap_between(source, summaries, later) {
            if compacted {
                let doubt = gap.doubt.map(|lsns| lsns.to_string()).unwrap_or_default();
                let text = format!(
                    "no segment holds offsets {doubt}: this topic was compacted, where such gaps are normal; in any other a segment would be missing"
                );
                summaries[later].warnings.push(Warning { name: "sequence-gap", span, text });
            } else {
                let found =
                    format!("{}: a segment is missing, unless the topic is compacted", gap.found.replace("LSN", "offset"));
                between.push(Damage { span, found, expected: gap.expected.replace("LSN", "offset"), ..gap });
            }
        }
        between.extend(overlap(source, summaries, later));
    }
    recovery(source, summaries);
    between
}

/// A segment that begins before the one in front of it ends.
fn overlap(source: &Source, summaries: &[Summary], later: usize) -> Option<Damage> {
    let (due, begins) = (summaries[later - 1].due?, summaries[later].begins?);
    let twice = LsnRange::new(begins, due.before()?)?;
    Some(Damage {
        kind: DamageKind::LsnBack,
        span: Span::new(source.segments[later].id, 0, 0),
        lsn: Some(due),
        doubt: Some(twice),
        expected: format!("offset {due} next, after {}", source.segments[later - 1].name),
        found: format!("a segment that begins with offset {begins}: offsets {twice} stand in both, as in files of two brokers"),
        facts: Facts::of(Look::Mixed),
    })
}

/// What a broker would make of damage: after an unclean stop it cuts at the first bad batch and removes all later segments.
fn recovery(source: &Source, summaries: &mut [Summary]) {
    let hurt = |summary: &Summary| summary.own::<Own>().and_then(|own| Some((own.first_bad?, own.behind)));
    let Some(index) = summaries.iter().position(|summary| hurt(summary).is_some()) else { return };
    let Some((at, mine)) = hurt(&summaries[index]) else { return };
    let behind = mine + summaries[index + 1..].iter().map(|summary| summary.records).sum::<u64>();
    let later = match summaries.len() - 1 - index {
        0 => String::new(),
        1 => " and removes the later segment".to_owned(),
        count => format!(" and removes {count} later segments"),
    };
    let lost = match behind {
        0 => String::new(),
        1 => ", and with it 1 whole batch behind the damage".to_owned(),
        count => format!(", and with it {count} whole batches behind the damage"),
    };
    let text = format!(
        "after an unclean stop Kafka cuts {} at {at}{later}{lost}; it fetches the rest again from the leader of the partition, if another \
         replica has it. After a clean stop it does not look, and consumers fail here",
        source.segments[index].name
    );
    if let Some(last) = summaries.last_mut() {
        last.recovery = Some(text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_twenty_digits_are_segments() {
        assert_eq!(base_of("00000000000000004711.log"), Some(4711));
        for name in ["000004.log", "00000000000000004711.index", "00000000000000004711.log.deleted", "99999999999999999999.log"] {
            assert_eq!(base_of(name), None, "{name}");
        }
    }
}
