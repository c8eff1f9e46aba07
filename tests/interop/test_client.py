"""The tool `mcpcli`, or the example `call` of an adapter, and with it our client, against the servers of others: FastMCP and rmcp; every
run is compared with what a tap saw on the wire.

    test_client.py MCPCLI|CALL RMCP_SERVER

Environment: ONLY=TEXT runs the cases whose name holds TEXT; BRIEF=1 runs those that are about the adapter, which `call` can carry out.
"""

import base64
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from contextvars import ContextVar
from pathlib import Path

import tool
from interop import HERE, LEGACY, MODERN, PYTHON, PipeWire, compare, gone, main, named, tapped
from tool import LIMIT, is_call, on_first_report, terminal

CLI = sys.argv[1]
SERVER = str(HERE / "peers" / "fastmcp_server.py")
FASTMCP = [PYTHON, SERVER]
RMCP = [sys.argv[2]]
# The server of the case that runs; each has the same tools and options.
peer: ContextVar[list[str]] = ContextVar("peer")
SCRATCH = Path(tempfile.mkdtemp(prefix="mcp-interop-client-"))
BOTH = [LEGACY[-1], MODERN]


class Run(tool.Run):
    """A run against the server of the case, through the tap."""

    count = 0

    def __init__(self, subcommand: list[str], options: list[str] = (), revision: str | None = None, server: list[str] = (),
                 tap: list[str] = (), json_events: bool = True, while_running=None, server_may_linger: float = 3):
        Run.count += 1
        stem = SCRATCH / f"run-{Run.count}-{subcommand[-1] if len(subcommand) == 1 else subcommand[1]}"
        self.record, self.signed = stem.with_suffix(".wire"), stem.with_suffix(".signed")
        command = tool.command(CLI, subcommand, options, json_events, revision)
        command += ["--", *tapped(self.record, *tap, "--", *peer.get(), "--sign-off", str(self.signed), *server)]
        super().__init__(command, json_events, while_running)
        self.wire = PipeWire(self.record)
        ended = time.monotonic()
        assert gone(self.wire.pid, within=server_may_linger), "the server outlives the tool"
        self.lingered = time.monotonic() - ended


def call(name: str, *arguments: str, **options) -> Run:
    return Run(["call", name, *arguments], **options)


def counts(n: int, revision: str, expected: str):
    run = call("count", f"n={n}", revision=revision).expect(0, "result").complete(n).revision(expected)
    assert run.of("result")[0]["content"][0]["text"] == f"counted to {n}"
    assert not run.of("violation"), run.of("violation")[:3]


def one_read(revision: str):
    """Forty reports and the result arrive in one piece."""
    # The tap holds back what comes within a moment; on a busy machine a server may take longer.
    assert any(arrives_together(revision) for _ in range(5)), "they never came together"


def arrives_together(revision: str) -> bool:
    run = call("count", "n=40", revision=revision, tap=["--hold"]).expect(0, "result").complete(40)
    chunk = next(m.time for m in run.wire.messages if m.progress())
    together = [m for m in run.wire.messages if m.time == chunk and m.sender == "server"]
    return sum(bool(m.progress()) for m in together) == 40 and together[-1].body.get("id") == run.wire.call().id


def in_pieces(revision: str):
    """Every message arrives in pieces of seven bytes, which cut keys, numbers and characters."""
    call("from_zero", revision=revision, tap=["--split", "7"]).expect(0, "result").complete(10)


def unknown_total(revision: str):
    run = call("unknown_total", "n=64", revision=revision).expect(0, "result").complete(64)
    assert all(e.get("total") is None for e in run.of("progress"))


def floats(revision: str):
    run = call("floats", "n=30", revision=revision).expect(0, "result").complete(30)
    value, expected = 0.0, []
    for _ in range(30):
        value += 0.1
        expected.append(value)
    compare("values", [e["progress"] for e in run.of("progress")], expected)


def from_zero(revision: str):
    run = call("from_zero", revision=revision).expect(0, "result").complete(10)
    assert run.of("progress")[0]["progress"] == 0 and run.of("progress")[9]["message"] == "正在处理步骤 10/10"
    assert run.of("result")[0]["content"][0]["text"] == "完成"


def repeats(revision: str):
    run = call("repeats", revision=revision).expect(0, "result")
    assert len(run.wire.call().reports) == 5
    assert len(run.of("violation")) == 2, f"two reports do not increase, told of {run.of('violation')}"
    values = [e["progress"] for e in run.of("progress")]
    assert values == [1, 2, 3], f"reports that do not increase are no reports: {values}"


