//! Types of events, by number and by name.

/// What an event without a readable type is called: its file is encrypted.
pub const ENCRYPTED: &str = "Encrypted";
/// What an event of a type is called that is not listed here: vendors have their own.
pub const UNKNOWN: &str = "Unknown";

pub const QUERY: u8 = 2;
pub const STOP: u8 = 3;
pub const ROTATE: u8 = 4;
pub const FORMAT_DESCRIPTION: u8 = 15;
pub const XID: u8 = 16;
pub const EXECUTE_LOAD_QUERY: u8 = 18;
pub const TABLE_MAP: u8 = 19;
pub const GTID: u8 = 33;
pub const ANONYMOUS_GTID: u8 = 34;
pub const XA_PREPARE: u8 = 38;
pub const TRANSACTION_PAYLOAD: u8 = 40;
pub const TAGGED_GTID: u8 = 42;
pub const MARIADB_GTID: u8 = 162;
pub const START_ENCRYPTION: u8 = 164;
pub const QUERY_COMPRESSED: u8 = 165;

const NAMES: [(u8, &str); 56] = [
    (1, "Start_v3"),
    (QUERY, "Query"),
    (STOP, "Stop"),
    (ROTATE, "Rotate"),
    (5, "Intvar"),
    (6, "Load"),
    (7, "Slave"),
    (8, "Create_file"),
    (9, "Append_block"),
    (10, "Exec_load"),
    (11, "Delete_file"),
    (12, "New_load"),
    (13, "Rand"),
    (14, "User_var"),
    (FORMAT_DESCRIPTION, "Format_description"),
    (XID, "Xid"),
    (17, "Begin_load_query"),
    (EXECUTE_LOAD_QUERY, "Execute_load_query"),
    (TABLE_MAP, "Table_map"),
    (20, "Write_rows_v0"),
    (21, "Update_rows_v0"),
    (22, "Delete_rows_v0"),
    (23, "Write_rows_v1"),
    (24, "Update_rows_v1"),
    (25, "Delete_rows_v1"),
    (26, "Incident"),
    (27, "Heartbeat"),
    (28, "Ignorable"),
    (29, "Rows_query"),
    (30, "Write_rows"),
    (31, "Update_rows"),
    (32, "Delete_rows"),
    (GTID, "Gtid"),
    (ANONYMOUS_GTID, "Anonymous_Gtid"),
    (35, "Previous_gtids"),
    (36, "Transaction_context"),
    (37, "View_change"),
    (XA_PREPARE, "XA_prepare"),
    (39, "Update_rows_partial"),
    (TRANSACTION_PAYLOAD, "Transaction_payload"),
    (41, "Heartbeat_v2"),
    (TAGGED_GTID, "Gtid_tagged"),
    (43, "Large_transaction"),
    (160, "Annotate_rows"),
    (161, "Binlog_checkpoint"),
    (MARIADB_GTID, "Gtid"),
    (163, "Gtid_list"),
    (START_ENCRYPTION, "Start_encryption"),
    (QUERY_COMPRESSED, "Query_compressed"),
    (166, "Write_rows_compressed_v1"),
    (167, "Update_rows_compressed_v1"),
    (168, "Delete_rows_compressed_v1"),
    (169, "Write_rows_compressed"),
    (170, "Update_rows_compressed"),
    (171, "Delete_rows_compressed"),
    // Never in a file, but a search may be asked.
    (0, UNKNOWN),
];

/// Every name that a walk can give.
pub const KINDS: &[&str] = &{
    let mut names = [""; NAMES.len()];
    let mut at = 0;
    while at < NAMES.len() {
        names[at] = NAMES[at].1;
        at += 1;
    }
    // The second Gtid would repeat a name.
    names[45] = ENCRYPTED;
    names
};

/// What a type is called; `None` for one that is not listed.
#[must_use]
pub fn name_of(kind: u8) -> Option<&'static str> {
    NAMES.iter().find(|(number, name)| *number == kind && *name != UNKNOWN).map(|(_, name)| *name)
}

/// What is done to rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowsVerb {
    Write,
    Update,
    Delete,
}

impl RowsVerb {
    /// As people call it.
    pub const fn words(self) -> &'static str {
        match self {
            RowsVerb::Write => "insert",
            RowsVerb::Update => "update",
            RowsVerb::Delete => "delete",
        }
    }
}

/// How an event of rows is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RowsKind {
    pub verb: RowsVerb,
    /// A length and more data stand behind the flags.
    pub extra: bool,
    /// What follows the bitmaps is compressed.
    pub packed: bool,
    /// Parts of JSON documents: their rows cannot be measured.
    pub partial: bool,
}

/// For events of rows: what they do and how they are laid out.
#[must_use]
pub fn rows_kind(kind: u8) -> Option<RowsKind> {
    let of = |base: u8, extra, packed| {
        let verb = [RowsVerb::Write, RowsVerb::Update, RowsVerb::Delete][usize::from(kind - base)];
        Some(RowsKind { verb, extra, packed, partial: false })
    };
    match kind {
        23..=25 => of(23, false, false),
        30..=32 => of(30, true, false),
        39 => Some(RowsKind { verb: RowsVerb::Update, extra: true, packed: false, partial: true }),
        166..=168 => of(166, false, true),
        169..=171 => of(169, true, true),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_of_rows_are_known_by_their_number() {
        use RowsVerb::{Delete, Update, Write};
        let expected = |kind: u8| match kind {
            23 => Some((Write, false, false, false)),
            24 => Some((Update, false, false, false)),
            25 => Some((Delete, false, false, false)),
            30 => Some((Write, true, false, false)),
            31 => Some((Update, true, false, false)),
            32 => Some((Delete, true, false, false)),
            39 => Some((Update, true, false, true)),
            166 => Some((Write, false, true, false)),
            167 => Some((Update, false, true, false)),
            168 => Some((Delete, false, true, false)),
            169 => Some((Write, true, true, false)),
            170 => Some((Update, true, true, false)),
            171 => Some((Delete, true, true, false)),
            _ => None,
        };
        for kind in 0..=u8::MAX {
            let known = rows_kind(kind).map(|rows| (rows.verb, rows.extra, rows.packed, rows.partial));
            assert_eq!(known, expected(kind), "event {kind}");
        }
    }
}
