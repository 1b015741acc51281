//! What stands where no whole command stands: damage, or the torn end of the log; and where reading goes on behind it.

use super::super::resync::last_content;
use super::super::{Ending, Halt, looks_interrupted};
use super::command::{AofCommand, Here, Wanted, arguments_of, stands};
use super::kinds::{OTHER, keys_of};
use super::walk::{NAMED, OpenMulti, WRITTEN_AFTER, Walker};
use crate::disk::zero_prefix;
use crate::formats::words;
use crate::model::{Damage, DamageKind, Facts, Look};

/// How much is searched at a time.
const PIECE: usize = 64 << 10;
/// So many keys of a transaction that is left open are named, and so much of each.
const KEYS: usize = 8;
const KEY: usize = 64;
/// Commands of that size are looked into for their keys.
const LOOKED_INTO: u64 = 64 << 10;

impl Walker<'_, '_> {
    /// No whole command stands at the place that was reached. True when reading goes on, here or behind damage.
    pub(super) fn stop(&mut self, here: Here) -> Result<bool, Halt> {
        let start = self.at;
        let seen = self.rereads.stop(&mut self.cursor, start);
        // The server may be writing a command that holds others in a value.
        let short = matches!(here, Here::Short | Here::Ends);
        if short && self.rereads.tail_moves(&seen, &mut self.cursor, self.visit.want.live)? {
            return Ok(true);
        }
        let next = self.behind_line_end(here).or_else(|| self.next_command(start + 1));
        let moved = match next {
            Some(_) => self.rereads.hole_again(&seen, &mut self.cursor)? && self.is_whole(start),
            None => !short && self.rereads.tail_moves(&seen, &mut self.cursor, self.visit.want.live)?,
        };
        if moved {
            return Ok(true);
        }
        let mut damage = self.diagnose(start, here, next);
        if damage.facts.look != Look::Refused {
            damage.facts.proof = match next {
                Some(_) => Some(WRITTEN_AFTER),
                None => self.own.base.then_some(NAMED),
            };
        }
        if let Some(next) = next {
            self.hurt(damage)?;
            // Of what was open nobody knows where it ends, nor which database is chosen.
            (self.multi, self.database) = (None, None);
            self.at = next;
            return Ok(true);
        }
        let first = self.own.first_bad.is_none();
        if first && damage.facts.look == Look::Interrupted {
            // A transaction that the tear leaves open goes with it: else what is written behind the cut would belong to it.
            self.own.cut_at = Some(self.multi.map_or(start, |multi| multi.start));
        }
        self.own.short = short;
        if let Some(multi) = self.multi {
            self.own.torn_inside = Some(multi.start);
            damage.found += &format!("; it stands inside a transaction that MULTI begins at {}", multi.start);
            self.drop_open(multi, start);
        }
        self.hurt(damage)?;
        (self.summary.end, self.summary.ending) = (self.multi.map_or(start, |multi| multi.start), Ending::Damage);
        Ok(false)
    }

    /// The file ends at a command, and a transaction is open.
    pub(super) fn left_open(&mut self, multi: OpenMulti) -> Result<(), Halt> {
        let end = self.at;
        let many = match multi.commands {
            0 => "nothing behind it".to_owned(),
            1 => "1 command behind it".to_owned(),
            many => format!("{many} commands behind it"),
        };
        let mut damage = self.bad(DamageKind::BrokenBatch, multi.start, end, format!("MULTI, {many}, and the end of the file"));
        damage.expected = "the EXEC of a transaction".to_owned();
        damage.facts = Facts::of(Look::Interrupted);
        damage.facts.proof = self.own.base.then_some(NAMED);
        if self.own.first_bad.is_none() {
            self.own.cut_at = Some(multi.start);
        }
        self.own.left_open = Some(multi.start);
        self.drop_open(multi, end);
        self.hurt(damage)?;
        (self.summary.end, self.summary.ending) = (multi.start, Ending::Damage);
        Ok(())
    }

    /// The commands of a transaction that has no end do not count as what is valid, and will not be applied.
    fn drop_open(&mut self, multi: OpenMulti, end: u64) {
        self.summary.valid_bytes = self.summary.valid_bytes.saturating_sub(end - multi.start);
        if multi.commands == 0 || self.visit.want.live {
            return;
        }
        let keys = self.keys_in(multi.start, end);
        let named = if keys.is_empty() { String::new() } else { format!(" (keys: {})", keys.join(", ")) };
        let (commands, are, them) = if multi.commands == 1 { ("command", "stands", "it") } else { ("commands", "stand", "them") };
        let text = format!(
            "{} whole {commands} {are} behind MULTI at {} without an EXEC, and no server will apply {them}{named}; where a server went on \
             writing behind a tear, acknowledged commands are among these: walctl dump shows them",
            multi.commands, multi.start
        );
        self.warn("open-transaction", multi.start, end, text);
    }

