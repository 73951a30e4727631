//! Standard output and standard error of a command: the one way to print, and the exit codes of a command that cannot.
//!
//! - [`data`] is for what programs read, [`text`] for what people read: it takes colours away where they cannot be seen (a file,
//!   a pipe, `NO_COLOR`). [`print()`] and [`print_json`] are for a whole text. [`note`] is for remarks, on standard error, and never fails.
//! - Standard output that cannot be written is an error. If its reader has gone, as after `| head`, the command ends as a program
//!   does that SIGPIPE ends: at once, silently, with [`READER_GONE`]. The signal itself is ignored, because a server must not end
//!   with one of its connections.

use anstream::AutoStream;
use chancery_daemon::telemetry;
use serde::Serialize;
use std::{
    fs::{self, File},
    io::{self, ErrorKind, Read as _, Stdout, StdoutLock, Write},
    os::{fd::AsFd as _, unix::fs::MetadataExt as _},
    process::ExitCode,
};

/// Exit code if the reader of standard output has gone: what a shell shows for a program that SIGPIPE (13) has ended.
const READER_GONE: u8 = 128 + 13;
/// Exit code if standard output cannot be written for another reason: `EX_IOERR` of sysexits.h.
const UNWRITTEN: u8 = 74;

/// Why standard output cannot be written.
#[derive(Debug, thiserror::Error)]
enum Unwritten {
    /// Nobody reads it any more.
    #[error("standard output is closed")]
    ReaderGone,
    /// The disk is full, for example.
    #[error("cannot write to standard output: {0}")]
    Failed(io::Error),
}

/// Standard output whose errors are known as such.
pub(crate) struct Output<W>(W);

/// Standard output for programs, byte for byte.
pub(crate) fn data() -> Output<StdoutLock<'static>> {
    Output(io::stdout().lock())
}

/// As [`data`], for a writer that is kept, and that other threads use. Nothing is written to a standard output that was closed when
/// the program began, and that is an error.
pub(crate) fn kept() -> Output<Kept> {
    Output(Kept { stdout: io::stdout(), is_closed: was_closed() })
}

/// Standard output that may have been closed.
pub(crate) struct Kept {
    stdout: Stdout,
    is_closed: bool,
}

impl Kept {
    fn open(&mut self) -> io::Result<&mut Stdout> {
        if self.is_closed { Err(ErrorKind::BrokenPipe.into()) } else { Ok(&mut self.stdout) }
    }
}

impl Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.open()?.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.open()?.flush()
    }
}

/// Whether standard output was closed when the program began. Rust's runtime has put `/dev/null` in its place then, for reading, too.
/// A shell that is told to write there opens it for writing alone.
fn was_closed() -> bool {
    let look = || -> io::Result<bool> {
        let mut stdout = File::from(io::stdout().as_fd().try_clone_to_owned()?);
        let is_null = stdout.metadata()?.rdev() == fs::metadata("/dev/null")?.rdev();
        Ok(is_null && stdout.read(&mut [0]).is_ok())
    };
    look().unwrap_or(false)
}

/// Standard output for people.
pub(crate) fn text() -> Output<AutoStream<StdoutLock<'static>>> {
    Output(anstream::stdout().lock())
}

/// Prints a whole text for programs.
pub(crate) fn print(text: &str) -> io::Result<()> {
    let mut out = data();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// Prints a JSON document.
pub(crate) fn print_json<T: Serialize + ?Sized>(document: &T) -> anyhow::Result<()> {
    let text = serde_json::to_string_pretty(document)?;
    Ok(print(&format!("{text}\n"))?)
}

/// Lines about the steps of a change, each as it is taken. A change is not left half done because a line cannot be written: the
/// error waits for [`Steps::finish`].
pub(crate) struct Steps {
    is_quiet: bool,
    written: io::Result<()>,
}

impl Steps {
    /// Prints nothing if `is_quiet`.
    pub(crate) const fn new(is_quiet: bool) -> Self {
        Self { is_quiet, written: Ok(()) }
    }

    /// Prints a line.
    pub(crate) fn say(&mut self, line: &str) {
        if !self.is_quiet && self.written.is_ok() {
            self.written = print(&format!("{line}\n"));
        }
    }

    /// Whether every line was written.
    pub(crate) fn finish(self) -> io::Result<()> {
        self.written
    }
}

/// Writes a line for people to standard error. Nobody need read it.
pub(crate) fn note(line: &str) {
    telemetry::say(line);
}

/// Says why a command has failed, and returns `code`, unless it is about standard output: that has its own.
pub(crate) fn failed(error: &anyhow::Error, code: u8) -> ExitCode {
    let code = match unwritten(error) {
        Some(Unwritten::ReaderGone) => return ExitCode::from(READER_GONE),
        Some(Unwritten::Failed(_)) => UNWRITTEN,
        None => code,
    };
    // One line with its causes: the first sentence names the failure, the last one its reason.
    note(&format!("error: {error:#}"));
    ExitCode::from(code)
}

fn unwritten(error: &anyhow::Error) -> Option<&Unwritten> {
    error.chain().find_map(|cause| cause.downcast_ref::<io::Error>()?.get_ref()?.downcast_ref())
}

impl<W: Write> Write for Output<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes).map_err(known)
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes).map_err(known)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush().map_err(known)
    }
}

/// The error with its place. It keeps its kind, so that a caller that tries again after an interruption still does.
fn known(error: io::Error) -> io::Error {
    let kind = error.kind();
    let known = if kind == ErrorKind::BrokenPipe { Unwritten::ReaderGone } else { Unwritten::Failed(error) };
    io::Error::new(kind, known)
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context as _;

    struct Broken(ErrorKind);

    impl Write for Broken {
        fn write(&mut self, _bytes: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Err(self.0.into())
        }
    }

    #[test]
    fn only_standard_output_has_codes_of_its_own() {
        for (kind, expected) in [(ErrorKind::BrokenPipe, READER_GONE), (ErrorKind::StorageFull, UNWRITTEN)] {
            let mut out = Output(Broken(kind));
            for written in [writeln!(out, "{}", 1), out.flush()] {
                let error = written.context("the answer").unwrap_err();
                assert_eq!(failed(&error, 2), ExitCode::from(expected), "{error:#}");
            }
        }
        // A connection that broke is not standard output.
        let connection = anyhow::Error::new(io::Error::from(ErrorKind::BrokenPipe)).context("the server is gone");
        assert_eq!(failed(&connection, 2), ExitCode::from(2));
        assert_eq!(failed(&anyhow::anyhow!("refused"), 1), ExitCode::FAILURE);
    }

    #[test]
    fn the_reason_is_said_once() {
        let mut out = Output(Broken(ErrorKind::StorageFull));
        let error = anyhow::Error::new(writeln!(out).unwrap_err());
        assert_eq!(format!("{error:#}"), format!("cannot write to standard output: {}", ErrorKind::StorageFull));
    }
}
