"""Weir's and Flink's keyed jobs, and the raw loop, on one input: what keyed_count and window_sum share."""

import json
import subprocess
import sys

from harness import flink
from harness import plot as plotting
from harness.process import memory_mib
from harness.stage import BIN, Meter, median, weir_settings
from harness.throughput import show

TUNED_PRODUCER = ["--prod", "linger.ms=20", "--prod", "batch.size=262144"]
BACKENDS = ["rocksdb", "hashmap"]


def add_arguments(parser, keys):
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--records", type=int, default=10_000_000)
    parser.add_argument("--keys", type=int, default=keys)
    parser.add_argument("--flink-seconds", type=int, default=45,
                        help="how long Flink writes, of which the second half counts: its JVM is warm then")
    parser.add_argument("--backend", choices=BACKENDS, action="append", help="default: both")


class Job:
    """The same job of both engines."""

    def __init__(self, example, flink_job, arguments, flink_arguments, kind, output_records, output_bytes,
                 check_arguments):
        self.example = example                    # build/examples/NAME.so
        self.flink_job = flink_job                # the class
        self.arguments = arguments                # of the example
        self.flink_arguments = flink_arguments
        self.kind = kind                          # of the input, see bench-fill
        self.output_records = output_records
        self.output_bytes = output_bytes          # of a record, about
        self.check_arguments = check_arguments    # of bench-check


def measure(stage, args, job):
    source = stage.create_topic("in")
    print(f"filling {source} with {args.records:,} records of {args.keys:,} keys", flush=True)
    if stage.fill(source, args.records, kind=job.kind, keys=args.keys).wait() != 0:
        sys.exit("bench/run: the input topic couldn't be filled")
    contestants = [("raw loop", lambda: _raw_loop(stage, args, job, source))]
    for backend in args.backend or BACKENDS:
        contestants.append((f"Weir, {backend}",
                            lambda backend=backend: _weir(stage, args, job, source, backend)))
        if args.with_flink:
            contestants.append((f"Flink, {backend}",
                                lambda backend=backend: _flink(stage, args, job, source, backend)))
    _raw_loop(stage, args, job, source)  # warms up the broker
    for round_number in range(args.rounds):
        # The broker gets faster with all that it has done: who goes first changes.
        for name, run in contestants if round_number % 2 else reversed(contestants):
            yield {"name": name, "round": round_number, **run()}


def _raw_loop(stage, args, job, source):
    """Reads all of the input and writes as many bytes as the job, for each input one record."""
    target = stage.create_topic("out")
    settings = weir_settings()
    flags = [word for side in ("consumer", "producer") for setting in settings[side]
             for word in ("--" + side, setting)]
    with subprocess.Popen([f"{BIN}/bench-raw_loop", "--brokers", stage.brokers, "--in", source,
                           "--out", target, "--records", str(args.records),
                           "--bytes", str(job.output_bytes), *flags],
                          stdout=subprocess.PIPE, text=True) as process:
        meter = Meter(stage, target, args.records, watched=_watched(stage, process.pid)).wait()
        usage = json.load(process.stdout)
    stage.delete_topic(target)
    return {**_result(meter, 1), "peak_memory_mib": usage["memory_mib"]}


def _weir(stage, args, job, source, backend):
    target = stage.create_topic("out")
    stage.start_cluster(taskmanagers=1, slots=2, **{"execution.checkpointing.incremental": "true",
                                                    "taskmanager.memory.process.size": "3g"})
    pid = stage.pid("taskmanager-1")
    meter = Meter(stage, target, job.output_records, watched=_watched(stage, pid))
    job_id = stage.run_job(source, target, "1s", 2, "--state-backend", backend, *job.arguments,
                           example=job.example)
    meter.wait()
    result = {**_result(meter, args.records / job.output_records),
              **_checkpoints(stage.rest(f"/v1/jobs/{job_id}/checkpoints")),
              "peak_memory_mib": memory_mib(pid)}
    _check(stage, args, job, target, job.output_records)
    stage.stop_cluster()
    stage.delete_topic(target)
    return result


