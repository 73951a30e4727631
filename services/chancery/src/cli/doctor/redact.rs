//! Takes secrets out of texts that leave the machine: findings, and the configuration in a bundle for support.
//!
//! Settings name the files that have secrets, and nothing here reads one of those. What is taken out is what a person may have
//! written in a wrong place: a password in a URL, a token, a key in PEM. Comments of a configuration are left out as a whole.
//! Whatever may be a secret is taken out; a support engineer can ask for a value that was not one.

use toml::{Table, Value};
use url::form_urlencoded;

/// What is put in place of a secret.
const TAKEN_OUT: &str = "…";
/// A name with one of these words in it has a secret as its value.
const SECRET_WORDS: [&str; 11] = [
    "apikey",
    "api_key",
    "authorization",
    "bearer",
    "credential",
    "passphrase",
    "passwd",
    "password",
    "pin",
    "secret",
    "token",
];
/// Unless it ends so: then the value is the place of the secret.
const PLACES: [&str; 5] = ["_file", "-file", "_env", "-env", "-source"];
/// Further parameters of URLs that have a secret as their value.
const SECRET_PARAMETERS: [&str; 5] = ["key", "pwd", "sig", "signature", "x-amz-signature"];
/// Settings whose URL is a secret as a whole, as that of a chat's webhook is.
const SECRET_URLS: [&str; 2] = ["webhook", "webhook_url"];
/// What only a private key in PEM has.
const PRIVATE_KEY: &str = "PRIVATE KEY";
/// How every JSON Web Token begins: `{"` in base64.
const TOKEN: &str = "eyJ";

/// A text for people without its secrets, on one line.
pub(super) fn text(text: &str) -> String {
    if text.contains(PRIVATE_KEY) {
        return TAKEN_OUT.to_owned();
    }
    // A line that a parser quotes may have anything.
    let lines = text.lines().filter(|line| !is_quoted(line));
    let words = lines.flat_map(str::split_whitespace).map(word);
    words.collect::<Vec<_>>().join(" ").chars().filter(|character| !character.is_control()).collect()
}

/// Whether a line is one that the TOML parser quotes: `3 | password = "x"`.
fn is_quoted(line: &str) -> bool {
    let before = line.split_once('|').map(|(before, _)| before.trim());
    before.is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit()))
}

/// A word, which may be a URL, have one in it, or be a token.
fn word(word: &str) -> String {
    let is_token = word.split(['"', '\'', '=', ':', '(', ',']).any(|part| part.starts_with(TOKEN));
    if is_token {
        return TAKEN_OUT.to_owned();
    }
    parameters(&users(word))
}

/// Takes the password out of `scheme://user:password@host`.
fn users(word: &str) -> String {
    let Some((scheme, rest)) = word.split_once("://") else { return word.to_owned() };
    let end = rest.find(['/', '?', '#', '"', '\'', '`', ')']).unwrap_or(rest.len());
    // A password that was not encoded may have a slash in it.
    if let Some((before, host)) = rest.rsplit_once('@')
        && before.len() > end
        && before.contains(':')
        && !before.contains('?')
    {
        return format!("{scheme}://{TAKEN_OUT}@{host}");
    }
    let (authority, after) = rest.split_at(end);
    let shown = match authority.rsplit_once('@') {
        Some((user, host)) => match user.split_once(':') {
            Some((user, _)) => format!("{user}:{TAKEN_OUT}@{host}"),
            None => authority.to_owned(),
        },
        None => authority.to_owned(),
    };
    format!("{scheme}://{shown}{}", users(after))
}

/// Takes the values out of `name=value` whose name says that they are secret.
fn parameters(word: &str) -> String {
    let mut shown = String::with_capacity(word.len());
    let mut rest = word;
    while !rest.is_empty() {
        let end = rest.find(['?', '&', ';', '#', '"', '\'', ',']).unwrap_or(rest.len());
        let (pair, after) = rest.split_at(end);
        match pair.split_once('=') {
            Some((name, value)) if is_secret_parameter(name) => {
                shown.extend([name, "=", TAKEN_OUT]);
                // The value is between quotes: up to the second of them.
                if let Some(quote) = after.chars().next().filter(|next| value.is_empty() && matches!(next, '"' | '\''))
                {
                    rest = after.get(1..).and_then(|value| value.split_once(quote)).map_or("", |(_, after)| after);
                    continue;
                }
            }
            _ => shown.push_str(pair),
        }
        let separator = after.chars().next().map_or(0, char::len_utf8);
        shown.push_str(after.get(..separator).unwrap_or_default());
        rest = after.get(separator..).unwrap_or_default();
    }
    shown
}

/// Names may be percent-encoded.
fn is_secret_parameter(name: &str) -> bool {
    let name = form_urlencoded::parse(name.as_bytes()).next().map(|(name, _)| name.to_ascii_lowercase());
    name.is_some_and(|name| SECRET_PARAMETERS.contains(&name.as_str()) || is_secret(&name))
}

fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    SECRET_WORDS.iter().any(|word| name.contains(word)) && !PLACES.iter().any(|place| name.ends_with(place))
}

