// Random interleavings of records, barriers in their order and ahead of it, timeouts, aborts and
// ends of channels. Whatever happens: what the snapshot's state has seen of a channel, and then
// what was recorded of it, are the records that were sent before the barrier, each once, in order.

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <map>
#include <numeric>
#include <optional>
#include <random>
#include <variant>
#include <vector>

#include "taskmanager/task/barrier_aligner.h"

namespace weir {
namespace {

using Kind = BarrierAligner::Channel;

struct Barrier {
  CheckpointId checkpoint;
  std::vector<int> overtaken = {};
};
struct End {};
using Item = std::variant<int, Barrier, End>;  // a record is its number in the channel

// A channel with its sender.
class ModelChannel {
 public:
  explicit ModelChannel(Kind kind) : kind_(kind) {}

  Kind kind() const { return kind_; }
  bool ended() const { return ended_; }
  bool empty() const { return ahead_.empty() && items_.empty(); }
  bool has_ahead() const { return !ahead_.empty(); }
  int sent() const { return sent_; }

  void send_record() { items_.push_back(sent_++); }
  void send_end() {
    ended_ = true;
    items_.push_back(End{});
  }
  void send_barrier(CheckpointId checkpoint, bool ahead) {
    items_.push_back(Barrier{checkpoint});
    if (ahead) overtake(checkpoint);
  }
  // Sends the barrier ahead of what waits; one that is gone already is sent again.
  void overtake(CheckpointId checkpoint) {
    if (kind_ == Kind::kInOrder) return;
    Barrier barrier{checkpoint};
    const auto found = std::find_if(items_.begin(), items_.end(), [&](const Item& item) {
      const Barrier* waiting = std::get_if<Barrier>(&item);
      return waiting && waiting->checkpoint == checkpoint;
    });
    if (found != items_.end()) {
      for (auto item = items_.begin(); item != found; ++item) {
        if (const int* record = std::get_if<int>(&*item)) barrier.overtaken.push_back(*record);
      }
      items_.erase(found);
    }
    ahead_.push_back(barrier);
  }

  Barrier take_ahead() {
    const Barrier barrier = ahead_.front();
    ahead_.pop_front();
    return barrier;
  }
  Item take() {
    const Item item = items_.front();
    items_.pop_front();
    return item;
  }

 private:
  const Kind kind_;
  bool ended_ = false;
  int sent_ = 0;
  std::deque<Item> items_;
  std::deque<Barrier> ahead_;
};

class Model {
 public:
  explicit Model(uint64_t seed) : random_(seed), aligner_(make_channels(), Mode::kExactlyOnce) {}

  void run() {
    for (int i = 0; i < 600; ++i) step();
    finish_checkpoint();
    EXPECT_TRUE(aborts_ > 0 || completed_ > 0);
  }
  int completed() const { return completed_; }
  int unaligned() const { return unaligned_; }

 private:
  using Mode = BarrierAligner::Mode;
  enum class Way { kAligned, kTimeout, kAhead };
  struct Taken {
    std::vector<int> processed;
    bool unaligned = false;
  };

  int below(int bound) { return std::uniform_int_distribution<int>(0, bound - 1)(random_); }
  int count() const { return static_cast<int>(channels_.size()); }

  std::vector<Kind> make_channels() {
    std::vector<Kind> kinds;
    const int channels = 1 + below(4);
    for (int i = 0; i < channels; ++i) {
      kinds.push_back(below(5) == 0 ? Kind::kInOrder : Kind::kOvertakable);
      channels_.emplace_back(kinds.back());
    }
    processed_.resize(channels);
    recorded_.resize(channels);
    return kinds;
  }

  void step() {
    switch (below(12)) {
      case 0:
        if (!current_) begin_checkpoint();
        break;
      case 1:
      case 2:
        send_some_barrier();
        break;
      case 3:
        if (current_ && way_ == Way::kTimeout) time_out();
        break;
      case 4:
        if (current_ && below(6) == 0) abort();
        break;
      case 5:
        if (below(100) == 0) end_some_channel();
        break;
      case 6:
      case 7:
      case 8: {
        ModelChannel& channel = channels_[below(count())];
        if (!channel.ended()) channel.send_record();
        break;
      }
      default:
        poll();
    }
  }

  void begin_checkpoint() {
    current_ = CheckpointId(++last_id_);
    way_ = static_cast<Way>(below(3));
    timed_out_ = false;
    sent_before_.assign(count(), std::nullopt);
  }
  void send_some_barrier() {
    if (!current_) return;
    const int c = below(count());
    if (sent_before_[c] || channels_[c].ended()) return;
    sent_before_[c] = channels_[c].sent();
    channels_[c].send_barrier(*current_, way_ == Way::kAhead || timed_out_);
  }
  // At the senders, at the reader, or both.
  void time_out() {
    timed_out_ = true;
    for (int c = 0; c < count(); ++c) {
      if (sent_before_[c] && below(2) == 0) channels_[c].overtake(*current_);
    }
    if (below(2) == 0) execute(aligner_.on_timeout(*current_));
  }
  void abort() {
    if (below(2) == 0) execute(aligner_.on_abort(*current_));
    forget();
    ++aborts_;
  }
  void forget() {
    current_.reset();
    taken_.reset();
    for (auto& records : recorded_) records.clear();
  }
  void end_some_channel() {
    ModelChannel& channel = channels_[below(count())];
    if (!channel.ended()) channel.send_end();
  }

