//! What it costs to verify images in a registry on this machine.
//!
//! The registry is a program of its own, which answers from memory for any name: an image, one referrer, one bundle. The
//! floor is measured in the same run: the same requests, as many at a time, whose answers nobody reads. On loopback
//! nothing waits; with `--answer-after-ms` the registry is as far away as one in a data centre is.
//!
//! ```text
//! verify-image serve --listen 127.0.0.1:8098 --manifest manifest.json --bundle bundle.json &
//! verify-image load --registry 127.0.0.1:8098 --pid $! --trusted-root trusted_root.json --policy policy.toml
//! ```

use anyhow::Context as _;
use axum::{
    Router, body::Bytes, extract::State, http::StatusCode, http::Uri, http::header, response::IntoResponse,
    response::Response,
};
use chancery_benches::{load::as_f64, process};
use chancery_daemon::clock::{Clock as _, SystemClock};
use chancery_image::{Found, Layout, find};
use chancery_registry::{
    Client, Digest, Error, Facts, Reference, Repository,
    document::{IMAGE_INDEX, IMAGE_MANIFEST},
    facts::Bounds,
};
use chancery_verify::{
    HashAlgorithm, Timestamp, policy::Policy, trust_root::TrustRoot, verifier::Options, verifier::Verifier,
};
use clap::{Args, Parser, Subcommand};
use cpu_time::ProcessTime;
use serde_json::json;
use std::{fs, net::SocketAddr, path::PathBuf, sync::Arc, time::Duration, time::Instant};
use tokio::{net::TcpListener, task::JoinSet};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const BUNDLE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";
/// Verifications with known facts of one measurement.
const CACHED: usize = 2000;

/// Measure the verification of images
#[derive(Debug, Parser)]
struct Arguments {
    #[command(subcommand)]
    side: Side,
}

#[derive(Debug, Subcommand)]
enum Side {
    /// Answer as a registry
    Serve {
        #[arg(long, default_value = "127.0.0.1:8098")]
        listen: SocketAddr,
        /// The manifest of every image
        #[arg(long)]
        manifest: PathBuf,
        /// The bundle about it
        #[arg(long)]
        bundle: PathBuf,
        /// Milliseconds until it answers
        #[arg(long, default_value_t = 0)]
        answer_after_ms: u64,
    },
    /// Verify
    Load(Load),
}

#[derive(Debug, Args)]
struct Load {
    /// The registry
    #[arg(long, default_value = "127.0.0.1:8098")]
    registry: String,
    /// Process id of the registry
    #[arg(long)]
    pid: u32,
    /// The trust root
    #[arg(long)]
    trusted_root: PathBuf,
    /// The policy
    #[arg(long)]
    policy: PathBuf,
    /// Images
    #[arg(long, default_value_t = 200)]
    images: usize,
    /// Images at a time
    #[arg(long, default_value_t = 8)]
    at_once: usize,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    match Arguments::parse().side {
        Side::Serve { listen, manifest, bundle, answer_after_ms } => {
            let contents =
                Contents::new(fs::read(manifest)?, fs::read(bundle)?, Duration::from_millis(answer_after_ms));
            let routes = Router::new().fallback(answer).with_state(Arc::new(contents));
            axum::serve(TcpListener::bind(listen).await?, routes).await?;
            Ok(())
        }
        Side::Load(load) => load.run().await,
    }
}

/// What the registry has.
struct Contents {
    image: Bytes,
    referrers: Bytes,
    referrer: Bytes,
    referrer_digest: String,
    bundle: Bytes,
    answer_after: Duration,
}

impl Contents {
    fn new(image: Vec<u8>, bundle: Vec<u8>, answer_after: Duration) -> Self {
        let digest = |bytes: &[u8]| Digest::of(HashAlgorithm::Sha256, bytes).to_string();
        let referrer = json!({
            "schemaVersion": 2, "mediaType": IMAGE_MANIFEST, "artifactType": BUNDLE,
            "config": { "mediaType": "application/vnd.oci.empty.v1+json", "digest": digest(b"{}"), "size": 2 },
            "layers": [{ "mediaType": BUNDLE, "digest": digest(&bundle), "size": bundle.len() }],
            "subject": { "mediaType": IMAGE_MANIFEST, "digest": digest(&image), "size": image.len() },
        });
        let referrer = referrer.to_string();
        let referrers = json!({
            "schemaVersion": 2, "mediaType": IMAGE_INDEX,
            "manifests": [{
                "mediaType": IMAGE_MANIFEST, "digest": digest(referrer.as_bytes()), "size": referrer.len(), "artifactType": BUNDLE,
            }],
        });
        Self {
            image: image.into(),
            referrers: referrers.to_string().into(),
            referrer_digest: digest(referrer.as_bytes()),
            referrer: referrer.into(),
            bundle: bundle.into(),
            answer_after,
        }
    }
}

