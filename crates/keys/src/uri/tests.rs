//! Texts that are key URIs, and texts that are refused.

use super::*;

fn parse(text: &str) -> KeyUri {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[test]
fn sigstore_s_own_forms_are_understood() {
    let KeyUri::Aws(key) = parse("awskms:///arn:aws:kms:us-east-2:111122223333:key/1234abcd-12ab") else { panic!() };
    assert_eq!((key.region.as_str(), key.endpoint), ("us-east-2", None));
    let KeyUri::Aws(key) = parse("awskms://localhost:4566/alias/ca?region=eu-west-1") else { panic!() };
    assert_eq!((key.id.as_str(), key.endpoint.unwrap().as_str()), ("alias/ca", "http://localhost:4566/"));
    let KeyUri::Aws(key) = parse("awskms://kms.example.org/alias/ca?region=eu-west-1") else { panic!() };
    assert_eq!(key.endpoint.unwrap().as_str(), "https://kms.example.org/");
    let name = "projects/p/locations/global/keyRings/r/cryptoKeys/k/cryptoKeyVersions/1";
    let KeyUri::Google(key) = parse(&format!("gcpkms://{name}")) else { panic!() };
    assert_eq!((key.name.as_str(), key.credentials), (name, None));
    let KeyUri::Azure(key) = parse("azurekms://example.vault.azure.net/ca") else { panic!() };
    assert_eq!((key.vault.as_str(), key.login), ("https://example.vault.azure.net/", AzureLogin::ManagedIdentity));
    let KeyUri::Vault(key) = parse("hashivault://ca?address=https://vault.test:8200&token-env=VAULT_TOKEN") else {
        panic!()
    };
    assert_eq!((key.mount.as_str(), key.token), ("transit", Secret::Environment("VAULT_TOKEN".to_owned())));
}

#[test]
fn files_and_tokens_are_named_with_their_secrets_elsewhere() {
    for text in ["file:/keys/my%20ca.pem?password-file=/run/pw", "file:///keys/my%20ca.pem?password-file=/run/pw"] {
        let KeyUri::File(key) = parse(text) else { panic!() };
        assert_eq!(key.path, PathBuf::from("/keys/my ca.pem"));
        assert_eq!(key.password, Some(Secret::File("/run/pw".into())));
    }
    let uri =
        "pkcs11:token=The%20Token;object=ca;id=%01%ff;type=private?pin-source=file:/run/pin&module-path=/lib/p11.so";
    let KeyUri::Pkcs11(key) = parse(uri) else { panic!() };
    assert_eq!(key.token.as_deref(), Some("The Token"));
    assert_eq!(key.id.as_deref(), Some([1, 0xff].as_slice()));
    assert_eq!(key.pin, Some(Secret::File("/run/pin".into())));
}

#[test]
fn everything_else_is_refused_and_says_why() {
    for (text, reason) in [
        ("", "starts with"),
        ("/keys/ca.pem", "starts with"),
        ("k8s://namespace/secret", "starts with"),
        ("file:ca.pem", "absolute"),
        ("file://host/ca.pem", "absolute"),
        ("file:/ca.pem?password=sesame", "password-file"),
        ("file:/ca.pem?password-file=pw", "absolute"),
        ("file:/ca.pem?password-file=/a&password-file=/b", "twice"),
        ("file:/ca.pem?password-file=/a&password-env=B", "only one"),
        ("file:/ca.pem?colour=red", "no option \"colour\""),
        ("file:/ca%zz.pem", "percent"),
        ("file:/ca.pem#x", "percent"),
        ("pkcs11:token=t;object=o?module-path=/p.so&pin-value=1234", "pin-source"),
        ("pkcs11:token=t;object=o", "module-path"),
        ("pkcs11:object=o?module-path=/p.so", "token="),
        ("pkcs11:token=t?module-path=/p.so", "object="),
        ("pkcs11:token=t;object=o;type=public?module-path=/p.so", "private"),
        ("pkcs11:token=t;object=o;colour=red?module-path=/p.so", "no option"),
        ("awskms:///alias/ca", "region"),
        ("awskms://user@host/alias/ca?region=eu-west-1", "write it as"),
        ("awskms:///?region=eu-west-1", "write it as"),
        ("awskms:///arn:aws:kms:us-east-2:1:key/x?region=eu-west-1", "only one"),
        ("gcpkms://projects/p/locations/global/keyRings/r/cryptoKeys/k", "with the version"),
        ("gcpkms://projects/p/locations/../keyRings/r/cryptoKeys/k/cryptoKeyVersions/1", "write it as"),
        ("gcpkms://projects/p/locations/l/keyRings/r/cryptoKeys/k/cryptoKeyVersions/1?endpoint=http://a.test", "https"),
        ("azurekms://example.vault.azure.net/ca?tenant=t", "client="),
        ("azurekms:///ca", "write it as"),
        ("hashivault://ca?token-file=/t", "address"),
        ("hashivault://ca?address=http://vault.test:8200&token-file=/t", "https"),
        ("hashivault://ca?address=https://vault.test&token=s.abc", "token-file"),
        ("hashivault://ca?address=https://vault.test&token-file=/t&mount=../x", "mount"),
        ("hashivault://a/b?address=https://vault.test&token-file=/t", "write it as"),
    ] {
        let error = text.parse::<KeyUri>().expect_err(text).to_string();
        assert!(error.contains(reason), "{text}: {error}");
        assert!(!error.contains("sesame") && !error.contains("1234") && !error.contains("s.abc"), "{error}");
    }
}

#[test]
fn two_texts_may_name_one_key() {
    let is_same = |one: &str, other: &str| parse(one).is_same_key(&parse(other));
    assert!(is_same("file:/a.pem", "file:///a.pem?password-file=/run/pw"));
    assert!(is_same("awskms:///alias/a?region=eu-west-1", "awskms:///alias/a?region=eu-west-1"));
    assert!(!is_same("file:/a.pem", "file:/b.pem"));
    assert!(!is_same("awskms:///alias/a?region=eu-west-1", "awskms:///alias/a?region=eu-west-2"));
}
