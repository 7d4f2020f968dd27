"""Scenarios with kafka-python: pure.py BOOTSTRAP NAME SCENARIO. NAME is the prefix of all topics and groups."""

import sys
import time

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import NewTopic
from kafka.errors import TopicAlreadyExistsError

BOOTSTRAP, NAME = sys.argv[1], sys.argv[2]
DEADLINE = time.monotonic() + 240


def create(topic, partitions):
    admin = KafkaAdminClient(bootstrap_servers=BOOTSTRAP)
    admin.create_topics([NewTopic(topic, partitions, 1)])
    admin.close()


def consumer(*topics, **config):
    return KafkaConsumer(*topics, bootstrap_servers=BOOTSTRAP, auto_offset_reset="earliest", enable_auto_commit=False, **config)


def poll(c, want):
    got = []
    while len(got) < want and time.monotonic() < DEADLINE:
        for records in c.poll(timeout_ms=200).values():
            got += records
    return got


def plain():
    topic = NAME + "-plain"
    create(topic, 1)
    values = [f"value {i}".encode() for i in range(500)]
    with KafkaProducer(bootstrap_servers=BOOTSTRAP, compression_type="gzip", acks="all") as p:
        sent = [p.send(topic, v, headers=[("n", str(i).encode())]) for i, v in enumerate(values)]
        p.flush(30)
        assert [s.get(30).offset for s in sent] == list(range(500))
    c = consumer(topic)
    got = poll(c, 500)
    assert [r.value for r in got] == values
    assert list(got[7].headers) == [("n", b"7")], got[7].headers
    tp = TopicPartition(topic, 0)
    assert c.end_offsets([tp]) == {tp: 500} and c.beginning_offsets([tp]) == {tp: 0}
    c.close()


def group():
    """Commits and resumes in a group. Partitions are assigned by hand: as a subscriber this client (3.0) now and then stalls for
    a minute after its first join, on Apache Kafka too."""
    topic = NAME + "-group"
    create(topic, 4)
    parts = [TopicPartition(topic, p) for p in range(4)]
    with KafkaProducer(bootstrap_servers=BOOTSTRAP) as p:
        for i in range(400):
            p.send(topic, str(i).encode(), partition=i % 4)
        p.flush(30)
    c = consumer(group_id=NAME)
    c.assign(parts)
    assert len(poll(c, 400)) == 400
    c.commit()
    c.close()
    with KafkaProducer(bootstrap_servers=BOOTSTRAP) as p:
        p.send(topic, b"late").get(30)
    c = consumer(group_id=NAME)
    c.assign(parts)
    assert sum(c.committed(p) or 0 for p in parts) == 400
    assert [r.value for r in poll(c, 1)] == [b"late"]
    c.close()


def transactions():
    topic = NAME + "-tx"
    create(topic, 1)
    p = KafkaProducer(bootstrap_servers=BOOTSTRAP, transactional_id=NAME)
    p.init_transactions()
    for value, end in [(b"kept", p.commit_transaction), (b"dropped", p.abort_transaction), (b"kept too", p.commit_transaction)]:
        p.begin_transaction()
        p.send(topic, value).get(30)
        end()
    p.close()
    c = consumer(topic, isolation_level="read_committed")
    assert [r.value for r in poll(c, 2)] == [b"kept", b"kept too"]
    c.close()


def administer():
    topic = NAME + "-admin"
    create(topic, 2)
    try:
        create(topic, 2)
        raise AssertionError("created twice")
    except TopicAlreadyExistsError:
        pass
    admin = KafkaAdminClient(bootstrap_servers=BOOTSTRAP)
    assert topic in admin.list_topics()
    assert len(admin.describe_topics([topic])[0]["partitions"]) == 2
    admin.delete_topics([topic])
    while topic in admin.list_topics() and time.monotonic() < DEADLINE:
        pass
    assert topic not in admin.list_topics()
    admin.close()


{"plain": plain, "group": group, "transactions": transactions, "administer": administer}[sys.argv[3]]()
