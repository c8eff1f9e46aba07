//! Headers that repeat a body: the server passes a request exactly if they say the same, read by the words of the page.

use arbitrary::{Arbitrary, Unstructured};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request};
use mcp_proto::http::{Caller, Server, ServerOptions};
use mcp_proto::{Event, Instant, RawJson, Revision, ServerConfig};
use serde_json::{Value, json};

/// A call of a tool, and headers that may belong to it.
#[derive(Debug, Arbitrary)]
struct Call {
    name: Text,
    region: Option<Text>,
    shard: Option<i64>,
    on: Option<bool>,
    headers: Vec<(Header, Word)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Arbitrary)]
enum Header {
    Version,
    Method,
    Name,
    Region,
    Shard,
    On,
    Other,
}

/// What a header says.
#[derive(Debug, Arbitrary)]
enum Word {
    /// What it should.
    Right,
    /// The same in Base64.
    Encoded,
    /// The same, with space around it.
    Padded,
    /// A number in another spelling.
    Spelled(u8),
    Raw(Vec<u8>),
}

#[derive(Clone, Debug, Arbitrary)]
enum Text {
    Short(u8),
    Any(String),
    Marked(String),
}

impl Text {
    fn text(&self) -> String {
        match self {
            Self::Short(byte) => {
                ["a", "b", "é", " a", "a ", "", "42", "true"][usize::from(byte % 8)].into()
            }
            Self::Any(text) => text.clone(),
            Self::Marked(text) => format!("=?base64?{text}?="),
        }
    }
}

const ALL: [Header; 6] =
    [Header::Version, Header::Method, Header::Name, Header::Region, Header::Shard, Header::On];

impl Header {
    fn name(self) -> &'static str {
        match self {
            Self::Version => "mcp-protocol-version",
            Self::Method => "mcp-method",
            Self::Name => "mcp-name",
            Self::Region => "mcp-param-region",
            Self::Shard => "mcp-param-shard",
            Self::On => "mcp-param-on",
            Self::Other => "mcp-param-other",
        }
    }
}

impl Call {
    /// What the body says where a header repeats it.
    fn says(&self, header: Header) -> Option<String> {
        match header {
            Header::Version => Some(Revision::LATEST.as_str().into()),
            Header::Method => Some("tools/call".into()),
            Header::Name => Some(self.name.text()),
            Header::Region => self.region.as_ref().map(Text::text),
            Header::Shard => self.shard.map(|shard| shard.to_string()),
            Header::On => self.on.map(|on| on.to_string()),
            Header::Other => None,
        }
    }

    fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (header, word) in &self.headers {
            let right = self.says(*header).unwrap_or_default();
            let value = match word {
                Word::Right => right.into_bytes(),
                Word::Encoded => format!("=?base64?{}?=", base64(right.as_bytes())).into_bytes(),
                Word::Padded => format!(" \t{right} ").into_bytes(),
                Word::Spelled(how) => spelled(&right, *how).into_bytes(),
                Word::Raw(raw) => raw.clone(),
            };
            if let Ok(value) = HeaderValue::from_bytes(&value) {
                headers.append(header.name(), value);
            }
        }
        headers
    }

    fn body(&self) -> Value {
        let mut arguments = json!({});
        if let Some(region) = &self.region {
            arguments["region"] = region.text().into();
        }
        if let Some(shard) = self.shard {
            arguments["shard"] = shard.into();
        }
        if let Some(on) = self.on {
            arguments["deep"] = json!({ "on": on });
        }
        json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {
            "name": self.name.text(), "arguments": arguments, "_meta": {
                "io.modelcontextprotocol/protocolVersion": Revision::LATEST.as_str(),
                "io.modelcontextprotocol/clientCapabilities": {}}}})
    }

    /// The page, header by header.
    fn is_right(&self, headers: &HeaderMap) -> bool {
        const SAFE: i64 = (1 << 53) - 1;
        ALL.iter().all(|header| {
            let values: Vec<_> = headers.get_all(header.name()).iter().collect();
            // An integer that not every program can hold cannot be repeated, and so not be said.
            let is_held = self.shard.is_none_or(|shard| (-SAFE..=SAFE).contains(&shard));
            if *header == Header::Shard && !is_held {
                return false;
            }
            match (&values[..], self.says(*header)) {
                ([], None) => true,
                ([value], Some(said)) => {
                    let trimmed = value.as_bytes().trim_ascii();
                    if matches!(header, Header::Version | Header::Method) {
                        return trimmed == said.as_bytes();
                    }
                    let Some(text) = decode(trimmed) else { return false };
                    let is_integer = *header == Header::Shard;
                    text == said || (is_integer && is_same_number(&text, &said))
                }
                _ => false,
            }
        })
    }
}

