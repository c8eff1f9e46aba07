//! Serves the tools of the conformance suite at `http://127.0.0.1:PORT/mcp`, in every revision, on the runtime that the
//! environment variable `RUNTIME` names, until it is killed.

use std::error::Error;
use std::net::TcpListener;
use std::process::ExitCode;

use mcp_conformance::{Runtime, router};

fn main() -> ExitCode {
    let Some(port) = std::env::args().nth(1).and_then(|port| port.parse::<u16>().ok()) else {
        eprintln!("usage: conformance-server PORT");
        return ExitCode::from(2);
    };
    match run(port) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run(port: u16) -> Result<(), Box<dyn Error>> {
    let runtime = Runtime::chosen()?;
    let socket = TcpListener::bind(("127.0.0.1", port))?;
    println!("listening at http://{}/mcp", socket.local_addr()?);
    runtime.block_on(async { Ok(runtime.run_http(socket, router(runtime)).await?) })
}
