// What it costs to move records from task to task: through the codec, the hash partitioner and a
// channel, within a TaskManager and over TCP; and buffers over TCP beside a plain connection.
//
//   bench-exchange --benchmark_repetitions=5 --benchmark_report_aggregates_only=true

#include <arpa/inet.h>
#include <benchmark/benchmark.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <variant>
#include <vector>

#include "common/check.h"
#include "common/status.h"
#include "taskmanager/network/element_assembler.h"
#include "taskmanager/network/network_environment.h"
#include "weir/codec.h"
#include "weir/exchange.h"
#include "weir/typed_edge.h"

namespace weir {
namespace {

constexpr int kMaxParallelism = 128;
constexpr int kRecordsPerBatch = 500;

struct Reading {
  int64_t sensor = 0;
  std::string text;
};
WEIR_FIELDS(Reading, sensor, text)
constexpr int kElementBytes = 100;  // header, timestamp, sensor, text with its length

struct SensorOf {
  int64_t operator()(const Reading& reading) const { return reading.sensor; }
};
using ReadingEdge = internal::HashEdge<Reading, int64_t, SensorOf>;

class CountingOutput final : public Output<Reading> {
 public:
  void collect(const Reading& reading, Timestamp) override {
    benchmark::DoNotOptimize(reading.sensor);
    ++records_;
  }
  int64_t records() const { return records_; }

 private:
  int64_t records_ = 0;
};

// Wakes the thread that waits, however early it is told.
class Signal {
 public:
  void notify() {
    {
      const std::lock_guard lock(mutex_);
      if (std::exchange(set_, true)) return;
    }
    changed_.notify_all();
  }
  void wait() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return set_; });
    set_ = false;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool set_ = false;
};

std::unique_ptr<NetworkEnvironment> start_environment() {
  auto environment = NetworkEnvironment::start({.host = "127.0.0.1"});
  WEIR_CHECK_OK(environment);
  return *std::move(environment);
}

// The end of one reading task: a gate with one channel, and what decodes it.
class Reader {
 public:
  Reader(NetworkEnvironment& environment, InputChannel channel)
      : receiver_(ReadingEdge(SensorOf()).create_receiver(output_)) {
    gate_ = *environment.create_gate(
        {.name = "reader",
         .channels = {std::move(channel)},
         .on_available = [this] { available_.notify(); },
         .on_failure = [](const absl::Status& status) { WEIR_CHECK(false) << status.ToString(); }});
    gate_->start();
  }

  // Takes what is there; false once the partition has ended.
  bool drain() {
    while (const auto item = gate_->poll()) {
      const Buffer* buffer = std::get_if<Buffer>(&item->content);
      if (!buffer) return false;
      receive(assembler_.add(*buffer));
    }
    return true;
  }
  void drain_to_end() {
    while (drain()) available_.wait();
  }
  int64_t records() const { return output_.records(); }

 private:
  void receive(std::string_view elements) {
    views_.clear();
    while (!elements.empty()) {
      const ElementHeader header = read_element_header(elements.data());
      std::string_view payload = elements.substr(kElementHeaderBytes, header.payload_bytes);
      elements.remove_prefix(kElementHeaderBytes + header.payload_bytes);
      const auto timestamp = Codec<Timestamp>::decode(payload);
      views_.push_back({timestamp, payload});
    }
    receiver_->receive(views_);
  }

  CountingOutput output_;
  std::unique_ptr<RecordReceiver> receiver_;
  std::vector<ElementView> views_;
  ElementAssembler assembler_;
  Signal available_;
  std::unique_ptr<InputGate> gate_;
};

// The end of the producing task.
class Writer {
 public:
  Writer(NetworkEnvironment& environment, int channels) {
    partition_ = *environment.create_partition({.id = {.job = JobId(1, 2)},
                                                .name = "writer",
                                                .channels = channels,
                                                .on_available = [this] { available_.notify(); }});
    sender_ = ReadingEdge(SensorOf()).create_sender(*partition_, kMaxParallelism);
  }

  ResultPartition& partition() { return *partition_; }
  void write_batch() {
    auto& output = static_cast<Output<Reading>&>(*sender_);
    for (int i = 0; i < kRecordsPerBatch; ++i) {
      ++reading_.sensor;
      output.collect(reading_, 1'700'000'000'000);
    }
  }
  void wait_until_writable() {
    while (!partition_->writable()) available_.wait();
  }

