//! What entries of etcd ask, added up by the kind of request.

use super::meaning::request_of;
use crate::disk::Source;
use crate::formats::{BreakdownKind, CountedPart, Counter, Decoded, Secrets, Share};

const BY_KIND: BreakdownKind = BreakdownKind::of("requests", "kind");

/// The counter of one log.
pub fn count(_: &Source, _: CountedPart) -> Counter {
    Box::new(|record, payload, into| {
        if record.kind != "entry" {
            return true;
        }
        let nothing = |_: &[u8]| String::new();
        let Some(request) = request_of(payload, &Decoded::new(Secrets::Hidden(&nothing))) else { return false };
        into.add(BY_KIND, request.as_str().unwrap_or("unreadable"), Share::of(1, payload.len() as u64));
        true
    })
}
