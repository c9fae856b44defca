"""What a TaskManager needs for a stream that comes at a steady rate."""

from harness.process import cpu_seconds, memory_mib
from harness.stage import Meter


def add_arguments(parser):
    parser.add_argument("--rate", type=int, default=50_000, help="records a second")
    parser.add_argument("--seconds", type=int, default=30)
    parser.add_argument("--fetch-memory", default="8MiB", help="of each source subtask")


def measure(stage, args):
    if args.with_flink:
        raise SystemExit("bench/run: steady has no Flink beside it")
    source, target = stage.create_topic("in"), stage.create_topic("out")
    records = args.rate * args.seconds
    stage.start_cluster(taskmanagers=1, slots=2)
    pid = stage.pid("taskmanager-1")
    stage.run_job(source, target, "1s", 2, "--fetch-memory", args.fetch_memory)
    meter = Meter(stage, target, records)
    before = cpu_seconds(pid)
    fill = stage.fill(source, records, rate=args.rate)
    meter.wait()
    fill.wait()
    result = {"name": "Weir", "rate": args.rate, "cores": (cpu_seconds(pid) - before) / args.seconds,
              "peak_memory_mib": memory_mib(pid)}
    stage.stop_cluster()
    stage.verify(source, target)
    yield result


def show(result):
    return (f"{result['name']} at {result['rate']:,} records/s: {result['cores']:.2f} cores, "
            f"{result['peak_memory_mib']:,.0f} MiB at most")


def summary(_):
    return ""
