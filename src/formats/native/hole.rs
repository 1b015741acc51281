//! The bytes that make LSNs known to be gone: a Hole frame, in a segment of its own or at the end of one without records.

use super::join::Joint;
use crate::disk::Segment;
use crate::formats::{HoleSite, Summary};
use crate::model::{Hole, Result, Time};
use crate::native::{
    FrameFields, FrameHeader, FrameKind, HEADER_BYTES, SegmentHeader, Tally, encode_frame, encode_header, encode_seal,
};

/// The hole with the chain that goes on after it, and its bytes.
pub fn hole(site: &HoleSite<'_>, hole: Hole, since: Time) -> Result<(Hole, Vec<u8>), String> {
    let joint = |(_, summary): (&Segment, &Summary)| summary.own::<Joint>().and_then(|joint| joint.header);
    let (before, behind) = (joint(site.before), joint(site.behind));
    let Some(log_id) = before.or(behind).map(|header| header.log_id) else {
        let (one, other) = (&site.before.0.name, &site.behind.0.name);
        return Err(format!("the headers of {one} and {other} are lost, and with them the log's id"));
    };
    let hole = Hole { chain: behind.map(|header| header.chain), ..hole };
    let mut content = Vec::new();
    if let Some(offset) = site.append_at {
        let Some(header) = before else { return Err(format!("the header of {} is lost", site.before.0.name)) };
        encode_hole(&mut content, &hole, since, &header, offset);
        return Ok((hole, content));
    }
    let chain = site.before.1.own::<Joint>().and_then(|joint| joint.last_sum).unwrap_or(0);
    let header =
        SegmentHeader { key: None, block: 0, log_id, first_lsn: hole.lsns.first, created: since, chain, recycled: false };
    new_segment(&mut content, &header, &hole, since);
    Ok((hole, content))
}

/// Appends the frame of a hole; it will stand at `offset`.
fn encode_hole(out: &mut Vec<u8>, hole: &Hole, since: Time, header: &SegmentHeader, offset: u64) {
    let fields = FrameFields { kind: FrameKind::Hole, flags: 0, unsynced: 0, lsn: hole.lsns.last.next(), time: since, tag: 0 };
    encode_frame(out, &fields, &hole.encode(), header.seed(), offset);
}

/// A segment that holds a hole and nothing else.
fn new_segment(content: &mut Vec<u8>, header: &SegmentHeader, hole: &Hole, since: Time) {
    *content = encode_header(header);
    encode_hole(content, hole, since, header, HEADER_BYTES);
    let mut tally = Tally::default();
    let frame = content[HEADER_BYTES as usize..].first_chunk().and_then(FrameHeader::parse);
    tally.observe(&frame.expect("a frame was just encoded there"), HEADER_BYTES, 0);
    let end = content.len() as u64;
    encode_seal(content, &tally, 0, hole.lsns.last.next(), since, header.seed(), end);
}
