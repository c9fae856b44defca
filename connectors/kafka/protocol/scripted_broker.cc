#include "connectors/kafka/protocol/scripted_broker.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/check.h"
#include "connectors/kafka/protocol/messages.h"
#include "connectors/kafka/protocol/wire.h"

namespace weir::kafka::protocol {
namespace {

constexpr Api kSpoken[] = {MetadataRequest::kApi,         FindCoordinatorRequest::kApi,
                           InitProducerIdRequest::kApi,   EndTxnRequest::kApi,
                           ListTransactionsRequest::kApi, DescribeTransactionsRequest::kApi,
                           DescribeConfigsRequest::kApi,  SaslHandshakeRequest::kApi,
                           SaslAuthenticateRequest::kApi, DescribeProducersRequest::kApi,
                           WriteTxnMarkersRequest::kApi};

bool is_flexible(int16_t api_key) {
  for (const Api& api : kSpoken) {
    if (api.key == api_key) return api.flexible;
  }
  return false;
}

bool receive_exactly(int fd, char* buffer, size_t size) {
  while (size > 0) {
    const ssize_t received = recv(fd, buffer, size, 0);
    if (received <= 0) return false;
    buffer += received;
    size -= static_cast<size_t>(received);
  }
  return true;
}

bool send_all(int fd, const std::string& bytes) {
  return send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(bytes.size());
}

std::string frame(int16_t api_key, int32_t correlation_id, const std::string& body) {
  Writer head;
  head.int32(correlation_id);
  if (is_flexible(api_key)) head.no_tagged_fields();
  Writer out;
  out.bytes(head.data() + body);
  return out.data();
}

}  // namespace

ScriptedBroker::ScriptedBroker() : listener_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  auto* const generic = reinterpret_cast<sockaddr*>(&address);
  WEIR_CHECK(bind(listener_, generic, size) == 0);
  WEIR_CHECK(listen(listener_, 8) == 0);
  WEIR_CHECK(getsockname(listener_, generic, &size) == 0);
  port_ = ntohs(address.sin_port);
  thread_ = std::thread([this] { serve(); });
}

ScriptedBroker::~ScriptedBroker() {
  {
    MutexLock lock(mutex_);
    ending_ = true;
    shutdown(listener_, SHUT_RDWR);
    if (connection_ >= 0) shutdown(connection_, SHUT_RDWR);
  }
  thread_.join();
  close(listener_);
}

void ScriptedBroker::then(int16_t api_key, Reaction reaction) {
  MutexLock lock(mutex_);
  script_[api_key].push_back(std::move(reaction));
}

void ScriptedBroker::speak_only(int16_t api_key) {
  MutexLock lock(mutex_);
  only_key_ = api_key;
}

int ScriptedBroker::requests(int16_t api_key) const {
  MutexLock lock(mutex_);
  const auto found = requests_.find(api_key);
  return found == requests_.end() ? 0 : found->second;
}

void ScriptedBroker::serve() {
  for (;;) {
    const int fd = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) return;
    bool ending = false;
    {
      MutexLock lock(mutex_);
      connection_ = fd;
      ending = ending_;
    }
    if (!ending) serve_connection(fd);
    MutexLock lock(mutex_);
    connection_ = -1;
    close(fd);
  }
}

void ScriptedBroker::serve_connection(int fd) {
  for (;;) {
    char size_bytes[4];
    if (!receive_exactly(fd, size_bytes, sizeof(size_bytes))) return;
    std::string request(static_cast<size_t>(Reader({size_bytes, sizeof(size_bytes)}).int32()),
                        '\0');
    if (!receive_exactly(fd, request.data(), request.size())) return;
    Reader in(request);
    const int16_t api_key = in.int16();
    in.int16();
    const int32_t correlation_id = in.int32();
    const Reaction reaction = react(api_key);
    switch (reaction.kind) {
      case Reaction::Kind::kAnswer:
        if (!send_all(fd, frame(api_key, correlation_id, reaction.bytes))) return;
        break;
      case Reaction::Kind::kRawBytes:
        if (!send_all(fd, reaction.bytes)) return;
        break;
      case Reaction::Kind::kSilence:
        break;
      case Reaction::Kind::kClose:
        return;
    }
  }
}

Reaction ScriptedBroker::react(int16_t api_key) {
  MutexLock lock(mutex_);
  ++requests_[api_key];
  auto& reactions = script_[api_key];
  if (reactions.empty()) {
    return api_key == ApiVersionsRequest::kApi.key ? Reaction::answer(api_versions())
                                                   : Reaction::close();
  }
  Reaction reaction = reactions.front();
  if (reactions.size() > 1) reactions.pop_front();
  return reaction;
}

std::string ScriptedBroker::api_versions() const {
  Writer ranges;
  int count = 0;
  for (const Api& api : kSpoken) {
    if (only_key_ >= 0 && api.key != only_key_) continue;
    ranges.int16(api.key);
    ranges.int16(0);
    ranges.int16(api.version);
    ++count;
  }
  Writer out;
  out.int16(0);
  out.int32(count);
  return out.data() + ranges.data();
}

}  // namespace weir::kafka::protocol
