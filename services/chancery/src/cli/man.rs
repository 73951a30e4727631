//! `chancery man`: a man page for every verb, from the command line's own definition.

use super::{Cli, exit_codes};
use anyhow::Context as _;
use clap::{Args, Command, CommandFactory as _};
use clap_mangen::{
    Man,
    roff::{Roff, roman},
};
use std::{
    fs, io,
    path::{Path, PathBuf},
    process::ExitCode,
};

/// The section of commands of users.
const SECTION: &str = "1";

/// Write a man page for every verb
///
/// The pages are chancery.1, chancery-log-check.1 and so on. Replaces earlier ones; write them again after an upgrade.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  chancery man --out /usr/local/share/man/man1
  chancery man --out ./man")]
pub(super) struct Arguments {
    /// Write the pages to this directory; created if missing
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

pub(super) fn run(Arguments { out }: &Arguments) -> anyhow::Result<ExitCode> {
    // Exit codes have a section of their own, and every verb has its page: `help` needs none.
    let mut program = without_help(Cli::command());
    program.build();
    let written = fs::create_dir_all(out).and_then(|()| write(&program, "", out));
    written.with_context(|| format!("cannot write to {}", out.display()))?;
    Ok(ExitCode::SUCCESS)
}

fn without_help(command: Command) -> Command {
    command.disable_help_subcommand(true).mut_subcommands(without_help)
}

/// Writes the pages of a command and of those below it. `verb` are its words after the program's name.
fn write(command: &Command, verb: &str, out: &Path) -> io::Result<()> {
    for below in command.get_subcommands().filter(|below| !below.is_hide_set()) {
        write(below, format!("{verb} {}", below.get_name()).trim_start(), out)?;
    }
    let man = Man::new(command.clone()).section(SECTION).source(source()).manual("Chancery");
    fs::write(out.join(man.get_filename()), page(&man, command, verb)?)
}

fn source() -> String {
    format!("chancery {}", env!("CARGO_PKG_VERSION"))
}

fn page(man: &Man, command: &Command, verb: &str) -> io::Result<Vec<u8>> {
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    if command.get_subcommands().any(|below| !below.is_hide_set()) {
        man.render_subcommands_section(&mut page)?;
    }
    let mut roff = Roff::new();
    if let Some(codes) = exit_codes::of(verb).filter(|_| !command.is_subcommand_required_set()) {
        roff.control("SH", ["EXIT STATUS"]);
        for (code, meaning) in codes {
            roff.control("TP", []).text([roman(code.to_string())]).text([roman(*meaning)]);
        }
    }
    if let Some(examples) = command.get_after_help() {
        // As they are, line by line; the first one is their headline.
        roff.control("SH", ["EXAMPLES"]).control("nf", []);
        for line in examples.to_string().lines().skip(1) {
            roff.text([roman(line)]);
        }
        roff.control("fi", []);
    }
    roff.to_writer(&mut page)?;
    Ok(page)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_verb_has_a_page_with_its_examples() {
        let directory = tempfile::tempdir().unwrap();
        let out = directory.path().join("man1");
        assert_eq!(run(&Arguments { out: out.clone() }).unwrap(), ExitCode::SUCCESS);
        let page = |name: &str| fs::read_to_string(out.join(name)).unwrap();
        let check = page("chancery-log-check.1");
        for part in [
            ".TH chancery-log-check 1 ",
            "chancery\\-log\\-check \\- Recompute every log",
            "\n.SH OPTIONS\n",
            "\n.SH \"EXIT STATUS\"\n.TP\n0\nevery log is as its entries make it\n",
            "\n.SH EXAMPLES\n.nf\n  chancery log check \\-\\-data ./chancery\\-dev\n",
        ] {
            assert!(check.contains(part), "{part}\n{check}");
        }
        assert!(page("chancery.1").contains("chancery\\-log(1)"), "{}", page("chancery.1"));
        let names: Vec<String> =
            fs::read_dir(&out).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        assert!(
            names.len() > 40 && !names.iter().any(|name| name.contains("help") || name.contains("reference")),
            "{names:?}"
        );
    }
}
