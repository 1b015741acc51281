//! What resource managers call their records.

/// The release in which a change of names came, as the magic of its pages.
const V15: u16 = 0xD110;
const V17: u16 = 0xD116;

/// Operations by the high four bits of `info`.
type Names = &'static [(u8, &'static str)];

const XLOG: Names = &[
    (0x00, "CHECKPOINT_SHUTDOWN"),
    (0x10, "CHECKPOINT_ONLINE"),
    (0x20, "NOOP"),
    (0x30, "NEXTOID"),
    (0x40, "SWITCH"),
    (0x50, "BACKUP_END"),
    (0x60, "PARAMETER_CHANGE"),
    (0x70, "RESTORE_POINT"),
    (0x80, "FPW_CHANGE"),
    (0x90, "END_OF_RECOVERY"),
    (0xA0, "FPI_FOR_HINT"),
    (0xB0, "FPI"),
    (0xD0, "OVERWRITE_CONTRECORD"),
    (0xE0, "CHECKPOINT_REDO"),
];
const TRANSACTION: Names = &[
    (0x00, "COMMIT"),
    (0x10, "PREPARE"),
    (0x20, "ABORT"),
    (0x30, "COMMIT_PREPARED"),
    (0x40, "ABORT_PREPARED"),
    (0x50, "ASSIGNMENT"),
    (0x60, "INVALIDATION"),
];
const STORAGE: Names = &[(0x10, "CREATE"), (0x20, "TRUNCATE")];
const ZERO_OR_TRUNCATE: Names = &[(0x00, "ZEROPAGE"), (0x10, "TRUNCATE")];
const DATABASE: Names = &[(0x00, "CREATE_FILE_COPY"), (0x10, "CREATE_WAL_LOG"), (0x20, "DROP")];
const CREATE_OR_DROP: Names = &[(0x00, "CREATE"), (0x10, "DROP")];
const MULTIXACT: Names = &[(0x00, "ZERO_OFF_PAGE"), (0x10, "ZERO_MEM_PAGE"), (0x20, "CREATE_ID"), (0x30, "TRUNCATE_ID")];
const RELMAP: Names = &[(0x00, "UPDATE")];
const STANDBY: Names = &[(0x00, "LOCK"), (0x10, "RUNNING_XACTS"), (0x20, "INVALIDATIONS")];
const HEAP2: Names = &[
    (0x00, "REWRITE"),
    (0x10, "PRUNE_ON_ACCESS"),
    (0x20, "PRUNE_VACUUM_SCAN"),
    (0x30, "PRUNE_VACUUM_CLEANUP"),
    (0x40, "VISIBLE"),
    (0x50, "MULTI_INSERT"),
    (0x60, "LOCK_UPDATED"),
    (0x70, "NEW_CID"),
];
/// Of releases 14 to 16; 13 called some of them otherwise.
const HEAP2_BEFORE_17: Names = &[
    (0x00, "REWRITE"),
    (0x10, "PRUNE"),
    (0x20, "VACUUM"),
    (0x30, "FREEZE_PAGE"),
    (0x40, "VISIBLE"),
    (0x50, "MULTI_INSERT"),
    (0x60, "LOCK_UPDATED"),
    (0x70, "NEW_CID"),
];
const HEAP2_13: Names = &[
    (0x00, "REWRITE"),
    (0x10, "CLEAN"),
    (0x20, "FREEZE_PAGE"),
    (0x30, "CLEANUP_INFO"),
    (0x40, "VISIBLE"),
    (0x50, "MULTI_INSERT"),
    (0x60, "LOCK_UPDATED"),
    (0x70, "NEW_CID"),
];
const HEAP: Names = &[
    (0x00, "INSERT"),
    (0x10, "DELETE"),
    (0x20, "UPDATE"),
    (0x30, "TRUNCATE"),
    (0x40, "HOT_UPDATE"),
    (0x50, "HEAP_CONFIRM"),
    (0x60, "LOCK"),
    (0x70, "INPLACE"),
];
const BTREE: Names = &[
    (0x00, "INSERT_LEAF"),
    (0x10, "INSERT_UPPER"),
    (0x20, "INSERT_META"),
    (0x30, "SPLIT_L"),
    (0x40, "SPLIT_R"),
    (0x50, "INSERT_POST"),
    (0x60, "DEDUP"),
    (0x70, "DELETE"),
    (0x80, "UNLINK_PAGE"),
    (0x90, "UNLINK_PAGE_META"),
    (0xA0, "NEWROOT"),
    (0xB0, "MARK_PAGE_HALFDEAD"),
    (0xC0, "VACUUM"),
    (0xD0, "REUSE_PAGE"),
    (0xE0, "META_CLEANUP"),
];
const HASH: Names = &[
    (0x00, "INIT_META_PAGE"),
    (0x10, "INIT_BITMAP_PAGE"),
    (0x20, "INSERT"),
    (0x30, "ADD_OVFL_PAGE"),
    (0x40, "SPLIT_ALLOCATE_PAGE"),
    (0x50, "SPLIT_PAGE"),
    (0x60, "SPLIT_COMPLETE"),
    (0x70, "MOVE_PAGE_CONTENTS"),
    (0x80, "SQUEEZE_PAGE"),
    (0x90, "DELETE"),
    (0xA0, "SPLIT_CLEANUP"),
    (0xB0, "UPDATE_META_PAGE"),
    (0xC0, "VACUUM_ONE_PAGE"),
];
const GIN: Names = &[
    (0x10, "CREATE_PTREE"),
    (0x20, "INSERT"),
    (0x30, "SPLIT"),
    (0x40, "VACUUM_PAGE"),
    (0x50, "DELETE_PAGE"),
    (0x60, "UPDATE_META_PAGE"),
    (0x70, "INSERT_LISTPAGE"),
    (0x80, "DELETE_LISTPAGE"),
    (0x90, "VACUUM_DATA_LEAF_PAGE"),
];
const GIST: Names = &[
    (0x00, "PAGE_UPDATE"),
    (0x10, "DELETE"),
    (0x20, "PAGE_REUSE"),
    (0x30, "PAGE_SPLIT"),
    (0x60, "PAGE_DELETE"),
    (0x70, "ASSIGN_LSN"),
];
const SEQUENCE: Names = &[(0x00, "LOG")];
const SPGIST: Names = &[
    (0x10, "ADD_LEAF"),
    (0x20, "MOVE_LEAFS"),
    (0x30, "ADD_NODE"),
    (0x40, "SPLIT_TUPLE"),
    (0x50, "PICKSPLIT"),
    (0x60, "VACUUM_LEAF"),
    (0x70, "VACUUM_ROOT"),
    (0x80, "VACUUM_REDIRECT"),
];
const BRIN: Names = &[
    (0x00, "CREATE_INDEX"),
    (0x10, "INSERT"),
    (0x20, "UPDATE"),
    (0x30, "SAMEPAGE_UPDATE"),
    (0x40, "REVMAP_EXTEND"),
    (0x50, "DESUMMARIZE"),
];
const ORIGIN: Names = &[(0x00, "SET"), (0x10, "DROP")];
const GENERIC: Names = &[(0x00, "Generic")];
const MESSAGE: Names = &[(0x00, "MESSAGE")];

