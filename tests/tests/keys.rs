//! Keys that are not where they were made: encrypted files, a PKCS#11 token (SoftHSM), a key service (moto).

use chancery_tests::{
    ALICE, Client, Stack,
    client::Signer,
    key_service::KeyService,
    program::{Outcome, Program},
    stack::chancery_binary,
    token::Token,
};
use serde_json::Value;
use std::{env, fs, os::unix::fs::PermissionsExt as _, path::Path};
use tempfile::TempDir;

/// `chancery keys`, in a directory.
fn keys(directory: &TempDir) -> Program {
    Program::new(chancery_binary(), directory.path()).arg("keys")
}

fn openssl(directory: &TempDir) -> Program {
    Program::new("openssl", directory.path()).env("PATH", env::var_os("PATH").unwrap())
}

/// An encrypted key in `directory`, as a URI.
fn generate(directory: &TempDir, kind: &str) -> String {
    fs::write(directory.path().join("password"), "correct horse\n").unwrap();
    let generate = keys(directory).args("generate --password-file password --kind").arg(kind);
    generate.arg("--out").arg(format!("{kind}.pem")).run().succeeds().trim().to_owned()
}

fn report(outcome: &Outcome) -> Value {
    serde_json::from_str(&outcome.stdout).unwrap_or_else(|error| panic!("{error}: {}", outcome.report()))
}

/// Every client signs and verifies, before and after a restart.
fn clients_accept(mut stack: Stack, clients: &[Client]) {
    for round in ["first", "second"] {
        let alice = stack.person(ALICE);
        alice.write("artifact", "hello");
        for client in clients {
            client.sign(&alice, "artifact", round).run().succeeds();
            client.verify(&alice, "artifact", round, &Signer::of(&alice)).run().succeeds();
        }
        if round == "first" {
            stack.terminate();
            stack.resume();
        }
    }
}

#[test]
fn clients_verify_what_a_p384_authority_issues() {
    let directory = tempfile::tempdir().unwrap();
    clients_accept(Stack::start_with(&["--ca-key", &generate(&directory, "p384")]), &Client::ALL);
}

#[test]
fn clients_verify_what_an_rsa_authority_issues() {
    let directory = tempfile::tempdir().unwrap();
    clients_accept(Stack::start_with(&["--ca-key", &generate(&directory, "rsa-3072")]), &Client::ALL);
}

#[test]
fn clients_verify_what_an_authority_in_a_token_issues() {
    let token = Token::new();
    token.import("ca", "-algorithm EC -pkeyopt ec_paramgen_curve:P-384");
    let stack = Stack::start_in(&[("SOFTHSM2_CONF", token.configuration())], &["--ca-key", &token.uri("ca")]);
    clients_accept(stack, &Client::ALL);
}

#[test]
fn keys_in_a_token_are_found_and_tried() {
    let token = Token::new();
    let kinds = [
        ("p256", "-algorithm EC -pkeyopt ec_paramgen_curve:P-256", "P-256"),
        ("p384", "-algorithm EC -pkeyopt ec_paramgen_curve:P-384", "P-384"),
        ("rsa", "-algorithm RSA -pkeyopt rsa_keygen_bits:2048", "RSA 2048"),
    ];
    let test = |uri: &str| {
        let test = keys(token.directory()).env("SOFTHSM2_CONF", token.configuration()).args("test --json");
        test.arg(uri).run()
    };
    for (label, options, kind) in kinds {
        token.import(label, options);
        let outcome = test(&token.uri(label));
        let report = report(&outcome);
        assert_eq!((&report["usable"], &report["key"]["kind"]), (&true.into(), &kind.into()), "{}", outcome.report());
        outcome.succeeds();
    }
    fs::write(token.directory().path().join("wrong"), "9999").unwrap();
    for (uri, reason) in [
        (token.uri("nobody"), "no"),
        (token.uri("p256").replace("token=chancery", "token=other"), "no token matches"),
        (token.uri("p256").replace("/pin", "/wrong"), "PIN"),
        (token.uri("p256").replace("libsofthsm2.so", "libnothing.so"), "libnothing"),
    ] {
        let outcome = test(&uri);
        let refusal = report(&outcome)["refusal"].as_str().unwrap().to_owned();
        assert!(refusal.contains(reason) && !refusal.contains("9999"), "{uri}: {refusal}");
        outcome.fails_with(&[]);
    }
}

