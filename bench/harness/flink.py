"""A real Apache Flink of the same machine, from Maven Central, with the same jobs."""

import contextlib
import glob
import json
import os
import re
import shutil
import socket
import subprocess
import tempfile
import urllib.error
import urllib.request

from harness.stage import ROOT, wait_for

SOURCES = os.path.join(ROOT, "bench", "flink")
CACHE = os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "weir",
                     "flink")
LOG4J = """rootLogger.level = INFO
rootLogger.appenderRef.file.ref = F
appender.file.name = F
appender.file.type = FILE
appender.file.fileName = ${sys:log.file}
appender.file.layout.type = PatternLayout
appender.file.layout.pattern = %d %-5p %c %m%n
"""


def milliseconds(duration):
    """ "1s" → "1000", as the Flink job takes it."""
    number, unit = re.fullmatch(r"(\d+)\s*(ms|s)", duration).groups()
    return str(int(number) * (1000 if unit == "s" else 1))


def _prepare():
    """Fetches Flink's jars and builds the jobs, once per machine and version of the sources."""
    if shutil.which("javac") is None:
        raise SystemExit("bench/run: --with-flink builds a Java job: apt-get install openjdk-17-jdk-headless")
    job = os.path.join(CACHE, "jobs.jar")
    sources = [os.path.join(SOURCES, "pom.xml")] + glob.glob(f"{SOURCES}/src/**/*.java", recursive=True)
    if os.path.exists(job) and all(os.path.getmtime(s) < os.path.getmtime(job) for s in sources):
        return job
    print("fetching Flink and building its jobs", flush=True)
    with tempfile.TemporaryDirectory() as build:
        maven = ["mvn", "-B", "-q", "-f", os.path.join(SOURCES, "pom.xml"), f"-Dbuild.folder={build}"]
        subprocess.run(maven + ["package", "dependency:copy-dependencies", "-DincludeScope=runtime",
                                f"-DoutputDirectory={CACHE}/lib"], check=True)
        shutil.copy(os.path.join(build, "jobs.jar"), job)
    return job


