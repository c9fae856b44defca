#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "common/mutex.h"
#include "taskmanager/network/buffer_pool.h"
#include "taskmanager/network/credit_ledger.h"

namespace weir {

// Where credits for a channel are sent: the connection that it comes by.
class CreditSink {
 public:
  virtual ~CreditSink() = default;
  // Any thread.
  virtual void grant(uint32_t channel, int credits) = 0;
};

// The channels of a gate that come from other TaskManagers: their buffers, and who may send how
// many.
//
// Thread-safe. Lives as long as the gate, or a connection with a channel of it.
class RemoteChannels final : public BufferQuota::Listener {
 public:
  // How many buffers it needs, and can use.
  static int least_buffers(int channels) { return channels * CreditLedger::kExclusive; }
  static int most_buffers(int channels) { return least_buffers(channels) + 8; }

  RemoteChannels(int channels, std::unique_ptr<BufferQuota> quota);

  int initial_credits() const { return CreditLedger::kExclusive; }
  // Channel `index` comes by `sink`, which calls it `channel`.
  void connect(int index, std::weak_ptr<CreditSink> sink, uint32_t channel);

  // For a buffer that comes on channel `index`, with so many waiting behind it; an error if the
  // sender had no credit for it.
  absl::StatusOr<Buffer> take_buffer(int index, int backlog);
  // Nothing more will come.
  void on_end(int index);

  void on_recycled(int index) override;

 private:
  struct Link {
    std::weak_ptr<CreditSink> sink;
    uint32_t channel = 0;
  };

  void grant(const CreditLedger::Grants& grants);

  const std::unique_ptr<BufferQuota> quota_;
  Mutex mutex_;
  CreditLedger ledger_ WEIR_GUARDED_BY(mutex_);
  std::vector<Link> links_ WEIR_GUARDED_BY(mutex_);
};

}  // namespace weir
