//! The logs of a witness: read at the start, followed while it runs.
//!
//! They are in the configuration file, in a list in the format of the witness network, or options. Both files are read again
//! every two seconds, and at once on SIGHUP. Of the configuration file only the logs are taken; everything else is decided at
//! the start. If a file cannot be used, the witness goes on with the logs of before.

use super::configuration::WitnessConfiguration;
use anyhow::{Context as _, ensure};
use chancery_daemon::reload::Looks;
use chancery_verify::witness::{Log, parse_list};
use chancery_witness::Witness;
use std::{fs::File, io::Read as _, path::Path, time::Duration};
use tokio::task::JoinHandle;

/// How long a change may go unnoticed.
const PERIOD: Duration = Duration::from_secs(2);
/// Maximum bytes of a list: some ten thousand logs.
const MAX_LIST_BYTES: u64 = 4 << 20;

/// The logs as options and files have them now.
pub(super) fn read(configuration: &WitnessConfiguration) -> anyhow::Result<Vec<Log>> {
    let written;
    let configuration = match &configuration.file {
        None => configuration,
        Some(file) => {
            written = WitnessConfiguration::load(file)?;
            &written
        }
    };
    let parse = |log: &String| {
        Log::parse(log).with_context(|| format!("{log:?} is not a log; write its verifier key, or ORIGIN=VKEY"))
    };
    let mut logs = configuration.logs.iter().map(parse).collect::<anyhow::Result<Vec<_>>>()?;
    if let Some(path) = &configuration.log_list {
        logs.extend(read_list(path).with_context(|| format!("cannot use {}", path.display()))?);
    }
    ensure!(
        !logs.is_empty(),
        "the witness has no log; give the verifier key of at least one with logs, log_list, --log or --log-list"
    );
    Ok(logs)
}

fn read_list(path: &Path) -> anyhow::Result<Vec<Log>> {
    let mut text = String::new();
    File::open(path)?.take(MAX_LIST_BYTES + 1).read_to_string(&mut text)?;
    ensure!(text.len() as u64 <= MAX_LIST_BYTES, "it is larger than {MAX_LIST_BYTES} bytes");
    Ok(parse_list(&text)?)
}

/// Keeps `witness` at what the files say. `known` are the logs that it has now. Ends when it is aborted.
pub(super) fn follow(
    configuration: WitnessConfiguration,
    mut known: Vec<Log>,
    witness: Witness,
) -> anyhow::Result<Option<JoinHandle<()>>> {
    if configuration.file.is_none() && configuration.log_list.is_none() {
        return Ok(None);
    }
    let mut looks = Looks::every(PERIOD).context("cannot wait for SIGHUP")?;
    Ok(Some(tokio::spawn(async move {
        loop {
            looks.next().await;
            match reload(&configuration, &mut known, &witness).await {
                Ok(changed) => {
                    if looks.is_good_news(changed) {
                        tracing::info!(logs = known.len(), changed, "the list of logs was read again");
                    }
                }
                Err(error) => {
                    let error = format!("{error:#}");
                    if looks.is_bad_news(&error) {
                        tracing::error!(error, "cannot use the changed list of logs; the earlier list stays in use");
                    }
                }
            }
        }
    })))
}

/// Takes what the files say now. Returns whether that is something else than before.
async fn reload(configuration: &WitnessConfiguration, known: &mut Vec<Log>, witness: &Witness) -> anyhow::Result<bool> {
    let logs = read(configuration)?;
    if logs == *known {
        return Ok(false);
    }
    witness.replace_logs(logs.clone()).await?;
    *known = logs;
    Ok(true)
}
