//! Serves the tools of the conformance suite at `http://127.0.0.1:PORT/mcp`, in every revision.

use std::process::ExitCode;

use tokio::net::TcpListener;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let Some(port) = std::env::args().nth(1).and_then(|port| port.parse::<u16>().ok()) else {
        eprintln!("usage: conformance-server PORT");
        return ExitCode::from(2);
    };
    let listener = match TcpListener::bind(("127.0.0.1", port)).await {
        Ok(listener) => listener,
        Err(error) => {
            eprintln!("cannot listen at port {port}: {error}");
            return ExitCode::FAILURE;
        }
    };
    match listener.local_addr() {
        Ok(at) => println!("listening at http://{at}/mcp"),
        Err(_) => println!("listening at http://127.0.0.1:{port}/mcp"),
    }
    // Until it is killed.
    let never = std::future::pending();
    match mcp_tokio::serve_http(listener, mcp_conformance::router(), Default::default(), never)
        .await
    {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
