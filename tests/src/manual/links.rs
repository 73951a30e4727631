//! Links of a page that lead nowhere.

use super::{page, page::Page, root};
use std::path::{Component, Path, PathBuf};

/// Every link of `page` whose file or heading is not there, and every one that leaves the book.
pub fn broken(page: &Page) -> Vec<String> {
    let broken = page.links.iter().filter_map(|(line, link)| {
        let reason = fault(page, link)?;
        Some(format!("{}:{line}: {link}: {reason}", page.path.display()))
    });
    broken.collect()
}

fn fault(page: &Page, link: &str) -> Option<String> {
    if ["https://", "http://", "mailto:"].iter().any(|scheme| link.starts_with(scheme)) {
        return None;
    }
    let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
    let target = if file.is_empty() { page.path.clone() } else { resolve(&page.path, file) };
    let book = Path::new("docs/src");
    if page.path.starts_with(book) && !target.starts_with(book) {
        return Some("leads out of the book; name the file as code".to_owned());
    }
    let path = root().join(&target);
    if !path.exists() {
        return Some("there is no such file".to_owned());
    }
    let has = |page: &Page| page.anchors.contains(anchor);
    let found = anchor.is_empty() || if target == page.path { has(page) } else { has(&self::page(&path)) };
    (!found).then(|| "there is no such heading".to_owned())
}

/// Where a link from one file leads, from the repository's root.
fn resolve(from: &Path, link: &str) -> PathBuf {
    let mut target = from.parent().unwrap_or(Path::new("")).to_owned();
    for component in Path::new(link).components() {
        match component {
            Component::ParentDir => {
                target.pop();
            }
            Component::Normal(name) => target.push(name),
            _ => {}
        }
    }
    target
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_leads_to_a_file_and_a_heading_of_it() {
        let text = "# A b\n[1](#a-b) [2](#c) [3](../../../README.md) [4](nothing.md) [5](../index.md#the-words) [6](../index.md#x) [7](https://x)";
        let broken = broken(&Page::read(Path::new("docs/src/start/index.md"), text));
        let expected = [
            "#c: there is no such heading",
            "README.md: leads out",
            "nothing.md: there is no such file",
            "#x: there is no",
        ];
        assert_eq!(broken.len(), expected.len(), "{broken:?}");
        for (found, expected) in broken.iter().zip(expected) {
            assert!(found.starts_with("docs/src/start/index.md:2: ") && found.contains(expected), "{found}");
        }
    }
}
