//! The command line as a whole: what every verb does if its output cannot be written, how it names an instance, and what is
//! made from its definition.

use chancery_tests::{
    ALICE, Stack,
    openapi::Description,
    program::{Outcome, Program},
    stack::{chancery_binary, free_port},
};
use serde_json::{Deserializer, Value};
use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::pipe,
    path::PathBuf,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// What a shell shows for a program that SIGPIPE has ended.
const READER_GONE: i32 = 141;
/// Standard output cannot be written.
const UNWRITTEN: i32 = 74;
/// Longest the server may take for the signatures of `--demo`.
const DEADLINE: Duration = Duration::from_secs(30);

/// Commands that print, in this order, in a directory with the server's `data`. URL is the server's, TOKEN a token.
const PRINT: [&str; 47] = [
    "artifact data/demo/release-1.0.txt --url URL --trust data/trust",
    "artifact data/demo/release-1.0.txt --url URL --trust data/trust --json",
    "backup verify made.backup",
    "completions bash",
    "config check issuers.toml",
    "config check server.toml",
    "config schema",
    "doctor --data data --url URL",
    "doctor --data data --url URL --json",
    "evidence check case.tar --trust data/trust",
    "health --url URL",
    "identity import fulcio.yaml",
    "identity test TOKEN --url URL",
    "identity test TOKEN --url URL --json",
    "keys forget-root ca --data data",
    "keys list --data data",
    "keys list --data data --json",
    "keys test KEY",
    "keys test KEY --json",
    "log check --data data",
    "log check --data data --json",
    "log checkpoint --url URL --trust data/trust",
    "log checkpoint --url URL --trust data/trust --json",
    "policy check policy.toml",
    "policy check policy.toml --json",
    "policy explain policy.toml data/demo/release-1.0.txt.sigstore.json --artifact data/demo/release-1.0.txt --trust data/trust",
    "policy schema",
    "reference",
    "schema log check",
    "schema --list",
    "search --identity alice@example.test --url URL",
    "search --all --json --url URL",
    "search --csv --url URL",
    "search --count --url URL",
    "search check --data data",
    "search rebuild --data data",
    "search follow URL --protocol rekor-v1 --trust data/trust --database audit.db --once",
    "status --data data",
    "status --data data --json",
    "token alice@example.test --url URL",
    "trust status --data data",
    "trust export --for cosign --data data",
    "trust renew --data data",
    "verify blob data/demo/release-1.0.txt --trust data/trust",
    "verify bundle data/demo/release-1.0.txt.sigstore.json --artifact data/demo/release-1.0.txt --trust data/trust --json",
    "verify attestation data/demo/release-1.1.txt --bundle data/demo/release-1.1.txt.provenance.sigstore.json \
     --type slsaprovenance1 --trust data/trust",
    "verify image --local-image nowhere --trust data/trust",
];

/// Commands that print after they have changed something, so each runs once.
const CHANGE: [&str; 17] = [
    "backup --data data --out unread.backup",
    "restore made.backup --data restored",
    "evidence --identity alice@example.test --url URL --trust data/trust --out unread.tar",
    "init --config server.toml",
    "keys generate --out another.pem --unencrypted",
    "keys rotate ca --data data stage",
    "keys rotate ca --data data abandon",
    "keys rotate ca --data data stage",
    "keys rotate ca --data data activate --overlap 0s",
    "keys rotate ca --data data retire",
    "keys request tsa --data data",
    "keys rotate tuf-timestamp --data data",
    "trust rotate --role snapshot --data data",
    "trust metadata export --role targets --data data --out targets.json",
    "trust metadata show targets.json",
    "trust metadata sign targets.json --key KEY",
    "log freeze --data data --log rekor2",
];

