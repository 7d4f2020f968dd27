"""Logs in with confluent-kafka (librdkafka) over TLS: login.py BOOTSTRAP CA MECHANISM USER PASSWORD TOPIC.

Writes a record to the topic, reads it back, and prints the topics that the user may see."""

import sys
import time

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition

bootstrap, ca, mechanism, user, password, topic = sys.argv[1:]
failures = []
deadline = time.monotonic() + 120
common = {
    "bootstrap.servers": bootstrap, "security.protocol": "SASL_SSL", "ssl.ca.location": ca, "sasl.mechanisms": mechanism,
    "sasl.username": user, "sasl.password": password, "error_cb": failures.append,
}
producer = Producer(common)
topics = None
while topics is None and time.monotonic() < deadline:
    producer.poll(0)  # brings the errors
    if any(e.code() == KafkaError._AUTHENTICATION for e in failures):
        print("login failed")
        sys.exit(0)
    try:
        topics = producer.list_topics(timeout=0.5).topics
    except KafkaException:
        pass  # not there yet
assert topics is not None, failures
producer.produce(topic, b"hello", partition=0, on_delivery=lambda e, m: e and failures.append(e))
assert producer.flush(120) == 0, failures
consumer = Consumer(common | {"group.id": topic})
consumer.assign([TopicPartition(topic, 0, 0)])
while time.monotonic() < deadline:
    m = consumer.poll(0.2)
    if m is not None and m.error() is None:
        print(m.value().decode())
        break
consumer.close()
print(sorted(topics))
