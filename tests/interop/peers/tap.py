"""A wire tap: runs a command and passes its stdin and stdout through, untouched, while it writes down both directions.

    tap.py FILE [--hold] [--split BYTES] -- COMMAND [ARG ...]

FILE gets one JSON object a chunk: seconds since the start, "in" (to the command) or "out" (from it), and the bytes in
base64. A chunk is written down before it is passed on, so what a client has seen is in the file. The first object holds
the command's pid, the last one tells how it ended. `--hold` keeps progress reports back until another message comes, so that a call's
reports and its result go out in one piece; `--split` passes on so many bytes at a time. Only the standard library is
used, to start fast.
"""

import base64
import json
import os
import signal
import subprocess
import sys
import threading
import time

separator = sys.argv.index("--")
path, command = sys.argv[1], sys.argv[separator + 1 :]
options = sys.argv[2:separator]
split = int(options[options.index("--split") + 1]) if "--split" in options else 1 << 20

record = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
start = time.monotonic()
lock = threading.Lock()


def note(**entry) -> None:
    with lock:
        os.write(record, (json.dumps({"t": round(time.monotonic() - start, 6), **entry}) + "\n").encode())


def pump(direction: str, source: int, sink: int, hold: bool = False, piece: int = 1 << 20) -> None:
    """Copies until the source ends; a sink that is gone does not stop the recording."""
    gone = False
    while chunk := os.read(source, 1 << 16):
        while hold and (not chunk.endswith(b"\n") or b'"notifications/progress"' in chunk.splitlines()[-1]):
            more = os.read(source, 1 << 16)
            chunk += more
            if not more:
                break
        note(dir=direction, bytes=base64.b64encode(chunk).decode())
        while chunk and not gone:
            try:
                chunk = chunk[os.write(sink, chunk[:piece]) :]
            except BrokenPipeError:
                gone = True
    note(dir=direction, eof=True)
    os.close(sink)


child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
# A signal meant for the server is passed on; the tap itself ends when the server has ended.
for number in (signal.SIGTERM, signal.SIGINT):
    signal.signal(number, lambda received, _: (note(signal=received), child.send_signal(received)))

note(pid=child.pid)
stdin, stdout = os.dup(child.stdin.fileno()), child.stdout.fileno()
child.stdin.close()
threading.Thread(target=pump, args=("in", 0, stdin), daemon=True).start()
out = threading.Thread(target=pump, args=("out", stdout, 1, "--hold" in options, split), daemon=True)
out.start()
status = child.wait()
out.join(timeout=5)
note(exit=status)
os._exit(status if status >= 0 else 128 - status)
