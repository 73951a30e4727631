//! What is outside of the instance and watches its logs: witnesses, and the place to which the logs are copied.

use super::finding::Finding;
use crate::{
    instance::{TilesPlace, WitnessesTable},
    witness::HttpWitness,
};
use chancery_log::witnessing::WitnessClient as _;
use futures_util::future::join_all;
use std::path::Path;
use url::Url;

const CHECK: &str = "witnesses";
const MIRROR: &str = "mirror";

/// Asks each witness of a log for its last checkpoint of `origin`. `table` is the setting with the witnesses.
pub(super) async fn examine(setting: &str, table: &WitnessesTable, origin: &str) -> Vec<Finding> {
    let asked = table.witnesses.iter().map(|witness| ask(&witness.url, witness.ca_file.as_deref(), origin));
    let answers = join_all(asked).await;
    let reached = answers.iter().filter(|answer| answer.is_ok()).count();
    let urls = table.witnesses.iter().map(|witness| witness.url.as_str());
    let mut findings: Vec<Finding> = urls.zip(&answers).map(|(url, answer)| finding(setting, url, answer)).collect();
    if reached < table.quorum {
        let message = format!(
            "{reached} witnesses can be reached, and the quorum is {}: checkpoints stay without it, and with fail = \"closed\" no \
             entry is acknowledged",
            table.quorum
        );
        let action = format!("start the witnesses, name others under {setting}, or lower its quorum");
        findings.push(Finding::error(CHECK, setting, &message, &action));
    }
    findings
}

async fn ask(url: &Url, authorities: Option<&Path>, origin: &str) -> Result<(), String> {
    let witness = HttpWitness::new(url, authorities).map_err(|error| format!("{error:#}"))?;
    witness.checkpoint(origin).await.map(drop).map_err(|error| error.to_string())
}

fn finding(setting: &str, url: &str, answer: &Result<(), String>) -> Finding {
    match answer {
        Ok(()) => Finding::ok(CHECK, url, "the witness answers"),
        Err(reason) => {
            let message = format!("the witness cannot be reached: {reason}");
            let action =
                format!("see that it runs and that this machine reaches it; correct url or ca_file under {setting}");
            Finding::warning(CHECK, url, &message, &action)
        }
    }
}

/// Reads from the place to which the logs are copied. Nothing is written.
pub(super) async fn examine_mirror(place: &TilesPlace) -> Finding {
    match place.verify_usable().await {
        Ok(()) => Finding::ok(MIRROR, "[log] tiles", "the place of the logs' copies can be read"),
        Err(reason) => {
            let message = format!("the logs cannot be copied there, and readers of the copies get old ones: {reason}");
            let action = "correct url, endpoint, region, credentials or ca_file under [log] tiles, and the rights of the credentials";
            Finding::error(MIRROR, "[log] tiles", &message, action)
        }
    }
}
