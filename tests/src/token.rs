//! A PKCS#11 token in software (SoftHSM) with a PIN in a file.

use crate::program::Program;
use std::{env, fs, path::Path};
use tempfile::TempDir;

const PIN: &str = "123456";
/// Where distributions have the library.
const LIBRARIES: [&str; 3] = [
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so",
];

/// An initialised token with the label `chancery`.
pub struct Token {
    directory: TempDir,
    configuration: String,
}

impl Token {
    pub fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let tokens = directory.path().join("tokens");
        fs::create_dir(&tokens).unwrap();
        let configuration = directory.path().join("softhsm2.conf");
        fs::write(&configuration, format!("directories.tokendir = {}\nlog.level = ERROR\n", tokens.display())).unwrap();
        fs::write(directory.path().join("pin"), format!("{PIN}\n")).unwrap();
        let token = Self { configuration: configuration.to_str().unwrap().to_owned(), directory };
        token
            .program("softhsm2-util")
            .args("--init-token --free --label chancery --so-pin 654321 --pin")
            .arg(PIN)
            .run()
            .succeeds();
        token
    }

    pub fn directory(&self) -> &TempDir {
        &self.directory
    }

    /// The value of `SOFTHSM2_CONF` with which programs find the token.
    pub fn configuration(&self) -> &str {
        &self.configuration
    }

    /// Puts a new key, made with `options` of `openssl genpkey`, into the token under a label.
    pub fn import(&self, label: &str, options: &str) {
        self.program("openssl").args("genpkey -out key.pem").args(options).run().succeeds();
        let id = hex::encode(label);
        let import = self.program("softhsm2-util").args("--import key.pem --token chancery --pin").arg(PIN);
        import.arg("--label").arg(label).arg("--id").arg(id).run().succeeds();
        fs::remove_file(self.directory.path().join("key.pem")).unwrap();
    }

    /// The URI of the key with this label.
    pub fn uri(&self, label: &str) -> String {
        let library = LIBRARIES.into_iter().find(|path| Path::new(path).exists()).expect("SoftHSM is installed");
        let pin = self.directory.path().join("pin");
        format!("pkcs11:token=chancery;object={label}?module-path={library}&pin-source=file:{}", pin.display())
    }

    fn program(&self, name: &str) -> Program {
        let program = Program::new(name, self.directory.path()).env("PATH", env::var_os("PATH").unwrap());
        program.env("SOFTHSM2_CONF", &self.configuration)
    }
}

impl Default for Token {
    fn default() -> Self {
        Self::new()
    }
}
