//! Where the targets start: a few well-formed inputs of every format, made here or, of timestamps, by OpenSSL; fetched from nowhere.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use chancery_verify::bundle::Bundle;
use chancery_verify::certificate::{Certificate, FinalIssuer, Identity};
use chancery_verify::checkpoint::{Checkpoint, Scheme};
use chancery_verify::claims::Claims;
use chancery_verify::cosignature::Witness;
use chancery_verify::extension::Claim;
use chancery_verify::merkle::{self, TreeHead};
use chancery_verify::note::{KeyName, NoteSignature};
use chancery_verify::policy::Evidence;
use chancery_verify::sct::{self, ExtraData, LogEntry, MerkleTreeLeaf, SignedCertificateTimestamp};
use chancery_verify::signer::Signer;
use chancery_verify::timestamping::Authority;
use chancery_verify::trust_root::TrustRoot;
use chancery_verify::verifier::{Artifact, Options, Verifier};
use chancery_verify::verifier_key::VerifierKey;
use chancery_verify::witness::AddCheckpoint;
use chancery_verify::{PublicKey, Timestamp, hash, pem, tile};
use p256::ecdsa::signature::Signer as _;
use p256::ecdsa::{DerSignature, SigningKey};
use p256::pkcs8::{EncodePrivateKey as _, EncodePublicKey as _, LineEnding};
use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType,
};
use std::slice;
use std::sync::LazyLock;

/// Origin of the seeds' log.
pub const HOST: &str = "log.example";
/// What the witness of RFC 8032's first test has signed: the seeds' tree head, in 2027.
const COSIGNATURE: &str = "6lJPVYkxcIEAMkJl9Mn3TGSognhwtzk+PtjN6RFzxv/fOGBYWzdlxpaRH8J921L7P9RnhsyAXGN/wnPSZK6BAA==";
/// Its tree.
pub const TREE_ID: i64 = 42;

/// The one key everything is signed with: anybody's, so that runs and machines agree.
static KEY: LazyLock<SigningKey> =
    LazyLock::new(|| SigningKey::from_slice(&[7; 32]).expect("a scalar below the order"));
static PUBLIC_KEY: LazyLock<PublicKey> = LazyLock::new(|| {
    let spki = KEY.verifying_key().to_public_key_der().expect("a key can be encoded");
    PublicKey::from_spki_der(spki.as_bytes()).expect("a key reads back")
});

/// When the seeds' bundle is verified.
pub const NOW_SECONDS: u64 = 1_795_001_000;
/// A bundle that verifies, with everything that Rekor v2 asks for.
const BUNDLE: &[u8] = include_bytes!("../../../crates/verify/examples/hello/artifact.sigstore.json");

static VERIFIER: LazyLock<Verifier> = LazyLock::new(|| {
    let root = include_bytes!("../../../crates/verify/examples/hello/trusted_root.json");
    Verifier::new(TrustRoot::parse(root).expect("a trust root"), Options::default())
});

/// The verifier that trusts the authorities of [`BUNDLE`].
pub fn verifier() -> &'static Verifier {
    &VERIFIER
}

/// The artifact of the seeds' bundle, and its signature.
pub fn signed_artifact() -> (Artifact<'static>, Vec<u8>) {
    static SIGNATURE: LazyLock<Vec<u8>> =
        LazyLock::new(|| Bundle::parse(BUNDLE).expect("a bundle").signature().to_vec());
    (Artifact::Bytes(include_bytes!("../../../crates/verify/examples/hello/artifact")), SIGNATURE.clone())
}

/// The key of the seeds' log.
pub fn public_key() -> PublicKey {
    PUBLIC_KEY.clone()
}

/// The one tree head it has signed.
pub fn tree_head() -> TreeHead {
    TreeHead { size: 7, root: merkle::leaf_hash(b"root") }
}

/// One entry of each kind.
pub fn log_entries() -> [LogEntry; 2] {
    [LogEntry::X509 { certificate: vec![1, 2] }, LogEntry::Precert { issuer_key_hash: [9; 32], tbs: vec![0x30, 0] }]
}

