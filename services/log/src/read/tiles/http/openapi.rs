//! The description of a log's files, for every log.

use chancery_daemon::http::openapi::{Content, Group, Operation, pattern};

/// Media type of the texts here.
const TEXT: &str = "text/plain; charset=utf-8";

/// The place of a log's files.
pub(crate) struct Place {
    /// Path before `/checkpoint` and `/tile/`.
    pub(crate) prefix: &'static str,
    /// Makes the operations' ids unique.
    pub(crate) id: &'static str,
    /// Directory of the entry bundles below `tile/`.
    pub(crate) entries: &'static str,
    /// Parameter of the prefix, with what it means.
    pub(crate) shard: Option<(&'static str, &'static str)>,
}

impl Place {
    fn named(&self, operation: Operation) -> Operation {
        let Some((name, about)) = self.shard else { return operation };
        operation.path(name, pattern("^[^/]+$"), about)
    }
}

/// Describes a log's checkpoint and its tiles.
pub(crate) fn describe_files(group: &mut Group<'_>, place: &Place) {
    let Place { prefix, id, entries, .. } = place;
    let checkpoint = place.named(Operation::get(format!("get{id}Checkpoint"), "The newest checkpoint, a signed note."));
    let checkpoint =
        checkpoint.answer(200, "Origin, size, root hash and signatures.", [Content::text(TEXT)]).readable_anywhere();
    group.add(&format!("{prefix}/checkpoint"), faults(checkpoint));
    let number = r"(x[0-9]{3}/)*[0-9]{3}(\.p/[0-9]{1,3})?";
    let path = pattern(&format!("^([0-9]{{1,2}}|{entries})/{number}$"));
    let tile = place.named(Operation::get(format!("get{id}Tile"), "A tile of hashes, or a bundle of entries."));
    let tile = tile
        .path(
            "path",
            path,
            format!(
                "`<level>/<index>` for hashes, `{entries}/<index>` for entries; the index in groups of three digits \
                 (`x001/x234/067`), and `.p/<width>` at its end if the tile is not full. Its slashes are sent as they are."
            ),
        )
        .answer(
            200,
            "The tile, which never changes. A full bundle is gzip to a client that accepts it. Web pages of other origins \
             may read hashes, but not entries. With `[log.read]` bundles of entries are for readers with a token.",
            [Content::bytes("application/octet-stream")],
        )
        .readable_anywhere()
        .answer(400, "The path is not one of a tile.", [Content::text(TEXT)])
        .answer(404, "The tree has no such tile yet.", [Content::text(TEXT)]);
    group.add(&format!("{prefix}/tile/{{path}}"), faults(tile.for_readers(|| [Content::text(TEXT)])));
}

fn faults(operation: Operation) -> Operation {
    operation
        .answer(500, "The log could not be read: a self-check failed.", [Content::text(TEXT)])
        .answer(
            503,
            "The log cannot be read at the moment. Without `Retry-After` it has no checkpoint that it can prove: it is \
             quarantined.",
            [Content::text(TEXT)],
        )
        .retry_after()
}
