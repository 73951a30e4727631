//! CPU time and memory of processes, from `/proc`.

use anyhow::Context as _;
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
    for task in fs::read_dir(format!("/proc/{pid}/task"))? {
        let children = fs::read_to_string(task?.path().join("children")).unwrap_or_default();
        for child in children.split_whitespace() {
            total += cpu_seconds_with_children(child.parse()?).unwrap_or(0.0);
        }
    }
    Ok(total)
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
    let mib = |name: &str| -> anyhow::Result<f64> {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).with_context(|| name.to_owned())?;
        Ok(line.trim().trim_end_matches(" kB").parse::<f64>()? / 1024.0)
    };
    Ok(Resident { now_mib: mib("VmRSS:")?, peak_mib: mib("VmHWM:")? })
}
