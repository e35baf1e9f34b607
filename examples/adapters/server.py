"""A key-value store over HTTP in thirty lines: what somebody's own store may look like.

    python3 server.py 8080          GET /KEY, PUT /KEY, and PUT with If-Match: OLD for compare-and-set
"""
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

values, lock = {}, threading.Lock()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def answer(self, status, body=b""):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        value = values.get(self.path)
        self.answer(404) if value is None else self.answer(200, value)

    def do_PUT(self):
        length = int(self.headers["Content-Length"])
        value = self.rfile.read(length)
        if len(value) < length:
            return  # The client died before it had said all: it has asked for nothing.
        expected = self.headers.get("If-Match")
        with lock:
            if expected is not None and values.get(self.path) != expected.encode():
                return self.answer(412)
            values[self.path] = value
        self.answer(204)

    def log_message(self, *args):
        pass


ThreadingHTTPServer((sys.argv[2] if len(sys.argv) > 2 else "127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
