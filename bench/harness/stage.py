"""The servers of a measurement: a real Kafka and a cluster of real processes, in one folder."""

import atexit
import contextlib
import fcntl
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request

from harness.process import cpu_seconds

ROOT = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", ".."))
BUILD = os.environ.get("WEIR_BUILD_DIR") or os.path.join(ROOT, "build")
BIN = os.path.join(BUILD, "bin")
PARTITIONS = 4
# The broker shall not be what is measured: its JVM gets what a small production broker has.
KAFKA_ENVIRONMENT = {"KAFKA_HEAP_OPTS": "-Xms1g -Xmx1g",
                     "KAFKA_JVM_PERFORMANCE_OPTS": "-XX:+UseG1GC"}


@contextlib.contextmanager
def locked():
    """Only one measurement at a time on a machine."""
    with open(os.path.join(tempfile.gettempdir(), "weir-bench.lock"), "w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            sys.exit("bench/run: another measurement is running on this machine")
        yield


class Stage:
    """Kafka, topics, and Weir clusters. Everything it started ends with it."""

    def __init__(self, folder=None):
        self._temporary = folder is None
        self.folder = folder or tempfile.mkdtemp(prefix="weir-bench-")
        self._topics = 0

    def __enter__(self):
        print(f"servers in {self.folder}", flush=True)
        self._deploy("kafka", "start", environment=KAFKA_ENVIRONMENT)
        with open(os.path.join(self.folder, "kafka", "bootstrap")) as file:
            self.brokers = file.read().strip()
        return self

    def __exit__(self, *_):
        if os.path.exists(os.path.join(self.folder, "cluster")):
            self.stop_cluster()
        self._deploy("kafka", "stop")
        if self._temporary:
            shutil.rmtree(self.folder, ignore_errors=True)

    def _deploy(self, what, verb, *arguments, environment=None):
        subprocess.run([os.path.join(ROOT, "deploy", what), verb, "--dir",
                        os.path.join(self.folder, what), *arguments],
                       check=True, stdout=subprocess.DEVNULL,
                       env={**os.environ, **(environment or {})})

    # --- Kafka ---

    def kafka_pid(self):
        return self._pid("kafka", "kafka-1")

    def create_topic(self, name):
        """A new topic under a name that is only used once. Old event times are kept."""
        self._topics += 1
        topic = f"{name}-{os.getpid()}-{self._topics}"
        self._tool("TopicCommand", "--create", "--topic", topic, "--partitions", str(PARTITIONS),
                   "--config", "retention.ms=-1")
        return topic

    def delete_topic(self, topic):
        self._tool("TopicCommand", "--delete", "--topic", topic)

    def _tool(self, *arguments):
        subprocess.run([os.path.join(ROOT, "deploy", "kafka"), "tool", "--dir",
                        os.path.join(self.folder, "kafka"), *arguments],
                       check=True, stdout=subprocess.DEVNULL)

    def fill(self, topic, records, rate=0, first=0, kind="lines", keys=1):
        return subprocess.Popen([f"{BIN}/bench-fill", "--brokers", self.brokers, "--topic", topic,
                                 "--records", str(records), "--rate", str(rate),
                                 "--first", str(first), "--kind", kind, "--keys", str(keys)])

    def verify(self, source, target):
        """Lost, repeated and strange records, by `weir verify`; ends the run unless all are 0."""
        answer = subprocess.run([f"{BIN}/weir", "verify", "--brokers", self.brokers, "--in", source,
                                 "--out", target, "--map", "processed_{}", "-o", "json"],
                                stdout=subprocess.PIPE, text=True)
        counts = json.loads(answer.stdout)
        if answer.returncode != 0:
            sys.exit(f"bench/run: {target} isn't exact, so the run is void: {counts}")
        return counts

    # --- Weir ---

    def start_cluster(self, taskmanagers=1, slots=2, **configuration):
        self._deploy("cluster", "start", "--taskmanagers", str(taskmanagers), "--slots", str(slots),
                     *[f"-D{key}={value}" for key, value in configuration.items()])

    def add_taskmanager(self):
        self._deploy("cluster", "add", "taskmanager")

    def stop_cluster(self):
        self._deploy("cluster", "stop")
        shutil.rmtree(os.path.join(self.folder, "cluster"), ignore_errors=True)

    def pid(self, name):
        return self._pid("cluster", name)

    def _pid(self, what, name):
        with open(os.path.join(self.folder, what, "pids", name)) as file:
            return int(file.read())

    def weir(self, *arguments, check=True):
        return subprocess.run([f"{BIN}/weir", *arguments], check=check, text=True,
                              stdout=subprocess.PIPE,
                              env={**os.environ,
                                   "WEIR_CONF_DIR": os.path.join(self.folder, "cluster", "conf")})

    def run_job(self, source, target, interval="1s", parallelism=2, *arguments, example="processed"):
        """Submits one of the examples and returns its id."""
        answer = self.weir("run", "-d", "-p", str(parallelism), f"{BUILD}/examples/{example}.so",
                           "--brokers", self.brokers, "--in", source, "--out", target,
                           "--group", target, "--transactional-id-prefix", target,
                           "--checkpoint-interval", interval, *arguments)
        return answer.stdout.split("JobID")[1].split()[0]

    def cancel_job(self, job):
        self.weir("cancel", job)

    def rest(self, path):
        with open(os.path.join(self.folder, "cluster", "rest")) as file:
            address = file.read().strip()
        if not address.startswith("http"):
            address = "http://" + address
        with urllib.request.urlopen(address + path, timeout=10) as response:
            return json.load(response)


class Meter:
    """How many records of a topic a read_committed reader sees over time, and what CPU time the processes of
    `watched` (name → pid) had used by then."""

    def __init__(self, stage, topic, records, timeout_s=600, watched=None):
        self.samples = []  # (wall clock in s, visible records, CPU seconds by name)
        self._watched = watched or {}
        self._process = subprocess.Popen(
            [f"{BIN}/bench-meter", "--brokers", stage.brokers, "--topic", topic, "--mode", "progress",
             "--records", str(records), "--timeout-s", str(timeout_s)],
            stdout=subprocess.PIPE, text=True)
        atexit.register(self._process.kill)

    def wait(self, enough=lambda samples: False):
        """Until all records are visible, or enough(samples)."""
        for line in self._process.stdout:
            time_ms, visible = line.split()
            self.samples.append((int(time_ms) / 1000, int(visible),
                                 {name: cpu_seconds(pid) for name, pid in self._watched.items()}))
            if enough(self.samples):
                self.stop()
                return self
        if self._process.wait() != 0:
            sys.exit("bench/run: the output stayed incomplete")
        return self

    def stop(self):
        self._process.terminate()
        self._process.wait()

    def span(self, begin=0.2, end=0.9):
        """From the first commit past `begin` of the records that became visible to the last before `end`."""
        seen = self.samples[-1][1]
        return Span([s for s in self.samples if begin * seen <= s[1] <= end * seen])


class Span:
    """What happened from the first sample of a Meter to the last."""

    def __init__(self, samples):
        if len(samples) < 2:
            sys.exit("bench/run: too few commits to tell a rate: give more --records")
        self.begin, self.end = samples[0], samples[-1]
        self.records = self.end[1] - self.begin[1]

    def records_per_second(self):
        return self.records / (self.end[0] - self.begin[0])

    def cpu_s_per_million(self, name):
        return (self.end[2][name] - self.begin[2][name]) / (self.records / 1e6)


def weir_settings():
    """The librdkafka settings that Weir's source and sink use by default."""
    answer = subprocess.run([f"{BIN}/bench-settings"], check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(answer.stdout)


def median(values):
    ordered = sorted(values)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


def wait_for(condition, timeout_s, what):
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            sys.exit(f"bench/run: {what} didn't happen within {timeout_s} s")
        time.sleep(0.02)
