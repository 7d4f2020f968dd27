"""Scenarios with confluent-kafka (librdkafka): confluent.py BOOTSTRAP NAME SCENARIO. NAME is the prefix of all topics and groups."""

import sys
import time

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    NewTopic,
    ResourceType,
)

BOOTSTRAP, NAME = sys.argv[1], sys.argv[2]
DEADLINE = time.monotonic() + 240


def admin():
    return AdminClient({"bootstrap.servers": BOOTSTRAP})


def create(topic, partitions, config=None):
    admin_client = admin()
    admin_client.create_topics([NewTopic(topic, partitions, 1, config=config or {})])[topic].result(30)


def consumer(**config):
    return Consumer({"bootstrap.servers": BOOTSTRAP, "group.id": NAME, "auto.offset.reset": "earliest", "enable.auto.commit": False} | config)


def produce(producer, topic, pairs, **more):
    errors = []
    for key, value in pairs:
        producer.produce(topic, key=key, value=value, on_delivery=lambda e, m: e and errors.append(e), **more)
        producer.poll(0)
    assert producer.flush(30) == 0, "not everything was acknowledged"
    assert not errors, errors


def poll(c, want):
    """Polls until want records are there or time is over."""
    got = []
    while len(got) < want and time.monotonic() < DEADLINE:
        m = c.poll(0.2)
        if m is None:
            continue
        if m.error():
            raise KafkaException(m.error())
        got.append(m)
    return got


def plain():
    """Produce with every codec, with and without a key, with headers; read it without a group."""
    topic = NAME + "-plain"
    create(topic, 1)
    want = []
    for codec in ["none", "gzip", "snappy", "lz4", "zstd"]:
        p = Producer({"bootstrap.servers": BOOTSTRAP, "compression.type": codec, "enable.idempotence": codec != "lz4", "linger.ms": 20})
        pairs = [(f"{codec}-{i}" if i % 3 else None, f"value {i} " * 20 if i % 5 else None) for i in range(200)]
        produce(p, topic, pairs, headers=[("codec", codec.encode())])
        want += pairs
    c = consumer()
    c.assign([TopicPartition(topic, 0, 0)])
    got = poll(c, len(want))
    assert [m.offset() for m in got] == list(range(len(want)))
    text = lambda b: None if b is None else b.decode()
    assert [(text(m.key()), text(m.value())) for m in got] == want
    assert got[250].headers() == [("codec", b"gzip")], got[250].headers()
    low, high = c.get_watermark_offsets(TopicPartition(topic, 0))
    assert (low, high) == (0, len(want)), (low, high)
    at = c.offsets_for_times([TopicPartition(topic, 0, got[500].timestamp()[1])])[0].offset
    assert got[at].timestamp()[1] >= got[500].timestamp()[1] and at <= 500, at
    c.close()


def group():
    """Two members share four partitions; what they committed is where a third one goes on."""
    for strategy in ["range", "cooperative-sticky"]:
        name = topic = f"{NAME}-{strategy}"
        create(topic, 4)
        a, b = (consumer(**{"group.id": name, "partition.assignment.strategy": strategy}) for _ in "ab")
        got = {a: [], b: []}

        def poll_both():
            for c in (a, b):
                m = c.poll(0.05)
                if m is not None and not m.error():
                    got[c].append(m)

        def shares():
            return [{p.partition for p in c.assignment()} for c in (a, b)]

        a.subscribe([topic])
        b.subscribe([topic])
        while (not all(shares()) or shares()[0] & shares()[1] or set.union(*shares()) != {0, 1, 2, 3}) and time.monotonic() < DEADLINE:
            poll_both()
        want = {f"{strategy} {i}" for i in range(400)}
        produce(Producer({"bootstrap.servers": BOOTSTRAP}), topic, [(v, v) for v in want])
        while sum(map(len, got.values())) < 400 and time.monotonic() < DEADLINE:
            poll_both()
        values = [m.value().decode() for ms in got.values() for m in ms]
        assert len(values) == 400 and set(values) == want, len(values)
        for c, share in zip((a, b), shares()):
            assert {m.partition() for m in got[c]} == share, share
            c.commit(asynchronous=False)
        for c in (a, b):
            c.close()
        produce(Producer({"bootstrap.servers": BOOTSTRAP}), topic, [("late", strategy)])
        c = consumer(**{"group.id": name})
        c.subscribe([topic])
        late = poll(c, 1)
        assert [m.value().decode() for m in late] == [strategy], late
        c.close()


