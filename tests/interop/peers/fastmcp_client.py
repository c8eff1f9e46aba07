"""The FastMCP client: fastmcp_client.py legacy|auto|REVISION PLAN -- COMMAND [ARG ...]; see plan.py."""

import asyncio
import json
import sys

import plan
from fastmcp import Client
from fastmcp.client.transports import StdioTransport

mode, steps, command = sys.argv[1], json.loads(sys.argv[2]), sys.argv[4:]


async def main() -> None:
    async with Client(StdioTransport(command[0], command[1:], keep_alive=False), mode=mode) as client:
        tools = await client.list_tools()
        plan.emit(event="connected", tools={tool.name: tool.input_schema for tool in tools})

        async def call_tool(tool, arguments, handler):
            return await client.call_tool_mcp(tool, arguments, progress_handler=handler)

        await plan.run(call_tool, steps)


asyncio.run(main())
