"""Our demo server over HTTP under the clients of others: FastMCP, the Python SDK, the TypeScript SDKs 2.4 and 1.32, and rmcp.

    test_http_server.py RMCP_CLIENT SERVER [ARG ...]

A tap stands between, which knows what was sent. Environment: ONLY=TEXT runs the cases whose name holds TEXT.
"""

import json
import re
import sys
import time
from pathlib import Path

import scenarios
from http_peers import SCRATCH, Server, Servers, node
from http_tap import Tap
from interop import LEGACY, MODERN, Call, compare, run_all
from scenarios import MODES, TASK, call, killed_on_report

RMCP, *SERVER = sys.argv[1:]
CLIENTS = {**scenarios.CLIENTS, "typescript 1": node("client-v1.mjs"), "rmcp": [RMCP]}
# Who speaks HTTP+SSE.
OLD_CLIENTS = ("fastmcp", "python", "typescript", "typescript 1")
SERVERS = Servers({
    "sse": lambda *options: Server([*SERVER, *options]),
    "json": lambda *options: Server([*SERVER, "--json", *options]),
})


class Session(scenarios.Session):
    """A client that talks to our server, which runs already, through the tap."""

    count = 0

    def __init__(self, server: Server, client: str, mode: str, plan: list, one_read: bool = False, tap=lambda tap: None, old: bool = False):
        super().__init__(client, mode, plan)
        Session.count += 1
        stem = SCRATCH / f"{Session.count}-{client.replace(' ', '-')}-{mode}"
        self.old, transcript = old, stem.with_suffix(".txt")
        with Tap(old_address(server.url) if old else server.url) as between:
            if one_read:
                between.hold()
            tap(between)
            self.wire = between.wire
            try:
                self.carry_out([*CLIENTS[client], mode, json.dumps(plan), "--", between.url], stem.with_suffix(".stderr"))
            finally:
                between.settle()
                transcript.write_text(self.wire.transcript())
        try:
            self.judge()
            self.check_exchanges()
        except AssertionError as error:
            raise AssertionError(f"{error} (see {transcript})") from None

    def given_up(self, call: Call) -> bool:
        """Up to 2025-11-25 by a notification; in 2026-07-28 by ending the stream of the answer."""
        if self.modern(call) and not self.old:
            return call.request.exchange.breaker == "client" and not call.responses
        return super().given_up(call)

    def modern(self, call: Call) -> bool:
        return "io.modelcontextprotocol/protocolVersion" in call.request.body["params"].get("_meta", {})

    def check_exchanges(self) -> None:
        """What holds for everything that our server answers."""
        session, ids = None, set()
        for exchange in self.wire.exchanges:
            where, message = f"#{exchange.number}", exchange.message or {}
            if exchange.breaker in ("client", "tap") and exchange.status is None:
                continue
            assert exchange.breaker != "server", f"{where}: the server ended the connection before the response was complete"
            if exchange.method == "POST" and ("id" not in message or self.old):
                assert (exchange.status, exchange.content) == (202, b""), f"{where}: {exchange.status} {exchange.content!r}"
                continue
            if exchange.status == 200 and exchange.method == "POST":
                assert exchange.type in ("application/json", "text/event-stream"), f"{where}: {exchange.type}"
            if exchange.called == "initialize" and exchange.status == 200:
                session = exchange.answer.get("mcp-session-id", "")
                assert re.fullmatch(r"[\x21-\x7e]{16,}", session), f"{where}: the session is {session!r}"
            if "mcp-method" in exchange.headers:
                assert "mcp-session-id" not in exchange.answer, f"{where}: a session in {MODERN}"
                assert all(event.id is None for event in exchange.events), f"{where}: events with ids in {MODERN}"
            if exchange.streams:
                assert exchange.answer.get("cache-control", "").startswith("no-"), f"{where}: {exchange.answer}"
                for event in exchange.events:
                    assert event.id is None or event.id not in ids or "last-event-id" in exchange.headers, f"{where}: event {event.id} again"
                    ids.add(event.id)
        for call in self.calls:
            self.check_streams(call)

    def check_streams(self, call: Call) -> None:
        """A call's reports come on the stream of its answer, or where that one goes on; HTTP+SSE has one stream for all."""
        for message in self.wire.messages:
            if not message.progress() or message.body["params"]["progressToken"] != call.token or self.old:
                continue
            on = message.exchange
            assert on is call.request.exchange or "last-event-id" in on.headers, f"{call.tool}: a report on #{on.number}"


def old_address(url: str) -> str:
    """Where the same server speaks HTTP+SSE."""
    return url.rsplit("/", 1)[0] + "/sse"


def through(kind: str, **options):
    """How the scenarios start a session with this server."""
    return lambda *arguments, **more: Session(SERVERS[kind], *arguments, **options, **more)


