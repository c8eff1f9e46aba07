"""A server of the Python SDK with the tools of tools.py, over HTTP; for the options see there."""

import serve
import tools
from mcp.server.mcpserver import Context, MCPServer

options = tools.options()
server = MCPServer("interop", version="1.0", log_level="WARNING")
tools.register(server, Context, options.sign_off)

if options.sse:
    serve.serve(server.sse_app(), "/sse")
else:
    store = {"event_store": serve.Store(), "retry_interval": 200} if options.store else {}
    serve.serve(server.streamable_http_app(json_response=options.json, **store), "/mcp")