def fails(revision: str):
    run = call("fails", "n=5", revision=revision).expect(1, "result").complete(5)
    result = run.of("result")[0]
    assert result["isError"] is True and "the disk is full" in result["content"][0]["text"], result


def fails_for_people():
    run = call("fails", "n=2", json_events=False)
    assert run.code == 1, run.code
    assert "the disk is full" in run.stdout + run.stderr


def unknown_tool(revision: str):
    run = call("nosuch", revision=revision)
    assert run.code == 1, f"exit status {run.code}: {run.events}"


def wrong_argument(revision: str):
    """FastMCP answers with a result that is an error, rmcp with an error of the protocol: both are told."""
    run = call("count", "n=many", revision=revision)
    assert run.code == 1, f"exit status {run.code}: {run.events}"
    told = json.dumps(run.events[-1])
    if "result" in run.wire.call().response:
        assert run.events[-1]["isError"] is True and "n" in told, told
    else:
        assert run.events[-1]["event"] == "error" and str(run.wire.call().response["error"]["code"]) in told, told


def dies(revision: str):
    run = call("dies", "n=7", revision=revision).expect(3, "error", "closed").complete(7)
    assert run.seconds < 25, f"{run.seconds:.1f} s"
    told = json.dumps(run.events[-1]) + run.stderr
    assert "out of memory" in told, f"the server's last words are missing: {told[-500:]}"


def dies_at_once():
    """A command that ends before it has said anything."""
    process = subprocess.run([CLI, "call", "count", "n=1", "--json", "--", PYTHON, "-S", "-c", "raise SystemExit('no such model')"],
                             stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=LIMIT)
    last = json.loads(process.stdout.splitlines()[-1])
    assert process.returncode == 3 and last["event"] == "error" and last["kind"] == "closed", (process.returncode, last)
    assert "no such model" in process.stderr + process.stdout


def no_such_command():
    process = subprocess.run([*tool.command(CLI, ["call", "count"], [], True, None), "--", "no-such-command-anywhere"],
                             stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=LIMIT)
    last = json.loads(process.stdout.splitlines()[-1])
    assert process.returncode == 3 and last["event"] == "error" and last["kind"] == "spawn", (process.returncode, last)
    assert "no-such-command-anywhere" in process.stderr + process.stdout


