//! What stands for the hardware here: standard input and output are the serial line, a byte at a time.

use core::ffi::{c_char, c_int, c_long, c_short, c_ulong, c_void};

use mcp_proto::Instant;

use crate::board::{Hardware, Line};

#[allow(unsafe_code)]
#[link(name = "c")]
unsafe extern "C" {
    fn exit(code: c_int) -> !;
    fn read(file: c_int, bytes: *mut c_void, length: usize) -> isize;
    fn write(file: c_int, bytes: *const c_void, length: usize) -> isize;
    fn poll(files: *mut Watched, count: c_ulong, millis: c_int) -> c_int;
    fn clock_gettime(clock: c_int, time: *mut Time) -> c_int;
}

#[repr(C)]
struct Watched {
    file: c_int,
    events: c_short,
    found: c_short,
}

#[repr(C)]
struct Time {
    seconds: c_long,
    nanos: c_long,
}

const CLOCK_MONOTONIC: c_int = 1;
const INPUT: (c_int, c_short) = (0, 1);
const OUTPUT: (c_int, c_short) = (1, 4);

/// The host's serial line and clock, and no LED.
#[derive(Default)]
pub(crate) struct Host {
    is_gone: bool,
}

/// Whether something is possible on these files within so many milliseconds; -1: however long that takes.
#[allow(unsafe_code)]
fn is_possible<const COUNT: usize>(wanted: [(c_int, c_short); COUNT], millis: c_int) -> bool {
    let mut files = wanted.map(|(file, events)| Watched { file, events, found: 0 });
    // SAFETY: the entries are lent, and the count says how many there are.
    unsafe { poll(files.as_mut_ptr(), COUNT as c_ulong, millis) > 0 }
}

impl Hardware for Host {
    #[allow(unsafe_code)]
    fn receive(&mut self) -> Line {
        let mut byte = 0_u8;
        if !is_possible([INPUT], 0) {
            return Line::Nothing;
        }
        // SAFETY: one byte is lent, and the length says so.
        match unsafe { read(0, (&raw mut byte).cast(), 1) } {
            1 => Line::Byte(byte),
            _ => {
                self.is_gone = true;
                Line::Gone
            }
        }
    }

    #[allow(unsafe_code)]
    fn send(&mut self, byte: u8) -> bool {
        // SAFETY: one byte is lent, and the length says so.
        is_possible([OUTPUT], 0) && unsafe { write(1, (&raw const byte).cast(), 1) == 1 }
    }

    #[allow(unsafe_code)]
    fn now(&self) -> Instant {
        let mut time = Time { seconds: 0, nanos: 0 };
        // SAFETY: the place is lent for the call.
        unsafe { clock_gettime(CLOCK_MONOTONIC, &raw mut time) };
        Instant::from_nanos(time.seconds as u64 * 1_000_000_000 + time.nanos as u64)
    }

    fn set_led(&mut self, _is_on: bool) {}

    fn sleep(&mut self, until: Option<Instant>, is_sending: bool) {
        let millis = until.map(|until| (until - self.now()).as_nanos().div_ceil(1_000_000));
        let millis = millis.map_or(-1, |millis| millis.try_into().unwrap_or(c_int::MAX));
        match (self.is_gone, is_sending) {
            (false, false) => is_possible([INPUT], millis),
            (false, true) => is_possible([INPUT, OUTPUT], millis),
            (true, false) => is_possible([], millis),
            (true, true) => is_possible([OUTPUT], millis),
        };
    }
}

/// Says something beside the line.
#[allow(unsafe_code)]
pub(crate) fn tell(text: &str) {
    // SAFETY: the text is lent, and its length says how long it is.
    unsafe { write(2, text.as_ptr().cast(), text.len()) };
}

/// Ends the program.
#[allow(unsafe_code)]
pub(crate) fn exit_with(code: c_int) -> ! {
    // SAFETY: nothing of ours runs at the exit.
    unsafe { exit(code) }
}

/// What the host's start-up code calls.
#[allow(unsafe_code)]
#[unsafe(no_mangle)]
extern "C" fn main(_count: c_int, _words: *const *const c_char) -> c_int {
    crate::serve()
}

/// Unwinding is compiled out, but the precompiled standard crates name its entry points.
mod unwinding {
    #[allow(unsafe_code)]
    #[unsafe(no_mangle)]
    extern "C" fn rust_eh_personality() {}

    #[allow(unsafe_code)]
    #[unsafe(no_mangle)]
    extern "C" fn _Unwind_Resume() -> ! {
        super::exit_with(102)
    }
}
