"""What deploy/demo shows, on a machine that is set up."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

from processes import fail, read_file, wait_until

ROOT = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
DEPLOY = os.path.join(ROOT, "deploy")
BUILD = os.environ.get("WEIR_BUILD_DIR") or os.path.join(ROOT, "build")

RECORDS_PER_SECOND = 2000
CHECKPOINT_INTERVAL = "1s"
PATIENCE_S = 60  # for anything that is waited for

started = time.monotonic()


def say(text):
    print(f"{time.monotonic() - started:6.1f} s  {text}", flush=True)


def run(*command):
    """Output of a command that must succeed."""
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode != 0:
        last = (result.stderr.strip() or result.stdout.strip() or "no message").splitlines()[-1]
        fail(f"{' '.join(command[:2])} ended with {result.returncode}: {last}")
    return result.stdout


class Input(threading.Thread):
    """Writes numbered lines to a topic at a fixed rate, by kcat."""

    def __init__(self, brokers, topic):
        super().__init__(daemon=True)
        self.written = 0
        self.ended = threading.Event()
        self.kcat = subprocess.Popen(["kcat", "-P", "-b", brokers, "-t", topic],
                                     stdin=subprocess.PIPE, text=True)

    def run(self):
        start = time.monotonic()
        while not self.ended.wait(0.02):
            due = int((time.monotonic() - start) * RECORDS_PER_SECOND)
            self.kcat.stdin.write("".join(f"line-{i}\n" for i in range(self.written, due)))
            self.kcat.stdin.flush()
            self.written = due

    def finish(self):
        self.ended.set()
        self.join()
        self.kcat.stdin.close()
        if self.kcat.wait() != 0:
            fail("kcat could not write the input")


class Output(threading.Thread):
    """Reads a topic as read_committed, by kcat, while it grows."""

    def __init__(self, brokers, topic):
        super().__init__(daemon=True)
        self.count = 0
        self.newest = -1  # largest number of a line seen
        self.kcat = subprocess.Popen(
            ["kcat", "-C", "-u", "-q", "-b", brokers, "-t", topic, "-o", "beginning",
             "-X", "isolation.level=read_committed", "-X", "fetch.wait.max.ms=10"],
            stdout=subprocess.PIPE, text=True)

    def run(self):
        for line in self.kcat.stdout:
            self.count += 1
            self.newest = max(self.newest, int(line[len("processed_line-"):]))

    def finish(self):
        self.kcat.terminate()
        self.kcat.wait()


class Job:
    def __init__(self, rest, job_id):
        self.url = f"http://{rest}/v1/jobs/{job_id}"
        self.id = job_id

    def state(self):
        try:
            with urllib.request.urlopen(self.url, timeout=2) as answer:
                return json.load(answer)["state"]
        except (OSError, ValueError, KeyError):
            return "unknown: no JobManager answers"


def kill_and_watch(cluster, name, job, source, output, back):
    """Kills one process, calls back() to bring it back, and tells how the job recovers."""
    pid = int(read_file(os.path.join(cluster, "pids", name)))
    say(f"kill -9 {name} (pid {pid}); {source.written} records in, {output.count} visible")
    # A record that is written from now on can't be in a checkpoint of the attempt that dies here.
    first_after = source.written
    start = time.monotonic()
    os.kill(pid, signal.SIGKILL)
    returning = back()
    state = "RUNNING"
    while output.newest < first_after:
        if time.monotonic() - start > PATIENCE_S:
            fail(f"no new record is visible {PATIENCE_S} s after the kill: see {cluster}/log")
        now = job.state()
        if now != state:
            state = now
            say(f"    job is {state}, {time.monotonic() - start:.2f} s after the kill")
        time.sleep(0.005)
    say(f"    first record of the new attempt is visible, {time.monotonic() - start:.2f} s "
        "after the kill")
    if returning and returning.wait() != 0:
        fail(f"{name} did not come back: see {cluster}/log")


def flow(source, output, seconds):
    time.sleep(seconds)
    say(f"{source.written} records in, {output.count} visible")


def demonstrate(folder):
    kafka, cluster = os.path.join(folder, "kafka"), os.path.join(folder, "cluster")
    owner = f"--owner={os.getpid()}"
    weir = os.path.join(BUILD, "bin", "weir")

    brokers = run(f"{DEPLOY}/kafka", "start", "--dir", kafka, owner).strip()
    for topic in ("lines", "processed"):
        run(f"{DEPLOY}/kafka", "tool", "--dir", kafka, "TopicCommand", "--create", "--topic", topic,
            "--partitions", "3")
    say(f"Kafka answers at {brokers}")

    run(f"{DEPLOY}/cluster", "start", "--dir", cluster, "--taskmanagers", "2", "--slots", "2",
        owner)
    rest = read_file(os.path.join(cluster, "rest")).strip()
    os.environ["WEIR_CONF_DIR"] = os.path.join(cluster, "conf")
    say(f"a JobManager and 2 TaskManagers run, REST at http://{rest}")

    submitted = run(weir, "run", "-d", "-p", "2", os.path.join(BUILD, "examples", "processed.so"),
                    "--brokers", brokers, "--in", "lines", "--out", "processed", "--group", "demo",
                    "--transactional-id-prefix", "demo",
                    "--checkpoint-interval", CHECKPOINT_INTERVAL)
    job = Job(rest, re.search("JobID ([0-9a-f]{32})", submitted).group(1))
    if not wait_until(lambda: job.state() == "RUNNING", PATIENCE_S):
        fail(f"job {job.id} is {job.state()}: see {cluster}/log")
    say(f"job {job.id} is RUNNING: exactly-once, a checkpoint every {CHECKPOINT_INTERVAL}")

    source, output = Input(brokers, "lines"), Output(brokers, "processed")
    source.start()
    output.start()
    flow(source, output, 8)
    # The other TaskManager has the slots to go on alone.
    kill_and_watch(cluster, "taskmanager-1", job, source, output, lambda: None)
    run(f"{DEPLOY}/cluster", "restart", "--dir", cluster, "taskmanager-1")
    say("taskmanager-1 is started again")
    flow(source, output, 5)
    kill_and_watch(
        cluster, "jobmanager-1", job, source, output,
        lambda: subprocess.Popen(
            [f"{DEPLOY}/cluster", "restart", "--dir", cluster, "jobmanager-1"],
            stdout=subprocess.DEVNULL))
    flow(source, output, 5)
    source.finish()
    wait_until(lambda: output.count >= source.written, PATIENCE_S)
    run(weir, "stop", job.id)
    output.finish()
    say(f"job stopped; {source.written} records in, {output.count} visible")

    verify = [weir, "verify", "--brokers", brokers, "--in", "lines", "--out", "processed",
              "--map", "processed_{}"]
    say(" ".join(["weir"] + verify[1:]))
    verdict = subprocess.run(verify).returncode
    run(f"{DEPLOY}/cluster", "stop", "--dir", cluster)
    return verdict


def main():
    folder = tempfile.mkdtemp(prefix="weir-demo-")
    verdict = demonstrate(folder)
    if verdict == 0:
        shutil.rmtree(folder, ignore_errors=True)
        say("exactly-once, through both kills")
    else:
        say(f"NOT exactly-once: logs and data are in {folder}")
    return verdict


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