/// Commands that print JSON, in this order.
const JSON: [&str; 34] = [
    "artifact data/demo/release-1.0.txt --url URL --trust data/trust --json",
    "artifact data/demo/release-1.1.txt --url URL --trust data/trust --json",
    "artifact policy.toml --url URL --trust data/trust --json",
    "doctor --data data --url URL --json",
    "doctor --config issuers.toml --json",
    "evidence --identity alice@example.test --url URL --trust data/trust --out json.tar --json",
    "evidence check case.tar --trust data/trust --json",
    "evidence check key.pem --trust data/trust --json",
    "identity test TOKEN --url URL --json",
    "identity test e30.e30.e30 --url URL --json",
    "keys list --data data --json",
    "keys test KEY --json",
    "keys test file:/nowhere --json",
    "log check --data data --json",
    "log checkpoint --url URL --trust data/trust --log rekor --json",
    "log checkpoint --url URL --trust data/trust --log rekor2 --json",
    "policy check policy.toml --json",
    "policy check issuers.toml --json",
    "policy explain policy.toml data/demo/release-1.0.txt.sigstore.json --artifact data/demo/release-1.0.txt \
     --trust data/trust --json",
    "policy explain policy.toml data/demo/release-1.1.txt.bob.sigstore.json --artifact data/demo/release-1.1.txt \
     --trust data/trust --json",
    "search --json --url URL",
    "search --json --count --url URL",
    "search --json --certificates --url URL",
    "search check --data data --json",
    "search rebuild --data data --json",
    "search follow URL --protocol rekor-v1 --trust data/trust --database audit.db --once --json",
    "status --data data --json",
    "token alice@example.test --url URL --json",
    "trust status --data data --json",
    "verify blob data/demo/release-1.0.txt data/demo/report.txt --trust data/trust --policy policy.toml --json",
    "verify bundle data/demo/release-1.0.txt.sigstore.json --artifact data/demo/report.txt --trust data/trust --json",
    "verify attestation data/demo/release-1.1.txt --bundle data/demo/release-1.1.txt.provenance.sigstore.json \
     --type slsaprovenance1 --trust data/trust --json",
    "verify image --local-image nowhere --trust data/trust --json",
    "log freeze --data data --log rekor2 --json",
];

/// Verbs that are not above, and why.
const ELSEWHERE: [(&str, &str); 11] = [
    ("conformance sign-bundle", "prints nothing"),
    ("conformance verify-bundle", "prints nothing"),
    ("man", "prints nothing"),
    ("dev", "a server, which goes on"),
    ("serve", "a server"),
    ("witness serve", "a server"),
    ("witness vkey", "needs a witness"),
    ("keys import", "needs the certificates of another authority"),
    ("log end", "needs a log in doubt"),
    ("monitor", "a line is a delivery, which is made again"),
    ("trust metadata import", "needs the signatures of keys elsewhere"),
];

const FULCIO: &str = "oidc-issuers:
  https://issuer.example.org:
    issuer-url: https://issuer.example.org
    client-id: sigstore
    type: email
";

/// The configuration of a server with its data in this directory.
fn configuration(data: &str) -> String {
    format!(
        "url = \"http://sign.example.test\"\norganization = \"Example\"\ndata = \"{data}\"\n[listen]\n\
         address = \"127.0.0.1:{}\"\n[ca]\nissuers = \"issuers.toml\"\n",
        free_port()
    )
}

/// A server with signatures, and the files that the commands name.
struct Site {
    stack: Stack,
    token: String,
}

impl Site {
    fn start() -> Self {
        let stack = Stack::start_with(&["--demo"]);
        let begun = Instant::now();
        while !stack.server().stdout().contains("Demo: 5 signatures") {
            assert!(begun.elapsed() < DEADLINE, "{}{}", stack.server().stdout(), stack.server().stderr());
            thread::sleep(Duration::from_millis(50));
        }
        let site = Self { token: stack.token(ALICE), stack };
        site.write("issuers.toml", "[[issuer]]\npreset = \"google\"\n");
        site.write("fulcio.yaml", FULCIO);
        let policy = format!(
            "version = 1\n[require]\nname = \"Alice\"\nissuer = \"{}\"\nidentity = \"alice@example.test\"\n",
            site.stack.issuer()
        );
        site.write("policy.toml", &policy);
        site.write("server.toml", &configuration("made"));
        site.run("backup --data data --out made.backup").run().succeeds();
        site.run("keys generate --out key.pem --unencrypted").run().succeeds();
        // The index follows the logs.
        while site.run("search --identity alice@example.test --url URL").run().code() != 0 {
            assert!(begun.elapsed() < DEADLINE, "nothing of Alice is found");
            thread::sleep(Duration::from_millis(50));
        }
        let packed =
            site.run("evidence --identity alice@example.test --url URL --trust data/trust --out case.tar").run();
        assert!(packed.stdout.starts_with("PACKED"), "{}", packed.report());
        site
    }

