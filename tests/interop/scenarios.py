"""What our servers go through under the clients of others, over any transport: a client carries a plan out (see peers/plan.py).

What the server puts on the wire is judged; what a client makes of it (reports lost, out of order, or after the result)
is counted and printed as that client's behaviour.
"""

import json
import math
import subprocess
from pathlib import Path
from threading import Timer

from interop import HERE, LEGACY, MODERN, PYTHON, Call, Wire, compare

LIMIT = 90

CLIENTS = {
    "fastmcp": [PYTHON, str(HERE / "peers" / "fastmcp_client.py")],
    "python": [PYTHON, str(HERE / "peers" / "mcp_client.py")],
    "typescript": ["node", str(HERE / "ts" / "client.mjs")],
}
MODES = {"legacy": LEGACY[-1], "auto": MODERN, MODERN: MODERN}


class Session:
    """One run of a client through a plan, with the wire."""

    wire: Wire

    def __init__(self, client: str, mode: str, plan: list):
        self.client, self.mode, self.plan = client, mode, [call for calls in plan for call in calls]

    def carry_out(self, command: list[str], said: Path) -> None:
        """Runs the client to its end."""
        with open(said, "w") as stderr:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=stderr, cwd=said.parent)
        try:
            out, _ = process.communicate(timeout=LIMIT)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.client} hangs: no end after {LIMIT} s; see {said}") from None
        finally:
            process.kill()
        assert process.returncode == 0, f"{self.client} ended with {process.returncode}: {said.read_text()[-800:]}"
        self.events = [json.loads(line) for line in out.decode().splitlines()]

    def judge(self) -> None:
        self.calls = self.in_order_of_plan()
        self.check_wire(MODES.get(self.mode, self.mode))

    def given_up(self, call: Call) -> bool:
        """Whether the server was told, once, that nobody wants the result of this call any more."""
        return len(call.cancelled) == 1

    def check_wire(self, revision: str) -> None:
        """What holds in every session: one response per call, reports in order, before it, and never after."""
        assert self.wire.junk() == 0, "the server wrote lines that are no messages"
        if revision == MODERN:
            metas = [c.request.body["params"]["_meta"]["io.modelcontextprotocol/protocolVersion"] for c in self.wire.calls()]
            assert set(metas) <= {MODERN}, metas
        else:
            (asked,) = self.wire.sent("initialize")
            answers = [m.body["result"]["protocolVersion"] for m in self.wire.messages if m.sender == "server" and m.body
                       and m.body.get("id") == asked.body["id"] and "result" in m.body]
            assert answers == [revision], answers
        tokens = [c.token for c in self.wire.calls()]
        for message in self.wire.messages:
            if message.progress():
                token = message.body["params"]["progressToken"]
                assert token in tokens and type(token) in {type(t) for t in tokens}, f"token {token!r} was never given"
        for call in self.wire.calls():
            assert self.given_up(call) or len(call.responses) == 1, f"{call.tool}: {len(call.responses)} responses"
            assert not call.late, f"{call.tool}: {len(call.late)} reports after the response"
            assert call.token is not None or not call.reports, f"{call.tool}: reports that nobody asked for"
            values = [report[0] for report in call.reports]
            assert all(a < b for a, b in zip(values, values[1:])), f"{call.tool}: values do not increase: {values[:20]}"

    def in_order_of_plan(self) -> list[Call]:
        """The calls on the wire as the plan numbers them: what rmcp sends at the same time leaves in any order."""
        rest, ordered = self.wire.calls(), []
        for planned in self.plan:
            def fits(call: Call) -> bool:
                return call.tool == planned["tool"] and call.request.body["params"].get("arguments", {}) == planned["arguments"]

            match = next((call for call in rest if fits(call)), None)
            assert match, f"{planned} was not sent, or not like this"
            rest.remove(match)
            ordered.append(match)
        assert not rest, f"sent without being planned: {[call.tool for call in rest]}"
        return ordered

    def call(self, number: int) -> Call:
        return self.calls[number]

    def results(self) -> dict[int, dict]:
        return {e["call"]: e for e in self.events if e["event"] in ("result", "error", "cancelled")}

    def behaviour(self) -> str:
        """What the client made of the reports on the wire, over all calls that had a handler."""
        wire, seen, lost, changed, reordered, late = 0, 0, 0, 0, 0, 0
        for number, call in enumerate(self.calls):
            if not self.plan[number].get("progress", True):
                continue
            wire += len(call.reports)
            reports = [(e["progress"], e.get("total"), e.get("message")) for e in self.events
                       if e["event"] == "progress" and e["call"] == number]
            ended = next((i for i, e in enumerate(self.events) if e["event"] != "progress" and e.get("call") == number), len(self.events))
            late += sum(e["event"] == "progress" and e["call"] == number for e in self.events[ended:])
            seen += len(reports)
            reordered += sum(a[0] >= b[0] for a, b in zip(reports, reports[1:]))
            if not self.given_up(call):
                missing = set(call.reports) - set(reports)
                close = sum(any(r[2] == m[2] and math.isclose(r[0], m[0]) for r in reports) for m in missing)
                changed, lost = changed + close, lost + len(missing) - close
        complaints = sum(e["event"] == "complaint" for e in self.events)
        return (f"{wire} reports on the wire; {self.client} showed {seen}, lost {lost}, {reordered} out of order, "
                f"{late} after the result" + (f", {changed} with another value" if changed else "")
                + (f", {complaints} complaints" if complaints else ""))


