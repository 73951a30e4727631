//! A copy of an instance's TUF repository on a web server of its own: a mirror, which a test may tamper with.

use crate::{
    person::{Person, client},
    program::{Outcome, Program, Running},
    stack::free_port,
};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// A repository on a web server of its own; it ends with the test.
pub struct TufRepository {
    /// Its address.
    pub mirror: String,
    /// The root metadata a client starts with.
    pub root: PathBuf,
    /// Its files.
    pub directory: PathBuf,
    origin: PathBuf,
    _server: Running,
}

impl TufRepository {
    /// Copies the repository of this person's instance.
    pub fn start(person: &Person) -> Self {
        let directory = person.path("tuf-repository");
        let origin = Path::new(&person.trust("")).join("../tuf");
        fs::create_dir(&directory).unwrap();
        copy(&origin, &directory);
        let port = free_port();
        let serve = person.program("python3").env("PYTHONUNBUFFERED", "1").args("-m http.server --bind 127.0.0.1");
        let mut server = serve.arg(port.to_string()).arg("--directory").arg(&directory).start();
        server.wait_for("Serving HTTP");
        let root = directory.join("1.root.json");
        Self { mirror: format!("http://127.0.0.1:{port}"), root, directory, origin, _server: server }
    }

    /// Copies the instance's repository again, and takes away what is not in it.
    pub fn copy_again(&self) {
        fs::remove_dir_all(self.directory.join("targets")).unwrap();
        for entry in fs::read_dir(&self.directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() {
                fs::remove_file(path).unwrap();
            }
        }
        copy(&self.origin, &self.directory);
    }

    /// Has python-tuf follow the mirror and fetch every target it knows by name, keeping what it learns in `state`.
    pub fn follow(&self, person: &Person, state: &str) -> Outcome {
        let python = person.program(client("venv/bin/python")).arg("-c").arg(FOLLOW);
        python.arg(&self.mirror).arg(person.path(state)).arg(person.path("first-root.json")).run()
    }
}

fn copy(from: &Path, to: &Path) {
    Program::new("/bin/cp", to).arg("-a").arg(from.join(".")).arg(to).run().succeeds();
}

/// An independent client: python-tuf, from a root it was given to all targets.
const FOLLOW: &str = r#"
import os, sys
from tuf.ngclient import Updater
mirror, state, root = sys.argv[1:]
for name in ("metadata", "targets"):
    os.makedirs(os.path.join(state, name), exist_ok=True)
updater = Updater(
    metadata_dir=os.path.join(state, "metadata"), metadata_base_url=mirror,
    target_dir=os.path.join(state, "targets"), target_base_url=mirror + "/targets",
    bootstrap=open(root, "rb").read())
updater.refresh()
print("root", updater._trusted_set.root.version, "timestamp", updater._trusted_set.timestamp.version)
for name in ("trusted_root.json", "signing_config.v0.2.json", "fulcio_v1.crt.pem", "rekor.pub", "ctfe.pub"):
    info = updater.get_targetinfo(name)
    assert info is not None and len(info.hashes) == 1, name
    updater.download_target(info)
    print(name)
"#;
