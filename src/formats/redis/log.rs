//! What a log is besides its commands: what it is recognised by, files that are missing, what a server would do, and when it may be cut.

use std::any::Any;

use serde_json::{Value, json};

use super::super::kept::maybe;
use super::super::proofs::{first_damage, later_segments_prove};
use super::super::{Likeness, Mend, Sample, Summary};
use super::command::{Here, stands_in};
use super::manifest::{MANIFEST, is_single, parse, part_name};
use super::rdb::version_of;
use crate::disk::{Segment, Source, zero_prefix};
use crate::model::{Damage, DamageKind, Facts, Look, Place, Span};

/// Who wrote a snapshot, as far as its first bytes tell.
const SYSTEMS: [&str; 2] = ["REDIS", "VALKEY"];

pub fn system_of(name: &str) -> Option<&'static str> {
    SYSTEMS.into_iter().find(|system| *system == name)
}

/// What the join needs to know of a file besides its summary.
#[derive(Debug, Default)]
pub struct Own {
    /// What its snapshot says that it was written by.
    pub system: Option<&'static str>,
    /// It is a base, by its name.
    pub base: bool,
    /// Where the snapshot in front of its commands ends.
    pub preamble: u64,
    /// Where its first damage begins.
    pub first_bad: Option<u64>,
    /// How many whole commands stand behind that.
    pub behind: u64,
    /// Where it can be cut: its first damage is its torn end.
    pub cut_at: Option<u64>,
    /// The file ends inside a command.
    pub short: bool,
    /// That command stands inside a transaction, which begins there.
    pub torn_inside: Option<u64>,
    /// The file ends at a command, and a transaction that begins there is open.
    pub left_open: Option<u64>,
    /// How many transactions were ended.
    pub closed: u64,
}

/// What the join reads of a file, as JSON.
pub fn write_own(summary: &Summary) -> Option<Value> {
    let own = summary.own::<Own>()?;
    Some(json!({
        "system": own.system, "base": own.base, "preamble": own.preamble, "first_bad": own.first_bad, "behind": own.behind,
        "cut_at": own.cut_at, "short": own.short, "torn_inside": own.torn_inside, "left_open": own.left_open,
        "closed": own.closed,
    }))
}

/// The same, back.
pub fn read_own(from: &Value) -> Option<Box<dyn Any + Send + Sync>> {
    Some(Box::new(Own {
        system: maybe(&from["system"], |name| system_of(name.as_str()?))?,
        base: from["base"].as_bool()?,
        preamble: from["preamble"].as_u64()?,
        first_bad: maybe(&from["first_bad"], Value::as_u64)?,
        behind: from["behind"].as_u64()?,
        cut_at: maybe(&from["cut_at"], Value::as_u64)?,
        short: from["short"].as_bool()?,
        torn_inside: maybe(&from["torn_inside"], Value::as_u64)?,
        left_open: maybe(&from["left_open"], Value::as_u64)?,
        closed: from["closed"].as_u64()?,
    }))
}

pub fn recognise(sample: &Sample<'_>) -> Likeness {
    let head = sample.head;
    let named = sample.name.is_some_and(|name| part_name(name).is_some() || is_single(name));
    if version_of(head).is_some() {
        return Likeness::Sure;
    }
    if sample.name.is_some_and(|name| name.ends_with(MANIFEST)) {
        let manifest = parse(head);
        return if manifest.files.is_empty() { Likeness::No } else { Likeness::Sure };
    }
    match stands_in(head) {
        Here::Command(command) if command.kind.is_some() || command.plausible => Likeness::Sure,
        Here::Note { seconds: Some(_), .. } => Likeness::Sure,
        // The first command is longer than what is shown, or hurt behind its begin.
        Here::Short | Here::Bad { .. } if begins_a_command(head) => {
            if named {
                Likeness::Sure
            } else {
                Likeness::Maybe
            }
        }
        _ if named && (zero_prefix(head) == head.len() || sample.name.is_some_and(|name| part_name(name).is_some())) => {
            Likeness::Maybe
        }
        _ => Likeness::No,
    }
}

/// `*`, digits, a line end and `$`.
fn begins_a_command(head: &[u8]) -> bool {
    let Some(rest) = head.strip_prefix(b"*") else { return false };
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    digits > 0 && rest[digits..].starts_with(b"\r\n$")
}

pub fn join(source: &Source, summaries: &mut [Summary]) -> Vec<Damage> {
    later_segments_prove(source, summaries);
    let between: Vec<Damage> = manifest_damage(source, summaries).into_iter().collect();
    let words = recovery(source, summaries, &between);
    if let Some(last) = summaries.last_mut() {
        last.recovery = words;
    }
    between
}

/// The name of the manifest that a log should have.
fn manifest_of(source: &Source) -> Option<String> {
    let file = source.segments.iter().find_map(|segment| part_name(&segment.name))?;
    Some(format!("{}{MANIFEST}", file.log))
}

