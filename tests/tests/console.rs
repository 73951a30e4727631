//! The console: what a person sees who opens the server's address, and that clients notice nothing of it.

use chancery_tests::{
    ALICE, Client, Stack, TokenIssuer, chromium,
    http::{Request, Response},
    program::{Program, Running},
    stack::{chancery_binary, free_port},
};
use serde_json::json;
use std::{fs, path::Path};
use tempfile::TempDir;

/// What a browser of today sends for a page.
const BROWSER: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8";

fn open(url: &str) -> Response {
    Request::get(url).header("Accept", BROWSER).send()
}

/// Every reference of the page's links, in order.
fn references(page: &str) -> Vec<String> {
    let links = page.split("<a href=\"").skip(1);
    links.map(|rest| rest.split_once('"').unwrap().0.replace("&amp;", "&")).collect()
}

/// The text without markup, as the browser would copy it out of a `code` element.
fn unescape(html: &str) -> String {
    html.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&amp;", "&")
}

#[test]
fn the_page_says_what_is_true_and_every_link_leads_somewhere() {
    let stack = Stack::start();
    let alice = stack.person(ALICE);
    alice.write("artifact", "hello");
    for bundle in ["one.json", "two.json"] {
        Client::Cosign3.sign(&alice, "artifact", bundle).run().succeeds();
    }
    let page = open(&stack.at("/")).expect(200).text();
    for expected in ["All 4 roles are ready", "Chancery development", &stack.url(), "Not for production"] {
        assert!(page.contains(expected), "{expected}: {page}");
    }
    // Three logs. Rekor v2 has the trust root and two signatures.
    assert_eq!(page.matches("<article").count(), 3, "{page}");
    let (_, rekor2) = page.split_once("Signatures (Rekor v2)").unwrap();
    let checkpoint = stack.get("/checkpoint").expect(200).text();
    let lines: Vec<&str> = checkpoint.lines().collect();
    assert!(rekor2.contains(&format!("<strong>{}</strong>", lines[1])) && lines[1] == "3", "{checkpoint}");
    assert!(rekor2.contains(&format!("<code>{}</code>", lines[2])), "the root hash: {checkpoint}");
    // The fingerprint is the one that cosign wants, and the commands are those of the command line, byte for byte.
    let exported = |client: &str| {
        stack.chancery().args("trust export --for").arg(client).arg("--data").arg(stack.data()).run().succeeds()
    };
    let page_text = unescape(&page);
    for client in ["cosign", "python", "js", "go", "rust", "kyverno", "policy-controller", "flux", "gitsign"] {
        assert!(page_text.contains(&exported(client)), "{client}");
    }
    let (_, checksum) = page_text.split_once("--root-checksum ").unwrap();
    let groups: Vec<String> =
        checksum[..64].as_bytes().chunks(8).map(|group| String::from_utf8_lossy(group).into_owned()).collect();
    assert!(page.contains(&format!("<span>{}</span>", groups.join("</span><wbr><span>"))), "{groups:?}");
    let links = references(&page);
    assert!(links.len() > 18, "{links:?}");
    for reference in links.iter().filter(|reference| !reference.starts_with("https://")) {
        stack.get(&format!("/{reference}")).expect(200);
    }
}

#[test]
fn the_first_steps_work_as_they_are_shown() {
    let stack = Stack::start();
    let alice = stack.person(ALICE);
    let page = open(&stack.at("/")).expect(200).text();
    let (_, shown) = page.split_once("Sign and verify a file with cosign 3</h3>").unwrap();
    let (_, commands) = shown.split_once("<code>").unwrap();
    let commands = unescape(commands.split_once("</code>").unwrap().0);
    alice.install(
        "cosign",
        &format!("#!/bin/sh\nexec {} \"$@\"\n", chancery_tests::person::client("bin/cosign3").display()),
    );
    let written = alice.program("/bin/sh").arg("-ec").arg(&commands).run();
    assert!(commands.contains("verify-blob") && written.written().contains("Verified OK"), "{}", written.report());
    written.succeeds();
}

#[test]
fn the_pages_look_right_in_every_size_in_light_and_in_dark() {
    let stack = Stack::start();
    let alice = stack.person(ALICE);
    for look in chromium::look_at(&alice, &stack.at("/")) {
        assert_eq!(look["title"].as_str(), Some(format!("Chancery development · {} · Chancery", stack.url()).as_str()));
    }
    for look in chromium::look_at(&alice, &stack.at("/there/is/nothing")) {
        assert_eq!(look["title"], "Page not found · Chancery");
    }
}

