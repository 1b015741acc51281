//! Handing over a record: its header's fields, and its content from all the pages that it runs over.

use super::super::Halt;
use super::body::WalBody;
use super::log::name_of;
use super::meaning::{may_tell_time, time_of};
use super::operations::operation;
use super::page::{RECORD_HEADER, kind_of, show};
use super::pages::{Pages, WholeRecord};
use super::walk::Walker;
use crate::model::{Field, Lsn, Payload, Record, Result, Span, Value};

/// Content longer than this is not held in memory.
const HELD: u64 = 8 << 20;

impl Walker<'_, '_> {
    pub(super) fn deliver(&mut self, found: &WholeRecord, lsn: u64) -> Result<(), Halt> {
        let header = &found.header;
        let prev = show(header.prev);
        let fields = [
            Field { name: "manager", value: Value::Number(u64::from(header.manager)) },
            Field { name: "info", value: Value::Number(u64::from(header.info)) },
            Field { name: "xid", value: Value::Number(u64::from(header.xid)) },
            Field { name: "prev", value: Value::Text(&prev) },
        ];
        let (at, magic) = (self.at, self.pages.magic.unwrap_or_default());
        let record = Record {
            lsn: Some(Lsn(lsn)),
            kind: kind_of(header.manager),
            operation: operation(header.manager, header.info, magic),
            tag: Some(u64::from(header.xid)).filter(|xid| *xid != 0),
            fields: &fields,
            ..Record::at(Span::new(self.visit.segment.id, at, found.end.min(self.pages.size)))
        };
        let length = u64::from(header.total) - RECORD_HEADER as u64;
        if length <= HELD {
            let mut content = Vec::with_capacity(usize::try_from(length).expect("a few megabytes"));
            self.pages.content(at, header.total, &mut |piece| {
                content.extend_from_slice(piece);
                Ok(())
            })?;
            let time = if may_tell_time(header.manager) {
                WalBody::parse(&content, magic).and_then(|body| time_of(header.manager, record.operation, body.main))
            } else {
                None
            };
            return self.sink.record(&Record { payload: Payload::Whole(&content), time, ..record });
        }
        let (visit, size, base, total) = (self.visit, self.pages.size, self.pages.base, header.total);
        let timeline = name_of(&visit.segment.name).map(|name| name.timeline);
        // Not through the cursor that is in use.
        let again = move |take: &mut dyn FnMut(&[u8]) -> Result<()>| {
            let cursor = visit.source.cursor_never_finished(visit.segment)?;
            Pages::new(visit, cursor, size, base, timeline).content(at, total, take)
        };
        self.sink.record(&Record { payload: Payload::Long(length, &again), ..record })
    }
}
