//! An OCI registry with an image in it.

use crate::{
    http::Request,
    key::{sha256, unique},
    person::Person,
    program::{Program, Running},
    stack::free_port,
};
use serde_json::{Value, json};
use std::path::Path;

/// A registry in memory, on a port of its own; it ends with the test.
pub struct Registry {
    address: String,
    _server: Running,
}

impl Registry {
    pub fn start(person: &Person) -> Self {
        let address = format!("127.0.0.1:{}", free_port());
        let mut server = person.crane().args("registry serve --address").arg(&address).start();
        server.wait_for("serving on");
        Self { address, _server: server }
    }

    /// One with the referrers API, which has one referrer a page; crane's has none.
    pub fn with_referrers(person: &Person) -> Self {
        Self::paged(person, &[])
    }

    /// The same, for those only that have this name and password.
    pub fn with_password(person: &Person, name: &str, password: &str) -> Self {
        Self::paged(person, &[&format!("{name}:{password}")])
    }

    fn paged(person: &Person, arguments: &[&str]) -> Self {
        let address = format!("127.0.0.1:{}", free_port());
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("clients/paged_registry.py");
        let python = person.program("python3").env("PYTHONUNBUFFERED", "1").arg(script).arg(&address);
        let mut server = arguments.iter().fold(python, Program::arg).start();
        server.wait_for("serving on");
        Self { address, _server: server }
    }

    /// `HOST:PORT`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Pushes a new image and returns its reference by digest.
    pub fn push(&self, person: &Person, name: &str) -> String {
        let layer = person.write("layer.tar", tar("hello.txt", unique(name).as_bytes()));
        let tag = format!("{}/{name}", self.address);
        let pushed = person.crane().args("append --oci-empty-base -f").arg(layer).arg("-t").arg(&tag).run().succeeds();
        let reference = pushed.trim().to_owned();
        assert!(reference.contains("@sha256:"), "{reference}");
        reference
    }

    /// Puts a manifest into `repository` and returns its digest.
    pub fn put_manifest(&self, repository: &str, manifest: &Value) -> String {
        let bytes = manifest.to_string();
        let digest = digest(bytes.as_bytes());
        let media_type = manifest["mediaType"].as_str().expect("a media type");
        let put = self.request("PUT", &format!("/v2/{repository}/manifests/{digest}"));
        put.body(media_type, bytes).send().expect(201);
        digest
    }

    /// Puts a blob into `repository` and returns its descriptor.
    pub fn put_blob(&self, repository: &str, media_type: &str, bytes: &[u8]) -> Value {
        let digest = digest(bytes);
        let post = self.request("POST", &format!("/v2/{repository}/blobs/uploads/?digest={digest}"));
        post.body("application/octet-stream", bytes).send().expect(201);
        json!({ "mediaType": media_type, "digest": digest, "size": bytes.len() })
    }

    /// How many requests were on their way at the same time since the last call. Only of one with the referrers API.
    pub fn peak(&self) -> usize {
        self.count("/peak")
    }

    /// How often referrers were listed since the last call. Only of one with the referrers API.
    pub fn listings(&self) -> usize {
        self.count("/listings")
    }

    fn count(&self, target: &str) -> usize {
        self.request("GET", target).send().expect(200).text().parse().expect("a number")
    }

    fn request(&self, method: &str, target: &str) -> Request {
        Request::new(method, &format!("http://{}", self.address), target)
    }
}

fn digest(bytes: &[u8]) -> String {
    format!("sha256:{}", hex::encode(sha256(bytes)))
}

/// A tar archive of one file (POSIX ustar).
fn tar(name: &str, contents: &[u8]) -> Vec<u8> {
    let mut header = [0; 512];
    let mut put = |offset: usize, text: &str| header[offset..offset + text.len()].copy_from_slice(text.as_bytes());
    put(0, name);
    put(100, "0000644\0");
    put(108, "0000000\0");
    put(116, "0000000\0");
    put(124, &format!("{:011o}\0", contents.len()));
    put(136, "00000000000\0");
    put(148, "        ");
    put(156, "0");
    put(257, "ustar\x0000");
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    let mut archive = header.to_vec();
    archive.extend_from_slice(contents);
    archive.resize(archive.len().next_multiple_of(512) + 1024, 0);
    archive
}
