"""An adapter for server.py, the key-value store over HTTP: docs/reference/adapters.md.

    kvs-bench adapter check --endpoints 127.0.0.1:8080 -- python3 examples/adapters/http_adapter.py
"""
import http.client
import json
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

printing, mine = threading.Lock(), threading.local()


def say(answer):
    with printing:
        print(json.dumps(answer), flush=True)


def ask(method, key, body=None, headers={}):
    """One request on this thread's own connection, which is made anew when it broke."""
    if not hasattr(mine, "http"):
        mine.http = http.client.HTTPConnection(host, port, timeout=5)
    try:
        mine.http.request(method, "/" + key, body, headers)
        response = mine.http.getresponse()
        return response.status, response.read().decode()
    except Exception:
        mine.http.close()
        raise


def serve(request):
    identity, key = request["id"], request["key"]
    try:
        if request["op"] == "read":
            status, value = ask("GET", key)
            say({"id": identity, "ok": {"value": value if status == 200 else None}})
        else:
            expected = request.get("from") if request["op"] == "cas" else None
            value = request["value" if request["op"] == "update" else "to"]
            status, _ = ask("PUT", key, value, {"If-Match": expected} if expected else {})
            if status == 412:
                say({"id": identity, "fail": {"code": 22, "text": "it holds another value"}})
            else:
                say({"id": identity, "ok": {}})
    except ConnectionRefusedError as error:
        say({"id": identity, "fail": {"code": 11, "text": str(error)}})
    except Exception as error:
        # It may have been done: whoever cannot tell says so.
        say({"id": identity, "info": {"code": 0, "text": str(error)}})


node = json.loads(sys.stdin.readline())["init"]["node"]
host, port = node["host"], node["port"]
say({"ready": {"ops": ["read", "update", "cas"]}})
with ThreadPoolExecutor(64) as pool:
    for line in sys.stdin:
        pool.submit(serve, json.loads(line))
