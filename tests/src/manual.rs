//! The manual in `docs/`: every command of it is run or says why not, every link leads somewhere, and what is generated is
//! current. CONTRIBUTING.md has the comments that pages are written with.
//!
//! | module | is |
//! |---|---|
//! | [`mod@page`] | a page as mdBook reads it: headings, links, and the blocks that are run |
//! | [`links`] | links that lead nowhere |
//! | [`sandbox`] | the machine on which the blocks of a page are run |
//! | [`drawing`] | SVG from text |
//! | [`mod@reference`] | what is generated into pages |

pub mod drawing;
pub mod links;
pub mod page;
pub mod reference;
pub mod sandbox;

use page::Page;
use std::{
    env, fs,
    path::{Path, PathBuf},
};

/// Where the repository is.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// The paths of all files below `directory` with this extension, sorted.
pub fn files(directory: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display())) {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path, extension));
        } else if path.extension().is_some_and(|found| found == extension) {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// Every page of the book, by its path in the repository; the table of contents is none.
pub fn pages() -> Vec<Page> {
    let pages = files(&root().join("docs/src"), "md");
    pages.into_iter().filter(|path| !path.ends_with("SUMMARY.md")).map(|path| page(&path)).collect()
}

/// A page by its path.
pub fn page(path: &Path) -> Page {
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    Page::read(path.strip_prefix(root()).unwrap(), &text)
}

/// Demands that a generated file is current, or writes it where `UPDATE_MANUAL` is set.
pub fn is_current(path: &Path, generated: &str) {
    let shown = path.strip_prefix(root()).unwrap().display();
    if env::var_os("UPDATE_MANUAL").is_some() {
        fs::write(path, generated).unwrap();
        return;
    }
    let committed = fs::read_to_string(path).unwrap_or_default();
    let differs = committed.lines().zip(generated.lines()).position(|(old, new)| old != new);
    let line = differs.unwrap_or_else(|| committed.lines().count().min(generated.lines().count()));
    assert!(
        committed == generated,
        "{shown} is not current from line {} on:\n- {}\n+ {}\nWrite it with UPDATE_MANUAL=1 cargo test -p chancery-tests --test docs",
        line + 1,
        committed.lines().nth(line).unwrap_or_default(),
        generated.lines().nth(line).unwrap_or_default(),
    );
}
