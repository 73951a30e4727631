//! The text that `chancery dev` prints when it is ready: one screen with the URL, three commands and where to read on.
//! Where a log is quarantined, the reason instead.

use super::commands::{BOLD, Facts, PASTE_INTO, PLAIN, command_for_all, first_three, wrap};

/// Where the manual begins, below the top of the source tree.
const MANUAL: &str = "docs/src/start/";
/// Where it says what to do about a log in doubt.
const RUNBOOK: &str = "docs/src/operate/runbook.md, under ChanceryLogQuarantined";

/// The whole text.
pub(super) fn banner(facts: &Facts<'_>) -> String {
    let title = format!(
        "chancery {}, development server: anyone on this machine may sign as anyone. Not for production.",
        env!("CARGO_PKG_VERSION")
    );
    let mut text = head(facts, &title);
    text.extend(["\nPaste ", PASTE_INTO, ":\n"]);
    text.extend(first_three(facts).iter().map(wrap));
    text.push_str("\nAll commands: tokens, images, cosign 2, sigstore-python\n");
    text.push_str(&wrap(&command_for_all(facts)));
    text.extend(["More: ", MANUAL, "\n"]);
    text.push_str("Stop with Ctrl-C. Start again with the same --data: earlier signatures still verify.\n");
    text
}

/// The text where logs are quarantined, for these reasons: no command to sign with, because that would fail.
pub(super) fn in_doubt(facts: &Facts<'_>, quarantined: &[String]) -> String {
    let title = format!("chancery {}, development server: NOT READY, a log is in doubt.", env!("CARGO_PKG_VERSION"));
    let mut text = head(facts, &title);
    for reason in quarantined {
        text.extend(["\n", reason, "\n"]);
    }
    text.extend(["\nWhat to do: ", RUNBOOK, "\n"]);
    text.push_str("Stop with Ctrl-C. Delete nothing: what was signed before may depend on it.\n");
    text
}

/// The title, and where things are.
fn head(facts: &Facts<'_>, title: &str) -> String {
    let mut text = ["\n", BOLD, title, PLAIN, "\n\n"].concat();
    for (name, value) in [
        ("Console", format!("{}/", facts.url)),
        ("Data", format!("{}/", facts.data.display())),
        ("Trust files", format!("{}/", facts.trust.display())),
    ] {
        text.extend(["  ", name, &" ".repeat(13 - name.len()), &value, "\n"]);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dev::commands::WIDTH;
    use std::path::Path;

    /// Rows of a terminal that people still have.
    const HEIGHT: usize = 24;

    #[test]
    fn a_log_in_doubt_is_told_instead_of_what_would_fail() {
        let facts = Facts {
            url: "http://127.0.0.1:8080",
            issuer: "http://127.0.0.1:8080/oidc",
            data: Path::new("chancery-dev"),
            database: None,
            trust: Path::new("chancery-dev/trust"),
            executable: Path::new("chancery"),
            root_checksum: "",
        };
        let reasons = ["the ct log is QUARANTINED", "the rekor log is QUARANTINED"].map(str::to_owned);
        let text = in_doubt(&facts, &reasons);
        for part in ["NOT READY", "http://127.0.0.1:8080/\n", reasons[0].as_str(), reasons[1].as_str(), RUNBOOK] {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert!(!text.contains("Paste") && !text.contains("cosign"), "{text}");
    }

    #[test]
    fn the_banner_fits_one_screen_and_begins_with_the_console() {
        let facts = Facts {
            url: "http://127.0.0.1:8080",
            issuer: "http://127.0.0.1:8080/oidc",
            data: Path::new("/home/alice/chancery/chancery-dev"),
            database: None,
            trust: Path::new("/home/alice/chancery/chancery-dev/trust"),
            executable: Path::new("/home/alice/chancery/target/release/chancery"),
            root_checksum: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        };
        let text = banner(&facts).replace(BOLD, "").replace(PLAIN, "");
        assert!(text.lines().count() <= HEIGHT, "{} lines:\n{text}", text.lines().count());
        for line in text.lines() {
            assert!(line.chars().count() <= WIDTH, "{line}");
        }
        let first_url = text.split_whitespace().find(|word| word.starts_with("http"));
        assert_eq!(first_url, Some("http://127.0.0.1:8080/"));
        assert!(text.contains(MANUAL));
    }
}
