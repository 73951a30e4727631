//! What is answered is what entries have, whatever is asked for and however it is cut into pages.

use crate::log::{NAME, Oracle, START_MS, UNPARSED, digest, leaf};
use crate::{Asked, World, indices, text};
use chancery_search::Index;
use chancery_verify::terms::{Term, TermKind};
use chancery_verify::{Timestamp, merkle};
use serde_json::Value;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

const SIZE: u64 = 400;

/// A parameter, and the entries that it finds.
struct Filter {
    parameter: String,
    entries: BTreeSet<u64>,
}

/// Each parameter with what the map has for its term, or for all terms that begin with it.
fn filters(oracle: &Oracle) -> Vec<Filter> {
    let exact = [
        (TermKind::EntryKind, "hashedrekord".to_owned()),
        (TermKind::EntryKind, "dsse/0.0.1".to_owned()),
        (TermKind::Identity, "alice@dev.example.org".to_owned()),
        (TermKind::Domain, "example.org".to_owned()),
        (TermKind::Issuer, "https://issuer.example.org".to_owned()),
        (TermKind::ArtifactDigest, format!("sha256:{}", hex::encode(digest(48)))),
        (TermKind::KeyFingerprint, plain_key(oracle)),
    ];
    let prefixes = [(TermKind::Identity, "alice@"), (TermKind::Identity, "nobody")];
    let exact = exact.map(|(kind, value)| {
        let term = Term::of_text(kind, &value).unwrap();
        let entries = oracle.terms.get(term.as_bytes()).cloned().unwrap_or_default();
        assert!(!entries.is_empty(), "{term}");
        Filter { parameter: format!("{}={value}", kind.name()), entries }
    });
    let prefixes = prefixes.map(|(kind, value)| {
        let prefix = Term::of_text(kind, value).unwrap();
        let terms = oracle.terms.iter().filter(|(term, _)| term.starts_with(prefix.as_bytes()));
        let entries = terms.flat_map(|(_, entries)| entries).copied().collect();
        Filter { parameter: format!("{}-prefix={value}", kind.name()), entries }
    });
    exact.into_iter().chain(prefixes).collect()
}

/// The fingerprint of the key that has signed most entries. It has no certificate.
fn plain_key(oracle: &Oracle) -> String {
    let terms = oracle.terms.iter().filter_map(|(term, entries)| Some((Term::from_bytes(term)?, entries.len())));
    let keys = terms.filter(|(term, _)| term.kind() == TermKind::KeyFingerprint);
    keys.max_by_key(|(_, entries)| *entries).unwrap().0.text()
}

/// Every entry of a search, page by page, and the number of pages.
async fn all(asked: &Asked, question: &str) -> (Vec<u64>, usize) {
    let (mut found, mut cursor, mut pages) = (Vec::new(), String::new(), 0);
    loop {
        let page = asked.answer(200, &format!("/api/search?{question}{cursor}")).await;
        found.extend(indices(&page));
        pages += 1;
        match page["cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return (found, pages),
        }
    }
}

/// Asks for these filters together, and compares with the entries that have all of them, and of those with one name any.
async fn compare(asked: &Asked, filters: &[&Filter], range: Option<(u64, u64)>) {
    let mut question: Vec<String> = filters.iter().map(|filter| filter.parameter.clone()).collect();
    let mut expected: Vec<u64> = (0..SIZE).collect();
    // Values of one parameter are alternatives.
    let name = |filter: &Filter| filter.parameter.split_once('=').unwrap().0.to_owned();
    let either = |filter: &Filter, index: &u64| {
        let mut same = filters.iter().filter(|other| name(other) == name(filter));
        same.any(|other| other.entries.contains(index))
    };
    expected.retain(|index| filters.iter().all(|filter| either(filter, index)));
    if let Some((first, end)) = range {
        // The same bounds twice, as indices and as times.
        let time = |index: u64| {
            let start = Timestamp::from_millis(u64::try_from(START_MS).unwrap() + 1000 * index);
            start.rfc3339_millis()
        };
        question.push(format!("first-index={first}&end-index={}&from={}&to={}", end + 50, time(first - 50), time(end)));
        expected.retain(|index| (first..end).contains(index));
    }
    let question = question.join("&");
    assert_eq!(all(asked, &format!("{question}&order=oldest&limit=50")).await.0, expected, "{question}");
    let count = asked.answer(200, &format!("/api/search?{question}&count=1")).await;
    assert_eq!((&count["count"], &count["at_least"]), (&expected.len().into(), &false.into()), "{question}: {count}");
    expected.reverse();
    assert_eq!(all(asked, &format!("{question}&limit=7")).await.0, expected, "{question}");
}

