"""Uses a node as a small client of ksqlDB's HTTP interface does: statements, rows in and out, by HTTP/1.1, and by HTTP/2 where httpx is there."""

import http.client
import json
import sys

host = sys.argv[1]


def post(path, body, accept):
    c = http.client.HTTPConnection(host, timeout=30)
    c.request("POST", path, body, {"Accept": accept})
    answer = c.getresponse()
    return c, answer


def whole(path, body, accept="application/vnd.ksql.v1+json"):
    c, answer = post(path, body, accept)
    text = answer.read().decode()
    c.close()
    if answer.status != 200:
        raise SystemExit(f"{path}: {answer.status} {text}")
    return text


create = "CREATE STREAM parcels (id VARCHAR KEY, kg DECIMAL(4, 1)) WITH (kafka_topic='parcels', value_format='JSON', partitions=1);"
entity = json.loads(whole("/ksql", json.dumps({"ksql": create, "streamsProperties": {}})))[0]
assert entity["commandStatus"]["status"] == "SUCCESS", entity

push, rows = post("/query-stream", json.dumps({"sql": "SELECT * FROM parcels EMIT CHANGES LIMIT 2;"}), "application/vnd.ksqlapi.delimited.v1")
header = json.loads(rows.readline())
assert header["columnNames"] == ["ID", "KG"], header

lines = [{"target": "parcels"}, {"id": "a", "kg": 1.5}, {"id": "b", "kg": "20"}]
acks = json.loads(whole("/inserts-stream", "".join(json.dumps(x) + "\n" for x in lines), "application/json"))
assert acks == [{"seq": 0, "status": "ok"}, {"seq": 1, "status": "ok"}], acks
got = rows.read().decode()
assert got == '["a",1.5]\n["b",20.0]\n', got
push.close()

pull = json.loads(whole("/query", json.dumps({"ksql": "SELECT * FROM parcels WHERE kg > 2;"})))
assert pull[1] == {"row": {"columns": ["b", 20.0]}}, pull

try:
    import httpx
except ImportError:
    httpx = None
if httpx:
    with httpx.Client(http1=False, http2=True, timeout=30) as c:
        answer = c.post(f"http://{host}/query-stream", json={"sql": "SELECT id FROM parcels;"}, headers={"Accept": "application/json"})
        assert answer.http_version == "HTTP/2" and answer.json()[1:] == [["a"], ["b"]], answer.text
print("parcels: all as expected")
