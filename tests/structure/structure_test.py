#!/usr/bin/env python3
"""Plants each violation in a tree of its own: structure.py must find it, and nothing else."""

import os
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
import structure


class StructureTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = folder.name
        for protocol in structure.PROTOCOL_FOLDERS:
            self.plant(protocol + "/README.md", "How it works.")

    def plant(self, path, text):
        path = os.path.join(self.root, path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as file:
            file.write(text + "\n")

    def expect_refused(self, path, header):
        self.plant(path, f'#pragma once\n#include "{header}"')
        found = structure.violations(self.root)
        self.assertEqual(len(found), 1, found)
        self.assertTrue(found[0].startswith(f"{path}:2: includes {header}: "), found)

    def expect_allowed(self, path, header):
        self.plant(path, f"#include <{header}>")
        self.assertEqual(structure.violations(self.root), [])

    def test_a_lower_module_may_not_include_a_higher_one(self):
        self.expect_refused("common/config.cc", "jobmanager/plan/plan.h")

    def test_common_may_not_include_what_a_job_includes(self):
        self.expect_refused("common/config.cc", "weir/stream.h")

    def test_the_daemons_may_not_include_each_other(self):
        self.expect_refused("jobmanager/main.cc", "taskmanager/task/task.h")

    def test_the_other_daemon_neither(self):
        self.expect_refused("taskmanager/main.cc", "jobmanager/plan/plan.h")

    def test_a_connector_may_not_include_another(self):
        self.expect_refused("connectors/print/print_sink.cc", "connectors/kafka/kafka_sink.h")

    def test_librdkafka_stays_in_its_connector(self):
        self.expect_refused("cli/verify.cc", "librdkafka/rdkafka.h")

    def test_rocksdb_stays_in_the_state(self):
        self.expect_refused("taskmanager/task/task.cc", "rocksdb/db.h")

    def test_asio_stays_in_the_network(self):
        self.expect_refused("taskmanager/task/task.h", "boost/asio.hpp")

    def test_grpc_stays_in_the_servers(self):
        self.expect_refused("jobmanager/job/job_controller.h", "grpcpp/grpcpp.h")

    def test_generated_services_count_as_grpc(self):
        self.expect_refused("taskmanager/task/task.cc", "proto/gateway_service.grpc.pb.h")

    def test_abseil_stays_out_of_the_api(self):
        self.expect_refused("api/weir/stream.cc", "absl/status/status.h")

    def test_a_job_sees_no_other_module(self):
        self.expect_refused("api/weir/stream.h", "common/status.h")

    def test_a_test_may_include_what_the_module_may_not(self):
        self.expect_allowed("connectors/kafka/sink_test.cc", "tests/cluster/kafka_fixture.h")
        self.expect_refused("connectors/kafka/sink.cc", "tests/cluster/kafka_fixture.h")

    def test_what_is_allowed_passes(self):
        self.expect_allowed("common/config.cc", "proto/job_graph.pb.h")
        self.expect_allowed("connectors/kafka/sink.cc", "librdkafka/rdkafka.h")
        self.expect_allowed("connectors/kafka/sink.h", "weir/sink.h")
        self.expect_allowed("connectors/kafka/sink/writer.cc", "connectors/kafka/protocol/client.h")
        self.expect_allowed("jobmanager/server/gateway.cc", "grpcpp/grpcpp.h")
        self.expect_allowed("cli/run.cc", "jobmanager/local.h")
        self.expect_allowed("api/weir/stream.cc", "vector")

    def test_a_long_file_is_refused(self):
        self.plant("common/long.cc", "\n" * structure.MOST_LINES)
        self.assertEqual(len(structure.violations(self.root)), 1)

    def test_a_protocol_without_a_readme_is_refused(self):
        os.remove(os.path.join(self.root, "proto/README.md"))
        self.assertEqual(structure.violations(self.root),
                         ["proto: no README.md that explains its protocol"])


if __name__ == "__main__":
    unittest.main()
