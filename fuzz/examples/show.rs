//! What an input of `endpoint_ops` or `pair` stands for, so that a crash can be read:
//! `cargo run -p mcp-fuzz --example show -- endpoint_ops FILE`.

use std::fs;

use arbitrary::{Arbitrary, Unstructured};
use mcp_proto::testing::ops::{PairSchedule, SoloSchedule};

fn main() {
    let mut arguments = std::env::args().skip(1);
    let (Some(target), Some(file)) = (arguments.next(), arguments.next()) else {
        return eprintln!("usage: show endpoint_ops|pair FILE");
    };
    let input = match fs::read(&file) {
        Ok(input) => input,
        Err(error) => return eprintln!("{file}: {error}"),
    };
    let mut input = Unstructured::new(&input);
    match target.as_str() {
        "endpoint_ops" => println!("{:#?}", SoloSchedule::arbitrary(&mut input)),
        "pair" => println!("{:#?}", PairSchedule::arbitrary(&mut input)),
        _ => eprintln!("{target}: only inputs of endpoint_ops and pair are schedules"),
    }
}
