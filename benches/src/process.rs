//! What processes have used so far, from `/proc`: CPU time, memory, writes to disk, context switches.

use anyhow::Context as _;
use serde::Serialize;
use std::fs;

/// Clock ticks per second in `/proc`: 100 on every Linux this runs on.
const TICKS_PER_SECOND: f64 = 100.0;

/// User and system time a process has used so far, in seconds.
pub fn cpu_seconds(pid: u32) -> anyhow::Result<f64> {
    Ok(times(pid)?.0)
}

/// As [`cpu_seconds`], with every child: those that live, and those whose end the process has seen.
pub fn cpu_seconds_with_children(pid: u32) -> anyhow::Result<f64> {
    let (own, ended) = times(pid)?;
    let mut total = own + ended;
    for child in children(pid)? {
        total += cpu_seconds_with_children(child).unwrap_or(0.0);
    }
    Ok(total)
}

/// The children of a process that live.
fn children(pid: u32) -> anyhow::Result<Vec<u32>> {
    let mut found = Vec::new();
    for task in fs::read_dir(format!("/proc/{pid}/task"))? {
        let children = fs::read_to_string(task?.path().join("children")).unwrap_or_default();
        for child in children.split_whitespace() {
            found.push(child.parse()?);
        }
    }
    Ok(found)
}

/// User and system time of a process, and of its children that have ended, in seconds.
fn times(pid: u32) -> anyhow::Result<(f64, f64)> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).with_context(|| format!("no process {pid}"))?;
    let fields = stat.rsplit_once(") ").map(|(_, fields)| fields).context("/proc stat has a name in parentheses")?;
    let ticks = fields.split(' ').skip(11).take(4).map(str::parse::<f64>).collect::<Result<Vec<_>, _>>()?;
    let [user, system, children_user, children_system] = ticks.as_slice() else {
        anyhow::bail!("/proc stat has times")
    };
    Ok(((user + system) / TICKS_PER_SECOND, (children_user + children_system) / TICKS_PER_SECOND))
}

/// Resident memory of a process.
#[derive(Debug, Clone, Copy)]
pub struct Resident {
    /// Now.
    pub now_mib: f64,
    /// At its highest.
    pub peak_mib: f64,
}

/// Reads the resident memory of a process.
pub fn resident(pid: u32) -> anyhow::Result<Resident> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    Ok(Resident { now_mib: field(&status, "VmRSS:")? / 1024.0, peak_mib: field(&status, "VmHWM:")? / 1024.0 })
}

/// The number on the line that begins with `name`, without its unit.
fn field(lines: &str, name: &str) -> anyhow::Result<f64> {
    let line = lines.lines().find_map(|line| line.strip_prefix(name)).with_context(|| name.to_owned())?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}

/// What a process has done so far beside computing.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Io {
    /// Bytes of the pages that it has made dirty, 4 KiB each. A page that is written again after a sync counts again: what
    /// is synced with every commit reaches the disk as often as it counts here.
    pub written_bytes: f64,
    /// System calls that write, to files and pipes; sending to a socket is another call.
    pub writes: f64,
    /// Context switches, voluntary or not, of all its threads. Those of threads that have ended are not known any more.
    pub switches: f64,
}

impl Io {
    /// Both together.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            written_bytes: self.written_bytes + other.written_bytes,
            writes: self.writes + other.writes,
            switches: self.switches + other.switches,
        }
    }

    /// What has been done since `before`, for each of `count` requests.
    #[must_use]
    pub fn per_request_since(self, before: Self, count: f64) -> Self {
        Self {
            written_bytes: (self.written_bytes - before.written_bytes) / count,
            writes: (self.writes - before.writes) / count,
            switches: (self.switches - before.switches) / count,
        }
    }
}

/// What a process has done. Only its user and root may read it.
pub fn io(pid: u32) -> anyhow::Result<Io> {
    let counts = fs::read_to_string(format!("/proc/{pid}/io"));
    let counts = counts.with_context(|| format!("cannot read what process {pid} writes; run this as root"))?;
    let mut switches = 0.0;
    for task in fs::read_dir(format!("/proc/{pid}/task"))? {
        // Some threads end meanwhile.
        let Ok(status) = fs::read_to_string(task?.path().join("status")) else { continue };
        switches += field(&status, "voluntary_ctxt_switches:")? + field(&status, "nonvoluntary_ctxt_switches:")?;
    }
    Ok(Io { written_bytes: field(&counts, "write_bytes:")?, writes: field(&counts, "syscw:")?, switches })
}

/// As [`io`], with every child that lives; what ended ones have written counts as their parent's already.
pub fn io_with_children(pid: u32) -> anyhow::Result<Io> {
    let mut total = io(pid)?;
    for child in children(pid)? {
        // Some end meanwhile.
        total = total.plus(io_with_children(child).unwrap_or_default());
    }
    Ok(total)
}
