//! Commands of clients for a development server: complete, to be pasted into any shell in any directory.
//!
//! Every path is absolute and quoted, every URL is the server's own, and no command depends on one before it except for the
//! file it signs. `chancery dev --commands` prints all of them; the banner has the first three. Text only: where standard
//! output is not a terminal, the stream removes the colours.

use crate::command::{check_logs, quoted};
use std::path::Path;

/// Columns a command may use before it is continued on the next line.
pub(super) const WIDTH: usize = 100;
/// What the headline above commands says after «Paste».
pub(super) const PASTE_INTO: &str =
    "into another shell, in any directory; without --identity-token, clients open a browser";
const EMAIL: &str = "alice@example.test";
const IMAGE: &str = "localhost:5000/app:latest";
pub(super) const BOLD: &str = "\u{1b}[1m";
pub(super) const PLAIN: &str = "\u{1b}[0m";

/// What the commands contain.
pub(super) struct Facts<'a> {
    /// `http://127.0.0.1:8080`.
    pub(super) url: &'a str,
    /// The issuer's `iss`.
    pub(super) issuer: &'a str,
    /// Absolute.
    pub(super) data: &'a Path,
    /// URL of the database with the logs; `None` where they are in `data`.
    pub(super) database: Option<&'a str>,
    /// Absolute: the directory of the trust files.
    pub(super) trust: &'a Path,
    /// Absolute path of this program.
    pub(super) executable: &'a Path,
    /// SHA-256 of the first TUF root, in hexadecimal.
    pub(super) root_checksum: &'a str,
}

/// All commands, each below a headline that says which client it is for.
pub(super) fn all(facts: &Facts<'_>) -> String {
    let mut text =
        format!("{BOLD}Commands for the development server at {}{PLAIN}\n\nPaste {PASTE_INTO}.\n", facts.url);
    for (title, commands) in sections(facts) {
        text.extend(["\n", BOLD, title, PLAIN, "\n"]);
        text.extend(commands.iter().map(wrap));
    }
    text
}

/// Sign a file, verify it, recompute the logs: the commands of the banner.
pub(super) fn first_three(facts: &Facts<'_>) -> [Words; 3] {
    let [echo, sign, verify] = cosign3_file(facts);
    let sign = [echo, words(&["&&"]), sign].concat();
    [sign, verify, check_logs(facts.executable, facts.data, facts.database)]
}

/// A token, then a file signed and verified, as the console shows them: titles, and commands without a margin.
pub(super) fn first_steps(facts: &Facts<'_>) -> Vec<(&'static str, String)> {
    let text = |commands: &[Words]| {
        let wrapped: String = commands.iter().map(wrap).collect();
        wrapped.lines().map(|line| [line.strip_prefix("  ").unwrap_or(line), "\n"].concat()).collect()
    };
    vec![
        ("A token", text(&[words(&[&facts.token_command()])])),
        ("Sign and verify a file with cosign 3", text(&cosign3_file(facts))),
        ("The same with sigstore-python", text(&sigstore_python(facts))),
    ]
}

/// `chancery dev --commands` for this instance.
pub(super) fn command_for_all(facts: &Facts<'_>) -> Words {
    let mut command =
        vec![quoted(facts.executable), "dev --commands".to_owned(), format!("--data {}", quoted(facts.data))];
    command.extend(facts.database.map(|url| format!("--database {}", quoted(Path::new(url)))));
    command
}

/// A command as words that stay together on a line.
pub(super) type Words = Vec<String>;

fn sections(facts: &Facts<'_>) -> Vec<(&'static str, Vec<Words>)> {
    vec![
        ("A token", vec![words(&[&facts.token_command()])]),
        ("cosign 3: sign and verify a file", cosign3_file(facts).to_vec()),
        ("cosign 3: initialize once; later commands need no option that names this server", cosign3_tuf(facts)),
        ("cosign 3: sign and verify an image, in a registry you can push to", cosign3_image(facts)),
        ("cosign 2: export three variables once per shell, then sign and verify a file", cosign2_file(facts)),
        ("cosign 2: sign and verify an image, after the exports", cosign2_image(facts)),
        ("sigstore-python: sign and verify a file", sigstore_python(facts)),
        ("Recompute all logs from their entries", vec![check_logs(facts.executable, facts.data, facts.database)]),
    ]
}

