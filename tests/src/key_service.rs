//! AWS KMS as moto has it.

use crate::{
    http::Request,
    person::client,
    program::{Program, Running},
    stack::free_port,
};
use serde_json::json;
use std::{
    thread,
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// Importing the server takes a few seconds, more on a busy machine.
const START_DEADLINE: Duration = Duration::from_mins(1);

/// A running service.
pub struct KeyService {
    address: String,
    _directory: TempDir,
    _running: Running,
}

impl KeyService {
    pub fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let address = format!("127.0.0.1:{}", free_port());
        let (host, port) = address.split_once(':').unwrap();
        let program = Program::new(client("s3/bin/moto_server"), directory.path()).arg("-H").arg(host);
        let mut running = program.arg("-p").arg(port).start();
        let deadline = Instant::now() + START_DEADLINE;
        while Request::get(&format!("http://{address}/moto-api/")).try_send().is_err() {
            assert!(running.is_running(), "the key service ended:\n{}", running.stderr());
            assert!(Instant::now() < deadline, "the key service is not ready in time:\n{}", running.stderr());
            thread::sleep(Duration::from_millis(20));
        }
        Self { address, _directory: directory, _running: running }
    }

    /// Host and port.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Makes a signing key and returns its id.
    pub fn create(&self, kind: &str) -> String {
        // Which service is meant, moto reads off the credential's scope; the signature it does not check.
        let scope =
            "AWS4-HMAC-SHA256 Credential=tests/20260101/eu-central-1/kms/aws4_request, SignedHeaders=host, Signature=0";
        let request = Request::post(&format!("http://{}/", self.address))
            .header("Authorization", scope)
            .header("X-Amz-Target", "TrentService.CreateKey");
        let answer = request.json(&json!({"KeySpec": kind, "KeyUsage": "SIGN_VERIFY"})).send().expect(200).json();
        answer["KeyMetadata"]["KeyId"].as_str().unwrap().to_owned()
    }
}
