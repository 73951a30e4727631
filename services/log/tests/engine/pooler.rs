//! Connection poolers between a server and `PostgreSQL`: used where sessions keep their settings, and refused with what to do
//! where they do not.

use crate::postgres::Server;
use chancery_daemon::database::{DatabaseError, open_postgres};
use std::io;
use std::path::{Path, PathBuf};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{UnixListener, UnixStream};

/// Asks whether TLS is spoken (`SSLRequest`).
const ASKS_FOR_TLS: [u8; 4] = 80_877_103_u32.to_be_bytes();

/// What becomes of the settings in a startup message.
#[derive(Clone, Copy)]
enum Pooler {
    /// They are passed on, as in session mode.
    Keeps,
    /// They are dropped, as `ignore_startup_parameters` does.
    Drops,
    /// They are refused, as `PgBouncer` does if it is not told otherwise.
    Refuses,
}

impl Pooler {
    async fn pass_on(self, mut client: UnixStream, mut server: UnixStream) -> io::Result<()> {
        let message = loop {
            let mut message = vec![0; usize::try_from(client.read_u32().await?).unwrap() - 4];
            client.read_exact(&mut message).await?;
            if message != ASKS_FOR_TLS {
                break message;
            }
            client.write_all(b"N").await?;
        };
        let (version, parameters) = message.split_at(4);
        let mut kept = version.to_vec();
        let mut words = parameters.split(|byte| *byte == 0);
        while let (Some(name), Some(value)) = (words.next(), words.next()) {
            match self {
                _ if name.is_empty() => break,
                Self::Drops if name == b"options" => {}
                Self::Refuses if name == b"options" => {
                    let fields = b"SFATAL\0C08P01\0Munsupported startup parameter: options\0\0";
                    client.write_u8(b'E').await?;
                    client.write_u32(u32::try_from(fields.len() + 4).unwrap()).await?;
                    return client.write_all(fields).await;
                }
                _ => kept.extend([name, b"\0", value, b"\0"].concat()),
            }
        }
        kept.push(0);
        server.write_u32(u32::try_from(kept.len() + 4).unwrap()).await?;
        server.write_all(&kept).await?;
        copy_bidirectional(&mut client, &mut server).await.map(drop)
    }

    /// Listens in a directory for the server at `socket`.
    fn start(self, directory: &Path, socket: PathBuf) {
        let listener = UnixListener::bind(directory.join(".s.PGSQL.5432")).unwrap();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = UnixStream::connect(&socket).await.unwrap();
                tokio::spawn(self.pass_on(client, server));
            }
        });
    }
}

#[tokio::test]
async fn a_pooler_that_drops_the_settings_of_sessions_is_refused() {
    let server = Server::start();
    for (pooler, is_used) in [(Pooler::Keeps, true), (Pooler::Drops, false), (Pooler::Refuses, false)] {
        let (directory, name) = (tempfile::tempdir().unwrap(), server.database());
        pooler.start(directory.path(), server.socket());
        let url = format!("postgres://postgres@/{name}?host={}&port=5432", directory.path().display());
        match open_postgres(&url).await {
            Ok(database) => {
                assert!(is_used);
                database.close().await;
            }
            Err(error) => {
                assert!(!is_used && matches!(error, DatabaseError::Pooler), "{error}");
                assert!(error.to_string().contains("in session mode that passes on"), "{error}");
            }
        }
    }
}