/// `mcp_proto` has its own; this one is slow and plain.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for three in bytes.chunks(3) {
        let bits =
            (0..3).fold(0_u32, |bits, at| bits << 8 | u32::from(*three.get(at).unwrap_or(&0)));
        for at in 0..4 {
            let is_there = at <= three.len();
            let digit = DIGITS[(bits >> (18 - 6 * at)) as usize & 63];
            text.push(if is_there { char::from(digit) } else { '=' });
        }
    }
    text
}

fn decode(value: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(value).ok()?;
    if !text.bytes().all(|byte| byte == b'\t' || (0x20..0x7F).contains(&byte)) {
        return None;
    }
    let Some(encoded) = text.strip_prefix("=?base64?").and_then(|text| text.strip_suffix("?="))
    else {
        return Some(text.to_owned());
    };
    let known = encoded.len().is_multiple_of(4).then_some(encoded)?;
    let mut bytes = Vec::new();
    let digits = known.trim_end_matches('=');
    let (mut bits, mut count) = (0_u32, 0);
    for digit in digits.bytes() {
        let value = match digit {
            b'A'..=b'Z' => digit - b'A',
            b'a'..=b'z' => digit - b'a' + 26,
            b'0'..=b'9' => digit - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = (bits << 6 | u32::from(value)) & 0xFFFF;
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
        }
    }
    // Written in the one way in which an encoder writes it.
    (base64(&bytes) == encoded).then(|| String::from_utf8(bytes).ok()).flatten()
}

fn is_same_number(one: &str, other: &str) -> bool {
    let number = |text: &str| {
        let value =
            text.parse::<i64>().map(|value| value as f64).or_else(|_| text.parse::<f64>()).ok()?;
        (value.fract() == 0.0 && value.abs() < 9_007_199_254_740_992.0).then_some(value)
    };
    number(one).is_some() && number(one) == number(other)
}

fn spelled(number: &str, how: u8) -> String {
    match how % 5 {
        0 => format!("{number}.0"),
        1 => format!("{number}e0"),
        2 => format!("0{number}"),
        3 => format!("+{number}"),
        _ => number.to_uppercase(),
    }
}

/// The first bytes are the call, as `arbitrary` reads it.
pub fn headers(input: &[u8]) {
    let Ok(call) = Call::arbitrary(&mut Unstructured::new(input)) else { return };
    let schema = RawJson::parse(
        r#"{"type":"object","properties":{"region":{"type":"string","x-mcp-header":"Region"},
            "shard":{"type":"integer","x-mcp-header":"Shard"},
            "deep":{"type":"object","properties":{"on":{"type":"boolean","x-mcp-header":"On"}}}}}"#,
    );
    let options = ServerOptions::default().mirror(&call.name.text(), &schema.expect("JSON"));
    let mut options = options.expect("annotations");
    (options.max_head_fields, options.max_head_len) = (usize::MAX, usize::MAX);
    options.max_mirrored_len = usize::MAX;
    let mut server = Server::new(ServerConfig::new("s", "1"), options);
    let headers = call.headers();
    let mut request =
        Request::post("/mcp").body(Bytes::from(call.body().to_string())).expect("one");
    *request.headers_mut() = headers.clone();
    for (name, value) in [("host", "localhost"), ("content-type", "application/json")] {
        request.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    let (head, body) = request.into_parts();
    let admission = server.handle_head(&head).expect("it may come in");
    let request = Request::from_parts(head, body);
    let exchange = server.handle_request(admission, request, Caller::default(), Instant::ZERO);
    let exchange = exchange.expect("there is room");
    let passed = matches!(server.poll_event(), Some((_, Event::Request { .. })));
    assert_eq!(passed, call.is_right(&headers), "{headers:?}");
    if !passed {
        let head = server.poll_head(exchange).expect("it is refused at once");
        assert_eq!(head.status(), 400);
    }
}

#[test]
fn the_reference_reads_what_it_writes() {
    for text in ["", "a", "ab", "abc", "abcd", "\u{0}\u{7FF}é"] {
        let encoded = format!("=?base64?{}?=", base64(text.as_bytes()));
        assert_eq!(decode(encoded.as_bytes()).as_deref(), Some(text));
    }
    assert_eq!((base64(b"Hello"), decode(b"=?base64?SGVsbG8?=")), ("SGVsbG8=".into(), None));
}
