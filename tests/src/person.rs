//! Somebody with a home directory and the client programs.

use crate::{
    program::Program,
    stack::{self, Stack},
};
use std::{
    env, fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};
use tempfile::TempDir;

/// A person at a machine of their own: nothing of this machine's home or environment reaches the programs they run,
/// and nothing those programs do leaves the machine.
pub struct Person {
    pub email: String,
    home: TempDir,
    url: String,
    trust: PathBuf,
}

impl Person {
    pub(crate) fn new(stack: &Stack, email: &str) -> Self {
        Self::at(&stack.url(), stack.data().join("trust"), email)
    }

    /// Somebody who uses the instance at `url`, whose trust files are in `trust`.
    pub fn at(url: &str, trust: PathBuf, email: &str) -> Self {
        let home = tempfile::Builder::new().prefix("chancery-home-").tempdir().unwrap();
        fs::create_dir(home.path().join("bin")).unwrap();
        Self { email: email.to_owned(), home, url: url.to_owned(), trust }
    }

    /// The same person, believing the trust files of this directory.
    #[must_use]
    pub fn trusting(mut self, directory: PathBuf) -> Self {
        self.trust = directory;
        self
    }

    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// Where a file of this name is in the home directory.
    pub fn path(&self, name: &str) -> PathBuf {
        self.home().join(name)
    }

    /// Writes a file in the home directory.
    pub fn write(&self, name: &str, contents: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, contents).unwrap();
        path
    }

    /// Reads a file in the home directory.
    pub fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// Installs a script that this person's programs find first.
    pub fn install(&self, name: &str, script: &str) {
        let path = self.write(&format!("bin/{name}"), script);
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// The base URL of the instance.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The issuer of this person's tokens.
    pub fn issuer(&self) -> String {
        format!("{}/oidc", self.url)
    }

    /// A trust file of the instance.
    pub fn trust(&self, name: &str) -> String {
        self.trust.join(name).to_str().unwrap().to_owned()
    }

    /// A fresh token.
    pub fn token(&self) -> String {
        let chancery = self.program(stack::chancery_binary());
        chancery.arg("token").arg(&self.email).arg("--url").arg(&self.url).run().succeeds().trim().to_owned()
    }

    /// A program with this person's environment.
    pub fn program(&self, path: impl AsRef<Path>) -> Program {
        let path_variable = env::var("PATH").unwrap();
        Program::new(path, self.home())
            .env("HOME", self.home())
            .env("PATH", format!("{}:{path_variable}", self.path("bin").display()))
            .env("TUF_ROOT", self.path("tuf"))
            .env("TMPDIR", env::temp_dir())
            .env("COSIGN_PASSWORD", "")
            .env("LC_ALL", "C.UTF-8")
            // What is not on this machine must fail: no test may depend on, or talk to, the public instance.
            .env("HTTP_PROXY", "http://127.0.0.1:9")
            .env("HTTPS_PROXY", "http://127.0.0.1:9")
            .env("NO_PROXY", "127.0.0.1,localhost")
            .env("no_proxy", "127.0.0.1,localhost")
    }

    /// cosign 3.
    pub fn cosign3(&self) -> Program {
        self.program(client("bin/cosign3"))
    }

    /// cosign 2, with the keys it wants from the environment.
    pub fn cosign2(&self) -> Program {
        self.with_trust_variables(self.program(client("bin/cosign2")))
    }

    /// cosign 2.5.0, likewise.
    pub fn cosign25(&self) -> Program {
        self.with_trust_variables(self.program(client("bin/cosign25")))
    }

    /// sigstore-python, with this instance's trust configuration.
    pub fn sigstore_python(&self) -> Program {
        self.program(client("venv/bin/sigstore")).arg("--trust-config").arg(self.trust("client_trust_config.json"))
    }

    /// The Node.js of sigstore-js.
    pub fn node(&self) -> Program {
        self.program(client("sigstore-js/node"))
    }

    /// sigstore-js, the command.
    pub fn sigstore_js(&self) -> Program {
        self.node().arg(client("sigstore-js/node_modules/.bin/sigstore"))
    }

    /// git, signing with gitsign.
    pub fn git(&self) -> Program {
        let git = self.program("git").env("GIT_CONFIG_NOSYSTEM", "1").env("SIGSTORE_ID_TOKEN", self.token());
        self.with_gitsign_variables(git)
    }

    /// gitsign itself.
    pub fn gitsign(&self) -> Program {
        self.with_gitsign_variables(self.program(gitsign_path()))
    }

    /// rekor-cli, asking this instance.
    pub fn rekor_cli(&self) -> Program {
        self.program(client("bin/rekor-cli")).arg("--rekor_server").arg(&self.url)
    }

    /// Fulcio's generated gRPC client, asking this instance.
    pub fn fulcio_grpc(&self) -> Program {
        self.program(client("bin/fulcio-grpc")).arg(self.url.trim_start_matches("http://"))
    }

    /// rekor-tiles' generated gRPC client, asking this instance.
    pub fn rekor_grpc(&self) -> Program {
        self.program(client("bin/rekor-grpc")).arg(self.url.trim_start_matches("http://"))
    }

    /// A timestamp authority.
    pub fn timestamp_server(&self) -> Program {
        self.program(client("bin/timestamp-server"))
    }

    /// crane.
    pub fn crane(&self) -> Program {
        self.program(client("bin/crane"))
    }

    /// oras.
    pub fn oras(&self) -> Program {
        self.program(client("bin/oras"))
    }

    pub fn openssl(&self) -> Program {
        self.program("openssl")
    }

    fn with_trust_variables(&self, program: Program) -> Program {
        program
            .env("SIGSTORE_ROOT_FILE", self.trust("fulcio-chain.pem"))
            .env("SIGSTORE_REKOR_PUBLIC_KEY", self.trust("rekor.pub"))
            .env("SIGSTORE_CT_LOG_PUBLIC_KEY_FILE", self.trust("ctfe.pub"))
    }

    fn with_gitsign_variables(&self, program: Program) -> Program {
        self.with_trust_variables(program)
            .env("GITSIGN_FULCIO_URL", &self.url)
            .env("GITSIGN_REKOR_URL", &self.url)
            .env("GITSIGN_OIDC_ISSUER", self.issuer())
    }
}

/// Where gitsign is, for git's configuration.
pub fn gitsign_path() -> PathBuf {
    client("bin/gitsign")
}

/// The path of an installed client program.
pub fn client(name: &str) -> PathBuf {
    let directory = env::var_os("CHANCERY_CLIENTS").map_or_else(
        || {
            let cache = env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
            let cache = cache.unwrap_or_else(|| Path::new(&env::var_os("HOME").expect("HOME")).join(".cache"));
            cache.join("chancery-clients")
        },
        PathBuf::from,
    );
    let path = directory.join(name);
    assert!(path.exists(), "{} is not installed: run tests/run, or tests/clients/install", path.display());
    path
}