    fn directory(&self) -> PathBuf {
        self.stack.data().parent().unwrap().to_owned()
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.directory().join(name), text).unwrap();
    }

    fn run(&self, line: &str) -> Program {
        let key = format!("file:{}", self.directory().join("key.pem").display());
        let words = line.split_whitespace().map(|word| match word {
            "URL" => self.stack.url(),
            "TOKEN" => self.token.clone(),
            "KEY" => key.clone(),
            word => word.to_owned(),
        });
        words.fold(self.stack.chancery(), Program::arg)
    }
}

/// Nobody reads: the command ends silently.
#[track_caller]
fn ends_silently(outcome: &Outcome) {
    let is_silent = !["error", "panic", "Broken pipe"].iter().any(|word| outcome.stderr.contains(word));
    assert!(outcome.code() == READER_GONE && is_silent, "{}", outcome.report());
}

/// A pipe whose reader has gone.
fn unread() -> Stdio {
    let (reader, writer) = pipe().unwrap();
    drop(reader);
    writer.into()
}

fn full_disk() -> Stdio {
    File::options().write(true).open("/dev/full").unwrap().into()
}

#[test]
fn a_reader_that_has_gone_ends_every_command_silently_and_a_full_disk_is_told() {
    let site = Site::start();
    for line in PRINT {
        ends_silently(&site.run(line).run_into(unread()));
        let full = site.run(line).run_into(full_disk());
        let is_told = full.stderr.matches("cannot write to standard output: No space left").count() == 1;
        assert!(full.code() == UNWRITTEN && is_told, "{}", full.report());
    }
    for line in CHANGE {
        ends_silently(&site.run(line).run_into(unread()));
    }
    // What they did is done all the same.
    let keys: Value = serde_json::from_str(&site.run("keys list --data data --json").run().succeeds()).unwrap();
    let of_ca = keys.as_array().unwrap().iter().filter(|key| key["role"] == "ca");
    let states: Vec<&str> = of_ca.map(|key| key["state"].as_str().unwrap()).collect();
    assert!(states.contains(&"active") && states.len() >= 2, "{keys}");
    assert!(site.directory().join("unread.tar").exists() && site.directory().join("another.pem").exists());
    site.run("log check --config server.toml").run().succeeds();
}

#[test]
fn what_verbs_print_as_json_is_of_their_schemas() {
    let site = Site::start();
    let listed = site.run("schema --list").run().succeeds();
    // They need a log in doubt, or something to alarm.
    let mut untried: BTreeSet<&str> = listed.lines().filter(|verb| !["log end", "monitor"].contains(verb)).collect();
    for line in JSON {
        let is_it = |verb: &&str| line.strip_prefix(verb).is_some_and(|rest| rest.starts_with(' '));
        let verb = listed.lines().filter(is_it).max_by_key(|verb| verb.len()).unwrap_or_else(|| panic!("{line}"));
        untried.remove(verb);
        let schema: Value = serde_json::from_str(&site.run(&format!("schema {verb}")).run().succeeds()).unwrap();
        assert_eq!(schema["title"], format!("chancery {verb} --json"));
        let description = Description(schema);
        let printed = site.run(line).run();
        let documents: Vec<Value> =
            Deserializer::from_str(&printed.stdout).into_iter().collect::<Result<_, _>>().unwrap();
        assert!(!documents.is_empty(), "{}", printed.report());
        for document in documents {
            let misfit = description.misfit(&description.0, &document);
            assert_eq!(misfit, None, "{line}: {document:#}");
        }
    }
    assert!(untried.is_empty(), "add them to JSON: {untried:?}");
    let other = site.run("schema serve").run();
    assert_eq!(other.code(), 2, "{}", other.report());
    other.fails_with(&["`chancery serve` prints no JSON; these verbs do: artifact, "]);
}

