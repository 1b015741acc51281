//! Logs that are known by sight and not read: whose they are, and what reads them.
//!
//! Only what is certain stands here: a name that nothing else has, or bytes at a fixed place.

use super::Sample;

/// A system whose logs walctl can name.
#[derive(Debug)]
pub struct Sight {
    /// Whose log it is, as people say it.
    pub system: &'static str,
    /// What reads it, in words that continue "read it with".
    pub reader: &'static str,
    /// What such a file may be called, where a search should look into it; `None` for what is only known when it is named itself.
    named: Option<fn(&str) -> bool>,
    looks: fn(&[u8]) -> bool,
}

/// Told apart by whose they are.
impl PartialEq for Sight {
    fn eq(&self, other: &Sight) -> bool {
        self.system == other.system
    }
}

/// Whose log a file is, if it is one that walctl knows and does not read.
#[must_use]
pub fn by_sight(sample: &Sample<'_>) -> Option<&'static Sight> {
    let named = |sight: &Sight| sight.named.is_none_or(|named| named(sample.name.unwrap_or("")));
    KNOWN.iter().find(|sight| named(sight) && (sight.looks)(sample.head))
}

/// Whether a file of this name may be one of them: others need not be opened in a search.
#[must_use]
pub fn may_be_sighted(name: &str) -> bool {
    KNOWN.iter().any(|sight| sight.named.is_some_and(|named| named(name)))
}

const KNOWN: &[Sight] = &[
    Sight {
        system: "MongoDB's storage engine, WiredTiger",
        reader: "`wt -h DATA -C 'log=(path=journal,compressor=snappy)' printlog`, on a copy",
        named: Some(|name| numbered(name, "WiredTigerLog.", "", 10) || numbered(name, "WiredTigerPreplog.", "", 10)),
        looks: anything,
    },
    Sight {
        system: "InfluxDB 1 or 2",
        reader: "`influxd inspect verify-wal` and `influxd inspect dump-wal` of version 2",
        named: Some(|name| numbered(name, "_", ".wal", 5)),
        looks: |head| matches!(head, [] | [1..=3, ..]),
    },
    Sight {
        system: "Badger (Dgraph and others)",
        reader: "`badger info` on its folder",
        named: Some(|name| numbered(name, "", ".vlog", 6)),
        looks: anything,
    },
    Sight {
        system: "Cassandra or ScyllaDB",
        reader: "its own server, which replays it at its start",
        named: Some(|name| name.strip_prefix("CommitLog-").is_some_and(|rest| rest.ends_with(".log"))),
        looks: anything,
    },
    Sight {
        system: "RabbitMQ's quorum queues and streams of Raft (ra)",
        reader: "`ra_log_wal:wal2list` in a shell of its Erlang node",
        named: Some(|name| numbered(name, "", ".wal", 8) || numbered(name, "", ".segment", 8)),
        looks: |head| head.starts_with(b"RAWA") || head.starts_with(b"RASG"),
    },
    Sight {
        system: "RabbitMQ's message store",
        reader: "its own server, which reads it at its start",
        named: Some(|name| numbered(name, "", ".rdq", 1)),
        looks: anything,
    },
    Sight {
        system: "InnoDB, the redo log of MySQL and MariaDB",
        reader: "its own server, which replays it at its start; the binary log beside it can be read here",
        named: Some(|name| numbered(name, "ib_logfile", "", 1) || numbered(name, "#ib_redo", "", 1)),
        looks: anything,
    },
    Sight {
        system: "SQLite, a rollback journal",
        reader: "`sqlite3 DATABASE`, which rolls it back when it opens the database: copy both first",
        named: Some(|name| name.ends_with("-journal")),
        looks: |head| head.starts_with(&[0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7]),
    },
    Sight {
        system: "Elasticsearch or OpenSearch, a translog",
        reader: "`elasticsearch-shard` or `opensearch-shard`, with the node stopped",
        named: Some(|name| numbered(name, "translog-", ".tlog", 1)),
        looks: anything,
    },
    Sight {
        system: "Hadoop's HDFS, edits of a name node",
        reader: "`hdfs oev -i FILE -o OUT`",
        named: Some(|name| name.strip_prefix("edits_").is_some_and(|rest| rest.bytes().any(|b| b.is_ascii_digit()))),
        looks: anything,
    },
    Sight {
        system: "HBase",
        reader: "`hbase wal FILE`",
        named: Some(|name| name.contains("%2C")),
        looks: |head| head.starts_with(b"PWAL"),
    },
    Sight {
        system: "BookKeeper, a journal of Pulsar and others",
        reader: "`bookkeeper shell readjournal`",
        named: Some(|name| name.ends_with(".txn")),
        looks: |head| head.starts_with(b"BKLG"),
    },
    Sight {
        system: "ClickHouse Keeper",
        reader: "its own server, which reads it at its start",
        named: Some(|name| name.starts_with("changelog_") && name.contains(".bin")),
        looks: anything,
    },
    Sight {
        system: "systemd's journal",
        reader: "`journalctl`, which can verify and show one file",
        named: Some(|name| name.contains(".journal")),
        looks: |head| head.starts_with(b"LPKSHHRH"),
    },
    Sight {
        system: "the journal of ext4 or another filesystem that uses jbd2",
        reader: "`debugfs -R logdump DEVICE`",
        named: None,
        looks: |head| head.starts_with(&[0xc0, 0x3b, 0x39, 0x98]),
    },
    Sight {
        system: "an ext2, ext3 or ext4 filesystem, which has its journal within",
        reader: "`debugfs -R logdump DEVICE`",
        named: None,
        looks: |head| head.get(1024 + 0x38..1024 + 0x3a) == Some(&[0x53, 0xef]),
    },
    Sight {
        system: "an XFS filesystem, which has its log within",
        reader: "`xfs_logprint DEVICE`",
        named: None,
        looks: |head| head.starts_with(b"XFSB"),
    },
];

fn anything(_: &[u8]) -> bool {
    true
}

/// Whether a name is this, a number of so many digits or more, and that.
fn numbered(name: &str, before: &str, behind: &str, digits: usize) -> bool {
    let number = name.strip_prefix(before).and_then(|rest| rest.strip_suffix(behind));
    number.is_some_and(|number| number.len() >= digits && number.bytes().all(|b| b.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn system(name: &str, head: &[u8]) -> Option<&'static str> {
        by_sight(&Sample { name: Some(name), head, length: head.len() as u64, beside: &[] }).map(|sight| sight.system)
    }

    #[test]
    fn what_is_not_read_is_named_by_its_name_or_its_first_bytes() {
        let mut ext4 = vec![0; 4096];
        ext4[1024 + 0x38..1024 + 0x3a].copy_from_slice(&[0x53, 0xef]);
        let cases: &[(&str, &[u8], &str)] = &[
            ("WiredTigerLog.0000000001", b"", "MongoDB"),
            ("_00012.wal", &[1, 0, 0, 1, 0], "InfluxDB"),
            ("000003.vlog", &[0; 20], "Badger"),
            ("CommitLog-7-1700000000000.log", b"", "Cassandra"),
            ("0000000000000004.wal", b"RAWA\x01", "RabbitMQ"),
            ("42.rdq", b"", "RabbitMQ"),
            ("ib_logfile0", &[0; 512], "InnoDB"),
            ("#ib_redo12", &[0; 512], "InnoDB"),
            ("data.db-journal", &[0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7], "SQLite"),
            ("translog-17.tlog", b"", "Elasticsearch"),
            ("edits_inprogress_0000000000000000042", b"", "Hadoop"),
            ("host%2C16020%2C1.1700000000000", b"PWAL\0", "HBase"),
            ("18c7d4a1f2b.txn", b"BKLG\0\0\0\x06", "BookKeeper"),
            ("changelog_1_100000.bin.zstd", b"", "ClickHouse"),
            ("system.journal", b"LPKSHHRH", "systemd"),
            ("journal.img", &[0xc0, 0x3b, 0x39, 0x98, 0, 0, 0, 4], "the journal of ext4"),
            ("disk.img", &ext4, "an ext2"),
            ("disk.img", b"XFSB\0\0\x10\0", "an XFS"),
        ];
        for (file, head, whose) in cases {
            let told = system(file, head);
            assert!(told.is_some_and(|told| told.starts_with(whose)), "{file}: {told:?} is not {whose}");
        }
        // Every system is met by one of these.
        let met = |sight: &Sight| cases.iter().any(|(file, head, _)| system(file, head) == Some(sight.system));
        assert!(KNOWN.iter().all(met));
    }

    #[test]
    fn names_that_only_begin_alike_and_texts_are_nobodys() {
        for file in
            ["WiredTigerLog", "WiredTigerLog.x000000001", "_1.wal", "_00012.wal.bak", "x.vlog", "ib_logfiles", "edits_new"]
        {
            assert_eq!(system(file, b"text"), None, "{file}");
        }
    }
}
