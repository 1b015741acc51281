//! The damage found so far, and what later frames prove about it.

use crate::formats::Capped;
use crate::model::{Damage, Look, Lsn, Proof};
use crate::native::{FrameHeader, UNSYNCED_UNKNOWN};

/// Damage in the order in which it was met.
#[derive(Default)]
pub struct Wounds {
    damage: Capped<Damage>,
    /// From this one on nothing is proven yet.
    unproven: usize,
    /// Those before this one were already compared with a frame of their own group.
    compared: usize,
}

impl Wounds {
    /// Adds what was just met.
    pub fn push(&mut self, damage: Damage) {
        self.damage.push(damage);
    }

    /// The newest one.
    pub fn last(&self) -> Option<&Damage> {
        self.damage.kept().last()
    }

    /// The newest one, to be made larger.
    pub fn last_mut(&mut self) -> Option<&mut Damage> {
        self.damage.kept_mut().last_mut()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.damage.is_empty()
    }

    /// Whether some of it waits for a proof.
    #[inline]
    pub fn wait(&self) -> bool {
        self.unproven < self.damage.kept().len()
    }

    /// What a valid frame proves about the damage before it.
    pub fn prove(&mut self, header: &FrameHeader, is_data: bool) {
        let damages = self.damage.kept_mut();
        while let Some(damage) = damages.get_mut(self.unproven) {
            // What is judged by its look alone waits for no proof.
            let waits = matches!(damage.facts.look, Look::Interrupted | Look::Wrong | Look::Altered);
            if waits && !header.proves_synced(damage.lsn.unwrap_or(Lsn(u64::MAX))) {
                break;
            }
            let synced = header.synced_below().unwrap_or(header.lsn);
            damage.facts.proof.get_or_insert(Proof::LaterFrame { lsn: header.lsn, synced });
            damage.facts.unpromised = false;
            self.unproven += 1;
        }
        // A frame of the same unsynced group is there where these bytes are not: the sync that both waited for never came back.
        if is_data && header.unsynced != UNSYNCED_UNKNOWN {
            self.compared = self.compared.max(self.unproven);
            for damage in damages.get_mut(self.compared..).unwrap_or_default() {
                damage.facts.unpromised = damage.facts.look == Look::Interrupted;
            }
            self.compared = damages.len();
        }
    }

    /// What a Close or a Seal proves about all damage before it.
    pub fn prove_all(&mut self, proof: Proof) {
        let damages = self.damage.kept_mut();
        for damage in damages.get_mut(self.unproven..).unwrap_or_default() {
            damage.facts.proof.get_or_insert(proof);
            damage.facts.unpromised = false;
        }
        self.unproven = damages.len();
    }

    /// All of it.
    pub fn into_damage(self) -> Capped<Damage> {
        self.damage
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Acknowledged, DamageKind, Facts, SegmentId, Span, Time, Verdict};

    fn wounds(lsns: &[u64]) -> Wounds {
        let mut wounds = Wounds::default();
        for lsn in lsns {
            wounds.push(Damage {
                kind: DamageKind::Zeroed,
                span: Span::new(SegmentId(0), *lsn, *lsn),
                lsn: Some(Lsn(*lsn)),
                doubt: None,
                expected: String::new(),
                found: String::new(),
                facts: Facts::of(Look::Interrupted),
            });
        }
        wounds
    }

    fn frame(lsn: u64, unsynced: u16) -> FrameHeader {
        FrameHeader { sum: 0, length: 0, kind: 0, flags: 0, unsynced, lsn: Lsn(lsn), time: Time(0), tag: 0 }
    }

    #[test]
    fn a_frame_proves_what_lies_below_its_group_and_nothing_in_it() {
        let mut wounds = wounds(&[3, 7]);
        wounds.prove(&frame(9, 4), true);
        let judged: Vec<_> = wounds.damage.kept().iter().map(|d| (d.verdict(), d.acknowledged())).collect();
        assert_eq!(judged, [(Verdict::Corrupt, Acknowledged::Yes), (Verdict::Torn, Acknowledged::No)]);
        wounds.prove(&frame(12, 0), true);
        assert!(!wounds.wait());
        assert!(wounds.damage.kept().iter().all(|d| d.verdict() == Verdict::Corrupt));
    }

    #[test]
    fn a_frame_that_says_nothing_proves_nothing() {
        let mut wounds = wounds(&[3]);
        wounds.prove(&frame(60_000, UNSYNCED_UNKNOWN), true);
        assert_eq!(wounds.last().map(Damage::acknowledged), Some(Acknowledged::Unknown));
        wounds.prove_all(Proof::Close);
        assert_eq!(wounds.last().map(Damage::verdict), Some(Verdict::Corrupt));
    }
}
