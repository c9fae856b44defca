"""Daemons of one folder: started in the background, found again by their pid files, stopped.

A folder D holds pids/NAME and log/NAME.log for each daemon. A pid file counts only while its
process lives and has the folder in its command line, so a pid that the system gave to somebody
else is never signalled.
"""

import os
import random
import signal
import socket
import subprocess
import sys
import time


def fail(message):
    """Ends the program with one line that names it."""
    sys.exit(f"deploy/{os.path.basename(sys.argv[0]).removesuffix('.py')}: {message}")


def free_ports(count, address="127.0.0.1", besides=()):
    """Ports of the address that nobody listens on, below the range of outgoing connections: a client
    that reconnects to a dead server's port can't take the port, or meet itself on it."""
    ports = []
    while len(ports) < count:
        port = random.randint(20000, 32000)
        if port not in ports and port not in besides and port_is_free(port, address):
            ports.append(port)
    return ports


def port_is_free(port, address="127.0.0.1"):
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((address, port))
        except OSError:
            return False
    return True


def wait_until(condition, timeout_s, interval_s=0.05):
    """The first true result of condition(), or its last one when the time is over."""
    deadline = time.monotonic() + timeout_s
    while True:
        result = condition()
        if result or time.monotonic() > deadline:
            return result
        time.sleep(interval_s)


def write_file(path, text):
    """Replaces the file at once, so that a reader never sees half of it."""
    with open(path + ".new", "w") as file:
        file.write(text)
    os.rename(path + ".new", path)


def read_file(path):
    with open(path) as file:
        return file.read()


class Folder:
    def __init__(self, path):
        self.path = os.path.abspath(path)

    def make(self, *subfolders):
        for name in ("pids", "log") + subfolders:
            os.makedirs(self.file(name), exist_ok=True)

    def file(self, *parts):
        return os.path.join(self.path, *parts)

    def log(self, name):
        return self.file("log", name + ".log")

    def names(self):
        """Names of all daemons ever started here and not stopped, dead ones too."""
        pids = self.file("pids")
        return sorted(os.listdir(pids), key=natural) if os.path.isdir(pids) else []

    def pid(self, name):
        """Pid of the daemon if it runs, else None."""
        try:
            pid = int(read_file(self.file("pids", name)))
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                return pid if self.path.encode() in file.read() else None
        except (OSError, ValueError):
            return None

    def start(self, name, command):
        """Starts the daemon with the caller's environment, in a session of its own."""
        with open(self.log(name), "ab") as log:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                       start_new_session=True)
        write_file(self.file("pids", name), f"{process.pid}\n")
        return process

    def stop(self, names, timeout_s=20):
        """SIGTERM, also to one that is stopped by SIGSTOP; SIGKILL to what doesn't end in time."""
        running = [(name, self.pid(name)) for name in names]
        running = [(name, pid) for name, pid in running if pid]
        for _, pid in running:
            signal_quietly(pid, signal.SIGTERM)
            signal_quietly(pid, signal.SIGCONT)
        wait_until(lambda: not any(self.pid(name) for name, _ in running), timeout_s)
        for name, pid in running:
            if self.pid(name):
                print(f"{name} did not end within {timeout_s} s of SIGTERM: killed")
                signal_quietly(pid, signal.SIGKILL)
        wait_until(lambda: not any(self.pid(name) for name, _ in running), timeout_s)
        for name in names:
            if os.path.exists(self.file("pids", name)):
                os.remove(self.file("pids", name))

    def stop_with(self, owner_pid, then=None):
        """Kills every daemon as soon as the process owner_pid is gone, however it went; calls
        `then` afterwards."""
        owner = os.pidfd_open(owner_pid)
        if os.fork():
            os.close(owner)
            return
        os.setsid()
        null = os.open(os.devnull, os.O_RDWR)
        for descriptor in (0, 1, 2):
            os.dup2(null, descriptor)
        import select
        select.select([owner], [], [])
        for name in self.names():
            pid = self.pid(name)
            if pid:
                signal_quietly(pid, signal.SIGKILL)
        if then:
            then()
        os._exit(0)

    def last_words(self, name):
        """The last line of the daemon's log that reads like an error, to be shown to the user."""
        try:
            lines = read_file(self.log(name)).splitlines()[-200:]
        except OSError:
            return "no log"
        told = [line for line in lines if "rror" in line or "xception" in line or "FATAL" in line]
        return (told or lines or ["empty log"])[-1].strip()


def natural(name):
    stem, _, number = name.rpartition("-")
    return (stem, int(number)) if number.isdigit() else (name, 0)


def signal_quietly(pid, number):
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass
