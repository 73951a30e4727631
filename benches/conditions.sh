# What `benches/run --only NAME` measures: one condition, compared with the same load without it. Sourced by benches/run, whose
# functions start what is measured.
#
# What is compared is measured in turns, because the machine changes in minutes by more than some of the differences.

# Of each side.
turns=3
replica_listen=127.0.0.1:8099
wire=127.0.0.1:8096

# The rows of a table, without its first lines.
rows() { grep '^| ' | grep -v '^| load '; }
write() { # what the rows call it, arguments
    local name=$1
    shift
    measure rekor-write --name "$name" --disk "$work" "$@"
}
# The first time with the first lines of the table, then rows only: one table of all turns.
headed=
write_row() { # as for write
    if [[ -n $headed ]]; then write "$@" | rows; else write "$@"; fi
    headed=yes
}
compare() { # one, other
    echo
    echo "Medians of all turns (lowest–highest):"
    echo
    benches/ratios "$work" "$1" "$2"
}

# Two servers over one database, as they are where one may be lost: every commit of one makes the other read the edge anew.
only_replicas() {
    local turn load=(--connections 2,64 --entries 20000)
    echo "## Two replicas that write at once"
    echo
    echo "Both servers and the database share core 0, so that the second server adds no power, only its cost. Each has half of"
    echo "the connections. CPU time and memory are those of both."
    echo
    start_server replicas
    stop_server
    cp -a "$work/replicas" "$work/replica"
    start_server replicas
    launch "$replica_listen" "$work/replica" "$(database_url replicas)"
    beside=$launched
    wait_until_ready "$replica_listen"
    for turn in $(seq $turns); do
        write_row "write, one server" "${load[@]}" --out "$work/one-$turn.json"
        write_row "write, two servers" "${load[@]}" --out "$work/two-$turn.json" \
            --replica "http://$replica_listen" --replica-pid "$beside"
    done
    compare one two
}

