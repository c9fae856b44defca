"""Checkpoints of one subtask's state, by bench-keyed-snapshot: how long its thread stands still, how long the whole
takes, how many bytes are written."""

from harness import micro
from harness import plot as plotting

NEEDS_SERVERS = False
TARGET_SYNC_MS = 5           # with a state of 5 GB
TARGET_END_TO_END_MS = 50    # of 100,000 small values


def add_arguments(parser):
    parser.add_argument("--backend", choices=["rocksdb", "hashmap"], help="default: both")


def measure(_, args):
    if args.with_flink:
        raise SystemExit("bench/run: checkpoint has no Flink beside it")
    pattern = f"BM_Checkpoint/{args.backend or ''}"
    for name, (keys, value_bytes, changed), result in micro.run("bench-keyed-snapshot", pattern):
        yield {"backend": name.split("/")[1], "keys": keys, "value_bytes": value_bytes, "changed": changed,
               "milliseconds": result["median_ms"], "sync_p99_ms": result["sync_p99_ms"],
               "slice_p99_ms": result["slice_p99_ms"], "megabytes": result["MB"], "most_megabytes": result["max_MB"],
               "state_megabytes": result["state_MB"]}


def show(result):
    return (f"{result['backend']:8} {result['keys']:>11,} keys × {result['value_bytes']:>4} bytes, "
            f"{result['state_megabytes']:7,.0f} MB stored, {result['changed']:>8,} written: {result['megabytes']:8,.2f} MB "
            f"(most {result['most_megabytes']:8,.2f}), median {result['milliseconds']:8,.1f} ms; "
            f"the thread stands still {result['sync_p99_ms']:.2f} ms at p99, then {result['slice_p99_ms']:.2f} ms at a time")


def plot(results, _):
    curves = {}
    for result in results:
        name = f"{result['backend']}, {result['keys'] / 1e6:g} M keys × {result['value_bytes']} bytes"
        curves.setdefault(name, []).append((result["changed"], result["megabytes"]))
    plotting.lines("checkpoint", "What a checkpoint writes", "keys written since the last one", "MB", curves, log=True)


def summary(results):
    rocksdb = [r for r in results if r["backend"] == "rocksdb"]
    if not rocksdb:
        return ""
    largest = max(rocksdb, key=lambda r: r["keys"] * r["value_bytes"])
    small = [r for r in rocksdb if r["value_bytes"] == 8 and r["changed"] == 100_000]
    return "\n".join(["", f"  {largest['keys'] * largest['value_bytes'] / 1e9:.0f} GB of state, rocksdb: the thread stands "
                      f"still {largest['sync_p99_ms']:.2f} ms at p99 (target {TARGET_SYNC_MS})"] + [
                          f"  100,000 of {r['keys']:,} keys: {r['milliseconds']:.0f} ms end to end "
                          f"(target {TARGET_END_TO_END_MS})" for r in small])
