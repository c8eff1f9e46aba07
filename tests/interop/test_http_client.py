"""The tool `mcpcli`, or the example `call` of an adapter, and with it our client, against the HTTP servers of others; every run is compared
with what a tap saw on the wire.

    test_http_client.py MCPCLI|CALL RMCP_SERVER

Environment: ONLY=TEXT runs the cases whose name holds TEXT; BRIEF=1 runs those that are about the adapter, which `call` can carry out.
"""

import os
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager, nullcontext

import tool
from http_peers import SCRATCH, Server, Servers, everything, node, python
from http_tap import Tap, of_call
from interop import LEGACY, MODERN, PYTHON, compare, main
from tool import LIMIT, is_call, on_first_report, terminal

CLI, RMCP = sys.argv[1:3]
FIRST, NEWEST = LEGACY[0], LEGACY[-1]


def of(command: list[str], *fixed: str):
    return lambda *options: Server([*command, *fixed, *options], signs=True)


SERVERS = Servers({
    "fastmcp": of(python("fastmcp_server.py"), "--http", "--store"),
    "fastmcp, json": of(python("fastmcp_server.py"), "--http", "--json"),
    "fastmcp, sse": of(python("fastmcp_server.py"), "--sse"),
    "python": of(python("mcp_server.py"), "--http", "--store"),
    # The Python SDK's store of events mixes the streams of all sessions up: whoever resumes has this one for itself.
    "python, alone": of(python("mcp_server.py"), "--http", "--store"),
    "python, no store": of(python("mcp_server.py"), "--http"),
    "python, json": of(python("mcp_server.py"), "--http", "--json"),
    "python, sse": of(python("mcp_server.py"), "--sse"),
    "typescript": of(node("server.mjs"), "--http", "--store"),
    "typescript, stateless": of(node("server.mjs"), "--http"),
    "typescript, json": of(node("server.mjs"), "--http", "--json", "--store"),
    "typescript 1": of(node("server-v1.mjs"), "--http", "--store"),
    "typescript 1, json": of(node("server-v1.mjs"), "--http", "--json"),
    "typescript 1, sse": of(node("server-v1.mjs"), "--sse"),
    "rmcp": of([RMCP], "--http"),
    "rmcp, json": of([RMCP], "--http", "--json"),
    "everything": lambda: everything("streamableHttp", "/mcp"),
    "everything, sse": lambda: everything("sse", "/sse"),
})
MODERN_SERVERS = ("fastmcp", "python", "typescript", "rmcp")
# Those that keep events; a stream that breaks can be taken up again.
STORES = ("fastmcp", "python, alone", "typescript", "typescript 1")
OLD = ("everything, sse", "typescript 1, sse", "python, sse", "fastmcp, sse")


