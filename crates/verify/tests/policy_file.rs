//! The policy file: the shipped example, the refused settings with their messages, and the warnings.

#![expect(clippy::panic, reason = "a test that fails here has found something")]

use chancery_verify::Refusal;
use chancery_verify::policy::{Policy, SignatureLayout};

const EXAMPLE: &str = include_str!("../../../deploy/policy.toml");

#[test]
fn the_example_is_a_policy_without_warnings() {
    let policy = Policy::parse(EXAMPLE).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(policy.warnings(), Vec::<String>::new());
    assert_eq!(policy.keys().len(), 1);
    assert!(policy.takes_certificates());
    assert_eq!((policy.thresholds().logs, policy.thresholds().timestamps), (1, 0));
}

/// The fault of a policy: code, line and message.
fn refused(text: &str) -> (&'static str, Option<usize>, String) {
    let error = Policy::parse(text).err().unwrap_or_else(|| panic!("accepted:\n{text}"));
    assert_eq!(Refusal::from(error.clone()).code(), error.code());
    (error.code(), error.position().map(|(line, _)| line), error.to_string())
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table of mistakes, one after the other")]
fn each_mistake_is_named_with_its_line_and_what_to_write() {
    let signer = "issuer = 'https://i.example'\nidentity = 'a@acme.example'";
    for (text, code, line, part) in [
        (String::new(), "policy.empty", None, "add `[require]`"),
        ("version = 1".to_owned(), "policy.empty", None, "add `[require]`"),
        (format!("[require]\n{signer}"), "policy.malformed", None, "write `version = 1` at the top"),
        (format!("version = 2\n[require]\n{signer}"), "policy.malformed", None, "write `version = 1`"),
        ("version = 1\n[require]".to_owned(), "policy.empty", Some(2), "met by any signer"),
        (
            format!("version = 1\n[require]\n{signer}\nidentitty = 'x'"),
            "policy.malformed",
            Some(5),
            "unknown field `identitty`, expected one of `name`, `identity`",
        ),
        (
            format!("version = 1\nrequired = 1\n[require]\n{signer}"),
            "policy.malformed",
            Some(2),
            "unknown field `required`",
        ),
        ("version = 1\n[require]\nidentity = 'a@acme.example'".to_owned(), "policy.malformed", Some(2), "add `issuer`"),
        (
            "version = 1\n[require]\nissuer = 'https://i.example'".to_owned(),
            "policy.malformed",
            Some(2),
            "trusts every account",
        ),
        ("version = 1\n[require]\nslsa = { builder = 'x' }".to_owned(), "policy.empty", Some(2), "names no signer"),
        (format!("version = 1\n[require]\n{signer}\nslsa = {{}}"), "policy.empty", Some(2), "`slsa` needs"),
        (
            format!("version = 1\n[require]\n{signer}\nkey = 'x'"),
            "policy.malformed",
            Some(2),
            "use two entries of `any_of`",
        ),
        ("version = 1\n[require]\nkey = 'x'".to_owned(), "policy.key", Some(2), "-----BEGIN PUBLIC KEY-----"),
        ("version = 1\n[require]\nissuer = 'i'\nidentity = { regex = '(' }".to_owned(), "policy.pattern", Some(4), ""),
        (
            "version = 1\n[require]\nissuer = 'i'\nidentity = { regex = 'a)|(?:b' }".to_owned(),
            "policy.pattern",
            Some(4),
            "",
        ),
        (
            "version = 1\n[require]\nissuer = 'i'\nidentity = { glob = 'a?' }".to_owned(),
            "policy.pattern",
            Some(4),
            "no meaning in a glob",
        ),
        (
            "version = 1\n[require]\nissuer = 'i'\nidentity = ''".to_owned(),
            "policy.pattern",
            Some(4),
            "leave the key out",
        ),
        (
            "version = 1\n[require]\nissuer = 'i'\nidentity = { exact = 'a', glob = 'b' }".to_owned(),
            "policy.pattern",
            Some(4),
            "exactly one of",
        ),
        (
            "version = 1\n[require]\nissuer = 'i'\nidentity = 7".to_owned(),
            "policy.malformed",
            Some(4),
            "a text, or a table with one of",
        ),
        (
            format!("version = 1\n[require]\n{signer}\nclaims = {{ runner = 'x' }}"),
            "policy.malformed",
            Some(2),
            "there is no claim `runner`, only issuer-v1",
        ),
        ("version = 1\n[require]\nany_of = []".to_owned(), "policy.empty", Some(2), "`any_of` needs"),
        (
            format!("version = 1\n[require]\n{signer}\n[[require.any_of]]\n{signer}"),
            "policy.malformed",
            Some(2),
            "put the conditions into an entry of `all_of`",
        ),
        (
            format!("version = 1\n[require.at_least]\ncount = 0\n[[require.at_least.of]]\n{signer}"),
            "policy.empty",
            None,
            "ask for at least 1",
        ),
        (
            format!("version = 1\n[require.at_least]\ncount = 2\n[[require.at_least.of]]\n{signer}"),
            "policy.malformed",
            None,
            "only 1 entry",
        ),
        ("version = 1\n[require.github]\nrepository = 'app'".to_owned(), "policy.malformed", None, "OWNER/NAME"),
        (
            "version = 1\n[require.github]\nrepository = 'acme/app'\nref = 'main'".to_owned(),
            "policy.malformed",
            None,
            "`refs/heads/main` for a branch",
        ),
        (
            "version = 1\n[require.github]\nrepository = 'acme/app'\nworkflow = 'a.yml@refs/heads/main'".to_owned(),
            "policy.malformed",
            None,
            "as `ref`",
        ),
        (
            format!("version = 1\n[require]\n{signer}\n[[distrust]]\nreason = 'x'"),
            "policy.empty",
            Some(5),
            "a distrust rule needs",
        ),
        (
            format!(
                "version = 1\n[require]\n{signer}\n[[distrust]]\nissuer = 'x'\nfrom = 2026-02-01T00:00:00Z\nuntil = 2026-01-01T00:00:00Z"
            ),
            "policy.malformed",
            Some(5),
            "`until` is before `from`",
        ),
        (
            format!("version = 1\nnot_before = '2026-01-01'\n[require]\n{signer}"),
            "policy.malformed",
            Some(2),
            "a time with its offset",
        ),
        (
            format!("version = 1\nnot_before = 2026-01-01\n[require]\n{signer}"),
            "policy.malformed",
            Some(2),
            "a time with its offset",
        ),
        (format!("version = 1\n[require]\n{signer}\n[thresholds]\nlogs = 33"), "policy.malformed", None, "at most 32"),
        (
            format!("version = 1\n[require]\n{signer}\n[thresholds]\nlog = 1"),
            "policy.malformed",
            Some(6),
            "unknown field `log`, expected one of `logs`",
        ),
        ("version = ".to_owned(), "policy.malformed", Some(1), ""),
        (format!("version = 1\n[require]\n{signer}\nissuer = 'x'"), "policy.malformed", Some(5), "duplicate key"),
        ("#".repeat((1 << 20) + 1), "policy.malformed", None, "at most 1048576"),
    ] {
        let (found, position, message) = refused(&text);
        assert_eq!(found, code, "{message}\n{}", &text[..text.len().min(300)]);
        assert!(message.contains(part), "{part:?} is not in {message:?}");
        assert!(line.is_none() || position == line, "line {position:?} for {line:?}: {message}");
    }
}

#[test]
fn nesting_and_numbers_of_rules_are_bounded() {
    let nested = |levels: usize| {
        let mut rule = "{ issuer = 'i', identity = 'a' }".to_owned();
        for _ in 1..levels {
            rule = format!("{{ any_of = [{rule}] }}");
        }
        format!("version = 1\nrequire = {rule}")
    };
    assert!(Policy::parse(&nested(8)).is_ok());
    assert!(refused(&nested(9)).2.contains("nested 9 deep"));
    // The TOML parser has its own limit for deeper nesting.
    assert_eq!(refused(&nested(2000)).0, "policy.malformed");
    let rule = "{ issuer = 'i', identity = 'a' }, ";
    assert!(Policy::parse(&format!("version = 1\nrequire.any_of = [{}]", rule.repeat(256))).is_ok());
    let (_, _, message) = refused(&format!("version = 1\nrequire.any_of = [{}]", rule.repeat(257)));
    assert!(message.contains("at most 256"), "{message}");
    let group = format!("{{ any_of = [{}] }}, ", rule.repeat(255));
    let (_, _, message) = refused(&format!("version = 1\nrequire.any_of = [{}]", group.repeat(5)));
    assert!(message.contains("more than 1024 rules"), "{message}");
}

#[test]
fn what_is_probably_not_meant_is_warned_of() {
    let warnings = |rest: &str| Policy::parse(&format!("version = 1\n{rest}")).unwrap().warnings();
    let of = |pattern: &str| warnings(&format!("[require]\nissuer = 'https://i'\nidentity = {pattern}"));
    assert!(of("{ regex = 'https://github.com/x' }")[0].contains("write `\\.`"));
    assert!(of("{ glob = 'https://github.com/acme/**' }")[0].contains("end it in"));
    for fine in [r"{ regex = 'https://github\.com/[.]x.*' }", "{ glob = 'https://github.com/acme/**@**' }", "'a.b'"] {
        assert_eq!(of(fine), Vec::<String>::new(), "{fine}");
    }
    let rule = "{ issuer = 'https://i', identity = { regex = 'a.b' } }";
    assert_eq!(warnings(&format!("[require]\nany_of = [{rule}, {rule}]")).len(), 1, "the same is said once");
    let none = warnings("[thresholds]\nlogs = 0\nscts = 0\ntimes = 0\n[require]\nissuer = 'https://i'\nidentity = 'a'");
    assert_eq!(none.len(), 3, "{none:?}");
}

#[test]
fn an_issuer_that_is_no_url_and_a_star_that_is_no_pattern_are_warned_of() {
    let warnings = |rest: &str| Policy::parse(&format!("version = 1\n{rest}")).unwrap().warnings();
    let star = "`identity`: the star in `https://github.com/acme/*@main` matches only a star";
    let scheme =
        "`issuer`: `accounts.google.com` has no scheme, so it is the issuer of no certificate: write `https://acc";
    for (issuer, identity, expected) in [
        ("'accounts.google.com'", "'a'", &[scheme][..]),
        ("{ one_of = ['https://i', 'accounts.google.com'] }", "'a'", &[scheme]),
        ("'https://i'", "'https://github.com/acme/*@main'", &[star]),
        ("'https://i'", "{ one_of = ['a', 'https://github.com/acme/*@main'] }", &[star]),
        ("'https://i'", "{ glob = 'https://github.com/acme/*@main' }", &[]),
        ("{ glob = '**' }", r"{ regex = 'https://[^@]*@main' }", &[]),
        ("'spiffe://acme'", "'a'", &[]),
    ] {
        let said = warnings(&format!("[require]\nissuer = {issuer}\nidentity = {identity}"));
        assert_eq!(said.len(), expected.len(), "{issuer} {identity}: {said:?}");
        assert!(said.iter().zip(expected).all(|(said, expected)| said.starts_with(expected)), "{said:?}");
    }
    // A distrust rule that matches nothing protects from nothing.
    let signer = "[require]\nissuer = 'https://i'\nidentity = 'a'";
    let distrust = "[[distrust]]\nissuer = 'accounts.google.com'\nidentity = 'https://github.com/acme/*@main'";
    let said = warnings(&format!("{signer}\n{distrust}"));
    assert!(said.len() == 2 && said[0].starts_with(star) && said[1].starts_with(scheme), "{said:?}");
}

#[test]
fn a_line_is_quoted_as_it_is_written() {
    let error =
        Policy::parse("version = 1\n[require]\nissuer = \"https://i\"\nidentity = { regex = \"(\" }").unwrap_err();
    let said = error.to_string();
    assert!(said.contains("line 4, column") && said.contains("`identity = { regex = \"(\" }`"), "{said}");
}

#[test]
fn a_policy_may_say_where_signatures_of_images_are() {
    let parsed = |images: &str| {
        Policy::parse(&format!("version = 1\n{images}\n[require]\nissuer = 'i'\nidentity = 'a'"))
            .map(|policy| policy.layout())
            .map_err(|error| error.to_string())
    };
    assert_eq!(parsed(""), Ok(None));
    for (name, layout) in [
        ("bundle", SignatureLayout::Bundle),
        ("legacy", SignatureLayout::Legacy),
        ("oci11", SignatureLayout::Oci11),
        ("all", SignatureLayout::All),
    ] {
        assert_eq!(parsed(&format!("[images]\nlayout = '{name}'")), Ok(Some(layout)));
    }
    assert!(parsed("[images]\nlayout = 'any'").unwrap_err().contains("expected one of `bundle`, `legacy`"));
    assert!(parsed("[images]\nlayouts = 'all'").unwrap_err().contains("unknown field `layouts`"));
}

#[cfg(feature = "schema")]
#[test]
fn the_schema_knows_every_setting_and_forbids_others() {
    let schema = Policy::schema();
    assert_eq!(schema["additionalProperties"], false);
    for setting in ["version", "require", "distrust", "not_before", "not_after", "thresholds", "images"] {
        assert!(schema["properties"][setting].is_object(), "{setting}");
    }
    let requirement = &schema["$defs"]["Requirement"];
    assert_eq!(requirement["additionalProperties"], false);
    assert!(requirement["properties"]["at_least"].is_object());
    assert!(schema["$defs"]["Pattern"]["anyOf"].is_array());
}
