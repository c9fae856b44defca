#include "connectors/kafka/protocol/connection.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/status.h"
#include "connectors/kafka/protocol/scram.h"

namespace weir::kafka::protocol {
namespace {

using std::chrono::steady_clock;

// Far more than the ids of any one broker take; a larger length is no Kafka frame.
constexpr int32_t kLargestFrame = 32 << 20;

std::string text_of(const HostPort& server) {
  return absl::StrCat(server.host, ":", server.port);
}

absl::Status receive_exactly(ByteStream& stream, char* buffer, size_t size, Deadline deadline) {
  while (size > 0) {
    WEIR_ASSIGN_OR_RETURN(const size_t received, stream.receive(buffer, size, deadline));
    buffer += received;
    size -= received;
  }
  return absl::OkStatus();
}

ScramHash scram_hash(SaslMechanism mechanism) {
  return mechanism == SaslMechanism::kScramSha256 ? ScramHash::kSha256 : ScramHash::kSha512;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Connection>> Connection::open(const ClientConfig& config,
                                                             const HostPort& server,
                                                             Deadline deadline) {
  deadline = std::min(deadline, steady_clock::now() + config.connection_setup_timeout);
  const std::string context = absl::StrCat("connecting to ", text_of(server));
  auto stream = connect_tcp(server, deadline);
  if (!stream.ok()) return Annotate(stream.status(), context);
  if (config.tls) {
    stream = connect_tls(*config.tls, server.host, *std::move(stream), deadline);
    if (!stream.ok()) return Annotate(stream.status(), context);
  }
  std::unique_ptr<Connection> connection(new Connection(config, server, *std::move(stream)));
  WEIR_RETURN_IF_ERROR(connection->ask_versions(deadline));
  if (config.sasl) WEIR_RETURN_IF_ERROR(connection->authenticate(*config.sasl, deadline));
  return connection;
}

Connection::Connection(const ClientConfig& config, const HostPort& server,
                       std::unique_ptr<ByteStream> stream)
    : client_id_(config.client_id),
      socket_timeout_(config.socket_timeout),
      server_(server),
      stream_(std::move(stream)) {}

bool Connection::usable() const {
  return !failed_ && steady_clock::now() < session_end_ && stream_->quiet();
}

absl::Status Connection::ask_versions(Deadline deadline) {
  WEIR_ASSIGN_OR_RETURN(ApiVersionsResponse response, call(ApiVersionsRequest{}, deadline));
  if (response.error != ErrorCode::kNone) {
    return absl::UnavailableError(absl::StrCat(
        text_of(server_), " refuses to name its versions: ", error_name(response.error)));
  }
  versions_ = std::move(response.ranges);
  return absl::OkStatus();
}

absl::Status Connection::authenticate(const SaslConfig& sasl, Deadline deadline) {
  const std::string mechanism = sasl_mechanism_name(sasl.mechanism);
  WEIR_ASSIGN_OR_RETURN(const SaslHandshakeResponse handshake,
                        call(SaslHandshakeRequest{mechanism}, deadline));
  if (handshake.error != ErrorCode::kNone) {
    return absl::UnauthenticatedError(absl::StrCat(
        text_of(server_), " doesn't take sasl.mechanism ", mechanism, ": ",
        error_name(handshake.error), "; it takes ", absl::StrJoin(handshake.mechanisms, ", ")));
  }
  if (sasl.mechanism == SaslMechanism::kPlain) return authenticate_plain(sasl, deadline);
  return authenticate_scram(sasl, deadline);
}

absl::Status Connection::authenticate_plain(const SaslConfig& sasl, Deadline deadline) {
  const std::string separator(1, '\0');
  return authenticate_step(separator + sasl.username + separator + sasl.password, deadline)
      .status();
}

absl::Status Connection::authenticate_scram(const SaslConfig& sasl, Deadline deadline) {
  WEIR_ASSIGN_OR_RETURN(std::string nonce, make_scram_nonce());
  ScramClient scram(scram_hash(sasl.mechanism), sasl.username, sasl.password, std::move(nonce));
  WEIR_ASSIGN_OR_RETURN(const std::string challenge,
                        authenticate_step(scram.first_message(), deadline));
  auto proof = scram.final_message(challenge);
  if (!proof.ok()) return Annotate(proof.status(), text_of(server_));
  WEIR_ASSIGN_OR_RETURN(const std::string verdict, authenticate_step(*std::move(proof), deadline));
  return Annotate(scram.verify(verdict), text_of(server_));
}

absl::StatusOr<std::string> Connection::authenticate_step(std::string bytes, Deadline deadline) {
  const auto sent_at = steady_clock::now();
  WEIR_ASSIGN_OR_RETURN(SaslAuthenticateResponse response,
                        call(SaslAuthenticateRequest{std::move(bytes)}, deadline));
  if (response.error != ErrorCode::kNone) {
    return absl::UnauthenticatedError(
        absl::StrCat(text_of(server_), " refuses the login: ", error_name(response.error), " ",
                     response.error_message.value_or("")));
  }
  if (response.session_lifetime_ms > 0) {
    // The broker cuts a connection whose session has ended; make a new one in good time instead.
    constexpr int64_t kLongest = int64_t{365} * 24 * 3600 * 1000;
    const int64_t lifetime_ms = std::min(response.session_lifetime_ms, kLongest);
    session_end_ = sent_at + std::chrono::milliseconds(lifetime_ms * 4 / 5);
  }
  return std::move(response.auth_bytes);
}

Writer Connection::begin(const Api& api) {
  Writer out;
  out.int16(api.key);
  out.int16(api.version);
  out.int32(++correlation_id_);
  out.string(client_id_);
  if (api.flexible) out.no_tagged_fields();
  return out;
}

absl::StatusOr<std::string> Connection::exchange(const Api& api, const Writer& request,
                                                 Deadline deadline) {
  const absl::Status encoded = request.finish();
  if (!encoded.ok()) return in_context(api, encoded);
  WEIR_RETURN_IF_ERROR(check_version(api));

  deadline = std::min(deadline, steady_clock::now() + socket_timeout_);
  Writer frame;
  frame.bytes(request.data());
  const absl::Status sent = stream_->send(frame.data(), deadline);
  auto answer = sent.ok() ? receive_frame(deadline) : absl::StatusOr<std::string>(sent);
  if (!answer.ok()) {
    failed_ = true;
    return in_context(api, answer.status());
  }
  return answer;
}

absl::StatusOr<std::string> Connection::receive_frame(Deadline deadline) {
  std::array<char, 4> head;
  WEIR_RETURN_IF_ERROR(receive_exactly(*stream_, head.data(), head.size(), deadline));
  const int32_t size = Reader(std::string_view(head.data(), head.size())).int32();
  if (size < 4 || size > kLargestFrame) {
    return absl::FailedPreconditionError(
        "the answer isn't Kafka's: does security.protocol fit this port?");
  }
  // Grown as the bytes come, so that a length alone takes no memory.
  constexpr size_t kStep = 256 << 10;
  std::string frame;
  while (frame.size() < static_cast<size_t>(size)) {
    const size_t begin = frame.size();
    frame.resize(std::min(static_cast<size_t>(size), begin + kStep));
    WEIR_RETURN_IF_ERROR(
        receive_exactly(*stream_, frame.data() + begin, frame.size() - begin, deadline));
  }
  if (Reader(frame).int32() != correlation_id_) {
    return absl::InternalError("the answer belongs to another request");
  }
  return frame;
}

absl::Status Connection::check_version(const Api& api) const {
  if (api.key == ApiVersionsRequest::kApi.key) return absl::OkStatus();
  for (const auto& range : versions_) {
    if (range.key != api.key) continue;
    if (range.lowest <= api.version && api.version <= range.highest) return absl::OkStatus();
    return absl::UnimplementedError(absl::StrCat(text_of(server_), " speaks ", api.name, " ",
                                                 range.lowest, " to ", range.highest,
                                                 ", this client ", api.version));
  }
  return absl::UnimplementedError(
      absl::StrCat(text_of(server_), " doesn't know ", api.name, ": is it Kafka 3.0 or later?"));
}

void Connection::skip_header(const Api& api, Reader& in) {
  in.int32();  // correlation id, compared already
  if (api.flexible) in.skip_tagged_fields();
}

absl::Status Connection::unreadable(const Api& api, const absl::Status& why) {
  failed_ = true;
  return in_context(api, why);
}

absl::Status Connection::in_context(const Api& api, const absl::Status& status) const {
  return Annotate(status, absl::StrCat(api.name, " at ", text_of(server_)));
}

}  // namespace weir::kafka::protocol
