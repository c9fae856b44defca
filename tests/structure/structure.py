#!/usr/bin/env python3
"""structure.py ROOT: checks that the source tree keeps its own rules, one line for each violation.

Includes point one way:
  proto <- common <- api <- {connectors, jobmanager, taskmanager} <- {cli, examples, tests, bench}
"""

import os
import re
import sys

LAYERS = {"proto": 0, "common": 1, "api": 2, "connectors": 3, "jobmanager": 3, "taskmanager": 3,
          "cli": 4, "examples": 4, "tests": 4, "bench": 4}

# A library, by what its headers are called, and the only places that may include them.
CONFINED = [
    ("librdkafka", r"librdkafka/", r"(connectors/kafka|tests|bench)/"),
    ("RocksDB", r"rocksdb/", r"taskmanager/state/"),
    ("Boost.Asio", r"boost/asio", r"taskmanager/network/"),
    ("gRPC", r"(grpc|grpcpp)/|.*\.grpc\.pb\.h$", r"(common/rpc|cli|tests|[^/]+/server)/"),
]

# Folders whose code is a protocol; each explains it in a README.md.
PROTOCOL_FOLDERS = ["proto", "connectors/kafka/protocol", "connectors/kafka/sink", "jobmanager",
                    "jobmanager/checkpoint", "jobmanager/recover", "jobmanager/rest", "taskmanager",
                    "taskmanager/network", "taskmanager/state", "tests/simulation"]

MOST_LINES = 700
INCLUDE = re.compile(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]')


def source_files(root):
    for module in sorted(LAYERS):
        for folder, _, names in os.walk(os.path.join(root, module)):
            for name in sorted(names):
                if name.endswith((".h", ".cc", ".c", ".proto", ".py")):
                    yield os.path.relpath(os.path.join(folder, name), root)


def module_of(header):
    """The module that an included path belongs to, None for a library; weir/x.h is api/weir/x.h."""
    first = header.split("/")[0]
    if "/" not in header:
        return None
    return "api" if first == "weir" else first if first in LAYERS else None


def connector_of(path):
    return re.match(r"connectors/[^/]+/|", path).group()


def why_not(path, header):
    """Why the file may not include the header; None if it may."""
    for library, headers, places in CONFINED:
        if re.match(headers, header) and not re.match(places, path):
            return f"{library} stays out of here"
    if path.startswith("api/weir/") and header.startswith("absl/"):
        return "a job must build without Abseil"
    ours, theirs = path.split("/")[0], module_of(header)
    if theirs == ours and connector_of(path) != connector_of(header):
        return "a connector doesn't know another one"
    if theirs is None or theirs == ours:
        return None
    if path.endswith("_test.cc") and theirs == "tests":
        return None
    if path.startswith("api/weir/") and path.endswith(".h"):
        return "a job sees nothing but weir/"
    if LAYERS[theirs] >= LAYERS[ours]:
        return f"{ours}/ must not know {theirs}/"
    return None


def violations(root):
    found = []
    for path in source_files(root):
        with open(os.path.join(root, path), encoding="utf-8") as file:
            lines = file.readlines()
        if len(lines) > MOST_LINES:
            found.append(f"{path}: {len(lines)} lines, more than {MOST_LINES}: divide it")
        for number, line in enumerate(lines, 1):
            include = INCLUDE.match(line)
            reason = include and why_not(path, include.group(1))
            if reason:
                found.append(f"{path}:{number}: includes {include.group(1)}: {reason}")
    for folder in PROTOCOL_FOLDERS:
        if not os.path.exists(os.path.join(root, folder, "README.md")):
            found.append(f"{folder}: no README.md that explains its protocol")
    return found


if __name__ == "__main__":
    broken = violations(sys.argv[1])
    print("\n".join(broken) or "the tree keeps its rules")
    sys.exit(1 if broken else 0)
