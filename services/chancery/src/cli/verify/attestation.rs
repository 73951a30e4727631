//! `chancery verify attestation`: signed statements about files, and their signers.

use super::{
    blob::{SharedArguments, named, one_file},
    expectation::{PredicateRules, Wanted, pair},
    outcome, work,
};
use crate::output;
use anyhow::ensure;
use clap::Args;
use std::{io::Write as _, path::PathBuf, process::ExitCode, sync::Arc};

/// Check attestations about files: provenance, software bills of materials and the like
///
/// Reads the attestation of FILE from --bundle, or else from FILE.sigstore.json, FILE.sigstore.jsonl or FILE.sigstore.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  chancery verify attestation release.tar.gz --type slsaprovenance1 --trust ./trust \\
      --certificate-identity ci@example.org --certificate-oidc-issuer https://issuer.example.org
  chancery verify attestation release.tar.gz --type https://example.org/review/v1 --predicate /approved=true \\
      --trust ./trust --key reviewer.pub --print-predicate")]
pub(super) struct Arguments {
    /// Check attestations about these files
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Read the bundle from this file; only for one FILE
    #[arg(long, value_name = "FILE")]
    bundle: Option<PathBuf>,
    /// Require this predicate type: a URI, or slsaprovenance, slsaprovenance1, spdxjson, cyclonedx, vuln, openvex, link, custom
    #[arg(long = "type", value_name = "URI|NAME", required = true)]
    types: Vec<String>,
    /// Require that SLSA provenance names this builder
    #[arg(long, value_name = "URI")]
    builder_id: Option<String>,
    /// Require this value (JSON, or else a text) of the predicate at this JSON pointer; repeatable
    #[arg(long, value_name = "POINTER=VALUE", value_parser = pair)]
    predicate: Vec<(String, String)>,
    /// Print the predicates that count, one per line, if every file is verified
    #[arg(long, conflicts_with = "json")]
    print_predicate: bool,
    #[command(flatten)]
    shared: SharedArguments,
}

pub(super) async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let Arguments { files, bundle, types, builder_id, predicate, print_predicate, shared } = arguments;
    ensure!(bundle.is_none() || files.len() == 1, "--bundle belongs to one file; without it each file has its own");
    let wanted = Wanted::of_types(&types)?;
    let kind = match &wanted {
        Wanted::Types { types, signatures: false } if types.len() == 1 => types.first().cloned(),
        _ => None,
    };
    let value = |text: String| serde_json::from_str(&text).unwrap_or(serde_json::Value::String(text));
    let fields = predicate.into_iter().map(|(pointer, text)| (pointer, value(text))).collect();
    let expectation = shared.signer.read_with(wanted, &PredicateRules { builder: builder_id, fields, kind })?;
    let context = shared.context(expectation).await?;
    let outcomes = work::each(named(files), shared.parallel, shared.json, |file| {
        let (context, bundle) = (Arc::clone(&context), bundle.clone());
        async move {
            let shown = file.display().to_string();
            let judged = tokio::task::spawn_blocking(move || one_file(&context, &file, bundle.as_deref(), false));
            judged.await.unwrap_or_else(|_| work::interrupted(&shown))
        }
    });
    let outcomes = outcomes.await;
    if print_predicate && outcome::exit_code(&outcomes) == ExitCode::SUCCESS {
        let mut out = output::data();
        let counted = outcomes.iter().flat_map(|outcome| &outcome.signatures).filter(|genuine| genuine.counted);
        for statement in counted.filter_map(|genuine| genuine.verified.statement.as_ref()) {
            writeln!(out, "{}", statement.predicate())?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    outcome::print(&outcomes, shared.show(&context))
}
