//! What the host puts into records: messages of topics, and summaries of transactions.
//!
//! Framing does not depend on it. Where the data reads as one of these from its first byte to its last, its facts are shown.

use crate::model::{Field, Time, Value};

/// A message of a topic; FORMAT.md draws it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Message<'a> {
    topic: &'a str,
    partition: u32,
    offset: u64,
    key: Option<&'a [u8]>,
    value: &'a [u8],
    time: Time,
    headers: u64,
    producer: Option<u64>,
    transactional: bool,
}

/// The summary of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Transaction<'a> {
    id: &'a str,
    producer: u64,
    epoch: u64,
    partitions: u64,
}

/// Adds the facts of a message, and gives its time.
pub fn show_message<'a>(data: &'a [u8], fields: &mut Vec<Field<'a>>) -> Option<Time> {
    let message = message(data)?;
    fields.push(Field { name: "topic", value: Value::Text(message.topic) });
    fields.push(Field { name: "partition", value: Value::Number(u64::from(message.partition)) });
    fields.push(Field { name: "message_offset", value: Value::Number(message.offset) });
    if let Some(key) = message.key {
        fields.push(Field { name: "key", value: std::str::from_utf8(key).map_or(Value::Bytes(key), Value::Text) });
    }
    fields.push(Field { name: "value_bytes", value: Value::Number(message.value.len() as u64) });
    if let Some(producer) = message.producer {
        fields.push(Field { name: "producer_id", value: Value::Number(producer) });
    }
    if message.headers > 0 {
        fields.push(Field { name: "headers", value: Value::Number(message.headers) });
    }
    fields.push(Field { name: "transactional", value: Value::Flag(message.transactional) });
    Some(message.time)
}

/// Adds the facts of a transaction.
pub fn show_transaction<'a>(data: &'a [u8], fields: &mut Vec<Field<'a>>) {
    if let Some(transaction) = transaction(data) {
        fields.push(Field { name: "transaction", value: Value::Text(transaction.id) });
        fields.push(Field { name: "producer_id", value: Value::Number(transaction.producer) });
        fields.push(Field { name: "producer_epoch", value: Value::Number(transaction.epoch) });
        fields.push(Field { name: "partitions", value: Value::Number(transaction.partitions) });
    }
}

struct HostBytes<'a>(&'a [u8]);

impl<'a> HostBytes<'a> {
    fn varint(&mut self) -> Option<u64> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let (byte, rest) = self.0.split_first()?;
            self.0 = rest;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                return None;
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    fn take(&mut self, count: u64) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(usize::try_from(count).ok()?)?;
        self.0 = rest;
        Some(taken)
    }

    fn word(&mut self) -> Option<u32> {
        Some(u32::from_be_bytes(self.take(4)?.try_into().ok()?))
    }

    fn counted(&mut self) -> Option<&'a [u8]> {
        let count = self.varint()?;
        self.take(count)
    }

    fn text(&mut self) -> Option<&'a str> {
        std::str::from_utf8(self.counted()?).ok()
    }

    /// 0 for nothing, 1 in front of something.
    fn maybe<T>(&mut self, read: impl FnOnce(&mut Self) -> Option<T>) -> Option<Option<T>> {
        match self.varint()? {
            0 => Some(None),
            1 => read(self).map(Some),
            _ => None,
        }
    }
}

/// The message that stands in the data of a record, if one does.
fn message(data: &[u8]) -> Option<Message<'_>> {
    let mut input = HostBytes(data);
    let length = input.word()?;
    let topic = std::str::from_utf8(input.take(u64::from(length))?).ok()?;
    let partition = input.word()?;
    let offset = input.varint()?;
    let key = input.maybe(HostBytes::counted)?;
    let value = input.counted()?;
    let time = Time::parse(input.text()?)?;
    let headers = input.varint()?;
    for _ in 0..headers {
        input.counted()?;
        input.counted()?;
    }
    let producer = input.maybe(HostBytes::varint)?;
    input.maybe(HostBytes::varint)?;
    input.maybe(HostBytes::varint)?;
    let transactional = match input.take(1)? {
        [0] => false,
        [1] => true,
        _ => return None,
    };
    input.0.is_empty().then_some(Message { topic, partition, offset, key, value, time, headers, producer, transactional })
}

/// The transaction that stands in the data of a record, if one does.
fn transaction(data: &[u8]) -> Option<Transaction<'_>> {
    let mut input = HostBytes(data);
    let id = input.text()?;
    let (producer, epoch, partitions) = (input.varint()?, input.varint()?, input.varint()?);
    for _ in 0..partitions {
        input.text()?;
        input.varint()?;
    }
    input.0.is_empty().then_some(Transaction { id, producer, epoch, partitions })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MESSAGE: &[u8] =
        b"\0\0\0\x01x\0\0\0\x07\xd7\x38\x01\x02k1\x02ab\x1e2026-11-20T16:05:44.915853863Z\x01\x02h0\x01v\0\0\0\x01";

    #[test]
    fn a_message_shows_its_topic_partition_offset_and_key() {
        let found = message(MESSAGE).expect("it is a message");
        assert_eq!((found.topic, found.partition, found.offset), ("x", 7, 7255));
        assert_eq!((found.key, found.value, found.headers, found.transactional), (Some(&b"k1"[..]), &b"ab"[..], 1, true));
        assert_eq!(Time::parse("2026-11-20T16:05:44.915853Z"), Some(found.time));
    }

    #[test]
    fn what_does_not_read_to_its_last_byte_is_no_message() {
        for cut in 0..MESSAGE.len() {
            assert_eq!(message(&MESSAGE[..cut]), None, "{cut} bytes");
        }
        assert_eq!(message(&[MESSAGE, b"x"].concat()), None);
        assert_eq!(message(b"rec-0000: just some text that no host encoded"), None);
        // Ten bytes of a varint can hold more than 64 bits.
        assert_eq!(transaction(b"\0\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02\0\0"), None);
    }

    #[test]
    fn a_transaction_shows_its_id_and_producer() {
        let found = transaction(b"\x07txn-461\xe5\xe1\x0e\x07\x02\x06orders\x03\x09audit.log\x80\x01");
        assert_eq!(found, Some(Transaction { id: "txn-461", producer: 241_893, epoch: 7, partitions: 2 }));
    }
}
