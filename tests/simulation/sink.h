#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "connectors/kafka/sink/missing_markers.h"
#include "connectors/kafka/sink/recovery_plan.h"
#include "connectors/kafka/sink/transaction_pool.h"
#include "tests/simulation/kafka_client.h"
#include "tests/simulation/world.h"
#include "weir/sink.h"

namespace weir::simulation {

inline constexpr char kSinkUid[] = "out";
inline constexpr char kSourceUid[] = "in";

// The exactly-once sink around the real cores of connectors/kafka/sink, with the calls of
// weir/sink.h answered later instead of blocking. Each belongs to one task, committer or
// coordinator of one attempt; after close() it does nothing more.

class SimulatedWriter {
 public:
  SimulatedWriter(World& world, Process& process, uint64_t generation, int subtask);

  void open() { prepare_handle(); }
  bool writable() const;
  void write(int partition, OutputRecord record);
  // Nothing: what was written may be missing, the task must fail.
  void prepare_commit(std::function<void(std::optional<std::vector<Committable>>)> done);
  void release(const Committable& committable);
  // "<generation>:<subtask>:<slots used>"
  std::string snapshot() const;
  void close();
  // Only for tasks that are broken on purpose.
  void abort_prepared(const std::string& transactional_id);

 private:
  std::string id_of(int slot) const;
  void prepare_handle();

  World& world_;
  Process& process_;
  KafkaAdmin admin_;
  const uint64_t generation_;
  const int subtask_;
  kafka::TransactionPool pool_;
  std::map<int, std::unique_ptr<KafkaProducer>> handles_;  // by slot
  std::vector<std::unique_ptr<KafkaProducer>> dropped_;    // whose requests may be on their way
  int open_slot_ = -1;
  bool closed_ = false;
};

// Sees to it that readers see the end of decided transactions. Used by the two below.
class SimulatedMarkerWriter {
 public:
  using Done = std::function<void(bool ensured)>;  // false: not yet, ask again

  explicit SimulatedMarkerWriter(KafkaAdmin& admin) : admin_(admin) {}

  void ensure(std::vector<kafka::DecidedTransaction> transactions, std::vector<int> partitions,
              Done done);

 private:
  void write_next(std::vector<kafka::MissingMarker> left, Done done);

  KafkaAdmin& admin_;
};

// Commits from committables alone, until each is committed or lost.
class SimulatedCommitter {
 public:
  using Report = std::function<void(const Committable&, const CommitResult&)>;

  SimulatedCommitter(World& world, Process& process)
      : world_(world), process_(process), admin_(world, process) {}

  void commit(const Committable& committable, Report report);
  void close() { closed_ = true, admin_.close(); }

 private:
  void end(const Committable& committable, Report report, kafka::LeaderEpochs before);
  void wait_until_completed(const Committable& committable, Report report,
                            kafka::LeaderEpochs before);
  void close_lost(const Committable& committable, Report report,
                  const kafka::protocol::TransactionDescription& description,
                  const std::string& message);
  void ensure_markers(const Committable& committable, bool committed, Report report,
                      const std::string& message);
  void settle(const Committable& committable, Report report, CommitResult result);

  World& world_;
  Process& process_;
  KafkaAdmin admin_;
  SimulatedMarkerWriter markers_{admin_};
  bool closed_ = false;
};

class SimulatedSinkCoordinator {
 public:
  SimulatedSinkCoordinator(World& world, Process& process)
      : world_(world), process_(process), admin_(world, process), committer_(world, process) {}

  void validate(std::function<void(uint64_t generation_max)> done);
  void recover(SinkRecovery recovery, SimulatedCommitter::Report report,
               std::function<void()> done);
  void close();

 private:
  void commit_next(std::vector<Committable> left, SimulatedCommitter::Report report,
                   std::function<void()> done);
  void list_and_fence(bool idle_too, std::function<void()> done);
  // Fences in the order of production: looks, closes what was committed, fences, closes the rest.
  struct Fencing {
    std::vector<std::string> ids;
    std::vector<kafka::DecidedTransaction> committed;
    std::vector<kafka::DecidedTransaction> aborted;
    std::function<void()> done;
  };
  void look_next(std::shared_ptr<Fencing> fencing, size_t index);
  void fence_next(std::shared_ptr<Fencing> fencing, size_t index);
  void fence_by_end_transaction(std::shared_ptr<Fencing> fencing, size_t index);
  void ensure_closed(std::vector<kafka::DecidedTransaction> transactions,
                     std::function<void()> done);
  void sweep_later();

  World& world_;
  Process& process_;
  KafkaAdmin admin_;
  SimulatedMarkerWriter markers_{admin_};
  SimulatedCommitter committer_;
  kafka::RecoveryInput input_;
  bool closed_ = false;
};

}  // namespace weir::simulation
