//! The roots of the two authorities: no private key of one is on a server, and a company may have a root of its own.
//!
//! OpenSSL is the company's authority. Every wrong chain is one that it issues.

use chancery_tests::{
    ALICE, Client, Stack,
    program::{Outcome, Program},
    rotation::{Rotated, sign, trusted, verify},
    stack::chancery_binary,
    token::Token,
    waiting::eventually,
};
use serde_json::Value;
use std::{
    env, fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};
use tempfile::TempDir;

fn openssl(directory: &Path) -> Program {
    Program::new("openssl", directory).env("PATH", env::var_os("PATH").unwrap())
}

/// The public half of a private key in any form that OpenSSL reads, in PEM.
fn public_half(file: &Path) -> Option<String> {
    let directory = file.parent().unwrap();
    ["PEM", "DER"].into_iter().find_map(|form| {
        let read = openssl(directory).args("pkey -pubout -passin pass: -inform").arg(form).arg("-in").arg(file).run();
        read.status.success().then_some(read.stdout)
    })
}

/// The public keys of the roots in a chain of `keys/`, in PEM.
fn root_keys(data: &Path) -> Vec<String> {
    let chains = fs::read_dir(data.join("keys")).unwrap().map(|file| file.unwrap().path());
    let chains = chains.filter(|path| path.to_str().unwrap().ends_with("-chain.pem"));
    let keys: Vec<String> = chains
        .map(|path| {
            let text = fs::read_to_string(&path).unwrap();
            let root = text.rfind("-----BEGIN").unwrap();
            let file = tempfile::NamedTempFile::new().unwrap();
            fs::write(file.path(), &text[root..]).unwrap();
            openssl(data).args("x509 -noout -pubkey -in").arg(file.path()).run().succeeds()
        })
        .collect();
    assert!(keys.len() >= 2, "{keys:?}");
    keys
}

/// Every file below a directory.
fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// No file below `directory` is the private key of a root in the chains of `data`.
#[track_caller]
fn has_no_root_key(directory: &Path, data: &Path) {
    let roots = root_keys(data);
    let mut keys = 0;
    for file in files(directory) {
        if let Some(public) = public_half(&file) {
            keys += 1;
            assert!(!roots.contains(&public), "{} is the key of a root", file.display());
        }
    }
    assert!(keys >= 6, "the others are there: {keys}");
}

#[test]
fn no_private_key_of_a_root_is_left_by_a_start_or_a_rotation() {
    let stack = Stack::start();
    has_no_root_key(&stack.data(), &stack.data());
    for role in ["ca", "tsa"] {
        let rotated = Rotated::of(&stack, role);
        rotated.step("stage").succeeds();
        rotated.step("activate --overlap 0s").succeeds();
    }
    assert_eq!(root_keys(&stack.data()).len(), 4, "each rotation has made a root");
    has_no_root_key(&stack.data(), &stack.data());
    let list = stack.chancery().args("keys list --data").arg(stack.data()).run().succeeds();
    assert!(!list.contains("ca-root") && !list.contains("tsa-root"), "{list}");
    let forgotten = stack.chancery().args("keys forget-root ca --data").arg(stack.data()).run().succeeds();
    assert!(forgotten.contains("there is no private key of a ca root"), "{forgotten}");
}

#[test]
fn a_directory_of_an_earlier_version_goes_on_and_is_told() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/data-schema-1");
    let mut stack = Stack::over(&golden);
    let root = stack.data().join("keys/ca-root.pem");
    let said = stack.server().stderr();
    assert!(said.contains("chancery keys forget-root ca --data ") && said.contains("ca-root.pem"), "{said}");
    let list = stack.chancery().args("keys list --data").arg(stack.data()).run().succeeds();
    assert!(list.contains("ca-root.pem"), "{list}");
    let forget = || stack.chancery().args("keys forget-root ca --data").arg(stack.data()).run().succeeds();
    let key = fs::read(&root).unwrap();
    let said = forget();
    assert!(said.contains("destroyed: ") && !root.exists(), "{said}");
    // As a power cut leaves it between the two steps.
    fs::write(&root, vec![0; key.len()]).unwrap();
    fs::set_permissions(&root, fs::Permissions::from_mode(0o600)).unwrap();
    let list = stack.chancery().args("keys list --data").arg(stack.data()).run().succeeds();
    assert!(!list.contains("ca-root.pem"), "{list}");
    let said = forget();
    assert!(said.contains("destroyed: ") && !root.exists(), "{said}");
    has_no_root_key(&stack.data(), &stack.data());
    stack.terminate();
    stack.resume();
    assert!(!stack.server().stderr().contains("forget-root"), "{}", stack.server().stderr());
    Rotated::of(&stack, "ca").step("stage").succeeds();
    assert!(!stack.data().join("keys/ca-root-2.pem").exists());
}

