//! Drawings of the manual: `docs/drawings/NAME.pikchr` becomes `docs/src/images/NAME.svg`, which is committed, because
//! GitHub shows it, too.

use pikchr::{Pikchr, PikchrFlags};

/// Colours by what the reader's system prefers, on a ground of its own: readable whatever is around it.
const STYLE: &str = "<style>
svg{--ink:#1f2328;--ground:#ffffff;--box:#eef2f7;--accent:#0b57d0;background:var(--ground);border-radius:6px}
@media (prefers-color-scheme:dark){svg{--ink:#e6edf3;--ground:#0d1117;--box:#1b2430;--accent:#8ab4f8}}
text{font-family:system-ui,-apple-system,'Segoe UI',sans-serif}
</style>";

/// The colours that a source may use, and what each stands for.
const COLOURS: [(&str, &str); 4] = [
    ("rgb(0,0,0)", "var(--ink)"),
    ("rgb(255,255,255)", "var(--ground)"),
    ("rgb(211,211,211)", "var(--box)"),
    ("rgb(0,0,255)", "var(--accent)"),
];

/// The SVG of a source, with `title` for those who cannot see it.
pub fn svg(title: &str, source: &str) -> String {
    let drawn = Pikchr::render(source, None, PikchrFlags::default()).unwrap_or_else(|error| panic!("{title}: {error}"));
    let drawn = drawn.rendered();
    let (_, size) = drawn.split_once("viewBox=\"").expect("pikchr says how large it is");
    let (size, rest) = size.split_once('"').unwrap();
    let (_, shapes) = rest.split_once('>').unwrap();
    let coloured = COLOURS.iter().fold(shapes.to_owned(), |text, (colour, role)| text.replace(colour, role));
    assert!(!coloured.contains("rgb("), "{title}: only black, white, lightgray and blue follow the theme");
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"{size}\" role=\"img\" style=\"max-width:{}px\">\n<title>{title}</title>\n{STYLE}\n{}\n",
        size.split(' ').nth(2).unwrap(),
        coloured.trim()
    )
}
