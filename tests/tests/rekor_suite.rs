//! Rekor v1 before Rekor's own end-to-end tests: unmodified, compiled from the module of rekor-cli. Not run unless asked for:
//!
//! ```text
//! tests/clients/install "$CHANCERY_CLIENTS" rekor-suite
//! cargo test -p chancery-tests --features rekor-suite --test rekor_suite
//! ```
//!
//! [`PACKAGES`] has every test of theirs: those that run, and those that are left out, with the reason.

use chancery_tests::{
    Stack,
    person::client,
    program::{Outcome, Program},
};
use std::{
    collections::BTreeSet,
    env, fs,
    path::{Path, PathBuf},
};
use tempfile::TempDir;

/// The version that rekor-cli has, and with it the suite.
const VERSION: &str = "v1.5.4";
/// Where some of the tests ask, whatever they are told.
const PORT: u16 = 3000;
const METRICS: &str = "127.0.0.1:2112";

/// The package whose tests want no payload kept beside an entry. Rekor keeps none of this kind, whatever its operator says.
const DSSE: &str = "pkg/types/dsse/v0.0.1";

/// One package of the suite.
struct Package {
    path: &'static str,
    runs: &'static [&'static str],
    /// With the reason.
    left_out: &'static [(&'static str, &'static str)],
}

