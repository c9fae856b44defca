"""How long the output stands still when the TaskManager that runs the job is killed."""

import os
import signal
import subprocess
import sys
import time

from harness import flink
from harness.stage import BIN, median

RATE = 20_000
RUN_BEFORE_S = 6
RUN_AFTER_S = 6


def add_arguments(parser):
    parser.add_argument("--rounds", type=int, default=10)


def measure(stage, args):
    for round_number in range(args.rounds):
        yield {"name": "Weir", "round": round_number, **_weir(stage)}
    if args.with_flink:
        for round_number in range(args.rounds):
            yield {"name": "Flink, 1 s heartbeats", "round": round_number, **_flink(stage)}


def _weir(stage):
    stage.start_cluster(taskmanagers=1, slots=2,
                        **{"restart-strategy.type": "fixed-delay",
                           "restart-strategy.fixed-delay.attempts": 100,
                           "restart-strategy.fixed-delay.delay": "0 s"})

    def pid_of_the_busy_one(job):
        used = {subtask["taskmanager-id"] for vertex in stage.rest(f"/v1/jobs/{job}")["vertices"]
                for subtask in stage.rest(f"/v1/jobs/{job}/vertices/{vertex['id']}")["subtasks"]}
        if len(used) != 1:
            sys.exit(f"bench/run: the job runs on {used}, not on one TaskManager")
        return int(used.pop().split(":")[1].split("-")[0])  # host:pid-suffix

    def run_job(source, target):
        job = stage.run_job(source, target, "1s", 2)
        stage.add_taskmanager()  # stands by
        return job

    result = _kill_while_running(stage, run_job, pid_of_the_busy_one)
    stage.stop_cluster()
    return result


def _flink(stage):
    with flink.Cluster(stage, taskmanagers=2, short_heartbeats=True) as cluster:
        return _kill_while_running(stage, cluster.run_job, cluster.pid_of_the_busy_taskmanager)


def _kill_while_running(stage, run_job, pid_of_the_busy_one):
    source, target = stage.create_topic("in"), stage.create_topic("out")
    records = (RUN_BEFORE_S + RUN_AFTER_S) * RATE
    job = run_job(source, target)
    victim = pid_of_the_busy_one(job)
    seen = os.path.join(stage.folder, "arrivals")  # a pipe that nobody empties would hold the meter up
    with open(seen, "w") as file:
        arrivals = subprocess.Popen([f"{BIN}/bench-meter", "--brokers", stage.brokers, "--topic",
                                     target, "--mode", "arrivals", "--records", str(records)],
                                    stdout=file)
    fill = stage.fill(source, records, rate=RATE)
    time.sleep(RUN_BEFORE_S)  # the job runs as it does every day; then, in the middle of it:
    os.kill(victim, signal.SIGKILL)
    killed_ms = time.time() * 1000
    fill.wait()
    if arrivals.wait() != 0:
        sys.exit("bench/run: the output stayed incomplete")
    with open(seen) as file:
        lines = [[int(word) for word in line.split()] for line in file]
    stage.verify(source, target)
    # A record made after the kill can only have been written by the new attempt.
    seen_ms = next(time_ms for time_ms, created_ms in lines if created_ms > killed_ms)
    return {"seconds": (seen_ms - killed_ms) / 1000}


def show(result):
    return f"{result['name']:24} SIGKILL → first visible record made after it: {result['seconds']:.2f} s"


def summary(results):
    lines = ["", "median of the rounds:"]
    for name in dict.fromkeys(result["name"] for result in results):
        seconds = [r["seconds"] for r in results if r["name"] == name]
        lines.append(f"  {name}: {median(seconds):.2f} s ({min(seconds):.2f} … {max(seconds):.2f}); "
                     f"output exact each time")
    return "\n".join(lines)
