//! A page as mdBook reads it: its headings, its links, and its blocks with the comments that say what to do with them.

use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

/// Fewest words that are a reason.
const REASON_WORDS: usize = 3;

/// A page of the manual, or another Markdown file.
pub struct Page {
    /// From the repository's root.
    pub path: PathBuf,
    /// What its headings are called in links.
    pub anchors: BTreeSet<String>,
    /// Where its links lead, as written, with their lines.
    pub links: Vec<(usize, String)>,
    /// What its test does, in order.
    pub steps: Vec<Step>,
    /// What the page needs; see [`super::sandbox`].
    pub needs: BTreeSet<String>,
    /// What is wrong with it, each with its line.
    pub faults: Vec<String>,
    /// Characters of prose.
    pub prose_length: usize,
}

/// One thing that a page's test does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    pub line: usize,
    pub action: Action,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Runs a script until it ends. Readers see it, unless it is a setup.
    Run(String),
    /// Starts a script that goes on until the page's end.
    Start(String),
    /// Writes a file.
    Write { name: String, contents: String },
    /// Demands lines of what the run before printed.
    Expect(String),
}

/// A comment that is about the block below it.
enum Mark {
    Run,
    Start,
    NotRun,
    File(String),
    Output,
}

impl Page {
    /// Reads the page at `path` with this text.
    pub fn read(path: &Path, text: &str) -> Self {
        let page = Self {
            path: path.to_owned(),
            anchors: BTreeSet::new(),
            links: Vec::new(),
            steps: Vec::new(),
            needs: BTreeSet::new(),
            faults: Vec::new(),
            prose_length: 0,
        };
        let mut reader = Reader { page, text, seen: BTreeMap::new(), mark: None, heading: None, block: None };
        let options = Options::ENABLE_TABLES | Options::ENABLE_HEADING_ATTRIBUTES | Options::ENABLE_STRIKETHROUGH;
        for (event, range) in Parser::new_ext(text, options).into_offset_iter() {
            reader.event(&event, range.start);
        }
        reader.unused_mark();
        reader.page
    }

    /// Whether its test does anything.
    pub fn runs(&self) -> bool {
        self.steps.iter().any(|step| matches!(step.action, Action::Run(_) | Action::Start(_)))
    }
}

struct Reader<'a> {
    page: Page,
    text: &'a str,
    /// How often a heading's name has been used.
    seen: BTreeMap<String, usize>,
    mark: Option<(usize, Mark)>,
    heading: Option<String>,
    block: Option<(usize, String, String)>,
}

impl Reader<'_> {
    fn event(&mut self, event: &Event<'_>, at: usize) {
        let line = self.text[..at].matches('\n').count() + 1;
        match event {
            Event::Start(Tag::Heading { .. }) => self.heading = Some(String::new()),
            Event::End(TagEnd::Heading(_)) => self.end_of_heading(),
            Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                self.page.links.push((line, dest_url.to_string()));
            }
            Event::Start(Tag::CodeBlock(kind)) => {
                let language = match kind {
                    CodeBlockKind::Fenced(language) => language.to_string(),
                    CodeBlockKind::Indented => "indented".to_owned(),
                };
                self.block = Some((line, language, String::new()));
            }
            Event::End(TagEnd::CodeBlock) => self.end_of_block(),
            Event::Html(html) | Event::InlineHtml(html) => self.html(line, html),
            Event::Text(text) | Event::Code(text) => self.text(text),
            _ => {}
        }
    }

    fn text(&mut self, text: &str) {
        if let Some((_, _, contents)) = &mut self.block {
            contents.push_str(text);
            return;
        }
        self.page.prose_length += text.chars().count();
        if let Some(heading) = &mut self.heading {
            heading.push_str(text);
        }
    }

    fn end_of_heading(&mut self) {
        let Some(heading) = self.heading.take() else { return };
        let name = anchor(&heading);
        let count = self.seen.entry(name.clone()).or_default();
        self.page.anchors.insert(if *count == 0 { name } else { format!("{name}-{count}") });
        *count += 1;
    }

    /// A comment. A setup may have several lines, which come one by one.
    fn html(&mut self, line: usize, html: &str) {
        let rest = &self.text[self.text.lines().take(line - 1).map(|line| line.len() + 1).sum::<usize>()..];
        let Some((_, comment)) = html.split_once("<!--") else { return };
        let comment = comment.split_once("-->").map(|(comment, _)| comment.to_owned()).or_else(|| {
            let (_, whole) = rest.split_once("<!--")?;
            whole.split_once("-->").map(|(comment, _)| comment.to_owned())
        });
        let comment = comment.unwrap_or_default();
        self.comment(line, comment.trim());
    }

    fn comment(&mut self, line: usize, comment: &str) {
        let (word, rest) = comment.split_once(':').unwrap_or((comment, ""));
        let rest = rest.trim();
        if let Some(script) = comment.strip_prefix("setup\n") {
            self.page.steps.push(Step { line, action: Action::Run(script.to_owned()) });
            return;
        }
        let mark = match word {
            "sandbox" => {
                self.page.needs.extend(rest.split(',').map(|need| need.trim().to_owned()));
                return;
            }
            "run" => Mark::Run,
            "run in background" => Mark::Start,
            "not run" if rest.split_whitespace().count() >= REASON_WORDS => Mark::NotRun,
            "file" if !rest.is_empty() => Mark::File(rest.to_owned()),
            "output" => Mark::Output,
            "generated" | "end of generated" => return,
            _ => return self.fault(line, &format!("a comment that means nothing: {comment:?}")),
        };
        self.unused_mark();
        self.mark = Some((line, mark));
    }

    fn unused_mark(&mut self) {
        if let Some((line, _)) = self.mark.take() {
            self.fault(line, "a comment without a block below it");
        }
    }

    fn fault(&mut self, line: usize, what: &str) {
        self.page.faults.push(format!("{}:{line}: {what}", self.page.path.display()));
    }

    fn end_of_block(&mut self) {
        let Some((line, language, contents)) = self.block.take() else { return };
        let mark = self.mark.take().map(|(_, mark)| mark);
        let is_shell = language == "sh";
        if language.is_empty() || matches!(&*language, "bash" | "shell" | "console" | "indented") {
            self.fault(line, "a block without a language; commands are `sh`, output is `text`");
        }
        let action = match mark {
            Some(Mark::Run) if is_shell => Action::Run(contents),
            Some(Mark::Start) if is_shell => Action::Start(contents),
            Some(Mark::NotRun) if is_shell => return,
            Some(Mark::File(name)) => Action::Write { name, contents },
            Some(Mark::Output) if language == "text" => Action::Expect(contents),
            Some(_) => return self.fault(line, "the comment above does not go with a block of this language"),
            None if is_shell => return self.fault(line, "commands that no test runs, and no reason why not"),
            None => return,
        };
        self.page.steps.push(Step { line, action });
    }
}

