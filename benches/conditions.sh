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