class Run(tool.Run):
    """A run against a server, through the tap."""

    count = 0

    def __init__(self, server: Server, subcommand: list[str], options: list[str] = (), revision: str | None = None, tap=lambda tap: None,
                 json_events: bool = True, while_running=None, old: bool = False):
        Run.count += 1
        transcript = SCRATCH / f"run-{Run.count}.txt"
        command = tool.command(CLI, subcommand, options, json_events, revision)
        with Tap(server.url) as between:
            tap(between)
            self.wire = between.wire
            try:
                super().__init__([*command, "--url", between.url], json_events, while_running)
            finally:
                between.settle()
                transcript.write_text(" ".join(command) + "\n" + self.wire.transcript())
        try:
            self.check_requests(old)
        except AssertionError as error:
            raise AssertionError(f"{error} (see {transcript})") from None

    def check_requests(self, old: bool) -> None:
        """What holds for every request that our client makes."""
        session = revision = None
        for exchange in self.wire.exchanges:
            headers, message = exchange.headers, exchange.message
            accepts = headers.get("accept", "")
            if exchange.method == "POST":
                assert message, f"#{exchange.number} posts no message: {exchange.body[:200]!r}"
                # What HTTP+SSE answers a POST with is not said anywhere.
                assert old or ("application/json" in accepts and "text/event-stream" in accepts), f"#{exchange.number} accepts {accepts!r}"
                assert headers.get("content-type") == "application/json", headers
            elif exchange.method == "GET":
                assert "text/event-stream" in accepts, f"#{exchange.number} accepts {accepts!r}"
            meta = ((message or {}).get("params") or {}).get("_meta", {})
            if spoken := meta.get("io.modelcontextprotocol/protocolVersion"):
                if old:
                    continue
                assert headers.get("mcp-protocol-version") == spoken and headers.get("mcp-method") == message["method"], headers
                if message["method"] == "tools/call":
                    assert headers.get("mcp-name") == message["params"]["name"], headers
                assert "mcp-session-id" not in headers, headers
                continue
            assert headers.get("mcp-session-id") == session, f"#{exchange.number}: session {headers.get('mcp-session-id')}, not {session}"
            if revision and revision >= "2025-06-18":
                assert headers.get("mcp-protocol-version") == revision, f"#{exchange.number}: {headers.get('mcp-protocol-version')}"
            if exchange.called == "initialize":
                session = exchange.answer.get("mcp-session-id")
                answers = [m.body["result"] for m in self.wire.messages if m.sender == "server" and m.body and m.body.get("id") == message["id"]
                           and "result" in m.body]
                revision = answers[0]["protocolVersion"] if answers and not old else None

    def resumed(self, times: int) -> "Run":
        """Checks that the stream was taken up again so many times, and that this was said."""
        assert len(self.wire.resumed()) == times, f"taken up again {len(self.wire.resumed())} times, not {times}"
        assert len(self.of("resumed")) == times, f"said {len(self.of('resumed'))} times that the stream goes on, not {times}"
        return self


def call(kind: str | Server, name: str, *arguments: str, **options) -> Run:
    server = kind if isinstance(kind, Server) else SERVERS[kind]
    with server.lock if kind == "python, alone" else nullcontext():
        return Run(server, ["call", name, *arguments], old=kind in OLD, **options)


def peers_reports(kind: str, revision: str, n: int) -> int:
    """How many of its tool's reports the server puts on the wire: a server that answers with JSON drops them, but for rmcp, which does
    not answer with JSON then."""
    return 0 if "json" in kind and "rmcp" not in kind else n


def counts(kind: str, n: int, revision: str | None, expected: str):
    run = call(kind, "count", f"n={n}", revision=revision).expect(0, "result").complete(peers_reports(kind, expected, n)).revision(expected)
    assert run.of("result")[0]["content"][0]["text"] == f"counted to {n}"
    assert not run.of("violation"), run.of("violation")[:3]
    assert not run.of("resumed"), run.of("resumed")
    return run.wire.call().request.exchange.type


def one_read(kind: str, revision: str):
    """Forty reports and the result arrive in one piece."""
    call(kind, "count", "n=40", revision=revision, tap=lambda tap: tap.hold()).expect(0, "result").complete(40)


def in_pieces(kind: str, revision: str):
    """Every answer arrives in pieces of seven bytes, which cut heads, events and characters."""
    call(kind, "from_zero", revision=revision, tap=lambda tap: tap.split(7)).expect(0, "result").complete(10)


def delayed(kind: str, revision: str):
    call(kind, "count", "n=20", revision=revision, tap=lambda tap: tap.delay(0.1)).expect(0, "result").complete(20)


def unknown_total(kind: str, revision: str):
    run = call(kind, "unknown_total", "n=64", revision=revision).expect(0, "result").complete(64)
    assert all(e.get("total") is None for e in run.of("progress"))


def from_zero(kind: str, revision: str):
    run = call(kind, "from_zero", revision=revision).expect(0, "result").complete(10)
    assert run.of("progress")[9]["message"] == "正在处理步骤 10/10" and run.of("result")[0]["content"][0]["text"] == "完成"


def fails(kind: str, revision: str):
    run = call(kind, "fails", "n=5", revision=revision).expect(1, "result").complete(5)
    result = run.of("result")[0]
    # The Python SDK tells that a tool has failed, and not why.
    why = "Error executing tool fails" if kind.startswith("python") else "the disk is full"
    assert result["isError"] is True and why in result["content"][0]["text"], result


