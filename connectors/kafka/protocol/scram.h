#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace weir::kafka::protocol {

enum class ScramHash { kSha256, kSha512 };

// The client's side of SCRAM (RFC 5802, with the hashes of RFC 7677), as Kafka uses it: no channel
// binding, no proxy identity. Messages in, messages out; the call order is the member order.
class ScramClient {
 public:
  // `nonce`: printable, without a comma, never used before.
  ScramClient(ScramHash hash, std::string username, std::string password, std::string nonce);

  std::string first_message() const;

  // Unauthenticated if the server's challenge isn't an answer to this nonce, or asks for too little
  // or too much work.
  absl::StatusOr<std::string> final_message(std::string_view server_first);

  // OK only if the server knows the password's key as well.
  absl::Status verify(std::string_view server_final) const;

 private:
  std::string first_message_bare() const;

  ScramHash hash_;
  std::string username_;
  std::string password_;
  std::string nonce_;
  std::string expected_server_signature_;
};

// Fresh randomness for one exchange.
absl::StatusOr<std::string> make_scram_nonce();

}  // namespace weir::kafka::protocol
