//! Signs and verifies with the sigstore-rust crates, as their documentation says it is done.
//!
//!     sigstore-rust sign   TRUST --token TOKEN --bundle BUNDLE ARTIFACT
//!     sigstore-rust attest TRUST --token TOKEN --bundle BUNDLE STATEMENT
//!     sigstore-rust verify TRUST --identity WHO --issuer URL --bundle BUNDLE ARTIFACT
//!
//! TRUST is `--mirror URL --root FILE`, or the files themselves: `--signing-config FILE` to sign, `--trusted-root FILE` to
//! verify. It ends with 1 and the crates' own words where they refuse.

mod trust;

use anyhow::{Context as _, Result, bail};
use sigstore_oidc::IdentityToken;
use sigstore_sign::{SigningContext, SigningServices};
use sigstore_trust_root::{SigningConfig, TrustedRoot};
use sigstore_types::Bundle;
use sigstore_verify::{VerificationPolicy, verify};
use std::{collections::HashMap, env, fs};

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

    async fn trust(&self) -> Result<(TrustedRoot, SigningConfig)> {
        Ok(trust::trust(self.option("mirror")?, &fs::read(self.option("root")?)?).await?)
    }

    async fn signing_config(&self) -> Result<SigningConfig> {
        match self.option("signing-config") {
            Ok(path) => Ok(SigningConfig::from_file(path)?),
            Err(_) => Ok(self.trust().await?.1),
        }
    }

    async fn trusted_root(&self) -> Result<TrustedRoot> {
        match self.option("trusted-root") {
            Ok(path) => Ok(TrustedRoot::from_file(path)?),
            Err(_) => Ok(self.trust().await?.0),
        }
    }
}

async fn sign(arguments: &Arguments, is_statement: bool) -> Result<()> {
    let services = SigningServices::from_signing_config(&arguments.signing_config().await?)?;
    let signer = SigningContext::new(services).signer(IdentityToken::from_jwt(arguments.option("token")?)?);
    let contents = fs::read(&arguments.file)?;
    let bundle = if is_statement {
        signer.sign_raw_statement(&contents).await?
    } else {
        signer.sign(contents.as_slice()).await?
    };
    fs::write(arguments.option("bundle")?, bundle.to_json_pretty()?)?;
    Ok(())
}

async fn check(arguments: &Arguments) -> Result<()> {
    let bundle = Bundle::from_json(&fs::read_to_string(arguments.option("bundle")?)?)?;
    let policy = VerificationPolicy::new(arguments.option("identity")?, arguments.option("issuer")?);
    let contents = fs::read(&arguments.file)?;
    verify(contents.as_slice(), &bundle, &policy, &arguments.trusted_root().await?)?;
    Ok(())
}

#[tokio::main]
async fn main() -> Result<()> {
    let mut words = env::args().skip(1);
    let verb = words.next().unwrap_or_default();
    if verb == "--version" {
        println!("sigstore-rust {}", env!("CARGO_PKG_VERSION"));
        return Ok(());
    }
    let arguments = Arguments::read(words)?;
    match verb.as_str() {
        "sign" => sign(&arguments, false).await,
        "attest" => sign(&arguments, true).await,
        "verify" => check(&arguments).await,
        _ => bail!("sign, attest or verify?"),
    }
}
