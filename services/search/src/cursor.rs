//! Where a page of an answer ended, for the next one.
//!
//! A cursor says for each log which indices are still to be looked at, and of which query and direction it is. It stays
//! right while the logs grow: towards newer entries it names the first index that was not looked at, towards older ones
//! the last one. A log that was made after the first page is looked at only towards newer entries.
//!
//! Clients must not read it. It holds no secret and is not signed: a forged one asks what a query may ask anyway.

use crate::store::Order;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use std::collections::BTreeMap;

/// The first byte, for later forms.
const VERSION: u8 = 1;
/// Logs in a cursor: shards of two series in sixteen years, and more.
const MAX_LOGS: usize = 512;

/// Names a query, so that a cursor is not used for another one.
pub(crate) type Fingerprint = [u8; 8];

/// The end of a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cursor {
    pub(crate) query: Fingerprint,
    pub(crate) order: Order,
    /// By the number of a log the index at which the next page begins: the first one towards newer entries, the one
    /// before which it begins towards older ones.
    pub(crate) positions: BTreeMap<i64, u64>,
}

/// Why a text is not the cursor of this query.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CursorError {
    /// It was not made by a server, or by a newer one.
    #[error("it is not a cursor of this server; take the one of the page before as it is")]
    Malformed,
    /// It is of another query.
    #[error("it belongs to another question; ask with the same filters, logs, period and order as for the page before")]
    OtherQuery,
}

impl Cursor {
    /// The text for clients.
    pub(crate) fn encode(&self) -> String {
        let direction = match self.order {
            Order::Oldest => 0,
            Order::Newest => 1,
        };
        let mut bytes = vec![VERSION, direction];
        bytes.extend(self.query);
        for (log, index) in &self.positions {
            bytes.extend(log.to_be_bytes());
            bytes.extend(index.to_be_bytes());
        }
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Reads a cursor that must be of this query and direction.
    pub(crate) fn decode(text: &str, query: Fingerprint, order: Order) -> Result<Self, CursorError> {
        let cursor = Self::read(text).ok_or(CursorError::Malformed)?;
        if cursor.query == query && cursor.order == order { Ok(cursor) } else { Err(CursorError::OtherQuery) }
    }

    fn read(text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let ([version, direction], rest) = bytes.split_first_chunk::<2>()?;
        let order = match direction {
            0 => Order::Oldest,
            1 => Order::Newest,
            _ => return None,
        };
        let (query, rest) = rest.split_first_chunk::<8>()?;
        let (places, left_over) = rest.as_chunks::<16>();
        if *version != VERSION || !left_over.is_empty() || places.len() > MAX_LOGS {
            return None;
        }
        let mut positions = BTreeMap::new();
        for place in places {
            let (log, index) = place.split_first_chunk::<8>()?;
            positions.insert(i64::from_be_bytes(*log), u64::from_be_bytes(index.try_into().ok()?));
        }
        (positions.len() == places.len()).then_some(Self { query: *query, order, positions })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::parameters::Parameters;

    fn cursor() -> Cursor {
        let positions = BTreeMap::from([(1, 7), (2, u64::MAX), (9, 0)]);
        Cursor { query: [3; 8], order: Order::Newest, positions }
    }

    #[test]
    fn a_cursor_is_read_as_it_was_written() {
        let text = cursor().encode();
        assert_eq!(Cursor::decode(&text, [3; 8], Order::Newest), Ok(cursor()));
        assert_eq!(Cursor::decode(&text, [4; 8], Order::Newest), Err(CursorError::OtherQuery));
        assert_eq!(Cursor::decode(&text, [3; 8], Order::Oldest), Err(CursorError::OtherQuery));
        assert!(text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)), "{text}");
    }

    #[test]
    fn a_cursor_over_all_logs_is_a_parameter() {
        let logs = i64::try_from(MAX_LOGS).unwrap();
        let all = Cursor { positions: (0..logs).map(|log| (log, u64::MAX)).collect(), ..cursor() };
        let mut parameters = Parameters::parse(&format!("cursor={}", all.encode())).unwrap();
        let text = parameters.one("cursor").unwrap().unwrap();
        assert_eq!(Cursor::decode(&text, [3; 8], Order::Newest), Ok(all));
    }

    #[test]
    fn whatever_else_a_client_sends_is_refused() {
        let bytes = URL_SAFE_NO_PAD.decode(cursor().encode()).unwrap();
        let read = |bytes: &[u8]| Cursor::decode(&URL_SAFE_NO_PAD.encode(bytes), [3; 8], Order::Newest);
        for length in (0..bytes.len()).filter(|length| *length < 10 || !(*length - 10).is_multiple_of(16)) {
            assert_eq!(read(&bytes[..length]), Err(CursorError::Malformed), "{length}");
        }
        for (at, other) in [(0, 2), (1, 2)] {
            let mut changed = bytes.clone();
            changed[at] = other;
            assert_eq!(read(&changed), Err(CursorError::Malformed), "{at}");
        }
        let twice = [&bytes[..], &bytes[10..26]].concat();
        assert_eq!(read(&twice), Err(CursorError::Malformed), "a log twice");
        assert_eq!(read(&[&bytes[..10], &[0; 16 * (MAX_LOGS + 1)][..]].concat()), Err(CursorError::Malformed));
        for text in ["", "!", "äöü", "a b"] {
            assert_eq!(Cursor::decode(text, [3; 8], Order::Newest), Err(CursorError::Malformed), "{text}");
        }
    }
}
