//! The meaning of the exit codes of each verb: in its help, in its man page and in the reference, from this one table.
//!
//! Every verb has also those of [`crate::output`].

use clap::Command;
use std::fmt::Write as _;

/// Codes with their meaning, as the help shows them.
pub(super) type Codes = &'static [(u8, &'static str)];

/// Of a verb that does something, and proves nothing.
const WORK: Codes = &[(0, "done"), (1, "failed: standard error says why"), (2, "wrong arguments")];
/// Of a server.
const SERVER: Codes = &[
    (0, "stopped by a signal"),
    (1, "cannot start, or cannot go on: standard error says why"),
    (2, "wrong arguments"),
];
/// Of a verb that judges signatures.
const VERDICT: Codes = &[
    (0, "everything is verified"),
    (1, "something is refused"),
    (2, "wrong arguments, policy or trust root"),
    (3, "undecided: a registry or file cannot be read; never means unsigned"),
];
/// Of a verb about a case of evidence.
const CASE: Codes = &[
    (0, "everything in the case is proven"),
    (1, "something does not hold"),
    (2, "wrong arguments or trust root, or the answer does not fit into a case"),
    (3, "undecided: there is no answer, or a file cannot be read or written"),
];

/// The codes of a verb and of all below it. Of several lines, the first one counts.
const TABLE: &[(&str, Codes)] = &[
    (
        "artifact",
        &[
            (0, "signed, and verified"),
            (1, "no signature, or all are refused"),
            (2, "wrong arguments or trust root"),
            (3, "undecided: no answer, or only entries that do not prove enough without their bundle"),
        ],
    ),
    (
        "backup verify",
        &[
            (0, "the backup is whole, and every log in it is proven"),
            (1, "it is not, or a log in it is quarantined"),
            (2, "wrong arguments"),
        ],
    ),
    ("backup", WORK),
    ("completions", WORK),
    (
        "config check",
        &[(0, "a server can use the file"), (1, "it cannot: standard error says why"), (2, "wrong arguments")],
    ),
    ("config", WORK),
    (
        "conformance",
        &[(0, "the bundle is made, or it verifies"), (1, "it is not made, or it is refused"), (2, "wrong arguments")],
    ),
    ("dev", SERVER),
    (
        "doctor",
        &[
            (0, "nothing is wrong"),
            (1, "at least one error, or the bundle cannot be written"),
            (2, "wrong arguments"),
            (4, "no error, but at least one warning"),
        ],
    ),
    ("evidence", CASE),
    ("health", &[(0, "the server is ready"), (1, "it is not ready, or does not answer"), (2, "wrong arguments")]),
    ("identity import", &[(0, "every issuer is converted"), (1, "one cannot be converted"), (2, "wrong arguments")]),
    (
        "identity",
        &[(0, "the token gets a certificate"), (1, "it does not, or nothing is known"), (2, "wrong arguments")],
    ),
    ("init", WORK),
    (
        "keys test",
        &[
            (0, "every client can verify the key"),
            (1, "a client cannot, or the key does not sign"),
            (2, "wrong arguments"),
        ],
    ),
    ("keys", WORK),
    (
        "log check",
        &[
            (0, "every log is as its entries make it"),
            (1, "something differs, a log is quarantined, or a saved checkpoint is of none of the logs"),
            (2, "wrong arguments, or a file that they name cannot be used: nothing was decided"),
            (3, "undecided: the server or the database gives no answer"),
        ],
    ),
    (
        "log checkpoint",
        &[
            (0, "the checkpoint is signed by the log's key"),
            (1, "it is not, it does not extend the one in the file, or the file cannot be written"),
            (2, "wrong arguments, or a file that they name cannot be used: nothing was decided"),
            (3, "undecided: the server gives no answer"),
        ],
    ),
    ("log", WORK),
    ("man", WORK),
    (
        "monitor",
        &[
            (0, "nothing to tell; without --once, stopped by a signal"),
            (1, "there is an alarm, or an earlier one lasts"),
            (2, "wrong arguments or configuration"),
            (3, "something could not be checked or delivered: standard error says why"),
        ],
    ),
    (
        "policy check",
        &[
            (0, "the policy can be used"),
            (1, "it is refused, or there is a warning with --deny-warnings"),
            (2, "wrong arguments"),
            (3, "the file cannot be read"),
        ],
    ),
    (
        "policy explain",
        &[
            (0, "the policy is satisfied"),
            (1, "it is not satisfied"),
            (2, "wrong arguments, policy or trust root"),
            (3, "undecided: a registry or file cannot be read"),
        ],
    ),
    ("policy", WORK),
    ("reference", WORK),
    (
        "restore",
        &[
            (0, "restored: standard output says what that means for each log"),
            (1, "failed: standard error says why"),
            (2, "wrong arguments"),
        ],
    ),
    ("schema", WORK),
    (
        "search check",
        &[
            (0, "the index is as the entries make it"),
            (1, "a row differs, or a file cannot be used"),
            (2, "wrong arguments, or there is no index where they say"),
            (3, "undecided: the database gives no answer"),
        ],
    ),
    ("search rebuild", WORK),
    (
        "search follow",
        &[
            (0, "done"),
            (1, "the log contradicts itself: a wrong signature, other entries, an older or a second tree"),
            (2, "wrong arguments, trust root or database"),
            (3, "the log cannot be read"),
        ],
    ),
    (
        "search",
        &[
            (0, "something matches"),
            (1, "nothing matches"),
            (2, "wrong arguments, or the server refuses the question"),
            (3, "no answer"),
        ],
    ),
    ("serve", SERVER),
    (
        "status",
        &[
            (0, "shown, whatever it says; health and trust status judge"),
            (1, "something could not be read: it is named at the end, or standard error says why"),
            (2, "wrong arguments, or the server refuses"),
            (3, "the server gives no answer"),
        ],
    ),
    ("token", WORK),
    (
        "trust status",
        &[(0, "no role expires soon"), (1, "one has expired or expires very soon"), (2, "wrong arguments")],
    ),
    ("trust", WORK),
    ("verify", VERDICT),
    ("witness serve", SERVER),
    ("witness", WORK),
];

