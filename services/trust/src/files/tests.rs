//! Golden files: what is written here has been accepted by cosign 2 and 3, sigstore-python, -js and -rust.

use super::*;
use crate::material::{CertificateAuthority, Log, SignatureLog, Validity};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use chancery_address::BaseUrl;
use chancery_verify::{PublicKey, Timestamp, note::KeyName};

const REKOR_SPKI: &str = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE/29CyaY5D1l9vjDOyo/bJfQWzAAxwur8yHXWeo2TWCQ5TmoTLZei3UInvFHpMYW/+v5DD1dTijX8dG7BPMjT2g==";
const CT_SPKI: &str = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEFtX2FrSz/SWJnQJWBd89Yl3yYX/mi8Fq7YS8VQ7/+ZFFuNPNWTMsqUfvuiYzO2bF/eHwjmc36qJDbaWoVAiAfw==";

const TRUSTED_ROOT: &str = r#"{
  "mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
  "tlogs": [
    {
      "baseUrl": "http://127.0.0.1:8080",
      "hashAlgorithm": "SHA2_256",
      "publicKey": {
        "rawBytes": "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE/29CyaY5D1l9vjDOyo/bJfQWzAAxwur8yHXWeo2TWCQ5TmoTLZei3UInvFHpMYW/+v5DD1dTijX8dG7BPMjT2g==",
        "keyDetails": "PKIX_ECDSA_P256_SHA_256",
        "validFor": {
          "start": "2026-11-21T07:00:00Z"
        }
      },
      "logId": {
        "keyId": "E44RgVGORRF3TrfwdMZ8tJ0c0ePZVOSn2KD0km7fkCc="
      }
    }
  ],
  "certificateAuthorities": [
    {
      "subject": {
        "organization": "chancery",
        "commonName": "chancery intermediate"
      },
      "uri": "http://127.0.0.1:8080",
      "certChain": {
        "certificates": [
          {
            "rawBytes": "aW50ZXJtZWRpYXRl"
          },
          {
            "rawBytes": "cm9vdA=="
          }
        ]
      },
      "validFor": {
        "start": "2026-11-21T07:00:00Z"
      }
    }
  ],
  "ctlogs": [
    {
      "baseUrl": "http://127.0.0.1:8080/ct/dev",
      "hashAlgorithm": "SHA2_256",
      "publicKey": {
        "rawBytes": "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEFtX2FrSz/SWJnQJWBd89Yl3yYX/mi8Fq7YS8VQ7/+ZFFuNPNWTMsqUfvuiYzO2bF/eHwjmc36qJDbaWoVAiAfw==",
        "keyDetails": "PKIX_ECDSA_P256_SHA_256",
        "validFor": {
          "start": "2026-11-21T07:00:00Z"
        }
      },
      "logId": {
        "keyId": "5YEkl7iWpmxZVH0QH0I+Cbwyj9Y6qiAJ8QfVAoSaqKI="
      }
    }
  ],
  "timestampAuthorities": [
    {
      "subject": {
        "organization": "chancery",
        "commonName": "chancery timestamps"
      },
      "uri": "http://127.0.0.1:8080/api/v1/timestamp",
      "certChain": {
        "certificates": [
          {
            "rawBytes": "bGVhZg=="
          },
          {
            "rawBytes": "dGltZXN0YW1wIHJvb3Q="
          }
        ]
      },
      "validFor": {
        "start": "2026-11-21T07:00:00Z"
      }
    }
  ]
}
"#;

