#include "connectors/kafka/protocol/scram.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include <array>
#include <optional>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"

namespace weir::kafka::protocol {
namespace {

// Fewer is a downgrade that makes the password cheap to guess (Kafka's own minimum, too); more
// would let a false server keep the client computing.
constexpr int kFewestIterations = 4096;
constexpr int kMostIterations = 1'000'000;

constexpr std::string_view kNoChannelBinding = "n,,";

const EVP_MD* digest_of(ScramHash hash) {
  return hash == ScramHash::kSha256 ? EVP_sha256() : EVP_sha512();
}

const unsigned char* bytes_of(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

std::string hmac(ScramHash hash, std::string_view key, std::string_view text) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> out;
  unsigned int size = 0;
  HMAC(digest_of(hash), key.data(), static_cast<int>(key.size()), bytes_of(text), text.size(),
       out.data(), &size);
  return std::string(out.begin(), out.begin() + size);
}

std::string digest(ScramHash hash, std::string_view text) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> out;
  unsigned int size = 0;
  EVP_Digest(text.data(), text.size(), out.data(), &size, digest_of(hash), nullptr);
  return std::string(out.begin(), out.begin() + size);
}

std::string salted_password(ScramHash hash, const std::string& password, const std::string& salt,
                            int iterations) {
  std::string out(static_cast<size_t>(EVP_MD_size(digest_of(hash))), '\0');
  PKCS5_PBKDF2_HMAC(password.data(), static_cast<int>(password.size()), bytes_of(salt),
                    static_cast<int>(salt.size()), iterations, digest_of(hash),
                    static_cast<int>(out.size()), reinterpret_cast<unsigned char*>(out.data()));
  return out;
}

std::string exclusive_or(std::string left, std::string_view right) {
  for (size_t i = 0; i < left.size(); ++i) left[i] = static_cast<char>(left[i] ^ right[i]);
  return left;
}

// Takes "<name>=<value>" and the comma after it off the front of `message`.
std::optional<std::string> take_attribute(std::string_view& message, char name) {
  if (message.size() < 2 || message[0] != name || message[1] != '=') return std::nullopt;
  const size_t end = message.find(',');
  std::string value(message.substr(2, end == std::string_view::npos ? end : end - 2));
  message.remove_prefix(end == std::string_view::npos ? message.size() : end + 1);
  return value;
}

std::string base64(const std::string& bytes) {
  return absl::Base64Escape(bytes);
}

}  // namespace

ScramClient::ScramClient(ScramHash hash, std::string username, std::string password,
                         std::string nonce)
    : hash_(hash),
      username_(std::move(username)),
      password_(std::move(password)),
      nonce_(std::move(nonce)) {}

std::string ScramClient::first_message_bare() const {
  return absl::StrCat("n=", absl::StrReplaceAll(username_, {{"=", "=3D"}, {",", "=2C"}}),
                      ",r=", nonce_);
}

std::string ScramClient::first_message() const {
  return std::string(kNoChannelBinding) + first_message_bare();
}

absl::StatusOr<std::string> ScramClient::final_message(std::string_view server_first) {
  std::string_view rest = server_first;
  const auto nonce = take_attribute(rest, 'r');
  const auto salt_text = take_attribute(rest, 's');
  const auto iterations_text = take_attribute(rest, 'i');
  std::string salt;
  int iterations = 0;
  if (!nonce || !salt_text || !iterations_text || !absl::Base64Unescape(*salt_text, &salt) ||
      salt.empty() || !absl::SimpleAtoi(*iterations_text, &iterations)) {
    return absl::UnauthenticatedError("SCRAM: the server's challenge can't be read");
  }
  if (nonce->size() <= nonce_.size() || !nonce->starts_with(nonce_)) {
    return absl::UnauthenticatedError("SCRAM: the server's challenge answers another nonce");
  }
  if (iterations < kFewestIterations || iterations > kMostIterations) {
    return absl::UnauthenticatedError(absl::StrCat("SCRAM: the server asks for ", iterations,
                                                   " iterations, accepted are ", kFewestIterations,
                                                   " to ", kMostIterations));
  }

  const std::string without_proof =
      absl::StrCat("c=", base64(std::string(kNoChannelBinding)), ",r=", *nonce);
  const std::string auth_message =
      absl::StrCat(first_message_bare(), ",", std::string(server_first), ",", without_proof);
  const std::string salted = salted_password(hash_, password_, salt, iterations);
  const std::string client_key = hmac(hash_, salted, "Client Key");
  const std::string client_signature = hmac(hash_, digest(hash_, client_key), auth_message);
  expected_server_signature_ = hmac(hash_, hmac(hash_, salted, "Server Key"), auth_message);
  return absl::StrCat(without_proof, ",p=", base64(exclusive_or(client_key, client_signature)));
}

absl::Status ScramClient::verify(std::string_view server_final) const {
  if (const auto error = take_attribute(server_final, 'e')) {
    return absl::UnauthenticatedError(absl::StrCat("SCRAM: the server says ", *error));
  }
  const auto signature_text = take_attribute(server_final, 'v');
  std::string signature;
  if (!signature_text || !absl::Base64Unescape(*signature_text, &signature) ||
      expected_server_signature_.empty() || signature.size() != expected_server_signature_.size() ||
      CRYPTO_memcmp(signature.data(), expected_server_signature_.data(), signature.size()) != 0) {
    return absl::UnauthenticatedError("SCRAM: the server doesn't know the password");
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> make_scram_nonce() {
  std::string random(24, '\0');
  if (RAND_bytes(reinterpret_cast<unsigned char*>(random.data()),
                 static_cast<int>(random.size())) != 1) {
    return absl::InternalError("SCRAM: OpenSSL gives no random bytes");
  }
  return base64(random);
}

}  // namespace weir::kafka::protocol
