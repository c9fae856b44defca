#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>

#include "common/mutex.h"
#include "common/rpc/stream.h"
#include "jobmanager/job/taskmanager_gateway.h"

namespace weir {

// The streams of all registered TaskManagers. Thread-safe.
class TaskManagerConnections final : public TaskManagerGateway {
 public:
  using Connection = std::shared_ptr<rpc::Stream<pb::ToTaskManager>>;

  void add(const std::string& taskmanager, Connection connection) {
    MutexLock lock(mutex_);
    connections_[taskmanager] = std::move(connection);
  }
  void remove(const std::string& taskmanager) {
    MutexLock lock(mutex_);
    connections_.erase(taskmanager);
  }
  void send(const std::string& taskmanager, pb::ToTaskManager message) override {
    Connection connection;
    {
      MutexLock lock(mutex_);
      const auto it = connections_.find(taskmanager);
      if (it == connections_.end()) return;
      connection = it->second;
    }
    // If it fails the stream has ended, and that is reported by itself.
    (void)connection->send(std::move(message));
  }

 private:
  Mutex mutex_;
  std::map<std::string, Connection> connections_ WEIR_GUARDED_BY(mutex_);
};

}  // namespace weir