def _flink(stage, args, job, source, backend):
    target = stage.create_topic("out")
    with flink.Cluster(stage) as cluster:
        pid = cluster.taskmanager_pid()
        meter = Meter(stage, target, job.output_records, watched=_watched(stage, pid))
        job_id = cluster.run_job(source, target, "--state-backend", backend, *TUNED_PRODUCER,
                                 *job.flink_arguments, job=job.flink_job)
        meter.wait(enough=lambda samples: _seconds_of_output(samples) > args.flink_seconds)
        result = {**_result(meter, args.records / job.output_records, begin=0.5),
                  **_checkpoints(cluster.rest(f"/jobs/{job_id}/checkpoints")),
                  "peak_memory_mib": memory_mib(pid)}
    _check(stage, args, job, target, 0)
    stage.delete_topic(target)
    return result


def _seconds_of_output(samples):
    begin = next((time_s for time_s, records, _ in samples if records > 0), samples[-1][0])
    return samples[-1][0] - begin


def _watched(stage, pid):
    return {"engine": pid, "broker": stage.kafka_pid()}


def _result(meter, inputs_per_output, begin=0.2):
    """By records of the input, from where `begin` of what was seen in the end was visible."""
    span = meter.span(begin)
    seen = [(time_s, records) for time_s, records, _ in meter.samples if records > 0]
    return {"curve": [(round(time_s - seen[0][0], 2), round(records * inputs_per_output / 1e6, 4))
                      for time_s, records in seen],
            "records_per_second": span.records_per_second() * inputs_per_output,
            "cpu_s_per_million": span.cpu_s_per_million("engine") / inputs_per_output,
            "broker_cpu_s_per_million": span.cpu_s_per_million("broker") / inputs_per_output}


def _checkpoints(answer):
    durations = [c["end_to_end_duration"] for c in answer["history"] if c["status"] == "COMPLETED"]
    return {"checkpoint_ms_median": median(durations), "checkpoint_ms_max": max(durations)}


def _check(stage, args, job, target, records):
    answer = subprocess.run([f"{BIN}/bench-check", "--brokers", stage.brokers, "--topic", target,
                             "--records", str(records), "--input-records", str(args.records),
                             "--keys", str(args.keys), *job.check_arguments],
                            check=True, stdout=subprocess.PIPE, text=True)
    counts = json.loads(answer.stdout)
    if counts["wrong"] != 0 or counts["records"] < records:
        sys.exit(f"bench/run: {target} isn't exact, so the run is void: {counts}")


def plot(results, name, title):
    """Of each contestant its last round."""
    plotting.lines(name, title, "seconds since the first commit", "million records whose output is visible",
                   {result["name"]: result["curve"] for result in results})


def summary(results, targets):
    """targets: (Weir's name, Flink's name, times its rate, times less CPU)."""
    names = list(dict.fromkeys(result["name"] for result in results))
    medians = {name: {key: median([r[key] for r in results if r["name"] == name])
                      for key in next(r for r in results if r["name"] == name)
                      if key not in ("name", "round", "curve")}
               for name in names}
    lines = ["", "median of the rounds, all output exact:"]
    lines += ["  " + show({"name": name, **medians[name]}) for name in names]
    for weir, other, rate_target, cpu_target in [(weir, "raw loop", None, None)
                                                 for weir in names if weir.startswith("Weir")] + targets:
        if weir not in medians or other not in medians:
            continue
        rate = medians[weir]["records_per_second"] / medians[other]["records_per_second"]
        cpu = medians[other]["cpu_s_per_million"] / medians[weir]["cpu_s_per_million"]
        lines.append(f"  {weir} / {other}: {rate:.2f} × the rate" + _target(rate_target) +
                     f", {cpu:.2f} × less CPU per record" + _target(cpu_target))
    return "\n".join(lines)


def _target(value):
    return "" if value is None else f" (target {value})"