/// The company's authority: its keys and certificates, and how it issues.
struct Company(TempDir);

impl Company {
    fn new() -> Self {
        let company = Self(TempDir::new().unwrap());
        let ca = "basicConstraints = critical,CA:TRUE,pathlen:0\nkeyUsage = critical,keyCertSign,cRLSign\n\
            subjectKeyIdentifier = hash\nauthorityKeyIdentifier = keyid\n";
        let unnamed = ca.replace("authorityKeyIdentifier = keyid", "authorityKeyIdentifier = none");
        let root = |length: u8| {
            format!(
                "basicConstraints = critical,CA:TRUE,pathlen:{length}\nkeyUsage = critical,keyCertSign,cRLSign\n\
                 subjectKeyIdentifier = hash\n"
            )
        };
        let configuration = format!(
            "[req]\ndistinguished_name = name\nprompt = no\n[name]\nO = Company\nCN = Company Root\n\
             [root]\n{}[short]\n{}[without_usage]\n{ca}[leaf]\nextendedKeyUsage = codeSigning\n\
             [constrained]\n{ca}extendedKeyUsage = codeSigning\nnameConstraints = critical,permitted;email:example.org\n\
             [unnamed]\n{unnamed}extendedKeyUsage = codeSigning\n",
            root(1),
            root(0)
        );
        fs::write(company.path("company.cnf"), configuration).unwrap();
        for name in ["root", "short"] {
            let make =
                "req -x509 -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 -config company.cnf";
            let make = openssl(company.0.path()).args(make).args("-extensions").arg(name).arg("-keyout");
            make.arg(format!("{name}.key")).arg("-out").arg(format!("{name}.pem")).run().succeeds();
        }
        company
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Issues what `request` asks for, below `root`, with these options; returns the chain.
    fn issue(&self, request: &Path, root: &str, options: &str) -> PathBuf {
        let issue = openssl(self.0.path()).args("x509 -req -out issued.crt -in").arg(request);
        let issue = issue.arg("-CA").arg(format!("{root}.pem")).arg("-CAkey").arg(format!("{root}.key"));
        issue.args(options).run().succeeds();
        let read = |name: &str| fs::read_to_string(self.path(name)).unwrap();
        // The root first: any order is taken.
        fs::write(self.path("chain.pem"), read(&format!("{root}.pem")) + &read("issued.crt")).unwrap();
        self.path("chain.pem")
    }
}

/// What the company issues for a request as it is.
const AS_REQUESTED: &str = "-days 365 -copy_extensions copy";

/// `chancery keys VERB ROLE`, on the data of `stack`.
fn keys(stack: &Stack, line: &str) -> Program {
    stack.chancery().arg("keys").args(line).arg("--data").arg(stack.data())
}

fn import(stack: &Stack, role: &str, chain: &Path) -> Outcome {
    keys(stack, "import").arg(role).arg(chain).run()
}

/// Makes a request, checks that OpenSSL verifies it, and returns its file.
fn request(stack: &Stack, company: &Company, role: &str) -> PathBuf {
    let file = company.path(&format!("{role}.csr"));
    let said = keys(stack, "request").arg(role).arg("--out").arg(&file).run();
    assert!(said.stderr.contains(&format!("chancery keys import {role} CHAIN.pem")), "{}", said.report());
    said.succeeds();
    openssl(company.0.path()).args("req -verify -noout -in").arg(&file).run().succeeds();
    file
}

#[test]
fn a_company_s_own_root_issues_to_both_authorities() {
    let (stack, company) = (Stack::start(), Company::new());
    let alice = stack.person(ALICE);
    alice.write("artifact", "hello");
    let mut bundles = sign(&alice, "before", &Client::ALL);
    for (role, list) in [("ca", "certificateAuthorities"), ("tsa", "timestampAuthorities")] {
        let request = request(&stack, &company, role);
        let recorded = stack.data().join(format!("keys/{role}-request.json"));
        let text = fs::read(&recorded).unwrap();
        import(&stack, role, &company.issue(&request, "root", AS_REQUESTED)).succeeds();
        assert!(!recorded.exists());
        // As a power cut leaves it between the ring and the request.
        fs::write(&recorded, text).unwrap();
        let rotated = Rotated::of(&stack, role);
        assert_eq!(rotated.states(), ["active", "staged"]);
        rotated.step("activate --overlap 0s").succeeds();
        bundles.extend(sign(&alice, role, &Client::ALL));
        eventually("the company's root is trusted", || trusted(&stack, list).len() == 2);
        let chain = fs::read_to_string(stack.data().join(format!("keys/{role}-2-chain.pem"))).unwrap();
        assert!(chain.ends_with(&fs::read_to_string(company.path("root.pem")).unwrap()), "{chain}");
        rotated.step("retire").succeeds();
        // A root of ours does not take its place unless it is asked for.
        rotated.step("stage").fails_with(&["are another authority's", "chancery keys request", "--new-root"]);
        import(&stack, role, &company.path("chain.pem")).fails_with(&["no request of", "is open"]);
    }
    verify(&alice, &bundles);
    has_no_root_key(&stack.data(), &stack.data());
    Rotated::of(&stack, "ca").step("stage --new-root").succeeds();
}

#[test]
fn every_wrong_chain_is_explained() {
    let (stack, company) = (Stack::start(), Company::new());
    let request = request(&stack, &company, "ca");
    let refused = |root: &str, options: &str, sentence: &str| {
        let chain = company.issue(&request, root, options);
        import(&stack, "ca", &chain).fails_with(&["cannot use", "chain.pem", sentence]);
    };
    refused("root", "-days -1 -copy_extensions copy", "expired at ");
    refused("short", AS_REQUESTED, "has path length 0, and 1 is needed for the CAs below it");
    let with = |section: &str| format!("-days 365 -extfile company.cnf -extensions {section}");
    refused("root", &with("without_usage"), "does not have the extended key usage codeSigning (1.3.6.1.5.5.7.3.3)");
    refused("root", &with("constrained"), "has name constraints (permitted email example.org)");
    refused("root", &with("unnamed"), "has no authority key identifier");
    refused("root", &with("leaf"), "is not a CA; have it issued with the basic constraint CA:TRUE");
    refused("root", "-days 365 -copy_extensions copy -set_serial -5", "has a negative serial number");
    refused("root", "-days 365 -copy_extensions copy -sha1", "signed with an algorithm that clients do not verify");

    // For another key.
    let make = "req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout other.key -out other.csr \
         -subj /CN=Other -addext basicConstraints=critical,CA:TRUE";
    openssl(company.0.path()).args(make).run().succeeds();
    let other = company.issue(&company.path("other.csr"), "root", AS_REQUESTED);
    import(&stack, "ca", &other).fails_with(&["no certificate in it is for the key"]);
    // A key that is there has its kind.
    keys(&stack, "request ca --kind p384").run().fails_with(&["its kind is P-256", "leave out --kind"]);
    // Without its root.
    let chain = company.issue(&request, "root", AS_REQUESTED);
    import(&stack, "ca", &company.path("issued.crt")).fails_with(&[
        "the certificate of «",
        "Company Root",
        "is missing",
    ]);
    // As some authorities hand it out.
    let bundle = "crl2pkcs7 -nocrl -certfile chain.pem -out chain.p7b";
    openssl(company.0.path()).args(bundle).run().succeeds();
    import(&stack, "ca", &company.path("chain.p7b")).fails_with(&["openssl pkcs7 -print_certs"]);
    assert_eq!(Rotated::of(&stack, "ca").states(), ["active"], "nothing was staged");
    import(&stack, "ca", &chain).succeeds();
}

/// A configuration in a directory of its own, with these lines in `[ca]`.
fn site(ca: &str) -> TempDir {
    let site = TempDir::new().unwrap();
    let text = format!(
        "url = \"http://sign.example.test\"\norganization = \"Example\"\ndata = \"data\"\n[listen]\n\
         address = \"127.0.0.1:0\"\n[ca]\nissuers = \"issuers.toml\"\n{ca}\n"
    );
    fs::write(site.path().join("chancery.toml"), text).unwrap();
    fs::write(site.path().join("issuers.toml"), "[[issuer]]\npreset = \"google\"\n").unwrap();
    fs::write(site.path().join("password"), "correct horse battery staple\n").unwrap();
    site
}

fn chancery(site: &TempDir, line: &str) -> Program {
    Program::new(chancery_binary(), site.path()).args(line)
}

/// A URI of a file in `directory`, encrypted with its password.
fn uri(directory: &Path, name: &str) -> String {
    let at = |name: &str| directory.join(name).display().to_string();
    format!("file:{}?password-file={}", at(name), at("password"))
}

#[test]
fn a_root_s_key_that_is_kept_issues_again_and_is_nowhere_else() {
    let elsewhere = TempDir::new().unwrap();
    fs::write(elsewhere.path().join("password"), "correct horse battery staple\n").unwrap();
    let root = uri(elsewhere.path(), "root.pem");
    let site = site(&format!("root_key = \"{root}\""));
    let said = chancery(&site, "init --config chancery.toml").run().succeeds();
    assert!(said.contains("where root_key says"), "{said}");
    let file = elsewhere.path().join("root.pem");
    assert!(fs::read_to_string(&file).unwrap().starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----"));
    has_no_root_key(&site.path().join("data"), &site.path().join("data"));
    let keys: Value = serde_json::from_str(&chancery(&site, "keys list --json --data data").run().succeeds()).unwrap();
    let kept = keys.as_array().unwrap().iter().find(|key| key["role"] == "ca-root").unwrap();
    assert_eq!(kept["place"], root.as_str());

    let last = |name: &str| {
        let text = fs::read_to_string(site.path().join("data/keys").join(name)).unwrap();
        text[text.rfind("-----BEGIN").unwrap()..].to_owned()
    };
    chancery(&site, "keys rotate ca --data data stage --wait 0s").run().succeeds();
    assert_eq!(last("ca-chain.pem"), last("ca-2-chain.pem"), "one root for both");
    chancery(&site, "keys rotate ca --data data abandon").run().succeeds();
    fs::rename(&file, elsewhere.path().join("aside.pem")).unwrap();
    let other =
        chancery(&site, "keys generate --password-file").arg(elsewhere.path().join("password").display().to_string());
    other.arg("--out").arg(&file).run().succeeds();
    let taken = chancery(&site, "keys rotate ca --data data --wait 0s stage").run();
    taken.fails_with(&["is not the one of the root that has issued before", "--new-root"]);
    fs::remove_file(&file).unwrap();
    let stage = || chancery(&site, "keys rotate ca --data data --wait 0s stage");
    stage().run().fails_with(&["cannot use the root key", "bring it back", "--new-root"]);
    assert!(!file.exists(), "no other root was made in its place");
    stage().arg("--new-root").run().succeeds();
    assert_ne!(last("ca-chain.pem"), last("ca-3-chain.pem"));
}

#[test]
fn an_init_that_failed_because_of_its_root_is_run_again_with_another() {
    let site = site("root_key = \"file:/nowhere/at/all/root.pem\"");
    chancery(&site, "init --config chancery.toml").run().fails_with(&["cannot use the ca-root key", "/nowhere/at/all"]);
    let file = site.path().join("chancery.toml");
    let before = fs::read_to_string(&file).unwrap();
    fs::write(&file, before.replace("root_key = \"file:/nowhere/at/all/root.pem\"", "")).unwrap();
    let said = chancery(&site, "init --config chancery.toml").run().succeeds();
    assert!(said.contains("no key of a root is on this machine"), "{said}");
    has_no_root_key(&site.path().join("data"), &site.path().join("data"));
}

#[test]
fn an_instance_begins_below_a_company_s_root() {
    let company = Company::new();
    let site = site("");
    let key = uri(site.path(), "ca.pem");
    chancery(&site, "keys generate --out ca.pem --password-file password").run().succeeds();
    let request = chancery(&site, "keys request ca --organization Example --out ca.csr --key").arg(&key).run();
    assert!(request.stderr.contains("chancery init"), "{}", request.report());
    request.succeeds();
    let chain = company.issue(&site.path().join("ca.csr"), "root", AS_REQUESTED);
    let file = site.path().join("chancery.toml");
    let before = fs::read_to_string(&file).unwrap();
    let with = |key: &str, chain: &Path| format!("{before}key = \"{key}\"\nchain = \"{}\"\n", chain.display());
    chancery(&site, "keys generate --out other.pem --password-file password").run().succeeds();
    for (key, chain, said) in [
        (&key, &company.path("root.pem"), "no certificate in it is for the key"),
        (&uri(site.path(), "other.pem"), &chain, "no certificate in it is for the key"),
        (&uri(site.path(), "missing.pem"), &chain, "missing.pem"),
    ] {
        fs::write(&file, with(key, chain)).unwrap();
        chancery(&site, "init --config chancery.toml").run().fails_with(&["ca", said]);
        assert!(!site.path().join("data").exists(), "which key it has cannot change once it is made");
        assert!(!site.path().join("missing.pem").exists(), "the certificates are for a key that exists");
    }
    fs::write(&file, with(&key, &chain)).unwrap();
    chancery(&site, "init --config chancery.toml").run().succeeds();
    let kept = fs::read_to_string(site.path().join("data/keys/ca-chain.pem")).unwrap();
    assert!(kept.ends_with(&fs::read_to_string(company.path("root.pem")).unwrap()), "{kept}");
    let stage = chancery(&site, "keys rotate ca --data data stage").run();
    stage.fails_with(&["are another authority's", "chancery keys request ca"]);
}

#[test]
fn a_new_key_is_kept_as_the_one_before_is() {
    let directory = TempDir::new().unwrap();
    fs::write(directory.path().join("password"), "correct horse battery staple\n").unwrap();
    let generate = Program::new(chancery_binary(), directory.path());
    generate.args("keys generate --out ca.pem --password-file password").run().succeeds();
    let stack = Stack::start_with(&["--ca-key", &uri(directory.path(), "ca.pem")]);
    let rotated = Rotated::of(&stack, "ca");
    rotated.step("stage").succeeds();
    assert_eq!(rotated.generations()[1]["place"], uri(directory.path(), "ca-2.pem").as_str());
    let next = directory.path().join("ca-2.pem");
    assert!(fs::read_to_string(&next).unwrap().starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----"));
    assert_eq!(fs::metadata(&next).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(!stack.data().join("keys/ca-2.pem").exists());
    rotated.step("activate --overlap 0s").succeeds();
    rotated.step("retire").succeeds();
    rotated.step("stage").succeeds();
    assert_eq!(rotated.generations()[2]["place"], uri(directory.path(), "ca-3.pem").as_str());

    let token = Token::new();
    token.import("ca", "-algorithm EC -pkeyopt ec_paramgen_curve:P-256");
    let stack = Stack::start_in(&[("SOFTHSM2_CONF", token.configuration())], &["--ca-key", &token.uri("ca")]);
    Rotated::of(&stack, "ca").step("stage").fails_with(&["in a token or key service", "--key URI"]);
    assert_eq!(Rotated::of(&stack, "ca").states(), ["active"]);
}

#[test]
fn one_key_for_two_roles_is_refused_with_both_named() {
    let site = site("");
    chancery(&site, "keys generate --out one.pem --unencrypted").run().succeeds();
    fs::copy(site.path().join("one.pem"), site.path().join("copy.pem")).unwrap();
    let file = site.path().join("chancery.toml");
    let before = fs::read_to_string(&file).unwrap();
    let uri = |name: &str| format!("file:{}", site.path().join(name).display());
    for (tsa, said) in [("one.pem", "[ca] key and [tsa] key are one key"), ("copy.pem", "lead to one key")] {
        fs::write(&file, format!("{before}key = \"{}\"\n[tsa]\nkey = \"{}\"\n", uri("one.pem"), uri(tsa))).unwrap();
        chancery(&site, "init --config chancery.toml").run().fails_with(&["[ca] key", "[tsa] key", said]);
        assert!(!site.path().join("data").exists(), "nothing was made");
    }
    let mut stack = Stack::start();
    let own = |name: &str| format!("file:{}", stack.data().join("keys").join(name).display());
    let rotate = |role: &'static str, key: &str| Rotated::of(&stack, role).rotate("stage --key").arg(own(key)).run();
    rotate("tsa", "ca.pem").fails_with(&["the key for tsa is the one of ca"]);
    rotate("ca", "tuf-root.pem").fails_with(&["the key for ca is the one of tuf-root"]);
    let tuf = stack.chancery().args("trust rotate --role targets --data").arg(stack.data()).arg("--key");
    tuf.arg(own("rekor.pem")).run().fails_with(&["the key for tuf-targets is the one of rekor"]);
    // A directory that somebody has put together, without what was published: that would be missed first.
    stack.terminate();
    let (published, aside) = (stack.data().join("trust/trusted_root.json"), site.path().join("published.json"));
    fs::rename(&published, &aside).unwrap();
    let (ct, rekor) = (stack.data().join("keys/ct.pub"), stack.data().join("keys/rekor.pub"));
    let whole = fs::read(&rekor).unwrap();
    fs::copy(ct, &rekor).unwrap();
    stack.dev_command().run().fails_with(&["the keys of ct and rekor in ", "are one key"]);
    fs::write(&rekor, whole).unwrap();
    fs::rename(aside, published).unwrap();
}
