//! The description of the console's paths.

use super::{CONTACT_PATH, HTML, ICON_TYPE, TEXT};
use chancery_daemon::http::openapi::{Content, Document, Operation};

/// Describes the pages, the icon and the files for programs; `has_contact` where `security.txt` is there.
pub fn describe(document: &mut Document, has_contact: bool) {
    let mut group = document.group(
        "Console",
        "Pages for people, unless `[console] enabled = false`. Another method than GET and HEAD is answered 404, as at an \
         unknown path.",
    );
    let overview =
        Operation::get("getOverview", "What this server is: roles, logs, trust root, commands for each client.");
    group.add("/", overview.answer(200, "A page without scripts.", [Content::text(HTML)]));
    let icon = Operation::get("getIcon", "An icon.");
    group.add("/favicon.ico", icon.answer(200, "The icon, in three sizes.", [Content::bytes(ICON_TYPE)]));
    let robots = Operation::get("getRobots", "Tells search engines to read nothing.");
    group.add("/robots.txt", robots.answer(200, "The file.", [Content::text(TEXT)]));
    if has_contact {
        let contact = Operation::get(
            "getSecurityContact",
            "Contact for security problems: `[console] security_contact` (RFC 9116).",
        );
        group.add(CONTACT_PATH, contact.answer(200, "The file.", [Content::text(TEXT)]));
    }
}
