#![cfg_attr(fuzzing, no_main)]
#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|input: &[u8]| mcp_fuzz::handler(input));
#[cfg(not(fuzzing))]
fn main() {}
