"""The servers of others over HTTP: started when a case first needs them, shared by the cases, ended at the end."""

import atexit
import os
import socket
import subprocess
import tempfile
import threading
import time
from pathlib import Path

from interop import HERE, PYTHON

SCRATCH = Path(tempfile.mkdtemp(prefix="mcp-interop-http-"))
EVERYTHING = str(HERE / "ts" / "node_modules" / "@modelcontextprotocol" / "server-everything" / "dist" / "index.js")


def node(program: str) -> list[str]:
    return ["node", str(HERE / "ts" / program)]


def python(program: str) -> list[str]:
    return [PYTHON, str(HERE / "peers" / program)]


class Server:
    """A server process and its address, which it prints, or which is given where it cannot print it. It runs at least until its standard
    input ends."""

    count = 0

    def __init__(self, command: list[str], url: str | None = None, environment: dict | None = None, signs: bool = False):
        Server.count += 1
        stem = SCRATCH / f"server-{Server.count}"
        self.signed = stem.with_suffix(".signed")
        if signs:
            command = [*command, "--sign-off", str(self.signed)]
        self.said = stem.with_suffix(".stderr")
        with open(self.said, "wb") as said:
            self.process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=said if url else subprocess.PIPE, stderr=said, env={**os.environ, **(environment or {})}
            )
        atexit.register(self.stop)
        self.url = url or self.announced()
        self.lock = threading.Lock()

    def announced(self) -> str:
        """The address that the server prints once it listens; what it prints later is of no interest."""
        for line in self.process.stdout:
            if line.startswith(b"listening on "):
                threading.Thread(target=self.process.stdout.read, daemon=True).start()
                return line.decode().split()[-1]
        raise AssertionError(f"the server did not start: {self.said.read_text()[-800:]}")

    def __enter__(self) -> "Server":
        return self

    def __exit__(self, *_) -> None:
        self.stop()

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()

    def wrote(self, what: str, times: int, within: float = 5) -> bool:
        """Whether the server signs off with this word so many times, with some grace."""
        deadline = time.monotonic() + within
        while time.monotonic() < deadline:
            if self.signed.exists() and self.signed.read_text().split().count(what) >= times:
                return True
            time.sleep(0.02)
        return False

    def signatures(self, what: str) -> int:
        return self.signed.read_text().split().count(what) if self.signed.exists() else 0


def everything(transport: str, path: str) -> Server:
    """The server-everything, which has to be told its port."""
    for _ in range(5):
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        server = Server(["node", EVERYTHING, transport], f"http://127.0.0.1:{port}{path}", {"PORT": str(port)})
        while server.process.poll() is None:
            if b"port " in server.said.read_bytes():
                return server
            time.sleep(0.02)
    raise AssertionError(f"server-everything did not start: {server.said.read_text()[-800:]}")


class Servers:
    """One server of each kind, as many as are asked for."""

    def __init__(self, kinds: dict):
        self.kinds, self.running, self.locks = kinds, {}, {kind: threading.Lock() for kind in kinds}

    def fresh(self, kind: str, *options: str) -> Server:
        """A server of its own."""
        return self.kinds[kind](*options)

    def __getitem__(self, kind: str) -> Server:
        with self.locks[kind]:
            if kind not in self.running:
                self.running[kind] = self.fresh(kind)
            return self.running[kind]
