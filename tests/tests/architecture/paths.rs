//! The paths that a Rust file names: in `use` trees (grouped, nested, renamed) and in its code (`crate::a::b()`).
//!
//! A generous reader and no parser: it knows names, groups and attributes. Items that are only compiled for tests are
//! left out. Links in comments are no paths.

use super::tokens::{Token, is_name, tokens};

/// What a file names.
#[derive(Debug, Default)]
pub(crate) struct Contents {
    /// The modules that it has inside (`mod name { … }`), each from the outside.
    pub(crate) modules: Vec<Vec<String>>,
    /// The items that it defines: the module inside the file, and the name. Not what is in functions and `impl` blocks.
    pub(crate) items: Vec<(Vec<String>, String)>,
    pub(crate) paths: Vec<Path>,
}

/// A path as it is written.
#[derive(Debug)]
pub(crate) struct Path {
    /// The module inside the file that has it.
    pub(crate) inside: Vec<String>,
    pub(crate) segments: Vec<String>,
    /// The name that a `use` gives it, or `*` for everything in it; `None` for a path in code.
    pub(crate) bound: Option<String>,
    pub(crate) line: usize,
}

/// Reads a file.
pub(crate) fn contents(text: &str) -> Contents {
    let tokens = tokens(text);
    let mut reader =
        Reader { tokens: &tokens, position: 0, depth: 0, around: Vec::new(), contents: Contents::default() };
    while reader.position < tokens.len() {
        reader.step();
    }
    reader.contents
}

/// The keywords that the name of a definition follows.
const DEFINING: [&str; 8] = ["const", "enum", "fn", "macro_rules", "static", "struct", "trait", "type"];

struct Reader<'a> {
    tokens: &'a [Token<'a>],
    position: usize,
    /// Open braces.
    depth: usize,
    /// The modules that are open, each with the depth of its braces.
    around: Vec<(String, usize)>,
    contents: Contents,
}

impl<'a> Reader<'a> {
    /// The token at a position; empty after the end.
    fn text(&self, position: usize) -> &'a str {
        self.tokens.get(position).map_or("", |token| token.text)
    }

    /// The token that is `offset` ahead.
    fn ahead(&self, offset: usize) -> &'a str {
        self.text(self.position + offset)
    }

    fn inside(&self) -> Vec<String> {
        self.around.iter().map(|(name, _)| name.clone()).collect()
    }

    fn step(&mut self) {
        match self.ahead(0) {
            "#" => match self.end_of_test_attribute() {
                Some(end) => self.skip_item(end),
                None => self.position += 1,
            },
            // Not the list of what a returned type captures.
            "use" if self.ahead(1) != "<" => {
                self.position += 1;
                self.tree(&[]);
            }
            "mod" if self.ahead(2) == "{" => {
                self.depth += 1;
                self.around.push((self.ahead(1).to_owned(), self.depth));
                self.contents.modules.push(self.inside());
                self.position += 3;
            }
            keyword if DEFINING.contains(&keyword) => self.item(),
            "{" => {
                self.depth += 1;
                self.position += 1;
            }
            "}" => {
                self.around.pop_if(|(_, depth)| *depth == self.depth);
                self.depth = self.depth.saturating_sub(1);
                self.position += 1;
            }
            name if is_name(name) => self.path_in_code(),
            _ => self.position += 1,
        }
    }

    /// Reads the name of a definition that stands in a module, not deeper. `&'static T` and `const fn` begin none.
    fn item(&mut self) {
        let name = self.ahead(if self.ahead(0) == "macro_rules" { 2 } else { 1 });
        let is_lifetime = self.position > 0 && self.text(self.position - 1) == "'";
        let is_in_module = self.depth == self.around.last().map_or(0, |(_, depth)| *depth);
        if is_in_module && !is_lifetime && is_name(name) && name != "fn" {
            self.contents.items.push((self.inside(), name.to_owned()));
        }
        self.position += 1;
    }

    /// The position after a bracket's partner.
    fn after_group(&self, open: usize) -> usize {
        let mut depth = 0_usize;
        for position in open..self.tokens.len() {
            match self.text(position) {
                "(" | "[" | "{" => depth += 1,
                ")" | "]" | "}" => depth = depth.saturating_sub(1),
                _ => {}
            }
            if depth == 0 {
                return position + 1;
            }
        }
        self.tokens.len()
    }

    /// The position after `#[cfg(test)]`, if that is here.
    fn end_of_test_attribute(&self) -> Option<usize> {
        if (self.ahead(1), self.ahead(2)) != ("[", "cfg") {
            return None;
        }
        let end = self.after_group(self.position + 1);
        let has = |word: &str| self.tokens[self.position..end].iter().any(|token| token.text == word);
        (has("test") && !has("not")).then_some(end)
    }

    /// Goes to the end of what an attribute that ends at `position` is about: an item, a member or a statement.
    fn skip_item(&mut self, mut position: usize) {
        const ITEMS: [&str; 12] =
            ["async", "const", "enum", "extern", "fn", "impl", "mod", "static", "struct", "trait", "type", "use"];
        while self.text(position) == "#" {
            position = self.after_group(position + 1);
        }
        if self.text(position) == "pub" {
            position += 1;
            if self.text(position) == "(" {
                position = self.after_group(position);
            }
        }
        let first = self.text(position);
        loop {
            match self.text(position) {
                "" | ")" | "]" | "}" => break,
                ";" => {
                    position += 1;
                    break;
                }
                "," if !ITEMS.contains(&first) => {
                    position += 1;
                    break;
                }
                "{" => {
                    position = self.after_group(position);
                    if first != "use" {
                        break;
                    }
                }
                "(" | "[" => position = self.after_group(position),
                _ => position += 1,
            }
        }
        self.position = position;
    }

    /// Reads one tree of a `use` below the path `above`.
    fn tree(&mut self, above: &[String]) {
        let mut segments = above.to_vec();
        loop {
            match self.ahead(0) {
                "{" => {
                    self.position += 1;
                    while !matches!(self.ahead(0), "}" | "") {
                        self.tree(&segments);
                        if self.ahead(0) == "," {
                            self.position += 1;
                        }
                    }
                    self.position += 1;
                    return;
                }
                "*" => {
                    self.add(segments, Some("*".to_owned()));
                    self.position += 1;
                    return;
                }
                "::" => {
                    // A path that begins with it leads to another crate.
                    if segments.is_empty() {
                        segments.push(String::new());
                    }
                    self.position += 1;
                }
                name if is_name(name) => {
                    // In a group it is what the group belongs to.
                    if name != "self" || segments.is_empty() {
                        segments.push(name.to_owned());
                    }
                    if self.ahead(1) == "as" {
                        self.add(segments, Some(self.ahead(2).to_owned()));
                        self.position += 3;
                        return;
                    }
                    if self.ahead(1) != "::" {
                        let name = segments.last().cloned();
                        self.add(segments, name);
                        self.position += 1;
                        return;
                    }
                    self.position += 1;
                }
                _ => {
                    self.position += 1;
                    return;
                }
            }
        }
    }

    /// Reads a path that code has, if it has more than one segment.
    fn path_in_code(&mut self) {
        let start = self.position;
        let mut segments = vec![self.ahead(0).to_owned()];
        while self.ahead(1) == "::" && is_name(self.ahead(2)) {
            segments.push(self.ahead(2).to_owned());
            self.position += 2;
        }
        // The rest of a path whose beginning is no name: `<T as Trait>::name`, `::other_crate::name`.
        let is_rest = start > 0 && self.text(start - 1) == "::";
        if segments.len() > 1 && !is_rest {
            self.add(segments, None);
        }
        self.position += 1;
    }

    fn add(&mut self, segments: Vec<String>, bound: Option<String>) {
        let line = self.tokens[self.position].line;
        self.contents.paths.push(Path { inside: self.inside(), segments, bound, line });
    }
}