fn sign(message: &[u8]) -> Vec<u8> {
    let signature: DerSignature = KEY.sign(message);
    signature.as_bytes().to_vec()
}

/// The seeds of a target.
pub fn of(target: &str) -> Vec<Vec<u8>> {
    match target {
        "note" => notes(),
        "checkpoint" => {
            let bare = Checkpoint { origin: HOST.to_owned(), head: tree_head() };
            notes().into_iter().chain([bare.to_string().into_bytes()]).collect()
        }
        "witness" => witness_talk(),
        "verifier_key" => verifier_keys(),
        "tile_path" => paths(),
        "tile" => tiles(),
        "entry" => entries(),
        "entry_v2" => entries_v2(),
        "certificate" => certificates().into_iter().chain([precertificate_signer()]).collect(),
        "sct" => scts(),
        "csr" => vec![request()],
        "pem" => pems(),
        "key" => vec![public_key().spki_der().to_vec(), public_key().to_pem().into_bytes(), ed25519_spki(), rsa_spki()],
        "tsq" => timestamp_requests().map(<[u8]>::to_vec).into(),
        "tsr" => timestamps().map(<[u8]>::to_vec).into(),
        "bundle" => bundles(),
        "verifier" => vec![BUNDLE.to_vec()],
        "trust_root" => vec![trust_root()],
        "policy" => policies(),
        _ => Vec::new(),
    }
}

macro_rules! openssl_tsa {
    ($name:literal) => {
        include_bytes!(concat!("../../../crates/verify/tests/golden/openssl-tsa/", $name))
    };
}

static TIMESTAMP_AUTHORITY: LazyLock<Authority> = LazyLock::new(|| {
    let chain = Certificate::chain_from_pem(openssl_tsa!("ec-chain.pem")).expect("a chain");
    Authority::new(chain).expect("an authority")
});

/// The authority that made the first five of [`timestamps`].
pub fn timestamp_authority() -> &'static Authority {
    &TIMESTAMP_AUTHORITY
}

/// Responses by OpenSSL; the last one is a refusal.
pub fn timestamps() -> [&'static [u8]; 8] {
    [
        openssl_tsa!("ec-sha256.tsr"),
        openssl_tsa!("ec-sha384-bare.tsr"),
        openssl_tsa!("ec-sha512-certificates.tsr"),
        openssl_tsa!("ec-sha256-older.tsr"),
        openssl_tsa!("ec-sha256-bare.tsr"),
        openssl_tsa!("rsa4096-sha512-older.tsr"),
        openssl_tsa!("rsa-sha256-certificates.tsr"),
        openssl_tsa!("sha1.tsr"),
    ]
}

/// What they answer.
fn timestamp_requests() -> [&'static [u8]; 4] {
    [
        openssl_tsa!("ec-sha256.tsq"),
        openssl_tsa!("ec-sha384-bare.tsq"),
        openssl_tsa!("ec-sha512-certificates.tsq"),
        openssl_tsa!("sha1.tsq"),
    ]
}

/// The key of the seeds' log, as its witnesses know it.
pub fn log_key() -> VerifierKey {
    schemes()[1].verifier_key(&public_key()).expect("a key that signs checkpoints")
}

/// The text of the one checkpoint it has signed.
pub fn checkpoint_text() -> String {
    Checkpoint { origin: HOST.to_owned(), head: tree_head() }.to_string()
}

/// A witness, and its cosignature of that.
pub fn witness() -> (Witness, NoteSignature) {
    let key = PublicKey::from_spki_der(&ed25519_spki()).expect("a key");
    let witness = Witness::new(KeyName::new("witness.example").expect("a name"), key).expect("a witness");
    let line = STANDARD.decode(COSIGNATURE).expect("base64");
    let line = witness.line(1_800_000_000, &line);
    assert!(witness.find(&checkpoint_text(), slice::from_ref(&line)).is_ok(), "the cosignature verifies");
    (witness, line)
}

