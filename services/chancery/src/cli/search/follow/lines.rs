//! How following goes, as a caller sees it: a bar on a terminal, lines of text or JSON on standard output.

use super::followed::Followed;
use crate::{cli::log::index::Bars, output};
use chancery_search::{Coverage, State, Status};
use chancery_verify::{entries, merkle::TreeHead};
use serde_json::json;
use std::{
    collections::BTreeMap,
    io::{self, Write as _},
};

/// What was shown last of each log.
pub(super) struct Lines {
    json: bool,
    bars: Bars,
    shown: BTreeMap<i64, Status>,
}

impl Lines {
    pub(super) fn new(json: bool) -> Self {
        Self { json, bars: Bars::default(), shown: BTreeMap::new() }
    }

    /// Shows what has changed since the last time.
    pub(super) fn show(&mut self, statuses: Vec<Status>) -> io::Result<()> {
        for status in statuses {
            let before = self.shown.get(&status.log_id);
            if before.is_some_and(|before| is_same(before, &status)) {
                continue;
            }
            if self.json {
                writeln!(output::data(), "{}", as_json(&status))?;
            } else {
                let is_told = before.is_some_and(|before| before.state == status.state);
                self.show_text(&status, is_told)?;
            }
            self.shown.insert(status.log_id, status);
        }
        Ok(())
    }

    /// Takes the bar away.
    pub(super) fn finish(&mut self) {
        self.bars.finish();
    }

    fn show_text(&mut self, status: &Status, is_told: bool) -> io::Result<()> {
        let Status { name, indexed, published, state, .. } = status;
        match state {
            State::Following if status.lag() > 0 => self.bars.show(name, *indexed, *published),
            State::Following => {
                self.bars.finish();
                writeln!(output::data(), "{name}: {} indexed", entries(*indexed))?;
            }
            State::Failing(reason) if !is_told => {
                self.bars.finish();
                output::note(&format!("{name}: {reason}; it is tried again"));
            }
            // The reason is why the command ends.
            State::Failing(_) | State::Stopped(_) => {}
        }
        Ok(())
    }

    /// Shows what came of one pass over a log.
    pub(super) fn show_pass(&self, followed: &Followed, coverage: &Coverage) -> io::Result<()> {
        let (name, size) = (followed.name(), coverage.size);
        let mut out = output::data();
        if !self.json {
            return writeln!(out, "{name}: {} indexed", entries(size));
        }
        let head = coverage.checkpoint.as_deref().and_then(|note| followed.log.open_checkpoint(note).ok());
        let head = head.map(|TreeHead { size, root }| json!({ "tree_size": size, "root_hash": hex::encode(root) }));
        let pass = json!({ "log": name, "origin": followed.log.origin(), "indexed": size, "head": head,
            "checkpoint": coverage.checkpoint });
        writeln!(out, "{pass}")
    }
}

/// Whether a caller would see no difference.
fn is_same(before: &Status, now: &Status) -> bool {
    let seen = |status: &Status| (status.indexed, status.published, status.problems);
    seen(before) == seen(now) && before.state == now.state
}

fn as_json(status: &Status) -> serde_json::Value {
    let Status { name, indexed, published, problems, state, .. } = status;
    let (state, reason) = match state {
        State::Following => ("following", None),
        State::Failing(reason) => ("failing", Some(reason)),
        State::Stopped(reason) => ("stopped", Some(reason)),
    };
    json!({ "log": name, "indexed": indexed, "published": published, "problems": problems, "state": state,
        "reason": reason })
}
