//! `chancery reference`: pages of the manual, from what the program is made of. Hidden: readers have the pages.
//!
//! Here the commands, from the command line's own definition; [`http`] is the page about HTTP.

mod http;

use crate::{instance::Answering, output, role::Role, witness};
use clap::{Arg, Args, Command, ValueEnum};
use serde_json::Value;
use std::{collections::BTreeMap, fmt::Write as _, process::ExitCode};

/// Print a page of the manual's reference, or what it is made from
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  chancery reference > commands.md
  chancery reference openapi > openapi.json")]
pub(super) struct Arguments {
    /// What to print
    #[arg(value_enum, default_value_t = Page::Commands)]
    page: Page,
}

/// What can be printed.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Page {
    /// Every command, as Markdown
    Commands,
    /// Every path of a server and of a witness, as Markdown
    Http,
    /// The OpenAPI document of a server that has everything
    Openapi,
    /// The OpenAPI document of a witness
    OpenapiWitness,
}

pub(super) fn run(Arguments { page }: Arguments) -> anyhow::Result<ExitCode> {
    let text = match page {
        Page::Commands => commands(),
        Page::Http => http::page(&server(), &witness()),
        Page::Openapi => format!("{:#}\n", server()),
        Page::OpenapiWitness => format!("{:#}\n", witness()),
    };
    output::print(&text)?;
    Ok(ExitCode::SUCCESS)
}

/// The description of a server with every role and every option.
pub(super) fn server() -> Value {
    let roles = Role::ALL.into();
    let everything = Answering {
        roles: &roles,
        is_development: true,
        console: Some(true),
        has_metrics: true,
        has_search: true,
        has_status: true,
    };
    everything.description().into_json()
}

fn witness() -> Value {
    witness::description(true).into_json()
}

fn commands() -> String {
    let mut text = String::new();
    let mut command = super::Cli::documented();
    command.build();
    for verb in command.get_subcommands() {
        describe(verb, 2, &mut text);
    }
    text
}

/// A command and those below it. Writing to a String cannot fail.
fn describe(command: &Command, depth: usize, text: &mut String) {
    if command.is_hide_set() || command.get_name() == "help" {
        return;
    }
    let name = command.get_bin_name().unwrap_or(command.get_name());
    let _ = writeln!(text, "{} {name}\n", "#".repeat(depth));
    let about = command.get_long_about().or_else(|| command.get_about()).map(ToString::to_string).unwrap_or_default();
    let _ = writeln!(text, "{}\n", about.trim());
    let usage = command.clone().render_usage().to_string();
    let usage = usage.trim_start_matches("Usage:").lines().map(str::trim).collect::<Vec<_>>().join("\n");
    let _ = writeln!(text, "```text\n{}\n```\n", usage.trim());
    for (heading, arguments) in by_heading(command) {
        let _ = writeln!(text, "{heading}:\n");
        for argument in arguments {
            let _ = writeln!(text, "- {}", described(argument));
        }
        text.push('\n');
    }
    if let Some(examples) = command.get_after_long_help().or_else(|| command.get_after_help()) {
        let _ = writeln!(text, "```text\n{}\n```\n", examples.to_string().trim());
    }
    for verb in command.get_subcommands() {
        describe(verb, (depth + 1).min(4), text);
    }
}

/// The arguments of a command that readers may see, by the headings of its help.
fn by_heading(command: &Command) -> Vec<(String, Vec<&Arg>)> {
    let mut order = Vec::new();
    let mut groups: BTreeMap<String, Vec<&Arg>> = BTreeMap::new();
    for argument in command.get_arguments().filter(|argument| !argument.is_hide_set()) {
        // Every command has these two.
        if matches!(argument.get_id().as_str(), "help" | "version") {
            continue;
        }
        let usual = if argument.is_positional() { "Arguments" } else { "Options" };
        let heading = argument.get_help_heading().unwrap_or(usual).to_owned();
        if !order.contains(&heading) {
            order.push(heading.clone());
        }
        groups.entry(heading).or_default().push(argument);
    }
    order.into_iter().filter_map(|heading| groups.remove_entry(&heading)).collect()
}

/// One argument on one line.
fn described(argument: &Arg) -> String {
    let mut text = format!("`{}`", argument.to_string().trim());
    if argument.is_required_set() && !argument.is_positional() {
        text.push_str(" (required)");
    }
    let help = argument.get_long_help().or_else(|| argument.get_help()).map(ToString::to_string).unwrap_or_default();
    let _ = write!(text, ": {}", sentences(&help));
    let values = argument.get_possible_values();
    let values: Vec<String> = values.iter().filter(|value| !value.is_hide_set()).map(value_of).collect();
    if !values.is_empty() && argument.get_action().takes_values() {
        let _ = write!(text, ". Values: {}", values.join(", "));
    }
    let defaults: Vec<_> = argument.get_default_values().iter().map(|value| format!("`{}`", value.display())).collect();
    if !defaults.is_empty() && argument.get_action().takes_values() {
        let _ = write!(text, ". Default: {}", defaults.join(", "));
    }
    text
}

/// Paragraphs as sentences on one line, without the last full stop.
fn sentences(help: &str) -> String {
    let lines = help.split("\n\n").map(|paragraph| paragraph.split_whitespace().collect::<Vec<_>>().join(" "));
    let sentences: Vec<String> = lines.map(|line| line.trim_end_matches('.').to_owned()).collect();
    sentences.join(". ")
}

fn value_of(value: &clap::builder::PossibleValue) -> String {
    value
        .get_help()
        .map_or_else(|| format!("`{}`", value.get_name()), |help| format!("`{}` ({help})", value.get_name()))
}
