//! A queue of lines for a writer that may block: a bounded buffer, and one thread that waits for the writer.
//!
//! The order of lines is kept. A line that does not fit is dropped and counted. Once the writer accepts lines again and
//! the queue is empty, `report` is called with the number of dropped lines.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// Maximum waiting bytes: some thousand lines.
const MAX_BYTES: usize = 1 << 20;
/// Time until the next attempt, if the writer cannot accept more at the moment.
const RETRY: Duration = Duration::from_millis(20);

/// The waiting lines.
#[derive(Debug)]
pub(super) struct Queue {
    waiting: Mutex<Waiting>,
    /// Notified when `waiting` changes.
    changed: Condvar,
    dropped: AtomicU64,
}

#[derive(Debug, Default)]
struct Waiting {
    lines: VecDeque<Vec<u8>>,
    bytes: usize,
    /// Whether a line is being written.
    is_writing: bool,
    /// Dropped lines that were not reported.
    unreported: u64,
}

impl Queue {
    /// Starts the thread that writes to `writer`. It ends with the process.
    pub(super) fn start(writer: impl Write + Send + 'static, report: fn(u64)) -> Arc<Self> {
        let queue = Arc::new(Self { waiting: Mutex::default(), changed: Condvar::new(), dropped: AtomicU64::new(0) });
        let taken = Arc::clone(&queue);
        let started = thread::Builder::new().name("log".to_owned()).spawn(move || taken.write(writer, report));
        if started.is_err() {
            // Without the thread the queue fills up, and all further lines are dropped.
            let _ = writeln!(io::stderr().lock(), "no thread can be started for the log");
        }
        queue
    }

    /// Adds a line, or drops it. Never waits for the writer.
    pub(super) fn push(&self, line: Vec<u8>) {
        let mut waiting = self.waiting();
        if waiting.bytes + line.len() > MAX_BYTES {
            waiting.unreported += 1;
            self.dropped.fetch_add(1, Ordering::Relaxed);
        } else {
            waiting.bytes += line.len();
            waiting.lines.push_back(line);
            self.changed.notify_all();
        }
    }

    /// Lines dropped so far.
    pub(super) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Returns when nothing waits, at the latest after `deadline`.
    pub(super) fn flush(&self, deadline: Duration) {
        let is_busy = |waiting: &mut Waiting| waiting.is_writing || !waiting.lines.is_empty();
        // Whether or not everything was written, nothing more can be done.
        let _flushed = self.changed.wait_timeout_while(self.waiting(), deadline, is_busy);
    }

    fn write(&self, mut writer: impl Write, report: fn(u64)) {
        loop {
            let (line, dropped) = self.next();
            if write_all(&mut writer, &line).is_err() {
                // Not reported now: the report would fail, too.
                self.dropped.fetch_add(1, Ordering::Relaxed);
                self.waiting().unreported += dropped + 1;
            } else if dropped > 0 {
                report(dropped);
            }
        }
    }

    /// Waits for a line. Also returns the number of dropped lines to report after it, which is zero unless it is the
    /// last waiting line.
    fn next(&self) -> (Vec<u8>, u64) {
        let mut waiting = self.waiting();
        waiting.is_writing = false;
        self.changed.notify_all();
        loop {
            if let Some(line) = waiting.lines.pop_front() {
                waiting.bytes -= line.len();
                waiting.is_writing = true;
                let is_last = waiting.lines.is_empty();
                let dropped = if is_last { std::mem::take(&mut waiting.unreported) } else { 0 };
                return (line, dropped);
            }
            waiting = self.changed.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn write_all(writer: &mut impl Write, mut line: &[u8]) -> io::Result<()> {
    while !line.is_empty() {
        match writer.write(line) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(count) => line = line.get(count..).unwrap_or_default(),
            // Another process that shares the file may have made it non-blocking.
            Err(error) if error.kind() == ErrorKind::WouldBlock => thread::sleep(RETRY),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::{Receiver, Sender, channel};
    use std::time::Instant;

    const LINE: usize = 1024;

    /// A writer that blocks until it is opened. It then passes on what is written to it.
    struct Shut {
        opened: Receiver<()>,
        is_open: bool,
        written: Sender<Vec<u8>>,
    }

    impl Write for Shut {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if !self.is_open {
                self.opened.recv().map_err(|_| ErrorKind::BrokenPipe)?;
                self.is_open = true;
            }
            self.written.send(bytes.to_vec()).map_err(|_| ErrorKind::BrokenPipe)?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    static REPORTED: AtomicU64 = AtomicU64::new(0);

    #[test]
    fn a_writer_that_takes_nothing_holds_nobody_up_and_is_told_what_it_missed() {
        let ((open, opened), (written, lines)) = (channel(), channel());
        let shut = Shut { opened, is_open: false, written };
        let queue = Queue::start(shut, |lines| {
            REPORTED.fetch_add(lines, Ordering::SeqCst);
        });
        let push = |number: usize| queue.push(format!("{number:LINE$}").into_bytes());
        let begun = Instant::now();
        (0..3000).for_each(push);
        queue.flush(Duration::from_millis(50));
        assert!(begun.elapsed() < Duration::from_secs(5));
        let dropped = queue.dropped();
        // All lines except those that fit, and one that is being written.
        assert!((1970..=1980).contains(&dropped), "{dropped}");
        assert_eq!(REPORTED.load(Ordering::SeqCst), 0);
        open.send(()).unwrap();
        queue.flush(Duration::from_secs(10));
        let all: Vec<Vec<u8>> = lines.try_iter().collect();
        assert_eq!(all.len() as u64, 3000 - dropped);
        assert!(all.iter().map(|line| String::from_utf8_lossy(line).trim().parse::<usize>().unwrap()).is_sorted());
        // Reported only once.
        push(3000);
        queue.flush(Duration::from_secs(10));
        assert_eq!((REPORTED.load(Ordering::SeqCst), queue.dropped()), (dropped, dropped));
    }

    #[test]
    fn a_writer_that_is_gone_costs_its_lines_and_nothing_else() {
        let ((open, opened), (written, lines)) = (channel(), channel());
        let queue = Queue::start(Shut { opened, is_open: false, written }, |_| {});
        drop((open, lines));
        (0..10).for_each(|_| queue.push(vec![b'x']));
        queue.flush(Duration::from_secs(10));
        assert_eq!(queue.dropped(), 10);
    }
}
