//! Signs, verifies and reads Rekor v1 with sigstore-rs.
//!
//!     sigstore-rs sign   --url URL --token TOKEN --challenge CLAIM --bundle BUNDLE ARTIFACT
//!     sigstore-rs verify --trusted-root FILE --identity WHO --issuer URL --bundle BUNDLE ARTIFACT
//!     sigstore-rs read   --url URL --key REKOR.PUB ARTIFACT
//!
//! `sign` calls the crate's own clients of Fulcio and Rekor one after the other, because its `SigningContext` can be made for
//! the public instance only. `read` finds the artifact's entries, reads each by id and by index, and verifies its inclusion
//! and the log's consistency since its first entry. It ends with 1 and the crate's own words where that refuses.

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use openidconnect::core::CoreIdToken;
use sha2::{Digest as _, Sha256};
use sigstore::{
    bundle::{
        Bundle,
        verify::{Verifier, policy::Identity},
    },
    crypto::{CosignVerificationKey, SigningScheme},
    fulcio::{FulcioClient, TokenProvider},
    rekor::{
        apis::{configuration::Configuration, entries_api, index_api, tlog_api},
        models::{LogEntry, ProposedEntry, SearchIndex, hashedrekord},
    },
    trust::sigstore::SigstoreTrustRoot,
};
use sigstore_protobuf_specs::dev::sigstore::{
    bundle::v1::{VerificationMaterial, bundle::Content, verification_material},
    common::v1::{HashAlgorithm, HashOutput, MessageSignature, X509Certificate, X509CertificateChain},
    rekor::v1::TransparencyLogEntry,
};
use std::{collections::HashMap, env, fs, str::FromStr as _};
use url::Url;

/// What follows the verb.
struct Arguments {
    options: HashMap<String, String>,
    file: String,
}

impl Arguments {
    fn read(mut words: impl Iterator<Item = String>) -> Result<Self> {
        let (mut options, mut file) = (HashMap::new(), None);
        while let Some(word) = words.next() {
            match word.strip_prefix("--") {
                Some(name) => {
                    options.insert(name.to_owned(), words.next().with_context(|| format!("{word} needs a value"))?);
                }
                None => file = Some(word),
            }
        }
        Ok(Self { options, file: file.context("which file?")? })
    }

    fn option(&self, name: &str) -> Result<&str> {
        self.options.get(name).map(String::as_str).with_context(|| format!("--{name} is missing"))
    }

    fn rekor(&self) -> Result<Configuration> {
        Ok(Configuration { base_path: self.option("url")?.to_owned(), ..Configuration::default() })
    }
}

/// The first certificate of a chain in PEM, in DER.
fn first(chain: &str) -> Result<Vec<u8>> {
    let certificates = pem::parse_many(chain).with_context(|| format!("Fulcio answered {chain}"))?;
    Ok(certificates.first().with_context(|| format!("Fulcio answered {chain}"))?.contents().to_vec())
}

/// The proposal of an entry about a signature of this digest.
fn proposal(digest: &[u8], signature: &[u8], certificate: &[u8]) -> ProposedEntry {
    let public_key = pem::encode_config(
        &pem::Pem::new("CERTIFICATE", certificate),
        pem::EncodeConfig::new().set_line_ending(pem::LineEnding::LF),
    );
    let hash = hashedrekord::Hash::new(hashedrekord::AlgorithmKind::sha256, hex::encode(digest));
    let public_key = hashedrekord::PublicKey::new(STANDARD.encode(public_key));
    let signature = hashedrekord::Signature::new(STANDARD.encode(signature), public_key);
    let spec = hashedrekord::Spec::new(signature, hashedrekord::Data::new(hash));
    ProposedEntry::Hashedrekord { api_version: "0.0.1".to_owned(), spec }
}

/// The bundle as the crate's own `SigningArtifact` makes it.
fn bundle(digest: Vec<u8>, signature: Vec<u8>, certificate: Vec<u8>, entry: LogEntry) -> Result<Bundle> {
    let certificates = vec![X509Certificate { raw_bytes: certificate }];
    let entry = TransparencyLogEntry::try_from(entry).map_err(|()| anyhow!("the entry does not fit into a bundle"))?;
    let material = VerificationMaterial {
        timestamp_verification_data: None,
        tlog_entries: vec![entry],
        content: Some(verification_material::Content::X509CertificateChain(X509CertificateChain { certificates })),
    };
    let signature = MessageSignature {
        message_digest: Some(HashOutput { algorithm: HashAlgorithm::Sha2256.into(), digest }),
        signature,
    };
    Ok(Bundle {
        media_type: "application/vnd.dev.sigstore.bundle+json;version=0.2".to_owned(),
        verification_material: Some(material),
        content: Some(Content::MessageSignature(signature)),
    })
}

