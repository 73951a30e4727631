//! The issuer's pages: plain forms that work without scripts, on any width, with a keyboard and with a screen reader.
//!
//! maud escapes every value it inserts, so nothing a request says becomes markup; the Content-Security-Policy in
//! [`super::http`] forbids scripts besides.

use maud::{DOCTYPE, Markup, html};

/// The style sheet, served beside the pages.
pub(super) const STYLE: &str = include_str!("style.css");

/// What the address field shows at first: a name under a domain that cannot exist.
const EXAMPLE_EMAIL: &str = "alice@example.test";

fn layout(title: &str, content: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="robots" content="noindex";
                title { (title) " · Chancery development issuer" }
                link rel="stylesheet" href="/oidc/style.css";
            }
            body {
                main {
                    p.origin { "Chancery " span { "development issuer" } }
                    h1 { (title) }
                    (content)
                }
                footer { p { "For trying things out on this machine. There are no accounts and no passwords." } }
            }
        }
    }
}

/// The address field with its error.
fn email_field(email: Option<&str>, problem: Option<&str>, is_first: bool) -> Markup {
    html! {
        label for="email" { "E-mail address" }
        input #email type="email" name="email" value=(email.unwrap_or(EXAMPLE_EMAIL)) required maxlength="254"
            autocomplete="email" autocapitalize="none" spellcheck="false" autofocus[is_first]
            aria-describedby="email-hint email-problem" aria-invalid=[problem.map(|_| "true")];
        p.hint #email-hint { "Any address will do. It becomes your identity in the certificate." }
        (complaint("email-problem", problem))
    }
}

/// What is wrong with a field, where a screen reader says it at once.
fn complaint(id: &str, problem: Option<&str>) -> Markup {
    html! { @if let Some(problem) = problem { p.problem id=(id) role="alert" { (problem) } } }
}

/// «Sign in as»: one field. `hidden` is the request that is being answered.
pub(super) fn sign_in(client_id: &str, hidden: &[(&str, &str)], email: Option<&str>, problem: Option<&str>) -> Markup {
    layout(
        "Sign in as",
        &html! {
            p { strong { (client_id) } " asks for your identity." }
            form method="post" action="/oidc/authorize" {
                @for (name, value) in hidden { input type="hidden" name=(name) value=(value); }
                (email_field(email, problem, true))
                button type="submit" { "Sign in" }
            }
        },
    )
}

/// What is wrong with a submitted device form.
pub(super) enum DeviceProblem<'a> {
    /// With its code.
    Code(&'a str),
    /// With its address.
    Email(&'a str),
}

/// Connect a waiting terminal: code and address.
pub(super) fn device(user_code: &str, email: Option<&str>, problem: Option<&DeviceProblem<'_>>) -> Markup {
    let (code_problem, email_problem) = match problem {
        Some(DeviceProblem::Code(text)) => (Some(*text), None),
        Some(DeviceProblem::Email(text)) => (None, Some(*text)),
        None => (None, None),
    };
    let is_code_first = user_code.is_empty() || code_problem.is_some();
    layout(
        "Sign in on a terminal",
        &html! {
            p {
                @if user_code.is_empty() { "Enter the code your terminal shows." }
                @else { "Check that this is the code your terminal shows." }
            }
            form method="post" action="/oidc/device" {
                label for="user_code" { "Code" }
                input #user_code.code type="text" name="user_code" value=(user_code) required maxlength="16"
                    autocomplete="off" autocapitalize="characters" spellcheck="false" placeholder="XXXX-XXXX"
                    autofocus[is_code_first] aria-describedby="code-problem" aria-invalid=[code_problem.map(|_| "true")];
                (complaint("code-problem", code_problem))
                (email_field(email, email_problem, !is_code_first))
                button type="submit" { "Sign in" }
            }
        },
    )
}

/// The terminal may go on.
pub(super) fn device_done(email: &str) -> Markup {
    layout(
        "Signed in",
        &html! {
            p { "The terminal goes on as " strong { (email) } "." }
            p { "You can close this page." }
        },
    )
}

/// An authorization code for a terminal that could not open a browser.
pub(super) fn out_of_band(code: &str) -> Markup {
    layout(
        "Copy this code",
        &html! {
            p { "Paste it into the terminal that asked for it, within five minutes." }
            p.copy { code { (code) } }
        },
    )
}

/// A request that cannot be answered anywhere else than here.
pub(super) fn problem(text: &str) -> Markup {
    layout("This request cannot be answered", &html! { p.problem role="alert" { (text) } })
}
