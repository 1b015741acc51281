//! What the records hold at which two logs part: short, safe for a terminal, and nothing that may be secret.

use walctl::formats::{Asked, Halt};
use walctl::model::{LsnRange, Payload, Result};
use walctl::ops::open::Input;
use walctl::ops::read::{Event, Parting, RecordSeen, Scan, ScanStart, Selection, Which};

use crate::cli::render::escape;
use crate::cli::render::records::meaning::Meaning;

/// As much of a payload is kept for comparing, and shown of it.
const KEPT: usize = 64 << 10;
const SHOWN: usize = 72;
/// As much is shown in front of the first byte that differs.
const BEFORE: usize = 16;

/// What a record holds.
enum PartContent {
    /// Its bytes, as far as they are kept.
    Bytes(Vec<u8>),
    /// In words, where bytes could be secret or mean nothing.
    Words(String),
}

/// What the two records hold, each in a line; none where it is not known, or where the log was a stream.
pub fn lines(logs: &[Input; 2], parting: &Parting, renumbered: [bool; 2]) -> [Option<String>; 2] {
    let held = Which::BOTH.map(|which| {
        let index = which.index();
        let seen = parting.sights[index].as_ref()?;
        let lsns = LsnRange::new(parting.lsn, parting.lsn).filter(|_| !renumbered[index]);
        read(&logs[index], seen, lsns).ok().flatten()
    });
    let same = match &held {
        [Some(PartContent::Bytes(a)), Some(PartContent::Bytes(b))] => a.iter().zip(b).take_while(|(a, b)| a == b).count(),
        _ => 0,
    };
    held.map(|held| {
        Some(match held? {
            PartContent::Words(words) => words,
            PartContent::Bytes(bytes) => short(&bytes, same),
        })
    })
}

fn read(log: &Input, seen: &RecordSeen, lsns: Option<LsnRange>) -> Result<Option<PartContent>> {
    if log.source.path.as_os_str() == "-" {
        return Ok(None);
    }
    let Some(at) = log.source.segments.iter().position(|segment| segment.name == seen.file) else { return Ok(None) };
    // What is decoded can depend on what lies before it in the segment.
    let mut meaning = Meaning::of(log, false)?;
    let source = log.source.narrow(at..at + 1);
    let selection = Selection { lsns: lsns.filter(|_| meaning.is_none()), ..Selection::default() };
    let scan = Scan::of(&source, log.format, &log.keys, &selection);
    let mut held = None;
    scan.forward(&ScanStart::default(), &mut |event| {
        let Event::Record(shown) = event else { return Ok(()) };
        let record = shown.record;
        let told = meaning
            .as_mut()
            .map(|meaning| meaning.tell(Asked::Words, record, |decoded| decoded.sentence.clone()))
            .transpose()?
            .flatten();
        if shown.segment.name != seen.file || record.span.start() != seen.offset {
            return Ok(());
        }
        held = Some(match told {
            Some(words) => PartContent::Words(escape::line(&words)),
            None if record.encrypted => PartContent::Words("encrypted, and no key opens it".to_owned()),
            None if log.format.private.is_some() => {
                PartContent::Words("not shown: it may be secret; walctl dump shows it".to_owned())
            }
            None => PartContent::Bytes(start_of(&record.payload)?),
        });
        Err(Halt::Enough)
    })?;
    Ok(held)
}

fn start_of(payload: &Payload<'_>) -> Result<Vec<u8>> {
    let mut kept = Vec::new();
    payload.each(&mut |piece| {
        let room = KEPT - kept.len();
        kept.extend_from_slice(&piece[..piece.len().min(room)]);
        Ok(())
    })?;
    Ok(kept)
}

/// The bytes around the first one that differs, as text where they are text.
fn short(bytes: &[u8], same: usize) -> String {
    if bytes.is_empty() {
        return "(empty)".to_owned();
    }
    let mut from = if same < SHOWN - BEFORE { 0 } else { same - BEFORE };
    while from > 0 && bytes.get(from).is_some_and(|byte| byte & 0xc0 == 0x80) {
        from -= 1;
    }
    let piece = &bytes[from.min(bytes.len())..bytes.len().min(from + SHOWN)];
    let text = match std::str::from_utf8(bytes) {
        Ok(_) => escape::text(piece).to_string(),
        Err(_) => piece.iter().take(SHOWN / 3).map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" "),
    };
    let (front, back) = (if from > 0 { format!("… from byte {from}: ") } else { String::new() }, from + SHOWN < bytes.len());
    format!("{front}{text}{}", if back { " …" } else { "" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_is_in_the_line_however_long_the_record_is() {
        let long = [vec![b'a'; 500], b"XYZ".to_vec(), vec![b'b'; 500]].concat();
        assert!(short(&long, 500).starts_with("… from byte 484: aaaaaaaaaaaaaaaaXYZbbb"), "{}", short(&long, 500));
        assert_eq!(short(b"alpha", 2), "alpha");
        assert_eq!(short(b"\x1b[31m", 0), "\\x1b[31m", "nothing steers a terminal");
        assert_eq!(short(b"\xff\x00", 0), "ff 00");
    }
}
