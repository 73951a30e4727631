//! The console's HTML: readable without a style sheet, with a keyboard and by a screen reader.
//!
//! maud escapes every value it inserts. The style is in the page, so that it is there at once and the policy in [`super::http`]
//! can name it by its hash.

use crate::{
    facts::{Guide, Link, Log, Metadata, Part, Server, State, TrustRoot},
    words,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use chancery_verify::Timestamp;
use maud::{DOCTYPE, Markup, PreEscaped, html};

/// The style of every page. The policy allows this text and no other.
pub(crate) const STYLE: &str = include_str!("style.css");

fn layout(title: &str, server: &Server, content: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="robots" content="noindex";
                title { (title) " · Chancery" }
                link rel="icon" href="/favicon.ico" sizes="32x32";
                style { (PreEscaped(STYLE)) }
            }
            body {
                (content)
                footer {
                    p { "Chancery " (server.version) " · " a href=(server.manual) { "Manual" } }
                }
            }
        }
    }
}

/// The page at `/`.
pub(crate) fn overview(server: &Server, state: &State) -> Markup {
    let title = format!("{} · {}", server.organization, server.url);
    layout(
        &title,
        server,
        &html! {
            header {
                p.brand { (mark()) "Chancery" }
                div.title {
                    div {
                        h1 { (server.organization) }
                        p.address { code { (server.url) } }
                    }
                    (verdict(&state.parts))
                }
                p.lead { "Signs software without long-lived keys, and logs every certificate and every signature." }
                @if server.is_development {
                    p.notice { strong { "Development server." } " Anyone on this machine may sign as anyone. Not for production." }
                }
            }
            main {
                (roles(server, &state.parts))
                @if !state.logs.is_empty() { (logs(&state.logs, state.at)) }
                @if !server.first_steps.is_empty() { (first_steps(&server.first_steps)) }
                @if let Some(trust) = &state.trust { (trust_root(trust, state.at)) (clients(&trust.clients)) }
                @if !server.links.is_empty() { (links(&server.links)) }
                p.made { "As of " (moment(state.at)) ". Reload the page for newer facts." }
            }
        },
    )
}

/// What a browser sees at a path that is not there.
pub(crate) fn unknown(server: &Server) -> Markup {
    layout(
        "Page not found",
        server,
        &html! {
            main.small {
                p.brand { (mark()) "Chancery" }
                h1 { "There is no page here" }
                p { "This server answers signing clients; only a few of its addresses are for a browser. Check the address, or go to the overview." }
                p { a href="/" { "Overview of " (server.organization) } }
            }
        },
    )
}

/// A seal.
fn mark() -> Markup {
    html! {
        svg.mark viewBox="0 0 32 32" width="32" height="32" aria-hidden="true" focusable="false" {
            circle cx="16" cy="16" r="15" {}
            path d="M21.5 11.2A7 7 0 1 0 21.5 20.8" {}
        }
    }
}

fn moment(time: Timestamp) -> Markup {
    let text = time.rfc3339();
    html! { time datetime=(text) { (text.replace('T', " ").replace('Z', " UTC")) } }
}

/// The one sentence that says whether all is well.
fn verdict(parts: &[Part]) -> Markup {
    let impeded = parts.iter().filter(|part| part.obstacle.is_some()).count();
    html! {
        @match (impeded, parts.len()) {
            (0, 1) => p.verdict.well role="status" { span.dot aria-hidden="true" {} "The one role of this process is ready" },
            (0, all) => p.verdict.well role="status" { span.dot aria-hidden="true" {} "All " (all) " roles are ready" },
            (some, all) => p.verdict.ill role="status" { span.dot aria-hidden="true" {} (some) " of " (all) " roles not ready" },
        }
    }
}

fn roles(server: &Server, parts: &[Part]) -> Markup {
    html! {
        section aria-labelledby="roles" {
            h2 #roles { "Roles" }
            ul.roles {
                @for part in parts {
                    li.card {
                        div.top {
                            code.quiet { (part.role) }
                            (state_of(part.obstacle.is_none(), "ready", "not ready"))
                        }
                        h3 { (part.title) }
                        p { (part.about) }
                        @if part.url != server.url { p.quiet { code { (part.url) } } }
                        @if let Some(obstacle) = &part.obstacle { p.obstacle { (obstacle) } }
                    }
                }
            }
        }
    }
}

