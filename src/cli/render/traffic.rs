//! What was asked of a bucket: people pay for each request.

use walctl::disk::Traffic;
use walctl::model::units::{count, show_bytes};

use super::json::Object;

/// In words.
pub fn bill(traffic: Traffic) -> String {
    format!("{}, {} read", count(traffic.requests, "request"), show_bytes(traffic.bytes_read))
}

/// As keys of an object; of a log on this machine there are none.
pub fn add(object: Object, traffic: Option<Traffic>) -> Object {
    match traffic {
        Some(traffic) => object.put("requests", traffic.requests).put("bytes_read", traffic.bytes_read),
        None => object,
    }
}