/// The codes of a verb, by its words after the program's name.
pub(super) fn of(verb: &str) -> Option<Codes> {
    line(verb).map(|(_, codes)| *codes)
}

fn line(verb: &str) -> Option<&'static (&'static str, Codes)> {
    let is_below = |above: &str| verb.strip_prefix(above).is_some_and(|rest| rest.is_empty() || rest.starts_with(' '));
    TABLE.iter().find(|(above, _)| is_below(above))
}

/// The definition of the command line with the codes in the help of each verb that does something itself.
pub(super) fn documented(program: Command) -> Command {
    program.mut_subcommands(|verb| add(verb, ""))
}

fn add(command: Command, above: &str) -> Command {
    let name = format!("{above}{}", command.get_name());
    let below = format!("{name} ");
    let command = command.mut_subcommands(|verb| add(verb, &below));
    match of(&name) {
        Some(codes) if !command.is_subcommand_required_set() => {
            let examples = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            command.after_help(format!("{examples}\n\n{}", listed(codes)))
        }
        _ => command,
    }
}

/// A line for each code. Writing to a String cannot fail.
fn listed(codes: Codes) -> String {
    let mut text = "Exit codes:".to_owned();
    for (code, meaning) in codes {
        let _ = write!(text, "\n  {code}  {meaning}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Cli;
    use clap::CommandFactory as _;

    /// The words of every verb that does something itself.
    fn verbs(command: &Command, above: &str, found: &mut Vec<String>) {
        for verb in command.get_subcommands() {
            let name = format!("{above}{}", verb.get_name());
            if !verb.is_subcommand_required_set() {
                found.push(name.clone());
            }
            verbs(verb, &format!("{name} "), found);
        }
    }

    #[test]
    fn every_verb_has_its_codes_and_every_line_a_verb() {
        let mut found = Vec::new();
        verbs(&Cli::command(), "", &mut found);
        for verb in &found {
            let codes = of(verb).unwrap_or_else(|| panic!("{verb} has no exit codes"));
            assert!(codes.is_sorted_by_key(|(code, _)| *code) && codes.first().is_some_and(|(code, _)| *code == 0));
        }
        for (verb, _) in TABLE {
            let is_used = found.iter().any(|found| line(found).is_some_and(|(of, _)| of == verb));
            assert!(is_used, "no verb has the codes of {verb}");
        }
    }

    #[test]
    fn the_help_of_a_verb_has_them_after_its_examples() {
        let mut program = documented(Cli::command());
        program.build();
        let search = program.find_subcommand_mut("search").unwrap();
        let help = search.render_help().to_string();
        let places = ["Examples:\n", "Exit codes:\n  0  something matches\n  1  nothing matches\n"];
        let places = places.map(|part| help.find(part));
        assert!(places.is_sorted() && places[0].is_some(), "{places:?}: {help}");
        let check = search.find_subcommand_mut("check").unwrap().render_help().to_string();
        assert!(check.contains("  0  the index is as the entries make it\n"), "{check}");
        let keys = program.find_subcommand_mut("keys").unwrap().render_help().to_string();
        assert!(!keys.contains("Exit codes"), "it does nothing itself: {keys}");
    }
}
