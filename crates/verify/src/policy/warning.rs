//! Warnings about settings that are allowed but are probably mistakes.

use super::condition::Condition;
use super::distrust::Distrust;
use super::pattern::Pattern;
use super::requirement::Requirement;
use super::thresholds::PolicyThresholds;
use std::collections::BTreeSet;

/// Prefixes of identities that have a reference after `@`.
const BUILDS: [&str; 2] = ["https://github.com/", "https://gitlab.com/"];

pub(super) fn all(requirement: &Requirement, distrust: &[Distrust], thresholds: PolicyThresholds) -> Vec<String> {
    let mut warnings = Vec::new();
    for condition in requirement.conditions() {
        match condition {
            Condition::Identity(pattern) => {
                warnings.extend(regex_dots("identity", pattern));
                warnings.extend(glob_reference(pattern));
                warnings.extend(literal_star(pattern));
            }
            Condition::Issuer(pattern) => {
                warnings.extend(regex_dots("issuer", pattern));
                warnings.extend(no_scheme(pattern));
            }
            Condition::Claim(claim, pattern) => warnings.extend(regex_dots(claim.name(), pattern)),
            _ => {}
        }
    }
    warnings.extend(distrust.iter().flat_map(Distrust::identities).filter_map(literal_star));
    warnings.extend(distrust.iter().flat_map(Distrust::issuers).filter_map(no_scheme));
    // Rules of a quorum are often the same but for the signer.
    let mut known = BTreeSet::new();
    warnings.retain(|warning: &String| known.insert(warning.clone()));
    let certificates = requirement.conditions().iter().any(|condition| matches!(condition, Condition::Issuer(_)));
    if thresholds.times == 0 && thresholds.timestamps == 0 && certificates {
        warnings.push(
            "`thresholds.times = 0`: certificates are valid for ten minutes; without a time nothing shows that one was valid"
                .to_owned(),
        );
    }
    if thresholds.logs == 0 {
        warnings.push(
            "`thresholds.logs = 0`: a signature with a stolen key or account leaves no trace in a log".to_owned(),
        );
    }
    if thresholds.scts == 0 && certificates {
        warnings.push("`thresholds.scts = 0`: the CA can issue certificates that no log has seen".to_owned());
    }
    warnings
}

/// Warns about a dot that is not escaped, in brackets or repeated: it is probably meant as a dot.
fn regex_dots(place: &str, pattern: &Pattern) -> Option<String> {
    let text = pattern.regex_text()?;
    let mut bracket = false;
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '\\' => drop(characters.next()),
            '[' => bracket = true,
            ']' => bracket = false,
            '.' if !bracket && !matches!(characters.peek(), Some('*' | '+' | '?' | '{')) => {
                return Some(format!(
                    "`{place}`: the dot in `{}` matches every character: write `\\.`, or use `exact` or `glob`",
                    crate::shown(text)
                ));
            }
            _ => {}
        }
    }
    None
}

/// Warns about an issuer that is compared as it is and is no URL. Issuers in certificates are URLs.
fn no_scheme(pattern: &Pattern) -> Option<String> {
    let text = pattern.exact_texts().iter().find(|text| !text.contains("://"))?;
    let text = crate::shown(text);
    Some(format!("`issuer`: `{text}` has no scheme, so it is the issuer of no certificate: write `https://{text}`"))
}

/// Warns about a star in an identity that is compared as it is.
fn literal_star(pattern: &Pattern) -> Option<String> {
    let text = pattern.exact_texts().iter().find(|text| text.contains('*'))?;
    let text = crate::shown(text);
    Some(format!(
        "`identity`: the star in `{text}` matches only a star, because the text is compared as it is: write \
         `{{ glob = \"{text}\" }}`"
    ))
}

fn glob_reference(pattern: &Pattern) -> Option<String> {
    let text = pattern.glob_text()?;
    let build = BUILDS.iter().any(|host| text.starts_with(host));
    (build && !text.contains('@')).then(|| {
        format!(
            "`identity`: the glob `{text}` matches no build: stars do not cross `@`, so end it in `@refs/…` or `@**`"
        )
    })
}
