//! Circles of modules: modules side by side, each with all that is below it, that need each other.
//!
//! A module may use what is below it, and what is below may use it: that is no circle. A name that a module re-exports
//! counts as that module's, so a circle through the re-exports of a common parent is not seen.

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
struct Tree<'a> {
    modules: BTreeMap<Module, &'a str>,
    bound: BTreeMap<(Module, String), Module>,
}

/// Every tie between modules side by side in these files of all packages (path and text).
pub(crate) fn ties(sources: &[(&str, &str)]) -> Vec<Tie> {
    let mut modules = BTreeMap::new();
    let mut files = Vec::new();
    for &(name, text) in sources {
        let Some(module) = module_of(name) else { continue };
        let contents = contents(text);
        for inner in &contents.modules {
            modules.insert([&module[..], &inner[..]].concat(), name);
        }
        modules.insert(module.clone(), name);
        files.push(File { name, module, paths: contents.paths });
    }
    let mut tree = Tree { modules, bound: BTreeMap::new() };
    // Twice, because a name may be bound with the help of another one.
    for file in files.iter().chain(&files) {
        for path in &file.paths {
            tree.bind(file.around(path), path);
        }
    }
    let mut found = Vec::new();
    for file in &files {
        found.extend(file.paths.iter().filter_map(|path| tree.tie(file, path)));
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
    /// The deepest module on a path, and whether that is all of the path; `None` for what is not of this package.
    fn resolve(&self, from: &[String], segments: &[String]) -> Option<(Module, bool)> {
        let child = |module: &[String], name: &String| [module, std::slice::from_ref(name)].concat();
        let first = segments.first()?;
        let mut segments = segments.iter().peekable();
        let mut at = match first.as_str() {
            "self" | "super" => from.to_vec(),
            "crate" => {
                segments.next();
                from[..1].to_vec()
            }
            _ => {
                segments.next();
                let below = child(from, first);
                if self.modules.contains_key(&below) {
                    below
                } else {
                    self.bound.get(&(from.to_vec(), first.clone()))?.clone()
                }
            }
        };
        while let Some(name) = segments.next_if(|name| *name == "self" || *name == "super") {
            if name == "super" {
                at.pop();
            }
        }
        while let Some(name) = segments.peek() {
            let below = child(&at, name);
            if !self.modules.contains_key(&below) {
                break;
            }
            at = below;
            segments.next();
        }
        (!at.is_empty()).then(|| (at, segments.peek().is_none()))
    }

    /// Keeps which modules a `use` in `from` gives names to.
    fn bind(&mut self, from: Module, path: &Path) {
        let Some(name) = &path.bound else { return };
        let Some((module, true)) = self.resolve(&from, &path.segments) else { return };
        if name != "*" {
            self.bound.insert((from, name.clone()), module);
            return;
        }
        let is_below = |other: &&Module| other.len() == module.len() + 1 && other.starts_with(&module);
        let below: Vec<Module> = self.modules.keys().filter(is_below).cloned().collect();
        for module in below {
            let name = module.last().cloned().unwrap_or_default();
            self.bound.entry((from.clone(), name)).or_insert(module);
        }
    }

    /// What a path ties together, if that is two modules side by side.
    fn tie(&self, file: &File<'_>, path: &Path) -> Option<Tie> {
        let from = file.around(path);
        let (to, _) = self.resolve(&from, &path.segments)?;
        let same = from.iter().zip(&to).take_while(|(one, other)| one == other).count();
        Some(Tie {
            place: format!("{}:{}", file.name, path.line),
            target: (*self.modules.get(&to)?).to_owned(),
            path: path.segments.join("::"),
            from: from.get(..=same)?.to_vec(),
            to: to.get(..=same)?.to_vec(),
        })
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
