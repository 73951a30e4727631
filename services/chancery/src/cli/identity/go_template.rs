//! Fulcio's templates (Go's `text/template`) in our words.
//!
//! What Fulcio's users write is understood: fields, `index`, and `if eq … else … end`. Everything else of the language is
//! refused by name: a template that means something a little different would be worse than none.
//!
//! A template's defaults are where Fulcio lets a claim replace what the operator wrote. An empty default says that a claim
//! may be missing, and stays that. Any other default becomes a constant, which no claim can replace.

use chancery_ca::identity::Template;
use std::collections::{BTreeMap, BTreeSet};

/// Texts by name, used where a token has no such claim.
pub(super) type Defaults = BTreeMap<String, String>;

/// A template, and which defaults it has as constants.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Translated {
    pub(super) text: String,
    pub(super) constants: BTreeSet<String>,
}

/// Translates a value of Fulcio's configuration: a template if it has an action in it, else the name of a claim.
pub(super) fn translate(text: &str, defaults: &Defaults) -> Result<Translated, String> {
    let mut translator = Translator { defaults, out: String::new(), constants: BTreeSet::new(), open: Vec::new() };
    if text.contains("{{") {
        translator.template(text)?;
    } else {
        translator.claim(text)?;
    }
    let translated = Translated { text: translator.out, constants: translator.constants };
    Template::parse(&translated.text).map_err(|error| format!("`{text}`: {error}"))?;
    Ok(translated)
}

struct Translator<'a> {
    defaults: &'a Defaults,
    out: String,
    constants: BTreeSet<String>,
    /// For every `if` that is open, how many of ours it has become.
    open: Vec<usize>,
}

impl Translator<'_> {
    fn template(&mut self, text: &str) -> Result<(), String> {
        let mut rest = text;
        let mut trim_start = false;
        while let Some((literal, after)) = rest.split_once("{{") {
            let (inside, after) = after.split_once("}}").ok_or("an action without its end")?;
            let (inside, trim_end) = inside.strip_prefix("- ").map_or((inside, false), |inside| (inside, true));
            self.literal(literal, trim_start, trim_end);
            let inside = inside.strip_suffix(" -").inspect(|_| trim_start = true).unwrap_or_else(|| {
                trim_start = false;
                inside
            });
            self.action(inside.trim())?;
            rest = after;
        }
        self.literal(rest, trim_start, false);
        if self.open.is_empty() { Ok(()) } else { Err("an `if` without its `end`".to_owned()) }
    }

    fn literal(&mut self, text: &str, trim_start: bool, trim_end: bool) {
        let text = if trim_start { text.trim_start() } else { text };
        let text = if trim_end { text.trim_end() } else { text };
        self.out += &Template::escape(text);
    }

    fn action(&mut self, action: &str) -> Result<(), String> {
        if action.starts_with("/*") && action.ends_with("*/") {
            return Ok(());
        }
        if let Some(condition) = action.strip_prefix("if ") {
            self.open.push(1);
            return self.condition(condition);
        }
        if let Some(condition) = action.strip_prefix("else if ") {
            *self.open.last_mut().ok_or("an `else` without `if`")? += 1;
            self.out += "{else}";
            return self.condition(condition);
        }
        match action {
            "else" if !self.open.is_empty() => self.out += "{else}",
            "end" => {
                let ours = self.open.pop().ok_or("an `end` without `if`")?;
                self.out += &"{end}".repeat(ours);
            }
            _ => {
                let name = reference(action).ok_or_else(|| format!("`{{{{ {action} }}}}` has no equivalent"))?;
                self.claim(&name)?;
            }
        }
        Ok(())
    }

    /// `eq`, of a claim and a text.
    fn condition(&mut self, condition: &str) -> Result<(), String> {
        let refused = || format!("the condition `{condition}` has no equivalent");
        let operands = operands(condition.trim().strip_prefix("eq ").ok_or_else(refused)?).ok_or_else(refused)?;
        let (name, text) = match operands.as_slice() {
            [claim, text] if text.starts_with('"') => (claim, text),
            [text, claim] if text.starts_with('"') => (claim, text),
            _ => return Err(refused()),
        };
        let name = reference(name).ok_or_else(refused)?;
        let text = quoted(text).ok_or_else(refused)?;
        let optional = match self.defaults.get(&name).map(String::as_str) {
            None => "",
            Some("") => "?",
            Some(_) => return Err(format!("the condition `{condition}` asks about a default")),
        };
        self.out.extend(["{if ", name.as_str(), optional, " == \"", text, "\"}"]);
        Ok(())
    }

    fn claim(&mut self, name: &str) -> Result<(), String> {
        match self.defaults.get(name).map(String::as_str) {
            None => self.out.extend(["{", name, "}"]),
            Some("") => self.out.extend(["{", name, "?}"]),
            Some(constant) => {
                self.out += &Template::escape(constant);
                self.constants.insert(name.to_owned());
            }
        }
        let plain = !name.is_empty() && !name.contains(['{', '}', '?', '"', '=', ' ']);
        if plain { Ok(()) } else { Err(format!("`{name}` is not the name of a claim")) }
    }
}

