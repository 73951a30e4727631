//! Request bodies in protobuf's JSON form.
//!
//! Names are in lowerCamelCase or as in the `.proto`. Unknown names are ignored, and `null` counts as absent. A field
//! given twice, in either spelling, is an error. Bytes are base64 of either alphabet.

use super::MAX_REQUEST_BYTES;
use crate::Error;
use crate::json::{self, Object};
use axum::extract::Request;
use chancery_daemon::http::{NotReceived, receive};
use chancery_verify::protojson::decode_bytes;
use serde_json::Value;

/// Reads a body and parses it as one message. An empty body is an empty message, as in grpc-gateway. The whole message is
/// small, so the budget for bodies need not know how long it is used.
pub(super) async fn read(request: Request) -> Result<Message, Error> {
    let bytes = match receive(request, MAX_REQUEST_BYTES).await {
        Ok(received) => received.bytes,
        Err(NotReceived::TooLarge) => return Err(Error::TooLarge { limit_bytes: MAX_REQUEST_BYTES }),
        Err(NotReceived::Busy(busy)) => return Err(busy.into()),
        Err(NotReceived::Incomplete) => {
            return Err(Error::Malformed { reason: "the request body could not be read".to_owned() });
        }
    };
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Ok(Message(Object::new()));
    }
    let fields = json::object(&bytes).map_err(|error| Error::Malformed {
        // serde_json ends its texts with the position; protobuf's begin with it.
        reason: format!("proto: syntax error (line {}:{}): {}", error.line(), error.column(), without_position(&error)),
    })?;
    Ok(Message(fields))
}

fn without_position(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.split_once(" at line ").map_or(text.as_str(), |(reason, _)| reason).to_owned()
}

/// One message.
#[derive(Debug, Clone, Default)]
pub(super) struct Message(Object);

impl Message {
    fn field(&self, camel: &'static str, snake: &'static str) -> Result<Option<&Value>, Error> {
        let present = |name: &str| self.0.get(name).filter(|value| !value.is_null());
        if camel == snake {
            return Ok(present(camel));
        }
        match (self.0.get(camel), self.0.get(snake)) {
            (Some(_), Some(_)) => {
                Err(Error::Malformed { reason: format!("proto: (line 1:1): duplicate field \"{snake}\"") })
            }
            _ => Ok(present(camel).or_else(|| present(snake))),
        }
    }

    /// Whether the field is there and not `null`.
    pub(super) fn has(&self, camel: &'static str, snake: &'static str) -> Result<bool, Error> {
        Ok(self.field(camel, snake)?.is_some())
    }

    /// A nested message, or `None` where it is absent.
    pub(super) fn message(&self, camel: &'static str, snake: &'static str) -> Result<Option<Self>, Error> {
        match self.field(camel, snake)? {
            None => Ok(None),
            Some(Value::Object(fields)) => Ok(Some(Self(fields.clone()))),
            Some(_) => Err(Error::Malformed {
                reason: format!("proto: syntax error (line 1:1): unexpected token for field {camel}"),
            }),
        }
    }

    /// A text; absent is empty.
    pub(super) fn text(&self, camel: &'static str, snake: &'static str) -> Result<&str, Error> {
        match self.field(camel, snake)? {
            None => Ok(""),
            Some(Value::String(text)) => Ok(text),
            Some(_) => Err(invalid("string", camel)),
        }
    }

    /// Bytes; absent is empty.
    pub(super) fn bytes(&self, camel: &'static str, snake: &'static str) -> Result<Vec<u8>, Error> {
        decode_bytes(self.text(camel, snake)?).ok_or_else(|| invalid("bytes", camel))
    }
}

fn invalid(kind: &str, field: &str) -> Error {
    Error::Malformed { reason: format!("proto: (line 1:1): invalid value for {kind} field {field}") }
}