const SIGNING_CONFIG: &str = r#"{
  "mediaType": "application/vnd.dev.sigstore.signingconfig.v0.2+json",
  "caUrls": [
    {
      "url": "http://127.0.0.1:8080",
      "majorApiVersion": 1,
      "validFor": {
        "start": "2026-11-21T07:00:00Z"
      },
      "operator": "127.0.0.1"
    }
  ],
  "oidcUrls": [
    {
      "url": "http://127.0.0.1:8080/oidc",
      "majorApiVersion": 1,
      "validFor": {
        "start": "2026-11-21T07:00:00Z"
      },
      "operator": "127.0.0.1"
    }
  ],
  "rekorTlogUrls": [
    {
      "url": "http://127.0.0.1:8080",
      "majorApiVersion": 2,
      "validFor": {
        "start": "2026-11-21T07:00:00Z"
      },
      "operator": "127.0.0.1"
    },
    {
      "url": "http://127.0.0.1:8080",
      "majorApiVersion": 1,
      "validFor": {
        "start": "2026-11-21T07:00:00Z"
      },
      "operator": "127.0.0.1"
    }
  ],
  "rekorTlogConfig": {
    "selector": "ANY"
  },
  "tsaUrls": [
    {
      "url": "http://127.0.0.1:8080/api/v1/timestamp",
      "majorApiVersion": 1,
      "validFor": {
        "start": "2026-11-21T07:00:00Z"
      },
      "operator": "127.0.0.1"
    }
  ],
  "tsaConfig": {
    "selector": "ANY"
  }
}
"#;

fn url(text: &str) -> BaseUrl {
    BaseUrl::parse(text).unwrap()
}

fn key(spki: &str) -> PublicKey {
    PublicKey::from_spki_der(&STANDARD.decode(spki).unwrap()).unwrap()
}

/// The milliseconds must not reach the files.
fn start() -> Timestamp {
    Timestamp::from_millis(1_795_244_400_987)
}

fn material() -> Material {
    let validity = Validity::since(start());
    Material {
        certificate_authorities: vec![CertificateAuthority {
            url: url("http://127.0.0.1:8080"),
            organization: "chancery".to_owned(),
            common_name: "chancery intermediate".to_owned(),
            chain_der: vec![b"intermediate".to_vec(), b"root".to_vec()],
            validity,
        }],
        ct_logs: vec![Log { base_url: url("http://127.0.0.1:8080/ct/dev"), key: key(CT_SPKI), origin: None, validity }],
        rekor_logs: vec![Log { base_url: url("http://127.0.0.1:8080"), key: key(REKOR_SPKI), origin: None, validity }],
        timestamp_authorities: vec![CertificateAuthority {
            url: url("http://127.0.0.1:8080/api/v1/timestamp"),
            organization: "chancery".to_owned(),
            common_name: "chancery timestamps".to_owned(),
            chain_der: vec![b"leaf".to_vec(), b"timestamp root".to_vec()],
            validity,
        }],
    }
}

fn services() -> Services {
    Services {
        operator: "127.0.0.1".to_owned(),
        certificate_authority: url("http://127.0.0.1:8080"),
        oidc_issuer: Some(url("http://127.0.0.1:8080/oidc")),
        signature_logs: vec![
            SignatureLog {
                url: url("http://127.0.0.1:8080"),
                major_api_version: 2,
                validity: Validity::since(start()),
            },
            SignatureLog {
                url: url("http://127.0.0.1:8080"),
                major_api_version: 1,
                validity: Validity::since(start()),
            },
        ],
        default_major_api_version: 2,
        timestamp_authority: url("http://127.0.0.1:8080/api/v1/timestamp"),
        validity: Validity::since(start()),
    }
}

pub(crate) fn example() -> TrustFiles {
    TrustFiles::build(&material(), &services()).unwrap()
}

/// With a second authority below the same root, which becomes valid later.
fn two_authorities() -> Material {
    let mut material = material();
    let second = CertificateAuthority {
        chain_der: vec![b"second intermediate".to_vec(), b"root".to_vec()],
        ..material.certificate_authorities[0].clone()
    };
    material.certificate_authorities.push(second);
    material
}

/// The example at a later time.
pub(crate) fn rotated() -> TrustFiles {
    TrustFiles::build(&two_authorities(), &services()).unwrap()
}

