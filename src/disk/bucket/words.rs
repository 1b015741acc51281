//! What went wrong on the way, in words. Nothing of what a server or a library says is passed on but numbers and names: their texts hold
//! keys and signed addresses.

/// Why a request failed for good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WayFailure {
    /// Nothing of that name is there.
    Gone,
    /// Something else stands there now.
    Replaced,
    /// Something stands there already.
    Taken,
    /// All else.
    Failed {
        /// In words.
        why: String,
        /// Credentials are lacking, or were not accepted.
        denied: bool,
    },
}

impl WayFailure {
    /// A failure of our own finding.
    pub fn of(why: &str) -> WayFailure {
        WayFailure::Failed { why: why.to_owned(), denied: false }
    }

    /// In words, and whether it is about credentials.
    pub fn words(self) -> (String, bool) {
        match self {
            WayFailure::Gone => ("it is not there any more".into(), false),
            WayFailure::Replaced => ("it was replaced while it was read".into(), false),
            WayFailure::Taken => ("something stands there already".into(), false),
            WayFailure::Failed { why, denied } => (why, denied),
        }
    }
}

impl From<object_store::Error> for WayFailure {
    fn from(error: object_store::Error) -> WayFailure {
        use object_store::Error as E;
        let text = error.to_string();
        let no_bucket = code(&text).is_some_and(|code| code == "NoSuchBucket" || code == "ContainerNotFound");
        match &error {
            _ if no_bucket => WayFailure::of("there is no such bucket"),
            E::NotFound { .. } => WayFailure::Gone,
            E::Precondition { .. } | E::NotModified { .. } => WayFailure::Replaced,
            E::AlreadyExists { .. } => WayFailure::Taken,
            _ => WayFailure::Failed { why: why(&error, &text), denied: is_denied(&error, &text) },
        }
    }
}

/// Where a machine is asked for its credentials, and what the client says when it was given none. Names of objects have no such words, as far
/// as that can be.
const NO_CREDENTIALS: [&str; 8] = [
    "//169.254.",
    "/latest/api/token",
    "/latest/meta-data/",
    "/computeMetadata/",
    "metadata/identity/oauth2",
    "issing SecretAccessKey",
    "issing AccessKeyId",
    "ccount must be specified",
];

fn is_denied(error: &object_store::Error, text: &str) -> bool {
    use object_store::Error as E;
    matches!(error, E::PermissionDenied { .. } | E::Unauthenticated { .. })
        || matches!(status(text), Some(401 | 403))
        || NO_CREDENTIALS.iter().any(|word| text.contains(word))
}

fn why(error: &object_store::Error, text: &str) -> String {
    let tries = after(text, "after ").and_then(|rest| rest.strip_suffix_number(" retries"));
    let asked = tries.map_or_else(String::new, |more| format!(" (asked {} times)", more + 1));
    if let Some(status) = status(text) {
        let code = code(text).map_or_else(String::new, |code| format!(" {code}"));
        return match status {
            401 | 403 => format!("the server refuses it: {status}{code}"),
            _ => format!("the server answers {status}{code}{asked}"),
        };
    }
    if is_denied(error, text) {
        return format!("no credentials were found{asked}");
    }
    if text.contains("redirect without LOCATION") {
        return "the server sends us elsewhere: is the region right?".into();
    }
    if text.contains("URL scheme is not allowed") {
        return "its address is one of http, which must be allowed by AWS_ALLOW_HTTP=true or the like".into();
    }
    let mut cause: &dyn std::error::Error = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    let words = cause.to_string();
    let words = words.split(" (os error").next().unwrap_or_default();
    // An address may be signed.
    let words = if words.contains("://") || words.len() > 160 { "the request failed" } else { words };
    let mut chars = words.chars();
    let words = chars.next().map_or_else(String::new, |first| first.to_lowercase().chain(chars).collect());
    format!("{words}{asked}")
}

fn after<'a>(text: &'a str, mark: &str) -> Option<&'a str> {
    text.split_once(mark).map(|(_, rest)| rest)
}

trait Number {
    /// The number that stands at the front, if this follows it.
    fn strip_suffix_number(&self, follows: &str) -> Option<u64>;
}

impl Number for str {
    fn strip_suffix_number(&self, follows: &str) -> Option<u64> {
        let digits = self.len() - self.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        self[digits..].starts_with(follows).then(|| self[..digits].parse().ok())?
    }
}

/// The number of an answer that was no success.
fn status(text: &str) -> Option<u16> {
    let rest = after(text, "status code: ")?;
    rest.get(..3)?.parse().ok()
}

/// The name that the server has for what went wrong.
fn code(text: &str) -> Option<&str> {
    let code = after(text, "<Code>")?.split("</Code>").next()?;
    (code.len() <= 64 && code.bytes().all(|b| b.is_ascii_alphanumeric())).then_some(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn generic(text: &'static str) -> object_store::Error {
        object_store::Error::Generic { store: "S3", source: text.into() }
    }

    #[test]
    fn a_status_and_its_name_are_passed_on_and_nothing_else_of_an_answer() {
        let text = "Error performing GET https://b/k?X-Amz-Signature=SECRET in 1s, after 5 retries, max_retries: 5, retry_timeout: 60s  - Server \
                    returned non-2xx status code: 503 Service Unavailable: <Error><Code>SlowDown</Code><AWSAccessKeyId>KEY</AWSAccessKeyId></Error>";
        let words = WayFailure::from(generic(text)).words();
        assert_eq!(words, ("the server answers 503 SlowDown (asked 6 times)".into(), false));
        let text = "Server returned non-2xx status code: 400 Bad Request: <Error><Code>Expired<b>SECRET</Code></Error>";
        assert_eq!(WayFailure::from(generic(text)).words().0, "the server answers 400");
        let denied = object_store::Error::PermissionDenied {
            path: "k".into(),
            source: "status code: 403 Forbidden: <Code>ExpiredToken</Code><Message>KEY".into(),
        };
        assert_eq!(WayFailure::from(denied).words(), ("the server refuses it: 403 ExpiredToken".into(), true));
    }

    #[test]
    fn an_address_is_never_passed_on() {
        let words = WayFailure::from(generic("relative URL https://b/?sig=SECRET")).words().0;
        assert!(!words.contains("SECRET"), "{words}");
        assert_eq!(WayFailure::from(generic("Connection refused (os error 111)")).words().0, "connection refused");
        let cases = [
            ("status code: 404 Not Found: <Code>NoSuchBucket</Code>", "there is no such bucket", false),
            ("missing SecretAccessKey", "no credentials were found", true),
            ("HTTP error: builder error: URL scheme is not allowed", "its address is one of http", false),
        ];
        for (text, told, denied) in cases {
            let (words, is) = WayFailure::from(generic(text)).words();
            assert!(words.starts_with(told) && is == denied, "{words}");
        }
    }
}
