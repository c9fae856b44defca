#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <thread>
#include <utility>

#include "common/mutex.h"

namespace weir::kafka::protocol {

// What a scripted broker does with one request.
struct Reaction {
  enum class Kind { kAnswer, kClose, kSilence, kRawBytes };
  Kind kind = Kind::kAnswer;
  std::string bytes;  // the response's body, or, for kRawBytes, all that is sent

  static Reaction answer(std::string body) { return {Kind::kAnswer, std::move(body)}; }
  static Reaction close() { return {Kind::kClose, {}}; }
  static Reaction silence() { return {Kind::kSilence, {}}; }
  static Reaction raw(std::string bytes) { return {Kind::kRawBytes, std::move(bytes)}; }
};

// A broker for tests that says what it was told to say, on a loopback port: errors, lost
// connections and silence at exactly the request where they matter. Serves one connection at a
// time, on its own thread; ApiVersions is answered by itself.
class ScriptedBroker {
 public:
  ScriptedBroker();
  ~ScriptedBroker();
  ScriptedBroker(const ScriptedBroker&) = delete;
  ScriptedBroker& operator=(const ScriptedBroker&) = delete;

  int32_t port() const { return port_; }

  // The next reaction to requests with this key; the last one stays.
  void then(int16_t api_key, Reaction reaction);
  // Without it: all that this client needs.
  void speak_only(int16_t api_key);

  int requests(int16_t api_key) const;

 private:
  void serve();
  void serve_connection(int fd);
  Reaction react(int16_t api_key);
  std::string api_versions() const WEIR_REQUIRES(mutex_);

  int listener_ = -1;
  int32_t port_ = 0;
  mutable Mutex mutex_;
  std::map<int16_t, std::deque<Reaction>> script_ WEIR_GUARDED_BY(mutex_);
  std::map<int16_t, int> requests_ WEIR_GUARDED_BY(mutex_);
  int16_t only_key_ WEIR_GUARDED_BY(mutex_) = -1;
  int connection_ WEIR_GUARDED_BY(mutex_) = -1;
  bool ending_ WEIR_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace weir::kafka::protocol
