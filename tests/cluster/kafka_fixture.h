#pragma once

// A real Apache Kafka for tests, started by deploy/kafka and read by clients that aren't Weir's.

#include <map>
#include <string>
#include <vector>

namespace weir::cluster_test {

// Empty if both have the same values equally often, in any order; else what `actual` has lost,
// repeated, or has besides, with examples: EXPECT_EQ(difference(written, read), "").
std::string difference(std::vector<std::string> expected, std::vector<std::string> actual);

// Brokers are numbered from 1. Every method throws std::runtime_error with the cause when Kafka
// doesn't do what was asked. The brokers end with this object, and with the test's process.
class KafkaFixture {
 public:
  // Starts brokers in a temporary folder; `settings` are theirs (message.max.bytes …), `host` is
  // the address they listen on. About 1.5 s.
  explicit KafkaFixture(int brokers = 1, const std::map<std::string, std::string>& settings = {},
                        const std::string& host = "127.0.0.1");
  ~KafkaFixture();
  KafkaFixture(const KafkaFixture&) = delete;
  KafkaFixture& operator=(const KafkaFixture&) = delete;

  // One broker for all tests of the program, started at the first call.
  static KafkaFixture& shared();

  const std::string& bootstrap() const { return bootstrap_; }

  // Creates a topic `<name>-<number>` that no other test has, and returns its name.
  std::string create_topic(const std::string& name, int partitions,
                           const std::map<std::string, std::string>& settings = {});

  // Writes the values in order, spread over the partitions; returns when all are acknowledged.
  void produce(const std::string& topic, const std::vector<std::string>& values);

  // All values that kcat finds from the beginning to the end, in order within each partition.
  // read_committed ends at the first open transaction of a partition.
  std::vector<std::string> read_committed(const std::string& topic);
  std::vector<std::string> read_uncommitted(const std::string& topic);

  // Transactional ids with this prefix whose transaction is not complete (Ongoing, PrepareCommit,
  // PrepareAbort …), as "id state", found by Kafka's own TransactionsCommand. About 1 s.
  std::vector<std::string> open_transactions(const std::string& prefix);

  // The broker that coordinates the transactions of this id, which must have been used before.
  int transaction_coordinator(const std::string& transactional_id);

  // Output of one of Kafka's tools, a class of org.apache.kafka.tools: tool("GetOffsetShell", {…}).
  std::string tool(const std::string& name, const std::vector<std::string>& arguments);

  void kill(int broker);     // SIGKILL
  void pause(int broker);    // SIGSTOP
  void resume(int broker);   // SIGCONT
  void restart(int broker);  // starts it again with its data; returns when it answers

 private:
  std::vector<std::string> read(const std::string& topic, const std::string& isolation_level);
  void signal(int broker, int number);

  std::string folder_;
  std::string bootstrap_;
};

}  // namespace weir::cluster_test