fn state_of(is_well: bool, well: &str, ill: &str) -> Markup {
    html! {
        @if is_well { span.state.well { span.dot aria-hidden="true" {} (well) } }
        @else { span.state.ill { span.dot aria-hidden="true" {} (ill) } }
    }
}

/// A block that a click selects whole. It can be scrolled with the keyboard.
fn copied(label: &str, text: &str) -> Markup {
    html! { pre tabindex="0" role="group" aria-label=(label) { code { (text) } } }
}

fn first_steps(steps: &[Guide]) -> Markup {
    html! {
        section aria-labelledby="try" {
            h2 #try { "Try it" }
            p { "Paste into a shell on this machine, in any directory. Without " code { "--identity-token" } " clients open a browser to sign in." }
            @for Guide { title, text } in steps {
                h3 { (title) }
                (copied(title, text))
            }
        }
    }
}

fn logs(logs: &[Log], now: Timestamp) -> Markup {
    html! {
        section aria-labelledby="logs" {
            h2 #logs { "Logs" }
            p { "Each log is append-only. Its signed checkpoint states size and root hash; its age grows while nothing is logged." }
            div.cards { @for entry in logs { (log(entry, now)) } }
        }
    }
}

fn log(log: &Log, now: Timestamp) -> Markup {
    let fingerprint = hex::encode(log.key_fingerprint);
    html! {
        article.card {
            div.top {
                h3 { (log.title) }
                @if log.obstacle.is_some() { (state_of(false, "", "takes no entries")) }
                @else if log.is_frozen { span.state { "frozen" } }
                @else { (state_of(true, "active", "")) }
            }
            @if let Some(checkpoint) = &log.checkpoint {
                p.size { strong { (words::number(checkpoint.size)) } @if checkpoint.size == 1 { " entry" } @else { " entries" } }
            } @else {
                p.size { "Nothing can be proven" }
            }
            @if let Some(obstacle) = &log.obstacle { p.obstacle { (obstacle) } }
            dl {
                @if let Some(checkpoint) = &log.checkpoint {
                    dt { "Last checkpoint" }
                    dd { (words::ago(checkpoint.signed, now)) br; span.quiet { (moment(checkpoint.signed)) } }
                    dt { "Root hash" }
                    dd { code { (STANDARD.encode(checkpoint.root_hash)) } }
                }
                dt { "Origin" }
                dd { code { (log.origin) } }
                dt { "Key, SHA-256" }
                dd { (digits(&fingerprint)) }
            }
            p.more { a href=(log.reference) { "Checkpoint" span.hidden { " of " (log.origin) ", " (log.title) } } }
        }
    }
}

/// A fingerprint that wraps between its groups; a copy of it has no spaces.
fn digits(hexadecimal: &str) -> Markup {
    html! {
        code.digits { @for group in words::groups(hexadecimal) { span { (group) } wbr; } }
    }
}

fn trust_root(trust: &TrustRoot, now: Timestamp) -> Markup {
    html! {
        section aria-labelledby="trust" {
            h2 #trust { "Trust root" }
            p { "Compare this fingerprint with the one that your operator gave you in another way, before a client trusts this server. It never changes." }
            p.fingerprint { span.quiet { "SHA-256 of root.json" } (digits(&trust.checksum)) }
            table {
                caption { "Metadata of the TUF repository" }
                thead { tr { th scope="col" { "Role" } th scope="col" { "Version" } th scope="col" { "Expires" } } }
                tbody { @for Metadata { role, version, expires } in &trust.metadata {
                    tr {
                        th scope="row" { (role) }
                        td { (version) }
                        td { (words::ahead(*expires, now)) " " span.quiet { (moment(*expires)) } }
                    }
                } }
            }
        }
    }
}

fn clients(clients: &[Guide]) -> Markup {
    html! {
        section aria-labelledby="clients" {
            h2 #clients { "Set up a client" }
            p { "Replace " code { "WHO" } " by the signer's identity and " code { "REGISTRY" } " by yours. A click selects the whole text." }
            div.clients { @for Guide { title, text } in clients {
                details { summary { (title) } (copied(&format!("For {title}"), text)) }
            } }
        }
    }
}

fn links(links: &[Link]) -> Markup {
    html! {
        section aria-labelledby="files" {
            h2 #files { "Files and interfaces" }
            div.links { @for group in links.chunk_by(|one, next| one.group == next.group) {
                div {
                    @if let Some(first) = group.first() { h3 { (first.group) } }
                    ul { @for link in group {
                        li { a href=(link.reference) { (link.reference) } " " span.quiet { (link.about) } }
                    } }
                }
            } }
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