#[test]
fn the_json_is_exactly_the_safe_subset() {
    let files = example();
    assert_eq!(files.contents(FileName::TrustedRoot), TRUSTED_ROOT);
    assert_eq!(files.contents(FileName::SigningConfig), SIGNING_CONFIG);
    // Each with only one log.
    for (name, version) in [(FileName::SigningConfigRekorV1, 1), (FileName::SigningConfigRekorV2, 2)] {
        let mut expected: serde_json::Value = serde_json::from_str(SIGNING_CONFIG).unwrap();
        let logs = expected["rekorTlogUrls"].as_array_mut().unwrap();
        logs.retain(|log| log["majorApiVersion"] == version);
        assert_eq!(serde_json::from_str::<serde_json::Value>(files.contents(name)).unwrap(), expected);
    }
    let both: serde_json::Value = serde_json::from_str(files.contents(FileName::ClientTrustConfig)).unwrap();
    let expected = serde_json::json!({
        "mediaType": "application/vnd.dev.sigstore.clienttrustconfig.v0.1+json",
        "trustedRoot": serde_json::from_str::<serde_json::Value>(TRUSTED_ROOT).unwrap(),
        "signingConfig": serde_json::from_str::<serde_json::Value>(SIGNING_CONFIG).unwrap(),
    });
    assert_eq!(both, expected);
}

#[test]
fn where_signers_are_to_go_on_with_rekor_v1_nothing_names_v2_unasked() {
    let files = TrustFiles::build(&material(), &Services { default_major_api_version: 1, ..services() }).unwrap();
    assert_eq!(files.contents(FileName::SigningConfig), example().contents(FileName::SigningConfigRekorV1));
    assert_eq!(files.contents(FileName::SigningConfigRekorV2), example().contents(FileName::SigningConfigRekorV2));
}

fn chain_of(files: &TrustFiles, name: FileName) -> Vec<Vec<u8>> {
    let blocks = pem::decode_all(files.contents(name).as_bytes(), 10).unwrap();
    blocks.into_iter().map(|block| block.der).collect()
}

