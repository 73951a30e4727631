//! Commands of this program as they are printed to be pasted: quoted where a shell needs it.

use shlex::try_quote;
use std::{borrow::Cow, path::Path};

/// The command that checks every log of an instance, as words that stay together on a line.
pub(crate) fn check_logs(executable: &Path, data: &Path, database: Option<&str>) -> Vec<String> {
    let mut command = vec![quoted(executable), "log check".to_owned(), format!("--data {}", quoted(data))];
    command.extend(database.map(|url| format!("--database {}", quoted(Path::new(url)))));
    command
}

/// `check`, or that with the checkpoint at `evidence`, a URL, which the log should extend.
pub(crate) fn compare(check: &str, evidence: Option<&str>) -> String {
    evidence.map_or_else(
        || check.to_owned(),
        |url| {
            let url = quoted(Path::new(url));
            format!("curl -fsS -o witnessed.checkpoint {url} && {check} --from witnessed.checkpoint")
        },
    )
}

/// A path as one shell word. A path with a NUL cannot exist.
pub(crate) fn quoted(path: &Path) -> String {
    let text = path.to_string_lossy();
    try_quote(&text).map_or_else(|_| text.clone().into_owned(), Cow::into_owned)
}
