"""Our demo server and a browser: a page of ours shows a tool's progress while it works; a page of somebody else gets nothing.

    test_chromium.py SERVER [ARG ...]
"""

import http.server
import sys
import threading
import time

from browser import Browser, find
from http_peers import Server
from http_tap import Tap
from interop import HERE, MODERN, compare, run_all

SERVER = sys.argv[1:]
PAGE = (HERE / "peers" / "page.html").read_bytes()


class Web(http.server.BaseHTTPRequestHandler):
    """A web server with one page, whatever is asked for."""

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(PAGE)))
        self.end_headers()
        self.wfile.write(PAGE)

    def log_message(self, *_):
        pass


def shows_progress_live():
    """A page from the origin of the server: the bar moves while the tool works."""
    with Server(SERVER) as server, Tap(server.url) as tap, Browser(find()) as browser:
        tap.page = PAGE
        page = browser.open(tap.url.rsplit("/", 1)[0] + "/?steps=12&every=150")
        moves = []
        page.wait("typeof outcomes === 'object'")
        while True:
            bar, most, title = page.evaluate("[bar.value, bar.max, document.title]")
            if title != "waiting":
                break
            if most == 12 and bar not in moves:
                moves.append(bar)
            time.sleep(0.02)
        seen = page.evaluate("[...document.querySelectorAll('li')].map(item => parseInt(item.textContent))")
        outcomes, result = page.evaluate("outcomes"), page.evaluate("document.getElementById('result').textContent")
    assert outcomes == ["ended"] and result == "完成", (outcomes, result)
    compare("reports", seen, [int(report[0]) for report in tap.wire.call().reports])
    assert seen == list(range(12)), seen
    assert len(moves) >= 6 and moves == sorted(moves), f"the bar was seen at {moves} while the tool worked"
    call = tap.wire.call().request.exchange
    assert "origin" in call.headers and call.headers["mcp-protocol-version"] == MODERN, call.headers
    return f"the bar was seen at {', '.join(f'{move:g}' for move in moves)} while the tool worked"


def refuses_another_origin():
    """A page from elsewhere that calls our server: it may not ask, it gets nothing, and no tool runs."""
    web = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Web)
    threading.Thread(target=web.serve_forever, daemon=True).start()
    with Server(SERVER) as server, Tap(server.url) as tap, Browser(find(), "MAP evil.example 127.0.0.1") as browser:
        page = browser.open(f"http://evil.example:{web.server_address[1]}/?server={tap.url}")
        page.wait("typeof outcomes === 'object' && document.title !== 'waiting'")
        cors, opaque = page.evaluate("outcomes")
        tap.settle()
    web.shutdown()
    assert cors.startswith("refused: TypeError") and opaque == "opaque", (cors, opaque)
    assert [(e.method, e.status) for e in tap.wire.exchanges] == [("OPTIONS", 403), ("POST", 403)], tap.wire.transcript()
    for exchange in tap.wire.exchanges:
        assert exchange.headers["origin"].startswith("http://evil.example"), exchange.headers
        assert "access-control-allow-origin" not in exchange.answer, exchange.answer
    return f"{cors}; without leave: 403"


def refuses_another_name():
    """DNS rebinding: the page's own name has come to lead to our server, so that no origin is crossed."""
    with Server(SERVER) as server, Tap(server.url) as tap, Browser(find(), "MAP evil.example 127.0.0.1") as browser:
        tap.page = PAGE
        port = tap.url.split(":")[2].split("/")[0]
        page = browser.open(f"http://evil.example:{port}/")
        page.wait("typeof outcomes === 'object' && document.title !== 'waiting'")
        (outcome,) = page.evaluate("outcomes")
    assert outcome == "refused: Error: HTTP 403", outcome
    # A browser asks for an icon too.
    (exchange,) = tap.wire.of("POST")
    assert all(other.status == 403 for other in tap.wire.exchanges), tap.wire.transcript()
    assert exchange.headers["host"] == f"evil.example:{port}" and exchange.status == 403, exchange
    return outcome


if __name__ == "__main__":
    if not find():
        # The setup says why; a browser that is not there is a failure, not a pass.
        print("FAIL  no Chromium is installed, and apt did not give one", flush=True)
        print("0 passed, 1 failed")
        sys.exit(1)
    sys.exit(run_all([(case.__name__, case) for case in (shows_progress_live, refuses_another_origin, refuses_another_name)], workers=1))