/// A configuration without its secrets and its comments.
pub(super) fn configuration(text: &str) -> String {
    let Ok(mut table) = text.parse::<Table>() else {
        return "# The file is not TOML. It is left out, because it cannot be known what in it is secret.\n".to_owned();
    };
    table.iter_mut().for_each(|(name, value)| setting(name, value));
    toml::to_string(&table).unwrap_or_else(|error| format!("# cannot be written: {error}\n"))
}

fn setting(name: &str, value: &mut Value) {
    match value {
        Value::Table(table) => table.iter_mut().for_each(|(name, value)| setting(name, value)),
        Value::Array(values) => values.iter_mut().for_each(|value| setting(name, value)),
        Value::String(written) if is_secret(name) => TAKEN_OUT.clone_into(written),
        Value::String(written) if SECRET_URLS.contains(&name.to_ascii_lowercase().as_str()) => {
            let host = written.split('/').nth(2).and_then(|host| host.rsplit('@').next()).unwrap_or_default();
            *written = format!("{TAKEN_OUT}//{host}/{TAKEN_OUT}");
        }
        Value::String(written) => *written = self::text(written),
        // A PIN may be a number.
        Value::Integer(_) if is_secret(name) => *value = Value::String(TAKEN_OUT.to_owned()),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What must be nowhere.
    const SECRET: &str = "hunter2";

    #[test]
    fn passwords_tokens_and_keys_are_taken_out_of_texts() {
        for (written, shown) in [
            ("https://sign.example.org/tuf?x=1", "https://sign.example.org/tuf?x=1"),
            ("postgres://me@db.example.org/log?passfile=/run/p", "postgres://me@db.example.org/log?passfile=/run/p"),
            ("postgres://me:hunter2@db.example.org/log", "postgres://me:…@db.example.org/log"),
            ("postgres://me:hun@ter2@db/log: refused", "postgres://me:…@db/log: refused"),
            ("postgres://me:hunter2/x@db.example.org/log", "postgres://…@db.example.org/log"),
            ("postgres://db/log?user=me&password=hunter2&port=1", "postgres://db/log?user=me&password=…&port=1"),
            ("postgres://db/log?pass%77ord=hunter2", "postgres://db/log?pass%77ord=…"),
            ("(https://a.example/?sig=hunter2&b=c)", "(https://a.example/?sig=…&b=c)"),
            ("hashivault://k?token-file=/run/t&token=hunter2", "hashivault://k?token-file=/run/t&token=…"),
            ("pkcs11:token=…?pin-value=hunter2&pin-source=file:/p", "pkcs11:token=…?pin-value=…&pin-source=file:/p"),
            ("host=db password='hunter2' port=1", "host=db password=… port=1"),
            ("passphrase=\"hunter2", "passphrase=…"),
            ("bearer eyJhunter2.eyJhunter2.x ends", "bearer … ends"),
            ("a -----BEGIN PRIVATE KEY-----\nhunter2\n-----END PRIVATE KEY-----", "…"),
            (
                "TOML parse error at line 3\n  |\n3 | password = \"hunter2\"\n  | ^^^\nunknown field",
                "TOML parse error at line 3 unknown field",
            ),
            (
                "see https://a.example/ and http://b:hunter2@c.example/",
                "see https://a.example/ and http://b:…@c.example/",
            ),
            ("\x1b[31mred\x07", "[31mred"),
        ] {
            let redacted = text(written);
            assert_eq!(redacted, shown, "{written}");
            assert!(!redacted.contains(SECRET), "{redacted}");
        }
    }

    #[test]
    fn a_configuration_keeps_its_settings_and_no_secret() {
        let written = "# hunter2 in a comment
url = \"https://sign.example.org\"
data = \"/var/lib/chancery\"
database = { url = \"postgres://me:hunter2@db.example.org/log?password=hunter2\" }
[ca]
key = \"hashivault://ca?address=https://v.example.org&token-env=T&token=hunter2\"
password = \"hunter2\"
key_password_file = \"/run/secrets/p\"
Secret-Word = [\"hunter2\", \"hunter2\"]
pin = 1234567
[events]
webhook = \"https://hooks.example.org/services/hunter2\"
token_file = \"/run/secrets/t\"
token = \"eyJhunter2.eyJhunter2.hunter2\"
[[issuer]]
url = \"https://issuer.example.org\"
proxy = \"http://me:hunter2@proxy.example.org:3128\"
ca_pem = '''
-----BEGIN EC PRIVATE KEY-----
hunter2
-----END EC PRIVATE KEY-----
'''
";
        let shown = configuration(written);
        assert!(!shown.contains(SECRET) && !shown.contains("1234567"), "{shown}");
        for kept in [
            "https://sign.example.org",
            "/var/lib/chancery",
            "db.example.org/log",
            "token-env=T",
            "/run/secrets/p",
            "/run/secrets/t",
            "hooks.example.org",
            "https://issuer.example.org",
            "proxy.example.org:3128",
        ] {
            assert!(shown.contains(kept), "{kept}: {shown}");
        }
        assert!(!configuration("hunter2 = ").contains(SECRET));
    }
}
