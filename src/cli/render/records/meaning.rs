//! What records mean, as their format decodes them.

use walctl::formats::{Asked, Decoded, Decoder, Secrets, decode};
use walctl::model::{Record, Result};
use walctl::ops::open::Input;

use super::redact::Redaction;

/// Asks the decoder of one log.
pub struct Meaning {
    decoder: Decoder,
    /// What hides values that may be secret; without it they are shown.
    hiding: Option<Redaction>,
    room: Vec<u8>,
}

impl std::fmt::Debug for Meaning {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Meaning")
    }
}

impl Meaning {
    /// Of the records of a log; `None` where its format cannot tell.
    pub fn of(input: &Input, show_values: bool) -> Result<Option<Meaning>> {
        let Some(decode) = input.format.decode else { return Ok(None) };
        let hiding = if show_values { None } else { Some(Redaction::new()?) };
        Ok(Some(Meaning { decoder: decode(&input.source), hiding, room: Vec::new() }))
    }

    /// Hands over what of a record's meaning is asked for, if that is known.
    pub fn tell<T>(&mut self, asked: Asked, record: &Record<'_>, see: impl FnOnce(&Decoded<'_>) -> T) -> Result<Option<T>> {
        let hash = |bytes: &[u8]| self.hiding.as_ref().map_or_else(String::new, |hiding| hiding.of_bytes(bytes));
        let secrets = if self.hiding.is_some() { Secrets::Hidden(&hash) } else { Secrets::Shown };
        let mut decoded = Decoded::new(secrets).only(asked);
        decode(&mut self.decoder, record, &mut self.room, &mut decoded)?;
        Ok(if decoded.is_empty() { None } else { Some(see(&decoded)) })
    }
}
