//! What HTTP alone costs: axum with one route, which reads a request and answers with bytes that are there already.
//!
//! No service over the same libraries can cost less than this and its own signatures together.
//!
//! ```text
//! bare-http serve --listen 127.0.0.1:8080 --answer-bytes 900 &
//! bare-http load --url http://127.0.0.1:8080 --pid $! --request-bytes 120
//! ```

use axum::Router;
use axum::body::Bytes;
use axum::serve::ListenerExt as _;
use chancery_benches::load::{Plan, host, post_bytes};
use chancery_benches::measure::Target;
use clap::{Parser, Subcommand};
use std::net::SocketAddr;
use tokio::net::TcpListener;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Measure what HTTP costs where nothing is done with a request
#[derive(Debug, Parser)]
struct Arguments {
    #[command(subcommand)]
    side: Side,
}

#[derive(Debug, Subcommand)]
enum Side {
    /// Answer every request
    Serve {
        #[arg(long, default_value = "127.0.0.1:8080")]
        listen: SocketAddr,
        /// Bytes of every answer
        #[arg(long)]
        answer_bytes: usize,
    },
    /// Send requests
    Load {
        #[command(flatten)]
        target: Target,
        /// Bytes of every request
        #[arg(long)]
        request_bytes: usize,
        /// Connections
        #[arg(long, default_value_t = 64)]
        connections: usize,
        /// Requests
        #[arg(long, default_value_t = 100_000)]
        requests: usize,
    },
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    match Arguments::parse().side {
        Side::Serve { listen, answer_bytes } => {
            let answer = Bytes::from(vec![b'-'; answer_bytes]);
            let routes = Router::new().fallback(move |_request: Bytes| std::future::ready(answer.clone()));
            let listener = TcpListener::bind(listen).await?.tap_io(|stream| {
                let _ = stream.set_nodelay(true);
            });
            axum::serve(listener, routes).await?;
        }
        Side::Load { target, request_bytes, connections, requests } => {
            let request = post_bytes(&host(&target.url)?, "/", "application/octet-stream", &vec![b'-'; request_bytes]);
            let row = target.measure("bare HTTP", Plan::Closed { connections }, vec![request; requests], 200).await?;
            println!("HTTP alone, {connections} connections: {:.1} us of CPU per request", row.server_us);
        }
    }
    Ok(())
}
