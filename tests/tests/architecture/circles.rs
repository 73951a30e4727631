//! Circles of modules: modules side by side, each with all that is below it, that need each other.
//!
//! A module may use what is below it, and what is below may use it: that is no circle. A path ties its file to every module
//! on its way: to one that only re-exports an item, and to the one that defines it. So a circle through the re-exports of a
//! common parent is seen, and an item that the parent's own file defines makes none.

use super::paths::{Path, contents};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

/// A module: its package's directory, then names.
type Module = Vec<String>;

/// A path in a file that ties two modules side by side together.
#[derive(Debug)]
pub(crate) struct Tie {
    from: Module,
    to: Module,
    /// The file with the path, and its line.
    place: String,
    /// The file it leads to.
    target: String,
    path: String,
}

/// A file of the product, read.
struct File<'a> {
    name: &'a str,
    module: Module,
    paths: Vec<Path>,
}

impl File<'_> {
    /// The module of this file that has a path.
    fn around(&self, path: &Path) -> Module {
        [&self.module[..], &path.inside[..]].concat()
    }
}

/// All modules with their files, and what names mean in them.
#[derive(Default)]
struct Tree<'a> {
    modules: BTreeMap<Module, &'a str>,
    /// The items that a module defines itself.
    items: BTreeSet<Name>,
    /// The paths to which a `use` gives a name.
    named: BTreeMap<Name, Vec<&'a [String]>>,
    /// The paths of which a `use` takes everything.
    globs: BTreeMap<Module, Vec<&'a [String]>>,
}

/// A name in a module.
type Name = (Module, String);

/// Where a path leads.
struct Found {
    /// The modules on its way. The last one is what the path names, or defines it.
    way: Vec<Module>,
    /// Whether the path names a module, and not an item.
    is_module: bool,
}

impl Found {
    fn last(&self) -> &[String] {
        self.way.last().map_or(&[], Vec::as_slice)
    }

    fn then(mut self, next: Self) -> Self {
        self.way.extend(next.way);
        Self { is_module: next.is_module, ..self }
    }
}

/// Every tie between modules side by side in these files of all packages (path and text).
pub(crate) fn ties(sources: &[(&str, &str)]) -> Vec<Tie> {
    let (mut modules, mut items, mut files) = (BTreeMap::new(), BTreeSet::new(), Vec::new());
    for &(name, text) in sources {
        let Some(module) = module_of(name) else { continue };
        let contents = contents(text);
        for inner in &contents.modules {
            modules.insert([&module[..], &inner[..]].concat(), name);
        }
        items.extend(contents.items.into_iter().map(|(inner, item)| ([&module[..], &inner[..]].concat(), item)));
        modules.insert(module.clone(), name);
        files.push(File { name, module, paths: contents.paths });
    }
    let mut tree = Tree { modules, items, ..Tree::default() };
    for file in &files {
        for path in &file.paths {
            match path.bound.as_deref() {
                Some("*") => tree.globs.entry(file.around(path)).or_default().push(&path.segments),
                Some(name) => {
                    let name = (file.around(path), name.to_owned());
                    tree.named.entry(name).or_default().push(&path.segments);
                }
                None => {}
            }
        }
    }
    let mut found = Vec::new();
    for file in &files {
        for path in &file.paths {
            found.extend(tree.ties(file, path));
        }
    }
    found
}

/// The module of a file; `None` for files of tests and for programs beside a library.
fn module_of(file: &str) -> Option<Module> {
    let (package, below) = file.strip_suffix(".rs")?.split_once("/src/")?;
    let names = below.split('/');
    if names.clone().any(|name| name == "tests") || below.starts_with("bin/") {
        return None;
    }
    let mut module: Module = std::iter::once(package).chain(names).map(str::to_owned).collect();
    if module.last().is_some_and(|last| last == "mod") || below == "lib" || below == "main" {
        module.pop();
    }
    Some(module)
}