def unknown_tool(kind: str, revision: str):
    run = call(kind, "nosuch", revision=revision)
    assert run.code == 1, f"exit status {run.code}: {run.events}"


def logs(kind: str, revision: str):
    run = call(kind, "logs", "n=5", revision=revision).expect(0, "result").complete(5)
    sent = run.wire.sent("notifications/message")
    assert len(run.of("log")) == len(sent), f"{len(run.of('log'))} log messages told, {len(sent)} on the wire"
    return f"{len(sent)} log messages"


def adds(kind: str, revision: str):
    run = call(kind, "add", "a=2", "--args", '{"b": 40}', revision=revision).expect(0, "result")
    assert run.of("result")[0]["structuredContent"] == {"result": 42}, run.events


def lists(kind: str, revision: str):
    run = Run(SERVERS[kind], ["list"], revision=revision, old=kind in OLD)
    assert run.code == 0, (run.code, run.stderr[-300:])
    missing = {name for name in ("count", "unknown_total", "fails", "sleeps", "add") if f'"{name}"' not in run.stdout}
    assert not missing, f"missing {missing} in {run.stdout[:400]}"


def says_goodbye(kind: str):
    """A session that is over is ended with DELETE."""
    run = call(kind, "add", "a=2", revision=NEWEST).expect(0, "result")
    assert run.wire.exchanges[0].answer.get("mcp-session-id"), "the server gave no session"
    assert len(run.wire.of("DELETE")) == 1, [exchange.method for exchange in run.wire.exchanges]


def resumes(kind: str, events: int, reset: bool):
    """The connection is cut after so many events: the stream goes on on another connection, and the bar is complete."""
    run = call(kind, "count", "n=64", revision=NEWEST, tap=lambda tap: tap.cut(events, reset=reset)).expect(0, "result")
    return again(run.complete(64).resumed(1))


def resumes_in_time(kind: str, times: int):
    """The same while the tool works, more than once. The Python SDK's server loses a report that its tool makes while it replays."""
    run = call(kind, "sleeps", "seconds=3", "every=0.05", revision=NEWEST, tap=lambda tap: tap.cut(8, times=times)).expect(0, "result")
    arrived = len(run.wire.call().reports)
    may_be_lost = times if kind in ("fastmcp", "python, alone") else 0
    run.complete(arrived).resumed(times)
    assert 60 - may_be_lost <= arrived <= 60, f"the server wrote {arrived} reports of 60"
    return again(run) + (f"; the server lost {60 - arrived}" if arrived < 60 else "")


def resumes_later(kind: str):
    """The server takes no connection at first: the client tries again."""
    run = call(kind, "count", "n=64", revision=NEWEST, tap=lambda tap: tap.cut(9, refuse=2)).expect(0, "result")
    return again(run.complete(64).resumed(1))


def again(run: Run) -> str:
    breaks = [exchange.broken for exchange in run.wire.exchanges if exchange.breaker == "tap"]
    waits = [exchange.began - before for exchange, before in zip(run.wire.resumed(), breaks)]
    return f"taken up again after {', '.join(f'{wait:.2f} s' for wait in waits)}"


def resumption_is_said(kind: str):
    """People are told too that a stream was taken up again."""
    run = call(kind, "count", "n=20", revision=NEWEST, tap=lambda tap: tap.cut(9), json_events=False)
    assert run.code == 0 and run.stdout.strip() == "counted to 20", (run.code, run.stdout)
    assert "resumed" in run.stderr, run.stderr
    assert sum("step " in line for line in run.stderr.splitlines()) == 20, run.stderr


def bar():
    """On a terminal the bar moves in place until the end, also where the connection was cut on the way."""
    for cut in (False, True):
        with Tap(SERVERS["fastmcp"].url) as tap:
            if cut:
                tap.cut(9)
            code, out, screen = terminal([CLI, "call", "count", "n=20", "--revision", NEWEST, "--url", tap.url])
        assert code == 0 and out.strip() == "counted to 20" and "step 20 of 20" in screen, (code, out, screen[-800:])
        assert ("resumed" in screen) == cut, screen[-800:]