def killed_on_report(command: list[str], scratch: Path) -> None:
    """Runs a client and kills it when it shows its first report."""
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=scratch) as process:
        watchdog = Timer(LIMIT, process.kill)
        watchdog.start()
        try:
            while line := process.stdout.readline():
                if b'"progress"' in line:
                    break
        finally:
            watchdog.cancel()
            process.kill()
    assert line, "the client showed no report"


OPTIONS = ("progress", "slow", "cancel_after", "timeout")


def call(tool: str, **options) -> dict:
    arguments = {key: value for key, value in options.items() if key not in OPTIONS}
    return {"tool": tool, "arguments": arguments, **{k: v for k, v in options.items() if k in OPTIONS}}


# The demo server's tools, at a pace that suits a test, so few steps that a bucket of 32 holds every report.
TASK = call("long_running_task", every_ms=5)
USES = [call("data", steps=6, every_ms=5), call("training", steps=20, every_ms=5), call("upload", steps=30, every_ms=5),
        call("download", steps=30, every_ms=5), call("workflow", every_ms=5)]


def origin(start, client: str, mode: str, task: dict = TASK, **options) -> str:
    """The sample that started it all: 0 to 9 of 10, each with its message, then the result."""
    session = start(client, mode, [[task]], **options)
    task = session.call(0)
    compare("values", [report[:2] for report in task.reports], [(i, 10) for i in range(10)])
    # The first revision knows no message.
    told = sum(report[2] is not None for report in task.reports)
    assert told == (0 if mode == LEGACY[0] else 10), f"{told} of ten reports have a message"
    assert task.text == "完成" and session.results()[0]["text"] == "完成", task.result
    return session.behaviour()


def one_read(start, client: str, mode: str) -> str:
    """The same, where the reports and the result reach the client in one piece."""
    return origin(start, client, mode, one_read=True)


def slow_handler(start, client: str, mode: str) -> str:
    """The same, with a handler that waits a little, longest for the first report: on the wire all is well, whatever the client makes of it."""
    return origin(start, client, mode, task={**TASK, "slow": True})


