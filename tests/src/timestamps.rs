//! A timestamp authority that is not ours: Sigstore's own, with keys in memory. Entries of Rekor v2 have no time, so nothing
//! that is signed with a certificate can be verified without one.

use crate::{fulcio::split_pem, http::Request, person::Person, program::Running, stack::free_port};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use der::pem::PemLabel as _;
use serde_json::{Value, json};
use std::{
    fs,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};
use x509_cert::Certificate;

/// Longest it may take until it answers.
const START_DEADLINE: Duration = Duration::from_secs(30);

/// A running authority; it ends with the test.
pub struct TimestampAuthority {
    url: String,
    chain: Vec<String>,
    _server: Running,
}

impl TimestampAuthority {
    /// Starts it.
    pub fn start(person: &Person) -> Self {
        let port = free_port();
        let url = format!("http://127.0.0.1:{port}");
        let mut server = person.timestamp_server().arg(port.to_string()).start();
        let deadline = Instant::now() + START_DEADLINE;
        let chain = loop {
            if let Ok(answer) = Request::get(&format!("{url}/api/v1/timestamp/certchain")).try_send() {
                break split_pem(&answer.expect(200).text());
            }
            assert!(server.is_running() && Instant::now() < deadline, "{}{}", server.stdout(), server.stderr());
            thread::sleep(Duration::from_millis(20));
        };
        Self { url: format!("{url}/api/v1/timestamp"), chain, _server: server }
    }

    /// Somebody with the instance's trust files, in which the signature log is the Rekor v2 log and this is the authority.
    pub fn trusted_by(&self, person: Person) -> Person {
        let read = |name: &str| -> Value { serde_json::from_slice(&fs::read(person.trust(name)).unwrap()).unwrap() };
        let (mut root, mut config) = (read("trusted_root.json"), read("signing_config_rekor_v2.json"));
        let ca = &config["caUrls"][0];
        config["tsaUrls"] = json!([{
            "url": self.url, "majorApiVersion": 1, "validFor": ca["validFor"], "operator": ca["operator"]
        }]);
        let der = |pem: &String| STANDARD.encode(decode(pem));
        let certificates: Vec<Value> = self.chain.iter().map(|pem| json!({"rawBytes": der(pem)})).collect();
        root["timestampAuthorities"] = json!([{
            "subject": {"organization": "local", "commonName": "Test TSA"},
            "uri": self.url,
            "certChain": {"certificates": certificates},
            "validFor": root["certificateAuthorities"][0]["validFor"]
        }]);
        let both = json!({
            "mediaType": "application/vnd.dev.sigstore.clienttrustconfig.v0.1+json",
            "trustedRoot": root,
            "signingConfig": config
        });
        let directory = person.path("trust");
        fs::create_dir(&directory).unwrap();
        write(&directory, "trusted_root.json", &root);
        write(&directory, "signing_config.json", &config);
        write(&directory, "client_trust_config.json", &both);
        person.trusting(directory)
    }
}

fn decode(pem: &str) -> Vec<u8> {
    let (label, der) = der::pem::decode_vec(pem.trim().as_bytes()).expect("PEM");
    assert_eq!(label, Certificate::PEM_LABEL);
    der
}

fn write(directory: &Path, name: &str, document: &Value) -> PathBuf {
    let path = directory.join(name);
    fs::write(&path, document.to_string()).unwrap();
    path
}