/// Requests and answers.
fn witness_talk() -> Vec<Vec<u8>> {
    let request = |old, proof, note: &[u8]| {
        let checkpoint = str::from_utf8(note).expect("a note");
        AddCheckpoint { old, proof, checkpoint }.to_string().into_bytes()
    };
    let mut seeds: Vec<Vec<u8>> = notes().iter().map(|note| request(0, Vec::new(), note)).collect();
    seeds.push(request(7, Vec::new(), &notes()[1]));
    seeds.push(request(6, vec![[1; 32], [2; 32]], &notes()[1]));
    seeds.push(format!("{}\n", witness().1).into_bytes());
    seeds.push("20852014\n".into());
    seeds.push(format!("logs/v0\nvkey {}\norigin a log\nqpd 86400\n", log_key()).into_bytes());
    seeds
}

/// Keys of both kinds of log, and of a witness.
fn verifier_keys() -> Vec<Vec<u8>> {
    let ct = schemes()[2].verifier_key(&public_key()).expect("a key that signs tree heads");
    let staging = "log2025-alpha3.rekor.sigstage.dev+d3d3a70c+AZQ93VXPMmj9uZj7U/7CefQ9yy8RgYFv6mKzOseipjqp".to_owned();
    [log_key().to_string(), ct.to_string(), witness().0.to_string(), staging].map(String::into_bytes).into()
}

/// Every way of naming and signing checkpoints.
pub fn schemes() -> [Scheme; 3] {
    let host = KeyName::new(HOST).expect("a name");
    [
        Scheme::RekorV1 { host: host.clone(), tree_id: TREE_ID },
        Scheme::RekorV2 { origin: host.clone() },
        Scheme::StaticCt { origin: host },
    ]
}

fn notes() -> Vec<Vec<u8>> {
    let now = Timestamp::from_seconds(1_800_000_000);
    let note = |scheme: Scheme| {
        let signature = sign(&scheme.signed_bytes(&tree_head(), now));
        scheme.note(&tree_head(), now, &public_key(), &signature)
    };
    let signed = schemes().map(note);
    let mut seeds: Vec<Vec<u8>> = signed.iter().map(|note| note.clone().into_bytes()).collect();
    seeds.push(format!("{}— witness.example AAAAAQME\n", signed[0]).into_bytes());
    seeds.push("origin\n1\nAAAA\n\n— log AAAAAAEC\n".into());
    seeds
}

fn paths() -> Vec<Vec<u8>> {
    ["0/000", "0/x001/067.p/12", "63/x018/x446/x744/x073/x709/x551/615", "entries/x001/000", "data/999.p/255", "1/255"]
        .map(|path| path.as_bytes().to_vec())
        .into()
}

fn tiles() -> Vec<Vec<u8>> {
    let hashes = [merkle::leaf_hash(b"a"), merkle::leaf_hash(b"b"), merkle::leaf_hash(b"c")];
    let bundle = [&b"first"[..], b"", b"third"].map(|leaf| tile::bundle_entry(leaf).expect("a short leaf")).concat();
    let data: Vec<u8> = leaves().iter().flat_map(|(leaf, extra)| sct::tile_leaf(leaf, extra).expect("short")).collect();
    vec![tile::hashes_to_bytes(&hashes), bundle, data]
}

fn leaves() -> Vec<(MerkleTreeLeaf, ExtraData)> {
    let [x509, precert] = log_entries();
    let extensions = sct::leaf_index_extension(5).expect("a small index").to_vec();
    let timestamp = Timestamp::from_seconds(1_800_000_000);
    let leaf = |entry| MerkleTreeLeaf { timestamp, entry, extensions: extensions.clone() };
    vec![
        (leaf(x509), ExtraData::X509 { chain: vec![vec![1], vec![2, 3]] }),
        (leaf(precert), ExtraData::Precert { precertificate: vec![7, 8], chain: vec![vec![1]] }),
    ]
}