fn cosign3_file(facts: &Facts<'_>) -> [Words; 3] {
    let (trusted_root, signing_config) = (facts.trusted_root(), facts.signing_config());
    let (token, signer) = (facts.identity_token(), facts.signer());
    let bundle = "--bundle hello.txt.sigstore.json";
    [
        words(&["echo hello > hello.txt"]),
        words(&["cosign sign-blob --yes", &signing_config, &trusted_root, &token, bundle, "hello.txt"]),
        words(&["cosign verify-blob", &trusted_root, bundle, &signer[0], &signer[1], "hello.txt"]),
    ]
}

fn cosign3_tuf(facts: &Facts<'_>) -> Vec<Words> {
    let url = facts.url;
    let (mirror, root) = (format!("--mirror {url}/tuf"), format!("--root {url}/tuf/root.json"));
    let checksum = format!("--root-checksum {}", facts.root_checksum);
    let (token, signer) = (facts.identity_token(), facts.signer());
    let bundle = "--bundle hello.tuf.json";
    vec![
        words(&["cosign initialize", &mirror, &root, &checksum]),
        words(&["echo hello > hello.txt"]),
        words(&["cosign sign-blob --yes", &token, bundle, "hello.txt"]),
        words(&["cosign verify-blob", bundle, &signer[0], &signer[1], "hello.txt"]),
    ]
}

fn cosign3_image(facts: &Facts<'_>) -> Vec<Words> {
    let (trusted_root, signing_config) = (facts.trusted_root(), facts.signing_config());
    let (token, signer) = (facts.identity_token(), facts.signer());
    vec![
        words(&["cosign sign --yes", &signing_config, &trusted_root, &token, IMAGE]),
        words(&["cosign verify", &trusted_root, &signer[0], &signer[1], IMAGE]),
    ]
}

fn cosign2_file(facts: &Facts<'_>) -> Vec<Words> {
    let [fulcio, rekor, issuer] = facts.urls();
    let (token, signer) = (facts.identity_token(), facts.signer());
    let bundle = "--bundle hello.cosign2.json";
    let export =
        |variable: &str, file: &str| words(&[&format!("export {variable}={}", quoted(&facts.trust.join(file)))]);
    vec![
        export("SIGSTORE_ROOT_FILE", "fulcio-chain.pem"),
        export("SIGSTORE_REKOR_PUBLIC_KEY", "rekor.pub"),
        export("SIGSTORE_CT_LOG_PUBLIC_KEY_FILE", "ctfe.pub"),
        words(&["echo hello > hello.txt"]),
        words(&["cosign sign-blob --yes", &fulcio, &rekor, &issuer, &token, bundle, "hello.txt"]),
        words(&["cosign verify-blob", &rekor, bundle, &signer[0], &signer[1], "hello.txt"]),
    ]
}

fn cosign2_image(facts: &Facts<'_>) -> Vec<Words> {
    let [fulcio, rekor, issuer] = facts.urls();
    let (token, signer) = (facts.identity_token(), facts.signer());
    vec![
        words(&["cosign sign --yes", &fulcio, &rekor, &issuer, &token, IMAGE]),
        // cosign 2 verifies the bundles that cosign 3 attaches only if it has the trusted root.
        words(&["cosign verify", &rekor, &facts.trusted_root(), &signer[0], &signer[1], IMAGE]),
    ]
}

