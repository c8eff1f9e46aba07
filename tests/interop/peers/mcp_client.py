"""The Python SDK's client: mcp_client.py legacy|auto|REVISION PLAN -- (URL | COMMAND [ARG ...]); see plan.py."""

import asyncio
import json
import sys

import plan
from mcp.client.client import Client
from mcp.client.sse import sse_client
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client

mode, steps, command = sys.argv[1], json.loads(sys.argv[2]), sys.argv[4:]


def transport():
    if not command[0].startswith("http"):
        return stdio_client(StdioServerParameters(command=command[0], args=command[1:]))
    return sse_client(command[0]) if command[0].endswith("/sse") else streamable_http_client(command[0])


async def main() -> None:
    async with Client(transport(), mode=mode) as client:
        tools = (await client.list_tools()).tools
        plan.emit(event="connected", tools={tool.name: tool.input_schema for tool in tools})

        async def call_tool(tool, arguments, handler):
            return await client.call_tool(tool, arguments, progress_callback=handler)

        await plan.run(call_tool, steps)


asyncio.run(main())