    /// Keys of the commands in a range, each once, up to some number.
    fn keys_in(&mut self, from: u64, end: u64) -> Vec<String> {
        let (mut keys, mut at) = (Vec::<String>::new(), from);
        while at < end {
            match stands(&mut self.cursor, at, &mut self.budget) {
                Here::Command(command) => {
                    at = command.end;
                    let bytes = command.end - command.at;
                    if bytes > LOOKED_INTO {
                        continue;
                    }
                    let payload = self.cursor.bytes(command.at, usize::try_from(bytes).unwrap_or(0));
                    for key in keys_of(command.kind.unwrap_or(OTHER), &arguments_of(payload).unwrap_or_default()) {
                        let key = words(&key[..key.len().min(KEY)]);
                        if keys.len() == KEYS && !keys.contains(&key) {
                            keys.push("…".to_owned());
                            return keys;
                        }
                        if !keys.contains(&key) {
                            keys.push(key);
                        }
                    }
                }
                Here::Note { end, .. } => at = end,
                _ => break,
            }
        }
        keys
    }

    fn is_whole(&mut self, at: u64) -> bool {
        matches!(stands(&mut self.cursor, at, &mut self.budget), Here::Command(_) | Here::Note { .. })
    }

    /// Only the line end of the last argument is hurt, and a command stands behind it.
    fn behind_line_end(&mut self, here: Here) -> Option<u64> {
        let Here::Bad { at, wanted: Wanted::ArgumentEnd | Wanted::NoteEnd } = here else { return None };
        [at + 1, at + 2].into_iter().find(|place| match stands(&mut self.cursor, *place, &mut self.budget) {
            Here::Command(command) => self.fits(&command),
            _ => false,
        })
    }

    /// Where the next whole command begins: behind a line end, with a name that can be one, and with the end of the file or of another
    /// command's begin behind it.
    fn next_command(&mut self, from: u64) -> Option<u64> {
        // The two bytes of a line end, in front.
        let mut at = from.saturating_sub(2).max(self.at + 1);
        loop {
            let piece = self.cursor.bytes(at, PIECE);
            let given = piece.len();
            if given < 3 {
                at = self.cursor.refused_at(at.saturating_add(given as u64))?;
                continue;
            }
            if zero_prefix(piece) == given {
                at = self.cursor.zeros_end(at).saturating_sub(2).max(at + 1);
                continue;
            }
            let begins: Vec<u64> =
                (0..given - 2).filter(|skip| piece[*skip..*skip + 3] == *b"\r\n*").map(|skip| at + skip as u64 + 2).collect();
            for begin in begins {
                let before = self.budget;
                if let Here::Command(command) = stands(&mut self.cursor, begin, &mut self.budget)
                    && self.fits(&command)
                {
                    // Only what came to nothing is counted.
                    self.budget = before;
                    return Some(begin);
                }
            }
            at += given as u64 - 2;
        }
    }

    fn fits(&mut self, command: &AofCommand) -> bool {
        let behind = self.cursor.bytes(command.end, 1).first().copied();
        command.kind.is_some() || command.plausible && matches!(behind, None | Some(b'*' | b'#'))
    }

    /// What stands in a bad region.
    fn diagnose(&mut self, start: u64, here: Here, next: Option<u64>) -> Damage {
        let length = self.cursor.length();
        let content = last_content(&mut self.cursor, start);
        let end = next.unwrap_or(if content == start { length } else { content }).max(start);
        if let Some((from, to)) = self.cursor.next_refused(start).filter(|(from, _)| *from < end.max(start + 1)) {
            let words = format!("bytes {from} to {to}, which the system refuses to give");
            let mut damage = self.bad(DamageKind::ReadError, start, end.max(to), words);
            damage.facts = Facts::of(Look::Refused);
            return damage;
        }
        let (kind, look, found) = match (here, next) {
            (Here::Bad { .. }, None) if content == start => {
                let words = format!("{} zero bytes up to the end of the file, which no server writes", length - start);
                (DamageKind::Zeroed, Look::Interrupted, words)
            }
            (Here::Bad { at, .. }, None) if content <= at => {
                let words = format!("{} bytes of a command, and zeros from there to the end of the file", content - start);
                (DamageKind::Zeroed, Look::Interrupted, words)
            }
            (Here::Bad { at, wanted }, _) => {
                // No interrupted write changes a byte: it leaves zeros, or nothing.
                let torn = next.is_none() && looks_interrupted(&mut self.cursor, start, end);
                let look = if torn { Look::Interrupted } else { Look::Followed };
                let zero = self.cursor.bytes(at, 1) == [0];
                let kind = if zero { DamageKind::Zeroed } else { DamageKind::NotAFrame };
                let what = if zero && wanted != Wanted::ArgumentEnd { "zeros" } else { wanted.words() };
                (kind, look, format!("{what}, at byte {at}"))
            }
            (_, Some(next)) => {
                let words = format!("a length that leads behind the end of the file, and a whole command at {next}");
                (DamageKind::NotAFrame, Look::Wrong, words)
            }
            _ => (DamageKind::CutShort, Look::Interrupted, "the end of the file inside of it".to_owned()),
        };
        let mut damage = self.bad(kind, start, end, found);
        damage.facts = Facts::of(look);
        damage
    }
}
