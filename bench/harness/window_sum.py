"""Kafka → sum per key and window of event time → Kafka. Each key has one record in each second."""

import sys

from harness import flink, keyed

FIRST_EVENT_TIME_MS = 1_700_000_000_000  # as bench-fill has it
TARGETS = [("Weir, rocksdb", "Flink, rocksdb", 7, None), ("Weir, rocksdb", "Flink, hashmap", 3, None),
           ("Weir, hashmap", "Flink, hashmap", 3, None)]


def add_arguments(parser):
    keyed.add_arguments(parser, keys=10_000)
    parser.add_argument("--size", default="1s", help="of the windows, in whole seconds")
    parser.add_argument("--slide", help="default: tumbling windows")


def measure(stage, args):
    size_ms = int(flink.milliseconds(args.size))
    slide_ms = int(flink.milliseconds(args.slide or args.size))
    seconds = args.records // args.keys
    if args.records % args.keys != 0 or size_ms % slide_ms != 0:
        sys.exit("bench/run: --records must be a multiple of --keys, and --size of --slide")
    # Multiples of the slide, from the first whose window has the first second.
    first = (FIRST_EVENT_TIME_MS - size_ms) // slide_ms * slide_ms + slide_ms
    windows = len(range(first, FIRST_EVENT_TIME_MS + seconds * 1000, slide_ms))
    return keyed.measure(stage, args, keyed.Job(
        example="window_sum", flink_job="WindowSum",
        arguments=["--size", args.size, "--slide", args.slide or args.size],
        flink_arguments=["--size", str(size_ms), "--slide", str(slide_ms)],
        kind="events", output_records=windows * args.keys,
        output_bytes=len("k0000000,1700000000000,1000000"),
        check_arguments=["--kind", "sums", "--size-ms", str(size_ms), "--slide-ms", str(slide_ms)]))


show = keyed.show


def plot(results, args):
    windows = args.size if not args.slide else f"{args.size}/{args.slide}"
    keyed.plot(results, f"window-sum-{windows.replace('/', '-')}",
               f"Sum per key and window of {windows}, {args.keys:,} keys, exactly once")


def summary(results):
    return keyed.summary(results, TARGETS)