  bool poll() {
    for (int c = 0; c < count(); ++c) {
      if (!channels_[c].has_ahead()) continue;
      const Barrier barrier = channels_[c].take_ahead();
      on_barrier(c, barrier, true);
      return true;
    }
    std::vector<int> readable;
    for (int c = 0; c < count(); ++c) {
      if (!channels_[c].empty() && !aligner_.blocked(c)) readable.push_back(c);
    }
    if (readable.empty()) return false;
    const int c = readable[below(static_cast<int>(readable.size()))];
    const Item item = channels_[c].take();
    if (const int* record = std::get_if<int>(&item)) {
      EXPECT_EQ(processed_[c], *record);
      if (current_ && aligner_.records(c) == current_) recorded_[c].push_back(*record);
      ++processed_[c];
    } else if (const Barrier* barrier = std::get_if<Barrier>(&item)) {
      on_barrier(c, *barrier, false);
    } else {
      ++closed_;
      execute(aligner_.on_end_of_channel(c));
    }
    return true;
  }
  void on_barrier(int c, const Barrier& barrier, bool ahead) {
    const BarrierAligner::Decision decision = aligner_.on_barrier(c, barrier.checkpoint, ahead);
    if (decision.accepted && ahead && barrier.checkpoint == current_) {
      recorded_[c].insert(recorded_[c].end(), barrier.overtaken.begin(), barrier.overtaken.end());
    }
    execute(decision);
  }

  void execute(const BarrierAligner::Decision& decision) {
    for (const CheckpointId aborted : decision.aborted) {
      if (aborted == current_) forget();
    }
    if (decision.taken && decision.taken == current_) {
      taken_ = Taken{processed_, decision.unaligned};
      unaligned_ += decision.unaligned;
      if (decision.unaligned) {
        for (int c = 0; c < count(); ++c) {
          if (aligner_.records(c) == current_ && sent_before_[c]) channels_[c].overtake(*current_);
        }
      } else {
        complete();
      }
    }
    if (decision.recorded && decision.recorded == current_) complete();
  }

  void complete() {
    ASSERT_TRUE(taken_);
    for (int c = 0; c < count(); ++c) {
      std::vector<int> seen(taken_->processed[c]);
      std::iota(seen.begin(), seen.end(), 0);
      seen.insert(seen.end(), recorded_[c].begin(), recorded_[c].end());
      std::vector<int> expected(sent_before_[c].value_or(channels_[c].sent()));
      std::iota(expected.begin(), expected.end(), 0);
      EXPECT_EQ(seen, expected) << "channel " << c << " of checkpoint " << *current_;
    }
    ++completed_;
    forget();
  }

  // All barriers sent and read: it comes to its end.
  void finish_checkpoint() {
    if (!current_) begin_checkpoint();
    for (int c = 0; c < count(); ++c) {
      if (sent_before_[c] || channels_[c].ended()) continue;
      sent_before_[c] = channels_[c].sent();
      channels_[c].send_barrier(*current_, way_ == Way::kAhead || timed_out_);
    }
    const int before = completed_;
    while (poll()) {
    }
    EXPECT_EQ(completed_, closed_ < count() ? before + 1 : completed_);
  }

  std::mt19937_64 random_;
  std::vector<ModelChannel> channels_;
  int64_t last_id_ = 0;
  std::optional<CheckpointId> current_;
  Way way_ = Way::kAligned;
  bool timed_out_ = false;
  std::vector<std::optional<int>> sent_before_;  // by channel: records before the barrier
  std::vector<int> processed_;                   // by channel
  int closed_ = 0;                               // channels that have ended
  std::optional<Taken> taken_;
  std::vector<std::vector<int>> recorded_;  // by channel
  int aborts_ = 0;
  int completed_ = 0;
  int unaligned_ = 0;
  BarrierAligner aligner_;  // last: its channels are made with the model's
};

TEST(BarrierAlignerRandomTest, StateAndRecordsInFlightAreWhatWasSentBeforeTheBarriers) {
  int completed = 0;
  int unaligned = 0;
  for (uint64_t seed = 0; seed < 3000; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    Model model(seed);
    model.run();
    completed += model.completed();
    unaligned += model.unaligned();
    if (testing::Test::HasFailure()) return;
  }
  EXPECT_GT(completed, 3000 * 4);
  EXPECT_GT(unaligned, 3000 * 2);
}

}  // namespace
}  // namespace weir
