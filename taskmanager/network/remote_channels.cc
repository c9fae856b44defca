#include "taskmanager/network/remote_channels.h"

#include <utility>

#include "common/check.h"

namespace weir {

RemoteChannels::RemoteChannels(int channels, std::unique_ptr<BufferQuota> quota)
    : quota_(std::move(quota)), ledger_(channels, quota_->size()), links_(channels) {}

void RemoteChannels::connect(int index, std::weak_ptr<CreditSink> sink, uint32_t channel) {
  MutexLock lock(mutex_);
  links_[index] = {std::move(sink), channel};
}

absl::StatusOr<Buffer> RemoteChannels::take_buffer(int index, int backlog) {
  Buffer buffer;
  CreditLedger::Grants grants;
  {
    MutexLock lock(mutex_);
    if (!ledger_.has_credit(index)) {
      return absl::DataLossError("a buffer came that no credit was given for");
    }
    buffer = quota_->try_take(index);
    grants = ledger_.on_buffer(index, backlog);
  }
  WEIR_CHECK(buffer) << "credit was given for more than " << quota_->size() << " buffers";
  grant(grants);
  return buffer;
}

void RemoteChannels::on_end(int index) {
  CreditLedger::Grants grants;
  {
    MutexLock lock(mutex_);
    grants = ledger_.on_end(index);
  }
  grant(grants);
}

void RemoteChannels::on_recycled(int index) {
  CreditLedger::Grants grants;
  {
    MutexLock lock(mutex_);
    grants = ledger_.on_recycled(index);
  }
  grant(grants);
}

void RemoteChannels::grant(const CreditLedger::Grants& grants) {
  for (const CreditLedger::Grant& grant : grants) {
    Link link;
    {
      MutexLock lock(mutex_);
      link = links_[grant.channel];
    }
    if (const auto sink = link.sink.lock()) sink->grant(link.channel, grant.credits);
  }
}

}  // namespace weir
