"""Keys with a timer each come back from a checkpoint, at its parallelism and at others, by bench-keyed-snapshot."""

from harness import micro
from harness import plot as plotting

NEEDS_SERVERS = False


def add_arguments(parser):
    parser.add_argument("--backend", choices=["rocksdb", "hashmap"], help="default: both")


def measure(_, args):
    if args.with_flink:
        raise SystemExit("bench/run: rescale has no Flink beside it")
    for name, (keys, before, after), result in micro.run("bench-keyed-snapshot", f"BM_Restore/{args.backend or ''}"):
        yield {"backend": name.split("/")[1], "keys": keys, "before": before, "after": after,
               "seconds": result["longest_subtask_ms"] / 1000}


def show(result):
    return (f"{result['backend']:8} {result['keys']:>11,} keys, parallelism {result['before']} → {result['after']}: "
            f"{result['seconds']:6.2f} s for the longest subtask, "
            f"{result['seconds'] * 1e6 * result['after'] / result['keys']:.2f} s per million of its keys")


def plot(results, _):
    plotting.bars("rescale", "Keys with timers come back", "seconds of the longest subtask", {
        f"{r['backend']}, {r['keys'] / 1e6:g} M keys, {r['before']} → {r['after']}": r["seconds"] for r in results})


def summary(_):
    return ""
