// Random producers and readers on several TaskManagers, each on a thread of its own, against what
// must hold: every channel brings exactly what was written to it, in its order; an event cuts every
// channel where it was sent; and for one that overtook, what it overtook makes up the difference.
#include <gmock/gmock.h>

#include <algorithm>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <variant>
#include <vector>

#include "common/status_matchers.h"
#include "taskmanager/network/element_assembler.h"
#include "taskmanager/network/network_environment.h"
#include "taskmanager/network/testing/blocking_gate.h"
#include "taskmanager/network/testing/random_bytes.h"

namespace weir {
namespace {

// Where an event cut a channel: bytes of elements before it.
using Cuts = std::map<int64_t, size_t>;  // by checkpoint

struct ChannelLog {
  std::string bytes;  // all elements
  Cuts cuts;
};

size_t bytes_of(const std::vector<Buffer>& buffers) {
  size_t bytes = 0;
  for (const Buffer& buffer : buffers) bytes += buffer.size();
  return bytes;
}

std::string random_element(std::mt19937_64& random) {
  const uint64_t kind = random() % 1000;
  const size_t size = kind < 5    ? random() % (5 * kBufferBytes)
                      : kind < 50 ? random() % kBufferBytes
                                  : 4 + random() % 300;
  return random_bytes(random, std::max<size_t>(size, 4));
}

// Writes random elements to random channels, with events and flushes between.
std::vector<ChannelLog> produce(ResultPartition& partition, uint64_t seed, int steps) {
  std::mt19937_64 random(seed);
  std::vector<ChannelLog> logs(partition.channels());
  int64_t checkpoint = 0;
  Event barrier{.checkpoint = CheckpointId(-1)};  // that may be sent ahead
  for (int step = 0; step < steps; ++step) {
    const uint64_t action = random() % 1000;
    if (action < 10) {
      partition.flush();
    } else if (action < 14) {
      partition.broadcast_event(
          {.kind = Event::Kind::kBarrier, .checkpoint = CheckpointId(++checkpoint)});
      for (ChannelLog& log : logs) log.cuts[checkpoint] = log.bytes.size();
    } else if (action < 18) {
      const auto overtaken = partition.broadcast_priority_event(
          {.kind = Event::Kind::kBarrier, .checkpoint = CheckpointId(++checkpoint)});
      for (size_t i = 0; i < logs.size(); ++i) {
        logs[i].cuts[checkpoint] = logs[i].bytes.size() - bytes_of(overtaken[i]);
      }
    } else if (action < 24) {
      barrier = {.kind = Event::Kind::kBarrier,
                 .checkpoint = CheckpointId(++checkpoint),
                 .aligned_until_ms = 0};
      partition.broadcast_event(barrier);
      for (ChannelLog& log : logs) log.cuts[checkpoint] = log.bytes.size();
    } else if (action < 30 && barrier.checkpoint == CheckpointId(checkpoint)) {
      const auto overtaken = partition.send_ahead(barrier);
      for (size_t i = 0; i < logs.size(); ++i) logs[i].cuts[checkpoint] -= bytes_of(overtaken[i]);
    } else {
      const int channel = static_cast<int>(random() % logs.size());
      const std::string element = random_element(random);
      partition.write(channel, element);
      logs[channel].bytes += element;
    }
  }
  partition.finish();
  return logs;
}

// Reads everything, holding buffers back and blocking channels at random.
std::vector<ChannelLog> consume(BlockingGate& gate, uint64_t seed) {
  std::mt19937_64 random(seed);
  const int channels = gate.gate().channels();
  std::vector<ChannelLog> logs(channels);
  std::vector<ElementAssembler> assemblers(channels);
  std::vector<size_t> taken(channels, 0);  // bytes, of incomplete elements too
  std::vector<Buffer> held;
  int blocked = -1;
  for (int ended = 0; ended < channels;) {
    if (blocked >= 0 && (channels == 1 || random() % 8 == 0)) {
      gate.gate().unblock(blocked);
      blocked = -1;
    }
    std::optional<InputGate::Item> item = gate.gate().poll();
    if (!item) {
      if (blocked >= 0) gate.gate().unblock(std::exchange(blocked, -1));
      held.clear();
      item = gate.next();
    }
    if (!item) {
      ADD_FAILURE() << gate.failure();
      return logs;
    }
    ChannelLog& log = logs[item->channel];
    if (const Buffer* buffer = std::get_if<Buffer>(&item->content)) {
      taken[item->channel] += buffer->size();
      log.bytes += assemblers[item->channel].add(*buffer);
      if (random() % 4 == 0) held.push_back(*buffer);
      if (held.size() > random() % 8) held.erase(held.begin() + random() % held.size());
    } else if (const Event& event = std::get<Event>(item->content);
               event.kind == Event::Kind::kEndOfPartition) {
      ++ended;
    } else {
      // One that is sent ahead comes again, if it had come.
      log.cuts.try_emplace(event.checkpoint.value(),
                           taken[item->channel] + bytes_of(item->overtaken));
      if (random() % 2 == 0) {
        gate.gate().pull_ahead(static_cast<int>(random() % channels), event.checkpoint);
      }
      if (blocked < 0 && random() % 4 == 0) gate.gate().block(blocked = item->channel);
    }
  }
  for (const ElementAssembler& assembler : assemblers) EXPECT_EQ(assembler.incomplete(), "");
  return logs;
}

// One job: every producer sends to every reader.
void run_random_job(uint64_t seed, std::vector<std::unique_ptr<NetworkEnvironment>>& environments) {
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  const int producers = 1 + static_cast<int>(random() % 3);
  const int readers = 1 + static_cast<int>(random() % 3);
  const int steps = static_cast<int>(random() % 2000);
  std::vector<std::unique_ptr<ResultPartition>> partitions;
  std::vector<std::string> addresses;
  for (int i = 0; i < producers; ++i) {
    NetworkEnvironment& environment = *environments[random() % environments.size()];
    auto partition = environment.create_partition({.id = {.job = JobId(1, seed), .subtask = i},
                                                   .name = "Map",
                                                   .channels = readers,
                                                   .buffer_timeout = std::chrono::milliseconds(0)});
    ASSERT_THAT(partition, IsOk());
    partitions.push_back(*std::move(partition));
    addresses.push_back(environment.address());
  }
  std::vector<std::unique_ptr<BlockingGate>> gates;
  for (int i = 0; i < readers; ++i) {
    std::vector<InputChannel> channels;
    for (int k = 0; k < producers; ++k) {
      channels.push_back({{.job = JobId(1, seed), .subtask = k}, i, addresses[k]});
    }
    gates.push_back(
        std::make_unique<BlockingGate>(*environments[random() % environments.size()], channels));
  }

  std::vector<std::vector<ChannelLog>> sent(producers);
  std::vector<std::vector<ChannelLog>> received(readers);
  std::vector<std::thread> threads;
  for (int i = 0; i < producers; ++i) {
    threads.emplace_back(
        [&, i, task_seed = random()] { sent[i] = produce(*partitions[i], task_seed, steps); });
  }
  for (int i = 0; i < readers; ++i) {
    threads.emplace_back(
        [&, i, task_seed = random()] { received[i] = consume(*gates[i], task_seed); });
  }
  for (std::thread& thread : threads) thread.join();
  for (int i = 0; i < producers; ++i) {
    EXPECT_TRUE(partitions[i]->all_taken());
    for (int k = 0; k < readers; ++k) {
      EXPECT_TRUE(sent[i][k].bytes == received[k][i].bytes) << "from " << i << " to " << k;
      EXPECT_EQ(sent[i][k].cuts, received[k][i].cuts) << "from " << i << " to " << k;
    }
  }
}

TEST(RandomExchangeTest, EveryChannelBringsWhatWasWrittenAndEventsCutItWhereTheyWereSent) {
  std::vector<std::unique_ptr<NetworkEnvironment>> environments;
  for (int i = 0; i < 3; ++i) {
    environments.push_back(
        *NetworkEnvironment::start({.host = "127.0.0.1", .memory_bytes = 8 << 20}));
  }
  for (uint64_t seed = 0; seed < 40 && !testing::Test::HasFailure(); ++seed) {
    run_random_job(seed, environments);
  }
  for (const auto& environment : environments) {
    while (environment->pool().available() < environment->pool().buffers()) {
      std::this_thread::yield();  // connections give their last buffers back on their own thread
    }
  }
}

}  // namespace
}  // namespace weir
