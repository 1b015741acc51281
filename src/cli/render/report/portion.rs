//! What of a log was looked at, where that was not all of it.

use walctl::model::units::count;
use walctl::ops::report::{Portion, Report};

use crate::cli::render::json::Object;
use crate::cli::render::scope::{scope_json, scope_words};
use walctl::formats::numbers_of;

/// As the end of a sentence; `None` where all of it was.
pub fn words(report: &Report, ends: bool) -> Option<String> {
    let unchecked = report.unchecked();
    if unchecked == 0 {
        return None;
    }
    let all = report.segments.len();
    let walked = all - unchecked;
    match report.portion {
        Portion::Sample { seed, .. } if ends => {
            Some(format!("{walked} of {} were read (seed {seed}), of the others only the ends", count(all as u64, "segment")))
        }
        Portion::Sample { seed, .. } => {
            Some(format!("{walked} of {} were read (seed {seed}), each by itself", count(all as u64, "segment")))
        }
        Portion::Records(scope) => {
            let wanted = scope_words(scope, numbers_of(report.format)).unwrap_or_default();
            let others = if ends { "of the others only the ends" } else { "each by itself" };
            Some(format!("{walked} of {} can hold records {wanted} and were read, {others}", count(all as u64, "segment")))
        }
        // What is compressed or encrypted as a whole, for which there is no reader or no key.
        Portion::All | Portion::Part { .. } | Portion::Bytes(_) => {
            Some(format!("{} could not be looked into", count(unchecked as u64, "segment")))
        }
        Portion::Ends => Some(format!("only the ends of {} were read", count(all as u64, "segment"))),
    }
}

/// The same for programs.
pub fn json(report: &Report) -> Option<Object> {
    let unchecked = report.unchecked() as u64;
    let object = Object::new().put("walked_count", report.segments.len() as u64 - unchecked).put("unchecked_count", unchecked);
    match report.portion {
        Portion::Ends => Some(object),
        Portion::Sample { per_million, seed } => {
            Some(object.put("sample_percent", f64::from(per_million) / 10_000.0).put("seed", seed))
        }
        Portion::Records(scope) => Some(object.put("scope", scope_json(scope))),
        Portion::All | Portion::Part { .. } | Portion::Bytes(_) => None,
    }
}
