-- How far the events about new entries have been delivered (services/search/src/events). Not derived from entries: without its rows
-- a receiver is told of what is logged from then on. A row changes by compare-and-swap on its version, before and after each
-- request, so that of several servers one delivers.
CREATE TABLE event_cursors (
    receiver   text   NOT NULL,
    log_id     bigint NOT NULL,
    version    bigint NOT NULL CHECK (version >= 0),
    next_index bigint NOT NULL CHECK (next_index >= 0),
    PRIMARY KEY (receiver, log_id)
);
COMMENT ON TABLE event_cursors IS 'how far the events about new entries of each log have been delivered to each receiver';
COMMENT ON COLUMN event_cursors.receiver IS 'URL of the receiver';
COMMENT ON COLUMN event_cursors.log_id IS 'which log; not always one of this database';
COMMENT ON COLUMN event_cursors.version IS 'changes with every request and with every answer to one';
COMMENT ON COLUMN event_cursors.next_index IS 'the first entry of which the receiver has not confirmed the event';