impl Tree<'_> {
    /// Follows a path from a module; `None` if it leads out of the package. `asked` are the names that are being looked
    /// up: the first `a` of `use a::a` is not the one that it binds.
    fn resolve(&self, from: &[String], path: &[String], asked: &mut Vec<Name>) -> Option<Found> {
        let module = |module: &[String]| Found { way: vec![module.to_vec()], is_module: true };
        let mut segments = path.iter().peekable();
        let mut found = match segments.peek()?.as_str() {
            "self" | "super" => module(from),
            "crate" => {
                segments.next();
                module(&from[..1])
            }
            _ => self.look_up(from, segments.next()?, asked)?,
        };
        while let Some(name) = segments.next_if(|name| *name == "self" || *name == "super") {
            if name == "super" {
                found.way.last_mut()?.pop();
            }
        }
        if found.last().is_empty() {
            return None;
        }
        for name in segments {
            if !found.is_module {
                break;
            }
            found = match self.look_up(found.last(), name, asked) {
                Some(next) => found.then(next),
                // An item, made by a macro or unknown.
                None => Found { is_module: false, ..found },
            };
        }
        Some(found)
    }

    /// What a name means in a module: a module below it, what a `use` names, an item of its own, or one of what it takes
    /// with all the rest.
    fn look_up(&self, module: &[String], name: &str, asked: &mut Vec<Name>) -> Option<Found> {
        let below = [module, std::slice::from_ref(&name.to_owned())].concat();
        if self.modules.contains_key(&below) {
            return Some(Found { way: vec![below], is_module: true });
        }
        let key = (module.to_vec(), name.to_owned());
        if asked.contains(&key) {
            return None;
        }
        asked.push(key.clone());
        let mut found = self.named.get(&key).into_iter().flatten().find_map(|path| self.resolve(module, path, asked));
        if found.is_none() && self.items.contains(&key) {
            found = Some(Found { way: vec![key.0], is_module: false });
        }
        if found.is_none() {
            let mut globs = self.globs.get(module).into_iter().flatten();
            found = globs.find_map(|path| self.look_up_in_glob(module, path, name, asked));
        }
        asked.pop();
        found
    }

    /// What a name means in a module that takes everything of a path.
    fn look_up_in_glob(&self, module: &[String], path: &[String], name: &str, asked: &mut Vec<Name>) -> Option<Found> {
        let everything = self.resolve(module, path, asked).filter(|found| found.is_module)?;
        let found = self.look_up(everything.last(), name, asked)?;
        Some(everything.then(found))
    }

    /// The modules side by side that a path ties together: one tie for each pair.
    fn ties(&self, file: &File<'_>, path: &Path) -> Vec<Tie> {
        let from = file.around(path);
        let way = self.resolve(&from, &path.segments, &mut Vec::new()).map_or_else(Vec::new, |found| found.way);
        let mut ties = BTreeMap::new();
        for to in way {
            let same = from.iter().zip(&to).take_while(|(one, other)| one == other).count();
            let sides = from.get(..=same).zip(to.get(..=same)).zip(self.modules.get(&to));
            let Some(((one, other), target)) = sides else { continue };
            let tie = Tie {
                place: format!("{}:{}", file.name, path.line),
                target: (*target).to_owned(),
                path: path.segments.join("::"),
                from: one.to_vec(),
                to: other.to_vec(),
            };
            ties.insert(other.to_vec(), tie);
        }
        ties.into_values().collect()
    }
}

/// Every circle, with the ties that make it.
pub(crate) fn circles(ties: &[Tie]) -> Vec<String> {
    let mut next: BTreeMap<&Module, BTreeSet<&Module>> = BTreeMap::new();
    for tie in ties {
        next.entry(&tie.from).or_default().insert(&tie.to);
    }
    let reached: BTreeMap<&Module, BTreeSet<&Module>> =
        next.keys().map(|module| (*module, reached(module, &next))).collect();
    let leads = |from: &Module, to: &Module| reached.get(from).is_some_and(|reached| reached.contains(to));
    let (mut told, mut found): (BTreeSet<&Module>, _) = (BTreeSet::new(), Vec::new());
    for (module, others) in &reached {
        if !others.contains(module) || told.contains(module) {
            continue;
        }
        let circle: BTreeSet<&Module> = others.iter().copied().filter(|other| leads(other, module)).collect();
        let names: Vec<String> = circle.iter().map(|module| module.join("::")).collect();
        let mut text = format!("these modules need each other: {}\n", names.join(", "));
        for tie in ties.iter().filter(|tie| circle.contains(&tie.from) && circle.contains(&tie.to)) {
            writeln!(text, "    {} → {} ({})", tie.place, tie.target, tie.path).unwrap();
        }
        told.extend(circle);
        found.push(text);
    }
    found
}

