"""An adapter for examples/adapters/server.py that misbehaves as its first argument says, at one
request in so many as its second one says."""
import http.client
import json
import sys
import threading

mode, count = sys.argv[1], 0


def say(answer):
    print(json.dumps(answer), flush=True)


def ask(method, key, body=None, headers={}):
    store.request(method, "/" + key, body, headers)
    response = store.getresponse()
    return response.status, response.read().decode()


def serve(request):
    identity, key = request["id"], request["key"]
    if request["op"] == "read":
        status, value = ask("GET", key)
        return {"id": identity, "ok": {"value": value if status == 200 else None}}
    if request["op"] == "cas":
        status, _ = ask("PUT", key, request["to"], {"If-Match": request["from"] or ""})
        if status == 412:
            return {"id": identity, "fail": {"code": 22, "text": "another value"}}
    else:
        ask("PUT", key, request["value"])
    return {"id": identity, "ok": {}}


node = json.loads(sys.stdin.readline())["init"]["node"]
store = http.client.HTTPConnection(node["host"], node["port"])
if mode != "never ready":
    say({"ready": {"ops": ["read", "update", "cas"]}})
for line in sys.stdin:
    request, count = json.loads(line), count + 1
    answer = serve(request)
    if count % int(sys.argv[2]) != 0:
        say(answer)
    elif mode == "dies":
        sys.exit(7)
    elif mode == "twice":
        say(answer)
        say(answer)
    elif mode == "unasked":
        say(answer)
        say({"id": 4000000000, "ok": {}})
    elif mode == "nonsense":
        print("what?", flush=True)
    elif mode == "indefinite fail":
        say({"id": request["id"], "fail": {"code": 13, "text": "crash"}})
    elif mode == "late":
        threading.Timer(0.4, say, [answer]).start()
    elif mode != "never":
        say(answer)
if mode == "runs on":
    threading.Event().wait()
