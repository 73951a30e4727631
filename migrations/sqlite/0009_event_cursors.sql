-- How far the events about new entries have been delivered (services/search/src/events). Not derived from entries: without its rows
-- a receiver is told of what is logged from then on. A row changes by compare-and-swap on its version, before and after each
-- request, so that of several processes one delivers.
CREATE TABLE event_cursors (
    receiver   TEXT    NOT NULL,               -- URL of the receiver
    log_id     INTEGER NOT NULL,               -- which log; not always one of this database
    version    INTEGER NOT NULL CHECK (version >= 0),        -- changes with every request and with every answer to one
    next_index INTEGER NOT NULL CHECK (next_index >= 0),     -- the first entry of which the receiver has not confirmed the event
    PRIMARY KEY (receiver, log_id)
) STRICT, WITHOUT ROWID;
