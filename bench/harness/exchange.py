"""Records from task to task, by bench-exchange: within a TaskManager, and over TCP beside a plain connection."""

from harness import micro
from harness import plot as plotting
from harness.stage import median

NEEDS_SERVERS = False
BENCHMARKS = {"BM_RecordsWithinATaskManager/8": "100-byte records, codec, hash partitioner, 8 channels in a process",
              "BM_RecordsOverTcp": "100-byte records over TCP, between two network environments",
              "BM_BuffersOverTcp": "32 KiB buffers over TCP, between two network environments",
              "BM_PlainTcp": "32 KiB writes on a plain TCP connection"}


def add_arguments(parser):
    parser.add_argument("--rounds", type=int, default=5)


def measure(_, args):
    if args.with_flink:
        raise SystemExit("bench/run: exchange has no Flink beside it")
    for round_number in range(args.rounds):
        for name, arguments, result in micro.run("bench-exchange"):
            name = "/".join([name, *map(str, arguments)])
            if name in BENCHMARKS:
                yield {"name": name, "round": round_number,
                       "records_per_second": result.get("items_per_second"),
                       "bytes_per_second": result["bytes_per_second"]}


def show(result):
    records = result["records_per_second"]
    return (f"{BENCHMARKS[result['name']]:75} {result['bytes_per_second'] / 1e9:6.2f} GB/s" +
            (f"  {records / 1e6:6.2f} M records/s" if records else ""))


def plot(results, _):
    plotting.bars("exchange", "From task to task", "GB/s, median of the rounds",
                  {BENCHMARKS[name]: of_name["bytes_per_second"] / 1e9 for name, of_name in medians(results).items()})


def medians(results):
    of = {}
    for name in BENCHMARKS:
        of_name = [r for r in results if r["name"] == name]
        of[name] = {"name": name, "bytes_per_second": median([r["bytes_per_second"] for r in of_name]),
                         "records_per_second": of_name[0]["records_per_second"] and
                         median([r["records_per_second"] for r in of_name])}
    return of


def summary(results):
    of = medians(results)
    inside = of["BM_RecordsWithinATaskManager/8"]["records_per_second"] / 1e6
    ratio = of["BM_BuffersOverTcp"]["bytes_per_second"] / of["BM_PlainTcp"]["bytes_per_second"]
    return "\n".join(["", "median of the rounds:", *("  " + show(m) for m in of.values()),
                      f"  one core within a TaskManager: {inside:.1f} M records/s (target 3)",
                      f"  buffers over TCP / plain TCP: {ratio:.2f} (target 0.5)"])
