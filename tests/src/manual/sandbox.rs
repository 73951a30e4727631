//! The machine on which the blocks of a page are run: a home directory with the clients, and a server of its own.
//!
//! All blocks of a page are one script in one shell, so that variables and jobs live until the page's end.

use super::page::{Action, Page, Step};
use crate::{ALICE, Person, Stack, person::client, postgres, registry::Registry, stack};
use std::{collections::BTreeMap, fmt::Write as _, fs, os::unix::fs::symlink, path::PathBuf};
use tempfile::TempDir;

/// The port at which the manual has the server.
const PORT: &str = "8080";
/// How it writes a registry's, and a database's.
const REGISTRY: &str = "localhost:5000";
const DATABASE: &str = "postgres://chancery@db.example.org/chancery?sslmode=verify-full";
/// Longest a page may take.
const LIMIT: &str = "110";

/// Ends jobs with everything that they have started. Variables are exported, because each job is a shell of its own.
const PREAMBLE: &str = "exec 2>&1\nset -e -u -o pipefail -a\ncd \"$WORK\"\njobs_of_page=()\n\
    end_jobs() { for job in \"${jobs_of_page[@]}\"; do kill -TERM -- \"-$job\" 2>/dev/null || true; done; wait; }\n\
    trap end_jobs EXIT\n";

/// The clients by the names that readers know them by.
const CLIENTS: [(&str, &str); 11] = [
    ("cosign", "bin/cosign3"),
    ("cosign2", "bin/cosign2"),
    ("cosign25", "bin/cosign25"),
    ("gitsign", "bin/gitsign"),
    ("crane", "bin/crane"),
    ("rekor-cli", "bin/rekor-cli"),
    ("helm", "bin/helm"),
    ("sigstore", "venv/bin/sigstore"),
    ("python3", "venv/bin/python3"),
    ("node", "sigstore-js/node"),
    ("promtool", "bin/promtool"),
];

/// Runs the blocks of a page.
///
/// # Errors
///
/// What failed, with the output of its block.
pub fn run(page: &Page) -> Result<(), String> {
    let sandbox = Sandbox::new(page);
    let script = sandbox.script(&page.steps);
    let command = sandbox.person.program("timeout").arg(LIMIT).args("bash -c").arg(script);
    let outcome = command.env("WORK", &sandbox.work).run();
    let shown = page.path.display();
    let outputs = outputs(&outcome.stdout);
    if !outcome.status.success() {
        let (step, output) =
            outputs.last_key_value().map_or((0, String::new()), |(step, output)| (*step, output.clone()));
        let line = page.steps.get(step).map_or(0, |step| step.line);
        let jobs = sandbox.job_outputs();
        return Err(format!("{shown}:{line}: {}\n{output}{jobs}", outcome.status));
    }
    for (number, step) in page.steps.iter().enumerate() {
        let Action::Expect(expected) = &step.action else { continue };
        // The newest run before: what is between them is a file at most.
        let printed = outputs.range(..number).next_back().map_or("", |(_, output)| output);
        if let Some(missing) = missing_line(&sandbox.translate(expected), printed) {
            return Err(format!("{shown}:{}: the output has no line {missing:?}:\n{printed}", step.line));
        }
    }
    Ok(())
}

/// What is there while a page runs.
struct Sandbox {
    person: Person,
    /// Ports of the page, and what they are here.
    ports: BTreeMap<String, String>,
    /// What else stands in the page, and what it is here.
    translations: Vec<(&'static str, String)>,
    /// The directory in which the page is read.
    work: PathBuf,
    _server: Option<Stack>,
    _registry: Option<Registry>,
    _base: TempDir,
}

impl Sandbox {
    fn new(page: &Page) -> Self {
        for need in &page.needs {
            assert!(matches!(&**need, "none" | "postgres"), "{}: there is no sandbox {need:?}", page.path.display());
        }
        let base = tempfile::Builder::new().prefix("chancery-manual-").tempdir().unwrap();
        let work = base.path().join("work");
        fs::create_dir(&work).unwrap();
        let data = work.join("chancery-dev");
        let server = (!page.needs.contains("none")).then(|| {
            fs::create_dir(&data).unwrap();
            Stack::start_at(&data)
        });
        let url = server.as_ref().map_or_else(|| format!("http://127.0.0.1:{}", stack::free_port()), Stack::url);
        let person = Person::at(&url, data.join("trust"), ALICE);
        install_programs(&person, &url);
        // Where Node.js looks for the modules of a program in the directory.
        symlink(client("sigstore-js/node_modules"), base.path().join("node_modules")).unwrap();

        let text: String = page.steps.iter().map(|step| step.action.text()).collect();
        let mut ports: BTreeMap<String, String> =
            ports(&text).map(|port| (port, stack::free_port().to_string())).collect();
        ports.insert(PORT.to_owned(), url.rsplit(':').next().unwrap().to_owned());
        let mut translations = Vec::new();
        if page.needs.contains("postgres") {
            translations.push((DATABASE, postgres::database()));
        }
        let registry = text.contains(REGISTRY).then(|| {
            let registry = Registry::start(&person);
            registry.push(&person, "app:latest");
            translations.push((REGISTRY, registry.address().to_owned()));
            registry
        });
        Self { person, ports, translations, work, _server: server, _registry: registry, _base: base }
    }

