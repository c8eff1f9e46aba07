//! Who owns a raw field: the candidates behind `docs/decisions/0001-who-owns-a-raw-field.md`.

use std::borrow::Cow;
use std::hint::black_box;

use mcp_proto::json::Raw;
use mcp_proto::{CallToolResult, RawJson};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::Case;
use crate::meter::{Plan, Sample, measured};

pub const CASES: [(&str, Case); 8] = [
    ("raw-field/call/lazy", |plan| {
        run(plan, &call(), |call| {
            let name = call.get("name");
            black_box((name.and_then(|name| name.as_str()), call.get("arguments")));
        })
    }),
    ("raw-field/call/borrowed", |plan| {
        run(plan, &call(), |call| {
            black_box(call.as_raw().decode::<Borrowed<'_>>().expect("a call"));
        })
    }),
    ("raw-field/call/copied", |plan| {
        run(plan, &call(), |call| {
            black_box(call.decode::<Copied>().expect("a call"));
        })
    }),
    ("raw-field/call/serde_json-raw", |plan| {
        run(plan, &call(), |call| {
            black_box(serde_json::from_slice::<Foreign<'_>>(call.as_bytes()).expect("a call"));
        })
    }),
    ("raw-field/call/serde_json-value", |plan| {
        run(plan, &call(), |call| {
            black_box(serde_json::from_slice::<Tree>(call.as_bytes()).expect("a call"));
        })
    }),
    ("raw-field/block/borrowed", |plan| {
        run(plan, &result(), |result| {
            black_box(result.as_raw().decode::<Blocks<'_>>().expect("a result"));
        })
    }),
    ("raw-field/block/two-passes", |plan| {
        run(plan, &result(), |result| {
            black_box(result.decode::<CallToolResult>().expect("a result"));
        })
    }),
    ("raw-field/block/serde_json-tagged", |plan| {
        run(plan, &result(), |result| {
            black_box(serde_json::from_slice::<Tagged>(result.as_bytes()).expect("a result"));
        })
    }),
];

#[derive(Deserialize)]
#[allow(dead_code)] // decoding is what counts
struct Borrowed<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(borrow)]
    arguments: Option<Raw<'a>>,
}

#[derive(Deserialize)]
#[allow(dead_code)]
struct Copied {
    name: String,
    arguments: Option<RawJson>,
}

#[derive(Deserialize)]
#[allow(dead_code)]
struct Foreign<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(borrow)]
    arguments: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[allow(dead_code)]
struct Tree {
    name: String,
    arguments: Option<serde_json::Value>,
}

#[derive(Deserialize)]
#[allow(dead_code)]
struct Blocks<'a> {
    #[serde(borrow)]
    content: Vec<Block<'a>>,
}

#[derive(Deserialize)]
#[allow(dead_code)]
struct Block<'a> {
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    text: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
#[allow(dead_code)]
struct Tagged {
    content: Vec<TaggedBlock>,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[allow(dead_code)]
enum TaggedBlock {
    Text { text: String },
    Image { data: String },
}

fn run(plan: &Plan, value: &RawJson, read: impl Fn(&RawJson)) -> Sample {
    (0..plan.warm_up).for_each(|_| read(value));
    measured(plan.messages, || (0..plan.messages).for_each(|_| read(value)))
}

fn call() -> RawJson {
    let text = r#"{"name":"resize_images","arguments":{"width":800,"height":600,"path":"/home/user/pictures/2026/image-0001.png","quality":0.85,"formats":["png","webp","avif"],"overwrite":false},"_meta":{"progressToken":7}}"#;
    RawJson::parse(text).expect("JSON")
}

/// One text of 1 kB with an escape every 14 bytes.
fn result() -> RawJson {
    let text = r"lorem ipsum \n".repeat(71);
    let text = format!(r#"{{"content":[{{"type":"text","text":"{text}"}}],"isError":false}}"#);
    RawJson::parse(text).expect("JSON")
}
