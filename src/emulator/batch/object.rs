//! Members of JSON objects: reading those of a body that was checked, writing those that are there.
//!
//! It checks nothing; `schema` does.

use serde_json::Value;
use time::OffsetDateTime;

use super::schema::Object;
use crate::emulator::stamp::iso;

/// The text `name` of `object`.
pub(super) fn text<'a>(object: &'a Object, name: &str) -> Option<&'a str> {
    object.get(name)?.as_str()
}

/// The number `name` of `object`.
pub(super) fn int(object: &Object, name: &str) -> Option<i64> {
    object.get(name)?.as_i64()
}

/// The truth value `name` of `object`.
pub(super) fn flag(object: &Object, name: &str) -> Option<bool> {
    object.get(name)?.as_bool()
}

/// The object `name` of `object`.
pub(super) fn child<'a>(object: &'a Object, name: &str) -> Option<&'a Object> {
    object.get(name)?.as_object()
}

/// The objects of the list `name` of `object`.
pub(super) fn children<'a>(object: &'a Object, name: &str) -> impl Iterator<Item = &'a Object> {
    object
        .get(name)
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_object)
}

/// Whether the text `name` of `object` is `wanted`, in any case.
pub(super) fn is(object: &Object, name: &str, wanted: &str) -> bool {
    text(object, name).is_some_and(|value| value.eq_ignore_ascii_case(wanted))
}

/// Writes members one after the other.
pub(super) trait Put {
    /// Sets `name`.
    fn put(&mut self, name: &str, value: impl Into<Value>) -> &mut Self;
    /// Sets `name` if there is a value.
    fn put_some(&mut self, name: &str, value: Option<impl Into<Value>>) -> &mut Self;
    /// Sets `name` to a time.
    fn put_time(&mut self, name: &str, value: Option<OffsetDateTime>) -> &mut Self;
    /// Sets `name` unless the client did.
    fn put_default(&mut self, name: &str, value: impl Into<Value>) -> &mut Self;
}

impl Put for Object {
    fn put(&mut self, name: &str, value: impl Into<Value>) -> &mut Self {
        self.insert(name.to_owned(), value.into());
        self
    }

    fn put_some(&mut self, name: &str, value: Option<impl Into<Value>>) -> &mut Self {
        match value {
            Some(value) => self.put(name, value),
            None => self,
        }
    }

    fn put_time(&mut self, name: &str, value: Option<OffsetDateTime>) -> &mut Self {
        self.put_some(name, value.map(iso))
    }

    fn put_default(&mut self, name: &str, value: impl Into<Value>) -> &mut Self {
        self.entry(name).or_insert_with(|| value.into());
        self
    }
}
