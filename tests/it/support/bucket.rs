//! A server of object storage for tests: what walctl needs of it, and every way in which it can fail.
//!
//! It speaks HTTP/1.1 and nothing but the standard library: listings in pages, ranges, conditions, uploads in parts. It asks for a signature
//! and does not check it. A function decides what becomes of each request.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// The one bucket that there is.
pub const BUCKET: &str = "shelf";

/// A request, as a fault is chosen by it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    pub method: String,
    /// The name of the object; empty for the bucket itself.
    pub key: String,
    pub query: String,
    pub range: Option<Range<usize>>,
    pub if_match: Option<String>,
    pub if_none_match: Option<String>,
    /// How many came before it.
    pub number: usize,
}

impl Asked {
    /// Whether bytes of an object are asked for.
    pub fn is_read(&self) -> bool {
        self.method == "GET" && !self.key.is_empty()
    }
}

/// What becomes of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Answer {
    /// It is answered as it should be.
    #[default]
    Well,
    /// With this status and name of an error, and nothing is done.
    Status(u16, &'static str),
    /// The connection is broken off before anything is answered. What was asked for is done or not.
    Reset { done: bool },
    /// Nothing comes for a while; what was asked for is done.
    Stall(Duration),
    /// It comes later.
    Late(Duration),
    /// The body ends in the middle, and the connection with it.
    Truncated,
    /// The body ends in the middle, and the header says that it is as long as that.
    Short,
    /// One byte of the body is another one: the one in this place, counted round. The same one each time would be what stands there.
    Wrong(usize),
    /// The object is replaced by one of the same length first.
    Replaced,
    /// Conditions are not looked at, and a range is given with the status of a whole, as rclone's server does it.
    Unconditional,
    /// Somebody else puts this object first.
    After(String, Vec<u8>),
}

type Choose = dyn FnMut(&Asked) -> Answer + Send;

struct Object {
    bytes: Arc<Vec<u8>>,
    etag: String,
}

struct Shelf {
    objects: BTreeMap<String, Object>,
    uploads: BTreeMap<String, BTreeMap<u32, Vec<u8>>>,
    asked: Vec<Asked>,
    choose: Box<Choose>,
    made: u64,
    page: usize,
}

/// The server, until it is dropped.
pub struct Server {
    address: SocketAddr,
    shelf: Arc<Mutex<Shelf>>,
    over: Arc<AtomicBool>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        // Its own thread waits for a connection.
        drop(TcpStream::connect(self.address));
    }
}

