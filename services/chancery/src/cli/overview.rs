//! The verbs in the program's own help, by purpose: a new user sees first what signs and verifies.
//!
//! clap has one list of subcommands. This list is made from the same definitions, so that no sentence is written twice.

use super::Verb;
use clap::{Command, Subcommand as _, builder::Styles};
use std::fmt::Write as _;

/// In the order in which a new user needs them.
const GROUPS: [(&str, &[&str]); 4] = [
    ("Sign and verify", &["dev", "token", "verify", "policy"]),
    (
        "Run a server",
        &["init", "serve", "config", "identity", "keys", "trust", "health", "status", "doctor", "backup", "restore"],
    ),
    ("Audit and witness logs", &["search", "artifact", "evidence", "log", "monitor", "witness"]),
    ("This program", &["completions", "man", "schema", "conformance"]),
];

/// Columns for a name.
const NAME_WIDTH: usize = 13;

/// clap's template of the help: as its own, but with [`GROUPS`] instead of one list. Writing to a String cannot fail.
pub(super) fn template() -> String {
    let verbs = Verb::augment_subcommands(Command::new("chancery"));
    let styles = Styles::styled();
    let (header, literal) = (styles.get_header(), styles.get_literal());
    let mut text = "{before-help}{about-with-newline}\n{usage-heading} {usage}\n".to_owned();
    for (title, names) in GROUPS {
        let _ = writeln!(text, "\n{header}{title}:{header:#}");
        for name in names {
            let about = verbs.find_subcommand(name).and_then(Command::get_about);
            let about = about.map(ToString::to_string).unwrap_or_default();
            let _ = writeln!(text, "  {literal}{name:NAME_WIDTH$}{literal:#}{about}");
        }
    }
    let _ = writeln!(text, "\n{header}Options:{header:#}");
    text + "{options}{after-help}"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Cli;
    use clap::CommandFactory as _;

    /// Columns of the smallest terminal in use.
    const WIDTH: usize = 100;

    #[test]
    fn every_verb_is_in_one_group_with_its_sentence() {
        let command = Cli::command();
        let help = command.clone().render_help().to_string();
        assert!(help.lines().all(|line| line.chars().count() <= WIDTH), "{help}");
        let mut grouped: Vec<&str> = GROUPS.iter().flat_map(|(_, names)| *names).copied().collect();
        grouped.sort_unstable();
        let mut visible: Vec<&str> =
            command.get_subcommands().filter(|verb| !verb.is_hide_set()).map(Command::get_name).collect();
        visible.sort_unstable();
        assert_eq!(grouped, visible);
        for verb in command.get_subcommands().filter(|verb| !verb.is_hide_set()) {
            let line = format!("\n  {:NAME_WIDTH$}{}\n", verb.get_name(), verb.get_about().unwrap());
            assert!(help.contains(&line), "{line}{help}");
        }
        let parts =
            ["Sign and verify:", "Run a server:", "Audit and witness logs:", "Options:", "--version", "Examples:"];
        let places = parts.map(|part| help.find(part));
        assert!(places.is_sorted() && places[0].is_some(), "{places:?}: {help}");
    }
}
