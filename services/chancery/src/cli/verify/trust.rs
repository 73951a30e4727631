//! The trust root: files, or a TUF repository that has them.

mod repository;

pub(in crate::cli) use repository::{Unreached, fetch_anew};

use crate::{cli::authorities::AuthorityArguments, output};
use anyhow::{Context as _, ensure};
use chancery_trust::FileName;
use chancery_verify::trust_root::{TrustRoot, limits::MAX_ROOT_BYTES};
use clap::Args;
use repository::Ask;
use std::{
    fs,
    path::{Path, PathBuf},
};
use url::Url;

/// The trust root.
#[derive(Debug, Args)]
#[command(next_help_heading = "Trust")]
pub(in crate::cli) struct TrustArguments {
    /// Trust the keys and certificates in this `trusted_root.json`; repeatable: combines all of them
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) trusted_root: Vec<PathBuf>,
    /// Read `trusted_root.json` from this directory; it can be the data directory of an instance
    #[arg(long, value_name = "DIR", conflicts_with_all = ["trusted_root", "tuf_url"])]
    trust: Option<PathBuf>,
    /// Fetch `trusted_root.json` from this TUF repository, at most once a day; in between, use the copy in the user's cache
    #[arg(long, value_name = "URL", requires = "tuf_root", conflicts_with = "trusted_root")]
    tuf_url: Option<Url>,
    /// First root metadata of the repository: a file, or its SHA-256 as sha256:HEX
    #[arg(long, value_name = "FILE|sha256:HEX", requires = "tuf_url")]
    tuf_root: Option<String>,
    /// Do not contact the TUF repository: use the copy in the cache, or fail if it is older than a day
    #[arg(long, requires = "tuf_url")]
    offline: bool,
    #[command(flatten)]
    pub(in crate::cli) authorities: AuthorityArguments,
}

impl TrustArguments {
    /// Whether any of them is given.
    pub(in crate::cli) fn is_given(&self) -> bool {
        // The others need `--tuf-url`.
        let has_root = !self.trusted_root.is_empty() || self.trust.is_some() || self.tuf_url.is_some();
        has_root || self.authorities.file().is_some()
    }

    /// Reads the trust root. `needed` is false where a key is enough.
    pub(in crate::cli) async fn load(&self, needed: bool) -> anyhow::Result<TrustRoot> {
        self.read(needed, Ask::IfOld).await
    }

    /// The same again, also if a fresh copy of a TUF repository is at hand: something new may be in it.
    pub(in crate::cli) async fn load_anew(&self) -> anyhow::Result<TrustRoot> {
        self.read(false, Ask::Now).await
    }

    async fn read(&self, needed: bool, ask: Ask) -> anyhow::Result<TrustRoot> {
        if let Some(directory) = &self.trust {
            return read(&in_directory(directory)?);
        }
        if let (Some(url), Some(root)) = (&self.tuf_url, &self.tuf_root) {
            let ask = if self.offline { Ask::Never } else { ask };
            let text = repository::trusted_root((url, root), ask, self.authorities.file()).await?;
            return parse(&text, url.as_str());
        }
        let mut roots = self.trusted_root.iter().map(|path| read(path));
        let Some(first) = roots.next() else {
            ensure!(
                !needed,
                "no trust root is given: add --trusted-root FILE, --trust DIR, or --tuf-url URL with --tuf-root FILE"
            );
            return Ok(TrustRoot::default());
        };
        roots.try_fold(first?, |all, next| all.combine(next?).context("these trusted roots contradict each other"))
    }
}

/// The trusted root in a directory of trust files, or in the data directory of an instance.
pub(in crate::cli) fn trusted_root_in(directory: &Path) -> Option<PathBuf> {
    let name = FileName::TrustedRoot.as_str();
    [directory.join(name), directory.join("trust").join(name)].into_iter().find(|path| path.is_file())
}

fn in_directory(directory: &Path) -> anyhow::Result<PathBuf> {
    trusted_root_in(directory).with_context(|| {
        format!("there is no trusted_root.json and no trust/trusted_root.json in {}", directory.display())
    })
}

fn read(path: &Path) -> anyhow::Result<TrustRoot> {
    let shown = path.display();
    let length = fs::metadata(path).with_context(|| format!("cannot read the trusted root {shown}"))?.len();
    ensure!(length <= MAX_ROOT_BYTES as u64, "the trusted root {shown} has more than {MAX_ROOT_BYTES} bytes");
    let text = fs::read(path).with_context(|| format!("cannot read the trusted root {shown}"))?;
    parse(&text, &shown.to_string())
}

fn parse(text: &[u8], name: &str) -> anyhow::Result<TrustRoot> {
    let root = TrustRoot::parse(text)
        .map_err(|refusal| anyhow::anyhow!("{name} is not a trusted root ({}): {refusal}", refusal.code()))?;
    for unusable in root.unusable() {
        let (section, index) = (unusable.section.name(), unusable.index);
        output::note(&format!("note: {name}: {section}[{index}] cannot be used: {}", unusable.reason));
    }
    Ok(root)
}