async fn sign(arguments: &Arguments) -> Result<()> {
    let token = CoreIdToken::from_str(arguments.option("token")?)?;
    let tokens = TokenProvider::Static((token, arguments.option("challenge")?.to_owned()));
    let fulcio = FulcioClient::new(Url::parse(arguments.option("url")?)?, tokens);
    let (signer, chain) = fulcio.request_cert(SigningScheme::ECDSA_P256_SHA256_ASN1).await?;
    let certificate = first(&chain.to_string())?;

    let contents = fs::read(&arguments.file)?;
    let (digest, signature) = (Sha256::digest(&contents).to_vec(), signer.sign(&contents)?);
    let proposal = proposal(&digest, &signature, &certificate);
    let entry = entries_api::create_log_entry(&arguments.rekor()?, proposal).await;
    let entry = entry.map_err(|error| anyhow!("{error:?}"))?;
    let bundle = bundle(digest, signature, certificate, entry)?;
    fs::write(arguments.option("bundle")?, serde_json::to_string(&bundle)?)?;
    Ok(())
}

async fn verify(arguments: &Arguments) -> Result<()> {
    let root = fs::read(arguments.option("trusted-root")?)?;
    let root = SigstoreTrustRoot::from_trusted_root_json_unchecked(&root)?;
    let bundle: Bundle = serde_json::from_slice(&fs::read(arguments.option("bundle")?)?)?;
    let policy = Identity::new(arguments.option("identity")?, arguments.option("issuer")?);
    let artifact = tokio::fs::File::open(&arguments.file).await?;
    Verifier::new(Configuration::default(), root)?.verify(artifact, bundle, &policy, true).await?;
    Ok(())
}

async fn read(arguments: &Arguments) -> Result<()> {
    let rekor = arguments.rekor()?;
    let key = fs::read(arguments.option("key")?)?;
    let key = CosignVerificationKey::from_pem(&key, &SigningScheme::ECDSA_P256_SHA256_ASN1)?;
    let hash = Some(format!("sha256:{}", hex::encode(Sha256::digest(fs::read(&arguments.file)?))));
    let query = SearchIndex { hash, ..SearchIndex::default() };
    let ids = index_api::search_index(&rekor, query).await.map_err(|error| anyhow!("{error:?}"))?;
    ensure!(!ids.is_empty(), "no entry is found");
    for id in ids {
        let entry = entries_api::get_log_entry_by_uuid(&rekor, &id).await.map_err(|error| anyhow!("{error:?}"))?;
        entry.verify_inclusion(&key)?;
        let index = i32::try_from(entry.log_index)?;
        let same = entries_api::get_log_entry_by_index(&rekor, index).await.map_err(|error| anyhow!("{error:?}"))?;
        ensure!(same.body == entry.body && same.log_index == entry.log_index, "{id} and {index} are two entries");
        println!("{id} {index}");
    }
    consistency(&rekor, &key).await
}

/// The log extends the tree of its first entry.
async fn consistency(rekor: &Configuration, key: &CosignVerificationKey) -> Result<()> {
    let first = entries_api::get_log_entry_by_index(rekor, 0).await.map_err(|error| anyhow!("{error:?}"))?;
    let log = tlog_api::get_log_info(rekor).await.map_err(|error| anyhow!("{error:?}"))?;
    let id = first.uuid.context("the first entry has no id")?;
    let root = id.get(id.len().saturating_sub(64)..).context("the first entry's id is too short")?;
    let root = <[u8; 32]>::try_from(hex::decode(root)?).map_err(|_| anyhow!("{id} is no id"))?;
    let proof = tlog_api::get_log_proof(rekor, log.tree_size, Some("1"), None).await;
    let proof = proof.map_err(|error| anyhow!("{error:?}"))?;
    log.verify_consistency(1, &root, &proof, key)?;
    Ok(())
}

#[tokio::main]
async fn main() -> Result<()> {
    let mut words = env::args().skip(1);
    let verb = words.next().unwrap_or_default();
    if verb == "--version" {
        println!("sigstore-rs {}", env!("CARGO_PKG_VERSION"));
        return Ok(());
    }
    let arguments = Arguments::read(words)?;
    match verb.as_str() {
        "sign" => sign(&arguments).await,
        "verify" => verify(&arguments).await,
        "read" => read(&arguments).await,
        _ => bail!("sign, verify or read?"),
    }
}
