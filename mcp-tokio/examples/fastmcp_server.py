"""A FastMCP server with a tool that reports its progress.

    python3 -m venv venv && venv/bin/pip install fastmcp==4.1.6
    cargo mcp call long_running_task -- venv/bin/python mcp-tokio/examples/fastmcp_server.py

With a port it serves HTTP there:

    venv/bin/python mcp-tokio/examples/fastmcp_server.py 8000 &
    cargo mcp call long_running_task --url http://127.0.0.1:8000/mcp
"""

import asyncio
import sys

from fastmcp import Context, FastMCP

mcp = FastMCP("long-running")


@mcp.tool
async def long_running_task(ctx: Context, steps: int = 10, seconds: float = 0.5) -> str:
    """Works through some steps and reports each as it begins."""
    for step in range(steps):
        await ctx.report_progress(progress=step, total=steps, message=f"step {step + 1} of {steps}")
        await asyncio.sleep(seconds)
    return "完成"


if __name__ == "__main__":
    if len(sys.argv) > 1:
        mcp.run(transport="http", port=int(sys.argv[1]), show_banner=False)
    else:
        mcp.run(show_banner=False)