def answered_with(kind: str, client: str, mode: str) -> str:
    """What has nothing to report is answered with JSON if the server was told to, and everything comes whole."""
    session = through(kind)(client, mode, [[call("no_such_tool")], [{**TASK, "progress": False}], [TASK]])
    missing, quiet, task = session.calls
    types = [c.request.exchange.type for c in session.calls]
    if kind == "json":
        assert types[0] == "application/json", types
    assert len(task.reports) == 10 and task.request.exchange.type == "text/event-stream", (len(task.reports), types)
    return ", ".join(types)


def resumes(client: str, events: int, times: int = 1, reset: bool = False) -> str:
    """The connection is cut in mid-call, and the client takes the stream up again: every report reaches the wire, once and in order."""
    session = through("sse")(client, "legacy", [[call("workflow", steps=64, every_ms=20)]],
                             tap=lambda tap: tap.cut(events, times=times, reset=reset))
    assert len(session.wire.resumed()) == times, f"{client} took the stream up again {len(session.wire.resumed())} times, not {times}"
    compare("states", [report[0] for report in session.call(0).reports], list(range(1, 65)))
    assert session.results()[0]["event"] == "result", session.results()
    return session.behaviour()


def cut_for_good(client: str) -> str:
    """A cut in 2026-07-28 is the end of the call: the client is told, the server lets the tool go and serves the next one."""
    session = through("sse")(client, MODERN, [[call("workflow", steps=64, every_ms=20)], [TASK]], tap=lambda tap: tap.cut(9))
    assert session.call(1).text == "完成" and session.results()[1]["event"] == "result"
    return f"the client's word: {session.results()[0].get('text', '')[:100]}"


def leaves(client: str, mode: str) -> str:
    """The client is killed in mid-call: its connections are let go, and the next client is served."""
    server = SERVERS.fresh("sse")
    with server:
        before = connections(server)
        with Tap(server.url) as tap:
            plan = json.dumps([[call("long_running_task", every_ms=300)]])
            killed_on_report([*CLIENTS[client], mode, plan, "--", tap.url], SCRATCH)
            tap.settle()
        started = time.monotonic()
        while connections(server) > before:
            assert time.monotonic() - started < 10, f"{connections(server)} connections are held, {before} before"
            time.sleep(0.02)
        took = time.monotonic() - started
        session = Session(server, client, mode, [[TASK]])
        assert session.call(0).text == "完成"
    return f"let go after {took:.2f} s"


def connections(server: Server) -> int:
    """How many sockets the server's process holds."""
    held = 0
    for link in Path(f"/proc/{server.process.pid}/fd").iterdir():
        try:
            held += str(link.readlink()).startswith("socket:")
        except OSError:
            continue
    return held


def in_pieces(client: str, mode: str) -> str:
    """The answers arrive in pieces of seven bytes."""
    return scenarios.origin(through("sse"), client, mode, tap=lambda tap: tap.split(7))


def cases():
    for client in CLIENTS:
        modes = MODES if client != "typescript 1" else ("legacy",)
        for kind in SERVERS.kinds:
            for mode in modes:
                yield f"64 reports, {client}, {mode}, {kind}", lambda k=kind, c=client, m=mode: scenarios.sixty_four(through(k), c, m)
                yield f"answered_with, {client}, {mode}, {kind}", lambda k=kind, c=client, m=mode: answered_with(k, c, m)
        # The Python clients cannot be held to an old revision; the others can.
        for mode in LEGACY[1:-1] if client in ("typescript", "rmcp") else ():
            yield f"origin, {client}, {mode}", lambda c=client, m=mode: scenarios.origin(through("sse"), c, m)
        for mode in (mode for mode in ("legacy", MODERN) if mode in modes):
            for case in (*scenarios.ALL, in_pieces):
                if case is in_pieces:
                    yield f"in_pieces, {client}, {mode}", lambda c=client, m=mode: in_pieces(c, m)
                else:
                    yield f"{case.__name__}, {client}, {mode}", lambda f=case, c=client, m=mode: f(through("sse"), c, m)
            yield f"leaves, {client}, {mode}", lambda c=client, m=mode: leaves(c, m)
        for events, times in ((1, 1), (9, 1), (9, 3)):
            yield f"resumes after {events}, {times} times, {client}", lambda c=client, e=events, t=times: resumes(c, e, t)
        yield f"resumes after a reset, {client}", lambda c=client: resumes(c, 20, reset=True)
        if MODERN in modes:
            yield f"cut_for_good, {client}", lambda c=client: cut_for_good(c)
        if client in OLD_CLIENTS:
            old = through("sse", old=True)
            for case in (scenarios.sixty_four, scenarios.origin, scenarios.together, scenarios.fails, scenarios.cancel, scenarios.errors):
                yield f"{case.__name__}, {client}, HTTP+SSE", lambda f=case, c=client: f(old, c, "legacy")


if __name__ == "__main__":
    status = run_all(list(cases()))
    if status == 0:
        for file in SCRATCH.iterdir():
            file.unlink()
        SCRATCH.rmdir()
    else:
        print(f"the wires are in {SCRATCH}", file=sys.stderr)
    sys.exit(status)
