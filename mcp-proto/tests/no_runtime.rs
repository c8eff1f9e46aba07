//! The example that needs no runtime prints what it says.

#[path = "../examples/no_runtime.rs"]
#[allow(dead_code)]
mod no_runtime;

#[test]
fn plain_threads_and_blocking_pipes_are_enough() {
    let mut out = Vec::new();
    no_runtime::run(&mut out).unwrap();
    assert_eq!(
        String::from_utf8(out).unwrap(),
        "1 of Some(3.0)\n2 of Some(3.0)\n3 of Some(3.0)\nresized 3 images\n"
    );
}
