//! Payloads alone: one after the other with something between them.

use clap::ValueEnum;
use walctl::model::{Error, Payload, Result};

use super::payload::Spill;

/// What stands between payloads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Separator {
    /// A line feed after each
    #[default]
    Lf,
    /// A zero byte after each
    Nul,
    /// Its length before each: four bytes, little-endian
    Len32,
}

/// Payloads, one after the other.
#[derive(Debug, Default)]
pub struct Raw {
    /// What stands between them.
    pub delimiter: Separator,
    /// How many payloads contain the delimiter, so that their ends are ambiguous.
    pub ambiguous: u64,
}

impl Raw {
    /// With that between them.
    pub fn new(delimiter: Separator) -> Raw {
        Raw { delimiter, ambiguous: 0 }
    }

    /// Appends a payload.
    pub fn payload(&mut self, buf: &mut Vec<u8>, payload: &Payload<'_>, spill: &mut Spill<'_>) -> Result<()> {
        let end = match self.delimiter {
            Separator::Lf => Some(b'\n'),
            Separator::Nul => Some(0),
            Separator::Len32 => {
                let length = u32::try_from(payload.length()).map_err(|_| Error::Input {
                    what: format!("a payload of {} bytes is too long for --delimiter len32", payload.length()),
                })?;
                buf.extend_from_slice(&length.to_le_bytes());
                None
            }
        };
        let mut held = false;
        payload.each(&mut |piece| {
            held = held || end.is_some_and(|byte| piece.contains(&byte));
            buf.extend_from_slice(piece);
            spill(buf)
        })?;
        self.ambiguous += u64::from(held);
        buf.extend(end);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delimiters_stand_where_they_should_and_hidden_ones_are_counted() {
        let run = |delimiter| {
            let (mut raw, mut buf) = (Raw::new(delimiter), Vec::new());
            for payload in [&b"a\nb"[..], b"", b"c\0"] {
                raw.payload(&mut buf, &Payload::Whole(payload), &mut |_| Ok(())).expect("it reads");
            }
            (buf, raw.ambiguous)
        };
        assert_eq!(run(Separator::Lf), (b"a\nb\n\nc\0\n".to_vec(), 1));
        assert_eq!(run(Separator::Nul), (b"a\nb\0\0c\0\0".to_vec(), 1));
        assert_eq!(run(Separator::Len32), (b"\x03\0\0\0a\nb\0\0\0\0\x02\0\0\0c\0".to_vec(), 0));
    }
}
