"""How the Python servers are put on a socket."""

import asyncio
import socket

import uvicorn
from mcp.server.streamable_http import EventMessage, EventStore


def serve(app, path: str) -> None:
    """Serves the application on a free port of loopback and prints its address."""
    listener = socket.create_server(("127.0.0.1", 0))
    print(f"listening on http://127.0.0.1:{listener.getsockname()[1]}{path}", flush=True)
    config = uvicorn.Config(app, log_level="warning", lifespan="on", timeout_graceful_shutdown=2)
    asyncio.run(uvicorn.Server(config).serve(sockets=[listener]))


class Store(EventStore):
    """Keeps every event; what follows an event is what was stored after it for the same stream."""

    def __init__(self):
        self.events = []

    async def store_event(self, stream_id, message):
        self.events.append((stream_id, message))
        return str(len(self.events))

    async def replay_events_after(self, last_event_id, send):
        after = int(last_event_id)
        stream = self.events[after - 1][0]
        for number, (of, message) in enumerate(self.events[after:], after + 1):
            if of == stream and message is not None:
                await send(EventMessage(message, str(number)))
        return stream
