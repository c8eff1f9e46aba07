"""Our demo server over stdio under the clients of others: FastMCP, the Python SDK, the TypeScript SDK and rmcp, in both eras.

    test_server.py RMCP_CLIENT SERVER [ARG ...]

Environment: ONLY=TEXT runs the cases whose name holds TEXT; BRIEF=1 runs those that are about the adapter.
"""

import json
import sys
import tempfile
import time
from pathlib import Path

import scenarios
from interop import LEGACY, MODERN, PipeWire, gone, main, named, tapped
from scenarios import MODES, call, killed_on_report

RMCP, *SERVER = sys.argv[1:]
SCRATCH = Path(tempfile.mkdtemp(prefix="mcp-interop-server-"))
CLIENTS = {**scenarios.CLIENTS, "rmcp": [RMCP]}


class Session(scenarios.Session):
    """A client that starts our server, through the tap."""

    count = 0

    def __init__(self, client: str, mode: str, plan: list, one_read: bool = False):
        super().__init__(client, mode, plan)
        Session.count += 1
        stem = SCRATCH / f"{Session.count}-{client}-{mode}"
        record = stem.with_suffix(".wire")
        tap = ["--hold"] if one_read else []
        command = [*CLIENTS[client], mode, json.dumps(plan), "--", *tapped(record, *tap, "--", *SERVER)]
        self.carry_out(command, stem.with_suffix(".stderr"))
        self.wire = PipeWire(record)
        self.judge()
        assert gone(self.wire.pid), "our server outlives its client"


def orphan(client: str, mode: str) -> str:
    """The client is killed in the middle of a call: the server notices and ends."""
    pid_file = SCRATCH / f"orphan-{client}-{mode}.pid"
    plan = json.dumps([[call("long_running_task", every_ms=300)]])
    command = [*CLIENTS[client], mode, plan, "--", "sh", "-c", 'echo $$ >"$0"; exec "$@"', str(pid_file), *SERVER]
    killed_on_report(command, SCRATCH)
    started = time.monotonic()
    assert gone(int(pid_file.read_text()), within=10), "our server lives on without its client"
    return f"gone after {time.monotonic() - started:.1f} s"


def cases():
    for client in CLIENTS:
        for mode in MODES:
            yield f"origin, {client}, {mode}", lambda c=client, m=mode: scenarios.origin(Session, c, m)
        # The Python clients cannot be held to an old revision; the others can.
        for mode in LEGACY[:-1] if client in ("typescript", "rmcp") else ():
            yield f"origin, {client}, {mode}", lambda c=client, m=mode: scenarios.origin(Session, c, m)
        for mode in ("legacy", MODERN):
            for case in scenarios.ALL:
                yield f"{case.__name__}, {client}, {mode}", lambda f=case, c=client, m=mode: f(Session, c, m)
            yield f"orphan, {client}, {mode}", lambda c=client, m=mode: orphan(c, m)


if __name__ == "__main__":
    main(list(cases()), SCRATCH, named("origin", "one_read", "together", "cancel", "orphan"))
