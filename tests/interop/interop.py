"""What the interop tests share: a small runner, and the wire as a tap has recorded it."""

import base64
import json
import os
import sys
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
PYTHON = sys.executable
TAP = str(HERE / "peers" / "tap.py")

LEGACY = ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"]
MODERN = "2026-07-28"


def tapped(record: Path, *options_and_command: str) -> list[str]:
    """A command, started through the tap that writes to `record`; the tap's options come first, then "--"."""
    return [PYTHON, "-S", TAP, str(record), *options_and_command]


@dataclass
class Message:
    """One message on the wire: who wrote it, when it was complete, and its object, or None where it is no message."""

    sender: str
    time: float
    line: bytes
    body: dict | None
    exchange: object = None  # over HTTP, the exchange that carried it

    def progress(self):
        """The report that this message is, as (progress, total, message), or None."""
        if self.sender != "server" or not self.body or self.body.get("method") != "notifications/progress":
            return None
        params = self.body["params"]
        return params["progress"], params.get("total"), params.get("message")


class Wire:
    """Both directions of one client's talk with one server, in the order in which the messages were complete."""

    def __init__(self):
        self.messages: list[Message] = []

    def sent(self, method: str) -> list[Message]:
        """What either side sent under this method."""
        return [m for m in self.messages if m.body and m.body.get("method") == method]

    def call(self, index: int = 0) -> "Call":
        """What happened to one of the client's tools/call."""
        return Call(self, self.sent("tools/call")[index])

    def calls(self) -> list["Call"]:
        """What happened to each of the client's tools/call, in the order in which they were sent."""
        return [Call(self, request) for request in self.sent("tools/call")]

    def junk(self) -> int:
        """How much of what the server wrote is no message; blank lines count for nothing."""
        return sum(m.sender == "server" and m.body is None and m.line.strip() != b"" for m in self.messages)


class PipeWire(Wire):
    """What tap.py has recorded of a server's standard input and output."""

    def __init__(self, record: Path):
        super().__init__()
        self.bytes = {"in": b"", "out": b""}
        self.exit = self.pid = None
        self.reads: list[int] = []
        rest = {"in": b"", "out": b""}
        for entry in map(json.loads, record.read_text().splitlines()):
            self.exit = entry.get("exit", self.exit)
            self.pid = entry.get("pid", self.pid)
            if "bytes" not in entry:
                continue
            side, chunk = entry["dir"], base64.b64decode(entry["bytes"])
            self.bytes[side] += chunk
            *lines, rest[side] = (rest[side] + chunk).split(b"\n")
            for line in lines:
                self.messages.append(Message("client" if side == "in" else "server", entry["t"], line, parse(line)))


class Call:
    """One tools/call on the wire: its token, its reports before and after its response, and the response."""

    def __init__(self, wire: Wire, request: Message):
        self.request = request
        self.id = request.body["id"]
        self.tool = request.body["params"]["name"]
        self.token = request.body["params"].get("_meta", {}).get("progressToken")
        self.reports, self.late, self.responses = [], [], []
        for message in wire.messages:
            body = message.body
            if message.sender != "server" or body is None:
                continue
            if body.get("id") == self.id and type(body.get("id")) is type(self.id) and "method" not in body:
                self.responses.append(body)
            elif (report := message.progress()) and same(body["params"]["progressToken"], self.token):
                (self.late if self.responses else self.reports).append(report)
        self.cancelled = [
            m for m in wire.sent("notifications/cancelled") if same(m.body["params"].get("requestId"), self.id)
        ]

    @property
    def response(self) -> dict:
        assert len(self.responses) == 1, f"{len(self.responses)} responses to {self.tool}"
        return self.responses[0]

    @property
    def result(self) -> dict:
        assert "result" in self.response, f"{self.tool} was answered with {self.response}"
        return self.response["result"]

    @property
    def text(self) -> str:
        return "".join(block.get("text", "") for block in self.result["content"])


def same(a, b) -> bool:
    """JSON equality of ids and tokens, where 1 and "1" differ."""
    return type(a) is type(b) and a == b


def parse(line: bytes) -> dict | None:
    try:
        body = json.loads(line)
    except ValueError:
        return None
    return body if isinstance(body, dict) and body.get("jsonrpc") == "2.0" else None


def gone(pid: int, within: float = 3.0) -> bool:
    """Whether the process has ended, with some grace; a zombie counts as ended."""
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        try:
            if Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z":
                return True
        except OSError:
            return True
        time.sleep(0.02)
    return False


def compare(what: str, seen: list, sent: list) -> None:
    """Fails with the first difference of two lists of reports."""
    if seen == sent:
        return
    at = next((i for i, (a, b) in enumerate(zip(seen, sent)) if a != b), min(len(seen), len(sent)))
    raise AssertionError(
        f"{what}: {len(seen)} where {len(sent)} were sent; the first difference is at {at}: "
        f"{seen[at : at + 3]} instead of {sent[at : at + 3]}"
    )


def run_all(cases: list, workers: int = 3, brief=lambda name: True) -> int:
    """Runs (name, function) pairs, a few at a time, prints a line for each and a closing total; returns the exit status. Where BRIEF is
    set it is only those whose name is `brief`."""

    def one(case):
        name, function = case
        start = time.monotonic()
        try:
            note, failure = function(), None
        except Exception as error:
            note, failure = None, error
        return name, time.monotonic() - start, note, failure

    pattern = os.environ.get("ONLY", "")
    cases = [case for case in cases if pattern in case[0] and (brief(case[0]) or not os.environ.get("BRIEF"))]
    failed = 0
    with ThreadPoolExecutor(workers) as pool:
        for name, seconds, note, failure in pool.map(one, cases):
            if failure is None:
                print(f"ok    {name} ({seconds:.1f} s){f': {note}' if note else ''}", flush=True)
                continue
            failed += 1
            print(f"FAIL  {name} ({seconds:.1f} s): {type(failure).__name__}: {failure}", flush=True)
            if not isinstance(failure, AssertionError):
                traceback.print_exception(failure)
    print(f"{len(cases) - failed} passed, {failed} failed", flush=True)
    return 1 if failed or not cases else 0


def named(*kinds: str):
    """Whether the name of a case begins so, up to its first comma."""
    return lambda name: name.split(",")[0] in kinds


def main(cases: list, scratch: Path, brief=lambda name: True) -> None:
    """Runs the cases and ends the process; what they left in `scratch` stays if one has failed."""
    status = run_all(cases, brief=brief)
    if status == 0:
        for file in scratch.iterdir():
            file.unlink()
        scratch.rmdir()
    else:
        print(f"the wires are in {scratch}", file=sys.stderr)
    sys.exit(status)