def _free_ports(count):
    with contextlib.ExitStack() as open_sockets:
        sockets = [open_sockets.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


class Cluster:
    """A JobManager and TaskManagers of two slots each, with Flink's defaults."""

    def __init__(self, stage, taskmanagers=1, short_heartbeats=False):
        self._stage = stage
        self._taskmanagers = taskmanagers
        self._short_heartbeats = short_heartbeats
        self._processes = {}

    def __enter__(self):
        self._job_jar = _prepare()
        try:
            self._start_all()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _start_all(self):
        self._folder = tempfile.mkdtemp(prefix="flink-", dir=self._stage.folder)
        self._rest_port, self._rpc_port = _free_ports(2)
        self._write_configuration()
        self._start("jobmanager",
                    "org.apache.flink.runtime.entrypoint.StandaloneSessionClusterEntrypoint",
                    "GET_JM_RESOURCE_PARAMS")
        for i in range(1, self._taskmanagers + 1):
            self._start(f"taskmanager-{i}", "org.apache.flink.runtime.taskexecutor.TaskManagerRunner",
                        "GET_TM_RESOURCE_PARAMS")
        wait_for(self._all_registered, 120, "the registration of Flink's TaskManagers")

    def __exit__(self, *_):
        for process in self._processes.values():
            process.kill()
        for process in self._processes.values():
            process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _write_configuration(self):
        heartbeat = {"interval": 1000, "timeout": 5000} if self._short_heartbeats else {}
        exports = ["java.rmi/sun.rmi.registry", "java.security.jgss/sun.security.krb5"]
        opens = ["lang", "net", "io", "nio", "text", "time", "util", "util.concurrent",
                 "util.concurrent.atomic", "util.concurrent.locks", "lang.reflect"]
        self._java_options = [f"--add-exports={name}=ALL-UNNAMED" for name in exports] + \
            [f"--add-opens=java.base/java.{name}=ALL-UNNAMED" for name in opens] + \
            ["--add-opens=java.base/sun.nio.ch=ALL-UNNAMED"]
        configuration = {
            "jobmanager": {"bind-host": "127.0.0.1", "rpc": {"address": "127.0.0.1", "port": self._rpc_port},
                           "memory": {"process": {"size": "1600m"}}},
            "taskmanager": {"bind-host": "127.0.0.1", "host": "127.0.0.1", "numberOfTaskSlots": 2,
                            "memory": {"process": {"size": "3g"}}},
            "parallelism": {"default": 2},
            "rest": {"address": "127.0.0.1", "bind-address": "127.0.0.1", "port": self._rest_port},
            "web": {"upload": {"dir": f"{self._folder}/upload"}},
            "io": {"tmp": {"dirs": f"{self._folder}/tmp"}},
            "restart-strategy": {"type": "fixed-delay", "fixed-delay": {"attempts": 100, "delay": "0 s"}},
            **({"heartbeat": heartbeat} if heartbeat else {})}
        for name in ("conf", "upload", "tmp", "log"):
            os.makedirs(os.path.join(self._folder, name))
        with open(f"{self._folder}/conf/config.yaml", "w") as file:
            json.dump(configuration, file)  # JSON is YAML
        with open(f"{self._folder}/conf/log4j.properties", "w") as file:
            file.write(LOG4J)

    def _java(self, main_class, *arguments, jvm=()):
        return ["java", *jvm, *self._java_options, "-cp", f"{CACHE}/lib/*", main_class, *arguments]

    def _start(self, name, main_class, resources_of):
        conf = f"{self._folder}/conf"
        answer = subprocess.run(
            self._java("org.apache.flink.runtime.util.bash.BashJavaUtils", resources_of,
                       "--configDir", conf), check=True, text=True, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL).stdout
        marker = "BASH_JAVA_UTILS_EXEC_RESULT:"
        jvm, dynamic = [line[len(marker):].split() for line in answer.splitlines()
                        if line.startswith(marker)]
        log = f"{self._folder}/log/{name}"
        with open(log + ".out", "w") as out:
            self._processes[name] = subprocess.Popen(
                self._java(main_class, "--configDir", conf, *dynamic,
                           jvm=[*jvm, f"-Dlog.file={log}.log",
                                f"-Dlog4j.configurationFile=file:{conf}/log4j.properties"]),
                stdout=out, stderr=out)

    def _all_registered(self):
        try:
            return self.rest("/overview")["taskmanagers"] == self._taskmanagers
        except OSError:
            return False

    def rest(self, path, body=None, method=None):
        request = urllib.request.Request(
            f"http://127.0.0.1:{self._rest_port}{path}", method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                return json.load(response)
        except urllib.error.HTTPError as error:
            raise OSError(f"Flink answers {path} with {error}: {error.read().decode()}") from None

    def run_job(self, source, target, *arguments, job="Processed"):
        uploaded = subprocess.run(
            ["curl", "-sf", "-X", "POST", "-F", f"jarfile=@{self._job_jar}",
             f"http://127.0.0.1:{self._rest_port}/jars/upload"], check=True, stdout=subprocess.PIPE)
        jar = os.path.basename(json.loads(uploaded.stdout)["filename"])
        return self.rest(f"/jars/{jar}/run", {
            "entryClass": f"bench.{job}", "parallelism": 2,
            "programArgsList": ["--brokers", self._stage.brokers, "--in", source, "--out", target,
                                "--checkpoints", f"file://{self._folder}/checkpoints",
                                *arguments]})["jobid"]

    def taskmanager_pid(self, number=1):
        return self._processes[f"taskmanager-{number}"].pid

    def pid_of_the_busy_taskmanager(self, job):
        used = set()

        def running():
            details = self.rest(f"/jobs/{job}")
            used.clear()
            for vertex in details["vertices"]:
                for subtask in self.rest(f"/jobs/{job}/vertices/{vertex['id']}")["subtasks"]:
                    used.add((subtask.get("taskmanager-id"), subtask["status"]))
            return used and all(status == "RUNNING" for _, status in used)

        wait_for(running, 60, "the start of Flink's job")
        if len(used) != 1:
            raise SystemExit(f"bench/run: Flink's job runs on {used}, not on one TaskManager")
        taskmanager = used.pop()[0]
        for name, process in self._processes.items():
            with open(f"{self._folder}/log/{name}.log") as log:
                if name.startswith("taskmanager") and taskmanager in log.read():
                    return process.pid
        raise SystemExit(f"bench/run: no TaskManager has the id {taskmanager}")
