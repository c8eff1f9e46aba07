"""Headless Chromium, driven over a pair of pipes as its DevTools protocol has it; only the standard library is used."""

import fcntl
import json
import os
import shutil
import subprocess
import tempfile
import time


def find() -> str | None:
    return next((path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None)


class Browser:
    """A browser of its own; `rules` maps names to addresses, for the browser alone, as --host-resolver-rules has it."""

    def __init__(self, program: str, rules: str = ""):
        self.home = tempfile.mkdtemp(prefix="mcp-interop-chromium-")
        ends = [*os.pipe(), *os.pipe()]
        theirs_in, ours_out, ours_in, theirs_out = (fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 20) for end in ends)
        for end in ends:
            os.close(end)

        def pipes():
            # Where the browser looks for them.
            os.dup2(theirs_in, 3)
            os.dup2(theirs_out, 4)

        self.process = subprocess.Popen(
            [program, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--disable-extensions",
             "--disable-background-networking", "--no-proxy-server", f"--user-data-dir={self.home}", f"--host-resolver-rules={rules}",
             "--remote-debugging-pipe", "about:blank"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, pass_fds=(3, 4), preexec_fn=pipes,
        )
        os.close(theirs_in)
        os.close(theirs_out)
        self.out, self.input, self.count = ours_out, os.fdopen(ours_in, "rb"), 0

    def __enter__(self) -> "Browser":
        return self

    def __exit__(self, *_) -> None:
        self.process.kill()
        self.process.wait()
        self.input.close()
        os.close(self.out)
        shutil.rmtree(self.home, ignore_errors=True)

    def ask(self, method: str, session: str | None = None, **params) -> dict:
        """One command and its answer; events in between are of no interest."""
        self.count += 1
        message = {"id": self.count, "method": method, "params": params, **({"sessionId": session} if session else {})}
        os.write(self.out, json.dumps(message).encode() + b"\0")
        while True:
            answer = json.loads(self.read())
            if answer.get("id") == self.count:
                assert "result" in answer, f"{method}: {answer}"
                return answer["result"]

    def read(self) -> bytes:
        text = bytearray()
        while (byte := self.input.read(1)) != b"\0":
            assert byte, "the browser has ended"
            text += byte
        return bytes(text)

    def open(self, url: str) -> "Page":
        target = self.ask("Target.createTarget", url=url)["targetId"]
        return Page(self, self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"])


class Page:
    def __init__(self, browser: Browser, session: str):
        self.browser, self.session = browser, session

    def evaluate(self, expression: str):
        """The value of an expression in the page, waited for if it is a promise."""
        answer = self.browser.ask("Runtime.evaluate", self.session, expression=expression, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def wait(self, expression: str, within: float = 30):
        """The first value of the expression that counts as true."""
        deadline = time.monotonic() + within
        while not (value := self.evaluate(expression)):
            assert time.monotonic() < deadline, f"{expression} stays {value!r}"
            time.sleep(0.02)
        return value
