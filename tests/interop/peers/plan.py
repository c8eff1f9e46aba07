"""What the two Python clients share: they carry out a plan and print what their progress handlers saw.

A plan is a JSON list of rounds; a round is a list of calls that run at the same time; a call is an object with `tool`,
`arguments`, `progress` (whether to pass a handler), `slow` (the handler waits before it prints, for the first
report longest), `cancel_after` (give up after so many reports) and `timeout` (in seconds). Printed are JSON
lines: one for the connection, and for each call its reports in the order in which the handler ran, and its end.
"""

import asyncio
import json


def emit(**event) -> None:
    print(json.dumps(event), flush=True)


async def run(call_tool, plan: list) -> None:
    """Carries out the plan; `call_tool(tool, arguments, handler)` gives a result with `content` and `is_error`."""
    number = 0
    for calls in plan:
        await asyncio.gather(*(one(call_tool, number + i, call) for i, call in enumerate(calls)))
        number += len(calls)
    # Handlers that run after their call has ended get a moment, to be counted.
    await asyncio.sleep(0.5)


async def one(call_tool, number: int, call: dict) -> None:
    enough, seen = asyncio.Event(), 0

    async def handler(progress, total, message) -> None:
        nonlocal seen
        seen += 1
        if call.get("slow"):
            await asyncio.sleep(max(0, 11 - seen) * 0.02)
        emit(event="progress", call=number, progress=progress, total=total, message=message)
        if seen == call.get("cancel_after"):
            enough.set()

    work = asyncio.ensure_future(call_tool(call["tool"], call.get("arguments", {}), handler if call.get("progress", True) else None))
    if "cancel_after" in call:
        await asyncio.wait({work, asyncio.ensure_future(enough.wait())}, return_when=asyncio.FIRST_COMPLETED)
        work.cancel()
    try:
        result = await asyncio.wait_for(work, call.get("timeout"))
        emit(event="result", call=number, error=bool(result.is_error), text="".join(getattr(block, "text", "") for block in result.content))
    except asyncio.CancelledError:
        emit(event="cancelled", call=number)
    except Exception as error:
        emit(event="error", call=number, text=f"{type(error).__name__}: {error}")
