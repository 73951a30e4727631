//! The manual is true: its commands work, its links lead somewhere, and what is generated in it is current.

use chancery_tests::manual::{self, drawing, links, page::Page, reference, sandbox};
use chancery_tests::{Stack, http::Request, stack::free_port};
use chancery_verify::Rejection;
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// Shorter pages are not finished.
const SHORTEST: usize = 400;

/// A test for each chapter, so that they run beside each other.
macro_rules! chapters {
    ($($test:ident $chapter:literal)*) => {
        const CHAPTERS: &[&str] = &[$($chapter),*];
        $(
            #[test]
            fn $test() {
                commands_of($chapter);
            }
        )*
    };
}

chapters! {
    start "start"
    clients "clients"
    verify "verify"
    audit "audit"
    install "install"
    issuers "issuers"
    operate "operate"
    from_sigstore "from-sigstore"
    how_it_works "how-it-works"
    security "security"
    reference "reference"
}

fn commands_of(chapter: &str) {
    let directory = Path::new("docs/src").join(chapter);
    let pages: Vec<Page> = manual::pages().into_iter().filter(|page| page.path.starts_with(&directory)).collect();
    assert!(!pages.is_empty(), "there is no chapter {chapter}");
    let run = |page: &Page| {
        // What is printed last before a panic is the page.
        eprintln!("{}", page.path.display());
        sandbox::run(page).err()
    };
    let failures: Vec<String> = pages.iter().filter(|page| page.runs()).filter_map(run).collect();
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}

#[test]
fn every_chapter_has_a_test() {
    let pages = manual::pages();
    let chapters = pages.iter().filter_map(|page| page.path.strip_prefix("docs/src").unwrap().parent());
    let chapters: BTreeSet<&str> = chapters.filter_map(Path::to_str).filter(|chapter| !chapter.is_empty()).collect();
    assert_eq!(chapters, CHAPTERS.iter().copied().collect());
}

#[test]
fn every_command_is_run_or_says_why_not() {
    let faults: Vec<String> = manual::pages().into_iter().flat_map(|page| page.faults).collect();
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn every_page_is_in_the_table_of_contents_and_has_something_to_say() {
    let root = manual::root();
    let contents = manual::page(&root.join("docs/src/SUMMARY.md"));
    let listed: Vec<PathBuf> = contents.links.iter().map(|(_, link)| Path::new("docs/src").join(link)).collect();
    let pages = manual::pages();
    assert_eq!(
        listed.iter().collect::<BTreeSet<_>>(),
        pages.iter().map(|page| &page.path).collect::<BTreeSet<_>>(),
        "SUMMARY.md and the files"
    );
    assert_eq!(listed.len(), pages.len(), "a page is in SUMMARY.md twice");
    for page in &pages {
        let text = fs::read_to_string(root.join(&page.path)).unwrap();
        assert!(text.starts_with("# "), "{}: begins with its title", page.path.display());
        assert!(page.prose_length >= SHORTEST, "{}: {} characters", page.path.display(), page.prose_length);
    }
}

#[test]
fn every_link_leads_somewhere() {
    let root = manual::root();
    let mut pages = manual::pages();
    let others =
        ["README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md", "deploy/README.md", "docs/src/SUMMARY.md"];
    pages.extend(others.iter().map(|path| manual::page(&root.join(path))));
    let broken: Vec<String> = pages.iter().flat_map(links::broken).collect();
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

#[test]
fn drawings_are_made_from_their_text() {
    let root = manual::root();
    let sources = manual::files(&root.join("docs/drawings"), "pikchr");
    assert!(!sources.is_empty());
    for source in sources {
        let text = fs::read_to_string(&source).unwrap();
        let name = source.file_stem().unwrap().to_str().unwrap();
        let (title, _) = text.split_once('\n').unwrap();
        let title = title.strip_prefix("# ").expect("the first line is the drawing's title");
        let image = root.join(format!("docs/src/images/{name}.svg"));
        manual::is_current(&image, &drawing::svg(title, &text));
    }
}

#[test]
fn the_reference_is_what_the_program_is_made_of() {
    let pages = manual::files(&manual::root().join("docs/src/reference"), "md");
    assert!(!pages.is_empty());
    for path in pages {
        let text = fs::read_to_string(&path).unwrap();
        manual::is_current(&path, &reference::page(&text));
    }
}

#[test]
fn every_code_is_of_one_reason() {
    let codes: BTreeSet<&str> = Rejection::ALL.iter().map(|(code, ..)| *code).collect();
    assert_eq!(codes.len(), Rejection::ALL.len());
    for (code, meaning, sentence) in Rejection::ALL {
        let is_word =
            |word: &str| word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
        assert!(code.split('.').count() == 2 && code.split('.').all(is_word), "{code}");
        assert!(meaning.ends_with('.') && !sentence.is_empty(), "{code}: {meaning}: {sentence}");
    }
}

#[test]
fn every_path_of_the_services_is_in_the_reference() {
    let page = fs::read_to_string(manual::root().join("docs/src/reference/http.md")).unwrap();
    let paths = reference::paths();
    assert!(paths.len() > 20, "{paths:?}");
    let missing: Vec<&String> = paths.iter().filter(|path| !page.contains(path.trim_end_matches('/'))).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn every_metric_of_a_server_is_in_the_reference() {
    let metrics = free_port();
    let stack = Stack::start_with(&["--metrics", &format!("127.0.0.1:{metrics}")]);
    stack.token("alice@example.test");
    let scraped = Request::get(&format!("http://127.0.0.1:{metrics}/metrics")).send().text();
    let names: BTreeSet<&str> =
        scraped.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect();
    assert!(names.contains("chancery_log_size"), "{scraped}");
    let known = reference::metric_names();
    let unknown: Vec<_> = names.iter().filter(|name| !known.contains(**name) && !is_of_the_process(name)).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
}

/// Prometheus' own, about any process.
fn is_of_the_process(name: &str) -> bool {
    name.starts_with("process_")
}
