//! `/openapi.json` has every path that the source routes, and no other.

use chancery_tests::manual;
use chancery_tests::openapi::{Description, reference};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// Where routes are that do not begin at the root.
const NESTS: [&str; 4] = ["", "/api/v2", "/ct/{shard}", "/tlog/{shard}"];
/// Files whose routes are in a table.
const TABLES: [&str; 3] =
    ["services/log/src/personality/rekor_v1/http.rs", "services/search/src/http.rs", "services/tsa/src/http/mod.rs"];

fn described(page: &str) -> Description {
    Description(serde_json::from_str(&reference(page)).unwrap())
}

/// A file of the product without its unit tests, by its path.
fn sources() -> Vec<(String, String)> {
    let root = manual::root();
    let files = ["crates", "services"].into_iter().flat_map(|directory| manual::files(&root.join(directory), "rs"));
    let relative = |path: &Path| path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
    let product = files.filter(|path| !relative(path).contains("/tests/") && !path.ends_with("tests.rs"));
    let read =
        |path: &Path| fs::read_to_string(path).unwrap().split("\n#[cfg(test)]\nmod tests {").next().unwrap().to_owned();
    product.map(|path| (relative(&path), read(&path))).collect()
}

/// The literal at the start of a text.
fn literal(text: &str) -> Option<&str> {
    text.strip_prefix('"')?.split_once('"').map(|(literal, _)| literal)
}

/// A constant's text.
fn constant<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    literal(text.split_once(&format!("const {name}: &str = "))?.1)
}

/// The paths in a table of routes: tuples that begin with a path or with its constant.
fn table(text: &str) -> impl Iterator<Item = String> {
    let first = move |row| literal(row).or_else(|| constant(text, row.split(',').next()?));
    text.split('(').skip(1).filter_map(first).filter(|path| path.starts_with('/')).map(str::to_owned)
}

/// The paths that a file routes, as they are written there, and those expressions that are no literal or constant.
fn routes_in(text: &str) -> (BTreeSet<String>, Vec<String>) {
    let (mut paths, mut computed) = (BTreeSet::new(), Vec::new());
    for argument in text.split(".route(").skip(1).map(str::trim_start) {
        let name = argument.split(',').next().unwrap();
        match literal(argument).or_else(|| constant(text, name)) {
            Some(path) => {
                paths.insert(path.replace("{*", "{"));
            }
            None => computed.push(name.to_owned()),
        }
    }
    (paths, computed)
}

#[test]
fn every_route_of_the_source_is_described_and_no_other() {
    let documents = ["openapi", "openapi-witness"].map(described);
    let described: BTreeSet<&str> =
        documents.iter().flat_map(Description::operations).map(|operation| operation.path).collect();
    let (mut routed, mut computed) = (BTreeSet::new(), Vec::new());
    for (file, text) in sources() {
        // gRPC is described by its protobuf files.
        if file.ends_with("/grpc.rs") {
            assert!(routes_in(&text).0.iter().all(|path| path.contains('.')), "{file}");
            continue;
        }
        let (paths, others) = routes_in(&text);
        routed.extend(paths);
        computed.extend(others.into_iter().map(|expression| (file.clone(), expression)));
        if TABLES.contains(&file.as_str()) {
            routed.extend(table(&text));
        }
    }
    // What is not written as a path where it is routed: look at each of them before one is added.
    let computed: Vec<(&str, &str)> = computed.iter().map(|(file, name)| (file.as_str(), name.as_str())).collect();
    let expected = [
        // From a table.
        (TABLES[0], "path"),
        // Leads to the routes of a log that is made later.
        ("services/log/src/personality/series/http.rs", "&format!(\"{prefix}/{{shard}}/{{*rest}}\")"),
        (TABLES[1], "path"),
        // One for each trust file.
        ("services/trust/src/http.rs", "&openapi::path(name)"),
        // With and without a slash at the end.
        (TABLES[2], "path"),
        (TABLES[2], "&format!(\"{path}/\")"),
    ];
    assert_eq!(computed, expected);
    routed.extend(chancery_tests::stack::TRUST_FILES.map(|name| format!("/trust/{name}")));
    // Answers that there is no such path.
    routed.retain(|path| !path.starts_with("/api/v1/log/{"));
    assert!(routed.len() > 40, "{routed:?}");
    let below = |nest: &str, route: &str| format!("{nest}{route}");
    let unknown: Vec<&String> = routed
        .iter()
        .filter(|route| !NESTS.iter().any(|nest| described.contains(below(nest, route).as_str())))
        .collect();
    assert!(unknown.is_empty(), "routes that are not described: {unknown:?}");
    let all: BTreeSet<String> = NESTS.iter().flat_map(|nest| routed.iter().map(|route| below(nest, route))).collect();
    let absent: Vec<&&str> = described.iter().filter(|path| !all.contains(**path)).collect();
    assert!(absent.is_empty(), "paths that are described and not routed: {absent:?}");
}
