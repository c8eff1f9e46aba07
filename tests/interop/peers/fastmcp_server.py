"""A FastMCP server over stdio whose tools report progress in every way that the tests ask for.

Options: --junk writes lines that are no messages to the real stdout, before the first message and between the reports.
--sign-off FILE appends a line to FILE for what the server itself saw: a cancelled tool, its own end.
"""

import argparse
import os
import sys

import anyio
from fastmcp import Context, FastMCP

options = argparse.ArgumentParser()
options.add_argument("--junk", action="store_true")
options.add_argument("--sign-off")
options = options.parse_args()

# FastMCP moves descriptor 1 away while it serves, so junk needs a way to the wire of its own.
wire = os.dup(1)


def junk(text: str) -> None:
    if options.junk:
        os.write(wire, text.encode())


def sign_off(text: str) -> None:
    if options.sign_off:
        with open(options.sign_off, "a") as file:
            file.write(text + "\n")


server = FastMCP("interop", version="1.0")


@server.tool
async def count(n: int, ctx: Context) -> str:
    """Reports 1 to n of n, each with a message."""
    for i in range(1, n + 1):
        await ctx.report_progress(i, n, f"step {i} of {n}")
        junk("loading model weights...\n")
    return f"counted to {n}"


@server.tool
async def unknown_total(n: int, ctx: Context) -> str:
    """Reports 1 to n without a total and without a message."""
    for i in range(1, n + 1):
        await ctx.report_progress(i)
    return "done"


@server.tool
async def floats(n: int, ctx: Context) -> str:
    """Reports 0.1, 0.2, ... as they come out of the arithmetic, of n / 10."""
    value = 0.0
    for _ in range(n):
        value += 0.1
        await ctx.report_progress(value, n / 10)
    return repr(value)


@server.tool
async def from_zero(ctx: Context) -> str:
    """Reports 0 to 9 of 10 with messages in Chinese, and never 10: a common habit."""
    for i in range(10):
        await ctx.report_progress(i, 10, f"正在处理步骤 {i + 1}/10")
    return "完成"


@server.tool
async def repeats(ctx: Context) -> str:
    """Reports values that stand still and go back, which the specification forbids."""
    for value in (1, 2, 2, 1, 3):
        await ctx.report_progress(value, 3)
    return "done"


@server.tool
async def fails(n: int, ctx: Context) -> str:
    """Reports n times, then raises."""
    for i in range(1, n + 1):
        await ctx.report_progress(i, 2 * n)
    raise ValueError("the disk is full")


@server.tool
async def dies(n: int, ctx: Context) -> str:
    """Reports n times, then ends the whole process in the middle of the call."""
    for i in range(1, n + 1):
        await ctx.report_progress(i, 2 * n)
    await anyio.sleep(0.2)  # FastMCP writes from another task; without this the reports would die too.
    print("fatal: out of memory", file=sys.stderr, flush=True)
    os._exit(7)


@server.tool
async def sleeps(ctx: Context, seconds: float, every: float = 0) -> str:
    """Works for some seconds; with `every` it reports at that pace, else it is silent."""
    try:
        if every == 0:
            await anyio.sleep(seconds)
        else:
            for i in range(round(seconds / every)):
                await anyio.sleep(every)
                await ctx.report_progress(i + 1, message="still at it")
    except anyio.get_cancelled_exc_class():
        sign_off("cancelled")
        raise
    return "slept"


@server.tool
async def logs(n: int, ctx: Context) -> str:
    """Sends n log messages and as many reports, in turn."""
    for i in range(1, n + 1):
        await ctx.info(f"log line {i}")
        await ctx.report_progress(i, n)
    return "logged"


@server.tool
def add(a: int, b: int = 1) -> int:
    """Adds two numbers; structured content, no progress."""
    return a + b


junk("Welcome to the interop server!\n\n{not json}\n")
server.run(show_banner=False)
sign_off("ended")
