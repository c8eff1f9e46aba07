"""What went over HTTP connections, decoded: exchanges with their heads, bodies and events, and the messages in them.

This is the one place where recorded bytes are read. It reads HTTP/1.1 as it arrives, in pieces of any size, so that the tap (http_tap.py) can
also act on what has passed so far.
"""

import json
from dataclasses import dataclass, field

from interop import Message, Wire, parse


@dataclass
class Event:
    """One server-sent event, as it was dispatched or, with an id alone, noted."""

    time: float
    type: str
    data: str
    id: str | None
    retry: str | None


@dataclass
class Exchange:
    """One request and what came back."""

    number: int
    method: str
    target: str
    headers: dict[str, str]
    began: float
    body: bytes = b""
    status: int | None = None
    answer: dict[str, str] = field(default_factory=dict)
    content: bytes = b""
    events: list[Event] = field(default_factory=list)
    comments: int = 0
    # When the response was complete; when the connection went away before that, and who ended it: client, server or tap.
    ended: float | None = None
    broken: float | None = None
    breaker: str | None = None

    @property
    def message(self) -> dict | None:
        """The message that was posted, if it was one."""
        return parse(self.body)

    @property
    def called(self) -> str | None:
        """The method of the message that was posted."""
        return (self.message or {}).get("method")

    @property
    def type(self) -> str:
        return self.answer.get("content-type", "").split(";")[0].strip().lower()

    @property
    def streams(self) -> bool:
        return self.status == 200 and self.type == "text/event-stream"


class Events:
    """The event stream interpretation of WHATWG HTML, bytewise enough for any split."""

    def __init__(self, exchange: Exchange, dispatch):
        self.exchange, self.dispatch = exchange, dispatch
        self.rest, self.after_cr = b"", False
        self.type, self.data, self.id, self.retry = "", [], None, None

    def feed(self, chunk: bytes, time: float) -> None:
        for byte in chunk:
            if byte == 0x0A and self.after_cr:
                self.after_cr = False
            elif byte in (0x0A, 0x0D):
                line, self.rest, self.after_cr = self.rest, b"", byte == 0x0D
                self.line(line.decode("utf-8", "replace"), time)
            else:
                self.rest, self.after_cr = self.rest + bytes([byte]), False

    def line(self, line: str, time: float) -> None:
        if line == "":
            if self.data or self.id is not None or self.retry is not None:
                event = Event(time, self.type or "message", "\n".join(self.data), self.id, self.retry)
                self.exchange.events.append(event)
                self.dispatch(event)
            self.type, self.data, self.id, self.retry = "", [], None, None
            return
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "":
            self.exchange.comments += 1
        elif name == "data":
            self.data.append(value)
        elif name == "event":
            self.type = value
        elif name == "id":
            self.id = value
        elif name == "retry":
            self.retry = value


class Parser:
    """One direction of an HTTP/1.1 connection: heads and bodies, one after the other. `head`, `payload` and `end` are told of them."""

    def __init__(self, head, payload, end):
        self.head, self.payload, self.end = head, payload, end
        self.state, self.buffer, self.left = "head", b"", 0

    def feed(self, chunk: bytes, time: float) -> None:
        self.buffer += chunk
        while self.buffer and self.step(time):
            pass

    def step(self, time: float) -> bool:
        """One step; False if more bytes are needed."""
        if self.state == "head":
            at = self.buffer.find(b"\r\n\r\n")
            if at < 0:
                return False
            block, self.buffer = self.buffer[:at].decode("latin-1"), self.buffer[at + 4 :]
            first, *lines = block.split("\r\n")
            headers = {}
            for line in lines:
                name, _, value = line.partition(":")
                headers[name.strip().lower()] = value.strip()
            self.state, self.left = self.head(first, headers, time)
            if self.state == "length" and self.left == 0:
                self.finish(time)
            return True
        if self.state in ("length", "chunk"):
            part, self.buffer = self.buffer[: self.left], self.buffer[self.left :]
            self.left -= len(part)
            self.payload(part, time)
            if self.left == 0:
                self.finish(time) if self.state == "length" else self.go("chunk-end")
            return True
        if self.state == "until-close":
            part, self.buffer = self.buffer, b""
            self.payload(part, time)
            return True
        at = self.buffer.find(b"\r\n")
        if at < 0:
            return False
        line, self.buffer = self.buffer[:at], self.buffer[at + 2 :]
        if self.state == "chunk-end":
            self.go("size")
        elif self.state == "size":
            self.left = int(line.split(b";")[0], 16)
            self.go("chunk" if self.left else "trailer")
        elif line == b"":
            self.finish(time)
        return True

    def go(self, state: str) -> None:
        self.state = state

    def finish(self, time: float) -> None:
        self.state = "head"
        self.end(time)


