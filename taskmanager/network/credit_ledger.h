#pragma once

#include <deque>
#include <vector>

namespace weir {

// Decides how many buffers each remote channel of a gate may send: what is granted and what is held
// never exceed the gate's buffers, so a sender that has credit always finds one.
//
// Each channel has kExclusive buffers of its own: it is granted a new one whenever it has fewer,
// granted or held. The others float: they are granted in turns to channels whose sender reports
// more waiting than it has credit for, and go round as they come back.
//
// Pure: no thread or I/O. Not thread-safe. (After Flink's credit-based flow control.)
class CreditLedger {
 public:
  static constexpr int kExclusive = 2;

  struct Grant {
    int channel = 0;
    int credits = 0;
    friend bool operator==(const Grant&, const Grant&) = default;
  };
  using Grants = std::vector<Grant>;

  // REQUIRES: buffers >= channels * kExclusive.
  CreditLedger(int channels, int buffers);

  // Granted with the request for each channel.
  int initial_credits() const { return kExclusive; }

  bool has_credit(int channel) const { return channels_[channel].granted > 0; }
  // A buffer came; `backlog` more wait at the sender. REQUIRES: has_credit(channel).
  Grants on_buffer(int channel, int backlog);
  // A buffer that came on this channel was given back.
  Grants on_recycled(int channel);
  // Nothing comes on this channel any more; what it holds comes back still.
  Grants on_end(int channel);

 private:
  struct Channel {
    int granted = kExclusive;
    int held = 0;
    int backlog = 0;
    bool ended = false;
    bool in_turn = false;  // in turns_
  };

  // Buffers that are set aside for the channel.
  static int claim(const Channel& channel);
  void wait_in_turn(int channel);
  void give_floating(Grants& grants);

  std::vector<Channel> channels_;
  int floating_;           // that nobody has
  std::deque<int> turns_;  // channels that may want floating buffers
};

}  // namespace weir