/// Every module that ties lead to from `start`, in any number of steps.
fn reached<'a>(start: &Module, next: &BTreeMap<&'a Module, BTreeSet<&'a Module>>) -> BTreeSet<&'a Module> {
    let (mut found, mut waiting) = (BTreeSet::new(), vec![start]);
    while let Some(module) = waiting.pop() {
        for other in next.get(module).into_iter().flatten() {
            if found.insert(*other) {
                waiting.push(other);
            }
        }
    }
    found
}

/// The circles of files that only name each other.
#[cfg(test)]
fn of(sources: &[(&str, &str)]) -> Vec<String> {
    circles(&ties(sources))
}

#[test]
fn a_circle_is_found_however_it_is_written() {
    let root = ("services/x/src/lib.rs", "mod a;\nmod b;\nmod c;\n");
    for text in [
        "use crate::a::f;",
        "use std::{fmt, io};\nuse crate::{\n    c::{self},\n    a::{\n        f as g,\n    },\n};",
        "fn h() { crate::a::f() }",
        "fn h() { super::a::f::<u8>() }",
        "use crate as root;\nfn h() { root::a::f() }",
        "use super::*;\nfn h() { a::f() }",
        "#[cfg(not(test))]\nuse super::a;",
        "mod inside { use super::super::a::f; }",
        "use self::super::a::f;",
    ] {
        let found = of(&[root, ("services/x/src/a.rs", "use crate::b::F;"), ("services/x/src/b.rs", text)]);
        assert_eq!(found.len(), 1, "{text}: {found:?}");
        assert!(found[0].starts_with("these modules need each other: services/x::a, services/x::b\n"), "{}", found[0]);
        assert!(found[0].contains("services/x/src/a.rs:1 → services/x/src/b.rs (crate::b::F)\n"), "{}", found[0]);
    }
}

#[test]
fn modules_count_with_all_that_is_below_them() {
    let deep = [
        ("services/x/src/main.rs", "mod a;\nmod b;\nmod c;\n"),
        ("services/x/src/a/mod.rs", "pub mod one;"),
        ("services/x/src/a/one.rs", "use super::super::b;"),
        ("services/x/src/b.rs", "use crate::c;"),
        ("services/x/src/c/two.rs", "fn f() { crate::a::one::g() }"),
        ("services/x/src/c.rs", "mod two;\nuse two::three;"),
    ];
    let found = of(&deep);
    assert_eq!(found.len(), 1, "{found:?}");
    for line in ["x::a, services/x::b, services/x::c\n", "a/one.rs:1 → services/x/src/b.rs (super::super::b)\n"] {
        assert!(found[0].contains(line), "{}", found[0]);
    }
    // A level further down has circles of its own.
    let around = ("crates/y/src/a.rs", "");
    let lower = [around, ("crates/y/src/a/one.rs", "use super::two;"), ("crates/y/src/a/two.rs", "use super::one::F;")];
    assert_eq!(of(&lower).len(), 1);
}

/// The circles of a parent `p` and its children, with these texts of the package's root, of the parent and of `a`. `b` needs
/// `a` and defines `Item`.
#[cfg(test)]
fn through(root: &str, parent: &str, a: &str) -> Vec<String> {
    of(&[
        ("services/x/src/lib.rs", root),
        ("services/x/src/p.rs", parent),
        ("services/x/src/p/a.rs", a),
        ("services/x/src/p/b.rs", "use super::a::f;\npub(crate) struct Item;"),
        ("services/x/src/p/c.rs", "pub(crate) use super::b::Item;"),
    ])
}