/// What is wrong with the manifest of a log whose files have the names of parts.
fn manifest_damage(source: &Source, summaries: &[Summary]) -> Option<Damage> {
    let first = source.segments.first().filter(|_| !source.alone)?;
    let damage = |kind, look, expected: &str, found: String| Damage {
        kind,
        span: Span::new(first.id, 0, 0),
        lsn: None,
        doubt: None,
        expected: expected.to_owned(),
        found,
        facts: Facts::of(look),
    };
    let name = manifest_of(source)?;
    let bytes = match source.sibling(&name) {
        Ok(Some(mut cursor)) => cursor.bytes(0, 1 << 20).to_vec(),
        Ok(None) => {
            // A first start makes both files and then the manifest.
            let written = summaries.iter().any(|summary| summary.records > 0);
            let expected = format!("the manifest {name}, which says what the files are");
            let missing = written.then(|| damage(DamageKind::MissingSegment, Look::Absent, &expected, "none".to_owned()));
            // It may have come while the files were read.
            return missing.filter(|_| !source.others.iter().any(|other| other.ends_with(MANIFEST)));
        }
        Err(_) => return None,
    };
    let line = parse(&bytes).bad_line?;
    Some(damage(
        DamageKind::BadHeader,
        Look::Altered,
        "a manifest of lines that name a file, its number and its type",
        format!("line {line} of {name}, which is none"),
    ))
}

/// What a server would make of the log if it were started on it now.
fn recovery(source: &Source, summaries: &[Summary], between: &[Damage]) -> Option<String> {
    let first = first_damage(summaries, between)?;
    let segment = source.segments.get(first.span.place.segment.index())?;
    let name = &segment.name;
    let last = is_last(source, segment);
    let own = summaries.get(first.span.place.segment.index()).and_then(Summary::own::<Own>);
    let system = match summaries.iter().filter_map(Summary::own::<Own>).find_map(|own| own.system) {
        Some("VALKEY") => "Valkey",
        _ => "Redis",
    };
    let mut words = match (first.kind, own) {
        (DamageKind::MissingSegment, _) if between.first().is_some_and(|damage| damage == first) => {
            format!("{system} finds no manifest, and begins a new and empty log; do not start it")
        }
        (DamageKind::MissingSegment, _) => format!("{system} refuses to start, because {name} is missing"),
        (DamageKind::BadHeader, _) if first.span.length == 0 => {
            format!("{system} refuses to start, because it cannot read the manifest")
        }
        (DamageKind::ReadError, _) | (_, None) => format!("{system} refuses to start, because it cannot read {name}"),
        (_, Some(own)) => hurt(system, name, last, first, own),
    };
    if system == "Valkey" {
        words += "; valkey-check-aof 9.1 calls a healthy snapshot of Valkey 9 invalid, and its option fix has cut one to nothing: do not use it here";
    }
    Some(words)
}

fn hurt(system: &str, name: &str, last: bool, damage: &Damage, own: &Own) -> String {
    let at = damage.span.start();
    if at < own.preamble {
        return format!(
            "{system} refuses to start: the snapshot in {name} is damaged; restore the file from a backup, or a replica"
        );
    }
    let truncated = "with aof-load-truncated yes, which is the default,";
    match (own.cut_at, last) {
        (Some(_), true) if !own.short && own.left_open.is_none() => {
            format!(
                "{system} refuses to start because of what stands at byte {at} of {name}; it starts when the file is cut there"
            )
        }
        (Some(cut), true) if own.left_open.is_some() => {
            format!("{truncated} {system} cuts {name} at byte {cut}, in front of MULTI, and starts; with no it refuses to")
        }
        (Some(cut), true) => match own.torn_inside {
            Some(multi) if system == "Valkey" => format!(
                "{truncated} Valkey 9.1 cuts {name} in front of the transaction at byte {multi} and starts, as repair does; with no it refuses to"
            ),
            Some(multi) => format!(
                "{truncated} Redis (6.2, 7.0 and 8.2) cuts {name} at byte {at} only and starts; then it writes behind the open transaction of byte \
                 {multi}, and loses all of that at the start after. Let repair cut at {cut} before; with no it refuses to start"
            ),
            None => format!("{truncated} {system} cuts {name} at byte {cut} and starts; with no it refuses to start"),
        },
        (Some(_), false) => format!("{system} refuses to start: it cuts only the last file, and {name} is none"),
        (None, _) => {
            let behind = match own.behind {
                0 => String::new(),
                1 => ", and the whole command behind that place".to_owned(),
                many => format!(", and the {many} whole commands behind that place"),
            };
            format!(
                "{system} refuses to start (bad file format in {name}); its check-aof with the option fix would cut the file at the first bad byte{behind}: \
                 copy the folder first"
            )
        }
    }
}

/// Whether a file is the last of its log, as far as can be seen.
fn is_last(source: &Source, segment: &Segment) -> bool {
    !segment.followed && source.segments.last().is_some_and(|last| last.id == segment.id)
}

/// Whether a log may be cut: at the torn end of its last file, in front of a transaction that the tear leaves open.
pub fn mend(source: &Source, summaries: &[Summary], at: Place) -> Mend {
    const BASE: &str = "a base is never cut: it was whole when it got its name, and no server would start on a part of it; restore it from a backup, or \
                        let a replica give its data";
    const INNER: &str = "only the torn end of the last file is cut, as the server does itself; it refuses to start on any other damage. Restore the file from a \
                         backup or a replica, or keep a copy of the folder and let check-aof cut it, which drops whole commands too";
    let index = at.segment.index();
    let (Some(segment), Some(own)) = (source.segments.get(index), summaries.get(index).and_then(Summary::own::<Own>)) else {
        return Mend::Refuse(INNER);
    };
    if own.base || at.offset < own.preamble {
        return Mend::Refuse(BASE);
    }
    match own.cut_at {
        Some(cut) if is_last(source, segment) && cut == at.offset => Mend::Cut,
        Some(cut) if is_last(source, segment) && own.first_bad == Some(at.offset) => Mend::CutBack(cut),
        _ => Mend::Refuse(INNER),
    }
}