/// By the number of the manager, as the newest release names them.
const NEWEST: [Names; 22] = [
    XLOG,
    TRANSACTION,
    STORAGE,
    ZERO_OR_TRUNCATE,
    DATABASE,
    CREATE_OR_DROP,
    MULTIXACT,
    RELMAP,
    STANDBY,
    HEAP2,
    HEAP,
    BTREE,
    HASH,
    GIN,
    GIST,
    SEQUENCE,
    SPGIST,
    BRIN,
    ZERO_OR_TRUNCATE,
    ORIGIN,
    GENERIC,
    MESSAGE,
];
/// Names that only older releases use.
const OLDER: [Names; 3] = [HEAP2_BEFORE_17, HEAP2_13, CREATE_OR_DROP];

/// What a record does; empty where that is not known.
#[must_use]
pub fn operation(manager: u8, info: u8, magic: u16) -> &'static str {
    let names = match manager {
        4 if magic < V15 => CREATE_OR_DROP,
        9 if magic <= 0xD106 => HEAP2_13,
        9 if magic < V17 => HEAP2_BEFORE_17,
        _ => NEWEST.get(usize::from(manager)).copied().unwrap_or_default(),
    };
    let bits = if manager == 1 || may_begin_pages(manager) { info & 0x70 } else { info & 0xF0 };
    names.iter().find(|(known, _)| *known == bits).map_or("", |(_, name)| name)
}

/// Managers whose records say by a bit of their own that they make their page anew.
const fn may_begin_pages(manager: u8) -> bool {
    matches!(manager, 9 | 10 | 17)
}

/// Whether a record makes its page anew: `+INIT`.
#[must_use]
pub fn begins_page(manager: u8, info: u8) -> bool {
    may_begin_pages(manager) && info & 0x80 != 0
}

const fn count(tables: &[Names]) -> usize {
    let (mut all, mut at) = (0, 0);
    while at < tables.len() {
        all += tables[at].len();
        at += 1;
    }
    all
}

/// All names, some of them several times.
pub const OPERATIONS: [&str; count(&NEWEST) + count(&OLDER)] = {
    let mut all = [""; count(&NEWEST) + count(&OLDER)];
    let (mut at, mut table) = (0, 0);
    while table < NEWEST.len() + OLDER.len() {
        let names = if table < NEWEST.len() { NEWEST[table] } else { OLDER[table - NEWEST.len()] };
        let mut row = 0;
        while row < names.len() {
            all[at] = names[row].1;
            at += 1;
            row += 1;
        }
        table += 1;
    }
    all
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_release_and_their_own_bits() {
        for (manager, info, magic, name, init) in [
            (10, 0x80, 0xD110, "INSERT", true),
            (10, 0x00, 0xD118, "INSERT", false),
            (9, 0x10, 0xD118, "PRUNE_ON_ACCESS", false),
            (9, 0x10, 0xD113, "PRUNE", false),
            (9, 0x10, 0xD106, "CLEAN", false),
            (9, 0xD0, 0xD116, "MULTI_INSERT", true),
            (4, 0x10, 0xD110, "CREATE_WAL_LOG", false),
            (4, 0x10, 0xD10D, "DROP", false),
            (1, 0x80, 0xD110, "COMMIT", false),
            (1, 0x20, 0xD110, "ABORT", false),
            (11, 0xE0, 0xD110, "META_CLEANUP", false),
            (13, 0x00, 0xD110, "", false),
            (0, 0xC0, 0xD118, "", false),
            (77, 0, 0xD118, "", false),
        ] {
            assert_eq!(
                (operation(manager, info, magic), begins_page(manager, info)),
                (name, init),
                "{manager} {info:x} {magic:x}"
            );
        }
        assert!(OPERATIONS.iter().all(|name| !name.is_empty()));
    }
}
