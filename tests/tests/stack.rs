//! `.ci/run tests` runs the tests of the engine on small stacks. This one shows that it would be noticed if
//! something needed more.

use std::hint::black_box;
use std::process::Command;

const NAME: &str = "a_test_has_the_stack_that_it_was_given_and_no_more";
const DEPTH: &str = "MCP_TESTS_STACK_KIB";

/// Uses so many KiB of the stack, at one KiB a call or a little more.
fn recurse(kib: usize) -> u8 {
    let page = black_box([kib as u8; 1 << 10]);
    if kib == 0 { page[0] } else { recurse(kib - 1).wrapping_add(page[kib % page.len()]) }
}

#[test]
fn a_test_has_the_stack_that_it_was_given_and_no_more() {
    if let Ok(kib) = std::env::var(DEPTH) {
        black_box(recurse(kib.parse().unwrap()));
        return;
    }
    let survives = |kib: &str| {
        let mut again = Command::new(std::env::current_exe().unwrap());
        again.args(["--exact", NAME]).env(DEPTH, kib);
        // With one thread the tests would run on the stack of the process itself.
        again.env("RUST_MIN_STACK", "262144").env("RUST_TEST_THREADS", "2");
        again.output().unwrap()
    };
    let passed = survives("60");
    assert!(passed.status.success(), "{passed:?}");
    assert!(String::from_utf8_lossy(&passed.stdout).contains("1 passed"), "{passed:?}");
    let overflowed = survives("260");
    assert!(!overflowed.status.success(), "{overflowed:?}");
    assert!(
        String::from_utf8_lossy(&overflowed.stderr).contains("overflowed its stack"),
        "{overflowed:?}"
    );
}
