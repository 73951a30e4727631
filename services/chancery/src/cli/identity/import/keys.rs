//! One object of Fulcio's file, key by key. Each key is taken by the code that knows what it means; what is left at the end was
//! understood by none, and may have limited the certificates. So it is named and never passed over.

use serde_json::{Map, Value};

/// A key in the spelling of YAML, and in that of JSON.
pub(super) type Key = (&'static str, &'static str);

/// What is known of a key without which an issuer would accept more than it did.
const RESTRICTION: &str = "authorization-rules";

/// The keys of an object that are not taken yet.
pub(super) struct Keys<'a>(Vec<(&'a str, &'a Value)>);

impl<'a> Keys<'a> {
    /// All keys of `object` that have a value.
    pub(super) fn of(object: &'a Value) -> Result<Self, String> {
        let object = object.as_object().ok_or("it is not a list of keys with values")?;
        Ok(Self(
            object.iter().filter(|(_, value)| !value.is_null()).map(|(key, value)| (key.as_str(), value)).collect(),
        ))
    }

    /// The value of a key. The other spelling of the same key stays: Fulcio would read only one of them.
    pub(super) fn take(&mut self, (yaml, json): Key) -> Option<&'a Value> {
        let position = |name: &str| self.0.iter().position(|(key, _)| *key == name);
        let position = position(yaml).or_else(|| position(json))?;
        Some(self.0.swap_remove(position).1)
    }

    /// A text; an empty one is none.
    pub(super) fn text(&mut self, key: Key) -> Result<Option<&'a str>, String> {
        let Some(value) = self.take(key) else { return Ok(None) };
        let text = value.as_str().ok_or_else(|| format!("its {} is not a text", key.0))?;
        Ok(Some(text).filter(|text| !text.is_empty()))
    }

    /// An object.
    pub(super) fn map(&mut self, key: Key) -> Result<Option<&'a Map<String, Value>>, String> {
        let Some(value) = self.take(key) else { return Ok(None) };
        value.as_object().map(Some).ok_or_else(|| format!("its {} is not a list of keys with values", key.0))
    }

    /// A switch that is off where it is not there.
    pub(super) fn switch(&mut self, key: Key) -> Result<bool, String> {
        let Some(value) = self.take(key) else { return Ok(false) };
        value.as_bool().ok_or_else(|| format!("its {} is neither true nor false", key.0))
    }

    /// Refuses what nothing has taken.
    pub(super) fn refuse_rest(mut self) -> Result<(), String> {
        self.0.sort_unstable_by_key(|(key, _)| *key);
        let names: Vec<&str> = self.0.iter().map(|(key, _)| *key).collect();
        match names.as_slice() {
            [] => Ok(()),
            names if names.contains(&RESTRICTION) => {
                Err(format!("its {RESTRICTION} limit who gets certificates; write them as conditions in `require`"))
            }
            names => {
                Err(format!("it has {}, which may limit who gets certificates and is not known here", names.join(", ")))
            }
        }
    }
}
