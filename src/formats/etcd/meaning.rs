//! What records of etcd mean: what an entry asks, whether a later leader replaced it, and whether a majority had promised it.

use serde_json::Value;

use super::super::{Decoded, Decoder, Format, Halt, Item, Sink, Visit, Want};
use super::raft::{EntryHead, FieldValue, HardState, Member, SnapshotHead, field};
use super::requests::{Told, internal, is_internal, is_message, member_change, version_2};
use crate::disk::Source;
use crate::model::{Keys, Record};

/// What later records say about entries.
#[derive(Debug, Default)]
struct Fates {
    /// Entries that replaced others: their places in the log, and their indexes.
    rewinds: Vec<((u32, u64), u64)>,
    /// The highest commit index of all states.
    commit: u64,
}

impl Fates {
    /// From one pass over the log; it holds what later leaders replaced, and nothing of the rest.
    fn of(format: &Format, source: &Source) -> Option<Fates> {
        let (mut fates, mut last) = (Fates::default(), 0);
        for segment in source.segments.iter().chain(&source.beyond) {
            // A stream is read once, and its reader is under way.
            source.file(segment).ok()?.identity()?;
            let mut take = |item: Item<'_>| -> Result<(), Halt> {
                let Item::Record(record) = item else { return Ok(()) };
                if let Some(lsn) = record.lsn {
                    if lsn.0 <= last {
                        fates.rewinds.push(((record.span.place.segment.0, record.span.start()), lsn.0));
                    }
                    last = lsn.0;
                } else if record.kind == "state"
                    && let Some(bytes) = record.payload.whole()
                {
                    let state = HardState::parse(bytes, bytes.len() as u64).unwrap_or_default();
                    fates.commit = fates.commit.max(state.commit);
                }
                Ok(())
            };
            let visit = Visit { source, segment, keys: &Keys::default(), want: Want::default() };
            format.walk(&visit, &mut Sink::new(&mut take)).ok()?;
        }
        // From here on: the lowest index that any later entry has.
        let mut lowest = u64::MAX;
        for (_, index) in fates.rewinds.iter_mut().rev() {
            lowest = lowest.min(*index);
            *index = lowest;
        }
        Some(fates)
    }

    fn word(&self, record: &Record<'_>, index: u64) -> &'static str {
        let place = (record.span.place.segment.0, record.span.start());
        let later = self.rewinds.partition_point(|(at, _)| *at <= place);
        match self.rewinds.get(later) {
            Some((_, lowest)) if *lowest <= index => "dead",
            _ if index <= self.commit => "committed",
            _ => "uncommitted",
        }
    }
}

/// The decoder of one log.
pub fn decode(source: &Source) -> Decoder {
    let source = source.clone();
    let mut fates: Option<Option<Fates>> = None;
    Box::new(move |record, payload, decoded| {
        let length = payload.len() as u64;
        match record.kind {
            "entry" => {
                let fates = fates.get_or_insert_with(|| Fates::of(&super::format::FORMAT, &source));
                entry(record, payload, fates.as_ref(), decoded);
            }
            "state" => {
                let Some(state) = HardState::parse(payload, length) else { return };
                let vote = if state.vote == 0 { "no vote".to_owned() } else { format!("voted for {:x}", state.vote) };
                decoded.sentence = format!("entries up to {} are committed; term {}, {vote}", state.commit, state.term);
                decoded.fact("commit", state.commit);
            }
            "snapshot" => {
                let Some(snapshot) = SnapshotHead::parse(payload, length) else { return };
                decoded.sentence = format!("a snapshot holds the entries up to {}", snapshot.index);
                decoded.fact("index", snapshot.index);
            }
            "metadata" => {
                let Some(member) = Member::parse(payload, length) else { return };
                decoded.sentence = format!("member {:x} of cluster {:x}", member.node, member.cluster);
                decoded.fact("member", format!("{:x}", member.node));
                decoded.fact("cluster", format!("{:x}", member.cluster));
            }
            "crc" => decoded.sentence = "the sum of the segment before".to_owned(),
            _ => {}
        }
    })
}

fn entry(record: &Record<'_>, payload: &[u8], fates: Option<&Fates>, decoded: &mut Decoded<'_>) {
    let Some(head) = EntryHead::parse(payload, payload.len() as u64) else { return };
    let (request, told) = asked(&head, content_of(payload), decoded);
    let fate = fates.map(|fates| fates.word(record, head.index));
    decoded.fact("request", request);
    if let Some(fate) = fate {
        decoded.fact("fate", fate);
    }
    decoded.facts.extend(told.facts);
    decoded.sentence = match fate {
        Some("committed") | None => told.words,
        Some("dead") => format!("dead, replaced by a later leader: {}", told.words),
        Some(fate) => format!("{fate}: {}", told.words),
    };
}

/// What an entry asks, by its name; `None` of what is no entry.
pub fn request_of(payload: &[u8], decoded: &Decoded<'_>) -> Option<Value> {
    let head = EntryHead::parse(payload, payload.len() as u64)?;
    Some(asked(&head, content_of(payload), decoded).0)
}

fn content_of(mut entry: &[u8]) -> &[u8] {
    while let Some((number, value)) = field(&mut entry) {
        if let (4, FieldValue::Bytes(content, _)) = (number, value) {
            return content;
        }
    }
    &[]
}

fn asked(head: &EntryHead, content: &[u8], decoded: &Decoded<'_>) -> (Value, Told) {
    let named = |name: &str, told| (Value::from(name), told);
    match head.kind {
        _ if !is_message(content) => {
            named("unreadable", Told { facts: Vec::new(), words: format!("{} bytes that are no request", content.len()) })
        }
        0 if content.is_empty() => {
            named("new_leader", Told { facts: Vec::new(), words: format!("the leader of term {} begins", head.term) })
        }
        0 if is_internal(content) => {
            let (name, told) = internal(content, decoded);
            (name.into(), told)
        }
        0 => named("v2", version_2(content, decoded)),
        kind => named("member_change", member_change(kind, content)),
    }
}