fn sigstore_python(facts: &Facts<'_>) -> Vec<Words> {
    let trust = format!("--trust-config {}", quoted(&facts.trust.join("client_trust_config.json")));
    let bundle = "--bundle hello.python.json";
    let identity = [format!("--cert-identity {EMAIL}"), format!("--cert-oidc-issuer {}", facts.issuer)];
    vec![
        words(&["echo hello > hello.txt"]),
        words(&["sigstore", &trust, "sign", &facts.identity_token(), bundle, "--overwrite", "hello.txt"]),
        words(&["sigstore", &trust, "verify identity", bundle, &identity[0], &identity[1], "hello.txt"]),
    ]
}

impl Facts<'_> {
    fn trusted_root(&self) -> String {
        format!("--trusted-root {}", quoted(&self.trust.join("trusted_root.json")))
    }

    fn signing_config(&self) -> String {
        format!("--signing-config {}", quoted(&self.trust.join("signing_config.json")))
    }

    /// Without `--url` where the server listens on the default address, because every command that signs contains it.
    fn token_command(&self) -> String {
        let token = format!("{} token {EMAIL}", quoted(self.executable));
        if self.url == super::DEFAULT_URL { token } else { format!("{token} --url {}", self.url) }
    }

    fn identity_token(&self) -> String {
        format!("--identity-token \"$({})\"", self.token_command())
    }

    fn signer(&self) -> [String; 2] {
        [format!("--certificate-identity {EMAIL}"), format!("--certificate-oidc-issuer {}", self.issuer)]
    }

    fn urls(&self) -> [String; 3] {
        [
            format!("--fulcio-url {}", self.url),
            format!("--rekor-url {}", self.url),
            format!("--oidc-issuer {}", self.issuer),
        ]
    }
}

fn words(words: &[&str]) -> Words {
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// Indents a command and continues it with backslashes where it would be too wide.
pub(super) fn wrap(command: &Words) -> String {
    let mut text = String::from(" ");
    let mut column = 1;
    for (index, word) in command.iter().enumerate() {
        let width = word.chars().count() + 1;
        // Room for the backslash that a further line would need.
        if index > 0 && column + width + 2 > WIDTH {
            text.push_str(" \\\n   ");
            column = 3;
        }
        text.push(' ');
        text.push_str(word);
        column += width;
    }
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts<'a>(url: &'a str, data: &'a Path, trust: &'a Path) -> Facts<'a> {
        Facts {
            url,
            issuer: "http://127.0.0.1:8080/oidc",
            data,
            database: None,
            trust,
            executable: Path::new("/opt/chancery/bin/chancery"),
            root_checksum: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        }
    }

    #[test]
    fn commands_are_complete_after_the_shell_has_read_them() {
        let (data, trust) = (Path::new("/tmp/it's mine/dev"), Path::new("/tmp/it's mine/dev/trust"));
        let text = all(&facts("http://127.0.0.1:9999", data, trust)).replace(" \\\n", " ");
        let sign =
            text.lines().find(|line| line.contains("cosign sign-blob") && line.contains("--signing-config")).unwrap();
        let read = shlex::split(sign).unwrap();
        let expected = [
            "cosign",
            "sign-blob",
            "--yes",
            "--signing-config",
            "/tmp/it's mine/dev/trust/signing_config.json",
            "--trusted-root",
            "/tmp/it's mine/dev/trust/trusted_root.json",
            "--identity-token",
            "$(/opt/chancery/bin/chancery token alice@example.test --url http://127.0.0.1:9999)",
            "--bundle",
            "hello.txt.sigstore.json",
            "hello.txt",
        ];
        assert_eq!(read, expected);
        for line in text.lines().filter(|line| line.starts_with("  ")) {
            assert!(shlex::split(line).is_some() || !line.contains("cosign"), "{line}");
        }
    }

    #[test]
    fn lines_fit_where_paths_do() {
        let (data, trust) = (Path::new("/home/a/chancery-dev"), Path::new("/home/a/chancery-dev/trust"));
        for line in all(&facts("http://127.0.0.1:8080", data, trust)).replace(BOLD, "").replace(PLAIN, "").lines() {
            assert!(line.chars().count() <= WIDTH, "{line}");
        }
    }
}
