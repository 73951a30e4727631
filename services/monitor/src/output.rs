//! Where alarms go. An output takes the alarms of a delivery in order. Those from the first one on that it has not taken come again.

use crate::alarm::Alarm;
use std::io::{self, Write};
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};

/// Maximum alarms of one delivery.
pub(crate) const MAX_ALARMS: usize = 100;

/// What becomes of a delivery.
pub type Delivering<'a> = Pin<Box<dyn Future<Output = Result<(), Undelivered>> + Send + 'a>>;

/// Why not all alarms of a delivery were taken. The others are delivered again in a later round.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Undelivered {
    /// How many were taken, from the first one on.
    pub taken: usize,
    /// How many of those after them were refused for what they are, together: other alarms may be taken. 0 if the output takes
    /// nothing now.
    pub refused: usize,
    /// Why the next one was not taken.
    pub reason: String,
}

impl Undelivered {
    /// None was taken, and none can be now.
    #[must_use]
    pub const fn all(reason: String) -> Self {
        Self { taken: 0, refused: 0, reason }
    }
}

/// A place where alarms go.
pub trait Output: Send + Sync {
    /// Its name, which remembers what it has. It MUST be the same after a restart, and MUST NOT contain a secret.
    fn name(&self) -> &str;

    /// Delivers alarms in order. `Ok` MUST mean that all of them arrived, and [`Undelivered::taken`] how many did otherwise. They
    /// may come again with the same ids.
    fn deliver<'a>(&'a self, alarms: &'a [Alarm]) -> Delivering<'a>;
}

/// How alarms are written as lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Lines to a stream, such as standard output.
pub struct Lines<W> {
    name: &'static str,
    format: LineFormat,
    stream: Mutex<W>,
}

impl<W: Write + Send> Lines<W> {
    /// Lines in `format` to `stream`.
    #[must_use]
    pub const fn new(name: &'static str, format: LineFormat, stream: W) -> Self {
        Self { name, format, stream: Mutex::new(stream) }
    }

    fn write(&self, alarms: &[Alarm]) -> io::Result<()> {
        let mut lines = String::new();
        for alarm in alarms {
            match self.format {
                LineFormat::Text => lines.push_str(&alarm.to_string()),
                LineFormat::Json => lines.push_str(&serde_json::to_string(alarm)?),
            }
            lines.push('\n');
        }
        let mut stream = self.stream.lock().unwrap_or_else(PoisonError::into_inner);
        stream.write_all(lines.as_bytes())?;
        stream.flush()
    }
}

impl<W: Write + Send> Output for Lines<W> {
    fn name(&self) -> &str {
        self.name
    }

    fn deliver<'a>(&'a self, alarms: &'a [Alarm]) -> Delivering<'a> {
        Box::pin(async move { self.write(alarms).map_err(|error| Undelivered::all(format!("{}: {error}", self.name))) })
    }
}

/// The log of the process.
#[derive(Debug, Clone, Copy, Default)]
pub struct ProcessLog;

impl Output for ProcessLog {
    fn name(&self) -> &'static str {
        "log"
    }

    fn deliver<'a>(&'a self, alarms: &'a [Alarm]) -> Delivering<'a> {
        Box::pin(async move {
            for alarm in alarms {
                let Alarm { id, log, message, severity, .. } = alarm;
                let (kind, evidence) =
                    (alarm.kind.name(), alarm.evidence.as_deref().map(|path| path.display().to_string()));
                if severity == "critical" {
                    tracing::error!(alarm.id = id, alarm.kind = kind, log.name = log, evidence, "{message}");
                } else {
                    tracing::warn!(alarm.id = id, alarm.kind = kind, log.name = log, evidence, "{message}");
                }
            }
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alarm::AlarmKind;
    use chancery_verify::Timestamp;

    #[tokio::test]
    async fn a_line_is_text_or_json() {
        let alarm = Alarm::new("rekor", AlarmKind::Stalled, "x", "it is quiet".to_owned(), Timestamp::from_seconds(0));
        for (format, expected) in [
            (LineFormat::Text, format!("1970-01-01T00:00:00Z warning stalled: it is quiet [{}]\n", alarm.id)),
            (LineFormat::Json, serde_json::to_string(&alarm).unwrap() + "\n"),
        ] {
            let lines = Lines::new("stdout", format, Vec::new());
            lines.deliver(std::slice::from_ref(&alarm)).await.unwrap();
            assert_eq!(String::from_utf8(lines.stream.into_inner().unwrap()).unwrap(), expected);
        }
    }

    #[tokio::test]
    async fn a_stream_that_is_full_has_nothing() {
        struct Full;
        impl Write for Full {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::StorageFull.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let alarm = Alarm::new("rekor", AlarmKind::Stalled, "x", String::new(), Timestamp::from_seconds(0));
        assert!(Lines::new("stdout", LineFormat::Text, Full).deliver(&[alarm]).await.is_err());
    }
}
