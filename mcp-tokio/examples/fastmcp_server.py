"""A FastMCP server with a tool that reports its progress.

    python3 -m venv venv && venv/bin/pip install fastmcp==4.1.6
    cargo mcp call long_running_task -- venv/bin/python mcp-tokio/examples/fastmcp_server.py
"""

import asyncio

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
    mcp.run(show_banner=False)