const fn package(path: &'static str, runs: &'static [&'static str]) -> Package {
    Package { path, runs, left_out: &[] }
}

const PACKAGES: [Package; 15] = [
    Package {
        path: "tests",
        runs: &[
            "TestDuplicates",
            "TestEnvVariableValidation",
            "TestGetCLI",
            "TestGetLogProofInvalidShard",
            "TestHarnessAddEntry",
            "TestHarnessAddIntoto",
            "TestHarnessGetAllEntriesLogIndex",
            "TestHarnessGetAllEntriesUUID",
            "TestInclusionProofRace",
            "TestSearchLogQuerySingleShard",
            "TestSearchQueryNonExistentEntry",
            "TestSearchValidateTreeID",
            "TestSignedEntryTimestamp",
        ],
        left_out: &[
            ("TestIssue1308", "skips itself where the log has an entry, and ours begins with one"),
            ("TestDialE2E", "is about the connection of Rekor's server to Trillian"),
            ("TestNewAPIWithTLS", "is about the connection of Rekor's server to Trillian"),
            ("TestEntryUpload", "waits for a message of Google's pub/sub"),
        ],
    },
    package(
        "cmd/rekor-cli",
        &[
            "TestGetNonExistentIndex",
            "TestGetNonExistentUUID",
            "TestLogInfo",
            "TestLogProofLastSizeBiggerThanCurrentLog",
            "TestVerifyNonExistentIndex",
        ],
    ),
    Package {
        path: "cmd/rekor-server",
        runs: &[
            "TestDuplicates",
            "TestEnvVariableValidation",
            "TestGetCLI",
            "TestHTTPMaxRequestBodySize",
            "TestMetricsCounts",
            "TestSearchBySANSubject",
            "TestSearchNoEntriesRC1",
            "TestSearchQueryLimit",
            "TestSearchQueryMalformedEntry",
            "TestSearchSHA512",
            "TestVerifyNonExistentUUID",
        ],
        left_out: &[("TestHostnameInSTH", "asks Docker for the name of Rekor's container")],
    },
    package("pkg/pki/minisign", &["TestMinisign"]),
    package("pkg/pki/ssh", &["TestSSH"]),
    package("pkg/pki/tuf", &["TestTufVerifyUpload"]),
    package("pkg/pki/x509", &["TestX509"]),
    package("pkg/types/alpine", &["TestAPK"]),
    package(
        DSSE,
        &[
            "TestDsse",
            "TestDsseMultiSig",
            "TestMismatchedKeySingleSigner",
            "TestNoSignature",
            "TestSendingCanonicalizedDSSE",
            "TestSendingEntryWithClientComputedHashes",
            "TestThreePublicKeysTwoSignatures",
            "TestTwoPublicKeysOneSignature",
            "TestTwoPublicKeysTwoSignatures",
        ],
    ),
    package("pkg/types/hashedrekord/v0.0.1", &["TestSHA256HashedRekordEntry"]),
    package(
        "pkg/types/intoto",
        &[
            "TestIntoto",
            "TestIntotoMultiSig",
            "TestValidationSearchIntotoV001MissingPayloadHash",
            "TestValidationSearchIntotoV002MissingEnvelope",
            "TestValidationSearchIntotoV002MissingEnvelopeHash",
            "TestValidationSearchIntotoV002MissingPayloadHash",
        ],
    ),
    package("pkg/types/jar", &["TestJAR"]),
    package("pkg/types/rekord", &["TestUploadVerifyHashedRekord", "TestUploadVerifyRekord"]),
    package("pkg/types/rfc3161", &["TestTimestampArtifact"]),
    package("pkg/types/rpm", &["TestUploadVerifyRpm"]),
];

const KINDS: &str = "hashedrekord,dsse,intoto,rekord,rfc3161,cose,helm,tuf,jar,rpm,alpine";

/// What a run of the suite keeps: the programs it calls, their settings, and what one of its tests leaves for the next.
struct Suite {
    directory: TempDir,
    server: Stack,
}

impl Suite {
    fn before(server: Stack) -> Self {
        let directory = tempfile::Builder::new().prefix("chancery-suite-").tempdir().unwrap();
        fs::create_dir(directory.path().join("programs")).unwrap();
        fs::create_dir(directory.path().join("harness")).unwrap();
        fs::copy(client("rekor-suite/rekor-cli"), directory.path().join("programs/rekor-cli")).unwrap();
        fs::write(directory.path().join("programs.rekor.yaml"), "").unwrap();
        Self { directory, server }
    }

    /// Runs one test, as its package's directory has its data.
    fn run(&self, package: &str, test: &str) -> Outcome {
        let package = client("rekor-suite").join(package);
        let programs = self.directory.path().join("programs");
        let tree = self.server.get("/api/v1/log").expect(200).json()["treeID"].as_str().unwrap().to_owned();
        let path = format!("{}:{}", programs.display(), env::var("PATH").unwrap());
        Program::new(package.join("e2e.test"), &package)
            .arg("-test.v")
            .arg(format!("-test.run=^{test}$"))
            .env("PATH", path)
            .env("HOME", self.directory.path())
            .env("TMPDIR", env::temp_dir())
            .env("REKORTMPDIR", programs)
            .env("REKOR_SERVER", self.server.url())
            .env("REKOR_HARNESS_TMPDIR", self.directory.path().join("harness"))
            .env("CLI_VERSION", VERSION)
            .env("SERVER_VERSION", VERSION)
            .env("TREE_ID", tree)
            .run()
    }
}

impl Drop for Suite {
    /// The tests have rekor-cli write how much of it they have run, where nobody reads it.
    fn drop(&mut self) {
        for path in fs::read_dir("/tmp").into_iter().flatten().flatten().map(|entry| entry.path()) {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let is_of_them = name.starts_with("rekor-cli.") || name.starts_with("pkg-rekor-cli.");
            if is_of_them && path.extension().is_some_and(|extension| extension == "cov") {
                let _ = fs::remove_file(&path);
            }
        }
    }
}

fn passes(suite: &Suite, packages: impl Iterator<Item = Package>) {
    let mut failed = Vec::new();
    for package in packages {
        for test in package.runs {
            let outcome = suite.run(package.path, test);
            if !outcome.status.success() || !outcome.stdout.contains(&format!("--- PASS: {test} ")) {
                failed.push(format!("{} {}", package.path, outcome.report()));
            }
        }
    }
    assert!(failed.is_empty(), "{} failed:\n{}", failed.len(), failed.join("\n"));
}

/// Against a server with all that the suite's own has: every kind of entry, and attestations kept.
#[test]
fn it_passes_the_end_to_end_tests_of_rekor() {
    let server = Stack::start_on(PORT, &["--metrics", METRICS, "--rekor-v1-kinds", KINDS, "--rekor-v1-attestations"]);
    passes(&Suite::before(server), PACKAGES.into_iter().filter(|package| package.path != DSSE));
}

#[test]
fn it_passes_those_of_envelopes_where_it_keeps_none() {
    passes(&Suite::before(Stack::start()), PACKAGES.into_iter().filter(|package| package.path == DSSE));
}

/// Every end-to-end test below `directory`, with its package.
fn found(directory: &Path, package: &str, tests: &mut BTreeSet<(String, String)>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path: PathBuf = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            let inside = if package.is_empty() { name } else { format!("{package}/{name}") };
            found(&path, &inside, tests);
        } else if name.ends_with("_test.go") {
            let source = fs::read_to_string(&path).unwrap();
            if source.contains("//go:build e2e") {
                let heads = source.lines().filter_map(|line| line.strip_prefix("func "));
                let heads = heads.filter_map(|head| head.split_once("(t *testing.T)"));
                let names = heads.map(|(name, _)| name).filter(|name| name.starts_with("Test"));
                tests.extend(names.map(|name| (package.to_owned(), name.to_owned())));
            }
        }
    }
}

#[test]
fn every_test_of_the_suite_runs_or_is_left_out_for_a_reason() {
    let mut there = BTreeSet::new();
    found(&client("rekor-suite"), "", &mut there);
    let known = |package: &Package| -> Vec<(String, String)> {
        assert!(package.left_out.iter().all(|(_, reason)| reason.contains(' ')), "{}: a reason", package.path);
        let names = package.runs.iter().chain(package.left_out.iter().map(|(name, _)| name));
        names.map(|name| (package.path.to_owned(), (*name).to_owned())).collect()
    };
    let known: BTreeSet<(String, String)> = PACKAGES.iter().flat_map(known).collect();
    assert_eq!(there, known);
    let version = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("clients/rekor-cli/go.mod")).unwrap();
    assert!(version.contains(&format!("github.com/sigstore/rekor {VERSION}")), "{VERSION}");
}