async fn answer(State(contents): State<Arc<Contents>>, uri: Uri) -> Response {
    if !contents.answer_after.is_zero() {
        tokio::time::sleep(contents.answer_after).await;
    }
    let path = uri.path();
    let (kind, body) = if path.contains("/referrers/") {
        (IMAGE_INDEX, &contents.referrers)
    } else if path.contains("/blobs/") {
        ("application/octet-stream", &contents.bundle)
    } else if path.ends_with(&contents.referrer_digest) {
        (IMAGE_MANIFEST, &contents.referrer)
    } else if path.contains("/manifests/") && !path.contains("/manifests/sha256-") {
        (IMAGE_MANIFEST, &contents.image)
    } else {
        return StatusCode::NOT_FOUND.into_response();
    };
    ([(header::CONTENT_TYPE, kind)], body.clone()).into_response()
}

/// What is needed to verify an image.
struct Judge {
    client: Client,
    verifier: Verifier,
    policy: Policy,
    now: Timestamp,
    facts: Facts<(Repository, Digest), Found, Error>,
}

impl Judge {
    /// Reads what the registry has about an image, unless it is known, and verifies it.
    async fn image(&self, reference: &Reference) -> anyhow::Result<()> {
        let image = self.client.resolve(reference).await?;
        self.known(reference.repository(), &image.digest, &image.bytes).await
    }

    /// As [`Self::image`], of a manifest that is there.
    async fn known(&self, repository: &Repository, digest: &Digest, manifest: &[u8]) -> anyhow::Result<()> {
        let read = || find(&self.client, repository, digest, Layout::Bundle);
        let facts = self.facts.get((repository.clone(), digest.clone()), read).await?;
        let candidate = facts.candidates.first().context("the image has a bundle")?;
        candidate.verify(&self.verifier, digest, manifest, &self.policy, self.now)?;
        Ok(())
    }
}

impl Load {
    async fn run(&self) -> anyhow::Result<()> {
        let options = chancery_registry::Options { concurrency: self.at_once, ..chancery_registry::Options::default() };
        let judge = Arc::new(Judge {
            client: Client::new(options)?,
            verifier: Verifier::new(TrustRoot::parse(&fs::read(&self.trusted_root)?)?, Options::default()),
            policy: Policy::parse(&fs::read_to_string(&self.policy)?)?,
            now: SystemClock.now(),
            facts: Facts::new(Bounds::default(), Found::weight),
        });
        // The connections stand, and every page of code has been read.
        judge.image(&self.reference("warm")?).await?;
        println!(
            "| {} images, {} at a time | images/s | us of our CPU | us of the registry's |\n|---|---|---|---|",
            self.images, self.at_once
        );
        let urls = self.urls(&judge).await?;
        let bare = reqwest::Client::new();
        self.measure("the requests alone", |_| {
            let (bare, urls) = (bare.clone(), urls.clone());
            async move {
                for url in urls.iter() {
                    bare.get(url).send().await?.bytes().await?;
                }
                Ok(())
            }
        })
        .await?;
        self.measure("verified", |number| {
            let (judge, reference) = (Arc::clone(&judge), self.reference(&format!("app-{number}")));
            async move { judge.image(&reference?).await }
        })
        .await?;
        let reference = self.reference("app-0")?;
        let image = judge.client.resolve(&reference).await?;
        let start = Instant::now();
        for _ in 0..CACHED {
            judge.known(reference.repository(), &image.digest, &image.bytes).await?;
        }
        println!("\nAn image whose facts are known: {:.3} ms.", start.elapsed().as_secs_f64() * 1e3 / as_f64(CACHED));
        Ok(())
    }

    fn reference(&self, name: &str) -> anyhow::Result<Reference> {
        Ok(format!("{}/{name}:1", self.registry).parse()?)
    }

    /// What is asked for one image.
    async fn urls(&self, judge: &Judge) -> anyhow::Result<Arc<[String]>> {
        let reference = self.reference("warm")?;
        let image = judge.client.resolve(&reference).await?;
        let listed = judge.client.referrers(reference.repository(), &image.digest).await?;
        let referrer = listed.referrers.first().context("the image has a referrer")?;
        let base = format!("http://{}/v2/warm", self.registry);
        Ok(Arc::new([
            format!("{base}/manifests/1"),
            format!("{base}/referrers/{}", image.digest),
            // The tag that is read beside the API; there is none.
            format!("{base}/manifests/{}", image.digest.to_string().replace(':', "-")),
            format!("{base}/manifests/{}", referrer.descriptor.digest),
            format!("{base}/blobs/{}", referrer.descriptor.digest),
        ]))
    }

    /// Runs `work` for every image, as many at a time as was asked for, and prints what it took.
    async fn measure<F>(&self, name: &str, work: impl Fn(usize) -> F) -> anyhow::Result<()>
    where
        F: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        let (start, own, theirs) = (Instant::now(), ProcessTime::now(), process::cpu_seconds(self.pid)?);
        let mut tasks = JoinSet::new();
        for number in 0..self.images {
            if tasks.len() == self.at_once {
                tasks.join_next().await.context("a task runs")???;
            }
            tasks.spawn(work(number));
        }
        while let Some(done) = tasks.join_next().await {
            done??;
        }
        let images = as_f64(self.images);
        println!(
            "| {name} | {:.0} | {:.0} | {:.0} |",
            images / start.elapsed().as_secs_f64(),
            own.elapsed().as_secs_f64() * 1e6 / images,
            (process::cpu_seconds(self.pid)? - theirs) * 1e6 / images
        );
        Ok(())
    }
}
