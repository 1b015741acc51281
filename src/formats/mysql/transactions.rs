//! Which events belong together: where transactions begin and end, what they are called, and what they change.

use super::event::LogEvent;
use super::kinds::{
    ANONYMOUS_GTID, EXECUTE_LOAD_QUERY, GTID, MARIADB_GTID, QUERY, QUERY_COMPRESSED, TABLE_MAP, TAGGED_GTID, TRANSACTION_PAYLOAD,
    XA_PREPARE, XID, rows_kind,
};
use super::rows::{RowCount, TableMap, rows_of, table_map};

/// Of more tables than that a transaction does not keep the names, nor a statement the maps.
const TABLES: usize = 64;

/// A transaction that has begun.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OpenTransaction {
    pub start: u64,
    pub gtid: Option<String>,
    time: u32,
    events: u64,
    rows: u64,
    tables: Vec<String>,
    /// One event follows, and no end.
    alone: bool,
    /// The GTID of MySQL was seen, and its BEGIN was not.
    waits: bool,
}

/// What a finished transaction came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finished {
    pub gtid: Option<String>,
    pub bytes: u64,
    pub events: u64,
    pub rows: u64,
    pub seconds: u32,
    /// Names of tables, with blanks between.
    pub tables: String,
}

/// What an event is to its transaction.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventPart {
    pub gtid: Option<String>,
    pub table: Option<String>,
    pub rows: Option<u64>,
    pub finished: Option<Finished>,
}

/// Follows the events of one file.
#[derive(Debug, Default)]
pub struct TransactionTracker {
    pub open: Option<OpenTransaction>,
    /// Where the last whole transaction ends, or what stands between transactions.
    pub whole_to: u64,
    pub last_gtid: Option<String>,
    maps: Vec<TableMap>,
}

/// What an event does to the transaction that it is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TransactionStep {
    Begins { alone: bool, waits: bool },
    Goes,
    Ends,
}

impl TransactionTracker {
    /// Something is missing here: what was open has no end that could be told.
    pub fn lost(&mut self) {
        self.open = None;
        self.maps.clear();
    }

    /// Takes the next event. `head` is its body, or the first part of a long one; tables and rows are looked at if `deep`.
    pub fn take(&mut self, event: &LogEvent, head: &[u8], deep: bool) -> EventPart {
        let mut part = EventPart::default();
        let step = self.step(event, head);
        if let TransactionStep::Begins { alone, waits } = step {
            // A whole transaction may stand in front of it: an old server's DDL has no end of its own.
            part.gtid = gtid_of(event, head);
            self.last_gtid.clone_from(&part.gtid);
            self.open = Some(OpenTransaction {
                start: event.at,
                gtid: part.gtid.clone(),
                time: event.time,
                alone,
                waits,
                ..OpenTransaction::default()
            });
        }
        if deep {
            self.tables(event, head, &mut part);
        }
        if let Some(open) = &mut self.open {
            open.events += 1;
            open.rows += part.rows.unwrap_or(0);
            if let Some(table) = part.table.as_ref().filter(|table| !open.tables.contains(table) && open.tables.len() < TABLES) {
                open.tables.push(table.clone());
            }
            if part.gtid.is_none() {
                part.gtid.clone_from(&open.gtid);
            }
        }
        match step {
            TransactionStep::Ends => {
                part.finished = self.open.take().map(|open| Finished {
                    gtid: open.gtid,
                    bytes: event.end() - open.start,
                    events: open.events,
                    rows: open.rows,
                    seconds: event.time.saturating_sub(open.time),
                    tables: open.tables.join(" "),
                });
                self.whole_to = event.end();
            }
            TransactionStep::Begins { .. } => {}
            TransactionStep::Goes if self.open.is_none() => self.whole_to = event.end(),
            TransactionStep::Goes => {}
        }
        part
    }