fn scts() -> Vec<Vec<u8>> {
    let extensions = sct::leaf_index_extension(5).expect("a small index").to_vec();
    let timestamp = Timestamp::from_seconds(1_800_000_000);
    let signature = sign(b"anything");
    let sct = SignedCertificateTimestamp { log_id: public_key().fingerprint(), timestamp, extensions, signature };
    let list = [sct.clone(), sct.clone()];
    let mut seeds = vec![
        sct.to_bytes().expect("short"),
        sct::list_to_bytes(&list).expect("short"),
        sct::list_to_extension(&list[..1]).expect("short"),
        sct::encode_digitally_signed(&sct.signature),
    ];
    for (leaf, extra) in leaves() {
        seeds.push(leaf.to_bytes().expect("short"));
        seeds.push(extra.to_bytes().expect("short"));
    }
    seeds
}

fn entries() -> Vec<Vec<u8>> {
    let key = STANDARD.encode(public_key().to_pem());
    let hashedrekord = format!(
        r#"{{"kind":"hashedrekord","apiVersion":"0.0.1","spec":{{"data":{{"hash":{{"algorithm":"sha256","value":"{}"}}}},"signature":{{"content":"{}","publicKey":{{"content":"{key}"}}}}}}}}"#,
        hex::encode(hash::sha256(b"artifact")),
        STANDARD.encode(sign(b"artifact")),
    );
    let payload = b"{\"a\":1}";
    let signed = chancery_verify::rekor::dsse::pre_authentication_encoding("application/json", payload);
    let (payload_base64, signature) = (STANDARD.encode(payload), STANDARD.encode(sign(&signed)));
    let envelope = format!(
        r#"{{"payload":"{payload_base64}","payloadType":"application/json","signatures":[{{"sig":"{signature}"}}]}}"#
    );
    let envelope = serde_json::Value::from(envelope).to_string();
    let dsse = format!(
        r#"{{"apiVersion":"0.0.1","kind":"dsse","spec":{{"proposedContent":{{"envelope":{envelope},"verifiers":["{key}"]}}}}}}"#
    );
    let hash = format!(r#"{{"algorithm":"sha256","value":"{}"}}"#, hex::encode(hash::sha256(payload)));
    let logged = format!(
        r#"{{"apiVersion":"0.0.1","kind":"dsse","spec":{{"envelopeHash":{hash},"payloadHash":{hash},"signatures":[{{"signature":"AA==","verifier":"{key}"}}]}}}}"#
    );
    let intoto = |version: &str, spec: &str| format!(r#"{{"apiVersion":"{version}","kind":"intoto","spec":{spec}}}"#);
    let v001 = |content: &str| intoto("0.0.1", &format!(r#"{{"content":{{{content}}},"publicKey":"{key}"}}"#));
    let (twice, signature) = (STANDARD.encode(payload_base64), STANDARD.encode(signature));
    let v002 = |payload: &str, hashes: &str| {
        let signature = format!(r#"{{"keyid":"\u00e9<\u0001","publicKey":"{key}","sig":"{signature}"}}"#);
        let envelope = format!(r#"{{{payload}"payloadType":"application/json","signatures":[{signature}]}}"#);
        intoto("0.0.2", &format!(r#"{{"content":{{"envelope":{envelope},{hashes}}}}}"#))
    };
    let hashes = format!(r#""hash":{hash},"payloadHash":{hash}"#);
    let intoto = [
        v001(&format!(r#""envelope":{envelope}"#)),
        v001(&hashes),
        v002(&format!(r#""payload":"{twice}","#), &format!(r#""hash":{hash}"#)),
        v002("", &hashes),
    ];
    [hashedrekord, dsse, logged].into_iter().chain(intoto).map(String::into_bytes).collect()
}

fn entries_v2() -> Vec<Vec<u8>> {
    let verifier = |key: &str, der: &[u8], details: &str| {
        format!(r#"{{"{key}":{{"rawBytes":"{}"}},"keyDetails":{details}}}"#, STANDARD.encode(der))
    };
    let public_key = verifier("publicKey", public_key().spki_der(), "\"PKIX_ECDSA_P256_SHA_256\"");
    let [_, certificate, _] = certificates();
    let certificate = verifier("x509Certificate", &certificate, "5");
    let hashedrekord = |verifier: &str| {
        format!(
            r#"{{"hashedRekordRequestV002":{{"digest":"{}","signature":{{"content":"{}","verifier":{verifier}}}}}}}"#,
            STANDARD.encode(hash::sha256(b"artifact")),
            STANDARD.encode(sign(b"artifact")),
        )
    };
    let payload = b"{\"a\":1}";
    let signed = chancery_verify::rekor::dsse::pre_authentication_encoding("application/json", payload);
    let envelope = format!(
        r#"{{"payload":"{}","payloadType":"application/json","signatures":[{{"sig":"{}","keyid":"x"}}]}}"#,
        STANDARD.encode(payload),
        STANDARD.encode(sign(&signed)),
    );
    let dsse = format!(r#"{{"dsse_request_v002":{{"envelope":{envelope},"verifiers":[{public_key},{certificate}]}}}}"#);
    let nothing = r#"{"hashedRekordRequestV002":null,"dsseRequestV002":{"verifiers":null}}"#.to_owned();
    [hashedrekord(&public_key), hashedrekord(&certificate), dsse, nothing].map(String::into_bytes).into()
}

fn key_pair() -> KeyPair {
    let pkcs8 = KEY.to_pkcs8_pem(LineEnding::LF).expect("a key can be encoded");
    KeyPair::from_pem(&pkcs8).expect("a key reads back")
}

fn root() -> CertificateParams {
    let mut root = CertificateParams::new(Vec::new()).expect("no names");
    root.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    root.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    root
}

/// A precertificate signing certificate below the root.
fn precertificate_signer() -> Vec<u8> {
    let mut signer = root();
    signer.distinguished_name.push(DnType::OrganizationName, "precertificates");
    signer.extended_key_usages = vec![ExtendedKeyUsagePurpose::Other(vec![1, 3, 6, 1, 4, 1, 11129, 2, 4, 4])];
    signer.use_authority_key_identifier_extension = true;
    signer.signed_by(&key_pair(), &Issuer::new(root(), key_pair())).expect("signed").der().to_vec()
}

/// The issuer of a certificate whose precertificate the root has signed, and of one whose precertificate was signed by a
/// precertificate signing certificate.
pub fn final_issuers() -> &'static [FinalIssuer; 2] {
    static ISSUERS: LazyLock<[FinalIssuer; 2]> = LazyLock::new(|| {
        let parsed = |der: &[u8]| Certificate::from_der(der).expect("a certificate");
        let [root, ..] = certificates();
        let issuers = [parsed(&precertificate_signer()), parsed(&root)];
        [&issuers[1..], &issuers].map(|issuers| FinalIssuer::among(issuers).expect("a CA"))
    });
    &ISSUERS
}

/// A root, a leaf with Fulcio's extensions, and a precertificate.
fn certificates() -> [Vec<u8>; 3] {
    let root = root();
    let root_der = root.self_signed(&key_pair()).expect("signed").der().to_vec();
    let issuer = Issuer::new(root, key_pair());
    let mut leaf = CertificateParams::new(Vec::new()).expect("no names");
    leaf.subject_alt_names = vec![SanType::Rfc822Name("alice@example.test".try_into().expect("ASCII"))];
    leaf.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::CodeSigning];
    leaf.use_authority_key_identifier_extension = true;
    let extension = CustomExtension::from_oid_content;
    // Fulcio's issuer (V1 and V2).
    let issuer_v2 = [&[0x0c, 16][..], b"https://issuer.t"].concat();
    leaf.custom_extensions = vec![
        extension(&[1, 3, 6, 1, 4, 1, 57264, 1, 1], b"https://issuer.t".to_vec()),
        extension(&[1, 3, 6, 1, 4, 1, 57264, 1, 8], issuer_v2),
    ];
    let mut precertificate = leaf.clone();
    let mut poison = extension(&[1, 3, 6, 1, 4, 1, 11129, 2, 4, 3], vec![5, 0]);
    poison.set_criticality(true);
    precertificate.custom_extensions.push(poison);
    let list = scts().swap_remove(2);
    leaf.custom_extensions.push(extension(&[1, 3, 6, 1, 4, 1, 11129, 2, 4, 2], list));
    let signed = |params: CertificateParams| params.signed_by(&key_pair(), &issuer).expect("signed").der().to_vec();
    [root_der, signed(leaf), signed(precertificate)]
}

fn request() -> Vec<u8> {
    let params = CertificateParams::new(vec!["example.test".to_owned()]).expect("a name");
    params.serialize_request(&key_pair()).expect("signed").der().to_vec()
}

fn pems() -> Vec<Vec<u8>> {
    let chain: String = certificates().iter().map(|der| pem::encode(pem::CERTIFICATE, der)).collect();
    let headers = "-----BEGIN TEST-----\nProc-Type: 4\n\nAAEC\n-----END TEST-----\n";
    vec![public_key().to_pem().into_bytes(), chain.into_bytes(), headers.into(), pem::encode("EMPTY", &[]).into_bytes()]
}

fn ed25519_spki() -> Vec<u8> {
    // RFC 8032 §7.1, test 1.
    let point = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
    hex::decode(format!("302a300506032b6570032100{point}")).expect("hexadecimal")
}

/// 2,048 bits that are the product of no two known primes; nothing is ever verified with them.
fn rsa_spki() -> Vec<u8> {
    let head = "30820122300d06092a864886f70d01010105000382010f003082010a02820101";
    let modulus = format!("00{}", "c3".repeat(256));
    hex::decode(format!("{head}{modulus}0203010001")).expect("hexadecimal")
}

/// A bundle with everything, one with an envelope, cosign's older bundle, and the annotations of images.
fn bundles() -> Vec<Vec<u8>> {
    let [_, leaf, _] = certificates();
    let (leaf, hash) = (STANDARD.encode(leaf), STANDARD.encode([1; 32]));
    let proof = format!(
        r#""inclusionProof":{{"logIndex":"1","treeSize":"2","rootHash":"{hash}","hashes":["{hash}"],"checkpoint":{{"envelope":"a\n"}}}}"#
    );
    let entry = format!(r#""logIndex":"1","logId":{{"keyId":"{hash}"}},{proof},"canonicalizedBody":"e30=""#);
    let old = r#""kindVersion":{"kind":"hashedrekord","version":"0.0.1"},"integratedTime":"1","inclusionPromise":{"signedEntryTimestamp":"AA=="}"#;
    let new = r#""kindVersion":{"kind":"dsse","version":"0.0.2"}"#;
    let times = r#""timestampVerificationData":{"rfc3161Timestamps":[{"signedTimestamp":"AA=="}]}"#;
    let message = format!(r#"{{"messageDigest":{{"algorithm":"SHA2_256","digest":"{hash}"}},"signature":"AA=="}}"#);
    let envelope = r#"{"payload":"e30=","payloadType":"a/b","signatures":[{"sig":"AA==","keyid":"a"}]}"#;
    let body = STANDARD.encode(r#"{"apiVersion":"0.0.1","kind":"hashedrekord"}"#);
    let promise = format!(
        r#"{{"SignedEntryTimestamp":"AA==","Payload":{{"body":"{body}","integratedTime":1,"logIndex":1,"logID":"{}"}}}}"#,
        "ab".repeat(32)
    );
    let key = STANDARD.encode(public_key().to_pem());
    let media_type = r#""mediaType":"application/vnd.dev.sigstore.bundle"#;
    [
        format!(
            r#"{{{media_type}.v0.3+json","verificationMaterial":{{"certificate":{{"rawBytes":"{leaf}"}},"tlogEntries":[{{{entry},{old}}}],{times}}},"messageSignature":{message}}}"#
        ),
        format!(
            r#"{{{media_type}.v0.3+json","verificationMaterial":{{"publicKey":{{"hint":"a"}},"tlogEntries":[{{{entry},{new}}}]}},"dsseEnvelope":{envelope}}}"#
        ),
        format!(
            r#"{{{media_type}+json;version=0.1","verificationMaterial":{{"publicKey":{{}},"tlogEntries":[{{{entry},{old}}}]}},"messageSignature":{message}}}"#
        ),
        format!(r#"{{"base64Signature":"AA==","cert":"{key}","rekorBundle":{promise}}}"#),
        envelope.to_owned(),
        r#"{"SignedRFC3161Timestamp":"AA=="}"#.to_owned(),
        promise,
    ]
    .map(String::into_bytes)
    .into()
}

/// A trust root with one instance in each section.
fn trust_root() -> Vec<u8> {
    let [root, ..] = certificates();
    let (root, key, id) =
        (STANDARD.encode(root), STANDARD.encode(public_key().spki_der()), STANDARD.encode(public_key().fingerprint()));
    let window = r#""validFor":{"start":"2026-01-01T00:00:00.5Z","end":"2027-01-01T00:00:00Z"}"#;
    let log = format!(
        r#"{{"baseUrl":"https://{HOST}/a","hashAlgorithm":"SHA2_256","publicKey":{{"rawBytes":"{key}","keyDetails":"PKIX_ECDSA_P256_SHA_256",{window}}},"logId":{{"keyId":"{id}"}}}}"#
    );
    let authority = format!(
        r#"{{"uri":"https://{HOST}","certChain":{{"certificates":[{{"rawBytes":"{root}"}}]}},{window},"operator":"a"}}"#
    );
    format!(
        r#"{{"mediaType":"application/vnd.dev.sigstore.trustedroot+json;version=0.1","tlogs":[{log}],"ctlogs":[{log}],"certificateAuthorities":[{authority}],"timestampAuthorities":[{authority}]}}"#
    )
    .into_bytes()
}

/// The file that is shipped, and short ones.
fn policies() -> Vec<Vec<u8>> {
    let short = |require: &str| format!("version = 1\n[require]\n{require}\n").into_bytes();
    let signer = "issuer = 'https://issuer.example'\nidentity = 'alice@acme.example'";
    vec![
        include_bytes!("../../../deploy/policy.toml").to_vec(),
        short(signer),
        short("issuer = 'https://issuer.example'\nidentity = { regex = '(alice|bob)@acme\\.example' }"),
        short(
            "issuer = 'https://issuer.example'\nidentity = { glob = '*@acme.example' }\nnot_after = 2030-01-01T00:00:00Z",
        ),
        short("github = { repository = 'acme/*', workflow = 'release.yml', ref = 'refs/tags/v*' }"),
        short(&format!(
            "[[require.any_of]]\n{signer}\n[[distrust]]\nidentity = 'bob@acme.example'\nuntil = 2026-01-01T00:00:00Z"
        )),
        short(&format!(
            "at_least.count = 1\n[[require.at_least.of]]\n{signer}\npredicate = {{ type = 'x', fields = [{{ path = '/a', less = 1 }}] }}"
        )),
    ]
}

/// A signature by the person that the short policies ask for.
pub fn evidence() -> Vec<Evidence> {
    let identity = Identity::Email("alice@acme.example".to_owned());
    let claims =
        Claims::new(identity, [(Claim::Issuer, "https://issuer.example".to_owned())]).expect("an issuer is there");
    let signer = Signer::Certificate { claims, sha256: [1; 32], key_sha256: [2; 32], serial: vec![3] };
    vec![Evidence { times: vec![Timestamp::from_seconds(1_800_000_000)], ..Evidence::new(signer) }]
}
