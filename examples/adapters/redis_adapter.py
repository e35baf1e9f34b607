"""An adapter for Redis, without any library: docs/reference/adapters.md.

    kvs-bench adapter check --endpoints 127.0.0.1:6379 -- python3 examples/adapters/redis_adapter.py

Requests are pipelined over one connection, and Redis answers them in their order.
"""
import json
import queue
import socket
import sys
import threading

CAS = "if redis.call('GET',KEYS[1])==ARGV[1] then redis.call('SET',KEYS[1],ARGV[2]) return 1 else return 0 end"


def command(*words):
    parts = [f"*{len(words)}\r\n"] + [f"${len(word.encode())}\r\n{word}\r\n" for word in words]
    return "".join(parts).encode()


def reply(stream):
    line = stream.readline()
    if not line:
        raise ConnectionError("Redis closed the connection")
    kind, rest = line[:1], line[1:-2].decode()
    if kind == b"$":
        return None if rest == "-1" else stream.read(int(rest) + 2)[:-2].decode()
    return int(rest) if kind == b":" else RuntimeError(rest) if kind == b"-" else rest


def answers(stream):
    """Answers what was asked, in order. A connection that ends ends the adapter."""
    while (asked := under_way.get()) is not None:
        found = reply(stream)
        answer = {"id": asked["id"]}
        if isinstance(found, RuntimeError):
            answer["fail"] = {"code": 14, "text": str(found)}
        elif asked["op"] == "read":
            answer["ok"] = {"value": found}
        elif asked["op"] == "cas" and found == 0:
            answer["fail"] = {"code": 22, "text": "it holds another value"}
        else:
            answer["ok"] = {}
        print(json.dumps(answer), flush=under_way.empty())


node = json.loads(sys.stdin.readline())["init"]["node"]
redis = socket.create_connection((node["host"], node["port"]))
under_way = queue.SimpleQueue()
print(json.dumps({"ready": {"ops": ["read", "update", "cas", "delete"]}}), flush=True)
threading.Thread(target=answers, args=(redis.makefile("rb"),), daemon=True).start()
for line in sys.stdin:
    ask = json.loads(line)
    under_way.put(ask)
    if ask["op"] == "read":
        redis.sendall(command("GET", ask["key"]))
    elif ask["op"] == "update":
        redis.sendall(command("SET", ask["key"], ask["value"]))
    elif ask["op"] == "delete":
        redis.sendall(command("DEL", ask["key"]))
    else:
        redis.sendall(command("EVAL", CAS, "1", ask["key"], ask["from"] or "", ask["to"]))