    fn step(&mut self, event: &LogEvent, head: &[u8]) -> TransactionStep {
        match event.kind {
            MARIADB_GTID => TransactionStep::Begins { alone: head.get(12).is_some_and(|flags| flags & 1 != 0), waits: false },
            GTID | ANONYMOUS_GTID | TAGGED_GTID => TransactionStep::Begins { alone: false, waits: true },
            XID | XA_PREPARE | TRANSACTION_PAYLOAD => TransactionStep::Ends,
            QUERY | QUERY_COMPRESSED => {
                let text = if event.kind == QUERY { query_text(head) } else { &[] };
                let is = |words: &[u8]| text.get(..words.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(words));
                let begins = text.eq_ignore_ascii_case(b"BEGIN") || is(b"XA START ");
                let ends = text.eq_ignore_ascii_case(b"COMMIT")
                    || text.eq_ignore_ascii_case(b"ROLLBACK")
                    || is(b"XA COMMIT ")
                    || is(b"XA ROLLBACK ");
                match &mut self.open {
                    _ if ends => TransactionStep::Ends,
                    None if begins => TransactionStep::Begins { alone: false, waits: false },
                    None => TransactionStep::Goes,
                    Some(open) if open.waits => {
                        open.waits = false;
                        // A table that is made from a query has its rows behind it.
                        let goes_on = text.to_ascii_uppercase().ends_with(b"START TRANSACTION");
                        if begins || goes_on { TransactionStep::Goes } else { TransactionStep::Ends }
                    }
                    Some(open) if open.alone => TransactionStep::Ends,
                    Some(_) => TransactionStep::Goes,
                }
            }
            EXECUTE_LOAD_QUERY if self.open.as_ref().is_some_and(|open| open.alone) => TransactionStep::Ends,
            _ => TransactionStep::Goes,
        }
    }

    fn tables(&mut self, event: &LogEvent, head: &[u8], part: &mut EventPart) {
        let whole = head.len() as u64 == event.body_bytes();
        if event.kind == TABLE_MAP {
            let Some(map) = whole.then(|| table_map(head)).flatten() else { return };
            part.table = Some(map.name.clone());
            self.maps.retain(|known| known.id != map.id);
            if self.maps.len() >= TABLES {
                self.maps.remove(0);
            }
            self.maps.push(map);
            return;
        }
        let Some(kind) = rows_kind(event.kind) else { return };
        let map = table_id(head).and_then(|id| self.maps.iter().find(|map| map.id == id));
        part.table = map.map(|map| map.name.clone());
        if let (Some(map), true) = (map, whole)
            && let RowCount::Rows(count) = rows_of(kind, head, map)
        {
            part.rows = Some(count);
        }
        // Flag 1: the statement ends here, and with it what its maps mean.
        if head.get(6).is_some_and(|flags| flags & 1 != 0) {
            self.maps.clear();
        }
    }
}

fn table_id(body: &[u8]) -> Option<u64> {
    let id = body.get(..6)?;
    Some(id.iter().rev().fold(0, |id, byte| id << 8 | u64::from(*byte)))
}

/// The text of a query, from the body of its event.
#[must_use]
pub fn query_text(body: &[u8]) -> &[u8] {
    query_parts(body).map_or(&[], |(_, text)| text)
}

/// The database and the text of a query, from the body of its event.
#[must_use]
pub fn query_parts(body: &[u8]) -> Option<(&[u8], &[u8])> {
    let database = usize::from(*body.get(8)?);
    let status = usize::from(u16::from_le_bytes([*body.get(11)?, *body.get(12)?]));
    let rest = body.get(13 + status..)?;
    let text = rest.get(database + 1..)?;
    Some((&rest[..database], text))
}

