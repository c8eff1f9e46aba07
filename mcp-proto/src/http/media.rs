//! What a request carries, and what its sender can take.

use http::header::{ACCEPT, CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue};

pub(crate) const JSON: &str = "application/json";
/// What a client takes.
pub(crate) const BOTH: &str = "application/json, text/event-stream";
pub(crate) const EVENT_STREAM: &str = "text/event-stream";

/// The two kinds of answer, and whether a client takes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Accepts {
    pub(crate) json: bool,
    pub(crate) stream: bool,
}

impl Accepts {
    /// Who says nothing takes everything: RFC 9110, 12.5.1.
    pub(crate) fn read(headers: &HeaderMap) -> Self {
        let mut values = headers.get_all(ACCEPT).iter();
        match (values.next(), values.next()) {
            (None, _) => Self { json: true, stream: true },
            (Some(value), None) => Self::known(value).unwrap_or_else(|| Self::weighed(headers)),
            _ => Self::weighed(headers),
        }
    }

    /// What clients mostly say, without weighing it.
    fn known(value: &HeaderValue) -> Option<Self> {
        let (json, stream) = match value.as_bytes() {
            b"application/json, text/event-stream"
            | b"application/json,text/event-stream"
            | b"text/event-stream, application/json"
            | b"*/*" => (true, true),
            b"application/json" => (true, false),
            b"text/event-stream" => (false, true),
            _ => return None,
        };
        Some(Self { json, stream })
    }

    fn weighed(headers: &HeaderMap) -> Self {
        Self { json: is_accepted(headers, JSON), stream: is_accepted(headers, EVENT_STREAM) }
    }
}

/// Whether the range that fits `media` best does not refuse it.
fn is_accepted(headers: &HeaderMap, media: &str) -> bool {
    let (kind, _) = media.split_once('/').unwrap_or_default();
    let fit = |range: &str| match range {
        _ if range.eq_ignore_ascii_case(media) => 3,
        "*/*" => 1,
        _ => match range.strip_suffix("/*") {
            Some(of) if of.eq_ignore_ascii_case(kind) => 2,
            _ => 0,
        },
    };
    let ranges = values(headers, &ACCEPT).flat_map(|value| value.split(','));
    let best = ranges
        .map(|range| {
            let (range, parameters) = range.split_once(';').unwrap_or((range, ""));
            (fit(range.trim()), !is_refused(parameters))
        })
        .max();
    matches!(best, Some((1.., true)))
}

/// Whether the weight among these parameters is zero.
fn is_refused(parameters: &str) -> bool {
    parameters.split(';').any(|parameter| {
        let (name, value) = parameter.split_once('=').unwrap_or_default();
        let digits = value.trim().strip_prefix('0');
        name.trim().eq_ignore_ascii_case("q")
            && digits.is_some_and(|digits| digits.bytes().all(|byte| matches!(byte, b'.' | b'0')))
    })
}

/// Whether a message says that its body is of this kind, in UTF-8.
pub(crate) fn is_of(headers: &HeaderMap, media: &str) -> bool {
    let mut types = values(headers, &CONTENT_TYPE);
    let (Some(value), None) = (types.next(), types.next()) else { return false };
    let mut parts = value.split(';');
    let is_media = parts.next().is_some_and(|part| part.trim().eq_ignore_ascii_case(media));
    is_media
        && parts.all(|parameter| {
            let (name, value) = parameter.split_once('=').unwrap_or_default();
            !name.trim().eq_ignore_ascii_case("charset")
                || value.trim().trim_matches('"').eq_ignore_ascii_case("utf-8")
        })
}

/// Whether the body is as it is, and not compressed: a few bytes could become gigabytes.
pub(crate) fn is_plain(headers: &HeaderMap) -> bool {
    headers.get_all(CONTENT_ENCODING).iter().all(|coding| coding.as_bytes() == b"identity")
}

/// The values of a header that are text.
fn values<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    headers.get_all(name).iter().map(|value| value.to_str().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: &HeaderName, values: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(name, HeaderValue::from_str(value).unwrap());
        }
        headers
    }

    #[test]
    fn a_client_takes_what_it_names() {
        for (values, json, stream) in [
            (&[][..], true, true),
            (&["application/json, text/event-stream"], true, true),
            (&["application/json", "text/event-stream"], true, true),
            (&["Application/JSON;q=0.9,text/event-stream; q=0.1"], true, true),
            (&["text/event-stream"], false, true),
            (&["*/*"], true, true),
            (&["text/*"], false, true),
            (&["*/*, text/event-stream;q=0"], true, false),
            (&["text/event-stream;q=0.000, application/json"], true, false),
            (&["text/html"], false, false),
            (&["application/json-seq"], false, false),
            (&[""], false, false),
        ] {
            let read = Accepts::read(&headers(&ACCEPT, values));
            assert_eq!(read, Accepts { json, stream }, "{values:?}");
        }
    }

    #[test]
    fn what_is_known_without_weighing_it_weighs_the_same() {
        for value in [
            BOTH,
            "application/json,text/event-stream",
            "text/event-stream, application/json",
            "*/*",
            JSON,
            EVENT_STREAM,
        ] {
            let headers = headers(&ACCEPT, &[value]);
            let known = Accepts::known(&headers[ACCEPT]);
            assert_eq!(known, Some(Accepts::weighed(&headers)), "{value}");
        }
        for value in ["", "*", "text/*", "Application/JSON", "application/json;q=0"] {
            assert_eq!(Accepts::known(&HeaderValue::from_static(value)), None, "{value}");
        }
    }

    #[test]
    fn a_body_is_what_it_says() {
        for (values, is_json) in [
            (&["application/json"][..], true),
            (&["application/json; charset=utf-8"], true),
            (&["APPLICATION/JSON;charset=\"UTF-8\";a=b"], true),
            (&["application/json; charset=utf-16"], false),
            (&["text/plain"], false),
            (&["application/jsonp"], false),
            (&["application/json", "text/plain"], false),
            (&[], false),
        ] {
            assert_eq!(is_of(&headers(&CONTENT_TYPE, values), JSON), is_json, "{values:?}");
        }
    }

    #[test]
    fn compressed_bodies_are_told() {
        assert!(is_plain(&headers(&CONTENT_ENCODING, &[])));
        assert!(is_plain(&headers(&CONTENT_ENCODING, &["identity"])));
        assert!(!is_plain(&headers(&CONTENT_ENCODING, &["gzip"])));
        assert!(!is_plain(&headers(&CONTENT_ENCODING, &["identity", "br"])));
    }
}
