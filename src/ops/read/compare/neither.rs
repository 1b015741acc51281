//! LSNs that are damaged in one log and have no record in the other: no record shows them, so they would go unsaid.

use super::values::{InNeither, Uncompared, Which};
use crate::model::{Damage, LsnRange};

/// More are not listed.
const MOST: usize = 10_000;

/// What neither log has. `damage` is that of each log whose numbers are those that are compared; `shown` are ranges of which one log has
/// records, which are listed for that.
pub fn in_neither(
    damage: [&[Damage]; 2],
    window: Option<LsnRange>,
    uncompared: &[Uncompared],
    shown: &[LsnRange],
) -> Vec<InNeither> {
    let mut found: Vec<InNeither> = Vec::new();
    for which in Which::BOTH {
        for one in damage[which.index()] {
            let Some(doubt) = one.doubt.and_then(|doubt| clip(doubt, window)) else { continue };
            let there =
                uncompared.iter().map(|one| one.range.lsns).chain(shown.iter().copied()).filter(|lsns| meets(*lsns, doubt));
            let mut there: Vec<LsnRange> = there.collect();
            there.sort_unstable();
            for lsns in without(doubt, &there) {
                let told = found.iter_mut().find(|other| meets(other.lsns, lsns) && other.which != which);
                if let Some(other) = told {
                    other.both = true;
                } else if found.len() < MOST {
                    found.push(InNeither { lsns, which, kind: one.kind, both: false });
                }
            }
        }
    }
    found.sort_by_key(|one| one.lsns);
    found
}

fn clip(lsns: LsnRange, window: Option<LsnRange>) -> Option<LsnRange> {
    window.map_or(Some(lsns), |window| LsnRange::new(lsns.first.max(window.first), lsns.last.min(window.last)))
}

fn meets(a: LsnRange, b: LsnRange) -> bool {
    a.first <= b.last && b.first <= a.last
}

/// What is left of a range without others, which are in order.
fn without(all: LsnRange, others: &[LsnRange]) -> Vec<LsnRange> {
    let (mut left, mut rest) = (Vec::new(), Some(all));
    for other in others {
        let Some(range) = rest else { break };
        left.extend(other.first.before().and_then(|last| LsnRange::new(range.first, last.min(range.last))));
        rest = LsnRange::new(other.last.next().max(range.first), range.last);
    }
    left.extend(rest);
    left
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Lsn;

    #[test]
    fn what_one_log_shows_is_not_in_neither() {
        let range = |first, last| LsnRange { first: Lsn(first), last: Lsn(last) };
        assert_eq!(without(range(5, 9), &[range(1, 5), range(7, 7)]), [range(6, 6), range(8, 9)]);
        assert_eq!(without(range(5, 9), &[range(5, 9)]), []);
        assert_eq!(without(range(5, 9), &[]), [range(5, 9)]);
    }
}