    /// The text of a page with this machine's addresses.
    fn translate(&self, text: &str) -> String {
        let text = with_ports(text, &self.ports);
        self.translations.iter().fold(text, |text, (theirs, ours)| text.replace(theirs, ours))
    }

    fn script(&self, steps: &[Step]) -> String {
        let mut script = PREAMBLE.to_owned();
        for (number, step) in steps.iter().enumerate() {
            // Writing to a String cannot fail.
            let _ = match &step.action {
                Action::Run(text) => writeln!(script, "echo; echo '{MARK}{number}'\n{}", self.translate(text)),
                Action::Start(text) => writeln!(
                    script,
                    "setsid bash -e -u -o pipefail -c {} >\"$HOME/job-{number}\" 2>&1 &\njobs_of_page+=($!)",
                    quoted(&self.translate(text))
                ),
                Action::Write { name, contents } => {
                    writeln!(script, "printf %s {} > {}", quoted(&self.translate(contents)), quoted(name))
                }
                Action::Expect(_) => Ok(()),
            };
        }
        script
    }

    /// What the jobs have printed.
    fn job_outputs(&self) -> String {
        let mut text = String::new();
        for entry in fs::read_dir(self.person.home()).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if name.starts_with("job-") {
                let _ = write!(text, "--- {name}\n{}", String::from_utf8_lossy(&fs::read(&path).unwrap()));
            }
        }
        text
    }
}

/// Begins the line between the outputs of two runs.
const MARK: &str = "\u{1}run ";

/// What each run has printed, by its number among the steps.
fn outputs(printed: &str) -> BTreeMap<usize, String> {
    let runs = printed.split(MARK).skip(1).filter_map(|run| run.split_once('\n'));
    runs.filter_map(|(number, output)| Some((number.parse().ok()?, output.to_owned()))).collect()
}

/// The first expected line that is not printed after those before it.
fn missing_line<'a>(expected: &'a str, printed: &str) -> Option<&'a str> {
    let mut lines = printed.lines();
    expected
        .lines()
        .filter(|line| !matches!(line.trim(), "" | "…"))
        .find(|line| !lines.any(|found| is_like(line, found)))
}

/// Whether a line is as expected, where `…` stands for anything.
fn is_like(expected: &str, found: &str) -> bool {
    let mut parts = expected.trim().split('…');
    let Some(mut rest) = parts.next().and_then(|first| found.trim().strip_prefix(first)) else { return false };
    let mut is_open = false;
    for part in parts {
        let Some(at) = rest.find(part) else { return false };
        (rest, is_open) = (&rest[at + part.len()..], part.is_empty());
    }
    is_open || rest.is_empty()
}

/// Every port of this machine in a page.
fn ports(text: &str) -> impl Iterator<Item = String> {
    let after = text.split("127.0.0.1:").skip(1);
    let ports = after.map(|rest| rest.chars().take_while(char::is_ascii_digit).collect::<String>());
    ports.filter(|port| port.len() >= PORT.len())
}

/// The text with other ports; a port is a word, so that no part of a longer number is one.
fn with_ports(text: &str, ports: &BTreeMap<String, String>) -> String {
    let mut translated = String::new();
    let mut word = String::new();
    for character in text.chars().chain(['\n']) {
        if character.is_ascii_alphanumeric() {
            word.push(character);
        } else {
            translated.push_str(ports.get(&word).unwrap_or(&word));
            translated.push(character);
            word.clear();
        }
    }
    translated.pop();
    translated
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

fn install_programs(person: &Person, url: &str) {
    for (name, path) in CLIENTS {
        let path = client(path);
        person.install(name, &format!("#!/bin/sh\nexec '{}' \"$@\"\n", path.display()));
    }
    let sigstore_js = client("sigstore-js/node_modules/.bin/sigstore");
    person.install("sigstore-js", &format!("#!/bin/sh\nexec node '{}' \"$@\"\n", sigstore_js.display()));
    // A reader's server has the default address, which the program knows.
    let address = &url["http://".len()..];
    let script = format!(
        "#!/bin/sh\ncase \"$*\" in\n*--url*|*--config*|*--listen*|*--help*) ;;\n\
         token\\ *|health*|identity\\ test\\ *) set -- \"$@\" --url '{url}' ;;\n\
         dev*) set -- \"$@\" --listen '{address}' ;;\nesac\nexec '{}' \"$@\"\n",
        stack::chancery_binary().display()
    );
    person.install("chancery", &script);
}

impl Action {
    fn text(&self) -> &str {
        match self {
            Self::Run(text) | Self::Start(text) | Self::Expect(text) => text,
            Self::Write { contents, .. } => contents,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_a_word() {
        let ports = BTreeMap::from([("8080".to_owned(), "1".to_owned())]);
        assert_eq!(with_ports("127.0.0.1:8080/x 8080 18080 8080x\n", &ports), "127.0.0.1:1/x 1 18080 8080x\n");
    }

    #[test]
    fn an_output_is_compared_line_by_line() {
        let printed = "a: 12 entries\nnoise\nb: ok\n";
        assert_eq!(missing_line("a: … entries\n…\nb: ok\n", printed), None);
        assert_eq!(missing_line("b: ok\na: … entries\n", printed), Some("a: … entries"));
        assert_eq!(missing_line("a: … leaves\n", printed), Some("a: … leaves"));
        assert_eq!(missing_line("a: 12\n", printed), Some("a: 12"));
        assert_eq!(missing_line("a: 12…\n", printed), None);
    }
}
