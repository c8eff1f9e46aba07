"""The FastMCP client: fastmcp_client.py legacy|auto|REVISION PLAN -- (URL | COMMAND [ARG ...]); see plan.py."""

import asyncio
import json
import sys

import plan
from fastmcp import Client
from fastmcp.client.transports import SSETransport, StdioTransport, StreamableHttpTransport

mode, steps, command = sys.argv[1], json.loads(sys.argv[2]), sys.argv[4:]


def transport():
    if not command[0].startswith("http"):
        return StdioTransport(command[0], command[1:], keep_alive=False)
    return SSETransport(command[0]) if command[0].endswith("/sse") else StreamableHttpTransport(command[0])


async def main() -> None:
    async with Client(transport(), mode=mode) as client:
        tools = await client.list_tools()
        plan.emit(event="connected", tools={tool.name: tool.input_schema for tool in tools})

        async def call_tool(tool, arguments, handler):
            return await client.call_tool_mcp(tool, arguments, progress_handler=handler)

        await plan.run(call_tool, steps)


asyncio.run(main())
