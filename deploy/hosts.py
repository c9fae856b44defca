"""Hosts on one machine: each is a network namespace with an address of its own.

   jobmanager 198.18.7.254, bridge 198.18.7.1     what runs outside the hosts; Kafka, clients
        ────┬────────────┬────
         host-1        host-2                     veth pairs; a TaskManager in each
       198.18.7.2    198.18.7.3

The folder D of a cluster has its own bridge and subnet, so that several clusters run side by side.
D/hosts says "NAME ADDRESS NAMESPACE" of each, in lines. Links are cut by setting them down, single
directions by an nftables rule at the bridge, rates are limited by tbf. All names in the system are
made from D's path: what a killed run has left there is found by the next one.
"""

import fcntl
import hashlib
import ipaddress
import json
import os
import shutil
import subprocess

from processes import fail, read_file, write_file

# RFC 2544: addresses for tests of networks, which nobody routes.
SUBNETS = list(ipaddress.ip_network("198.18.0.0/15").subnets(new_prefix=24))
JOBMANAGER = "jobmanager"  # an address of its own, so that it can be cut off alone
BRIDGE = "bridge"
NAMESPACES = "/run/netns"
LOCK = "/run/weir-hosts.lock"  # two that start at once must not choose the same subnet


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        fail(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout


def try_to(*command):
    subprocess.run(command, capture_output=True)


class Hosts:
    def __init__(self, folder):
        self.file = folder.file("hosts")
        self.id = hashlib.sha256(folder.path.encode()).hexdigest()[:6]
        self.bridge = f"weir-{self.id}"
        self.lines = {}  # name → address, namespace
        if os.path.exists(self.file):
            self.lines = {name: (address, namespace) for name, address, namespace in
                          (line.split() for line in read_file(self.file).splitlines())}

    def names(self):
        return [name for name in self.lines if name.startswith("host-")]

    def address(self, name):
        if name not in self.lines:
            fail(f"no host {name}: {', '.join(self.lines) or 'the cluster was started without'}")
        return self.lines[name][0]

    def command(self, name, command):
        """The command line that runs `command` on the host."""
        return ["nsenter", f"--net={NAMESPACES}/{self.lines[name][1]}"] + command

    # --- There and away ---

    def create(self, count):
        if os.geteuid() != 0:
            fail("--hosts needs root: it makes network namespaces")
        for tool in ("ip", "tc", "nft", "nsenter"):
            if not shutil.which(tool):
                fail(f"no {tool} on the PATH: run deploy/setup")
        self.remove()
        with open(LOCK, "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            subnet = self.free_subnet()
            self.lines = {JOBMANAGER: (str(subnet[-2]), "-"), BRIDGE: (str(subnet[1]), "-")}
            self.save()
            run("ip", "link", "add", self.bridge, "type", "bridge")
            for address in (subnet[1], subnet[-2]):
                run("ip", "address", "add", f"{address}/24", "dev", self.bridge)
        run("ip", "link", "set", self.bridge, "up")
        run("nft", self.dropping_rules())
        for _ in range(count):
            self.add()

    def add(self):
        """One more host."""
        number = 1 + max((int(name.rpartition("-")[2]) for name in self.names()), default=0)
        namespace, link = f"{self.bridge}-{number}", self.link_of(number)
        address = ipaddress.ip_address(self.address(BRIDGE)) + number
        run("ip", "netns", "add", namespace)
        run("ip", "link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", namespace)
        run("ip", "-netns", namespace, "address", "add", f"{address}/24", "dev", "eth0")
        run("ip", "-netns", namespace, "link", "set", "lo", "up")
        run("ip", "-netns", namespace, "link", "set", "eth0", "up")
        run("ip", "link", "set", link, "master", self.bridge, "up")
        self.lines[f"host-{number}"] = (str(address), namespace)
        self.save()

    def save(self):
        write_file(self.file, "".join(f"{name} {address} {namespace}\n"
                                      for name, (address, namespace) in self.lines.items()))

    def remove(self):
        """Everything that a folder of this path may have in the system, also by halves. What runs
        on the hosts must have ended."""
        for namespace in os.listdir(NAMESPACES) if os.path.isdir(NAMESPACES) else []:
            number = namespace.removeprefix(self.bridge + "-")
            if number != namespace:
                # The namespace goes a little later than its name, and with it its end of the link.
                try_to("ip", "link", "delete", self.link_of(number))
                try_to("ip", "netns", "delete", namespace)
        try_to("ip", "link", "delete", self.bridge)
        try_to("nft", f"delete table bridge {self.bridge}")

    def link_of(self, number):
        return f"weir{self.id}-{number}"  # at most 15 bytes

    def free_subnet(self):
        taken = [ipaddress.ip_address(address["local"])
                 for link in json.loads(run("ip", "-json", "-4", "address", "show"))
                 for address in link["addr_info"]]
        first = int(self.id, 16)
        for i in range(len(SUBNETS)):
            subnet = SUBNETS[(first + i) % len(SUBNETS)]
            if not any(address in subnet for address in taken):
                return subnet
        fail(f"no subnet of {SUBNETS[0].supernet(new_prefix=15)} is free: stop other clusters")

    # --- Faults ---

    def dropping_rules(self):
        """Drops what the set says, on its way over the bridge and between it and this machine."""
        chains = "; ".join(
            f"add chain bridge {self.bridge} {hook} {{ type filter hook {hook} priority 0 ; }}; "
            f"add rule bridge {self.bridge} {hook} ip saddr . ip daddr @dropped drop"
            for hook in ("forward", "input", "output"))
        return (f"add table bridge {self.bridge}; add set bridge {self.bridge} dropped "
                f"{{ type ipv4_addr . ipv4_addr ; }}; {chains}")

    def drop(self, sender, receiver, dropped):
        run("nft", f"{'add' if dropped else 'delete'} element bridge {self.bridge} dropped "
                   f"{{ {self.address(sender)} . {self.address(receiver)} }}")

    def set_link(self, name, state):
        run("ip", "link", "set", self.link(name), state)

    def set_rate(self, name, rate):
        """Of each direction of the host's link: 20mbit, or unlimited."""
        for tc, device in ((["tc"], self.link(name)),
                           (["tc", "-netns", self.lines[name][1]], "eth0")):
            try_to(*tc, "qdisc", "delete", "dev", device, "root")
            if rate != "unlimited":
                run(*tc, "qdisc", "add", "dev", device, "root", "tbf", "rate", rate,
                    "burst", "64kb", "latency", "400ms")

    def link(self, name):
        if name not in self.names():
            fail(f"no host {name}: {', '.join(self.names()) or 'the cluster was started without'}")
        return self.link_of(int(name.rpartition("-")[2]))