#[test]
fn paths_of_trees_and_of_code_are_read() {
    let text = "use a::{self as z, b::{C, *}, super_name};\nuse super::x;\n\
                fn f() -> impl T + use<> { crate::d::e(<G as H>::i(), self::j::k::<u8>()) }\n\
                #[cfg(test)]\nuse t::{u, v};\n#[cfg(test)]\nfn g<A, B>() { t::w() }\n\
                struct S { #[cfg(test)] m: t::x, n: o::P }\n\
                mod inner { use super::q; }\n#[cfg(not(test))]\nuse r::s;\n#[cfg(test)]\nmod tests { use t::y; }\n";
    let contents = contents(text);
    let read: Vec<String> = contents.paths.iter().map(|path| path.segments.join("::")).collect();
    let expected =
        ["a", "a::b::C", "a::b", "a::super_name", "super::x", "crate::d::e", "self::j::k", "o::P", "super::q", "r::s"];
    assert_eq!(read, expected);
    assert_eq!(contents.paths[0].bound.as_deref(), Some("z"));
    assert_eq!(contents.paths[2].bound.as_deref(), Some("*"));
    assert_eq!((contents.paths[8].inside.join("::"), contents.paths[8].line), ("inner".to_owned(), 9));
    assert_eq!(contents.modules, [["inner"]]);
}

#[test]
fn definitions_are_read() {
    let text = "pub(crate) struct A<T>(T);\nimpl A<u8> { const B: u8 = 1; fn c() {} }\nconst fn d() { fn e() {} }\n\
                fn f(x: &'static G) -> u8 { const H: u8 = 1; H }\nmacro_rules! i { () => { struct J; } }\n\
                mod inner { pub trait K { type L; } }\n#[cfg(test)]\nenum M { N }\npub type O = u8;\nstatic P: u8 = 1;\n";
    let read: Vec<String> = contents(text)
        .items
        .iter()
        .map(|(inside, name)| [&inside[..], std::slice::from_ref(name)].concat().join("::"))
        .collect();
    assert_eq!(read, ["A", "d", "f", "i", "inner::K", "O", "P"]);
}
