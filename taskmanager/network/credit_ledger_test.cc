#include "taskmanager/network/credit_ledger.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <random>
#include <vector>

namespace weir {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using Grant = CreditLedger::Grant;

TEST(CreditLedgerTest, AChannelGetsItsOwnBuffersBackWhenTheyAreRecycled) {
  CreditLedger ledger(2, 4);
  EXPECT_THAT(ledger.on_buffer(0, 9), IsEmpty());
  EXPECT_THAT(ledger.on_buffer(0, 8), IsEmpty());
  EXPECT_FALSE(ledger.has_credit(0));
  EXPECT_TRUE(ledger.has_credit(1));
  EXPECT_THAT(ledger.on_recycled(0), ElementsAre(Grant{0, 1}));
  EXPECT_TRUE(ledger.has_credit(0));
}

TEST(CreditLedgerTest, FloatingBuffersGoToChannelsThatReportABacklog) {
  CreditLedger ledger(2, 7);
  // One is granted still, and three float.
  EXPECT_THAT(ledger.on_buffer(0, 3), ElementsAre(Grant{0, 1}, Grant{0, 1}));
  EXPECT_THAT(ledger.on_buffer(1, 1), IsEmpty());
}

TEST(CreditLedgerTest, ChannelsWithABacklogTakeTurnsAtFloatingBuffers) {
  CreditLedger ledger(2, 5);
  EXPECT_THAT(ledger.on_buffer(0, 100), ElementsAre(Grant{0, 1}));
  EXPECT_THAT(ledger.on_buffer(1, 100), IsEmpty());
  EXPECT_THAT(ledger.on_buffer(0, 100), IsEmpty());
  // It holds one more than its own: what comes back goes round.
  EXPECT_THAT(ledger.on_recycled(0), ElementsAre(Grant{0, 1}));
  EXPECT_THAT(ledger.on_buffer(0, 100), IsEmpty());
  EXPECT_THAT(ledger.on_recycled(0), ElementsAre(Grant{1, 1}));
}

TEST(CreditLedgerTest, AnEndedChannelsBuffersFloat) {
  CreditLedger ledger(2, 4);
  ledger.on_buffer(0, 0);
  ledger.on_buffer(1, 5);
  EXPECT_THAT(ledger.on_end(0), ElementsAre(Grant{1, 1}));
  EXPECT_THAT(ledger.on_recycled(0), ElementsAre(Grant{1, 1}));
}

// A sender for each channel that sends whenever it has credit and something to send, and a reader
// that gives buffers back in any order.
TEST(CreditLedgerTest, WhateverHappensNoBufferIsLostOrGrantedTwice) {
  for (uint64_t seed = 0; seed < 300; ++seed) {
    std::mt19937_64 random(seed);
    const int channels = 1 + static_cast<int>(random() % 5);
    const int buffers = channels * CreditLedger::kExclusive + static_cast<int>(random() % 6);
    CreditLedger ledger(channels, buffers);
    std::vector<int> credits(channels, CreditLedger::kExclusive);
    std::vector<int> waiting(channels, 0);
    std::vector<bool> ended(channels, false);
    std::vector<int> held;  // by channel, one entry for each buffer
    const auto apply = [&](const CreditLedger::Grants& grants) {
      for (const Grant& grant : grants) {
        ASSERT_GT(grant.credits, 0);
        ASSERT_FALSE(ended[grant.channel]);
        credits[grant.channel] += grant.credits;
      }
    };
    for (int step = 0; step < 500; ++step) {
      const int channel = static_cast<int>(random() % channels);
      const uint64_t action = random() % 100;
      ASSERT_EQ(ledger.has_credit(channel), !ended[channel] && credits[channel] > 0);
      if (action < 40) {
        waiting[channel] += static_cast<int>(random() % 4);
      } else if (action < 70) {
        if (!ended[channel] && credits[channel] > 0 && waiting[channel] > 0) {
          --credits[channel];
          --waiting[channel];
          held.push_back(channel);
          apply(ledger.on_buffer(channel, waiting[channel]));
        }
      } else if (action < 99) {
        if (held.empty()) continue;
        std::swap(held[random() % held.size()], held.back());
        const int recycled = held.back();
        held.pop_back();
        apply(ledger.on_recycled(recycled));
      } else if (!ended[channel]) {
        ended[channel] = true;
        credits[channel] = 0;
        apply(ledger.on_end(channel));
      }
      int used = static_cast<int>(held.size());
      for (const int count : credits) used += count;
      ASSERT_LE(used, buffers) << "seed " << seed << " step " << step;
    }
    // Everything comes back: every channel that goes on has its own again, and one with a backlog
    // gets what floats.
    while (!held.empty()) {
      const int recycled = held.back();
      held.pop_back();
      apply(ledger.on_recycled(recycled));
    }
    for (int channel = 0; channel < channels; ++channel) {
      if (ended[channel]) continue;
      ASSERT_GE(credits[channel], CreditLedger::kExclusive) << "seed " << seed;
      --credits[channel];
      apply(ledger.on_buffer(channel, 1000));
      int used = 1;
      for (const int count : credits) used += count;
      ASSERT_EQ(used, buffers) << "seed " << seed;
      break;
    }
  }
}

}  // namespace
}  // namespace weir
