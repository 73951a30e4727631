//! `chancery verify blob`: signatures of files.

use super::{
    code::Code,
    decision::{Collected, Context},
    evidence::EvidenceArguments,
    expectation::{Expectation, SignerArguments, Wanted},
    files::{self, BundleFileError, Bundles, OwnedArtifact, artifact, read_bundles, readable},
    outcome::{self, Genuine, Outcome, PassedOver, Show, Status},
    trust::TrustArguments,
    work,
};
use anyhow::{Context as _, ensure};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use chancery_daemon::clock::{Clock as _, SystemClock};
use chancery_image::Purpose;
use chancery_registry::ErrorKind;
use chancery_verify::{
    Rejection,
    bundle::{Bundle, CertificateText, Content, Detached, SignatureText},
    verifier::{AnySigner, Artifact, Verifier},
};
use clap::Args;
use std::{
    fs, io,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
};

/// Check the signatures of files
///
/// Reads the bundle of FILE from --bundle, or else from FILE.sigstore.json, FILE.sigstore.jsonl or FILE.sigstore.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  chancery verify blob release.tar.gz --bundle release.sigstore.json --trusted-root trusted_root.json \\
      --certificate-identity ci@example.org --certificate-oidc-issuer https://issuer.example.org
  chancery verify blob *.tar.gz --trust ./trust --policy policy.toml --json
  chancery verify blob release.tar.gz --key release.pub --signature release.sig --insecure-ignore-tlog
  chancery verify blob sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08 --bundle b.json --trust ./trust")]
pub(super) struct Arguments {
    /// Check these files; with --bundle, a digest sha256:HEX can stand for the file
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Read the bundle from this file; only for one FILE
    #[arg(long, value_name = "FILE")]
    bundle: Option<PathBuf>,
    /// Read bundles in the format of cosign before version 3; they contain the promise of the log and no inclusion proof
    #[arg(long)]
    legacy: bool,
    #[command(flatten)]
    detached: DetachedArguments,
    #[command(flatten)]
    shared: SharedArguments,
}

/// A signature without a bundle.
#[derive(Debug, Args)]
#[command(next_help_heading = "Signature without bundle")]
struct DetachedArguments {
    /// Check this signature: a file, or base64; it has no time, so add --key, or --certificate and --rfc3161-timestamp
    #[arg(long, value_name = "FILE|BASE64", conflicts_with = "bundle")]
    signature: Option<String>,
    /// Certificate of the signer, in PEM, DER or base64; needs --rfc3161-timestamp
    #[arg(long, value_name = "FILE", requires = "signature")]
    certificate: Option<PathBuf>,
    /// Certificates of the authority, in PEM; parsed, but not trusted
    #[arg(long, value_name = "FILE", requires = "certificate")]
    certificate_chain: Option<PathBuf>,
    /// Timestamp of the signature, as cosign writes it
    #[arg(long, value_name = "FILE", requires = "signature")]
    rfc3161_timestamp: Option<PathBuf>,
}

/// What every verb for files takes.
#[derive(Debug, Args)]
pub(super) struct SharedArguments {
    #[command(flatten)]
    pub(super) trust: TrustArguments,
    #[command(flatten)]
    pub(super) signer: SignerArguments,
    #[command(flatten)]
    pub(super) evidence: EvidenceArguments,
    /// Check at most this many files at the same time
    #[arg(long, value_name = "N", default_value = "4", help_heading = None::<&'static str>)]
    pub(super) parallel: usize,
    /// Print the results as JSON, with every verified fact and every reason
    #[arg(long, help_heading = None::<&'static str>)]
    pub(super) json: bool,
}

impl SharedArguments {
    /// Prepares a verifier for `expectation`.
    pub(super) async fn context(&self, expectation: Expectation) -> anyhow::Result<Arc<Context>> {
        let options = self.evidence.options(expectation.policy.as_ref(), expectation.only_keys())?;
        let needed = !expectation.only_keys() || options.thresholds.log_entries > 0;
        let root = self.trust.load(needed).await?;
        let verifier = Verifier::new(root, options);
        let verifier = expectation.keys.iter().cloned().fold(verifier, Verifier::with_key);
        Ok(Arc::new(Context { verifier, expectation, now: SystemClock.now() }))
    }

    pub(super) fn show(&self, context: &Context) -> Show {
        Show { json: self.json, expected: context.expectation.policy.is_some() }
    }
}

pub(super) async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let Arguments { files, bundle, legacy, detached, shared } = arguments;
    let one = bundle.is_some() || detached.signature.is_some();
    ensure!(
        !one || files.len() == 1,
        "--bundle and --signature belong to one file; without them each file has its own"
    );
    let detached = detached.read()?;
    let context = shared.context(shared.signer.read(Wanted::Signatures)?).await?;
    let outcomes = work::each(named(files), shared.parallel, shared.json, |file| {
        let (context, bundle, detached) = (Arc::clone(&context), bundle.clone(), detached.clone());
        async move {
            let shown = file.display().to_string();
            let judged = tokio::task::spawn_blocking(move || match detached {
                Some(detached) => with_bundles(&context, &file, vec![("--signature".to_owned(), detached)]),
                None => one_file(&context, &file, bundle.as_deref(), legacy),
            });
            judged.await.unwrap_or_else(|_| work::interrupted(&shown))
        }
    });
    outcome::print(&outcomes.await, shared.show(&context))
}

