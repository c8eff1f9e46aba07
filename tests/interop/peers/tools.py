"""The tools of the two Python servers: they report progress in every way that the tests ask for."""

import argparse
import os
import sys

import anyio


def options(*more: str) -> argparse.Namespace:
    """What every server is told: --http, --sse and the rest say how it serves; without them it is stdio.

    --http serves Streamable HTTP and --sse the older HTTP+SSE, each on a free port of loopback, at the address that is printed.
    --json asks for JSON answers, --store for a store of events, so that a stream can be resumed.
    --sign-off FILE appends a line to FILE for what the server itself saw: a cancelled tool, its own end.
    """
    parser = argparse.ArgumentParser()
    for name in ("--http", "--sse", "--json", "--store", *more):
        parser.add_argument(name, action="store_true")
    parser.add_argument("--token")
    parser.add_argument("--sign-off")
    return parser.parse_args()


def register(server, Context, sign_off_file: str | None, junk=lambda text: None):
    """Gives the server its tools; `Context` is the type by which it finds the argument that is no argument."""

    def sign_off(text: str) -> None:
        if sign_off_file:
            with open(sign_off_file, "a") as file:
                file.write(text + "\n")

    @server.tool()
    async def count(n: int, ctx: Context) -> str:
        """Reports 1 to n of n, each with a message."""
        for i in range(1, n + 1):
            await ctx.report_progress(i, n, f"step {i} of {n}")
            junk("loading model weights...\n")
        return f"counted to {n}"

    @server.tool()
    async def unknown_total(n: int, ctx: Context) -> str:
        """Reports 1 to n without a total and without a message."""
        for i in range(1, n + 1):
            await ctx.report_progress(i)
        return "done"

    @server.tool()
    async def floats(n: int, ctx: Context) -> str:
        """Reports 0.1, 0.2, ... as they come out of the arithmetic, of n / 10."""
        value = 0.0
        for _ in range(n):
            value += 0.1
            await ctx.report_progress(value, n / 10)
        return repr(value)

    @server.tool()
    async def from_zero(ctx: Context) -> str:
        """Reports 0 to 9 of 10 with messages in Chinese, and never 10: a common habit."""
        for i in range(10):
            await ctx.report_progress(i, 10, f"正在处理步骤 {i + 1}/10")
        return "完成"

    @server.tool()
    async def repeats(ctx: Context) -> str:
        """Reports values that stand still and go back, which the specification forbids."""
        for value in (1, 2, 2, 1, 3):
            await ctx.report_progress(value, 3)
        return "done"

    @server.tool()
    async def fails(n: int, ctx: Context) -> str:
        """Reports n times, then raises."""
        for i in range(1, n + 1):
            await ctx.report_progress(i, 2 * n)
        raise ValueError("the disk is full")

    @server.tool()
    async def dies(n: int, ctx: Context) -> str:
        """Reports n times, then ends the whole process in the middle of the call."""
        for i in range(1, n + 1):
            await ctx.report_progress(i, 2 * n)
        await anyio.sleep(0.2)  # Reports are written by another task; without this they would die too.
        print("fatal: out of memory", file=sys.stderr, flush=True)
        os._exit(7)

    @server.tool()
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

    @server.tool()
    async def polls(n: int, ctx: Context) -> str:
        """Reports 1 to n, and closes the stream of the answer after every fourth: the client has to come back for the rest."""
        for i in range(1, n + 1):
            await ctx.report_progress(i, n, f"step {i} of {n}")
            if i % 4 == 0:
                await anyio.sleep(0.05)
                await ctx.close_sse_stream()
        return f"polled {n}"

    @server.tool()
    async def logs(n: int, ctx: Context) -> str:
        """Sends n log messages and as many reports, in turn."""
        for i in range(1, n + 1):
            await ctx.info(f"log line {i}")
            await ctx.report_progress(i, n)
        return "logged"

    @server.tool()
    def add(a: int, b: int = 1) -> int:
        """Adds two numbers; structured content, no progress."""
        return a + b

    return sign_off
