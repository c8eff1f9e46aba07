//! Examples print what they claim to.
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

#[path = "../examples/resize.rs"]
#[allow(dead_code)] // its `main`
mod resize;

#[test]
fn hand_written_loops_show_three_reports_and_then_the_result() {
    let mut out = Vec::new();
    async_std::task::block_on(resize::run(&mut out)).unwrap();
    assert_eq!(
        String::from_utf8(out).unwrap(),
        "0 of Some(3.0) a.png\n1 of Some(3.0) b.png\n2 of Some(3.0) c.png\nresize resized 3 images, after 2\n"
    );
}