def nextgen():
    """Members of the consumer protocol join one of the classic protocol and share its partitions; when they are gone it has all again."""
    topic = NAME + "-nextgen"
    create(topic, 4)
    members = [consumer(**{"group.id": topic, "partition.assignment.strategy": "cooperative-sticky", "session.timeout.ms": 6000, "heartbeat.interval.ms": 500})]
    members += [consumer(**{"group.id": topic, "group.protocol": "consumer"}) for _ in "ab"]
    values = []

    def poll_all():
        for c in members:
            m = c.poll(0.02)
            if m is not None and not m.error():
                values.append(m.value().decode())

    def settle():
        """Polls until every partition is with one member and every member has some."""
        while time.monotonic() < DEADLINE:
            poll_all()
            shares = [{p.partition for p in c.assignment()} for c in members]
            if all(shares) and sum(map(len, shares)) == 4 and set.union(*shares) == {0, 1, 2, 3}:
                return
        raise AssertionError(f"not settled: {shares}")

    def drain(prefix):
        want = {f"{prefix} {i}" for i in range(200)}
        produce(Producer({"bootstrap.servers": BOOTSTRAP}), topic, [(v, v) for v in want])
        while len(values) < 200 and time.monotonic() < DEADLINE:
            poll_all()
        assert len(values) == 200 and set(values) == want, len(values)
        values.clear()
        for c in members:
            c.commit(asynchronous=False)

    for c in members:
        c.subscribe([topic])
        until = time.monotonic() + 0.5  # the classic one forms the group that the others convert
        while time.monotonic() < until:
            poll_all()
    settle()
    drain("three")
    while len(members) > 1:
        members.pop().close()
    settle()
    drain("one")
    members[0].close()


def transactions():
    """Commit, abort, offsets in a transaction, fencing, both isolation levels."""
    source, sink = NAME + "-source", NAME + "-sink"
    create(source, 1)
    create(sink, 2)
    produce(Producer({"bootstrap.servers": BOOTSTRAP}), source, [(None, str(i)) for i in range(10)])
    reader = consumer(**{"group.id": NAME + "-etl"})
    reader.subscribe([source])
    got = poll(reader, 10)
    assert len(got) == 10

    def producer():
        p = Producer({"bootstrap.servers": BOOTSTRAP, "transactional.id": NAME + "-tx", "transaction.timeout.ms": 120000})
        p.init_transactions(30)
        return p

    first = producer()
    first.begin_transaction()
    for m in got:
        first.produce(sink, key=m.value(), value=b"dropped")
    first.flush(30)
    first.send_offsets_to_transaction(reader.position(reader.assignment()), reader.consumer_group_metadata(), 30)
    first.abort_transaction(30)
    assert reader.committed([TopicPartition(source, 0)], 30)[0].offset < 0
    first.begin_transaction()
    for m in got:
        first.produce(sink, key=m.value(), value=b"kept")
    first.send_offsets_to_transaction(reader.position(reader.assignment()), reader.consumer_group_metadata(), 30)
    first.commit_transaction(30)
    assert reader.committed([TopicPartition(source, 0)], 30)[0].offset == 10

    first.begin_transaction()
    first.produce(sink, value=b"left open")
    first.flush(30)
    second = producer()
    try:
        first.commit_transaction(30)
        raise AssertionError("the older producer was not fenced")
    except KafkaException as e:
        assert e.args[0].code() in (KafkaError._FENCED, KafkaError.PRODUCER_FENCED, KafkaError.INVALID_PRODUCER_EPOCH), e
    second.begin_transaction()
    second.commit_transaction(30)

    def read(level, want):
        c = consumer(**{"group.id": NAME + level, "isolation.level": level})
        c.assign([TopicPartition(sink, p, 0) for p in range(2)])
        values = [m.value() for m in poll(c, want)]
        extra = c.poll(1)
        assert extra is None, extra.value()
        c.close()
        return sorted(values)

    assert read("read_committed", 10) == [b"kept"] * 10
    assert read("read_uncommitted", 21) == [b"dropped"] * 10 + [b"kept"] * 10 + [b"left open"]
    reader.close()


def administer():
    topic = NAME + "-admin"
    create(topic, 2, {"retention.ms": "86400000", "cleanup.policy": "compact"})
    a = admin()
    try:
        create(topic, 2)
        raise AssertionError("created twice")
    except KafkaException as e:
        assert e.args[0].code() == KafkaError.TOPIC_ALREADY_EXISTS, e
    meta = a.list_topics(topic, timeout=30)
    assert len(meta.topics[topic].partitions) == 2 and len(meta.brokers) == 1

    def config():
        resource = ConfigResource(ResourceType.TOPIC, topic)
        return {k: v.value for k, v in a.describe_configs([resource])[resource].result(30).items()}

    assert config()["retention.ms"] == "86400000" and config()["cleanup.policy"] == "compact"
    change = ConfigEntry("retention.ms", "3600000", incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[change])
    a.incremental_alter_configs([resource])[resource].result(30)
    assert config()["retention.ms"] == "3600000"
    a.create_partitions([NewPartitions(topic, 3)])[topic].result(30)

    produce(Producer({"bootstrap.servers": BOOTSTRAP}), topic, [(str(i), str(i)) for i in range(50)])
    name = NAME + "-admin"
    c = consumer(**{"group.id": name})
    c.subscribe([topic])
    assert len(poll(c, 50)) == 50
    c.commit(asynchronous=False)
    assert name in {g.group_id for g in a.list_consumer_groups().result(30).valid}
    described = a.describe_consumer_groups([name])[name].result(30)
    assert len(described.members) == 1 and described.state.name == "STABLE", described.state
    c.close()
    a.delete_consumer_groups([name])[name].result(30)
    assert name not in {g.group_id for g in a.list_consumer_groups().result(30).valid}

    a.delete_topics([topic])[topic].result(30)
    while topic in a.list_topics(timeout=30).topics and time.monotonic() < DEADLINE:
        pass
    assert topic not in a.list_topics(timeout=30).topics


{"plain": plain, "group": group, "transactions": transactions, "administer": administer, "nextgen": nextgen}[sys.argv[3]]()
