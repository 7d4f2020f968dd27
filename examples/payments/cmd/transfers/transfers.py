#!/usr/bin/env python3
"""The bank transfer service: publishes transfers to BANK-TRANSFER-PAYMENT.

It is written in another language than the rest on purpose: the Kafka protocol is all that services share.

    pip install -r requirements.txt
    python transfers.py [--bootstrap 127.0.0.1:9092] [--rate 2] [--count 0] [--seed 0] [--customers 10]
"""

import argparse
import itertools
import json
import random
import signal
import sys
import time
from datetime import datetime, timezone

from confluent_kafka import KafkaException, Producer
from confluent_kafka.admin import AdminClient, NewTopic
from confluent_kafka.error import KafkaError

TOPIC = "BANK-TRANSFER-PAYMENT"
NAMES = ["Fowler", "Farah", "Adi", "Bela", "Citra", "Dewi", "Eko", "Fitri", "Gita", "Hadi"]
BANKS = ["ATOZ BANK", "NUSA BANK", "KOTA BANK"]


def transfer(rnd, trx_id, customers):
    customer = rnd.randint(1, customers)
    now = datetime.now(timezone.utc)
    return {
        "trxId": trx_id,
        "trxAmount": rnd.randint(100, 499) * 1000,
        "accountNo": f"{1000000000 + customer * 7919 % 9000000000:010d}",
        "accountName": NAMES[(customer - 1) % len(NAMES)],
        "bankName": BANKS[customer % len(BANKS)],
        "referenceNo": f"{rnd.randrange(10**10):010d}",
        "currency": "IDR",
        "customerId": customer,
        "trxDate": now.strftime("%Y-%m-%dT%H:%M:%S.") + f"{now.microsecond // 1000:03d}",
    }


def ensure_topic(bootstrap):
    admin = AdminClient({"bootstrap.servers": bootstrap})  # must live until the answer is there
    created = admin.create_topics([NewTopic(TOPIC, num_partitions=-1, replication_factor=-1)], request_timeout=30)
    try:
        created[TOPIC].result()
    except KafkaException as e:
        if e.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
            raise


def main():
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("--bootstrap", default="127.0.0.1:9092", help="broker addresses, separated by commas")
    args.add_argument("--rate", type=float, default=2, help="transfers a second; 0 means as fast as possible")
    args.add_argument("--count", type=int, default=0, help="how many to publish; 0 means until interrupted")
    args.add_argument("--seed", type=int, default=0, help="seed of the transfers; 0 draws one")
    args.add_argument("--customers", type=int, default=10, help="number of customers")
    args = args.parse_args()

    rnd = random.Random(args.seed or None)
    base = args.seed * 10**9 if args.seed else time.time_ns() // 10**6
    stopped = []
    for sig in (signal.SIGINT, signal.SIGTERM):
        signal.signal(sig, lambda *_: stopped.append(True))

    counts = {"acknowledged": 0}
    failed = []

    def delivered(err, _msg):
        if err is None:
            counts["acknowledged"] += 1
        else:
            failed.append(err)

    ensure_topic(args.bootstrap)
    producer = Producer({"bootstrap.servers": args.bootstrap, "enable.idempotence": True, "acks": "all"})
    began = told = time.monotonic()
    for i in itertools.count() if args.count == 0 else range(args.count):
        due = began + i / args.rate if args.rate > 0 else 0
        while not stopped and not failed and time.monotonic() < due:
            producer.poll(min(0.2, due - time.monotonic()) if due > time.monotonic() else 0)
        if stopped or failed:
            break
        value = json.dumps(transfer(rnd, base + i, args.customers), separators=(",", ":"))
        while True:
            try:
                producer.produce(TOPIC, key=str(base + i), value=value, on_delivery=delivered)
                break
            except BufferError:  # too much under way: let some of it be acknowledged
                producer.poll(0.1)
        producer.poll(0)
        if time.monotonic() - told >= 1:
            told = time.monotonic()
            print(f"{counts['acknowledged']} bank transfers published", flush=True)
    left = producer.flush(10)
    print(f"{counts['acknowledged']} bank transfers published", flush=True)
    if failed or left:
        sys.exit(f"transfers: {failed[0] if failed else f'{left} transfers were not acknowledged'}")


if __name__ == "__main__":
    main()
