"""What the client suites share: a run of our program, with the events that it prints and the wire that a tap saw.

The program is the tool `mcpcli`, or the example `call` of an adapter, which makes a call and prints events, and does nothing else.
"""

import fcntl
import json
import os
import pty
import struct
import subprocess
import termios
import time
from pathlib import Path
from threading import Timer

from interop import MODERN, Wire, compare

LIMIT = 60


def is_call(program: str) -> bool:
    """Whether this is an adapter's example `call`."""
    return Path(program).name.endswith("call")


def command(program: str, subcommand: list[str], options: list[str], json_events: bool, revision: str | None) -> list[str]:
    """The command line, up to the server. The example `call` has its arguments as one JSON object."""
    spoken = ["--revision", revision] if revision and not (is_call(program) and revision == "auto") else []
    if not is_call(program):
        return [program, *subcommand, *options, *(["--json"] if json_events else []), *spoken]
    kind, name, *pairs = subcommand
    assert kind == "call" and json_events, f"{program} can make calls only"
    values = {key: json_value(text) for key, text in (pair.split("=", 1) for pair in pairs)}
    return [program, name, json.dumps(values), *options, *spoken]


def json_value(text: str):
    try:
        return json.loads(text)
    except ValueError:
        return text


class Run:
    """One run of the program: what it printed, how it ended, and what went over the wire meanwhile."""

    wire: Wire

    def __init__(self, command: list[str], json_events: bool, while_running=None):
        """Runs the command to its end. `while_running(process)` may act on it, and gives what it has read of its output."""
        started = time.monotonic()
        with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            try:
                early = while_running(process) if while_running else b""
                out, err = process.communicate(timeout=LIMIT)
            except subprocess.TimeoutExpired:
                process.kill()
                out, err = process.communicate()
                raise AssertionError(f"hangs: no end after {LIMIT} s; stdout {out[-300:]!r}; stderr {err[-300:]!r}") from None
            finally:
                process.kill()
        self.seconds = time.monotonic() - started
        self.code, self.stdout, self.stderr = process.returncode, (early + out).decode(), err.decode()
        self.events = [json.loads(line) for line in self.stdout.splitlines()] if json_events else []

    def expect(self, code: int, last: str, kind: str | None = None) -> "Run":
        """Checks the exit status, the last event and, where one is given, the kind of error."""
        found = self.events[-1] if self.events else {}
        assert self.code == code, f"exit status {self.code}, not {code}; last event {found}; stderr {self.stderr[-600:]!r}"
        assert found.get("event") == last and found.get("kind") == kind, f"last event {found}, not {last} {kind or ''}"
        endings = [e for e in self.events if e["event"] in ("result", "error")]
        assert len(endings) == 1, f"{len(endings)} endings"
        return self

    def of(self, event: str) -> list[dict]:
        return [e for e in self.events if e["event"] == event]

    def seen(self) -> list[tuple]:
        """The reports that were printed."""
        return [(e["progress"], e.get("total"), e.get("message")) for e in self.of("progress")]

    def complete(self, reports: int) -> "Run":
        """Checks that every report on the wire was printed, in order, and that the server wrote that many."""
        call = self.wire.call()
        assert len(call.reports) == reports, f"the server wrote {len(call.reports)} reports, not {reports}"
        compare("reports", self.seen(), call.reports)
        return self

    def revision(self, expected: str) -> "Run":
        (ready,) = self.of("ready")
        assert ready["revision"] == expected, ready
        assert ready["server"]["name"] == "interop", ready
        spoken = {m.body["params"].get("protocolVersion") for m in self.wire.sent("initialize")}
        if expected == MODERN:
            meta = self.wire.call().request.body["params"]["_meta"]
            assert meta["io.modelcontextprotocol/protocolVersion"] == MODERN, meta
        else:
            assert expected in spoken, f"the handshake asked for {spoken}"
        return self


def on_first_report(then):
    """For `while_running`: reads until a report was printed, then does something to the process."""

    def act(process) -> bytes:
        head = b""
        while b'"progress"' not in head:
            line = process.stdout.readline()
            assert line, f"ended early: {head!r}"
            head += line
        then(process)
        return head

    return act


def terminal(command: list[str], keys=None) -> tuple[int, str, str]:
    """Runs the tool with a terminal as stdin and stderr; `keys(text so far)` may give bytes to type. Exit status, stdout, screen bytes."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))

    def own_terminal():
        os.setsid()
        fcntl.ioctl(slave, termios.TIOCSCTTY, 0)

    with subprocess.Popen(command, stdin=slave, stdout=subprocess.PIPE, stderr=slave, preexec_fn=own_terminal,
                          env={**os.environ, "TERM": "xterm-256color"}) as process:
        os.close(slave)
        watchdog = Timer(LIMIT, process.kill)
        watchdog.start()
        screen = b""
        try:
            # A terminal whose last process has left reads as an error on Linux.
            while chunk := os.read(master, 4096):
                screen += chunk
                if typed := keys and keys(screen.decode(errors="replace")):
                    os.write(master, typed)
                    keys = None
        except OSError:
            pass
        out = process.stdout.read().decode()
        process.wait()
        watchdog.cancel()
        os.close(master)
    return process.returncode, out, screen.decode(errors="replace")
