//! What a timestamp costs.
//!
//! Against a running `chancery dev`: every request is of another hash, with a nonce and without certificates, as cosign and
//! sigstore-python send them. The floor is measured in the same run.
//!
//! ```text
//! chancery dev --listen 127.0.0.1:8080 --data DIR &
//! cargo run --release -p chancery-benches --bin timestamp -- --url http://127.0.0.1:8080 --pid $! --out results.json
//! ```

use chancery_benches::floor;
use chancery_benches::load::{Plan, host, post_bytes};
use chancery_benches::measure::{Out, Results, Target, heading};
use chancery_verify::HashAlgorithm;
use chancery_verify::timestamping::{Imprint, Request};
use clap::Parser;

/// Measure timestamps by a running development server
#[derive(Debug, Parser)]
struct Arguments {
    #[command(flatten)]
    target: Target,
    /// Numbers of connections to try, one after the other
    #[arg(long, value_delimiter = ',', default_value = "1,64")]
    connections: Vec<usize>,
    /// Timestamps per number of connections
    #[arg(long, default_value_t = 50_000)]
    timestamps: u32,
    /// Ask for the authority's certificate in every answer
    #[arg(long)]
    certificates: bool,
    #[command(flatten)]
    out: Out,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let target = &arguments.target;
    let host = host(&target.url)?;
    let floor_us = floor::of_a_timestamp().await?;
    println!("floor: {floor_us:.1} us of CPU per timestamp (sign P-256, hash and encode)\n");
    println!("{}", heading("timestamps", "us"));
    let mut rows = Vec::new();
    for connections in &arguments.connections {
        let request = |number: u32| {
            let digest = HashAlgorithm::Sha256.digest(&number.to_be_bytes());
            let imprint = Imprint { hash: HashAlgorithm::Sha256, digest: &digest, null_parameters: true };
            // Positive, and never shorter: the top bits of the first byte say so.
            let mut nonce = [0x40; 8];
            nonce[4..].copy_from_slice(&number.to_be_bytes());
            let (nonce, certificates) = (Some(&nonce[..]), arguments.certificates);
            let der = Request { imprint, policy: None, nonce, certificates, extensions: None }.to_der();
            post_bytes(&host, "/api/v1/timestamp", "application/timestamp-query", &der)
        };
        let requests = (0..arguments.timestamps).map(request).collect();
        let row = target.measure("timestamp", Plan::Closed { connections: *connections }, requests, 200).await?;
        println!("{}", row.against(floor_us));
        rows.push(row);
    }
    arguments.out.write(&Results { floor_us, rows })
}
