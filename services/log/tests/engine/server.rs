//! What a `PostgreSQL` server must be before a log is entrusted to it.

use crate::bench::{Bench, Database, Place, START, entry};
use crate::marks::{grow, marked};
use crate::postgres::{Server, shell};
use chancery_daemon::database::{DatabaseError, open_postgres, open_postgres_read_only};
use chancery_log::{Error, Outcome};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

#[tokio::test]
async fn commits_that_may_be_lost_are_refused() {
    let bench = Bench::postgres();
    bench.open().await.unwrap().close().await;
    let refused = || async { bench.open().await.err().unwrap() };
    let Place::Postgres { database, .. } = &bench.place else { unreachable!() };
    bench.administer(&format!("ALTER DATABASE {database} SET synchronous_commit = off"));
    let error = refused().await;
    assert!(matches!(error, DatabaseError::NotDurable { setting: "synchronous_commit", .. }), "{error}");
    assert!(error.to_string().contains("set synchronous_commit = on"), "{error}");
}

#[tokio::test]
async fn commits_go_on_waiting_for_the_disk_whatever_is_set_later() {
    let bench = Bench::postgres();
    let database = bench.open().await.unwrap();
    let (Database::Postgres(postgres), Place::Postgres { database: name, .. }) = (&database, &bench.place) else {
        unreachable!()
    };
    // The first connection was made before; the others are made now.
    bench.administer(&format!("ALTER DATABASE {name} SET synchronous_commit = off"));
    let mut sessions = Vec::new();
    for _ in 0..3 {
        let mut session = postgres.writers.acquire().await.unwrap();
        let setting = sqlx::query_scalar("SELECT current_setting('synchronous_commit')");
        let setting: String = setting.fetch_one(&mut *session).await.unwrap();
        assert_eq!(setting, "on");
        sessions.push(session);
    }
    drop(sessions);
    database.close().await;
}

/// Otherwise a batch that waits while its log is frozen or ended does not see that.
#[tokio::test]
async fn each_statement_sees_what_is_committed_whatever_is_set_for_the_database() {
    let bench = Bench::postgres();
    let Place::Postgres { database: name, .. } = &bench.place else { unreachable!() };
    bench.administer(&format!("ALTER DATABASE {name} SET default_transaction_isolation = 'serializable'"));
    let database = bench.open().await.unwrap();
    let Database::Postgres(postgres) = &database else { unreachable!() };
    let mut session = postgres.writers.acquire().await.unwrap();
    let isolation = sqlx::query_scalar("SELECT current_setting('transaction_isolation')");
    let isolation: String = isolation.fetch_one(&mut *session).await.unwrap();
    assert_eq!(isolation, "read committed");
    drop(session);
    database.close().await;
}

#[tokio::test]
async fn a_misspelt_parameter_is_an_error_that_names_it() {
    let url = crate::postgres::server().url("postgres", None);
    for error in [
        open_postgres(&format!("{url}&sslmod=verify-full")).await.err().unwrap(),
        open_postgres_read_only(&format!("{url}&sslmod=verify-full")).await.err().unwrap(),
    ] {
        assert!(matches!(&error, DatabaseError::Parameter { name, .. } if name == "sslmod"), "{error}");
    }
}

