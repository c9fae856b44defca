"""Kafka → map → Kafka as fast as it goes."""

import json
import subprocess

from harness import flink
from harness.process import cpu_seconds, memory_mib
from harness.stage import BIN, Meter, median, wait_for, weir_settings
from harness.throughput import show

# Of the raw loop: what was found best for it, whatever memory that takes.
BEST = {"consumer": ["queued.min.messages=1000000", "queued.max.messages.kbytes=200000",
                     "fetch.message.max.bytes=8000000"],
        "producer": []}


def add_arguments(parser):
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--records", type=int, default=10_000_000)


def measure(stage, args):
    source = stage.create_topic("in")
    print(f"filling {source} with {args.records:,} records of 100 bytes", flush=True)
    if stage.fill(source, args.records).wait() != 0:
        raise SystemExit("bench/run: the input topic couldn't be filled")
    contestants = [("raw loop, best settings", lambda: _raw_loop(stage, args, source, BEST)),
                   ("raw loop, Weir's settings",
                    lambda: _raw_loop(stage, args, source, weir_settings())),
                   ("Weir", lambda: _weir(stage, args, source))]
    if args.with_flink:
        contestants.append(("Flink, tuned producer", lambda: _flink(stage, args, source)))
    for round_number in range(args.rounds + 1):
        for name, run in contestants:
            result = {"name": name, "round": round_number, **run()}
            if round_number > 0:  # the first warms up pages and JVMs
                yield result


def _raw_loop(stage, args, source, settings):
    target = stage.create_topic("out")
    meter = Meter(stage, target, args.records)
    broker_before = cpu_seconds(stage.kafka_pid())
    flags = [word for side in ("consumer", "producer") for setting in settings[side]
             for word in ("--" + side, setting)]
    answer = subprocess.run([f"{BIN}/bench-raw_loop", "--brokers", stage.brokers, "--in", source,
                             "--out", target, "--records", str(args.records), *flags],
                            check=True, stdout=subprocess.PIPE, text=True)
    broker_cpu = cpu_seconds(stage.kafka_pid()) - broker_before
    meter.wait()
    usage = json.loads(answer.stdout)
    stage.verify(source, target)
    stage.delete_topic(target)
    return _result(args, meter, usage["cpu_seconds"], broker_cpu, usage["memory_mib"])


def _weir(stage, args, source):
    target = stage.create_topic("out")
    stage.start_cluster(taskmanagers=1, slots=2)
    pid = stage.pid("taskmanager-1")
    meter = Meter(stage, target, args.records)
    broker_before = cpu_seconds(stage.kafka_pid())
    before = cpu_seconds(pid)
    job = stage.run_job(source, target, "1s", 2, "--bounded")
    meter.wait()
    cpu = cpu_seconds(pid) - before
    broker_cpu = cpu_seconds(stage.kafka_pid()) - broker_before
    wait_for(lambda: stage.rest(f"/v1/jobs/{job}")["state"] == "FINISHED", 60, "the job's end")
    checkpoints = stage.rest(f"/v1/jobs/{job}/checkpoints")
    memory = memory_mib(pid)
    stage.stop_cluster()
    stage.verify(source, target)
    stage.delete_topic(target)
    durations = [c["end_to_end_duration"] for c in checkpoints["history"]
                 if c["status"] == "COMPLETED"]
    return {**_result(args, meter, cpu, broker_cpu, memory),
            "checkpoint_ms_median": median(durations), "checkpoint_ms_max": max(durations)}


def _flink(stage, args, source):
    target = stage.create_topic("out")
    with flink.Cluster(stage) as cluster:
        meter = Meter(stage, target, args.records)
        broker_before = cpu_seconds(stage.kafka_pid())
        before = cpu_seconds(cluster.taskmanager_pid())
        cluster.run_job(source, target, "--prod", "linger.ms=20", "--prod", "batch.size=262144")
        meter.wait()
        cpu = cpu_seconds(cluster.taskmanager_pid()) - before
        broker_cpu = cpu_seconds(stage.kafka_pid()) - broker_before
        memory = memory_mib(cluster.taskmanager_pid())
    stage.verify(source, target)
    stage.delete_topic(target)
    return _result(args, meter, cpu, broker_cpu, memory)


def _result(args, meter, cpu, broker_cpu, memory):
    millions = args.records / 1e6
    return {"records_per_second": meter.span().records_per_second(), "cpu_s_per_million": cpu / millions,
            "broker_cpu_s_per_million": broker_cpu / millions, "peak_memory_mib": memory}


def summary(results):
    names = list(dict.fromkeys(result["name"] for result in results))
    medians = {name: {key: median([r[key] for r in results if r["name"] == name])
                      for key in ("records_per_second", "cpu_s_per_million",
                                  "broker_cpu_s_per_million", "peak_memory_mib")}
               for name in names}
    lines = ["", "median of the rounds:"]
    lines += ["  " + show({"name": name, **medians[name]}) for name in names]
    weir = medians["Weir"]
    for name in names:
        if name != "Weir":
            other = medians[name]
            lines.append(f"  Weir / {name}: {weir['records_per_second'] / other['records_per_second']:.2f} "
                         f"of the rate, {weir['cpu_s_per_million'] / other['cpu_s_per_million']:.2f} of the CPU, "
                         f"{weir['peak_memory_mib'] - other['peak_memory_mib']:+,.0f} MiB")
    return "\n".join(lines)
