"""The Python SDK's client: mcp_client.py legacy|auto|REVISION PLAN -- COMMAND [ARG ...]; see plan.py."""

import asyncio
import json
import sys

import plan
from mcp.client.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client

mode, steps, command = sys.argv[1], json.loads(sys.argv[2]), sys.argv[4:]


async def main() -> None:
    async with Client(stdio_client(StdioServerParameters(command=command[0], args=command[1:])), mode=mode) as client:
        tools = (await client.list_tools()).tools
        plan.emit(event="connected", tools={tool.name: tool.input_schema for tool in tools})

        async def call_tool(tool, arguments, handler):
            return await client.call_tool(tool, arguments, progress_callback=handler)

        await plan.run(call_tool, steps)


asyncio.run(main())
