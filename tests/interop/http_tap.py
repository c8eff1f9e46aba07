"""A tap for HTTP: it passes on what a client and a server say to each other, untouched, and reads along (http_wire.py).

On demand it ends a connection after so many events, delays what the server says, passes it on in small pieces or in one, and refuses
connections. All taps live on one thread of their own; only the standard library is used.
"""

import asyncio
import socket
import struct
import threading
import time
from dataclasses import dataclass
from urllib.parse import urlsplit

from http_wire import Connection, Exchange, HttpWire

loop = asyncio.new_event_loop()
threading.Thread(target=loop.run_forever, daemon=True).start()


def on_loop(work):
    return asyncio.run_coroutine_threadsafe(work, loop).result(timeout=30)


@dataclass
class Cut:
    """Ends the connection of the next exchange that fits, as soon as so many of its events have passed."""

    fits: object
    events: int
    reset: bool
    times: int
    refuse: int = 0

    def due(self, exchange: Exchange | None) -> bool:
        return self.times > 0 and exchange is not None and exchange.streams and self.fits(exchange) and len(exchange.events) >= self.events


def of_call(exchange: Exchange) -> bool:
    """Whether reports of a tools/call come here: in answer to it, on a stream that goes on with one that broke, or on the one of HTTP+SSE."""
    old = bool(exchange.events) and exchange.events[0].type == "endpoint"
    return exchange.called == "tools/call" or "last-event-id" in exchange.headers or old


class Tap:
    """Stands before the server at `target`, an address with a path; `url` is the one to give to the client."""

    def __init__(self, target: str):
        parts = urlsplit(target)
        self.target = (parts.hostname, parts.port)
        self.wire = HttpWire()
        self.start = time.monotonic()
        self.cuts: list[Cut] = []
        self.refusals = 0
        # A page to be served at "/" in the server's place, so that both have one origin.
        self.page: bytes | None = None
        self.delayed, self.piece, self.holding = 0.0, 1 << 20, False
        self.tasks: set[asyncio.Task] = set()
        self.server = on_loop(asyncio.start_server(self.accept, "127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.server.sockets[0].getsockname()[1]}{parts.path}"

    def __enter__(self) -> "Tap":
        return self

    def __exit__(self, *_) -> None:
        on_loop(self.close())

    def settle(self) -> None:
        """Waits until the connections are over, which a client that has ended leaves behind."""

        async def ended() -> None:
            if self.tasks:
                await asyncio.wait(self.tasks, timeout=2)

        on_loop(ended())

    async def close(self) -> None:
        self.server.close()
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)

    def cut(self, events: int, fits=of_call, reset: bool = False, times: int = 1, refuse: int = 0) -> "Tap":
        """Ends the connection, by default of a call, after so many of its events; what follows them is lost. The next `refuse` connections are
        then ended as soon as they are there."""
        self.cuts.append(Cut(fits, events, reset, times, refuse))
        return self

    def delay(self, seconds: float) -> "Tap":
        """Whatever the server says comes so much later."""
        self.delayed = seconds
        return self

    def split(self, piece: int) -> "Tap":
        """What the server says comes in pieces of so many bytes."""
        self.piece = piece
        return self

    def hold(self) -> "Tap":
        """What the server says to a call comes in one piece."""
        self.holding = True
        return self

    def now(self) -> float:
        return time.monotonic() - self.start

    async def accept(self, reader, writer) -> None:
        task = asyncio.current_task()
        self.tasks.add(task)
        try:
            await self.connect(reader, writer)
        except asyncio.CancelledError:
            pass
        finally:
            self.tasks.discard(task)

    async def connect(self, reader, writer) -> None:
        if self.refusals > 0:
            self.refusals -= 1
            self.wire.note(self.now(), None, "x the tap refused a connection")
            writer.close()
            return
        begun = b""
        if self.page is not None:
            try:
                begun = await reader.readuntil(b"\r\n\r\n")
            except (asyncio.IncompleteReadError, OSError):
                return writer.close()
            if begun.startswith((b"GET / ", b"GET /?", b"GET /favicon")):
                head = b"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nConnection: close\r\nContent-Length: %d\r\n\r\n"
                writer.write(head % len(self.page) + self.page)
                writer.close()
                return
        try:
            from_server, to_server = await asyncio.open_connection(*self.target)
        except OSError:
            self.wire.note(self.now(), None, "x the server takes no connection")
            writer.close()
            return
        connection = Connection(self.wire)
        asking = asyncio.ensure_future(self.pump("client", reader, to_server, connection, begun))
        answering = asyncio.ensure_future(self.pump("server", from_server, writer, connection))
        try:
            # Whoever ends it ends it for both, as it is without a tap.
            await asyncio.wait((asking, answering), return_when=asyncio.FIRST_COMPLETED)
            if answering.done():
                side = answering.result()
                await asyncio.wait((asking,), timeout=0)
            else:
                side = asking.result()
            connection.close(side, self.now())
        finally:
            for task in (asking, answering):
                task.cancel()
            for end in (writer, to_server):
                end.close()

    async def pump(self, side: str, source, sink, connection: Connection, begun: bytes = b"") -> str:
        """Passes on what one side says, until it ends; tells who ended it. What it has said already is `begun`."""
        held = b""
        while True:
            try:
                chunk, begun = begun or await source.read(1 << 16), b""
            except OSError:
                chunk = b""
            if not chunk:
                break
            chunk, cut = self.read_along(side, chunk, connection)
            if side == "server":
                if self.delayed:
                    await asyncio.sleep(self.delayed)
                held += chunk
                if self.holds(connection) and not cut:
                    continue
                chunk, held = held, b""
            if not await self.write(sink, chunk, self.piece if side == "server" else 1 << 20):
                return "client" if side == "server" else "server"
            if cut:
                await self.end(sink, cut)
                return "tap"
        if held:
            await self.write(sink, held, self.piece)
        return side

    def read_along(self, side: str, chunk: bytes, connection: Connection) -> tuple[bytes, Cut | None]:
        """Reads the chunk; if a cut is due in it, what comes before the cut is left."""
        now = self.now()
        if side == "client" or not any(cut.times > 0 for cut in self.cuts):
            connection.feed(side, chunk, now)
            return chunk, None
        for at in range(len(chunk)):
            connection.feed(side, chunk[at : at + 1], now)
            for cut in self.cuts:
                if cut.due(connection.current):
                    cut.times -= 1
                    self.refusals += cut.refuse
                    # An event that ends in CR LF has passed only with the LF.
                    whole = at + 2 if chunk[at : at + 2] == b"\r\n" else at + 1
                    return chunk[:whole], cut
        return chunk, None

    def holds(self, connection: Connection) -> bool:
        exchange = connection.current
        return self.holding and exchange is not None and exchange.called == "tools/call"

    async def write(self, sink, chunk: bytes, piece: int) -> bool:
        try:
            for at in range(0, len(chunk), piece):
                sink.write(chunk[at : at + piece])
                await sink.drain()
                if at + piece < len(chunk):
                    await asyncio.sleep(0)
        except OSError:
            return False
        return True

    async def end(self, sink, cut: Cut) -> None:
        """Lets what was written arrive, then ends the connection with a reset, if that was asked for."""
        await asyncio.sleep(0.02)
        if cut.reset:
            sink.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