impl Server {
    pub fn start() -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let address = listener.local_addr().expect("it has an address");
        let shelf = Shelf {
            objects: BTreeMap::new(),
            uploads: BTreeMap::new(),
            asked: Vec::new(),
            choose: Box::new(|_| Answer::Well),
            made: 0,
            page: 1000,
        };
        let server = Server { address, shelf: Arc::new(Mutex::new(shelf)), over: Arc::default() };
        let (shelf, over) = (server.shelf.clone(), server.over.clone());
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if over.load(Ordering::Relaxed) {
                    return;
                }
                let shelf = shelf.clone();
                thread::spawn(move || serve(stream, &shelf));
            }
        });
        server
    }

    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What becomes of the requests from here on; those before are forgotten.
    pub fn answers(&self, choose: impl FnMut(&Asked) -> Answer + Send + 'static) {
        let mut shelf = self.shelf();
        shelf.choose = Box::new(choose);
        shelf.asked.clear();
    }

    /// How many entries one answer to a listing holds.
    pub fn pages_of(&self, page: usize) {
        self.shelf().page = page;
    }

    pub fn put(&self, key: &str, bytes: &[u8]) {
        self.shelf().put(key, bytes.to_vec());
    }

    pub fn clear(&self) {
        self.shelf().objects.clear();
    }

    pub fn remove(&self, key: &str) {
        self.shelf().objects.remove(key);
    }

    pub fn object(&self, key: &str) -> Option<Vec<u8>> {
        self.shelf().objects.get(key).map(|object| object.bytes.to_vec())
    }

    /// What was asked since the answers were chosen.
    pub fn asked(&self) -> Vec<Asked> {
        self.shelf().asked.clone()
    }

    /// The variables with which the server is found.
    pub fn settings(&self) -> Vec<(String, String)> {
        let address = format!("http://{}", self.address);
        [
            ("AWS_ENDPOINT_URL", address.as_str()),
            ("AWS_ALLOW_HTTP", "true"),
            ("AWS_REGION", "here"),
            ("AWS_ACCESS_KEY_ID", "PUBLICNAME"),
            ("AWS_SECRET_ACCESS_KEY", "VERYSECRET"),
            ("AWS_READ_TIMEOUT", "400ms"),
            ("WALCTL_BUCKET_RETRIES", "2"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec()
    }
}

impl Shelf {
    fn put(&mut self, key: &str, bytes: Vec<u8>) -> String {
        self.made += 1;
        let etag = format!("\"{:08x}-{}\"", crc32fast::hash(&bytes), self.made);
        self.objects.insert(key.to_owned(), Object { bytes: Arc::new(bytes), etag: etag.clone() });
        etag
    }
}

/// An answer on its way.
struct Reply {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

impl Reply {
    fn of(status: u16) -> Reply {
        Reply { status, headers: Vec::new(), body: Vec::new() }
    }

    fn error(status: u16, code: &str) -> Reply {
        let body =
            format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code><AWSAccessKeyId>PUBLICNAME</AWSAccessKeyId></Error>");
        Reply { body: body.into_bytes(), ..Reply::of(status) }
    }

    fn with(mut self, name: &'static str, value: impl Into<String>) -> Reply {
        self.headers.push((name, value.into()));
        self
    }
}

fn serve(stream: TcpStream, shelf: &Mutex<Shelf>) {
    let _ = stream.set_nodelay(true);
    let Ok(mut out) = stream.try_clone() else { return };
    let mut from = BufReader::new(stream);
    while let Some((mut asked, body, signed)) = request(&mut from) {
        let (answer, reply) = {
            let mut shelf = shelf.lock().unwrap_or_else(PoisonError::into_inner);
            asked.number = shelf.asked.len();
            let answer = (shelf.choose)(&asked);
            shelf.asked.push(asked.clone());
            if answer == Answer::Replaced
                && let Some(object) = shelf.objects.get(&asked.key)
            {
                let bytes = object.bytes.iter().map(|byte| byte ^ 1).collect();
                shelf.put(&asked.key, bytes);
            }
            if let Answer::After(key, bytes) = &answer {
                shelf.put(key, bytes.clone());
            }
            let undone = matches!(answer, Answer::Status(..) | Answer::Reset { done: false });
            let conditions = answer != Answer::Unconditional;
            let reply = match (&answer, signed) {
                (Answer::Status(status, code), _) => Reply::error(*status, code),
                (_, false) => Reply::error(403, "AccessDenied"),
                _ if undone => Reply::of(500),
                _ => shelf.reply(&asked, body, conditions),
            };
            let reply = if !conditions && reply.status == 206 { Reply { status: 200, ..reply } } else { reply };
            (answer, reply)
        };
        let whole = reply.body.len();
        let mut body = reply.body;
        let mut length = whole;
        match answer {
            Answer::Reset { .. } => {
                let _ = out.shutdown(std::net::Shutdown::Both);
                return;
            }
            Answer::Stall(time) | Answer::Late(time) => thread::sleep(time),
            Answer::Truncated => body.truncate(whole / 2),
            Answer::Short => {
                body.truncate(whole / 2);
                length = whole / 2;
            }
            Answer::Wrong(at) if whole > 0 => body[at % whole] ^= 0x10,
            _ => {}
        }
        let mut head = format!("HTTP/1.1 {} Answer\r\nContent-Length: {length}\r\n", reply.status);
        for (name, value) in &reply.headers {
            let _ = write!(head, "{name}: {value}\r\n");
        }
        head += "\r\n";
        let sent =
            out.write_all(head.as_bytes()).and_then(|()| if asked.method == "HEAD" { Ok(()) } else { out.write_all(&body) });
        if sent.is_err() || body.len() < length {
            let _ = out.shutdown(std::net::Shutdown::Both);
            return;
        }
    }
}

/// A request with its body, and whether it is signed.
fn request(from: &mut BufReader<TcpStream>) -> Option<(Asked, Vec<u8>, bool)> {
    let mut line = String::new();
    from.read_line(&mut line).ok().filter(|count| *count > 0)?;
    let mut words = line.split_whitespace();
    let mut asked = Asked { method: words.next()?.to_owned(), ..Asked::default() };
    let (path, query) = words.next()?.split_once('?').map_or((line.split_whitespace().nth(1)?, ""), |parts| parts);
    let inside = path.strip_prefix('/')?;
    asked.key = plain(inside.split_once('/').map_or("", |(_, key)| key));
    asked.query = query.to_owned();
    let (mut length, mut signed) = (0, false);
    loop {
        let mut line = String::new();
        from.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.parse().ok()?,
            "authorization" => signed = value.contains("Signature="),
            "if-match" => asked.if_match = Some(value.to_owned()),
            "if-none-match" => asked.if_none_match = Some(value.to_owned()),
            "range" => {
                let (from, to) = value.strip_prefix("bytes=")?.split_once('-')?;
                // A range without a beginning counts from the end, which not every server knows.
                asked.range = Some(from.parse().expect("a range has a beginning")..to.parse::<usize>().expect("and an end") + 1);
            }
            _ => {}
        }
    }
    let mut body = vec![0; length];
    from.read_exact(&mut body).ok()?;
    Some((asked, body, signed))
}

fn plain(text: &str) -> String {
    let (mut out, mut bytes) = (Vec::new(), text.bytes());
    while let Some(byte) = bytes.next() {
        let digits = [bytes.clone().next(), bytes.clone().nth(1)];
        match (byte, digits) {
            (b'%', [Some(high), Some(low)]) => {
                let hex = String::from_utf8_lossy(&[high, low]).into_owned();
                out.push(u8::from_str_radix(&hex, 16).expect("two hex digits follow"));
                bytes.nth(1);
            }
            _ => out.push(byte),
        }
    }
    String::from_utf8(out).expect("keys are text")
}

fn parameter(query: &str, name: &str) -> Option<String> {
    query.split('&').find_map(|part| part.strip_prefix(name)?.strip_prefix('=')).map(plain)
}

impl Shelf {
    fn reply(&mut self, asked: &Asked, body: Vec<u8>, conditions: bool) -> Reply {
        let upload = parameter(&asked.query, "uploadId");
        let taken = conditions && asked.if_none_match.as_deref() == Some("*") && self.objects.contains_key(&asked.key);
        match (asked.method.as_str(), upload) {
            ("GET", _) if asked.key.is_empty() => self.list(&asked.query),
            ("GET" | "HEAD", _) => self.get(asked, conditions),
            ("PUT", Some(upload)) => {
                let number =
                    parameter(&asked.query, "partNumber").and_then(|number| number.parse().ok()).expect("a part has a number");
                match self.uploads.get_mut(&upload) {
                    Some(parts) => {
                        parts.insert(number, body);
                        Reply::of(200).with("ETag", format!("\"part-{number}\""))
                    }
                    None => Reply::error(404, "NoSuchUpload"),
                }
            }
            ("PUT", None) if taken => Reply::error(412, "PreconditionFailed"),
            ("PUT", None) => Reply::of(200).with("ETag", self.put(&asked.key, body)),
            ("POST", None) => {
                self.made += 1;
                let upload = format!("upload-{}", self.made);
                let body =
                    format!("<InitiateMultipartUploadResult><UploadId>{upload}</UploadId></InitiateMultipartUploadResult>");
                self.uploads.insert(upload, BTreeMap::new());
                Reply { body: body.into_bytes(), ..Reply::of(200) }
            }
            ("POST", Some(_)) if taken => Reply::error(412, "PreconditionFailed"),
            ("POST", Some(upload)) => match self.uploads.remove(&upload) {
                Some(parts) => {
                    let etag = self.put(&asked.key, parts.into_values().flatten().collect());
                    let etag = etag.replace('"', "&quot;");
                    let body = format!("<CompleteMultipartUploadResult><ETag>{etag}</ETag></CompleteMultipartUploadResult>");
                    Reply { body: body.into_bytes(), ..Reply::of(200) }
                }
                None => Reply::error(404, "NoSuchUpload"),
            },
            ("DELETE", Some(upload)) => {
                self.uploads.remove(&upload);
                Reply::of(204)
            }
            _ => Reply::error(405, "MethodNotAllowed"),
        }
    }

    fn get(&self, asked: &Asked, conditions: bool) -> Reply {
        let Some(object) = self.objects.get(&asked.key) else { return Reply::error(404, "NoSuchKey") };
        if conditions && asked.if_match.as_ref().is_some_and(|wanted| *wanted != object.etag) {
            return Reply::error(412, "PreconditionFailed");
        }
        let all = object.bytes.len();
        let reply =
            |status| Reply::of(status).with("ETag", object.etag.clone()).with("Last-Modified", "Mon, 02 Nov 2026 10:00:00 GMT");
        let Some(range) = asked.range.clone() else { return Reply { body: object.bytes.to_vec(), ..reply(200) } };
        if range.start >= all {
            return Reply::error(416, "InvalidRange");
        }
        let range = range.start..range.end.min(all);
        let reply = reply(206).with("Content-Range", format!("bytes {}-{}/{all}", range.start, range.end - 1));
        Reply { body: object.bytes[range].to_vec(), ..reply }
    }

    fn list(&self, query: &str) -> Reply {
        let prefix = parameter(query, "prefix").unwrap_or_default();
        let after = parameter(query, "continuation-token").unwrap_or_default();
        let mut entries: BTreeMap<String, Option<&Object>> = BTreeMap::new();
        for (key, object) in self.objects.iter().filter(|(key, _)| key.starts_with(&prefix)) {
            match key[prefix.len()..].split_once('/') {
                Some((folder, _)) => entries.insert(format!("{prefix}{folder}/"), None),
                None => entries.insert(key.clone(), Some(object)),
            };
        }
        entries.retain(|key, _| *key > after);
        let mut body = String::from("<?xml version=\"1.0\"?><ListBucketResult>");
        let more = entries.len() > self.page;
        for (key, object) in entries.iter().take(self.page) {
            let _ = match object {
                None => write!(body, "<CommonPrefixes><Prefix>{key}</Prefix></CommonPrefixes>"),
                Some(object) => write!(
                    body,
                    "<Contents><Key>{key}</Key><LastModified>2026-11-02T10:00:00.000Z</LastModified><ETag>{}</ETag><Size>{}</Size></Contents>",
                    object.etag.replace('"', "&quot;"),
                    object.bytes.len()
                ),
            };
        }
        let last = entries.keys().take(self.page).next_back().cloned().unwrap_or_default();
        let token = if more { format!("<NextContinuationToken>{last}</NextContinuationToken>") } else { String::new() };
        let _ = write!(body, "<IsTruncated>{more}</IsTruncated>{token}</ListBucketResult>");
        Reply { body: body.into_bytes(), ..Reply::of(200) }
    }
}
