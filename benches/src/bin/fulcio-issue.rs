//! What a certificate costs, its entry in the certificate log included.
//!
//! Against a running `chancery dev`: every request has a key of its own with its proof of possession, made beforehand; the
//! token is the same in all, which the server does not know. The floor is measured in the same run.
//!
//! ```text
//! chancery dev --listen 127.0.0.1:8080 --data DIR &
//! cargo run --release -p chancery-benches --bin fulcio-issue -- --url http://127.0.0.1:8080 --pid $! --out results.json
//! ```

use anyhow::Context as _;
use chancery_benches::load::{Plan, host, post};
use chancery_benches::measure::{Out, Results, Target, heading};
use chancery_benches::{entries, floor};
use clap::Parser;

/// Measure the issuance of certificates by a running development server
#[derive(Debug, Parser)]
struct Arguments {
    #[command(flatten)]
    target: Target,
    /// Numbers of connections to try, one after the other
    #[arg(long, value_delimiter = ',', default_value = "1,64")]
    connections: Vec<usize>,
    /// Certificates per number of connections
    #[arg(long, default_value_t = 20_000)]
    certificates: usize,
    #[command(flatten)]
    out: Out,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let target = &arguments.target;
    let host = host(&target.url)?;
    let token = entries::token(&target.url).await.context("cannot get a token from the server")?;
    let floor_us = floor::of_a_certificate().await?;
    println!("floor: {floor_us:.1} us of CPU per certificate (verify RS256 and P-256, sign P-256 twice)\n");
    println!("{}", heading("certificates", "us"));
    let mut rows = Vec::new();
    for connections in &arguments.connections {
        let mut requests = Vec::with_capacity(arguments.certificates);
        for _ in 0..arguments.certificates {
            let (_, request) = entries::key_request().await?;
            requests.push(post(&host, "/api/v2/signingCert", Some(&token), &request.to_string()));
        }
        let plan = Plan::Closed { connections: *connections };
        let row = target.measure("certificate", plan, requests, 200).await?;
        println!("{}", row.against(floor_us));
        rows.push(row);
    }
    arguments.out.write(&Results { floor_us, rows })
}
