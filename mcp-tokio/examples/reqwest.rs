//! A client over reqwest instead of hyper: for a program that has a `reqwest::Client` with its proxy, its cookies and its
//! certificates.
//!
//! ```text
//! cargo run -p mcp-tokio --features http --example reqwest -- http://127.0.0.1:8000/mcp resize
//! ```

use std::error::Error;
use std::future::Future;
use std::pin::Pin;

use bytes::Bytes;
use mcp_tokio::http::{ClientOptions, HttpClient};
use mcp_tokio::{CallTool, ClientConfig};

/// Sends what the engine asks for.
struct Reqwest(reqwest::Client);

impl HttpClient for Reqwest {
    type Body = reqwest::Body;
    type Error = reqwest::Error;
    type Sending =
        Pin<Box<dyn Future<Output = Result<http::Response<reqwest::Body>, reqwest::Error>> + Send>>;

    fn send(&mut self, request: http::Request<Bytes>) -> Self::Sending {
        let client = self.0.clone();
        Box::pin(async move { Ok(client.execute(request.try_into()?).await?.into()) })
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let url = arguments.next().unwrap_or_else(|| "http://127.0.0.1:8000/mcp".into());
    let tool = arguments.next().unwrap_or_else(|| "resize".into());
    // Redirects must not carry what is asked to somebody else.
    let reqwest = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build()?;
    let config = ClientConfig::new("reqwest-example", "1.0");
    let options = ClientOptions::default();
    let client = mcp_tokio::http::client(Reqwest(reqwest), url.parse()?, config, options, |_| ());
    let call = client.call(CallTool::new(tool));
    let result =
        call.on_progress(|report| println!("{} of {:?}", report.progress, report.total)).await?;
    println!("{}", result.content.iter().filter_map(|block| block.as_text()).collect::<String>());
    client.close();
    client.closed().await;
    Ok(())
}