#[test]
fn every_verb_that_prints_is_tried_without_a_reader() {
    let reference = Program::new(chancery_binary(), &std::env::temp_dir()).arg("reference").run().succeeds();
    let tried = |verb: &str| {
        let is_it = |line: &&str| line.strip_prefix(verb).is_some_and(|rest| rest.is_empty() || rest.starts_with(' '));
        PRINT.iter().chain(&CHANGE).any(is_it) || ELSEWHERE.iter().any(|(other, _)| *other == verb)
    };
    let mut verbs = 0;
    for section in reference.split("\n#").filter(|section| section.contains("Exit codes:")) {
        let headline = section.lines().next().unwrap().trim_start_matches('#');
        let verb = headline.trim().strip_prefix("chancery ").unwrap();
        // Roles whose keys take the same steps.
        let words: Vec<&str> = verb.split(' ').collect();
        let verb = match words[..] {
            ["keys", "rotate", "ca" | "tsa" | "ct" | "rekor" | "rekor2", step] => {
                format!("keys rotate ca --data data {step}")
            }
            ["keys", "rotate", _] => "keys rotate tuf-timestamp".to_owned(),
            _ => verb.to_owned(),
        };
        assert!(tried(&verb), "{verb}: add it to PRINT or CHANGE");
        verbs += 1;
    }
    assert!(verbs > 40, "{verbs}:\n{reference}");
}

#[test]
fn head_in_a_shell_is_no_failure_of_the_program() {
    let directory = tempfile::tempdir().unwrap();
    let shell = |script: &str| {
        let bash = Program::new("bash", directory.path()).env("PATH", std::env::var_os("PATH").unwrap());
        bash.env("CHANCERY", chancery_binary()).args("-o pipefail -c").arg(script).run()
    };
    // It has more to say than a pipe takes.
    let head = shell("\"$CHANCERY\" reference | head -n 1");
    assert_eq!((head.code(), &*head.stdout, &*head.stderr), (READER_GONE, "## chancery artifact\n", ""));
}

#[test]
fn help_that_cannot_be_written_is_no_success() {
    let directory = tempfile::tempdir().unwrap();
    for line in
        ["--help", "-h", "help", "help trust metadata", "dev --help", "keys rotate ca stage --help", "--version"]
    {
        let run = |out: Stdio| Program::new(chancery_binary(), directory.path()).args(line).run_into(out);
        ends_silently(&run(unread()));
        let full = run(full_disk());
        let is_told = full.stderr.matches("cannot write to standard output: No space left").count() == 1;
        assert!(full.code() == UNWRITTEN && is_told, "{}", full.report());
        let shown = Program::new(chancery_binary(), directory.path()).args(line).run();
        assert!(!shown.succeeds().contains('\x1b'), "{line}");
    }
    // Wrong arguments are told on standard error, and have their own code.
    let wrong = Program::new(chancery_binary(), directory.path()).args("trust nothing").run_into(full_disk());
    assert_eq!(wrong.code(), 2, "{}", wrong.report());
}

#[test]
fn a_standard_error_that_nobody_reads_changes_no_exit_code() {
    let run = |line: &str| {
        let mut command = Command::new(chancery_binary());
        command.args(line.split(' ')).stdout(Stdio::null()).stderr(unread()).stdin(Stdio::null());
        command.status().unwrap().code()
    };
    assert_eq!(run("health --url http://127.0.0.1:1"), Some(1));
    assert_eq!(run("policy check nowhere.toml"), Some(3));
    assert_eq!(run("search --url http://127.0.0.1:1"), Some(3));
    assert_eq!(run("verify blob nowhere --trusted-root nowhere.json"), Some(2));
}

