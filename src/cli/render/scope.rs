//! Which records were asked for, in words and for programs.

use walctl::formats::Numbers;
use walctl::model::{Lsn, LsnRange};
use walctl::ops::read::Scope;

use super::json::Object;

/// `with LSN 3-5, written from … to …`; `None` where all were.
pub fn scope_words(scope: Scope, numbers: Numbers) -> Option<String> {
    let mut words: Vec<String> = Vec::new();
    if let Some(lsns) = scope.lsns {
        words.push(match (lsns.first, lsns.last) {
            (Lsn(0), Lsn(u64::MAX)) => "with an LSN".into(),
            (Lsn(0), last) => format!("with LSN {} or lower", numbers.show(last)),
            (first, Lsn(u64::MAX)) => format!("with LSN {} or higher", numbers.show(first)),
            (first, last) => format!("with LSN {}", numbers.show_range(LsnRange { first, last })),
        });
    }
    match (scope.since, scope.until) {
        (None, None) => {}
        (Some(since), None) => words.push(format!("written since {since}")),
        (None, Some(until)) => words.push(format!("written until {until}")),
        (Some(since), Some(until)) => words.push(format!("written from {since} to {until}")),
    }
    (!words.is_empty()).then(|| words.join(", "))
}

/// The same for programs; `None` where all were.
pub fn scope_json(scope: Scope) -> Option<Object> {
    let lsns = scope.lsns;
    (!scope.is_all()).then(|| {
        Object::new()
            .put("first_lsn", lsns.map(|lsns| lsns.first).filter(|first| first.0 > 0))
            .put("last_lsn", lsns.map(|lsns| lsns.last).filter(|last| last.0 < u64::MAX))
            .put("since", scope.since)
            .put("until", scope.until)
    })
}