def ctrl_c():
    """Ctrl-C typed at a terminal: the server is told, by the end of the stream in the modern revision."""
    with Tap(SERVERS["fastmcp"].url) as tap:
        code, _, screen = terminal([CLI, "call", "sleeps", "seconds=20", "every=0.1", "--url", tap.url],
                                   keys=lambda screen: b"\x03" if "still at it" in screen else None)
        tap.settle()
    assert code == 130, (code, screen[-500:])
    assert tap.wire.call().request.exchange.breaker == "client", tap.wire.transcript()


def polls(kind: str):
    """The server ends the connection on purpose, three times: the client comes back when it was told to."""
    run = call(kind, "polls", "n=12", revision=NEWEST).expect(0, "result").complete(12)
    back = run.wire.resumed()
    assert 1 <= len(back) <= 3, f"came back {len(back)} times"
    before = [exchange for exchange in run.wire.exchanges if of_call(exchange)]
    waits = [later.began - (earlier.ended or earlier.broken) for earlier, later in zip(before, before[1:])]
    assert all(wait >= 0.18 for wait in waits), f"told to wait 200 ms, waited {waits}"
    return f"came back after {', '.join(f'{wait:.2f} s' for wait in waits)}"


def cannot_resume(kind: str, revision: str):
    """A cut where nothing can be resumed: the reports until then, one ending, exit status 3."""
    run = call(kind, "sleeps", "seconds=20", "every=0.05", revision=revision, tap=lambda tap: tap.cut(9)).expect(3, "error", "closed")
    compare("reports", run.seen(), run.wire.call().reports)
    assert run.seen() and run.seconds < 15, (len(run.seen()), run.seconds)


def dies(kind: str, revision: str):
    """The server ends in the middle of a call."""
    with SERVERS.fresh(kind) as server:
        run = call(server, "dies", "n=7", revision=revision).expect(3, "error", "closed")
    compare("reports", run.seen(), run.wire.call().reports)
    assert len(run.seen()) == 7 and run.seconds < 40, (len(run.seen()), run.seconds)
    return f"gave up after {run.seconds:.1f} s"


def killed(kind: str):
    """The server is killed in the middle of a call, over HTTP+SSE."""
    with SERVERS.fresh(kind) as server:
        name, *arguments = LONG[kind]
        stop = on_first_report(lambda _: server.stop())
        run = Run(server, ["call", name, *arguments], while_running=stop, old=True).expect(3, "error", "closed")
    assert run.seen() and run.seconds < 40, (len(run.seen()), run.seconds)


LONG = {
    "everything, sse": ("trigger-long-running-operation", "duration=20", "steps=100"),
    "everything": ("trigger-long-running-operation", "duration=20", "steps=100"),
    "typescript 1, sse": ("sleeps", "seconds=20", "every=0.2"),
}


def interrupt(kind: str, revision: str):
    """Ctrl-C: the modern revision ends the stream, the older ones send a notification; the server's tool ends."""
    server = SERVERS[kind]
    with server.lock:
        before = server.signatures("cancelled")
        stop = on_first_report(lambda process: process.send_signal(signal.SIGINT))
        run = call(kind, "sleeps", "seconds=20", "every=0.1", revision=revision, while_running=stop).expect(130, "error", "cancelled")
        ended = server.wrote("cancelled", before + 1)
    check_told(run, kind, revision)
    assert ended, "the server's tool goes on"


def gives_up(kind: str, revision: str):
    """The program drops the call after five reports: the same as with Ctrl-C."""
    server = SERVERS[kind]
    with server.lock:
        before = server.signatures("cancelled")
        run = call(kind, "sleeps", "seconds=20", "every=0.1", options=["--give-up-after", "5"], revision=revision).expect(130, "error", "cancelled")
        ended = server.wrote("cancelled", before + 1)
    assert len(run.of("progress")) == 5, len(run.of("progress"))
    check_told(run, kind, revision)
    assert ended, "the server's tool goes on"