class Connection:
    """One TCP connection: both directions, read into exchanges of the wire."""

    def __init__(self, wire: "HttpWire"):
        self.wire = wire
        self.waiting: list[Exchange] = []  # requests whose response is not complete, oldest first
        self.asking: Exchange | None = None
        self.events: Events | None = None
        self.sides = {
            "client": Parser(self.request_head, self.request_payload, self.request_end),
            "server": Parser(self.response_head, self.response_payload, self.response_end),
        }

    def feed(self, side: str, chunk: bytes, time: float) -> None:
        self.sides[side].feed(chunk, time)

    def close(self, side: str, time: float) -> None:
        """The connection is gone; `side` ended it."""
        parser = self.sides["server"]
        if side == "server" and parser.state == "until-close":
            parser.finish(time)
        for exchange in self.waiting:
            exchange.broken, exchange.breaker = time, side
            self.wire.note(time, exchange, f"x the {side} ended the connection before the response was complete")
        self.waiting = []

    @property
    def current(self) -> Exchange | None:
        """The exchange whose response comes now, or is waited for."""
        return self.waiting[0] if self.waiting else None

    def request_head(self, first: str, headers: dict, time: float):
        method, target, _ = first.split(" ", 2)
        self.asking = Exchange(len(self.wire.exchanges) + 1, method, target, headers, time)
        self.wire.exchanges.append(self.asking)
        self.waiting.append(self.asking)
        self.wire.note(time, self.asking, f"> {first} {json.dumps(headers)}")
        if "chunked" in headers.get("transfer-encoding", ""):
            return "size", 0
        return "length", int(headers.get("content-length", 0))

    def request_payload(self, part: bytes, time: float) -> None:
        self.asking.body += part

    def request_end(self, time: float) -> None:
        if self.asking.body:
            self.wire.message("client", time, self.asking.body, self.asking)

    def response_head(self, first: str, headers: dict, time: float):
        status = int(first.split(" ")[1])
        if status < 200:
            return "head", 0
        exchange = self.current
        exchange.status, exchange.answer = status, headers
        self.wire.note(time, exchange, f"< {first} {json.dumps(headers)}")
        self.events = Events(exchange, lambda event: self.wire.event(event, exchange)) if exchange.streams else None
        if exchange.method == "HEAD" or status in (204, 304):
            return "length", 0
        if "chunked" in headers.get("transfer-encoding", ""):
            return "size", 0
        if "content-length" in headers:
            return "length", int(headers["content-length"])
        return "until-close", 0

    def response_payload(self, part: bytes, time: float) -> None:
        if self.events:
            self.events.feed(part, time)
        else:
            self.current.content += part

    def response_end(self, time: float) -> None:
        exchange = self.waiting.pop(0)
        exchange.ended = time
        if exchange.content:
            self.wire.message("server", time, exchange.content, exchange)
        self.wire.note(time, exchange, "< end")


class HttpWire(Wire):
    """All that passed a tap, in the order in which the tap saw it complete."""

    def __init__(self):
        super().__init__()
        self.exchanges: list[Exchange] = []
        self.log: list[str] = []
        # The events with an id that have passed, so that one that passes again is known.
        self.passed: set[tuple] = set()

    def note(self, time: float, exchange: Exchange | None, text: str) -> None:
        self.log.append(f"{time:8.3f} #{exchange.number if exchange else '-'} {text}")

    def message(self, sender: str, time: float, data: bytes, exchange: Exchange) -> None:
        self.note(time, exchange, f"{'>' if sender == 'client' else '<'} {data.decode(errors='replace')}")
        try:
            batch = json.loads(data)
        except ValueError:
            batch = None
        for one in batch if isinstance(batch, list) else [None]:
            line = data if one is None else json.dumps(one).encode()
            self.messages.append(Message(sender, time, line, parse(line), exchange))

    def event(self, event: Event, exchange: Exchange) -> None:
        fields = "".join(f" {name}={value}" for name, value in (("id", event.id), ("retry", event.retry)) if value is not None)
        self.note(event.time, exchange, f"< event {event.type}{fields}: {event.data}")
        again = event.id is not None and (event.id, event.data) in self.passed
        self.passed.add((event.id, event.data))
        if event.type == "message" and event.data and not again:
            line = event.data.encode()
            self.messages.append(Message("server", event.time, line, parse(line), exchange))

    def of(self, method: str) -> list[Exchange]:
        """The exchanges with this HTTP method."""
        return [exchange for exchange in self.exchanges if exchange.method == method]

    def calling(self, method: str) -> list[Exchange]:
        """The exchanges that carried a message of this method."""
        return [exchange for exchange in self.exchanges if exchange.called == method]

    def resumed(self) -> list[Exchange]:
        """The streams that were asked for from an event on, and given."""
        return [e for e in self.of("GET") if "last-event-id" in e.headers and e.streams]

    def transcript(self) -> str:
        return "\n".join(self.log) + "\n"