/// Files with their names as they are shown.
pub(super) fn named(files: Vec<PathBuf>) -> Vec<(String, PathBuf)> {
    files.into_iter().map(|file| (file.display().to_string(), file)).collect()
}

/// Judges the bundles of one file.
pub(super) fn one_file(context: &Context, file: &Path, bundle: Option<&Path>, legacy: bool) -> Outcome {
    let shown = file.display().to_string();
    let Some(path) = bundle.map(Path::to_owned).or_else(|| files::beside(file)) else {
        // A file that is not there, or cannot be read, is not one that nobody has signed.
        if let Err(error) = readable(file) {
            return unreadable(shown, &error);
        }
        let names = files::BESIDE.map(|suffix| format!("{shown}{suffix}")).join(", ");
        let reason = format!("there is no bundle beside it (looked for {names}): give --bundle FILE");
        return Outcome::failed(shown, Status::Refused, Code::BundleNone.code(), reason);
    };
    match read_bundles(&path, legacy) {
        Ok(bundles) => with_bundles(context, file, bundles),
        Err(BundleFileError::Unreadable(error)) => {
            let reason = format!("{} cannot be read: {error}", path.display());
            Outcome::failed(shown, Status::Undecided, ErrorKind::Unreadable.code(), reason)
        }
        Err(BundleFileError::Malformed(passed)) => {
            Outcome::failed(shown, Status::Refused, passed.code(), passed.reason())
        }
    }
}

/// Judges bundles of one file.
pub(super) fn with_bundles(context: &Context, file: &Path, bundles: Bundles) -> Outcome {
    let shown = file.display().to_string();
    let artifact: OwnedArtifact = match artifact(file) {
        Ok(artifact) => artifact,
        Err(error) => return unreadable(shown, &error),
    };
    collect(context, &artifact, bundles).decide(context, shown)
}

fn unreadable(shown: String, error: &io::Error) -> Outcome {
    Outcome::failed(shown, Status::Undecided, ErrorKind::Unreadable.code(), format!("cannot be read: {error}"))
}

/// Verifies bundles about one artifact.
pub(super) fn collect(context: &Context, artifact: &OwnedArtifact, bundles: Bundles) -> Collected {
    let mut collected = Collected::default();
    for (place, bundle) in bundles {
        let verified = bundle.and_then(|bundle| {
            let artifact = artifact.as_artifact();
            let verified = context.verifier.verify(&bundle, &artifact, &AnySigner, context.now);
            verified.map_err(|refusal| match refusal.rejection() {
                Rejection::ArtifactDigest => PassedOver::new(&place, refusal.code(), changed(&bundle, &artifact)),
                _ => PassedOver::of_refusal(&place, &refusal),
            })
        });
        match verified {
            Ok(verified) => collected.add(context, Genuine::new(place, None, Purpose::of(&verified), verified)),
            Err(passed) => collected.passed_over.push(passed),
        }
    }
    collected
}

/// Why the verifier refused the digest that the bundle states, with both digests in full.
fn changed(bundle: &Bundle, artifact: &Artifact<'_>) -> String {
    let sentence = "the file is not the one that was signed";
    let Content::Message { digest: Some((algorithm, stated)), .. } = bundle.content() else {
        return sentence.to_owned();
    };
    let name = algorithm.name().replacen("sha", "SHA-", 1);
    let found = artifact.digest(*algorithm).map(hex::encode).unwrap_or_default();
    format!("{sentence}: its {name} is {found}, the bundle signs {}", hex::encode(stated))
}

impl DetachedArguments {
    /// The evidence; `None` where no signature is given.
    fn read(&self) -> anyhow::Result<Option<Result<Bundle, PassedOver>>> {
        let Some(text) = &self.signature else { return Ok(None) };
        let read = |path: &Path| fs::read(path).with_context(|| format!("cannot read {}", path.display()));
        let bytes = if Path::new(text).is_file() { read(Path::new(text))? } else { text.clone().into_bytes() };
        // Base64 is what cosign writes; a signature that is base64 by chance has no more than 30 bits. `base64` ends its lines.
        let one_line: Vec<u8> = bytes.iter().copied().filter(|byte| !matches!(byte, b'\r' | b'\n')).collect();
        let is_text = STANDARD.decode(one_line.trim_ascii()).is_ok();
        let certificate = self.certificate.as_deref().map(read).transpose()?;
        let chain = self.certificate_chain.as_deref().map(read).transpose()?;
        let timestamp = self.rfc3161_timestamp.as_deref().map(read).transpose()?;
        let detached = Detached {
            signature: Some(if is_text { SignatureText::Base64(&bytes) } else { SignatureText::Raw(&bytes) }),
            envelope: None,
            certificate: certificate.as_deref().map(certificate_text),
            chain: chain.as_deref(),
            entry: None,
            timestamp: timestamp.as_deref(),
        };
        Ok(Some(detached.into_bundle().map_err(|refusal| PassedOver::of_refusal("--signature", &refusal))))
    }
}

fn certificate_text(bytes: &[u8]) -> CertificateText<'_> {
    if bytes.starts_with(b"-----BEGIN") {
        CertificateText::Pem(bytes)
    } else if bytes.first() == Some(&0x30) {
        CertificateText::Der(bytes)
    } else {
        CertificateText::Base64(bytes)
    }
}
