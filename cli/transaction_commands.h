// `weir transactions`: reads and mends by hand what a sink wrote to Kafka.
#pragma once

#include <map>
#include <string>

#include "absl/status/status.h"
#include "cli/jobmanager_client.h"
#include "cli/options.h"
#include "proto/ledger.pb.h"

namespace weir::cli {

// How to reach the brokers: librdkafka's property names.
struct KafkaOptions {
  std::map<std::string, std::string> properties;
};

// What the job's ledger knows of its transactions, oldest first.
absl::Status list_job_transactions(JobManagerClient& client, const ClientOptions& options,
                                   const std::string& job_id);
// What the brokers know of all transactional ids that begin with `prefix` and ':' ("": of all ids).
absl::Status list_broker_transactions(const KafkaOptions& kafka, const std::string& prefix);

// One transaction of the ledger beside what its coordinator says, if brokers are given.
absl::Status show_transaction(JobManagerClient& client, const ClientOptions& options,
                              const KafkaOptions& kafka, const std::string& job_id,
                              const std::string& transaction);
// EndTxn from the committable, as the sink itself does it. Recorded in the ledger.
absl::Status commit_transaction(JobManagerClient& client, const KafkaOptions& kafka,
                                const std::string& job_id, const std::string& transaction);
// Fences the transactional id, which aborts what is open under it. Recorded in the ledger. Refused
// unless the transaction is the one open under its id.
absl::Status abort_transaction(JobManagerClient& client, const KafkaOptions& kafka,
                               const std::string& job_id, const std::string& transaction);

}  // namespace weir::cli
