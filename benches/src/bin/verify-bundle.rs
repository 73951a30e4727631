//! What it costs to verify a bundle: to read its JSON, and to check everything in it.
//!
//! Without a network, in one thread. The floor is measured in the same run: the signatures that this bundle makes a verifier
//! check, by keys of the same kinds. `--peer` runs another client's program over the same files and quotes what it says.
//!
//! ```text
//! verify-bundle --trusted-root trusted_root.json --policy policy.toml --bundle a.sigstore.json --artifact a
//! ```

use anyhow::{Context as _, ensure};
use chancery_benches::floor::{self, best};
use chancery_daemon::clock::{Clock as _, SystemClock};
use chancery_verify::{
    bundle::{Bundle, Material},
    hash::sha256,
    key::KeyKind,
    policy::Policy,
    trust_root::TrustRoot,
    verifier::{Artifact, Options, TimeSource, Verified, Verifier},
};
use clap::Parser;
use std::{fs, path::PathBuf, process::Command};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Measure the verification of a bundle
#[derive(Debug, Parser)]
struct Arguments {
    /// The trust root
    #[arg(long)]
    trusted_root: PathBuf,
    /// The policy
    #[arg(long)]
    policy: PathBuf,
    /// The bundle
    #[arg(long)]
    bundle: PathBuf,
    /// What it is about
    #[arg(long)]
    artifact: PathBuf,
    /// Verifications of one measurement
    #[arg(long, default_value_t = 2000)]
    verifications: usize,
    /// A program that verifies the same: it is given trust root, bundle, artifact and the number, and prints the
    /// microseconds of CPU per bundle
    #[arg(long)]
    peer: Vec<PathBuf>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let (root, json, artifact) =
        (fs::read(&arguments.trusted_root)?, fs::read(&arguments.bundle)?, fs::read(&arguments.artifact)?);
    let verifier = Verifier::new(TrustRoot::parse(&root)?, Options::default());
    let policy = Policy::parse(&fs::read_to_string(&arguments.policy)?)?;
    let now = SystemClock.now();
    let verify = || -> anyhow::Result<Verified> {
        Ok(verifier.verify(&Bundle::parse(&json)?, &Artifact::Bytes(&artifact), &policy, now)?)
    };
    let kinds = signatures(verifier.trust_root(), &Bundle::parse(&json)?, &verify()?)?;
    let floor_us = floor::of_signatures(&kinds).await?;
    let count = arguments.verifications;
    let whole = best(count, || verify().map(drop))?;
    let parse = best(count, || {
        std::hint::black_box(Bundle::parse(&json)?);
        Ok(())
    })?;
    let prepare = best(20, || {
        std::hint::black_box(Verifier::new(TrustRoot::parse(&root)?, Options::default()));
        Ok(())
    })?;
    println!("floor: {floor_us:.1} us of CPU for the {} signatures of the bundle ({kinds:?})\n", kinds.len());
    println!("| verifier | us of CPU per bundle | of the floor | bundles a minute and core |\n|---|---|---|---|");
    println!("{}", row("chancery-verify", whole, floor_us));
    for peer in &arguments.peer {
        let output = Command::new(peer)
            .args([&arguments.trusted_root, &arguments.bundle, &arguments.artifact])
            .arg(count.to_string())
            .output()
            .with_context(|| format!("cannot run {}", peer.display()))?;
        ensure!(output.status.success(), "{}: {}", peer.display(), String::from_utf8_lossy(&output.stderr));
        let us = String::from_utf8(output.stdout)?.trim().parse().context("a peer prints a number")?;
        println!("{}", row(&peer.file_name().unwrap_or_default().to_string_lossy(), us, floor_us));
    }
    println!("\nOf it, reading the JSON: {parse:.1} us. Once, to prepare the trust root: {prepare:.0} us.");
    Ok(())
}

fn row(name: &str, us: f64, floor_us: f64) -> String {
    format!("| {name} | {us:.1} | {:.2} | {:.0} |", us / floor_us, 60e6 / us)
}

/// Which keys made the signatures that had to be checked. The signer's own is the first.
fn signatures(root: &TrustRoot, bundle: &Bundle, verified: &Verified) -> anyhow::Result<Vec<KeyKind>> {
    let Material::Certificate(leaf) = bundle.material() else { anyhow::bail!("the bundle has no certificate") };
    let authority = verified.authority.as_ref().context("an authority")?;
    let issuer = root.certificate_authorities().iter().find_map(|known| {
        let issuer = known.chain().first()?;
        authority.certificates_sha256.contains(&sha256(issuer.der())).then(|| issuer.public_key().kind())
    });
    let mut kinds = vec![leaf.public_key().kind(), issuer.context("the issuer is in the trust root")?];
    kinds.extend(leaf.scts()?.iter().filter_map(|sct| Some(root.ct_log(&sct.log_id)?.key().kind())));
    for time in &verified.times {
        let TimeSource::TimestampAuthority { url, .. } = time.source() else { continue };
        let authority = root.timestamp_authorities().iter().find(|known| known.url() == url);
        let leaf = authority.and_then(|known| known.leaf()).context("the timestamp authority is in the trust root")?;
        kinds.push(leaf.public_key().kind());
    }
    for entry in &verified.entries {
        let kind = root.log(&entry.log_id).context("the log is in the trust root")?.key().kind();
        kinds.extend(std::iter::repeat_n(kind, usize::from(entry.promised) + usize::from(entry.inclusion.is_some())));
    }
    Ok(kinds)
}
