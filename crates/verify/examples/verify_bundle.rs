//! Verifies a bundle offline: `verify_bundle TRUSTED_ROOT POLICY BUNDLE ARTIFACT`, each the name of a file.

use chancery_verify::verifier::{Artifact, Options, Verifier};
use chancery_verify::{Timestamp, bundle::Bundle, policy::Policy, trust_root::TrustRoot};
use std::{env, error::Error, fs, time::UNIX_EPOCH};

fn main() -> Result<(), Box<dyn Error>> {
    let files = env::args().skip(1).map(fs::read).collect::<Result<Vec<_>, _>>()?;
    let [root, policy, bundle, artifact] = files.as_slice() else { return Err("four files are needed".into()) };
    let verifier = Verifier::new(TrustRoot::parse(root)?, Options::default());
    let policy = Policy::parse(str::from_utf8(policy)?)?;
    let now = Timestamp::from_millis(u64::try_from(UNIX_EPOCH.elapsed()?.as_millis())?);
    let verified = verifier.verify(&Bundle::parse(bundle)?, &Artifact::Bytes(artifact), &policy, now)?;
    println!("{}", verified.signer);
    Ok(())
}
