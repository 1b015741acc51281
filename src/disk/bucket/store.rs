//! The client: made from a place and from variables, with every request counted.

use std::future::Future;
use std::path::{Component, Path};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use object_store::aws::AmazonS3Builder;
use object_store::azure::MicrosoftAzureBuilder;
use object_store::client::{HttpClient, HttpConnector, HttpError, HttpRequest, HttpResponse, HttpService, ReqwestConnector};
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::{BackoffConfig, ClientOptions, HeaderValue, ObjectStore, RetryConfig};

use super::words::WayFailure;
use crate::model::{Error, Result};

/// How often a request is repeated that failed on the way; `WALCTL_BUCKET_RETRIES` sets it.
const RETRIES: usize = 5;
/// After this time no request is repeated any more.
const PATIENCE: Duration = Duration::from_secs(60);
/// So long a connection may give nothing; `AWS_READ_TIMEOUT` and the like set it.
const SILENCE: Duration = Duration::from_secs(20);

/// How much is asked for at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// Where all is read; `WALCTL_BUCKET_PIECE` sets it, in bytes.
    pub piece: u64,
    /// Where a file is only looked at, at the least.
    pub glance: u64,
    /// The same, at the most.
    pub gaze: u64,
    /// An object that is longer is put in parts.
    pub parts_above: u64,
}

impl Sizes {
    fn of(piece: u64) -> Sizes {
        Sizes { piece, glance: piece.min(64 << 10), gaze: piece.min(256 << 10), parts_above: piece * 8 }
    }
}

/// The usual size of a piece.
const PIECE: u64 = 8 << 20;

/// A place in object storage, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BucketPath {
    /// What stands in front of `://`.
    pub scheme: String,
    /// The bucket, or the container.
    pub bucket: String,
    /// What follows, without a slash at either end; empty for the bucket itself.
    pub key: String,
}

impl BucketPath {
    /// Takes a place apart.
    pub fn of(path: &Path) -> Result<BucketPath> {
        let wrong = |why: &str| Error::Input { what: format!("{}: {why}", path.display()) };
        let text = path.to_str().ok_or_else(|| wrong("a key must be UTF-8"))?;
        let (scheme, rest) = text.split_once(":/").ok_or_else(|| wrong("it names no bucket"))?;
        let mut parts = Vec::new();
        for part in Path::new(rest.trim_start_matches('/')).components() {
            match part {
                Component::Normal(part) => parts.push(part.to_string_lossy().into_owned()),
                Component::CurDir => {}
                _ => return Err(wrong("a key has no .. in it")),
            }
        }
        if parts.is_empty() {
            return Err(wrong("it names no bucket"));
        }
        let bucket = parts.remove(0);
        Ok(BucketPath { scheme: scheme.to_owned(), bucket, key: parts.join("/") })
    }
}

/// A client, and how many requests it sent.
#[derive(Debug)]
pub struct Store {
    /// The client.
    pub client: Arc<dyn ObjectStore>,
    /// How many requests it sent.
    pub requests: Arc<AtomicU64>,
    /// How much is asked for at a time.
    pub sizes: Sizes,
    /// The provider takes objects in parts that it joins when they are complete, and nothing is there before.
    pub parts: bool,
}