/// The name of the transaction that an event begins.
fn gtid_of(event: &LogEvent, body: &[u8]) -> Option<String> {
    match event.kind {
        MARIADB_GTID => {
            let sequence = u64::from_le_bytes(body.get(..8)?.try_into().ok()?);
            let domain = u32::from_le_bytes(body.get(8..12)?.try_into().ok()?);
            Some(format!("{domain}-{}-{sequence}", event.server))
        }
        GTID => {
            let number = i64::from_le_bytes(body.get(17..25)?.try_into().ok()?);
            Some(format!("{}:{number}", uuid(body.get(1..17)?)))
        }
        TAGGED_GTID => tagged(body),
        _ => None,
    }
}

/// A server's name as MySQL writes it.
#[must_use]
pub fn uuid(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(36);
    for (index, byte) in bytes.iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        text.push_str(&format!("{byte:02x}"));
    }
    text
}

/// A number in as many bytes as its first one says by its trailing one bits.
fn variable(body: &mut &[u8]) -> Option<u64> {
    let first = *body.first()?;
    let more = first.trailing_ones() as usize;
    let bytes = body.get(..more + 1)?;
    let value = match more {
        8 => bytes[1..].iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte)),
        _ => bytes.iter().rev().fold(0u64, |value, byte| value << 8 | u64::from(*byte)) >> (more + 1),
    };
    *body = &body[more + 1..];
    Some(value)
}

