"""Scenarios with aiokafka: aio.py BOOTSTRAP NAME SCENARIO. NAME is the prefix of all topics and groups."""

import asyncio
import sys

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import TopicAlreadyExistsError

BOOTSTRAP, NAME = sys.argv[1], sys.argv[2]


async def create(topic, partitions):
    admin = AIOKafkaAdminClient(bootstrap_servers=BOOTSTRAP)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(topic, partitions, 1)])
        names = await admin.list_topics()
        assert topic in names, names
    finally:
        await admin.close()


async def read(topic, want, **config):
    c = AIOKafkaConsumer(topic, bootstrap_servers=BOOTSTRAP, auto_offset_reset="earliest", enable_auto_commit=False, **config)
    await c.start()
    try:
        got = []
        while len(got) < want:
            for records in (await c.getmany(timeout_ms=500)).values():
                got += records
        if c._group_id is not None:
            await c.commit()
        return got
    finally:
        await c.stop()


async def plain():
    topic = NAME + "-plain"
    await create(topic, 1)
    want = []
    for codec in [None, "gzip", "snappy", "lz4", "zstd"]:
        async with AIOKafkaProducer(bootstrap_servers=BOOTSTRAP, compression_type=codec, enable_idempotence=True) as p:
            values = [f"{codec} {i}".encode() * 10 for i in range(100)]
            sent = [await p.send(topic, v, key=b"k") for v in values]
            offsets = [(await s).offset for s in sent]
            assert offsets == list(range(len(want), len(want) + 100)), offsets
            want += values
    got = await read(topic, len(want))
    assert [r.value for r in got] == want


async def group():
    topic = NAME + "-group"
    await create(topic, 3)
    async with AIOKafkaProducer(bootstrap_servers=BOOTSTRAP) as p:
        for i in range(300):
            await p.send(topic, str(i).encode(), partition=i % 3)
    values = []
    await asyncio.gather(*(share(topic, values) for _ in range(2)))
    assert sorted(int(v) for v in values) == list(range(300))
    async with AIOKafkaProducer(bootstrap_servers=BOOTSTRAP) as p:
        await p.send_and_wait(topic, b"late")
    assert [r.value for r in await read(topic, 1, group_id=NAME)] == [b"late"]


async def share(topic, values):
    """One of two members: reads once each has some of the three partitions, since a commit fails during a rebalance, and until they have all."""
    c = AIOKafkaConsumer(topic, bootstrap_servers=BOOTSTRAP, group_id=NAME, auto_offset_reset="earliest", enable_auto_commit=False)
    await c.start()
    while not 0 < len(c.assignment()) < 3:
        await asyncio.sleep(0.05)
    while len(values) < 300:
        batch = await c.getmany(timeout_ms=500)
        if batch:
            await c.commit()
        values += [r.value for records in batch.values() for r in records]
    await c.stop()


async def transactions():
    topic = NAME + "-tx"
    await create(topic, 1)
    async with AIOKafkaProducer(bootstrap_servers=BOOTSTRAP, transactional_id=NAME) as p:
        async with p.transaction():
            await p.send(topic, b"kept")
            await p.send_offsets_to_transaction({TopicPartition(topic, 0): 7}, NAME + "-offsets")
        try:
            async with p.transaction():
                await p.send_and_wait(topic, b"dropped")
                raise ValueError
        except ValueError:
            pass
        async with p.transaction():
            await p.send(topic, b"kept too")
    got = await read(topic, 2, isolation_level="read_committed")
    assert [r.value for r in got] == [b"kept", b"kept too"], got
    c = AIOKafkaConsumer(bootstrap_servers=BOOTSTRAP, group_id=NAME + "-offsets")
    await c.start()
    assert await c.committed(TopicPartition(topic, 0)) == 7
    await c.stop()


async def administer():
    topic = NAME + "-admin"
    await create(topic, 2)
    admin = AIOKafkaAdminClient(bootstrap_servers=BOOTSTRAP)
    await admin.start()
    try:
        answer = await admin.create_topics([NewTopic(topic, 2, 1)])
        assert answer.topic_errors[0][1] == TopicAlreadyExistsError.errno, answer
    except TopicAlreadyExistsError:
        pass
    described = await admin.describe_topics([topic])
    assert len(described[0]["partitions"]) == 2, described
    await admin.delete_topics([topic])
    while topic in await admin.list_topics():
        await asyncio.sleep(0.05)
    await admin.close()


scenario = {"plain": plain, "group": group, "transactions": transactions, "administer": administer}[sys.argv[3]]
asyncio.run(asyncio.wait_for(scenario(), 240))
