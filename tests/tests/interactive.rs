//! Signing in through the development issuer's pages: device flow, browser flow and pasted codes, with real clients.

use chancery_tests::{
    ALICE, Client, Person, Stack,
    browser::{self, After},
    client::{Signer, with_signing_config, with_urls},
    program::{Program, Running},
};
use std::{
    thread,
    time::{Duration, Instant},
};

fn cosign3_sign(person: &Person) -> Program {
    with_signing_config(person, person.cosign3().args("sign-blob --yes --oidc-disable-ambient-providers"))
}

/// Reads link and code from a terminal and signs in on the page behind the link.
fn approve_device(person: &Person, client: &mut Running) {
    let said = client.wait_for("Enter the verification code");
    let (_, rest) = said.split_once("Enter the verification code ").unwrap();
    let code = rest.split_whitespace().next().unwrap();
    let link = browser::find_url(rest, &format!("{}/device", person.issuer()));
    let (_, page) = browser::open(&link);
    assert!(page.contains(&format!("value=\"{code}\"")), "the link fills in the code {code}: {page}");
    match browser::sign_in(&link, &person.email) {
        After::Page(page) => assert!(page.contains("Signed in") && page.contains(&person.email), "{page}"),
        After::Callback { url, .. } => panic!("a device has no callback: {url}"),
    }
}

#[test]
fn cosign_3_signs_in_by_device_code() {
    let stack = Stack::start();
    let alice = stack.person(ALICE);
    alice.write("artifact", "hello");
    // No terminal to type in: cosign takes the device flow by itself.
    let mut client = cosign3_sign(&alice).args("--bundle bundle.json artifact").start();
    approve_device(&alice, &mut client);
    client.finish().succeeds();
    Client::Cosign3.verify(&alice, "artifact", "bundle.json", &Signer::of(&alice)).run().succeeds();
}

#[test]
fn cosign_2_signs_in_by_device_code() {
    let stack = Stack::start();
    let alice = stack.person(ALICE);
    alice.write("artifact", "hello");
    let sign = with_urls(&alice, alice.cosign2().args("sign-blob --yes --oidc-disable-ambient-providers"));
    let mut client = sign.args("--new-bundle-format --bundle bundle.json artifact").start();
    approve_device(&alice, &mut client);
    client.finish().succeeds();
    Client::Cosign2.verify(&alice, "artifact", "bundle.json", &Signer::of(&alice)).run().succeeds();
}

#[test]
fn cosign_3_signs_in_with_a_browser() {
    let stack = Stack::start();
    let alice = stack.person(ALICE);
    alice.write("artifact", "hello");
    alice.install("xdg-open", "#!/bin/sh\nexit 0\n");
    let sign = cosign3_sign(&alice).args("--fulcio-auth-flow normal --bundle bundle.json artifact");
    let mut client = sign.start();
    let said = client.wait_for("Your browser will now be opened to:");
    let link = browser::find_url(&said, &format!("{}/authorize", alice.issuer()));
    match browser::sign_in(&link, ALICE) {
        After::Callback { response, url } => assert_eq!(response.status, 200, "{url}: {}", response.text()),
        After::Page(page) => panic!("no redirect to cosign: {page}"),
    }
    client.finish().succeeds();
    Client::Cosign3.verify(&alice, "artifact", "bundle.json", &Signer::of(&alice)).run().succeeds();
}

#[test]
fn cosign_3_signs_in_with_a_pasted_code() {
    let stack = Stack::start();
    let alice = stack.person(ALICE);
    alice.write("artifact", "hello");
    alice.install("xdg-open", "#!/bin/sh\nexit 1\n");
    let sign = cosign3_sign(&alice).args("--fulcio-auth-flow normal --bundle bundle.json artifact");
    let mut client = sign.start_interactive();
    let said = client.wait_for("Enter verification code");
    let link = browser::find_url(&said, &format!("{}/authorize", alice.issuer()));
    paste_code(&mut client, &link);
    client.finish().succeeds();
    Client::Cosign3.verify(&alice, "artifact", "bundle.json", &Signer::of(&alice)).run().succeeds();
}

#[test]
fn sigstore_python_signs_in_with_a_browser() {
    let stack = Stack::start();
    let alice = stack.person(ALICE);
    alice.write("artifact", "hello");
    // Python's webbrowser module runs $BROWSER with the link.
    alice.install("browser", "#!/bin/sh\necho \"$1\" > \"$HOME/link.new\" && mv \"$HOME/link.new\" \"$HOME/link\"\n");
    let sign = alice.sigstore_python().env("BROWSER", alice.path("bin/browser"));
    let client = sign.args("sign --oidc-disable-ambient-providers --bundle bundle.json artifact").start();
    let deadline = Instant::now() + Duration::from_mins(1);
    while !alice.path("link").exists() {
        assert!(Instant::now() < deadline, "no browser was opened: {}{}", client.stdout(), client.stderr());
        thread::sleep(Duration::from_millis(20));
    }
    let link = String::from_utf8(alice.read("link")).unwrap();
    match browser::sign_in(link.trim(), ALICE) {
        After::Callback { response, url } => assert_eq!(response.status, 200, "{url}: {}", response.text()),
        After::Page(page) => panic!("no redirect to sigstore: {page}"),
    }
    client.finish().succeeds();
    Client::SigstorePython.verify(&alice, "artifact", "bundle.json", &Signer::of(&alice)).run().succeeds();
}

#[test]
fn sigstore_python_signs_in_with_a_pasted_code() {
    let stack = Stack::start();
    let alice = stack.person(ALICE);
    alice.write("artifact", "hello");
    let sign = alice.sigstore_python().env("PYTHONUNBUFFERED", "1");
    let sign = sign.args("sign --oauth-force-oob --oidc-disable-ambient-providers --bundle bundle.json artifact");
    let mut client = sign.start_interactive();
    let said = client.wait_for("Enter verification code");
    let link = browser::find_url(&said, &format!("{}/authorize", alice.issuer()));
    paste_code(&mut client, &link);
    client.finish().succeeds();
    Client::SigstorePython.verify(&alice, "artifact", "bundle.json", &Signer::of(&alice)).run().succeeds();
}

fn paste_code(client: &mut Running, link: &str) {
    match browser::sign_in(link, ALICE) {
        After::Page(page) => client.type_line(&browser::shown_code(&page)),
        After::Callback { url, .. } => panic!("a code to copy was asked for, not {url}"),
    }
}