impl Store {
    /// A client for the bucket that a place is in.
    pub fn new(place: &BucketPath, settings: &[(String, String)]) -> Result<Store, WayFailure> {
        // The choice is the process's. A program that made one before keeps it.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let requests = Arc::new(AtomicU64::new(0));
        let connector = Counting(requests.clone());
        // A whole request may take as long as it takes where bytes come.
        let client = ClientOptions::new().with_timeout_disabled().with_read_timeout(SILENCE);
        let retries = number(settings, "WALCTL_BUCKET_RETRIES").and_then(|count| usize::try_from(count).ok());
        let retries = retries.unwrap_or(RETRIES).min(100);
        let retry = RetryConfig { max_retries: retries, retry_timeout: PATIENCE, backoff: BackoffConfig::default() };
        let url = format!("{}://{}/", place.scheme, place.bucket);
        let variables = |prefix: &'static str| {
            let own = settings.iter().filter(move |(name, _)| name.starts_with(prefix));
            own.map(|(name, value)| (name.to_ascii_lowercase(), value.as_str()))
        };
        let client: Arc<dyn ObjectStore> = match place.scheme.as_str() {
            "s3" => {
                let mut builder =
                    AmazonS3Builder::new().with_client_options(client).with_retry(retry).with_http_connector(connector);
                for (name, value) in variables("AWS_") {
                    builder = name.parse().map_or(builder.clone(), |key| builder.with_config(key, value));
                }
                Arc::new(builder.with_url(url).build()?)
            }
            "gs" => {
                let builder = GoogleCloudStorageBuilder::new().with_client_options(client).with_retry(retry);
                let mut builder = builder.with_http_connector(connector);
                for (name, value) in variables("GOOGLE_") {
                    builder = name.parse().map_or(builder.clone(), |key| builder.with_config(key, value));
                }
                Arc::new(builder.with_url(url).build()?)
            }
            _ => {
                let builder = MicrosoftAzureBuilder::new().with_client_options(client).with_retry(retry);
                let mut builder = builder.with_http_connector(connector);
                for (name, value) in variables("AZURE_") {
                    builder = name.parse().map_or(builder.clone(), |key| builder.with_config(key, value));
                }
                Arc::new(builder.with_url(url).build()?)
            }
        };
        let piece = number(settings, "WALCTL_BUCKET_PIECE").unwrap_or(PIECE).clamp(1 << 10, 1 << 30);
        Ok(Store { client, requests, sizes: Sizes::of(piece), parts: place.scheme == "s3" })
    }
}

fn number(settings: &[(String, String)], name: &str) -> Option<u64> {
    settings.iter().find(|(known, _)| known == name)?.1.parse().ok()
}

/// Makes clients that count.
#[derive(Debug)]
struct Counting(Arc<AtomicU64>);

impl HttpConnector for Counting {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        let client = ReqwestConnector::default().connect(options)?;
        Ok(HttpClient::new(Counted { client, requests: self.0.clone() }))
    }
}

#[derive(Debug)]
struct Counted {
    client: HttpClient,
    requests: Arc<AtomicU64>,
}

impl HttpService for Counted {
    fn call<'me, 'call>(
        &'me self,
        mut request: HttpRequest,
    ) -> Pin<Box<dyn Future<Output = Result<HttpResponse, HttpError>> + Send + 'call>>
    where
        'me: 'call,
        Self: 'call,
    {
        self.requests.fetch_add(1, Ordering::Relaxed);
        // The client cannot ask for this when it joins the parts of an object, and the server heeds it there as it does for a whole one. Its
        // signature does not cover this header and need not.
        let joins = request.method().as_str() == "POST" && request.uri().query().is_some_and(|query| query.contains("uploadId="));
        if joins {
            request.headers_mut().insert("if-none-match", HeaderValue::from_static("*"));
        }
        let ranged = request.headers().contains_key("range");
        Box::pin(async move {
            let mut answer = self.client.execute(request).await?;
            // Some servers answer 200 to a range and say which one it is. That is as good as 206; without it, the answer is the whole.
            if ranged && answer.status().as_u16() == 200 && answer.headers().contains_key("content-range") {
                *answer.status_mut() = 206.try_into().unwrap_or_default();
            }
            Ok(answer)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_bucket_and_a_key() {
        let key = |text: &str| BucketPath::of(Path::new(text)).map(|place| (place.bucket, place.key));
        let is = |text: &str, bucket: &str, name: &str| {
            assert_eq!(key(text).expect("it is a place"), (bucket.into(), name.into()), "{text}");
        };
        is("s3://b", "b", "");
        is("s3://b/", "b", "");
        is("s3://b/a/log/", "b", "a/log");
        is("s3:/b/a//log/./1.wal", "b", "a/log/1.wal");
        for wrong in ["s3://", "s3:///", "s3://b/../c"] {
            assert!(key(wrong).is_err(), "{wrong}");
        }
    }
}
