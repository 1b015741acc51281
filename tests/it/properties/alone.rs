//! A segment that is given by itself, without the log around it.

use super::*;

/// Each segment given by itself, and through a pipe, reads the same in all commands.
pub(super) fn check_alone(disk: &Arc<dyn Disk>, input: &Input) -> Result<(), Fails> {
    // What a manifest names and nobody has cannot be given.
    for segment in input.source.segments.iter().filter(|segment| segment.kind != EntryKind::Absent) {
        let alone = reopen(disk, &segment.path, Some(input.format), &input.keys).map_err(|e| format!("alone: {e}"))?;
        let Some(seen) = look(&alone).map_err(|why| format!("{} alone: {why}", segment.name))? else { continue };
        // A name tells where the numbers of a segment begin; a stream has none. Frames of a recycled RocksDB log hold its number, and sums of
        // raft-engine do: under another name they are the remains of an older log. Of NATS names lead to the key of the sums.
        let another = ["pebble", "raft-engine", "rocksdb"].contains(&input.format.name) && seen.records.is_empty();
        // Where another file of the same log of Pebble follows, what is open at the end does not count.
        let another = another || input.format.name == "pebble" && input.source.segments.len() > 1;
        let unchecked = seen.report.warnings.iter().any(|warning| warning.name == "sums-not-checked");
        if seen.report.verdict != Verdict::Clean || another || unchecked {
            continue;
        }
        let bytes = files_in(disk.as_ref(), &input.source.dir).remove(&segment.name).expect("it was listed");
        let choice = Choice { format: Some(input.format), keys: input.keys.clone(), ..Choice::default() };
        let piped = open_stream(disk, "-", Box::new(std::io::Cursor::new(bytes)), &choice).map_err(|e| format!("piped: {e}"))?;
        let (records, _) = dump(&piped, false).map_err(|e| format!("{} piped: {e}", segment.name))?;
        demand!(
            records.iter().map(|r| (r.offset, &r.payload)).eq(seen.records.iter().map(|r| (r.offset, &r.payload))),
            "{} gives {} records alone, {} through a pipe",
            segment.name,
            seen.records.len(),
            records.len()
        );
    }
    Ok(())
}