#[test]
fn openssl_and_chancery_read_each_other_s_encrypted_keys() {
    let directory = tempfile::tempdir().unwrap();
    let test = |file: &str| {
        let path = directory.path().join(file);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        let password = directory.path().join("password");
        keys(&directory).arg("test").arg(format!("file:{}?password-file={}", path.display(), password.display())).run()
    };
    for kind in ["p256", "p384", "rsa-2048"] {
        generate(&directory, kind);
        // From a file that is named twice, OpenSSL reads two passwords.
        fs::copy(directory.path().join("password"), directory.path().join("same-password")).unwrap();
        let file = format!("{kind}.pem");
        test(&file).succeeds();
        openssl(&directory).args("pkey -noout -check -passin file:password -in").arg(&file).run().succeeds();
        for (name, options) in [("pbkdf2", "-v2 aes-256-cbc -v2prf hmacWithSHA256"), ("scrypt", "-scrypt")] {
            let out = format!("{kind}-{name}.pem");
            let convert =
                openssl(&directory).args("pkcs8 -topk8 -passin file:password -passout file:same-password -in");
            convert.arg(&file).args(options).arg("-out").arg(&out).run().succeeds();
            test(&out).succeeds();
        }
    }
    fs::write(directory.path().join("password"), "wrong horse").unwrap();
    test("p256.pem").fails_with(&["the password does not open the key"]);
}

/// What OpenSSL writes, and has written for years: `(name, arguments)`; `%` is a P-256 key in PKCS#8.
const READ: [(&str, &str); 6] = [
    ("sec1.pem", "ec -in % -out"),
    ("parameters.pem", "ecparam -genkey -name prime256v1 -out"),
    ("rsa.pem", "genrsa -traditional -out"),
    ("pbkdf2-sha1.pem", "pkcs8 -topk8 -passout file:password -v2 aes-256-cbc -v2prf hmacWithSHA1 -in % -out"),
    ("pbkdf2-sha512.pem", "pkcs8 -topk8 -passout file:password -v2 aes-128-cbc -v2prf hmacWithSHA512 -in % -out"),
    ("scrypt.pem", "pkcs8 -topk8 -passout file:password -scrypt -in % -out"),
];

/// What is not read, and the form that the error names.
const CONVERTED: [(&str, &str, &str); 5] = [
    ("legacy.pem", "ec -in % -aes256 -passout file:password -out", "Proc-Type: 4,ENCRYPTED"),
    ("pbes1.pem", "pkcs8 -topk8 -passout file:password -v1 PBE-SHA1-3DES -in % -out", "not encrypted with PBES2"),
    ("des3.pem", "pkcs8 -topk8 -passout file:password -v2 des3 -in % -out", "not encrypted with PBES2"),
    ("explicit.pem", "ecparam -genkey -name prime256v1 -param_enc explicit -out", "has no name"),
    ("der.pem", "pkey -in % -outform DER -out", "is not PEM"),
];

#[test]
fn every_form_of_openssl_is_read_or_told_how_to_convert() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("password"), "correct horse\n").unwrap();
    openssl(&directory).args("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out plain.pem").run().succeeds();
    let make = |arguments: &str, name: &str| {
        openssl(&directory).args(&arguments.replace('%', "plain.pem")).arg(name).run().succeeds();
    };
    let test = |name: &str, password: bool| {
        let path = directory.path().join(name);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        let option = format!("?password-file={}", directory.path().join("password").display());
        let uri = format!("file:{}{}", path.display(), if password { option.as_str() } else { "" });
        keys(&directory).arg("test").arg(uri).run()
    };
    for (name, arguments) in READ {
        make(arguments, name);
        test(name, arguments.contains("password")).succeeds();
    }
    let bytes = fs::read(directory.path().join("sec1.pem")).unwrap();
    let windows = String::from_utf8(bytes).unwrap().replace('\n', "\r\n");
    fs::write(directory.path().join("windows.pem"), format!("Key of the CA\r\n{windows}\r\nend\r\n")).unwrap();
    test("windows.pem", false).succeeds();
    for (name, arguments, form) in CONVERTED {
        make(arguments, name);
        let is_encrypted = arguments.contains("password");
        let said = test(name, is_encrypted).written();
        assert!(said.contains(form), "{said}");
        // The command is what it says it is.
        let (_, command) = said.split_once("convert it: openssl ").unwrap();
        let convert = openssl(&directory).args(command.lines().next().unwrap());
        let passwords = "-passin file:password -passout file:same-password";
        fs::copy(directory.path().join("password"), directory.path().join("same-password")).unwrap();
        if is_encrypted { convert.args(passwords) } else { convert }.run().succeeds();
        test(&format!("{name}.new"), is_encrypted).succeeds();
    }
}

#[test]
fn keys_that_some_client_cannot_verify_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    for (options, reason) in [
        ("-algorithm ED25519", "Ed25519 is refused as a signing key: sigstore-python"),
        ("-algorithm EC -pkeyopt ec_paramgen_curve:P-521", "P-521 is refused as a signing key"),
        ("-algorithm RSA -pkeyopt rsa_keygen_bits:1024", "RSA 2048, 3072 or 4096"),
        ("-algorithm RSA -pkeyopt rsa_keygen_bits:2560", "refused"),
        ("-algorithm EC -pkeyopt ec_paramgen_curve:secp256k1", "P-256, P-384, RSA"),
    ] {
        openssl(&directory).args("genpkey -out key.pem").args(options).run().succeeds();
        let path = directory.path().join("key.pem");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        let outcome = keys(&directory).args("test --json").arg(format!("file:{}", path.display())).run();
        let report = report(&outcome);
        assert_eq!(report["usable"], false);
        assert!(report["refusal"].as_str().unwrap().contains(reason), "{options}: {report}");
        outcome.fails_with(&[]);
    }
    keys(&directory).args("test file:key.pem").run().fails_with(&["absolute"]);
    keys(&directory).args("generate --out new.pem").run().fails_with(&["--password-file"]);
    keys(&directory).args("generate --unencrypted --out key.pem").run().fails_with(&["key.pem"]);
}

