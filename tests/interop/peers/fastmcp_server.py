"""A FastMCP server with the tools of tools.py, over stdio or HTTP; for the options see there.

Over stdio, --junk writes lines that are no messages to the real stdout, before the first message and between the reports.
Over HTTP, --token TOKEN refuses who does not bear it.
"""

import os

import tools
from fastmcp import Context, FastMCP

options = tools.options("--junk")

# FastMCP moves descriptor 1 away while it serves, so junk needs a way to the wire of its own.
wire = os.dup(1)


def junk(text: str) -> None:
    if options.junk:
        os.write(wire, text.encode())


def guard():
    from fastmcp.server.auth.providers.jwt import StaticTokenVerifier

    return StaticTokenVerifier({options.token: {"client_id": "interop", "scopes": []}})


server = FastMCP("interop", version="1.0", auth=guard() if options.token else None)
sign_off = tools.register(server, Context, options.sign_off, junk)

if options.http or options.sse:
    import serve

    path = "/mcp" if options.http else "/sse"
    app = server.http_app(
        path,
        transport="http" if options.http else "sse",
        json_response=options.json,
        event_store=serve.Store() if options.store else None,
        retry_interval=200 if options.store else None,
    )
    serve.serve(app, path)
else:
    junk("Welcome to the interop server!\n\n{not json}\n")
    server.run(show_banner=False)
    sign_off("ended")
