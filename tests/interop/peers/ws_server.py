"""A server over WebSocket: the protocol by the Python SDK, the WebSocket by the library `websockets`. Prints its URL."""

import asyncio

import anyio
import mcp_types as types
from mcp.server.mcpserver import Context, MCPServer
from mcp.shared._context_streams import create_context_streams
from mcp.shared.message import SessionMessage
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

server = MCPServer("over-websocket", version="1.0", log_level="WARNING")


@server.tool()
async def count(n: int, ctx: Context) -> str:
    """Reports 1 to n of n."""
    for i in range(1, n + 1):
        await ctx.report_progress(i, n, f"step {i} of {n}")
    return f"counted to {n}"


async def conversation(socket: ServerConnection) -> None:
    """One connection: each text message is one message of the protocol."""
    from_client, server_reads = create_context_streams[SessionMessage | Exception](0)
    server_writes, to_client = create_context_streams[SessionMessage](0)

    async def receive() -> None:
        async with from_client:
            try:
                async for text in socket:
                    message = types.jsonrpc_message_adapter.validate_json(text, by_name=False)
                    await from_client.send(SessionMessage(message))
            except ConnectionClosed:
                pass

    async def send() -> None:
        async with to_client:
            async for message in to_client:
                await socket.send(message.message.model_dump_json(by_alias=True, exclude_unset=True))

    lowlevel = server._lowlevel_server
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(receive)
        tasks.start_soon(send)
        await lowlevel.run(server_reads, server_writes, lowlevel.create_initialization_options())
        tasks.cancel_scope.cancel()


async def main() -> None:
    async with serve(conversation, "127.0.0.1", 0, subprotocols=["mcp"]) as listening:
        print(f"listening on ws://127.0.0.1:{listening.sockets[0].getsockname()[1]}/mcp", flush=True)
        await listening.serve_forever()


asyncio.run(main())
