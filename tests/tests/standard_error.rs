//! Standard error that nobody reads: a full pipe holds up no request, and what was dropped is counted and told.

use chancery_tests::{
    http::Request,
    stack::{chancery_binary, free_port},
};
use std::{
    io::{BufRead as _, BufReader},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

const DEADLINE: Duration = Duration::from_mins(1);
const DROPPED: &str = "chancery_log_lines_dropped_total ";

/// A server that is killed where the test fails.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_pipe_that_nobody_reads_holds_up_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let [clients, metrics] = [free_port(), free_port()].map(|port| format!("127.0.0.1:{port}"));
    let mut command = Command::new(chancery_binary());
    command.current_dir(directory.path()).args(["dev", "--log", "trace", "--data", "data", "--listen", &clients]);
    command.args(["--metrics", &metrics]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut server = Server(command.spawn().unwrap());
    let get = |address: &str, path: &str| Request::get(&format!("http://{address}{path}")).try_send();
    let dropped = || {
        let page = get(&metrics, "/metrics").ok().map(|page| page.text()).unwrap_or_default();
        let line = page.lines().find_map(|line| line.strip_prefix(DROPPED)).map(str::to_owned);
        line.map_or(0, |count| count.parse::<u64>().unwrap())
    };
    let begun = Instant::now();
    // The pipe takes 64 KiB, the queue some more; at this level a read says which statements it took.
    while dropped() < 100 {
        assert!(begun.elapsed() < DEADLINE, "no line is dropped, or nothing is answered");
        let asked = Instant::now();
        let answer = get(&clients, "/api/v1/log/entries?logIndex=0");
        if let Ok(answer) = answer {
            answer.expect(200);
            assert!(asked.elapsed() < Duration::from_secs(10), "{:?}", asked.elapsed());
        } else {
            // It has not begun to listen.
            thread::sleep(Duration::from_millis(20));
        }
    }
    // Once it is read, it says what is missing.
    let mut lines = BufReader::new(server.0.stderr.take().unwrap()).lines();
    let told = lines.by_ref().map(Result::unwrap).find(|line| line.contains("log lines were dropped"));
    let count: u64 = told.unwrap().rsplit_once("lines=").unwrap().1.trim().parse().unwrap();
    assert!(count >= 100, "{count}");
    // And stops, though nobody reads again.
    let stopped = Command::new("kill").arg("-TERM").arg(server.0.id().to_string()).status().unwrap();
    assert!(stopped.success());
    let begun = Instant::now();
    let status = loop {
        if let Some(status) = server.0.try_wait().unwrap() {
            break status;
        }
        assert!(begun.elapsed() < DEADLINE, "it does not stop");
        thread::sleep(Duration::from_millis(20));
    };
    assert!(status.success(), "{status}");
    drop(lines);
}