fn tagged(mut body: &[u8]) -> Option<String> {
    let (_version, _size, _last) = (variable(&mut body)?, variable(&mut body)?, variable(&mut body)?);
    let (mut source, mut number, mut tag) = (None, None, None);
    while tag.is_none() {
        match variable(&mut body)? {
            0 => {
                variable(&mut body)?;
            }
            1 => {
                let bytes: Option<Vec<u8>> = (0..16).map(|_| u8::try_from(variable(&mut body)?).ok()).collect();
                source = Some(uuid(&bytes?));
            }
            2 => number = variable(&mut body).map(|value| value >> 1),
            3 => {
                let length = usize::try_from(variable(&mut body)?).ok()?;
                tag = Some(String::from_utf8_lossy(body.get(..length.min(64))?).into_owned());
            }
            _ => return None,
        }
    }
    let (source, number, tag) = (source?, number?, tag?);
    Some(if tag.is_empty() { format!("{source}:{number}") } else { format!("{source}:{tag}:{number}") })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(database: &str, text: &str) -> Vec<u8> {
        let mut body = vec![0; 8];
        body.push(u8::try_from(database.len()).expect("short"));
        body.extend([0, 0, 3, 0, 9, 9, 9]);
        body.extend(database.as_bytes());
        body.push(0);
        body.extend(text.as_bytes());
        body
    }

    /// Runs events of a kind, body and size through, and says behind which a transaction ended.
    fn ends(events: &[(u8, Vec<u8>)]) -> Vec<u64> {
        let mut transactions = TransactionTracker::default();
        let step = |(index, (kind, body)): (usize, &(u8, Vec<u8>))| {
            let at = index as u64 * 100;
            let event = LogEvent { at, time: 1, kind: *kind, server: 7, length: 100, next: 0, flags: 0, summed: true };
            transactions.take(&event, body, true);
            transactions.whole_to
        };
        events.iter().enumerate().map(step).collect()
    }

    fn mariadb(flags: u8) -> (u8, Vec<u8>) {
        (MARIADB_GTID, [&47u64.to_le_bytes()[..], &[0, 0, 0, 0, flags], &[0; 6]].concat())
    }

    #[test]
    fn transactions_of_mariadb_end_with_xid_or_commit_and_single_events_with_themselves() {
        let (begin, alone) = (mariadb(0), mariadb(1));
        let text = |text| (QUERY, query("shop", text));
        assert_eq!(ends(&[begin.clone(), text("INSERT 1"), (XID, vec![0; 8])]), [0, 0, 300]);
        assert_eq!(ends(&[alone, text("CREATE TABLE t"), begin.clone(), text("COMMIT")]), [0, 200, 200, 400]);
        assert_eq!(ends(&[begin, text("XA COMMIT X'78',X'',1")]), [0, 200]);
    }

    #[test]
    fn transactions_of_mysql_begin_with_begin_and_a_lone_query_is_one() {
        let text = |text| (QUERY, query("", text));
        let gtid = (GTID, vec![0; 42]);
        assert_eq!(ends(&[gtid.clone(), text("BEGIN"), text("INSERT"), (XID, vec![0; 8])]), [0, 0, 0, 400]);
        assert_eq!(ends(&[gtid.clone(), text("DROP TABLE t"), gtid.clone(), (40, vec![])]), [0, 200, 200, 400]);
        assert_eq!(ends(&[text("BEGIN"), text("INSERT"), text("ROLLBACK"), text("ROLLBACK TO x")]), [0, 0, 300, 400]);
        assert_eq!(ends(&[gtid, text("XA START X'78'"), text("XA END X'78'"), (XA_PREPARE, vec![])]), [0, 0, 0, 400]);
    }

    #[test]
    fn a_transaction_names_each_table_once_in_their_order_and_no_more_than_64() {
        let named = |tables: &[u64]| {
            let mut transactions = TransactionTracker::default();
            let mut take = |kind, body: &[u8]| {
                let length = u32::try_from(19 + body.len() + 4).expect("small");
                let event = LogEvent { at: 0, time: 1, kind, server: 7, length, next: 0, flags: 0, summed: true };
                transactions.take(&event, body, true).finished
            };
            take(QUERY, &query("", "BEGIN"));
            for table in tables {
                let name = format!("\x03t{table:02}\0");
                take(TABLE_MAP, &[&table.to_le_bytes()[..6], &[1, 0], b"\x01d\0", name.as_bytes(), &[1, 3, 0, 0]].concat());
            }
            take(XID, &[0; 8]).expect("it has ended").tables
        };
        let names = |tables: &[u64]| tables.iter().map(|table| format!("d.t{table:02}")).collect::<Vec<_>>().join(" ");
        assert_eq!(named(&[]), "");
        assert_eq!(named(&[7, 5, 7, 5, 9]), names(&[7, 5, 9]));
        let all: Vec<u64> = (10..75).collect();
        assert_eq!(named(&all[..64]), names(&all[..64]));
        assert_eq!(named(&all), names(&all[..64]));
    }

    #[test]
    fn names_of_transactions_are_written_as_their_server_writes_them() {
        let event = |kind| LogEvent { at: 0, time: 1, kind, server: 7, length: 100, next: 0, flags: 0, summed: true };
        assert_eq!(gtid_of(&event(MARIADB_GTID), &mariadb(0).1).as_deref(), Some("0-7-47"));
        let mut body = vec![1];
        body.extend(1..=16);
        body.extend(5i64.to_le_bytes());
        assert_eq!(gtid_of(&event(GTID), &body).as_deref(), Some("01020304-0506-0708-090a-0b0c0d0e0f10:5"));
        // Small numbers are doubled, for their lowest bit says that no more bytes follow; signed ones once more.
        let mut tagged = vec![2, 100, 20, 0, 2, 2];
        tagged.extend((1..=16).map(|byte| byte * 2));
        tagged.extend([4, 20, 6, 6, b'a', b'b', b'c']);
        assert_eq!(gtid_of(&event(TAGGED_GTID), &tagged).as_deref(), Some("01020304-0506-0708-090a-0b0c0d0e0f10:abc:5"));
        assert_eq!(gtid_of(&event(TAGGED_GTID), &tagged[..9]), None);
        let mut wide = &[0b0000_0001, 1, 0xFF, 1, 2, 3, 4, 5, 6, 7, 8][..];
        assert_eq!((variable(&mut wide), variable(&mut wide)), (Some(64), Some(0x0807_0605_0403_0201)));
    }
}