def wrong_usage():
    for arguments in (["call"], ["call", "count", "--idle-timeout", "soon", "--", "true"], ["call", "count", "--revision", "2020-01-01", "--", "true"],
                      ["call", "count", "--args", "[1", "--", "true"], ["call", "count", "n=1"]):
        process = subprocess.run([CLI, *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=LIMIT)
        assert process.returncode == 2, f"{arguments}: exit status {process.returncode}: {process.stderr[-300:]!r}"
        assert process.stderr.strip() or process.stdout.strip(), f"{arguments}: nothing said"


def junk(revision: str, expected: str):
    run = call("count", "n=20", revision=revision, server=["--junk"]).expect(0, "result").complete(20).revision(expected)
    assert run.wire.junk() == 22, f"the server wrote {run.wire.junk()} lines of junk"
    assert run.of("violation"), "junk is not told of"


def logs(revision: str):
    run = call("logs", "n=5", revision=revision).expect(0, "result").complete(5)
    sent = run.wire.sent("notifications/message")
    assert len(sent) == 5, f"the server wrote {len(sent)} log messages"
    told = run.of("log")
    assert len(told) == 5 and all(f"log line {i}" in json.dumps(e) for i, e in enumerate(told, 1)), told
    # One stream, one order: a log message comes before the report that the tool made after it.
    order = [e["event"] for e in run.events if e["event"] in ("log", "progress")]
    assert order == ["log", "progress"] * 5, order


def arguments(revision: str):
    run = call("add", "a=2", "--args", '{"b": 40}', revision=revision).expect(0, "result")
    assert run.of("result")[0]["structuredContent"] == {"result": 42}, run.events
    assert call("add", "a=2", revision=revision).of("result")[0]["structuredContent"] == {"result": 3}


def idle_timeout(revision: str):
    # The start counts too, and a Python server takes its time.
    run = call("sleeps", "seconds=40", options=["--idle-timeout", "8s"], revision=revision).expect(4, "error", "timeout")
    assert run.seconds < 25, f"{run.seconds:.1f} s"
    assert len(run.wire.call().cancelled) == 1, "the server was not told"
    assert is_call(CLI) or "idle" in json.dumps(run.events[-1]).lower(), run.events[-1]


def progress_rearms(revision: str):
    run = call("sleeps", "seconds=9", "every=1", options=["--idle-timeout", "8000ms"], revision=revision).expect(0, "result")
    run.complete(9)


def total_timeout(revision: str):
    run = call("sleeps", "seconds=40", "every=0.2", options=["--timeout", "10s", "--idle-timeout", "none"], revision=revision)
    run.expect(4, "error", "timeout")
    assert len(run.of("progress")) >= 2, "reports until then are missing"
    assert run.events[-1]["elapsed"] < 11, run.events[-1]
    assert len(run.wire.call().cancelled) == 1 and run.seconds < 25, (run.wire.call().cancelled, run.seconds)


def interrupt(revision: str):
    stop = on_first_report(lambda process: process.send_signal(signal.SIGINT))
    run = call("sleeps", "seconds=40", "every=0.1", revision=revision, while_running=stop)
    run.expect(130, "error", "cancelled")
    assert run.seconds < 25, f"{run.seconds:.1f} s"
    assert len(run.wire.call().cancelled) == 1, "the server was not told"
    signed = run.signed.read_text().split() if run.signed.exists() else []
    assert "cancelled" in signed, f"the tool goes on; the server signed off with {signed}"


def gives_up(revision: str):
    """The program drops the call after five reports: the server is told, and its tool ends."""
    run = call("sleeps", "seconds=40", "every=0.1", options=["--give-up-after", "5"], revision=revision)
    run.expect(130, "error", "cancelled")
    assert len(run.of("progress")) == 5 and run.seconds < 25, (len(run.of("progress")), run.seconds)
    assert len(run.wire.call().cancelled) == 1, "the server was not told"
    signed = run.signed.read_text().split() if run.signed.exists() else []
    assert "cancelled" in signed, f"the tool goes on; the server signed off with {signed}"


def bar():
    """On a terminal a bar moves in place: it is drawn again and again in one line, and the result is left on stdout."""
    code, out, screen = terminal([CLI, "call", "sleeps", "seconds=2", "every=0.1", "--", PYTHON, SERVER])
    assert code == 0 and out.strip() == "slept", (code, out, screen[-500:])
    assert "still at it" in screen, screen[-500:]
    code, out, screen = terminal([CLI, "call", "from_zero", "--", PYTHON, SERVER])
    assert code == 0 and out.strip() == "完成", (code, out, screen[-500:])
    assert "正在处理步骤 10/10" in screen, screen[-1000:]


def ctrl_c():
    """Ctrl-C typed at a terminal reaches the tool and not the server, which is told by the protocol."""
    signed = SCRATCH / "ctrl-c.signed"
    code, _, screen = terminal([CLI, "call", "sleeps", "seconds=40", "every=0.1", "--", PYTHON, SERVER, "--sign-off", str(signed)],
                               keys=lambda screen: b"\x03" if "still at it" in screen else None)
    assert code == 130, (code, screen[-500:])
    assert signed.read_text().split() == ["cancelled", "ended"], f"the server signed off with {signed.read_text().split()}"


def killed(revision: str):
    """The tool is killed outright: the server ends with it; one of rmcp waits five seconds for the call first."""
    run = call("sleeps", "seconds=40", "every=0.1", revision=revision, while_running=on_first_report(lambda process: process.kill()),
               server_may_linger=15 if peer.get() == RMCP else 3)
    assert run.code == -signal.SIGKILL, run.code
    return f"the server ended {run.lingered:.1f} s later"


def interrupt_before_ready():
    """Ctrl-C while the server still starts."""
    started = time.monotonic()
    with subprocess.Popen([CLI, "call", "count", "--", "sleep", "60"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE) as process:
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=LIMIT)
    assert process.returncode == 130 and time.monotonic() - started < 12, (process.returncode, time.monotonic() - started)


def lists(revision: str):
    run = Run(["list"], revision=revision)
    assert run.code == 0, (run.code, run.stderr[-300:])
    names = {"count", "unknown_total", "floats", "from_zero", "repeats", "fails", "dies", "sleeps", "logs", "add"}
    missing = {name for name in names if f'"{name}"' not in run.stdout}
    assert not missing, f"missing {missing} in {run.stdout[:400]}"


def lists_for_people():
    run = Run(["list"], json_events=False)
    assert run.code == 0
    for name in ("count", "unknown_total", "seconds", "every"):
        assert name in run.stdout, f"{name} is missing in {run.stdout}"


def lines_for_people():
    """Without a terminal the bar is one line per report, on stderr; stdout holds the result alone."""
    run = call("count", "n=5", json_events=False)
    assert run.code == 0 and run.stdout.strip() == "counted to 5", (run.code, run.stdout)
    lines = [line for line in run.stderr.splitlines() if "step " in line]
    assert len(lines) == 5 and all(f"step {i} of 5" in line for i, line in enumerate(lines, 1)), run.stderr


def no_progress():
    run = call("count", "n=5", json_events=False, options=["--no-progress"])
    assert run.code == 0 and run.stdout.strip() == "counted to 5"
    assert "step " not in run.stderr, run.stderr


def record(revision: str):
    file = SCRATCH / f"record-{Path(peer.get()[-1]).stem}-{revision}.jsonl"
    run = call("count", "n=100", options=["--record", str(file)], revision=revision).expect(0, "result").complete(100)
    entries = [json.loads(line) for line in file.read_text().splitlines()]
    assert entries, "nothing was recorded"
    check_record(entries, run.wire)


def sample():
    """The FastMCP sample of the README: values 0 to 9 of 10, then a result; the tap is out of the way."""
    server = HERE.parent.parent / "mcp-tokio" / "examples" / "fastmcp_server.py"
    process = subprocess.run([CLI, "call", "long_running_task", "seconds=0.01", "--json", "--", PYTHON, str(server)],
                             stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=LIMIT)
    events = [json.loads(line) for line in process.stdout.splitlines()]
    assert process.returncode == 0, (process.returncode, process.stderr[-300:])
    reports = [(e["progress"], e["total"], e["message"]) for e in events if e["event"] == "progress"]
    compare("reports", reports, [(i, 10, f"step {i + 1} of 10") for i in range(10)])
    assert events[-1]["event"] == "result" and events[-1]["content"][0]["text"] == "完成", events[-1]


def check_record(entries: list[dict], wire: PipeWire) -> None:
    """The recorded bytes of each direction are those of the tap, and time does not run back."""
    times = [entry["time"] for entry in entries]
    assert times == sorted(times) and times[0] >= 0, "time runs back"
    for direction, side in (("write", "in"), ("read", "out")):
        chunks = [entry for entry in entries if entry["direction"] == direction]
        bytes_ = b"".join(base64.b64decode(e["base64"]) if "base64" in e else e.get("text", "").encode() for e in chunks)
        assert bytes_ == wire.bytes[side], f"{direction}: {len(bytes_)} bytes recorded, {len(wire.bytes[side])} on the wire"


def of(server: list[str], case, *arguments):
    """The case with this server as its peer."""
    def run():
        peer.set(server)
        return case(*arguments)

    return run


# What an adapter has a part in: pipes that are full, cut and closed, processes, timers.
BRIEF = named("count 64", "count 10000", "one_read", "in_pieces", "fails", "dies", "idle_timeout", "progress_rearms", "gives_up", "killed",
              "no_such_command")


def cases():
    auto = ("auto", MODERN)
    for name, server in (("", FASTMCP), ("rmcp, ", RMCP)):
        for n in (1, 64, 10_000):
            for revision, expected in ((LEGACY[-1], LEGACY[-1]), (MODERN, MODERN), auto):
                yield f"count {n}, {name}{revision}", of(server, counts, n, revision, expected)
        for revision in LEGACY[:-1]:
            yield f"count 64, {name}{revision}", of(server, counts, 64, revision, revision)
        for case in (one_read, in_pieces, unknown_total, floats, from_zero, repeats, fails, dies, logs, idle_timeout, progress_rearms,
                     total_timeout, gives_up if is_call(CLI) else interrupt, killed, lists, record, unknown_tool, wrong_argument, arguments):
            for revision in BOTH:
                yield f"{case.__name__}, {name}{revision}", of(server, case, revision)
        for revision, expected in ((LEGACY[-1], LEGACY[-1]), (MODERN, MODERN), auto):
            yield f"junk, {name}{revision}", of(server, junk, revision, expected)
    for case in (fails_for_people, dies_at_once, no_such_command, wrong_usage, interrupt_before_ready, lists_for_people,
                 lines_for_people, no_progress, sample, bar, ctrl_c):
        yield case.__name__, of(FASTMCP, case)


if __name__ == "__main__":
    assert os.access(CLI, os.X_OK), f"{CLI} is no program"
    main(list(cases()), SCRATCH, BRIEF)