#[test]
fn re_exports_lead_to_the_module_that_defines_an_item() {
    for (root, parent, a) in [
        ("", "pub(crate) use b::Item;", "use super::Item;"),
        ("", "use b::Item;", "use super::Item;"),
        ("", "pub use b::{Item as Other};", "fn g() { super::Other::new() }"),
        ("", "pub use self::b::*;", "use super::Item;"),
        ("", "pub use c::*;", "use super::Item;"),
        ("", "", "use super::c::Item;"),
        ("pub use p::b::Item;", "", "use crate::Item;"),
        ("pub use p::Item;", "pub use b::Item;", "use crate::Item;"),
        ("pub use p::*;", "pub use c::Item;", "fn g() { crate::Item::new() }"),
        ("use p::b as other;", "", "use crate::other::Item;"),
    ] {
        let found = through(root, parent, a);
        assert_eq!(found.len(), 1, "{root} {parent} {a}: {found:?}");
        assert!(found[0].starts_with("these modules need each other: services/x::p::a, "), "{}", found[0]);
        assert!(found[0].contains("services/x/src/p/a.rs:1 → services/x/src/p/b.rs ("), "{}", found[0]);
    }
}

#[test]
fn a_re_export_ties_to_the_module_that_has_it_too() {
    let files = [
        ("services/x/src/a.rs", "use crate::c::Item;"),
        ("services/x/src/b.rs", "pub struct Item;"),
        ("services/x/src/c.rs", "pub use crate::b::Item;\nuse crate::a::f;"),
    ];
    let found = of(&files);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].starts_with("these modules need each other: services/x::a, services/x::c\n"), "{}", found[0]);
}

#[test]
fn what_an_ancestor_defines_is_no_tie() {
    for (root, parent, a) in [
        ("", "pub use b::*;\npub struct Item;", "use super::Item;"),
        ("", "pub use b::*;\nfn g() {}", "use super::g;"),
        ("pub enum Error { A }", "pub use b::*;", "use crate::Error;\nfn g() { Error::A }"),
        // Made by a macro, or of another package.
        ("", "pub use b::*;\nmade! { Made }", "use super::Made;"),
        ("pub use other::Item;", "pub use b::*;", "use crate::Item;"),
        ("", "pub use other::*;\nuse self::*;", "use super::Item;"),
        // Only for tests.
        ("", "#[cfg(test)]\npub use b::Item;", "use super::Item;"),
        // `use` in a circle, which does not compile.
        ("use p::Lost;", "use crate::Lost;", "use super::Lost;"),
    ] {
        let found = through(root, parent, a);
        assert!(found.is_empty(), "{root} {parent} {a}: {found:?}");
    }
}

#[test]
fn what_is_no_circle_is_none() {
    for (a, b) in [
        ("use crate::b::F;", "use crate::c::G;"),
        ("use crate::b::F;", "// use crate::a::f;\nconst TEXT: &str = \"crate::a::f\";"),
        ("use crate::b::F;", "#[cfg(test)]\nmod tests {\n    use crate::a::f;\n}\n"),
        ("use crate::b::F;", "use a::f;\nuse other::a::g;\nuse ::a::h;"),
        // Parent and child.
        ("pub mod one;\nuse one::F;", "use crate::a::one::G;"),
    ] {
        let files = [
            ("services/x/src/lib.rs", "mod a;\nmod b;\nmod c;\n"),
            ("services/x/src/a.rs", a),
            ("services/x/src/a/one.rs", "use super::f;\nuse crate::start;"),
            ("services/x/src/b.rs", b),
            ("services/x/src/c.rs", ""),
            // Another package has the same names, and a file of tests may do as it likes.
            ("services/y/src/a.rs", "use crate::b;"),
            ("services/x/src/b/tests.rs", "use crate::a;"),
            ("services/x/tests/b.rs", "use crate::a;"),
        ];
        let found = of(&files);
        assert!(found.is_empty(), "{a} {b}: {found:?}");
    }
}
