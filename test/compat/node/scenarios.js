// Scenarios with KafkaJS and confluent-kafka-javascript, whose KafkaJS face has the same methods:
// node scenarios.js LIBRARY BOOTSTRAP NAME SCENARIO. NAME is the prefix of all topics and groups.
'use strict';

const assert = require('node:assert');

const [library, bootstrap, name, scenario] = process.argv.slice(2);
const confluent = library === 'confluent';
const { Kafka, logLevel, CompressionTypes } = confluent ? require('@confluentinc/kafka-javascript').KafkaJS : require('kafkajs');
const settings = { clientId: name, brokers: [bootstrap], logLevel: logLevel.ERROR };
const kafka = new Kafka(confluent ? { kafkaJS: settings } : settings);
const make = (kind, options) => kafka[kind](confluent ? { kafkaJS: options } : options);

async function withAdmin(f) {
  const admin = kafka.admin();
  await admin.connect();
  try {
    return await f(admin);
  } finally {
    await admin.disconnect();
  }
}

const create = (topic, numPartitions) => withAdmin((a) => a.createTopics({ topics: [{ topic, numPartitions, replicationFactor: 1 }] }));

// send uses per-message compression of the producer: the two libraries take it in different places.
async function send(topic, messages, compression) {
  const options = { allowAutoTopicCreation: false };
  if (confluent && compression) options.compression = compression;
  const producer = make('producer', options);
  await producer.connect();
  const request = { topic, messages };
  if (!confluent && compression) request.compression = compression;
  const result = await producer.send(request);
  await producer.disconnect();
  return result;
}

// read collects want messages as a member of a group and commits them.
async function read(topic, groupId, want, extra = {}) {
  const consumer = make('consumer', { groupId, ...(confluent ? { fromBeginning: true, ...extra } : extra) });
  await consumer.connect();
  await consumer.subscribe(confluent ? { topic } : { topic, fromBeginning: true });
  const got = [];
  await new Promise((resolve, reject) => {
    consumer
      .run({
        eachMessage: async ({ partition, message }) => {
          got.push({ partition, key: message.key?.toString(), value: message.value?.toString(), headers: message.headers, offset: message.offset });
          if (got.length === want) resolve();
        },
      })
      .catch(reject);
  });
  const next = new Map();
  for (const m of got) next.set(m.partition, Math.max(next.get(m.partition) ?? 0, Number(m.offset) + 1));
  await consumer.commitOffsets([...next].map(([partition, offset]) => ({ topic, partition, offset: String(offset) })));
  await consumer.disconnect();
  return got;
}

const numbered = (n, text) => Array.from({ length: n }, (_, i) => ({ key: `k${i}`, value: `${text} ${i}` }));
const values = (messages) => messages.map((m) => m.value);

async function plain() {
  const topic = `${name}-plain`;
  await create(topic, 1);
  const want = [];
  for (const codec of [undefined, CompressionTypes.GZIP]) {
    const messages = numbered(200, `codec ${codec}`).map((m) => ({ ...m, headers: { from: 'node' } }));
    want.push(...values(messages)); // before one of the libraries makes buffers of them
    const [sent] = await send(topic, messages, codec);
    assert.strictEqual(sent.errorCode ?? 0, 0);
  }
  const got = await read(topic, `${name}-plain`, want.length);
  assert.deepStrictEqual(values(got), want);
  assert.strictEqual(got[3].headers.from.toString(), 'node');
}

async function group() {
  const topic = `${name}-group`;
  await create(topic, 4);
  await send(topic, numbered(100, 'first'));
  assert.deepStrictEqual(values(await read(topic, name, 100)).sort(), values(numbered(100, 'first')).sort());
  await send(topic, [{ value: 'late' }]);
  assert.deepStrictEqual(values(await read(topic, name, 1)), ['late']);
}

async function transactions() {
  const topic = `${name}-tx`;
  await create(topic, 1);
  const producer = make('producer', { transactionalId: name, maxInFlightRequests: 1, idempotent: true });
  await producer.connect();
  for (const [value, end] of [['kept', 'commit'], ['dropped', 'abort'], ['kept too', 'commit']]) {
    const tx = await producer.transaction();
    await tx.send({ topic, messages: [{ value }] });
    if (end === 'commit') {
      await tx.sendOffsets({ consumerGroupId: `${name}-offsets`, topics: [{ topic, partitions: [{ partition: 0, offset: '1' }] }] }).catch((e) => {
        if (!confluent) throw e; // it wants a consumer object instead of a group's name
      });
    }
    await tx[end]();
  }
  await producer.disconnect();
  assert.deepStrictEqual(values(await read(topic, name, 2)), ['kept', 'kept too']);
}

async function administer() {
  const topic = `${name}-admin`;
  await create(topic, 2);
  await send(topic, numbered(20, 'some'));
  await read(topic, `${name}-admin`, 20);
  await withAdmin(async (a) => {
    assert((await a.listTopics()).includes(topic));
    const ends = await a.fetchTopicOffsets(topic);
    assert.strictEqual(ends.reduce((n, p) => n + Number(p.high ?? p.offset), 0), 20);
    const { groups } = await a.listGroups();
    assert(groups.some((g) => g.groupId === `${name}-admin`));
    const described = await a.describeGroups([`${name}-admin`]);
    assert.strictEqual(described.groups.length, 1);
    const offsets = await a.fetchOffsets({ groupId: `${name}-admin`, topics: [topic] });
    assert.strictEqual(offsets[0].partitions.reduce((n, p) => n + Math.max(Number(p.offset), 0), 0), 20);
    await a.deleteGroups([`${name}-admin`]);
    if (!confluent) {
      await a.createPartitions({ topicPartitions: [{ topic, count: 3 }] });
      const configs = await a.describeConfigs({ resources: [{ type: 2, name: topic }], includeSynonyms: true });
      assert(configs.resources[0].configEntries.some((c) => c.configName === 'retention.ms'));
      await a.alterConfigs({ resources: [{ type: 2, name: topic, configEntries: [{ name: 'retention.ms', value: '3600000' }] }] });
      const cluster = await a.describeCluster();
      assert.strictEqual(cluster.brokers.length, 1);
    }
    await a.deleteTopics({ topics: [topic] });
    assert(!(await a.listTopics()).includes(topic));
  });
}

const scenarios = { plain, group, transactions, administer };
setTimeout(() => {
  console.error('no end within 60 s');
  process.exit(1);
}, 60_000).unref();
scenarios[scenario]().then(
  () => process.exit(0),
  (e) => {
    console.error(e);
    process.exit(1);
  },
);