def uses(start, client: str, mode: str) -> str:
    """Each of the demo's uses, one after the other."""
    session = start(client, mode, [[use] for use in USES])
    for number, use in enumerate(USES):
        done = session.call(number)
        assert done.tool == use["tool"] and not done.result.get("isError"), done.result
        expected = 7 if use["tool"] == "workflow" else use["arguments"]["steps"]
        if use["tool"] == "data":
            assert {"load", "clean", "transform", "write"} <= {report[2] for report in done.reports}, done.reports
            assert 24 <= len(done.reports) <= 28, f"{len(done.reports)} reports of four stages with six steps"
            assert done.reports[-1][0] == done.reports[-1][1], done.reports[-1]
        else:
            assert len(done.reports) == expected, f"{done.tool}: {len(done.reports)} reports, not {expected}"
        assert session.results()[number]["event"] == "result", session.results()[number]
        if done.tool in ("upload", "download"):
            value, total, _ = done.reports[-1]
            assert total > 2**32 and value == total, f"{done.tool} ends at {value} of {total}"
    return session.behaviour()


def together(start, client: str, mode: str) -> str:
    """Calls of all kinds at the same time, one of them without a handler."""
    plan = [[*USES, TASK, TASK, {**TASK, "progress": False}]]
    session = start(client, mode, plan)
    calls = session.calls
    assert all(not c.result.get("isError") for c in calls)
    for task in calls[5:7]:
        compare("values", [report[0] for report in task.reports], list(range(10)))
    if calls[7].token is None:
        assert not calls[7].reports
    assert len({e["call"] for e in session.events if e["event"] == "result"}) == 8
    return session.behaviour()


def flood(start, client: str, mode: str) -> str:
    """A tool that reports a million times costs some hundred messages, and its last value arrives."""
    session = start(client, mode, [[call("flood")]])
    flooded = session.call(0)
    assert 2 <= len(flooded.reports) <= 2000, f"{len(flooded.reports)} messages"
    assert flooded.reports[-1][0] == 1_000_000, f"the last value is {flooded.reports[-1]}"
    assert session.results()[0]["event"] == "result", session.results()
    return session.behaviour()


def milestones(start, client: str, mode: str) -> str:
    """Named states are never merged, however fast they pass: a hundred states are a hundred messages."""
    session = start(client, mode, [[call("workflow", steps=100, every_ms=0)]])
    compare("states", [report[0] for report in session.call(0).reports], list(range(1, 101)))
    return session.behaviour()


def fails(start, client: str, mode: str) -> str:
    """A tool that fails in the middle: its reports, then a result that is an error."""
    session = start(client, mode, [[call("fail", every_ms=5)]])
    compare("values", [report[0] for report in session.call(0).reports], list(range(6)))
    assert session.call(0).result["isError"] is True and "the disk is full" in session.call(0).text
    assert session.results()[0].get("error") is True or session.results()[0]["event"] == "error", session.results()
    return session.behaviour()


def cancel(start, client: str, mode: str) -> str:
    """The client gives up in the middle: the server falls silent about that call, and the next one is served."""
    session = start(client, mode, [[call("long_running_task", every_ms=200, cancel_after=2)], [TASK]])
    first, second = session.calls
    assert session.given_up(first), f"{client} did not say that it gives up"
    assert not first.responses, f"a cancelled call was answered: {first.responses}"
    assert 2 <= len(first.reports) < 10, f"{len(first.reports)} reports: the tool went on"
    assert second.text == "完成"
    ends = [session.results()[i]["event"] for i in (0, 1)]
    assert ends == ["cancelled", "result"], ends
    return session.behaviour()


def errors(start, client: str, mode: str) -> str:
    """A tool that is not there and arguments that do not fit: each is an answer, and the next call is served."""
    session = start(client, mode, [[call("no_such_tool")], [call("long_running_task", every_ms="soon")], [TASK]])
    missing, wrong, right = session.calls
    assert missing.response.get("error", {}).get("code") == -32602, missing.response
    assert wrong.result["isError"] is True and wrong.text, wrong.response
    assert right.text == "完成"
    return ""


def sixty_four(start, client: str, mode: str, **options) -> str:
    """64 reports while the tool works, none of them merged away."""
    session = start(client, mode, [[call("workflow", steps=64, every_ms=3)]], **options)
    compare("states", [report[0] for report in session.call(0).reports], list(range(1, 65)))
    assert session.results()[0]["event"] == "result", session.results()
    return session.behaviour()


ALL = (one_read, slow_handler, uses, together, flood, milestones, fails, cancel, errors)
