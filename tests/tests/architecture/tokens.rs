//! The tokens of a Rust file, as far as paths need them: names, `::` and single signs. Comments, texts, characters and
//! blanks are left out.

/// A token, and its line, counted from 1.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Token<'a> {
    pub(crate) text: &'a str,
    pub(crate) line: usize,
}

/// The tokens of `text`, in order.
pub(crate) fn tokens(text: &str) -> Vec<Token<'_>> {
    let (mut rest, mut line, mut found) = (text, 1, Vec::new());
    while let Some(first) = rest.chars().next() {
        let left_out = left_out(rest, first);
        let (taken, after) = rest.split_at(left_out.unwrap_or_else(|| token(rest, first)));
        if left_out.is_none() {
            found.push(Token { text: taken, line });
        }
        line += taken.matches('\n').count();
        rest = after;
    }
    found
}

/// Whether a token is a name or a keyword.
pub(crate) fn is_name(token: &str) -> bool {
    token.starts_with(|first: char| first.is_alphabetic() || first == '_')
}

/// The length of the token that `rest` begins with.
fn token(rest: &str, first: char) -> usize {
    let is_part = |character: char| character.is_alphanumeric() || character == '_';
    if is_part(first) {
        rest.find(|character| !is_part(character)).unwrap_or(rest.len())
    } else if rest.starts_with("::") {
        2
    } else {
        first.len_utf8()
    }
}

/// The length of what `rest` begins with, if that is no token.
fn left_out(rest: &str, first: char) -> Option<usize> {
    if first.is_whitespace() {
        return Some(first.len_utf8());
    }
    if rest.starts_with("//") {
        return Some(rest.find('\n').unwrap_or(rest.len()));
    }
    if rest.starts_with("/*") { Some(block_comment(rest)) } else { literal(rest) }
}

/// The length of the block comment that `text` begins with. Block comments nest.
fn block_comment(text: &str) -> usize {
    let (mut depth, mut position) = (0_usize, 0);
    while let Some(first) = text[position..].chars().next() {
        if text[position..].starts_with("/*") {
            depth += 1;
            position += 2;
        } else if text[position..].starts_with("*/") {
            depth -= 1;
            position += 2;
            if depth == 0 {
                return position;
            }
        } else {
            position += first.len_utf8();
        }
    }
    text.len()
}

/// The length of the text or character that `rest` begins with, its prefix included (`b"`, `r#"`, `'`), if it does.
fn literal(rest: &str) -> Option<usize> {
    let prefix = rest.find(|character| !matches!(character, 'b' | 'c' | 'r')).filter(|length| *length <= 2)?;
    let after = &rest[prefix..];
    let inside = after.trim_start_matches('#');
    let hashes = after.len() - inside.len();
    if rest[..prefix].ends_with('r') && inside.starts_with('"') {
        let end = format!("\"{}", "#".repeat(hashes));
        let length = inside[1..].find(&end).map_or(inside.len(), |found| 1 + found + end.len());
        return Some(prefix + hashes + length);
    }
    let is_text = hashes == 0 && inside.starts_with('"');
    let is_character = hashes == 0 && inside.starts_with('\'') && is_character(inside);
    (is_text || is_character).then(|| prefix + quoted(inside))
}

/// Whether a quotation mark begins a character and not a lifetime.
fn is_character(text: &str) -> bool {
    let mut characters = text.chars().skip(1);
    matches!((characters.next(), characters.next()), (Some('\\'), _) | (Some(_), Some('\'')))
}

/// The length of a text that ends with the sign it begins with.
fn quoted(text: &str) -> usize {
    let (quote, mut is_escaped) = (text.chars().next(), false);
    for (position, character) in text.char_indices().skip(1) {
        if is_escaped {
            is_escaped = false;
        } else if character == '\\' {
            is_escaped = true;
        } else if Some(character) == quote {
            return position + character.len_utf8();
        }
    }
    text.len()
}

#[test]
fn comments_and_texts_are_left_out() {
    let read = |text: &str| tokens(text).iter().map(|token| token.text.to_owned()).collect::<Vec<_>>().join(" ");
    assert_eq!(read("use a::b; // use c::d;"), "use a :: b ;");
    assert_eq!(read("a /* b /* c */ d */ e"), "a e");
    assert_eq!(read(r##"f("x::y \" z", b'"', r#"q" w"#, '\'', 'ä') g"##), "f ( , , , , ) g");
    assert_eq!(read("fn f<'a>(x: &'a str) -> r#type"), "fn f < ' a > ( x : & ' a str ) - > r # type");
    assert_eq!(tokens("a\n\"x\ny\"\nb").last().map(|token| (token.text, token.line)), Some(("b", 4)));
}
