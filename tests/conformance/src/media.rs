//! The smallest picture and the smallest sound.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mcp_tokio::ContentBlock;

/// One red pixel, as PNG.
pub(crate) fn picture() -> ContentBlock {
    const PNG: &[u8] = &[
        0x89, b'P', b'N', b'G', 0x0D, 0x0A, 0x1A, 0x0A, //
        0x00, 0x00, 0x00, 0x0D, b'I', b'H', b'D', b'R', // 1 x 1, 8 bits, RGB
        0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0x01, 0x08, 0x02, 0x00, 0x00, 0x00, //
        0x90, 0x77, 0x53, 0xDE, //
        0x00, 0x00, 0x00, 0x0C, b'I', b'D', b'A', b'T', // no filter, then red
        0x78, 0x9C, 0x63, 0xF8, 0xCF, 0xC0, 0x00, 0x00, 0x03, 0x01, 0x01, 0x00, //
        0xC9, 0xFE, 0x92, 0xEF, //
        0x00, 0x00, 0x00, 0x00, b'I', b'E', b'N', b'D', 0xAE, 0x42, 0x60, 0x82,
    ];
    ContentBlock::image(STANDARD.encode(PNG), "image/png")
}

/// Four samples of silence, 8 bits at 8 kHz, as WAV.
pub(crate) fn sound() -> ContentBlock {
    const WAV: &[u8] = &[
        b'R', b'I', b'F', b'F', 40, 0, 0, 0, b'W', b'A', b'V', b'E', //
        b'f', b'm', b't', b' ', 16, 0, 0, 0, 1, 0, 1, 0, //
        0x40, 0x1F, 0, 0, 0x40, 0x1F, 0, 0, 1, 0, 8, 0, //
        b'd', b'a', b't', b'a', 4, 0, 0, 0, 0x80, 0x80, 0x80, 0x80,
    ];
    ContentBlock::audio(STANDARD.encode(WAV), "audio/wav")
}