 private:
  Reading reading_{0, std::string(kElementBytes - 4 - 8 - 8 - 4, 'r')};
  Signal available_;
  std::unique_ptr<ResultPartition> partition_;
  std::unique_ptr<OutputBase> sender_;
};

// One thread does both ends, so the rate is that of a core.
void BM_RecordsWithinATaskManager(benchmark::State& state) {
  const auto channels = static_cast<int>(state.range(0));
  const auto environment = start_environment();
  Writer writer(*environment, channels);
  std::vector<std::unique_ptr<Reader>> readers;
  for (int i = 0; i < channels; ++i) {
    readers.push_back(std::make_unique<Reader>(
        *environment, InputChannel{writer.partition().id(), i, environment->address()}));
  }
  for (auto _ : state) {
    writer.write_batch();
    for (const auto& reader : readers) reader->drain();
  }
  state.SetItemsProcessed(state.iterations() * kRecordsPerBatch);
  state.SetBytesProcessed(static_cast<int64_t>(writer.partition().bytes_sent()));
}
BENCHMARK(BM_RecordsWithinATaskManager)->Arg(1)->Arg(8)->Arg(64);

// A thread at each end, and the two environments' own.
void BM_RecordsOverTcp(benchmark::State& state) {
  const auto producing = start_environment();
  const auto reading = start_environment();
  Writer writer(*producing, 1);
  Reader reader(*reading, {writer.partition().id(), 0, producing->address()});
  std::thread reads([&] { reader.drain_to_end(); });
  for (auto _ : state) {
    writer.wait_until_writable();
    writer.write_batch();
  }
  writer.partition().finish();
  reads.join();
  state.SetItemsProcessed(reader.records());
  state.SetBytesProcessed(static_cast<int64_t>(writer.partition().bytes_sent()));
}
BENCHMARK(BM_RecordsOverTcp)->UseRealTime()->MeasureProcessCPUTime();

void BM_BuffersOverTcp(benchmark::State& state) {
  const auto producing = start_environment();
  const auto reading = start_environment();
  Writer writer(*producing, 1);
  Signal available;
  const auto gate =
      *reading->create_gate({.name = "reader",
                             .channels = {{writer.partition().id(), 0, producing->address()}},
                             .on_available = [&] { available.notify(); }});
  gate->start();
  std::thread reads([&] {
    while (true) {
      const auto item = gate->poll();
      if (!item) {
        available.wait();
      } else if (std::holds_alternative<Event>(item->content)) {
        return;
      }
    }
  });
  const std::string element(kBufferBytes, 'b');
  for (auto _ : state) {
    writer.wait_until_writable();
    writer.partition().write(0, element);
  }
  writer.partition().finish();
  reads.join();
  state.SetBytesProcessed(static_cast<int64_t>(writer.partition().bytes_sent()));
}
BENCHMARK(BM_BuffersOverTcp)->UseRealTime()->MeasureProcessCPUTime();

// Two ends of a connection over the loopback interface.
std::pair<int, int> connect_loopback() {
  const int listening = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  WEIR_CHECK(::bind(listening, reinterpret_cast<sockaddr*>(&address), size) == 0);
  WEIR_CHECK(::listen(listening, 1) == 0);
  ::getsockname(listening, reinterpret_cast<sockaddr*>(&address), &size);
  const int from = ::socket(AF_INET, SOCK_STREAM, 0);
  WEIR_CHECK(::connect(from, reinterpret_cast<sockaddr*>(&address), size) == 0);
  const int to = ::accept(listening, nullptr, nullptr);
  WEIR_CHECK(to >= 0);
  ::close(listening);
  return {from, to};
}

// What the machine can do: a thread that writes 32 KiB at a time, another that reads.
void BM_PlainTcp(benchmark::State& state) {
  const auto [from, to] = connect_loopback();
  std::thread reads([to = to] {
    std::vector<char> memory(kBufferBytes);
    while (::read(to, memory.data(), memory.size()) > 0) {
    }
  });
  const std::string bytes(kBufferBytes, 'b');
  int64_t written = 0;
  for (auto _ : state) written += ::write(from, bytes.data(), bytes.size());
  ::close(from);
  reads.join();
  ::close(to);
  state.SetBytesProcessed(written);
}
BENCHMARK(BM_PlainTcp)->UseRealTime()->MeasureProcessCPUTime();

}  // namespace
}  // namespace weir
