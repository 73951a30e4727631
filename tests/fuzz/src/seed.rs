//! Writes the seed corpus: one directory per target below the directory that is named.

use chancery_fuzz::{cases, kinds, logs, questions, registry, repository, seeds, targets, terms, tokens};
use std::{env, fs, path::PathBuf};

fn main() {
    let directory = PathBuf::from(env::args().nth(1).expect("usage: seed DIRECTORY"));
    let verify = targets::ALL.map(|(name, _)| (name, seeds::of(name)));
    let terms = terms::ALL.map(|(name, _)| (name, terms::seeds(name)));
    let kinds = kinds::ALL.map(|(name, _)| (name, kinds::seeds(name)));
    let tokens = tokens::ALL.map(|(name, _)| (name, tokens::seeds(name)));
    let metadata = repository::ALL.map(|(name, _)| (name, repository::seeds(name)));
    let registry = registry::ALL.map(|(name, _)| (name, registry::seeds(name)));
    let logs = logs::ALL.map(|(name, _)| (name, logs::seeds(name)));
    let cases = cases::ALL.map(|(name, _)| (name, cases::seeds(name)));
    let questions = questions::ALL.map(|(name, _)| (name, questions::seeds(name)));
    let foreign = tokens.into_iter().chain(metadata).chain(registry).chain(logs).chain(cases).chain(questions);
    for (name, seeds) in verify.into_iter().chain(terms).chain(kinds).chain(foreign) {
        let target = directory.join(name);
        fs::create_dir_all(&target).expect("the directory can be made");
        for (number, seed) in seeds.into_iter().enumerate() {
            fs::write(target.join(format!("seed-{number:02}")), seed).expect("the seed can be written");
        }
    }
}