def check_told(run: Run, kind: str, revision: str) -> None:
    """The server was told that nobody waits any more, in the way of the revision."""
    assert run.seconds < 15, f"{run.seconds:.1f} s"
    told = run.wire.call().cancelled
    if revision == MODERN and kind not in OLD:
        assert not told and run.wire.call().request.exchange.breaker == "client", "the stream was not ended, or a notification sent"
    else:
        assert len(told) == 1, "the server was not told"


def idle_timeout(kind: str, revision: str):
    run = call(kind, "sleeps", "seconds=20", options=["--idle-timeout", "2s"], revision=revision).expect(4, "error", "timeout")
    assert run.seconds < 10, f"{run.seconds:.1f} s"
    if revision == MODERN:
        assert run.wire.call().request.exchange.breaker == "client", "the stream was not ended"
    else:
        assert len(run.wire.call().cancelled) == 1, "the server was not told"


def everything_counts(kind: str):
    run = call(kind, "trigger-long-running-operation", "duration=1", "steps=64").expect(0, "result").complete(64)
    assert "completed" in run.of("result")[0]["content"][0]["text"]
    return run.of("ready")[0]["revision"]


def everything_resumes():
    """It replays what it has stored when it is asked, and nothing that comes later: the tool is over by then."""
    run = call("everything", "trigger-long-running-operation", "duration=0.5", "steps=64", revision=NEWEST, tap=lambda tap: tap.cut(20))
    return again(run.expect(0, "result").complete(64).resumed(1))


def rmcp_forgets():
    """rmcp keeps sixteen events of a stream, and none of one that is complete: the call is lost, which is told once."""
    run = call("rmcp", "count", "n=64", revision=NEWEST, tap=lambda tap: tap.cut(9)).expect(3, "error", "closed")
    compare("reports", run.seen(), run.wire.call().reports)
    assert run.seconds < 40, run.seconds
    return f"gave up after {run.seconds:.1f} s and {len(run.wire.resumed())} tries"


@contextmanager
def guarded():
    with SERVERS.fresh("fastmcp", "--token", "s3cret") as server:
        yield server


def bearer_token(revision: str):
    """A header reaches the server, with every request; without it the server refuses, which is told."""
    with guarded() as server:
        header = ["--header", "Authorization: Bearer s3cret", "--header", "X-Trace: one two"]
        run = call(server, "count", "n=5", revision=revision, options=header).expect(0, "result").complete(5)
        for exchange in run.wire.exchanges:
            assert exchange.headers.get("authorization") == "Bearer s3cret" and exchange.headers.get("x-trace") == "one two", exchange.headers
        refused = call(server, "count", "n=5", revision=revision)
        assert refused.code == 3 and len(refused.of("error")) == 1, (refused.code, refused.events)
        assert "401" in refused.events[-1]["message"], refused.events[-1]


