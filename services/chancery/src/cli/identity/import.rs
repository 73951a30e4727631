//! `chancery identity import`: a Fulcio configuration in our words.
//!
//! Nothing is dropped in silence: what an issuer cannot keep is noted, and an issuer that cannot be had as it was is left
//! out and named. So is one with a key that is not known here ([`keys`]). Every issuer that is printed has been checked as a
//! server would check it.

mod keys;

use super::go_template::{Defaults, translate};
use crate::output;
use anyhow::Context as _;
use chancery_ca::{
    config::{IssuerEntry, IssuerType, IssuersFile, Preset},
    oidc::{Authenticator, http_fetcher},
};
use clap::Args;
use keys::{Key, Keys};
use serde_json::{Map, Value};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::ExitCode,
};

/// Convert a Fulcio OIDC configuration (YAML or JSON) to a list of issuers
///
/// Prints TOML on standard output. Prints on standard error what changes and which issuers cannot be converted. An issuer with a
/// key that is not known cannot: the key may limit who gets certificates. Exits with 0 only if every issuer was converted.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  chancery identity import /etc/fulcio-config/config.yaml > issuers.toml
  chancery config check issuers.toml")]
pub(super) struct Arguments {
    /// Fulcio's configuration file
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let name = arguments.file.display();
    let text = fs::read_to_string(&arguments.file).with_context(|| format!("cannot read {name}"))?;
    let import = Import::of(&parse(&text).with_context(|| format!("{name} is neither YAML nor JSON"))?);
    let mut out = output::data();
    writeln!(out, "# Imported from {name}.\n")?;
    out.write_all(toml::to_string_pretty(&import.file)?.as_bytes())?;
    out.flush()?;
    for note in &import.notes {
        output::note(&format!("note: {note}"));
    }
    for lost in &import.lost {
        output::note(&format!("not carried over: {lost}"));
    }
    let complete = import.lost.is_empty() && !import.file.issuer.is_empty();
    Ok(if complete { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What has become of a file.
#[derive(Debug, Default)]
struct Import {
    file: IssuersFile,
    notes: BTreeSet<String>,
    lost: Vec<String>,
}

/// Where Fulcio's own files have the texts that they repeat.
const ANCHORS: &str = "define";
/// Keys that mean something for some types only, and the types.
const OF_SOME_TYPES: [(Key, &[IssuerType]); 5] = [
    (("issuer-claim", "IssuerClaim"), &[IssuerType::Email]),
    (("skip-email-verification", "SkipEmailVerification"), &[IssuerType::Email]),
    (("subject-domain", "SubjectDomain"), &[IssuerType::Uri, IssuerType::Username]),
    (("spiffe-trust-domain", "SPIFFETrustDomain"), &[IssuerType::Spiffe]),
    (("ci-provider", "CIProvider"), &[IssuerType::CiProvider]),
];

/// Reads YAML, of which JSON is a part, as Go does: `<<` brings the keys of another object.
fn parse(text: &str) -> anyhow::Result<Value> {
    let mut file: serde_norway::Value = serde_norway::from_str(text)?;
    file.apply_merge()?;
    Ok(serde_norway::from_value(file)?)
}

impl Import {
    fn of(file: &Value) -> Self {
        let mut import = Self::default();
        if let Err(reason) = import.read(file) {
            import.lost.push(format!("the file: {reason}"));
        }
        if import.file.issuer.is_empty() && import.lost.is_empty() {
            import.lost.push("the file has neither oidc-issuers nor meta-issuers".to_owned());
        }
        import.note(
            "addresses of private networks are only reached with allow_private_addresses, and keys on another host than the \
             issuer's only with jwks_hosts",
        );
        import
    }

    fn read(&mut self, file: &Value) -> Result<(), String> {
        let mut keys = Keys::of(file)?;
        keys.take((ANCHORS, ANCHORS));
        let providers = keys.map(("ci-issuer-metadata", "CIIssuerMetadata"))?;
        let issuers: [(Key, bool); 2] =
            [(("oidc-issuers", "OIDCIssuers"), false), (("meta-issuers", "MetaIssuers"), true)];
        for (key, is_pattern) in issuers {
            for (url, issuer) in keys.map(key)?.into_iter().flatten() {
                match self.issuer(url, issuer, is_pattern, providers) {
                    Ok(entry) => self.file.issuer.push(entry),
                    Err(reason) => self.lost.push(format!("{url}: {reason}")),
                }
            }
        }
        keys.refuse_rest()
    }

    fn note(&mut self, text: impl Into<String>) {
        self.notes.insert(text.into());
    }

    fn issuer(
        &mut self,
        url: &str,
        issuer: &Value,
        is_pattern: bool,
        providers: Option<&Map<String, Value>>,
    ) -> Result<IssuerEntry, String> {
        let mut keys = Keys::of(issuer)?;
        let configured = keys.text(("issuer-url", "IssuerURL"))?;
        if !is_pattern && configured.is_some_and(|configured| configured != url) {
            return Err(format!("its issuer-url is {}; no token fits both", configured.unwrap_or_default()));
        }
        if !is_pattern && url.contains('*') {
            return Err("Fulcio takes `*` here for a wildcard; if that is meant, write it as url_pattern".to_owned());
        }
        let mut entry = IssuerEntry::default();
        *(if is_pattern { &mut entry.url_pattern } else { &mut entry.url }) = Some(url.to_owned());
        let client = keys.text(("client-id", "ClientID"))?.ok_or("it has no client-id")?;
        entry.audiences = Some(vec![client.to_owned()]);
        self.note("a token that is also for other audiences is refused unless `other_audiences` allows it");
        entry.ca_pem = keys.text(("ca-cert", "CACert"))?.map(str::to_owned);
        if entry.ca_pem.is_some() {
            self.note("a `ca-cert` was an additional authority for its issuer; `ca_pem` replaces all others");
        }
        self.kind(&mut entry, &mut keys, providers)?;
        for (key, reason) in [
            (("challenge-claim", "ChallengeClaim"), "a proof over `email` or `sub` is accepted from every issuer"),
            (("description", "Description"), "comments are for that"),
            (("contact", "Contact"), "comments are for that"),
            (("environment", "Environment"), "it meant nothing to Fulcio either"),
        ] {
            if keys.take(key).is_some() {
                self.note(format!("`{}` is dropped: {reason}", key.0));
            }
        }
        keys.refuse_rest()?;
        self.checked(entry)
    }

    fn kind(
        &mut self,
        entry: &mut IssuerEntry,
        keys: &mut Keys<'_>,
        providers: Option<&Map<String, Value>>,
    ) -> Result<(), String> {
        let name = keys.text(("type", "Type"))?.ok_or("it has no type")?;
        let parsed = serde_json::from_value::<IssuerType>(name.into()).map_err(|_| format!("its type is {name}"))?;
        entry.issuer_type = Some(parsed);
        self.note_unused(keys, parsed, name);
        match parsed {
            IssuerType::Email => {
                entry.issuer_claim = keys.text(("issuer-claim", "IssuerClaim"))?.map(claim_path).transpose()?;
                entry.accept_unverified_email = keys.switch(("skip-email-verification", "SkipEmailVerification"))?;
                if entry.url.as_deref() == Some("https://accounts.google.com") {
                    (entry.issuer_type, entry.preset) = (None, Some(Preset::Google));
                }
            }
            IssuerType::Uri | IssuerType::Username => {
                entry.subject_domain = keys.text(("subject-domain", "SubjectDomain"))?.map(str::to_owned);
            }
            IssuerType::Spiffe => {
                entry.trust_domain = keys.text(("spiffe-trust-domain", "SPIFFETrustDomain"))?.map(str::to_owned);
            }
            IssuerType::Kubernetes => {
                let in_cluster =
                    entry.url.as_deref().is_some_and(|url| url.starts_with("https://kubernetes.default.svc"));
                if in_cluster {
                    (entry.issuer_type, entry.preset, entry.in_cluster) = (None, Some(Preset::Kubernetes), true);
                    self.note("the API server of this cluster is asked with the pod's own service account, as mounted");
                }
            }
            IssuerType::CiProvider => {
                let name = keys.text(("ci-provider", "CIProvider"))?.ok_or("it names no ci-provider")?;
                let provider = providers.and_then(|providers| providers.get(name));
                let provider =
                    provider.ok_or_else(|| format!("there is no ci-provider {name} in ci-issuer-metadata"))?;
                self.provider(entry, name, provider)?;
            }
            IssuerType::ChainguardIdentity
            | IssuerType::GithubWorkflow
            | IssuerType::GitlabPipeline
            | IssuerType::BuildkiteJob
            | IssuerType::CodefreshWorkflow => {}
        }
        Ok(())
    }

    /// Notes keys that have no effect in Fulcio on an issuer of this type.
    fn note_unused(&mut self, keys: &mut Keys<'_>, issuer_type: IssuerType, name: &str) {
        for (key, types) in OF_SOME_TYPES.iter().filter(|(_, types)| !types.contains(&issuer_type)) {
            if keys.take(*key).is_some() {
                let types =
                    types.iter().filter_map(|kind| serde_json::to_value(kind).ok()?.as_str().map(str::to_owned));
                let types = types.collect::<Vec<_>>().join(" and ");
                self.note(format!("`{}` is dropped from an issuer of type {name}: it counts for {types} only", key.0));
            }
        }
    }

    /// The templates of the ci-provider `name`.
    fn provider(&mut self, entry: &mut IssuerEntry, name: &str, provider: &Value) -> Result<(), String> {
        let of = |reason: String| format!("ci-provider {name}: {reason}");
        let mut keys = Keys::of(provider).map_err(of)?;
        let defaults: Defaults = keys
            .map(("default-template-values", "DefaultTemplateValues"))
            .map_err(of)?
            .into_iter()
            .flatten()
            .map(|(name, value)| (name.clone(), value.as_str().map_or_else(|| value.to_string(), str::to_owned)))
            .collect();
        let subject = keys.text(("subject-alternative-name-template", "SubjectAlternativeNameTemplate")).map_err(of)?;
        let templates = keys.map(("extension-templates", "ExtensionTemplates")).map_err(of)?;
        keys.refuse_rest().map_err(of)?;
        let mut constants = BTreeSet::new();
        let mut translated = |text: &str| {
            let translated = translate(text, &defaults)?;
            constants.extend(translated.constants);
            Ok::<_, String>(translated.text)
        };
        entry.subject =
            Some(translated(subject.ok_or_else(|| format!("ci-provider {name} has no template of the name"))?)?);
        if entry.subject.as_deref().is_some_and(|subject| subject.contains("://{")) {
            self.note(format!(
                "a claim has the host of ci-provider {name}'s names: set its allowed values with `require`"
            ));
        }
        let mut extensions = BTreeMap::new();
        for (key, value) in templates.into_iter().flatten().filter(|(_, value)| !value.is_null()) {
            let template = value.as_str().ok_or_else(|| of(format!("its {key} is not a text")))?;
            if !template.trim().is_empty() {
                extensions
                    .insert(extension_name(key), translated(template).map_err(|error| format!("{key}: {error}"))?);
            }
        }
        // Fulcio ignores this one: the subject is the token's own.
        extensions.remove("subject");
        entry.extensions = extensions;
        for constant in constants {
            self.note(format!(
                "`{constant}` of ci-provider {name} was a default that a claim could replace; it is constant now"
            ));
        }
        Ok(())
    }

    /// The issuer, if a server would take it.
    fn checked(&mut self, entry: IssuerEntry) -> Result<IssuerEntry, String> {
        let settings = |entry: &IssuerEntry| {
            // The cluster's files are where the server will run, not here.
            let entry = IssuerEntry { in_cluster: false, ..entry.clone() };
            IssuersFile { issuer: vec![entry] }.settings(Path::new("")).map_err(|error| error.to_string())
        };
        let (entry, checked) = match settings(&entry) {
            Err(_) if entry.subject_domain.is_some() => {
                let unrelated = IssuerEntry { unrelated_subject_domain: true, ..entry };
                let checked = settings(&unrelated)?;
                self.note(format!(
                    "subject-domain {} is not the issuer's own: unrelated_subject_domain is set to allow it",
                    unrelated.subject_domain.as_deref().unwrap_or_default()
                ));
                (unrelated, checked)
            }
            checked => (entry, checked?),
        };
        Authenticator::new(checked, &http_fetcher).map_err(|error| error.to_string())?;
        Ok(entry)
    }
}

/// The `JSONPath` of a claim, as a name or a JSON pointer.
fn claim_path(path: &str) -> Result<String, String> {
    let names: Vec<&str> = path.strip_prefix("$.").unwrap_or_default().split('.').collect();
    let plain =
        |name: &&str| !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    match names.as_slice() {
        [name] if plain(name) => Ok((*name).to_owned()),
        names if names.iter().all(plain) => Ok(names.iter().flat_map(|name| ["/", name]).collect()),
        _ => Err(format!("its issuer-claim {path} is not of the form $.a.b")),
    }
}

/// The name of an extension as YAML has it, from either spelling (`BuildSignerURI`).
fn extension_name(key: &str) -> String {
    let mut name = String::new();
    let mut previous_is_lower = false;
    for c in key.replace("URI", "Uri").replace("SHA", "Sha").replace("GitHub", "Github").chars() {
        if c.is_ascii_uppercase() && previous_is_lower {
            name.push('-');
        }
        previous_is_lower = c.is_ascii_lowercase();
        name.push(c.to_ascii_lowercase());
    }
    name
}

#[cfg(test)]
mod tests;
