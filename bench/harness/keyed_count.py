"""Kafka → count per key → Kafka: a state of a million keys that every record changes."""

from harness import keyed

TARGETS = [("Weir, rocksdb", "Flink, rocksdb", 7, 8), ("Weir, rocksdb", "Flink, hashmap", 3, None),
           ("Weir, hashmap", "Flink, hashmap", 3, None)]


def add_arguments(parser):
    keyed.add_arguments(parser, keys=1_000_000)


def measure(stage, args):
    return keyed.measure(stage, args, keyed.Job(
        example="keyed_count", flink_job="KeyedCount", arguments=[], flink_arguments=[],
        kind="keyed", output_records=args.records, output_bytes=len("k0000000,1"),
        check_arguments=["--kind", "counts"]))


show = keyed.show


def plot(results, args):
    keyed.plot(results, "keyed-count", f"Count per key, {args.keys:,} keys, exactly once")


def summary(results):
    return keyed.summary(results, TARGETS)
