"""WebSocket: our server under the client of the TypeScript SDK 1.32, our client on a server of the Python SDK.

    test_ws.py MCPCLI|CALL WS_SERVER
"""

import contextlib
import json
import os
import subprocess
import sys

import tool
from interop import HERE, LEGACY, MODERN, PYTHON, run_all

CLI, WS_SERVER = sys.argv[1:]
LIMIT = 60
STEPS = 64


@contextlib.contextmanager
def serving(*command: str):
    """The URL of a server that runs meanwhile."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True)
    try:
        line = process.stdout.readline()
        assert line.startswith("listening on "), f"{command[0]} said {line!r}"
        yield line.split()[-1]
        if command[0] == WS_SERVER:
            process.stdin.close()
            assert process.wait(LIMIT) == 0, f"our server ended with {process.returncode}"
    finally:
        process.kill()
        process.wait(LIMIT)


def lines(*command: str) -> list[dict]:
    done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, f"{command[0]} ended with {done.returncode}: {done.stderr[-800:]}{done.stdout[-400:]}"
    return [json.loads(line) for line in done.stdout.splitlines()]


def of(events: list[dict], event: str) -> list[dict]:
    return [e for e in events if e["event"] == event]


def typescript_client() -> str:
    """Every report is on the wire, in order, before the response. What the client shows of them is its own affair."""
    arguments = json.dumps({"steps": STEPS, "every_ms": 55})
    with serving(WS_SERVER) as url:
        events = lines("node", "--experimental-websocket", str(HERE / "ts" / "client-ws.mjs"), url, "long_running_task", arguments)
    wire = [e["message"] for e in of(events, "wire")]
    reports = [m["params"]["progress"] for m in wire if m.get("method") == "notifications/progress"]
    assert reports == list(range(STEPS)), f"on the wire: {reports}"
    assert "result" in wire[-1], f"the last message is {wire[-1]}"
    (result,) = of(events, "result")
    assert result["text"], result
    shown = [e["progress"] for e in of(events, "progress")]
    complaints = of(events, "complaint")
    return f"{len(reports)} reports on the wire; it showed {len(shown)}, {'in order' if shown == reports else 'not all or not in order'}, {len(complaints)} complaints"


def our_client(revision: str) -> str:
    with serving(PYTHON, str(HERE / "peers" / "ws_server.py")) as url:
        events = lines(*tool.command(CLI, ["call", "count", f"n={STEPS}"], ["--url", url], True, revision))
        listed = [] if tool.is_call(CLI) else lines(CLI, "list", "--json", "--revision", revision, "--url", url)
    assert events[0]["event"] == "ready" and events[0]["revision"] == revision, events[0]
    reports = [(e["progress"], e["total"]) for e in of(events, "progress")]
    assert reports == [(n, STEPS) for n in range(1, STEPS + 1)], reports
    assert events[-1]["event"] == "result" and events[-1]["content"][0]["text"] == f"counted to {STEPS}", events[-1]
    assert tool.is_call(CLI) or any(known["name"] == "count" for e in listed for known in e.get("tools", [])), listed
    return f"{len(reports)} reports shown, in order"


CASES = {"our server, typescript 1.32": typescript_client}
for version in (*LEGACY, MODERN):
    CASES[f"our client, python 2.3, {version}"] = lambda version=version: our_client(version)

if __name__ == "__main__":
    sys.exit(run_all([(f"ws {name}", case) for name, case in CASES.items()], workers=1))