# A database in another room. Every round trip of a batch counts in full at one connection; batches that grow make up for it.
only_latency() {
    local delay at_once=(chrt --fifo 1)
    "${at_once[@]}" true 2>/dev/null || at_once=()
    echo "## A database that is not on this machine"
    echo
    echo "A proxy delays each direction by so many microseconds; a round trip takes twice as long. The first rows are without it,"
    echo "over a Unix socket, the next ones with it and no delay: what the proxy itself costs."
    ((${#at_once[@]})) || echo "Run as root: the proxy waits for its turn on the load's core, which adds milliseconds."
    echo
    echo "A round trip over the socket, as psql sees it: $(round_trip "host=$work/postgres") ms"
    echo
    start_server latency
    latency_rows "write, Unix socket"
    stop_server
    for delay in 0 500 1000; do
        taskset -c 1-63 "${at_once[@]}" "$programs/delay-proxy" --listen $wire --to "$work/postgres/.s.PGSQL.5432" --delay-us $delay &
        beside=$!
        wait_until_connected $wire
        round_trips+=("$delay us each way: $(round_trip "host=${wire%:*} port=${wire#*:} sslmode=disable") ms")
        start_server latency '' "postgres://postgres@$wire/latency?sslmode=disable"
        latency_rows "write, $delay us each way"
        stop_server
        stop_beside
    done
    echo
    echo "Round trips as psql sees them, while nothing else runs:"
    echo
    printf -- '- %s\n' "${round_trips[@]}"
}
round_trips=()
# One connection takes as long as its round trips; with so few entries its p99.9 is of five.
latency_rows() { # what the rows call it
    write_row "$1" --connections 1 --entries 5000
    write_row "$1" --connections 64,512 --entries 30000
}
round_trip() { # how psql connects
    { echo '\timing on'; for _ in $(seq 101); do echo 'SELECT 1;'; done; } |
        as_postgres "$postgres/psql" -qtA "user=postgres dbname=postgres $1" |
        awk '/^Time/ {print $2}' | sort -n | sed -n 51p
}
wait_until_connected() { # address
    for _ in $(seq 50); do
        if (exec 3<>"/dev/tcp/${1%:*}/${1#*:}") 2>/dev/null; then return; fi
        sleep 0.1
    done
    echo "the proxy did not start" >&2
    return 1
}

# A report, a dump or a standby holds a snapshot: no row that was changed since can be cleared away.
only_snapshot() {
    local begun rounds=0
    echo "## A snapshot held for $hold_seconds seconds"
    echo
    echo "A session of REPEATABLE READ holds it. One connection, so every entry is a batch. A row is 50,000 batches, about a minute,"
    echo "held for so long when it begins; between rows a few seconds pass, in which entries are signed."
    echo
    start_server snapshot
    batches "before the snapshot" before-1
    batches "before the snapshot" before-2
    hold_snapshot
    begun=$SECONDS
    while ((SECONDS - begun < hold_seconds)); do
        batches "held for $((SECONDS - begun)) s" held-last
        rounds=$((rounds + 1))
    done
    release_snapshot
    batches "after the snapshot" after-1
    batches "after the snapshot" after-2
    echo
    echo "$((rounds * 50000)) batches under the snapshot. The last row under it and the rows after it, against those before it:"
    compare before held
    compare before after
}
batches() { # what the row calls them, file of the results
    write_row "write, $1" --connections 1 --entries 50000 --out "$work/$2.json"
}
holder=
# A session of REPEATABLE READ keeps the snapshot of its first statement, also while it sleeps.
hold_snapshot() {
    as_postgres "$postgres/psql" -q "host=$work/postgres user=postgres dbname=snapshot application_name=holder" \
        -c 'BEGIN ISOLATION LEVEL REPEATABLE READ' -c 'SELECT count(*) FROM logs' -c 'SELECT pg_sleep(86400)' >/dev/null 2>&1 &
    holder=$!
    for _ in $(seq 50); do
        if [[ $(query snapshot "SELECT count(*) FROM pg_stat_activity
                WHERE application_name = 'holder' AND wait_event = 'PgSleep' AND backend_xmin IS NOT NULL") == 1 ]]; then return; fi
        sleep 0.1
    done
    echo "no session holds a snapshot" >&2
    return 1
}
release_snapshot() {
    query snapshot "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'holder'" >/dev/null
    # It was killed.
    wait "$holder" || true
}

# The high-water mark is synced once a batch. On a file system in memory that costs nothing, so the difference is the sync's
# cost; that a thread does it, and that the answer waits for the thread, costs the same on both sides.
only_mark() {
    local turn place
    local -A place_of
    echo "## The sync of the high-water mark"
    echo
    in_memory=$(mktemp -d -p /dev/shm)
    if [[ $(stat -f -c %T "$in_memory") != tmpfs || $(stat -f -c %T "$work") == tmpfs ]]; then
        echo "/dev/shm must be in memory and TMPDIR on a disk" >&2
        return 1
    fi
    echo "The data directory is on a disk or in memory, the database on the disk. One fdatasync is measured on the disk."
    echo
    place_of=([memory]=$in_memory [disk]=$work)
    start_server marked
    stop_server
    cp -a "$work/marked" "$in_memory/marked"
    for turn in $(seq $((2 * turns))); do
        for place in memory disk; do
            start_server marked "${place_of[$place]}/marked"
            write_row "write, mark: $place" --connections 1,64,64 --entries 20000 --out "$work/$place-$turn.json"
            stop_server
        done
    done
    compare memory disk
    echo
    echo "The limit of disk / memory at 64 connections is 0.95 for entries/s, 1.05 for the rest."
}

# The embedded default against a database server: what reaches the disk, and how often somebody waits for somebody.
only_sqlite() {
    local turn
    echo "## SQLite and PostgreSQL"
    for turn in $(seq $turns); do
        start_server embedded '' ''
        written SQLite "$turn"
        start_server served
        written PostgreSQL "$turn"
    done
    compare PostgreSQL SQLite
}
written() { # what stores, number of the turn
    echo
    echo "$1, turn $2:"
    echo
    write "write, $1" --io --connections 1,64 --entries 40000 --out "$work/$1-$2.json"
    stop_server
}

# The index itself, over more entries than a server could log in a night.
only_search() {
    echo "## The search index over $entries entries"
    echo
    echo "Synthetic entries, six of ten of Rekor v1, one of Rekor v2, three certificates. This program has every core; PostgreSQL has"
    echo "core 0. «First» are the first 20 questions of a process (one batch) after the database was restarted and, as root, the"
    echo "system's caches were emptied; every kind of question follows the kinds above it."
    over_search SQLite "$work/search.db"
    rm -f "$work"/search.db*
    as_postgres "$postgres/createdb" -h "$work/postgres" -U postgres search
    over_search PostgreSQL "$(database_url search)"
}
over_search() { # what stores, where
    local over=(--entries "$entries" --hashes "$work/hashes" --database "$2") check=()
    ((entries > 100000)) || check=(--check)
    echo
    echo "### $1"
    echo
    "$programs/search-index" build "${check[@]}" "${over[@]}" 2>"$work/errors" || { cat "$work/errors" >&2 && return 1; }
    echo
    bytes_indexed "$1"
    forget
    echo
    "$programs/search-index" ask "${over[@]}" 2>"$work/errors" || { cat "$work/errors" >&2 && return 1; }
}
# What a process finds that has just begun.
forget() {
    as_postgres "$postgres/pg_ctl" -D "$work/postgres/data" -m fast -w stop >/dev/null
    sync
    # A container may not.
    ((EUID != 0)) || { echo 3 >/proc/sys/vm/drop_caches; } 2>/dev/null || echo "the system's caches are kept" >&2
    start_postgres
}
bytes_indexed() { # what stores
    local bytes
    if [[ $1 == SQLite ]]; then
        # Free pages are there of runs that were merged; they are used again.
        python3 - "$work/search.db" "$entries" <<'END'
import sqlite3, sys
database = sqlite3.connect(sys.argv[1])
size, pages, free = (database.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_size", "page_count", "freelist_count"))
used, whole = ((count * size) // int(sys.argv[2]) for count in (pages - free, pages))
print(f"{used} bytes of index per entry, {whole} with the free pages of the file; asked 800")
END
    else
        bytes=$(query search "SELECT sum(pg_total_relation_size(oid)) FROM pg_class WHERE relname LIKE 'search\_%' AND relkind = 'r'")
        echo "$((bytes / entries)) bytes of index per entry, with its indexes and what is not vacuumed yet; asked 800"
        as_postgres "$postgres/psql" -h "$work/postgres" -U postgres -q search -c 'VACUUM ANALYZE'
    fi
}

# A log with an index and without. Server and database share core 0; the thread of the index is there as well, or on a core of its
# own, which is the load's where there are only two: therefore the load sleeps while it waits, on both sides.
only_search_writer() {
    local turn load=(--connections 64 --entries 40000 --sleeping)
    echo "## The search index beside a log that is written to"
    echo
    echo "64 connections, PostgreSQL. The index's own thread shares core 0 with the server, or has core 1; what the database does for"
    echo "it is on core 0 in both cases. Behind means: an entry was published so long ago and is not found yet."
    echo
    # The load shares no core with the index if it need not.
    (($(nproc) < 3)) || load_cores=2-63
    for turn in $(seq $turns); do
        writer_row none "no index" "${load[@]}"
        writer_row shared "index on the writer's core" "${load[@]}" --lag
        writer_row own "index on its own core" "${load[@]}" --lag
    done
    echo
    echo "The limit of own / none is 0.85 for entries/s:"
    compare none own
    compare none shared
    catch_up_and_read
}
writer_row() { # side, what the rows call it, arguments
    local side=$1 name=$2
    shift 2
    server_options=()
    [[ $side != none ]] || server_options=(--without-search)
    start_server "writer_$side"
    [[ $side != own ]] || move_index
    echo
    write "write, $name" "$@" --out "$work/$side-$turn.json"
    stop_server
    server_options=()
}
# Gives the thread of the index core 1. It is the one called `search`; those that it starts later would follow it.
move_index() {
    local thread
    for thread in /proc/"$server"/task/*; do
        if [[ $(<"$thread/comm") == search ]]; then
            taskset -cp 1 "${thread##*/}" >/dev/null
            return
        fi
    done
    echo "the server has no thread of an index" >&2
    return 1
}
# The log that was written without an index is indexed now.
catch_up_and_read() {
    echo
    echo "What was logged without an index is indexed now, by a thread that has core 1; then it is asked:"
    echo
    start_server writer_none
    move_index
    measure search-read --out "$work/read.json"
}