#[test]
fn colours_are_only_where_they_can_be_seen() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("issuers.toml"), "[[issuer]]\npreset = \"google\"\n").unwrap();
    let command = format!("{} identity test e30.e30.e30 --config issuers.toml", chancery_binary().display());
    let terminal = |variable: &str, value: &str| {
        let script = Program::new("script", directory.path()).env("PATH", std::env::var_os("PATH").unwrap());
        let script = script.env("TERM", "xterm").env(variable, value).args("--quiet --return --command");
        script.arg(&command).arg("/dev/null").run().stdout
    };
    let words: Vec<&str> = command.split(' ').skip(1).collect();
    let program = Program::new(chancery_binary(), directory.path()).env("TERM", "xterm");
    let piped = words.iter().fold(program, Program::arg).run().stdout;
    let (seen, unwanted) = (terminal("LC_ALL", "C.UTF-8"), terminal("NO_COLOR", "1"));
    assert!(seen.contains("\x1b[31m"), "{seen:?}");
    for plain in [piped, unwanted] {
        assert!(!plain.is_empty() && !plain.contains('\x1b'), "{plain:?}");
    }
}

#[test]
fn an_instance_is_named_by_its_configuration() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("issuers.toml"), "[[issuer]]\npreset = \"google\"\n").unwrap();
    fs::write(directory.path().join("server.toml"), configuration("made")).unwrap();
    let run = |line: &str| Program::new(chancery_binary(), directory.path()).args(line).run();
    run("init --config server.toml").succeeds();
    for verb in ["keys list", "log check", "search check", "search rebuild", "trust status", "trust renew"] {
        let by_file = run(&format!("{verb} --config server.toml"));
        let by_directory = run(&format!("{verb} --data made"));
        assert_eq!(by_file.code(), 0, "{}", by_file.report());
        // The lines may differ in a time, and not in number.
        assert_eq!(by_file.stdout.lines().count(), by_directory.succeeds().lines().count(), "{verb}");
    }
    run("keys rotate ca --config server.toml --wait 0s stage").succeeds();
    run("log freeze --config server.toml --log rekor2 --database postgres://nobody@127.0.0.1:1/none")
        .fails_with(&["the PostgreSQL database"]);
    run("log check --config server.toml --data made").fails_with(&["cannot be used with"]);
    run("log check --config nowhere.toml").fails_with(&["cannot use nowhere.toml"]);
}

#[test]
fn bash_completes_verbs_and_options() {
    let directory = tempfile::tempdir().unwrap();
    let run = |line: &str| Program::new(chancery_binary(), directory.path()).args(line).run().succeeds();
    fs::write(directory.path().join("chancery.bash"), run("completions bash")).unwrap();
    for (words, current, expected) in [
        ("chancery log", "ch", "check checkpoint"),
        ("chancery trust", "me", "metadata"),
        ("chancery log check", "--conf", "--config"),
    ] {
        let count = words.split(' ').count();
        let previous = words.rsplit(' ').next().unwrap();
        let script = format!(
            "source chancery.bash; COMP_WORDS=({words} {current}); COMP_CWORD={count}; \
             _chancery chancery {current} {previous}; echo \"${{COMPREPLY[*]}}\""
        );
        let bash = Program::new("bash", directory.path()).env("PATH", std::env::var_os("PATH").unwrap());
        assert_eq!(bash.arg("-c").arg(&script).run().succeeds().trim(), expected, "{script}");
    }
    for (shell, part) in [
        ("zsh", "#compdef chancery"),
        ("fish", "complete -c chancery"),
        ("elvish", "chancery"),
        ("powershell", "chancery"),
    ] {
        assert!(run(&format!("completions {shell}")).contains(part), "{shell}");
    }
}

#[test]
fn man_pages_are_made_for_every_verb() {
    let directory = tempfile::tempdir().unwrap();
    let run = |line: &str| Program::new(chancery_binary(), directory.path()).args(line).run().succeeds();
    assert_eq!(run("man --out share/man1"), "");
    let pages = directory.path().join("share/man1");
    let reference = run("reference");
    for headline in reference.lines().filter(|line| line.starts_with("##") && line.contains("# chancery ")) {
        let name = headline.trim_start_matches('#').trim().replace(' ', "-");
        let page =
            fs::read_to_string(pages.join(format!("{name}.1"))).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(page.contains("\n.SH EXAMPLES\n"), "{page}");
    }
}
