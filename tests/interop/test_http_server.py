"""Our demo server over HTTP under the clients of others: FastMCP, the Python SDK, the TypeScript SDKs 2.4 and 1.32, and rmcp.

    test_http_server.py RMCP_CLIENT SERVER [ARG ...]

A tap stands between, which knows what was sent. Environment: ONLY=TEXT runs the cases whose name holds TEXT; BRIEF=1 runs those that are
about the adapter.
"""

import json
import re
import sys
import time
from pathlib import Path

import scenarios
from http_peers import SCRATCH, Server, Servers, node
from http_tap import Tap
from interop import LEGACY, MODERN, Call, compare, main, named
from scenarios import MODES, TASK, call, killed_on_report

RMCP, *SERVER = sys.argv[1:]
CLIENTS = {**scenarios.CLIENTS, "typescript 1": node("client-v1.mjs"), "rmcp": [RMCP]}
# Who speaks HTTP+SSE.
OLD_CLIENTS = ("fastmcp", "python", "typescript", "typescript 1")
# Our server, which serves everything at one address.
SERVERS = Servers({"ours": lambda: Server([*SERVER, "--sse"])})


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
        """Up to 2025-11-25 by a notification; in 2026-07-28 by the end of the stream of the answer, which a tap can bring about too."""
        if self.modern(call) and not self.old:
            return call.request.exchange.breaker in ("client", "tap") and not call.responses
        return super().given_up(call)

    def modern(self, call: Call) -> bool:
        return "io.modelcontextprotocol/protocolVersion" in call.request.body["params"].get("_meta", {})

    def check_exchanges(self) -> None:
        """What holds for everything that our server answers."""
        passed: list[str] = []
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
                last = exchange.headers.get("last-event-id")
                # A client may ask for the same events twice; those that it has had before the one that it names are not sent.
                old = set(passed[: passed.index(last) + 1] if last else passed)
                for event in exchange.events:
                    assert event.id not in old, f"{where}: event {event.id} again"
                    if event.id is not None and event.id not in passed:
                        passed.append(event.id)
        for one in self.calls:
            self.check_streams(one)

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


def start(*arguments, **options) -> Session:
    """How the scenarios start a session."""
    return Session(SERVERS["ours"], *arguments, **options)


def start_old(*arguments, **options) -> Session:
    """The same, over HTTP+SSE."""
    return start(*arguments, old=True, **options)


def answers(client: str, mode: str) -> str:
    """What has nothing to report is answered with one JSON object, what reports with a stream."""
    session = start(client, mode, [[call("no_such_tool")], [{**TASK, "progress": False}], [TASK]])
    missing, quiet, task = session.calls
    kinds = {"application/json": "JSON", "text/event-stream": "SSE"}
    types = [kinds[c.request.exchange.type] for c in session.calls]
    # Up to 2025-11-25 a call that asks for progress has its stream at once, so that it can be taken up again. FastMCP's client asks for
    # progress where its caller did not.
    streams = [c.token is not None if mode == "legacy" else bool(c.reports) for c in session.calls]
    assert types == ["SSE" if stream else "JSON" for stream in streams], types
    assert len(task.reports) == 10 and (quiet.token is not None or not quiet.reports), [len(c.reports) for c in session.calls]
    return f"answered with {', '.join(types)}"


def resumes(client: str, events: int, times: int = 1, reset: bool = False) -> str:
    """The connection is cut in mid-call, and the client takes the stream up again: every report reaches the wire, once and in order."""
    session = start(client, "legacy", [[call("workflow", steps=64, every_ms=20)]],
                             tap=lambda tap: tap.cut(events, times=times, reset=reset))
    assert len(session.wire.resumed()) == times, f"{client} took the stream up again {len(session.wire.resumed())} times, not {times}"
    compare("states", [report[0] for report in session.call(0).reports], list(range(1, 65)))
    assert session.results()[0]["event"] == "result", session.results()
    return session.behaviour()


def cut_for_good(client: str) -> str:
    """A cut in 2026-07-28 is the end of the call: the client is told, the server lets the tool go and serves the next one."""
    session = start(client, MODERN, [[call("workflow", steps=64, every_ms=20, timeout=5)], [TASK]], tap=lambda tap: tap.cut(9))
    assert session.call(1).text == "完成" and session.results()[1]["event"] == "result"
    return f"the client's word: {session.results()[0].get('text', '')[:100]}"


def leaves(client: str, mode: str) -> str:
    """The client is killed in mid-call: its connections are let go, and the next client is served."""
    server = SERVERS.fresh("ours")
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
    return scenarios.origin(start, client, mode, tap=lambda tap: tap.split(7))


def cases():
    for client in CLIENTS:
        modes = tuple(MODES) if client != "typescript 1" else ("legacy",)
        for mode in modes:
            yield f"64 reports, {client}, {mode}", lambda c=client, m=mode: scenarios.sixty_four(start, c, m)
        # The Python clients cannot be held to an old revision; the others can.
        for mode in LEGACY[1:-1] if client in ("typescript", "rmcp") else ():
            yield f"origin, {client}, {mode}", lambda c=client, m=mode: scenarios.origin(start, c, m)
        for mode in (mode for mode in ("legacy", MODERN) if mode in modes):
            for case in scenarios.ALL:
                yield f"{case.__name__}, {client}, {mode}", lambda f=case, c=client, m=mode: f(start, c, m)
            for case in (answers, in_pieces, leaves):
                yield f"{case.__name__}, {client}, {mode}", lambda f=case, c=client, m=mode: f(c, m)
        for events, times in ((1, 1), (9, 1), (9, 2)):
            yield f"resumes after {events}, {times} times, {client}", lambda c=client, e=events, t=times: resumes(c, e, t)
        yield f"resumes after a reset, {client}", lambda c=client: resumes(c, 20, reset=True)
        if MODERN in modes:
            yield f"cut_for_good, {client}", lambda c=client: cut_for_good(c)
        if client in OLD_CLIENTS:
            for case in (scenarios.sixty_four, scenarios.origin, scenarios.together, scenarios.fails, scenarios.cancel, scenarios.errors):
                yield f"{case.__name__}, {client}, HTTP+SSE", lambda f=case, c=client: f(start_old, c, "legacy")


if __name__ == "__main__":
    brief = named("64 reports", "sixty_four", "one_read", "together", "cancel", "leaves", "resumes after 9", "resumes after a reset", "cut_for_good")
    main(list(cases()), SCRATCH, brief)
