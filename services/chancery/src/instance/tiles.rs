//! Where the logs' files are copied to, as the command line says it: a directory, or a bucket (feature `s3`).
//!
//! Credentials come from a file and never from the environment, so that what the process does can be read off its
//! arguments.

use anyhow::{Context as _, bail, ensure};
use chancery_log::mirror::Destination;
use clap::Args;
use std::path::PathBuf;
use url::Url;

#[cfg(feature = "s3")]
pub(crate) use bucket::BucketArguments;

/// The options of `chancery dev` about copies of the logs.
#[derive(Debug, Args)]
pub(crate) struct TilesArguments {
    /// Copy tiles, entries and checkpoint of each log to URL/LOG/: `file:///dir` or `s3://bucket/prefix`
    #[arg(long = "tiles", help_heading = "Logs", value_name = "URL")]
    pub(crate) url: Option<Url>,
    #[cfg(feature = "s3")]
    #[command(flatten)]
    pub(crate) bucket: BucketArguments,
}

/// A place that can be written to, as far as that is known without a request or a change. A bucket is first used by a mirror.
pub(crate) enum Place {
    /// A directory, which need not exist.
    Directory(PathBuf),
    #[cfg(feature = "s3")]
    Bucket(Destination),
}

impl Place {
    /// Asks whether it can be used, as far as that is known without a change.
    pub(crate) async fn verify_usable(&self) -> Result<(), String> {
        match self {
            Self::Directory(path) if path.is_dir() => Ok(()),
            Self::Directory(path) => Err(format!("there is no directory {}", path.display())),
            #[cfg(feature = "s3")]
            Self::Bucket(destination) => {
                // The server copies each log to a part of it, so a look at one part is a look with the same rights.
                let part = destination.below(chancery_log::rekor_v1::NAME);
                part.verify_readable().await.map_err(|error| error.to_string())
            }
        }
    }

    /// Makes the directory, if it is one.
    pub(crate) fn open(self) -> anyhow::Result<Destination> {
        match self {
            Self::Directory(path) => Ok(Destination::directory(&path)?),
            #[cfg(feature = "s3")]
            Self::Bucket(destination) => Ok(destination),
        }
    }
}

impl TilesArguments {
    /// The place, opened, where one was named.
    pub(crate) fn destination(&self) -> anyhow::Result<Option<Destination>> {
        self.place()?.map(|place| place.open().context("cannot use --tiles")).transpose()
    }

    /// The place, where one was named. Reads the credentials, makes nothing.
    pub(crate) fn place(&self) -> anyhow::Result<Option<Place>> {
        let Some(url) = &self.url else {
            return Ok(None);
        };
        // Without the URL: it may contain a password.
        Ok(Some(self.read(url).context("cannot use --tiles")?))
    }

    fn read(&self, url: &Url) -> anyhow::Result<Place> {
        ensure!(url.query().is_none() && url.fragment().is_none(), "the URL must not have a query or fragment");
        match url.scheme() {
            "file" => {
                let Ok(path) = url.to_file_path() else { bail!("write a directory on this machine as file:///dir") };
                Ok(Place::Directory(path))
            }
            #[cfg(feature = "s3")]
            "s3" => Ok(Place::Bucket(self.bucket.open(url)?)),
            #[cfg(not(feature = "s3"))]
            "s3" => bail!("this program was built without the feature s3"),
            scheme => bail!("{scheme} is not supported; use file:///dir or s3://bucket/prefix"),
        }
    }
}

#[cfg(feature = "s3")]
mod bucket {
    //! A bucket on an S3-compatible server.

    use anyhow::{Context as _, ensure};
    use chancery_keys::aws_credentials::with_credentials;
    use chancery_log::mirror::Destination;
    use clap::Args;
    use object_store::{
        BackoffConfig, ClientOptions, RetryConfig,
        aws::{AmazonS3Builder, S3ConditionalPut},
        client::{HttpClient, HttpConnector},
    };
    use std::{
        fs,
        path::{Path, PathBuf},
        sync::Arc,
        time::Duration,
    };
    use url::Url;

    /// A request that is not answered in this time has failed.
    const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
    /// Retries of one request take this long at most; the mirror tries again later, so more would only hide the fault.
    const RETRY_TIMEOUT: Duration = Duration::from_secs(20);
    const RETRIES: usize = 6;

    #[derive(Debug, Args)]
    pub(crate) struct BucketArguments {
        /// Use this S3-compatible server instead of Amazon's; http:// on trusted networks only
        #[arg(long = "tiles-endpoint", help_heading = "Logs", value_name = "URL", requires = "url")]
        pub(crate) endpoint: Option<Url>,
        /// Region of the bucket
        #[arg(long = "tiles-region", help_heading = "Logs", value_name = "REGION", default_value = "us-east-1")]
        pub(crate) region: String,
        /// Read credentials from this file; without it, use the role of the machine
        ///
        /// The file contains `aws_access_key_id = …` and `aws_secret_access_key = …`.
        #[arg(long = "tiles-credentials", help_heading = "Logs", value_name = "FILE", requires = "url")]
        pub(crate) credentials: Option<PathBuf>,
        /// Trust the certificates in this PEM file for the server, and no other authority
        #[arg(long = "tiles-ca", help_heading = "Logs", value_name = "FILE", requires = "url")]
        pub(crate) authorities: Option<PathBuf>,
    }

    /// Sends the requests to a server whose certificates are named.
    #[derive(Debug)]
    struct Trusting(HttpClient);

    impl HttpConnector for Trusting {
        fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
            Ok(self.0.clone())
        }
    }

    impl Trusting {
        fn new(file: &Path) -> anyhow::Result<Self> {
            let client = chancery_outbound::client(REQUEST_TIMEOUT, REQUEST_TIMEOUT);
            Ok(Self(HttpClient::new(chancery_outbound::trusting_file(client, Some(file))?.build()?)))
        }
    }

    impl BucketArguments {
        /// `s3://bucket/prefix`
        pub(super) fn open(&self, url: &Url) -> anyhow::Result<Destination> {
            let bucket = url.host_str().context("write a bucket as s3://bucket/prefix")?;
            let plain = url.username().is_empty() && url.password().is_none() && url.port().is_none();
            ensure!(
                plain,
                "the bucket URL must not contain credentials or a port; use --tiles-credentials and --tiles-endpoint"
            );
            let backoff = BackoffConfig { max_backoff: Duration::from_secs(5), ..BackoffConfig::default() };
            let retry = RetryConfig { backoff, max_retries: RETRIES, retry_timeout: RETRY_TIMEOUT };
            let mut builder = AmazonS3Builder::new()
                .with_bucket_name(bucket)
                .with_region(&self.region)
                .with_conditional_put(S3ConditionalPut::ETagMatch)
                .with_retry(retry);
            let mut client = ClientOptions::new().with_timeout(REQUEST_TIMEOUT);
            if let Some(endpoint) = &self.endpoint {
                client = client.with_allow_http(endpoint.scheme() == "http");
                builder = builder.with_endpoint(endpoint.as_str().trim_end_matches('/'));
            }
            if let Some(file) = &self.authorities {
                builder = builder.with_http_connector(Trusting::new(file)?);
            }
            if let Some(path) = &self.credentials {
                let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
                builder = with_credentials(builder, &text).with_context(|| format!("{}", path.display()))?;
            }
            let store = builder.with_client_options(client).build()?;
            Ok(Destination::bucket(Arc::new(store), url.path().trim_matches('/'))?)
        }
    }
}