#[test]
fn a_browser_gets_pages_and_a_client_what_it_got_before() {
    let stack = Stack::start();
    let not_found = r#"{"code":5,"message":"Not Found","details":[]}"#;
    let page = open(&stack.at("/nothing")).expect(404);
    assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
    assert!(page.text().contains("There is no page here"));
    for answer in [stack.get("/nothing"), stack.get("/.well-known/security.txt"), stack.post("/", &json!({}))] {
        assert_eq!((answer.status, answer.text().as_str()), (404, not_found));
        assert_eq!(answer.header("content-type"), Some("application/json"));
        assert_eq!(answer.header("content-security-policy"), None);
    }
    // What is there is not a page, however it is asked for.
    open(&stack.at("/trust/trusted_root.json")).expect(200).json();
    let head = Request::new("HEAD", &stack.url(), "/").header("Accept", BROWSER).send().expect(200);
    assert!(head.body.is_empty());
    for (name, value) in [
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
        ("referrer-policy", "no-referrer"),
        ("cache-control", "no-store"),
    ] {
        assert_eq!(head.header(name), Some(value), "{name}");
    }
    let policy = head.header("content-security-policy").unwrap();
    assert!(policy.starts_with("default-src 'none'; style-src 'sha256-") && !policy.contains("unsafe"), "{policy}");
    assert!(policy.ends_with("frame-ancestors 'none'"), "{policy}");
    assert_eq!(stack.get("/robots.txt").expect(200).text(), "User-agent: *\nDisallow: /\n");
    assert_eq!(stack.get("/favicon.ico").expect(200).header("content-type"), Some("image/x-icon"));
}

/// A directory with a configuration of every role at `address`.
fn configure(site: &Path, address: &str, issuer: &TokenIssuer, console: &str) {
    let url = issuer.url("people");
    let issuers = format!("[[issuer]]\nurl = \"{url}\"\ntype = \"email\"\ndevelopment_loopback_http = true\n");
    fs::write(site.join("issuers.toml"), issuers).unwrap();
    let text = format!(
        "url = \"http://{address}\"\norganization = \"Example & Söhne\"\ndata = \"data\"\n\
         [listen]\naddress = \"{address}\"\n[ca]\nissuers = \"issuers.toml\"\n[console]\n{console}\n"
    );
    fs::write(site.join("chancery.toml"), text).unwrap();
}

fn serve(site: &Path, options: &str) -> Running {
    let mut server = Program::new(chancery_binary(), site).args("serve --config chancery.toml").args(options).start();
    server.wait_for(" ready ");
    server
}

fn stop(server: Running) {
    server.terminate();
    server.finish().succeeds();
}

#[test]
fn a_server_says_what_it_has_names_its_contact_and_can_be_without_a_console() {
    let (site, issuer) = (TempDir::new().unwrap(), TokenIssuer::start());
    let address = format!("127.0.0.1:{}", free_port());
    let at = |path: &str| format!("http://{address}{path}");
    configure(site.path(), &address, &issuer, "security_contact = \"security@example.org\"");
    let init = || Program::new(chancery_binary(), site.path()).args("init --config chancery.toml").run();
    init().fails_with(&["[console] security_contact", "mailto:security@example.org"]);
    configure(site.path(), &address, &issuer, "security_contact = \"mailto:security@example.org\"");
    init().succeeds();
    let server = serve(site.path(), "--roles ca");
    let page = open(&at("/")).expect(200).text();
    assert!(page.contains("The one role of this process is ready") && page.contains("Example &amp; Söhne"), "{page}");
    for absent in
        ["Try it", "Not for production", "id=\"logs\"", "id=\"trust\"", "trust/trusted_root.json", "api/v1/log"]
    {
        assert!(!page.contains(absent), "{absent}: {page}");
    }
    for reference in references(&page).iter().filter(|reference| !reference.starts_with("https://")) {
        Request::get(&at(&format!("/{reference}"))).send().expect(200);
    }
    let contact = Request::get(&at("/.well-known/security.txt")).send().expect(200).text();
    let mut lines = contact.lines();
    assert_eq!(lines.next(), Some("Contact: mailto:security@example.org"));
    let expires: der::DateTime = lines.next().unwrap().strip_prefix("Expires: ").unwrap().parse().unwrap();
    let now = std::time::SystemTime::now().duration_since(std::time::SystemTime::UNIX_EPOCH).unwrap();
    let left = expires.unix_duration().checked_sub(now).unwrap().as_secs();
    assert!(left > 80 * 86_400 && left < 365 * 86_400, "{contact}");
    stop(server);
    configure(site.path(), &address, &issuer, "enabled = false\nsecurity_contact = \"mailto:security@example.org\"");
    let server = serve(site.path(), "");
    for path in ["/", "/favicon.ico", "/robots.txt", "/.well-known/security.txt", "/nothing"] {
        let answer = open(&at(path)).expect(404);
        assert_eq!(answer.text(), r#"{"code":5,"message":"Not Found","details":[]}"#, "{path}");
    }
    stop(server);
}