/// What a heading is called in links, as mdBook and GitHub make it.
fn anchor(heading: &str) -> String {
    let kept = heading.trim().chars().filter_map(|character| match character {
        character if character.is_whitespace() => Some('-'),
        character if character.is_alphanumeric() || matches!(character, '_' | '-') => Some(character),
        _ => None,
    });
    kept.collect::<String>().to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Page {
        Page::read(Path::new("docs/src/x.md"), text)
    }

    fn actions(text: &str) -> Vec<Action> {
        let page = read(text);
        assert_eq!(page.faults, Vec::<String>::new(), "{text}");
        page.steps.into_iter().map(|step| step.action).collect()
    }

    #[test]
    fn comments_say_what_is_done_with_the_block_below() {
        let text = "<!-- sandbox: none, postgres -->\n\n<!-- setup\nmkdir a\ncd a\n-->\n<!-- file: a.toml -->\n```toml\nx = 1\n```\n\
                    <!-- run -->\n```sh\nls\n```\n<!-- output -->\n```text\na.toml\n```\n\
                    - item\n\n  <!-- run in background -->\n  ```sh\n  serve\n  ```\n<!-- not run: needs a cluster -->\n```sh\nhelm\n```\n";
        let expected = [
            Action::Run("mkdir a\ncd a".into()),
            Action::Write { name: "a.toml".into(), contents: "x = 1\n".into() },
            Action::Run("ls\n".into()),
            Action::Expect("a.toml\n".into()),
            Action::Start("serve\n".into()),
        ];
        assert_eq!(actions(text), expected);
        assert_eq!(read(text).needs, BTreeSet::from(["none".into(), "postgres".into()]));
    }

    #[test]
    fn a_block_that_is_not_run_has_a_reason() {
        for (text, fault) in [
            ("```sh\nls\n```\n", "docs/src/x.md:1: commands that no test runs"),
            ("<!-- not run: later -->\n```sh\nls\n```\n", "docs/src/x.md:1: a comment that means nothing"),
            ("<!-- run -->\n\nText\n", "docs/src/x.md:1: a comment without a block"),
            ("<!-- run -->\n```toml\n```\n", "docs/src/x.md:2: the comment above does not go with"),
            ("```\nls\n```\n", "docs/src/x.md:1: a block without a language"),
            ("<!-- rnu -->\n```sh\nls\n```\n", "docs/src/x.md:1: a comment that means nothing"),
        ] {
            let faults = read(text).faults;
            assert!(faults.first().is_some_and(|found| found.starts_with(fault)), "{text}: {faults:?}");
        }
    }

    #[test]
    fn headings_are_called_as_mdbook_calls_them() {
        let page = read("# Rekor v1 & `v2`\n## A-b_c: d?\n## A-b_c: d?\n");
        assert_eq!(page.anchors, BTreeSet::from(["rekor-v1--v2".into(), "a-b_c-d".into(), "a-b_c-d-1".into()]));
    }
}