#[tokio::test]
async fn a_server_that_does_not_write_to_disk_is_refused() {
    let server: &'static Server = Box::leak(Box::new(Server::start()));
    let bench = Bench::postgres_on(server);
    for name in ["fsync", "full_page_writes"] {
        bench.administer(&format!("ALTER SYSTEM SET {name} = off"));
        bench.administer("SELECT pg_reload_conf()");
        tokio::time::sleep(Duration::from_millis(300)).await;
        let error = bench.open().await.err().unwrap();
        assert!(matches!(error, DatabaseError::NotDurable { setting, .. } if setting == name), "{error}");
        bench.administer(&format!("ALTER SYSTEM SET {name} = on"));
        bench.administer("SELECT pg_reload_conf()");
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    bench.open().await.unwrap().close().await;
}

#[tokio::test]
async fn a_database_that_is_not_there_is_an_error_and_not_a_wait() {
    let server = crate::postgres::server();
    let error = open_postgres(&server.url("no_such_database", None)).await.err().unwrap();
    assert!(matches!(error, DatabaseError::Open(_)), "{error}");
}

/// A standby may lag: what it has not replayed yet would look like a database that was put back.
#[tokio::test]
async fn a_standby_is_not_read_from() {
    let primary = Server::start();
    let directory = primary.socket().parent().unwrap().to_owned();
    let standby = Server::run_in(&mut crate::postgres::shell(), Path::new(""), 5432, &directory);
    let address = tempfile::tempdir().unwrap();
    let lead_to = |server: &Server| {
        let socket = address.path().join(".s.PGSQL.5432");
        let _ = std::fs::remove_file(&socket);
        std::os::unix::fs::symlink(server.socket(), socket).unwrap();
    };
    lead_to(&primary);
    let database = open_postgres(&primary.at_socket(address.path()).url("postgres", None)).await.unwrap();
    let first = database.readers.acquire().await.unwrap();
    lead_to(&standby);
    let refused = database.readers.acquire().await.unwrap_err();
    assert!(refused.to_string().contains("is a standby"), "{refused}");
    lead_to(&primary);
    drop((first, database.readers.acquire().await.unwrap()));
    database.close().await;
}

/// An old primary that nobody stopped still takes entries, which no other server will ever have.
#[tokio::test]
async fn an_old_primary_is_not_used_again_and_the_new_one_must_write_to_disk_as_well() {
    let (old, address) = (Server::start(), tempfile::tempdir().unwrap());
    let new = Server::run_in(&mut shell(), Path::new(""), 5432, old.socket().parent().unwrap());
    let (socket, directory) = (address.path().join(".s.PGSQL.5432"), new.socket().parent().unwrap().to_owned());
    std::os::unix::fs::symlink(old.socket(), &socket).unwrap();
    let hosts = format!("host={},{}&port=5432,5432", address.path().display(), directory.display());
    let database = open_postgres(&format!("postgres://postgres@/postgres?{hosts}")).await.unwrap();
    let outlasts = database.writers.acquire().await.unwrap();
    assert!(database.is_settled());

    // The old primary cannot be reached for a while, and the new one loses what it has committed.
    new.execute("postgres", "SELECT pg_promote()");
    std::fs::remove_file(&socket).unwrap();
    let set = |value: &str| {
        new.execute("postgres", &format!("ALTER SYSTEM SET fsync = {value}"));
        new.execute("postgres", "SELECT pg_reload_conf()");
    };
    let becomes = async |wanted: bool| {
        let deadline = tokio::time::Instant::now() + Duration::from_secs(30);
        loop {
            // Dropped, and so closed: each is a new one.
            let opened = database.writers.acquire().await.map(drop);
            if opened.is_ok() == wanted || tokio::time::Instant::now() > deadline {
                break opened;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    set("off");
    let refused = becomes(false).await.unwrap_err();
    assert!(refused.to_string().contains("runs with fsync = off"), "{refused}");
    set("on");
    becomes(true).await.unwrap();
    assert!(!database.is_settled());

    // Now it can be reached again, and a connection to it is at rest.
    std::os::unix::fs::symlink(old.socket(), &socket).unwrap();
    outlasts.give_back();
    let place = "SELECT current_setting('unix_socket_directories')";
    let place: String = sqlx::query_scalar(place).fetch_one(&database.writers).await.unwrap();
    assert_eq!(Path::new(&place), directory);
    database.close().await;
}

/// Where it was not stopped, no connection to it breaks.
#[tokio::test]
async fn a_new_primary_is_found_although_the_old_one_still_answers() {
    let old = Server::start();
    let at = |server: &Server| server.socket().parent().unwrap().to_owned();
    let new = Server::run_in(&mut shell(), Path::new(""), 5432, &at(&old));
    let hosts = format!("host={},{}&port=5432", at(&old).display(), at(&new).display());
    let database = open_postgres(&format!("postgres://postgres@/postgres?{hosts}")).await.unwrap();
    let place = async || {
        let place = "SELECT current_setting('unix_socket_directories')";
        let place: String = sqlx::query_scalar(place).fetch_one(&database.writers).await.unwrap();
        PathBuf::from(place)
    };
    assert_eq!(place().await, at(&old));
    new.execute("postgres", "SELECT pg_promote()");
    let deadline = tokio::time::Instant::now() + Duration::from_secs(30);
    while place().await != at(&new) {
        assert!(tokio::time::Instant::now() < deadline, "it is not looked for");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(!database.is_settled());
    database.close().await;
}

/// The same wait as that of a log that runs while its database fails over. It is counted once, however often the process begins
/// anew meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_is_opened_after_a_failover_waits_before_it_adds_anything() {
    let primary: &'static Server = Box::leak(Box::new(Server::start()));
    let (mut bench, _directory) = marked(Bench::postgres_on(primary));
    let running = bench.start().await;
    grow(&running, 3, "entry").await;
    running.stop().await;
    let directory = primary.socket().parent().unwrap().to_owned();
    let standby = Server::run_in(&mut crate::postgres::shell(), Path::new(""), 5432, &directory);
    standby.execute("postgres", "SELECT pg_promote()");
    let standby: &'static Server = Box::leak(Box::new(standby));
    let Place::Postgres { database, .. } = &bench.place else { unreachable!() };
    bench.place = Place::Postgres { server: standby, database: database.clone() };
    let waits = async |bench: &Bench| {
        let running = bench.start().await;
        assert_eq!(running.log.quarantine(), None);
        let trouble = running.log.trouble().unwrap();
        assert!(trouble.contains("the database is on another timeline than before"), "{trouble}");
        let refused = running.log.append(entry("new")).await.unwrap_err();
        assert!(matches!(refused, Error::Unavailable { .. }), "{refused}");
        assert_eq!(running.log.latest().await.unwrap().tree.size, 3, "reads go on");
        running.stop().await;
    };
    for _ in 0..2 {
        waits(&bench).await;
    }
    // A log without a mark cannot know when it was.
    let mark = bench.mark.take();
    waits(&bench).await;
    bench.mark = mark;
    bench.clock.set(START.plus_seconds(20));
    let running = bench.start().await;
    assert_eq!(running.log.trouble(), None);
    grow(&running, 4, "entry").await;
    running.stop().await;
    // Nothing of a new log was published before.
    let new = Bench::postgres_on(standby).start().await;
    grow(&new, 1, "entry").await;
    new.stop().await;
}

/// Rows of `identities` that were touched to answer queries, by whatever plan.
async fn rows_read(bench: &Bench) -> i64 {
    // A session reports what it did when it ends at the latest.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let database = bench.open().await.unwrap();
    let Database::Postgres(postgres) = &database else { unreachable!() };
    let read = "SELECT coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0) FROM pg_stat_user_tables
        WHERE relname = 'identities'";
    let read = sqlx::query_scalar(read).fetch_one(&postgres.readers).await.unwrap();
    database.close().await;
    read
}

/// A statement that is planned while the log is small must not scan it once it is large.
#[tokio::test]
async fn what_a_batch_reads_does_not_grow_with_the_log() {
    let bench = Bench::postgres();
    let running = bench.start().await;
    for number in 0..400 {
        running.log.append(entry(&number.to_string())).await.unwrap();
        let known = running.log.append(entry("0")).await.unwrap();
        assert!(matches!(known, Outcome::AlreadyLogged { index: 0 }), "{known:?}");
    }
    running.stop().await;
    let read = rows_read(&bench).await;
    // One per duplicate. Scans would have read some 80,000.
    assert!((400..1000).contains(&read), "{read} rows were read");
}

/// Writes a certificate authority and, signed by it, a server certificate for `name`.
fn write_certificates(directory: &Path, name: &str) {
    let mut authority = rcgen::CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let authority_key = rcgen::KeyPair::generate().unwrap();
    let authority_certificate = authority.self_signed(&authority_key).unwrap();
    let issuer = rcgen::Issuer::new(authority, authority_key);
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
    std::fs::write(directory.join("ca.crt"), authority_certificate.pem()).unwrap();
    std::fs::write(directory.join("server.crt"), certificate.pem()).unwrap();
    std::fs::write(directory.join("server.key"), key.serialize_pem()).unwrap();
    // The server's user takes a copy.
    std::fs::set_permissions(directory, PermissionsExt::from_mode(0o755)).unwrap();
}

/// A server with TLS, as the files in a directory say, and its port.
fn serve_tls(certificates: &Path) -> Server {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    Server::start_with_tls(certificates, port)
}

#[tokio::test]
async fn only_the_server_that_was_meant_is_spoken_to_over_tls() {
    for (name, authority, mode, accepted) in [
        ("localhost", "own", "verify-full", true),
        ("localhost", "other", "verify-full", false),
        ("elsewhere.example", "own", "verify-full", false),
        // As libpq: a certificate that is named is verified, and its name is not.
        ("elsewhere.example", "own", "require", true),
        ("localhost", "other", "require", false),
    ] {
        let (own, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        write_certificates(own.path(), name);
        write_certificates(other.path(), name);
        let server = serve_tls(own.path());
        let trusted = if authority == "own" { &own } else { &other }.path().join("ca.crt");
        let url = format!("{}sslmode={mode}&sslrootcert={}", server.url("postgres", None), trusted.display());
        match open_postgres(&url).await {
            Ok(database) => {
                let encrypted = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
                let encrypted: bool = sqlx::query_scalar(encrypted).fetch_one(&database.readers).await.unwrap();
                assert!(accepted && encrypted, "{name}, {authority} authority, {mode}");
                database.close().await;
            }
            Err(error) => assert!(!accepted, "{name}, {authority} authority, {mode}: {error}"),
        }
    }
}

#[tokio::test]
async fn a_server_whose_certificate_signs_itself_is_used_or_told_how_to_be() {
    for (is_ca, accepted) in [
        (rcgen::IsCa::ExplicitNoCa, true),
        // What `openssl req -x509` makes unless it is told otherwise.
        (rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained), false),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let key = rcgen::KeyPair::generate().unwrap();
        let mut parameters = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        parameters.is_ca = is_ca;
        let file = directory.path().join("server.crt");
        std::fs::write(&file, parameters.self_signed(&key).unwrap().pem()).unwrap();
        std::fs::write(directory.path().join("server.key"), key.serialize_pem()).unwrap();
        std::fs::set_permissions(directory.path(), PermissionsExt::from_mode(0o755)).unwrap();
        let server = serve_tls(directory.path());
        let url = format!("{}sslmode=verify-full&sslrootcert={}", server.url("postgres", None), file.display());
        match open_postgres(&url).await {
            Ok(database) => {
                assert!(accepted);
                database.close().await;
            }
            Err(error) => {
                assert!(!accepted && matches!(error, DatabaseError::ServerIsAuthority), "{error}");
                assert!(error.to_string().contains("CA:FALSE"), "{error}");
            }
        }
    }
}

#[tokio::test]
async fn of_several_servers_the_primary_is_found() {
    let primary = Server::start();
    let name = primary.database();
    let at = |server: &Server| server.socket().parent().unwrap().to_owned();
    let standby = Server::run_in(&mut shell(), Path::new(""), 5432, &at(&primary));
    let directories = [at(&primary), at(&standby)];
    let ([one, other], nowhere) = (directories.each_ref().map(PathBuf::as_path), Path::new("/nowhere/to/be"));
    let url = |hosts: &[&Path]| {
        let hosts: Vec<_> = hosts.iter().map(|host| host.display().to_string()).collect();
        format!("postgres://postgres@/{name}?host={}&port=5432", hosts.join(","))
    };
    for hosts in [&[other, one][..], &[one, other], &[nowhere, other, one], &[one]] {
        let database = open_postgres(&url(hosts)).await.unwrap_or_else(|error| panic!("{hosts:?}: {error}"));
        for connections in [&database.writers, &database.readers] {
            let question = "SELECT pg_is_in_recovery()";
            let is_standby: bool = sqlx::query_scalar(question).fetch_one(connections).await.unwrap();
            assert!(!is_standby, "{hosts:?}");
        }
        database.close().await;
    }
    let refused = open_postgres(&url(&[other])).await.err().unwrap();
    assert!(matches!(refused, DatabaseError::Standby), "{refused}");
    assert!(open_postgres(&url(&[other, nowhere])).await.is_err());
    // A log is only read: what answers first is good enough, unless the URL says otherwise.
    let read = |url: String| async move { open_postgres_read_only(&url).await };
    read(url(&[other])).await.unwrap().close().await;
    let database = read(format!("{}&target_session_attrs=primary", url(&[other, one]))).await.unwrap();
    let is_standby: bool = sqlx::query_scalar("SELECT pg_is_in_recovery()").fetch_one(&database.readers).await.unwrap();
    assert!(!is_standby);
    database.close().await;
}
