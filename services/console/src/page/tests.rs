//! What the pages say.

use super::*;
use crate::facts::Checkpoint;

/// The time of [`state`].
pub(crate) const NOW: u64 = 1_800_000_000;

pub(crate) fn server() -> Server {
    Server {
        organization: "Example & Söhne <AG>".to_owned(),
        url: "https://sign.example.org".to_owned(),
        version: "1.2.3".to_owned(),
        links: vec![
            Link {
                group: "Trust files",
                reference: "trust/trusted_root.json".to_owned(),
                about: "whose signatures to believe",
            },
            Link { group: "Operations", reference: "readyz".to_owned(), about: "readiness" },
        ],
        manual: "https://docs.example.org/".to_owned(),
        ..Server::default()
    }
}

fn part(role: &'static str, obstacle: Option<&str>) -> Part {
    let url = "https://sign.example.org".to_owned();
    Part { role, title: "A role", about: "Does something.", url, obstacle: obstacle.map(str::to_owned) }
}

pub(crate) fn state() -> State {
    let at = Timestamp::from_seconds(NOW);
    let checkpoint = Checkpoint { size: 1_234_567, root_hash: [7; 32], signed: at.minus_seconds(180) };
    State {
        at,
        parts: vec![part("ca", None), part("log", None)],
        logs: vec![Log {
            title: "Signatures",
            origin: "sign.example.org".to_owned(),
            checkpoint: Some(checkpoint),
            key_fingerprint: [0xab; 32],
            reference: "checkpoint".to_owned(),
            is_frozen: false,
            obstacle: None,
        }],
        trust: Some(TrustRoot {
            checksum: "00112233".repeat(8),
            metadata: vec![Metadata { role: "root".to_owned(), version: 3, expires: at.plus_seconds(86_400 * 40) }],
            clients: vec![Guide {
                title: "cosign".to_owned(),
                text: "cosign initialize && echo '<done>'\n".to_owned(),
            }],
        }),
    }
}

fn text(state: &State) -> String {
    overview(&server(), state).into_string()
}

#[test]
fn the_overview_says_what_the_server_is_and_that_it_is_well() {
    let page = text(&state());
    for expected in [
        "<h1>Example &amp; Söhne &lt;AG&gt;</h1>",
        "https://sign.example.org",
        "Chancery 1.2.3",
        "All 2 roles are ready",
        "<strong>1,234,567</strong> entries",
        "3 minutes ago",
        "<time datetime=\"2027-01-15T07:57:00Z\">2027-01-15 07:57:00 UTC</time>",
        "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=",
        "<span>abababab</span>",
        "<span>00112233</span>",
        "in 40 days",
        "cosign initialize &amp;&amp; echo '&lt;done&gt;'",
        "href=\"trust/trusted_root.json\"",
    ] {
        assert!(page.contains(expected), "{expected} is not in\n{page}");
    }
    assert!(!page.contains("Try it") && !page.contains("Development server"));
    assert!(!page.contains("<script") && !page.contains("style=\"") && !page.contains(" onclick"));
}

#[test]
fn what_is_not_well_is_said_with_its_reason() {
    let mut state = state();
    state.parts[1].obstacle = Some("the rekor log is quarantined <now>".to_owned());
    state.logs[0].obstacle = Some("quarantined".to_owned());
    state.logs[0].checkpoint = None;
    let page = text(&state);
    for expected in [
        "1 of 2 roles not ready",
        "the rekor log is quarantined &lt;now&gt;",
        "takes no entries",
        "Nothing can be proven",
    ] {
        assert!(page.contains(expected), "{expected}");
    }
    assert!(!page.contains("roles are ready"));
}

#[test]
fn a_frozen_log_is_not_ill() {
    let mut state = state();
    state.logs[0].is_frozen = true;
    let page = text(&state);
    assert!(page.contains("frozen") && !page.contains("takes no entries") && page.contains("All 2 roles are ready"));
}

#[test]
fn a_process_shows_only_what_it_has() {
    let state = State { parts: vec![part("ca", None)], logs: Vec::new(), trust: None, ..state() };
    let page = text(&state);
    assert!(page.contains("The one role of this process is ready"));
    for absent in ["id=\"logs\"", "id=\"trust\"", "id=\"clients\""] {
        assert!(!page.contains(absent), "{absent}");
    }
}

#[test]
fn a_development_server_says_so_and_what_to_try() {
    let step = Guide { title: "A token".to_owned(), text: "chancery token alice@example.test".to_owned() };
    let server = Server { is_development: true, first_steps: vec![step], ..server() };
    let page = overview(&server, &state()).into_string();
    for expected in ["Not for production", "id=\"try\"", "chancery token alice@example.test"] {
        assert!(page.contains(expected), "{expected}");
    }
}
