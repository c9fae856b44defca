"""From a record's creation to its visibility, under a light load."""

import json
import subprocess

from harness import flink
from harness.stage import BIN

RATE = 1000
WARM_UP_S = 10


def add_arguments(parser):
    parser.add_argument("--interval", action="append", help="of the checkpoints, e.g. 1s; repeatable")
    parser.add_argument("--seconds", type=int, default=60)


def measure(stage, args):
    for interval in args.interval or ["1s", "100ms"]:
        yield {"name": "Weir", "interval": interval, **_weir(stage, args, interval)}
        if args.with_flink:
            yield {"name": "Flink", "interval": interval, **_flink(stage, args, interval)}


def _weir(stage, args, interval):
    stage.start_cluster(taskmanagers=1, slots=2)
    result = _measure_job(stage, args,
                          lambda source, target: stage.run_job(source, target, interval, 2))
    stage.stop_cluster()
    return result


def _flink(stage, args, interval):
    with flink.Cluster(stage) as cluster:
        return _measure_job(
            stage, args, lambda source, target: cluster.run_job(
                source, target, "--interval", flink.milliseconds(interval)))


def _measure_job(stage, args, run_job):
    source, target = stage.create_topic("in"), stage.create_topic("out")
    records = (WARM_UP_S + args.seconds) * RATE
    run_job(source, target)
    fill = stage.fill(source, records, rate=RATE)
    meter = subprocess.run([f"{BIN}/bench-meter", "--brokers", stage.brokers, "--topic", target,
                            "--mode", "latency", "--records", str(records),
                            "--skip", str(WARM_UP_S * RATE)],
                           check=True, stdout=subprocess.PIPE, text=True)
    fill.wait()
    return json.loads(meter.stdout)


def show(result):
    return (f"{result['name']:6} interval {result['interval']:6} "
            f"p50 {result['p50']} ms, p99 {result['p99']} ms, max {result['max']} ms")


def summary(results):
    return ""