def nobody_there():
    """No server at the address: exit status 3, and soon."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = tool.command(CLI, ["call", "count", "n=1"], ["--url", f"http://127.0.0.1:{port}/mcp"], True, None)
    process = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=LIMIT)
    assert process.returncode == 3, (process.returncode, process.stdout, process.stderr)
    assert process.stdout.count('"error"') == 1, process.stdout
    assert is_call(CLI) or str(port) in process.stdout + process.stderr, process.stdout


def no_mcp_there():
    """A web server that knows nothing of MCP."""
    with Server([PYTHON, "-c", WEB]) as server:
        run = call(server, "count", "n=1")
    assert run.code == 3 and len(run.of("error")) == 1, (run.code, run.events)
    assert run.seconds < 10, run.seconds


WEB = """
import http.server
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler)
print(f"listening on http://127.0.0.1:{server.server_address[1]}/mcp", flush=True)
server.serve_forever()
"""


def is_brief(name: str) -> bool:
    """One call over each server and its transport, both eras where it knows both, and what an adapter has a part in: connections that are
    cut, delayed and refused, servers that end, timers."""
    what, *where = name.split(", ")
    if what == "count 64":
        return where[-1] == "auto" or (where[-1] == NEWEST and where[0] in MODERN_SERVERS and len(where) == 2)
    return what in ("64 reports", "count 5000", "gives_up", "idle_timeout", "resumes after 9", "resumes_in_time 1", "resumes_later", "cannot_resume",
                    "dies", "killed", "nobody_there") or (what in ("one_read", "in_pieces", "delayed") and where[0] in ("fastmcp", "typescript 1"))


def cases():
    for kind in SERVERS.kinds:
        if kind.startswith("everything"):
            yield f"64 reports, {kind}", lambda k=kind: everything_counts(k)
            continue
        known = [FIRST] if kind.endswith("sse") else LEGACY[1:]
        for revision in known:
            yield f"count 64, {kind}, {revision}", lambda k=kind, r=revision: counts(k, 64, r, r)
        if kind.split(",")[0] in MODERN_SERVERS and not kind.endswith("sse"):
            yield f"count 64, {kind}, {MODERN}", lambda k=kind: counts(k, 64, MODERN, MODERN)
        expected = MODERN if kind.split(",")[0] in MODERN_SERVERS and not kind.endswith("sse") else NEWEST
        yield f"count 64, {kind}, auto", lambda k=kind, e=expected: counts(k, 64, None, e)
    for kind in ("fastmcp", "typescript 1", "rmcp"):
        yield f"count 5000, {kind}", lambda k=kind: counts(k, 5000, NEWEST, NEWEST)
    for kind in ("fastmcp", "python", "typescript", "rmcp"):
        for case in (one_read, in_pieces, delayed, unknown_total, from_zero, fails, unknown_tool, logs, adds, lists, gives_up if is_call(CLI) else interrupt,
                     idle_timeout):
            for revision in (NEWEST, MODERN):
                yield f"{case.__name__}, {kind}, {revision}", lambda f=case, k=kind, r=revision: f(k, r)
    for kind in ("typescript 1, sse", "python, sse"):
        for case in (in_pieces, unknown_total, fails, unknown_tool, logs, adds, lists, gives_up if is_call(CLI) else interrupt):
            yield f"{case.__name__}, {kind}", lambda f=case, k=kind: f(k, None)
    for kind in STORES:
        yield f"says_goodbye, {kind}", lambda k=kind: says_goodbye(k)
        for events in (1, 9, 40):
            yield f"resumes after {events}, {kind}", lambda k=kind, e=events: resumes(k, e, e == 9)
        for times in (1, 3):
            yield f"resumes_in_time {times}, {kind}", lambda k=kind, t=times: resumes_in_time(k, t)
        yield f"resumes_later, {kind}", lambda k=kind: resumes_later(k)
    yield "resumes_in_time 1, rmcp", lambda: resumes_in_time("rmcp", 1)
    yield "rmcp_forgets", rmcp_forgets
    for kind in ("python, alone", "fastmcp", "typescript 1"):
        yield f"polls, {kind}", lambda k=kind: polls(k)
    yield "bar", bar
    yield "ctrl_c", ctrl_c
    yield "resumption_is_said, python", lambda: resumption_is_said("python, alone")
    yield "resumes, everything", everything_resumes
    for kind in MODERN_SERVERS:
        yield f"cannot_resume, {kind}, {MODERN}", lambda k=kind: cannot_resume(k, MODERN)
    for kind, revision in (("python, no store", NEWEST), ("typescript, stateless", NEWEST), ("typescript 1, sse", None)):
        yield f"cannot_resume, {kind}", lambda k=kind, r=revision: cannot_resume(k, r)
    for kind in ("python", "typescript 1"):
        yield f"dies, {kind}", lambda k=kind: dies(k, NEWEST)
    yield f"dies, fastmcp, {MODERN}", lambda: dies("fastmcp", MODERN)
    for kind in LONG:
        yield f"killed, {kind}", lambda k=kind: killed(k)
    for revision in (NEWEST, MODERN):
        yield f"bearer_token, {revision}", lambda r=revision: bearer_token(r)
    yield "nobody_there", nobody_there
    yield "no_mcp_there", no_mcp_there


if __name__ == "__main__":
    assert os.access(CLI, os.X_OK), f"{CLI} is no program"
    main(list(cases()), SCRATCH, is_brief)