#[test]
fn the_authority_s_key_is_decided_once_and_can_be_listed() {
    let directory = tempfile::tempdir().unwrap();
    let (uri, other) = (generate(&directory, "p256"), generate(&directory, "p384"));
    let mut stack = Stack::start_with(&["--ca-key", &uri]);
    let list = stack.chancery().args("keys list --json --data").arg(stack.data()).run().succeeds();
    let list: Value = serde_json::from_str(&list).unwrap();
    let roles: Vec<&str> = list.as_array().unwrap().iter().map(|key| key["role"].as_str().unwrap()).collect();
    let own = ["ca", "ct", "rekor", "rekor2", "issuer", "tsa"];
    let tuf = ["tuf-root", "tuf-targets", "tuf-snapshot", "tuf-timestamp"];
    assert_eq!(roles, [&own[..], &tuf].concat());
    let tested = keys(&directory).args("test --json").arg(&uri).run();
    assert_eq!(
        (&list[0]["place"], &list[0]["fingerprint"]),
        (&uri.as_str().into(), &report(&tested)["key"]["fingerprint"])
    );
    assert!(list[0]["certificate_ends_at_seconds"].is_u64(), "the roots' keys are nowhere: {list}");
    stack.terminate();
    let start = |uri: &str| {
        let data = stack.data();
        stack.chancery().args("dev --listen 127.0.0.1:0 --ca-key").arg(uri).arg("--data").arg(data).run()
    };
    start(&other).fails_with(&["to start with another key, use a new data directory", &uri]);
    start("file:ca.pem").fails_with(&["absolute"]);
    fs::write(directory.path().join("password"), "wrong horse").unwrap();
    start(&uri).fails_with(&["the password does not open the key"]);
}

/// moto takes a digest for a message and hashes it once more, so that what it signs is not what it was asked to sign: a
/// service that answers with another signature than ours is found out.
#[test]
fn a_signature_over_something_else_is_found_out() {
    let service = KeyService::start();
    let directory = tempfile::tempdir().unwrap();
    let credentials = directory.path().join("aws.ini");
    fs::write(&credentials, "aws_access_key_id = tests\naws_secret_access_key = no/secret=\n").unwrap();
    let uri = |id: &str| {
        format!("awskms://{}/{id}?region=eu-central-1&credentials={}", service.address(), credentials.display())
    };
    for (kind, curve) in
        [("ECC_NIST_P256", true), ("ECC_NIST_P384", true), ("RSA_2048", true), ("ECC_NIST_P521", false)]
    {
        let outcome = keys(&directory).arg("test").arg(uri(&service.create(kind))).run();
        let reason = if curve { "does not verify with the key's public half" } else { "P-521 is refused" };
        outcome.fails_with(&[reason]);
    }
    keys(&directory).arg("test").arg(uri("alias/nobody")).run().fails_with(&["NotFoundException"]);
}

#[test]
fn only_permitted_kinds_of_client_keys_are_certified() {
    let stack = Stack::start_with(&["--client-signing-algorithms", "ecdsa-sha2-384-nistp384,ed25519"]);
    let alice = stack.person(ALICE);
    alice.write("artifact", "hello");
    // Both make P-256 keys; sigstore-python makes them, too, and keeps the reason to itself.
    for client in [Client::Cosign3, Client::Cosign2] {
        client.sign(&alice, "artifact", "bundle").run().fails_with(&["signing algorithm not permitted"]);
    }
    let unknown = stack.chancery().args("dev --client-signing-algorithms ed25519-ph").run();
    unknown.fails_with(&["ed25519-ph", "ecdsa-sha2-256-nistp256"]);
}

#[test]
fn no_password_is_written_down() {
    let directory = tempfile::tempdir().unwrap();
    let uri = generate(&directory, "p256");
    let key = fs::read_to_string(directory.path().join("p256.pem")).unwrap();
    assert!(key.starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----"), "{key}");
    assert!(!uri.contains("horse"), "{uri}");
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&directory.path().join("p256.pem")), 0o600);
    let file = directory.path().join("p256.pem");
    let variable = format!("file:{}?password-env=KEY_PASSWORD", file.display());
    let test = || keys(&directory).arg("test").arg(&variable);
    test().env("KEY_PASSWORD", "correct horse").run().succeeds();
    test().run().fails_with(&["KEY_PASSWORD is not set"]);
    let wrong = format!("file:{}?password=correct", file.display());
    keys(&directory).arg("test").arg(wrong).run().fails_with(&["password-file"]);
}
