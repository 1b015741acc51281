//! JSON for programs, in one style everywhere: keys in the order in which they are put, a blank after each colon and comma.

use std::fmt::Write;

use walctl::model::{Lsn, Time};

/// An object under construction.
#[derive(Clone, Debug)]
pub struct Object {
    text: String,
}

impl Object {
    /// Without keys yet.
    pub fn new() -> Object {
        Object { text: String::from("{") }
    }

    /// Of a command's output; `schema` is its name and version, `walctl.verify/1`.
    pub fn of(schema: &str) -> Object {
        Object::new().put("schema", schema)
    }

    /// Adds a key.
    #[must_use]
    pub fn put(mut self, key: &str, value: impl JsonValue) -> Object {
        if self.text.len() > 1 {
            self.text.push_str(", ");
        }
        let _ = write!(self.text, "\"{key}\": ");
        value.add_to(&mut self.text);
        self
    }

    /// The object as a line, without the line's end.
    pub fn end(mut self) -> String {
        self.text.push('}');
        self.text
    }
}

/// What can be the value of a key.
pub trait JsonValue {
    /// Writes it behind what is there.
    fn add_to(&self, text: &mut String);
}

impl JsonValue for Object {
    fn add_to(&self, text: &mut String) {
        text.push_str(&self.text);
        text.push('}');
    }
}

impl JsonValue for &str {
    fn add_to(&self, text: &mut String) {
        text.push_str(&serde_json::Value::from(*self).to_string());
    }
}

impl JsonValue for String {
    fn add_to(&self, text: &mut String) {
        self.as_str().add_to(text);
    }
}

macro_rules! as_printed {
    ($($kind:ty),*) => {
        $(impl JsonValue for $kind {
            fn add_to(&self, text: &mut String) {
                let _ = write!(text, "{self}");
            }
        })*
    };
}

as_printed!(bool, u8, u32, u64, usize, i64, Lsn);

impl JsonValue for f64 {
    fn add_to(&self, text: &mut String) {
        serde_json::Value::from(*self).add_to(text);
    }
}

impl JsonValue for Time {
    fn add_to(&self, text: &mut String) {
        self.to_string().add_to(text);
    }
}

impl<T: JsonValue> JsonValue for Option<T> {
    fn add_to(&self, text: &mut String) {
        match self {
            Some(value) => value.add_to(text),
            None => text.push_str("null"),
        }
    }
}

impl<T: JsonValue> JsonValue for [T] {
    fn add_to(&self, text: &mut String) {
        text.push('[');
        for (index, value) in self.iter().enumerate() {
            if index > 0 {
                text.push_str(", ");
            }
            value.add_to(text);
        }
        text.push(']');
    }
}

impl<T: JsonValue> JsonValue for Vec<T> {
    fn add_to(&self, text: &mut String) {
        self.as_slice().add_to(text);
    }
}

/// A value from elsewhere, in our style.
impl JsonValue for serde_json::Value {
    fn add_to(&self, text: &mut String) {
        match self {
            serde_json::Value::Array(values) => values.add_to(text),
            serde_json::Value::Object(map) => {
                let object = map.iter().fold(Object::new(), |object, (key, value)| object.put(key, value.clone()));
                object.add_to(text);
            }
            plain => {
                let _ = write!(text, "{plain}");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_is_spaced_and_keeps_its_order() {
        let inner = Object::new().put("z", 1u64).put("a", Lsn(2));
        let none: Option<u64> = None;
        let text = Object::of("walctl.x/1").put("t", "a\"\n").put("list", vec![inner]).put("none", none).put("yes", true).end();
        assert_eq!(text, r#"{"schema": "walctl.x/1", "t": "a\"\n", "list": [{"z": 1, "a": 2}], "none": null, "yes": true}"#);
        serde_json::from_str::<serde_json::Value>(&text).expect("it is JSON");
    }

    #[test]
    fn a_value_from_elsewhere_gets_the_same_style() {
        let value = serde_json::json!({"a": [1, {"b": null}], "c": 1.5});
        assert_eq!(Object::new().put("v", value).end(), r#"{"v": {"a": [1, {"b": null}], "c": 1.5}}"#);
        assert_eq!(Object::new().put("v", serde_json::json!({})).put("w", Vec::<u64>::new()).end(), r#"{"v": {}, "w": []}"#);
    }
}