/// `.name`, `.a.b`, `index . "name"` or `index . "a" "b"`, in parentheses or not: the claim it stands for.
fn reference(text: &str) -> Option<String> {
    let text = text.trim();
    if let Some(inside) = text.strip_prefix('(').and_then(|text| text.strip_suffix(')')) {
        return reference(inside);
    }
    let names: Vec<String> = match text.strip_prefix("index ") {
        Some(arguments) => {
            let operands = operands(arguments)?;
            let (object, names) = operands.split_first()?;
            if object != "." {
                return None;
            }
            names.iter().map(|name| quoted(name).map(str::to_owned)).collect::<Option<_>>()?
        }
        None => text.strip_prefix('.')?.split('.').map(str::to_owned).collect(),
    };
    let is_field = |name: &String| !name.is_empty() && !name.contains(['(', ')', '|', '$', ' ']);
    match names.as_slice() {
        [name] if is_field(name) => Some(name.clone()),
        [_, ..] if names.iter().all(is_field) => {
            let escaped = names.iter().map(|name| name.replace('~', "~0").replace('/', "~1"));
            Some(escaped.flat_map(|name| ["/".to_owned(), name]).collect())
        }
        _ => None,
    }
}

fn quoted(text: &str) -> Option<&str> {
    text.strip_prefix('"')?.strip_suffix('"').filter(|text| !text.contains(['"', '\\', '}']))
}

/// Splits at spaces that are in neither quotation marks nor parentheses.
fn operands(text: &str) -> Option<Vec<String>> {
    let (mut all, mut current, mut depth, mut in_text) = (Vec::new(), String::new(), 0_u32, false);
    for c in text.trim().chars() {
        match c {
            '"' => in_text = !in_text,
            '(' if !in_text => depth += 1,
            ')' if !in_text => depth = depth.checked_sub(1)?,
            ' ' if !in_text && depth == 0 => {
                if !current.is_empty() {
                    all.push(std::mem::take(&mut current));
                }
                continue;
            }
            _ => {}
        }
        current.push(c);
    }
    if !current.is_empty() {
        all.push(current);
    }
    (!in_text && depth == 0).then_some(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fulcio_s_users_write_is_understood() {
        let defaults: Defaults = [("url", "https://ci.test"), ("environment", ""), ("brace", "a{b}")]
            .map(|(k, v)| (k.into(), v.into()))
            .into();
        for (go, ours) in [
            ("event_name", "{event_name}"),
            ("environment", "{environment?}"),
            ("url", "https://ci.test"),
            ("{{ .url }}/{{ .job_workflow_ref }}", "https://ci.test/{job_workflow_ref}"),
            ("{{.url}}/x{y}#{{.brace}}", "https://ci.test/x{{y}}#a{{b}}"),
            ("{{(index . \"oidc.circleci.com/job-id\")}}", "{oidc.circleci.com/job-id}"),
            ("{{ index . \"a/b\" \"c\" }}-{{ .d.e }}", "{/a~1b/c}-{/d/e}"),
            (
                "refs/{{if eq .ref_type \"branch\"}}heads/{{ else }}tags/{{end}}{{ .ref }}",
                "refs/{if ref_type == \"branch\"}heads/{else}tags/{end}{ref}",
            ),
            (
                "{{if eq (index . \"x/ssh\") \"true\"}}ssh{{ else }}\"\"{{end}}",
                "{if x/ssh == \"true\"}ssh{else}\"\"{end}",
            ),
            ("{{if eq \"p\" .environment}}P{{end}}", "{if environment? == \"p\"}P{end}"),
            (
                "{{if eq .a \"1\"}}x{{else if eq .a \"2\"}}y{{else}}z{{end}}",
                "{if a == \"1\"}x{else}{if a == \"2\"}y{else}z{end}{end}",
            ),
            ("a {{- /* nothing */ -}} b{{- .c -}} d", "ab{c}d"),
        ] {
            assert_eq!(translate(go, &defaults).map(|translated| translated.text).as_deref(), Ok(ours), "{go}");
        }
    }

    #[test]
    fn everything_else_is_refused() {
        for go in [
            "{{ printf \"%s\" .a }}",
            "{{ .a | urlquery }}",
            "{{ range .a }}x{{ end }}",
            "{{ if .a }}x{{ end }}",
            "{{ if ne .a \"b\" }}x{{ end }}",
            "{{ if eq .a .b }}x{{ end }}",
            "{{ if eq .a \"b\" \"c\" }}x{{ end }}",
            "{{ if eq .a \"b\" }}x",
            "{{ end }}",
            "{{ . }}",
            "{{ $x }}",
            "{{ template \"x\" }}",
            "{{ .a",
            "a b",
            "",
        ] {
            assert!(translate(go, &Defaults::new()).is_err(), "{go}");
        }
    }
}