#[test]
fn the_pem_files_hold_the_current_keys_and_every_certificate_once() {
    let mut material = two_authorities();
    let retired = Validity { start: start().minus_seconds(100), end: Some(start()) };
    material.timestamp_authorities.push(CertificateAuthority {
        url: url("http://127.0.0.1:8081/api/v1/timestamp"),
        chain_der: vec![b"old leaf".to_vec(), b"timestamp root".to_vec()],
        validity: retired,
        ..material.timestamp_authorities[0].clone()
    });
    let files = TrustFiles::build(&material, &services()).unwrap();
    assert_eq!(chain_of(&files, FileName::FulcioChain), [b"intermediate".as_slice(), b"root", b"second intermediate"]);
    let timestamps = chain_of(&files, FileName::TimestampChain);
    assert_eq!(timestamps, [b"leaf".as_slice(), b"timestamp root"], "of the current authority alone");
    assert_eq!(PublicKey::from_pem(files.contents(FileName::RekorKey).as_bytes()), Ok(key(REKOR_SPKI)));
    assert_eq!(PublicKey::from_pem(files.contents(FileName::CtKey).as_bytes()), Ok(key(CT_SPKI)));
    // Retired: only in the files that can express its window.
    material.certificate_authorities[1].validity.end = Some(start());
    let files = TrustFiles::build(&material, &services()).unwrap();
    assert_eq!(chain_of(&files, FileName::FulcioChain), [b"intermediate".as_slice(), b"root"]);
    let trusted_root = files.contents(FileName::TrustedRoot);
    assert!(trusted_root.contains(&STANDARD.encode("second intermediate")), "{trusted_root}");
    assert!(trusted_root.contains(r#""end": "2026-11-21T07:00:00Z""#), "{trusted_root}");
}

#[test]
fn a_rekor_v2_log_has_the_ids_of_its_notes() {
    // From Sigstore's staging log: an Ed25519 key, whose id includes the origin.
    let spki = "MCowBQYDK2VwAyEAPn+AREHoBaZ7wgS1zBqpxmLSGnyhxXj4lFxSdWVB8o8=";
    let origin = KeyName::new("log2025-alpha1.rekor.sigstage.dev").unwrap();
    let base_url = url(&format!("https://{origin}"));
    let log = Log { base_url, key: key(spki), origin: Some(origin), validity: Validity::since(start()) };
    let mut material = material();
    material.rekor_logs.insert(0, log);
    let files = TrustFiles::build(&material, &services()).unwrap();
    let root: serde_json::Value = serde_json::from_str(files.contents(FileName::TrustedRoot)).unwrap();
    let id = serde_json::json!({ "keyId": "8w1amZ2S5mJIQkQmPxdMuOrL/oJkvFg9MnQXmeOCXck=" });
    assert_eq!((&root["tlogs"][0]["logId"], &root["tlogs"][0]["checkpointKeyId"]), (&id, &id));
    assert_eq!(root["tlogs"][0]["publicKey"]["keyDetails"], "PKIX_ED25519");
    assert_eq!(PublicKey::from_pem(files.contents(FileName::RekorKey).as_bytes()), Ok(key(REKOR_SPKI)));
}

#[test]
fn what_some_client_would_misread_is_refused() {
    type Change = fn(&mut Material, &mut Services);
    let cases: [(Change, InvalidMaterial); 11] = [
        (
            |m, _| m.rekor_logs.push(m.rekor_logs[0].clone()),
            InvalidMaterial::DuplicateLog { kind: "rekor", key_id: hex::encode(key(REKOR_SPKI).fingerprint()) },
        ),
        (
            |m, _| {
                m.rekor_logs[0].origin = Some(KeyName::new("127.0.0.1").unwrap());
                m.rekor_logs[0].base_url = url("http://127.0.0.1:8080/rekor");
            },
            InvalidMaterial::LogBelowRoot { url: "http://127.0.0.1:8080/rekor".to_owned() },
        ),
        (|_, s| s.signature_logs.truncate(1), InvalidMaterial::Missing { what: "Rekor v1 log" }),
        (|m, _| m.ct_logs.clear(), InvalidMaterial::Missing { what: "certificate transparency log" }),
        (|m, _| m.certificate_authorities.clear(), InvalidMaterial::Missing { what: "certificate authority" }),
        (|m, _| m.timestamp_authorities.clear(), InvalidMaterial::Missing { what: "timestamp authority" }),
        (
            |m, _| m.timestamp_authorities.push(m.timestamp_authorities[0].clone()),
            InvalidMaterial::DuplicateTimestampAuthority { url: "http://127.0.0.1:8080/api/v1/timestamp".to_owned() },
        ),
        (
            |m, _| m.timestamp_authorities[0].chain_der.truncate(1),
            InvalidMaterial::ShortChain { common_name: "chancery timestamps".to_owned() },
        ),
        (
            |m, _| m.certificate_authorities[0].chain_der.truncate(1),
            InvalidMaterial::ShortChain { common_name: "chancery intermediate".to_owned() },
        ),
        (
            |_, s| s.certificate_authority = url("http://127.0.0.1:8080/fulcio"),
            InvalidMaterial::AuthorityBelowRoot { url: "http://127.0.0.1:8080/fulcio".to_owned() },
        ),
        (
            |_, s| s.operator = "https://x.org".to_owned(),
            InvalidMaterial::OperatorHasScheme { operator: "https://x.org".to_owned() },
        ),
    ];
    for (change, expected) in cases {
        let (mut material, mut services) = (material(), services());
        change(&mut material, &mut services);
        assert_eq!(TrustFiles::build(&material, &services).unwrap_err(), expected);
    }
}

#[test]
fn generations_of_one_timestamp_authority_share_its_url() {
    let (mut material, services) = (material(), services());
    let mut next = material.timestamp_authorities[0].clone();
    next.chain_der.swap(0, 1);
    material.timestamp_authorities.push(next);
    assert!(TrustFiles::build(&material, &services).is_ok());
}

#[test]
fn writing_twice_changes_nothing_and_a_damaged_file_is_replaced() {
    let directory = tempfile::tempdir().unwrap();
    example().write_to(directory.path()).unwrap();
    let modified = |name: FileName| fs::metadata(directory.path().join(name.as_str())).unwrap().modified().unwrap();
    let before = FileName::ALL.map(modified);
    fs::write(directory.path().join("rekor.pub"), "damaged").unwrap();
    example().write_to(directory.path()).unwrap();
    for (name, before) in FileName::ALL.into_iter().zip(before) {
        let path = directory.path().join(name.as_str());
        assert_eq!(fs::read_to_string(&path).unwrap(), example().contents(name), "{name:?}");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o644, "{name:?}");
        assert!(name == FileName::RekorKey || modified(name) == before, "{name:?} was rewritten");
    }
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), FileName::ALL.len(), "a partial file was left");
}
