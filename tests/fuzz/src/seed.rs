//! Writes the seed corpus: one directory per target below the directory that is named.

use chancery_fuzz::{seeds, targets};
use std::{env, fs, path::PathBuf};

fn main() {
    let directory = PathBuf::from(env::args().nth(1).expect("usage: seed DIRECTORY"));
    for (name, _) in targets::ALL {
        let target = directory.join(name);
        fs::create_dir_all(&target).expect("the directory can be made");
        for (number, seed) in seeds::of(name).into_iter().enumerate() {
            fs::write(target.join(format!("seed-{number:02}")), seed).expect("the seed can be written");
        }
    }
}