#[tokio::test]
async fn filters_find_together_what_each_of_them_finds() {
    let world = World::of(SIZE).await;
    let (asked, mut oracle) = (world.asked(), Oracle::default());
    oracle.grow_to(SIZE);
    let filters = filters(&oracle);
    compare(&asked, &[], None).await;
    compare(&asked, &[], Some((100, 300))).await;
    for (number, one) in filters.iter().enumerate() {
        compare(&asked, &[one], None).await;
        compare(&asked, &[one], Some((100, 300))).await;
        for (place, other) in filters.iter().enumerate().skip(number + 1) {
            compare(&asked, &[one, other], None).await;
            if let Some(third) = filters.get(place + 1) {
                compare(&asked, &[one, other, third], Some((100, 300))).await;
            }
        }
    }
}

#[tokio::test]
async fn alternatives_are_each_found_once() {
    let world = World::of(SIZE).await;
    let asked = world.asked();
    let kinds = "kind=hashedrekord&kind=dsse&kind=dsse/0.0.1&kind=hashedrekord/0.0.1";
    let (found, _) = all(&asked, &format!("{kinds}&limit=100")).await;
    let parsed: Vec<u64> = (0..SIZE).rev().filter(|index| index % UNPARSED != UNPARSED - 1).collect();
    assert_eq!(found, parsed);
    // What cannot be parsed is found by its hash, and says why.
    let leaf_hash = hex::encode(merkle::leaf_hash(&leaf(UNPARSED - 1)));
    let answer = asked.answer(200, &format!("/api/search?id={leaf_hash}")).await;
    assert_eq!(indices(&answer), [UNPARSED - 1]);
    let entry = &answer["entries"][0];
    assert!(entry["summary"].is_null() && entry["problem"].is_string(), "{entry}");
}

#[tokio::test]
async fn a_log_that_tells_no_times_says_so_and_a_period_leaves_out_only_certificates_that_were_not_valid_then() {
    let world = World::without_index(SIZE).await;
    world.log.is_timeless.store(true, Ordering::SeqCst);
    Index::new(Arc::clone(&world.store), world.log.sources()).catch_up(|_, _, _| {}).await.unwrap();
    let asked = world.asked();
    let answer = asked.answer(200, "/api/search?limit=1").await;
    assert_eq!(answer["complete_to"][0]["tells_times"], false, "{answer}");
    assert!(answer["entries"][0]["time"].is_null(), "{answer}");
    // The certificates of the log are valid from this day on, for ten years.
    let (all_entries, by_key): (Vec<u64>, Vec<u64>) =
        ((0..SIZE).collect(), (0..SIZE).filter(|index| index % 8 != 0 || index % UNPARSED == UNPARSED - 1).collect());
    for (period, expected) in [
        ("from=2026-11-29&to=2026-11-29", &all_entries),
        ("from=2030-01-01", &all_entries),
        ("to=2026-11-28", &by_key),
        ("from=2037-01-01", &by_key),
    ] {
        assert_eq!(all(&asked, &format!("{period}&order=oldest&limit=100")).await.0, *expected, "{period}");
        let count = asked.answer(200, &format!("/api/search?{period}&count=1")).await;
        assert_eq!(count["count"], expected.len(), "{count}");
    }
    // One that tells them does not say otherwise.
    world.log.is_timeless.store(false, Ordering::SeqCst);
    let answer = asked.answer(200, "/api/search?limit=1&to=2026-11-28").await;
    assert_eq!((&answer["complete_to"][0]["tells_times"], indices(&answer)), (&true.into(), vec![]), "{answer}");
}

#[tokio::test]
async fn a_page_that_has_read_enough_ends_and_the_next_one_goes_on() {
    // More entries have the key than one page reads, and none has a name, which the index does not know of the key.
    let world = World::of(10_000).await;
    let (asked, mut oracle) = (world.asked(), Oracle::default());
    oracle.grow_to(SIZE);
    let question = format!("key={}&identity-prefix=alice", plain_key(&oracle));
    for order in ["newest", "oldest"] {
        assert_eq!(all(&asked, &format!("{question}&order={order}")).await, (Vec::new(), 2), "{order}");
    }
    // An export goes on by itself.
    let export = text(asked.get(&format!("/api/search?{question}&format=ndjson")).await).await;
    let lines: Vec<Value> = export.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 1, "{export}");
    assert_eq!((&lines[0]["end"]["entries"], &lines[0]["end"]["cursor"]), (&0.into(), &Value::Null));
}

#[tokio::test]
async fn an_index_that_has_only_begun_says_so() {
    let world = World::without_index(10).await;
    let answer = world.asked().answer(200, "/api/search").await;
    assert_eq!(indices(&answer), Vec::<u64>::new());
    let complete_to = &answer["complete_to"][0];
    assert_eq!((&complete_to["log"], &complete_to["size"]), (&NAME.into(), &0.into()), "{answer}");
    assert!(complete_to["checkpoint"].is_null() && answer["cursor"].is_null(), "{answer}");
    // The log grows, and the index does not.
    let world = World::of(10).await;
    world.log.grow_to(20);
    let answer = world.asked().answer(200, "/api/search?proof=1").await;
    assert_eq!(indices(&answer), (0..10).rev().collect::<Vec<_>>());
    assert_eq!(answer["complete_to"][0]["size"], 10, "{answer}");
}
