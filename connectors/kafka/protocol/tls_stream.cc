#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <climits>
#include <cstring>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status.h"
#include "connectors/kafka/protocol/byte_stream.h"

namespace weir::kafka::protocol {
namespace {

using SslContext = std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)>;
using Ssl = std::unique_ptr<SSL, decltype(&SSL_free)>;

// The first reason in OpenSSL's queue, which it empties.
std::string openssl_error() {
  const unsigned long code = ERR_get_error();
  ERR_clear_error();
  const char* reason = ERR_reason_error_string(code);
  return reason != nullptr ? reason : "no reason given";
}

absl::Status unusable(const std::string& property, const std::string& location) {
  return absl::FailedPreconditionError(
      absl::StrCat(property, " ", location, " can't be used: ", openssl_error()));
}

int give_key_password(char* buffer, int size, int, void* config) {
  const std::string& password = static_cast<const TlsConfig*>(config)->key_password;
  if (password.size() > static_cast<size_t>(size)) return -1;
  std::memcpy(buffer, password.data(), password.size());
  return static_cast<int>(password.size());
}

absl::Status load_trust(SSL_CTX* context, const std::string& location) {
  if (location.empty()) {
    SSL_CTX_set_default_verify_paths(context);
    return absl::OkStatus();
  }
  struct stat info{};
  const bool directory = stat(location.c_str(), &info) == 0 && S_ISDIR(info.st_mode);
  const int loaded = directory ? SSL_CTX_load_verify_dir(context, location.c_str())
                               : SSL_CTX_load_verify_file(context, location.c_str());
  return loaded == 1 ? absl::OkStatus() : unusable("ssl.ca.location", location);
}

absl::Status load_own_certificate(SSL_CTX* context, const TlsConfig& config) {
  if (config.certificate_location.empty()) return absl::OkStatus();
  if (SSL_CTX_use_certificate_chain_file(context, config.certificate_location.c_str()) != 1) {
    return unusable("ssl.certificate.location", config.certificate_location);
  }
  SSL_CTX_set_default_passwd_cb(context, give_key_password);
  SSL_CTX_set_default_passwd_cb_userdata(context, const_cast<TlsConfig*>(&config));
  if (SSL_CTX_use_PrivateKey_file(context, config.key_location.c_str(), SSL_FILETYPE_PEM) != 1) {
    return unusable("ssl.key.location", config.key_location);
  }
  return absl::OkStatus();
}

absl::StatusOr<SslContext> make_context(const TlsConfig& config) {
  ERR_clear_error();
  SslContext context(SSL_CTX_new(TLS_client_method()), &SSL_CTX_free);
  if (context == nullptr) return absl::InternalError(openssl_error());
  SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
  SSL_CTX_set_verify(context.get(), config.verify_certificate ? SSL_VERIFY_PEER : SSL_VERIFY_NONE,
                     nullptr);
  WEIR_RETURN_IF_ERROR(load_trust(context.get(), config.ca_location));
  WEIR_RETURN_IF_ERROR(load_own_certificate(context.get(), config));
  return context;
}

bool is_ip_address(const std::string& host) {
  in6_addr buffer;
  return inet_pton(AF_INET, host.c_str(), &buffer) == 1 ||
         inet_pton(AF_INET6, host.c_str(), &buffer) == 1;
}

// A certificate lists addresses apart from names, and only a name may be sent ahead (SNI).
void expect_host(SSL* ssl, const std::string& host, bool verify_hostname) {
  const bool address = is_ip_address(host);
  if (!address) SSL_set_tlsext_host_name(ssl, host.c_str());
  if (!verify_hostname) return;
  if (address) {
    X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host.c_str());
  } else {
    SSL_set1_host(ssl, host.c_str());
  }
}

// TLS between two memory buffers, with the transport's own send and receive, so that deadlines and
// signals are handled in one place.
class TlsStream : public ByteStream {
 public:
  TlsStream(SslContext context, Ssl ssl, std::unique_ptr<ByteStream> transport)
      : context_(std::move(context)), ssl_(std::move(ssl)), transport_(std::move(transport)) {
    SSL_set_bio(ssl_.get(), BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
  }

  absl::Status handshake(Deadline deadline) {
    return run([this] { return SSL_connect(ssl_.get()); }, deadline).status();
  }

  absl::Status send(std::string_view bytes, Deadline deadline) override {
    while (!bytes.empty()) {
      const int size = static_cast<int>(std::min<size_t>(bytes.size(), INT_MAX));
      WEIR_ASSIGN_OR_RETURN(
          const size_t sent,
          run([&] { return SSL_write(ssl_.get(), bytes.data(), size); }, deadline));
      bytes.remove_prefix(sent);
    }
    return absl::OkStatus();
  }

  absl::StatusOr<size_t> receive(char* buffer, size_t size, Deadline deadline) override {
    const int most = static_cast<int>(std::min<size_t>(size, INT_MAX));
    return run([&] { return SSL_read(ssl_.get(), buffer, most); }, deadline);
  }

  bool quiet() const override { return transport_->quiet(); }

 private:
  // Repeats one OpenSSL call, carrying bytes between its buffers and the transport, until it is
  // done. Returns the call's own (positive) result.
  template <typename Call>
  absl::StatusOr<size_t> run(Call call, Deadline deadline) {
    for (;;) {
      ERR_clear_error();
      const int result = call();
      const int error = result > 0 ? SSL_ERROR_NONE : SSL_get_error(ssl_.get(), result);
      const absl::Status failure = failure_of(error);
      // Also after a failure: what is left to send is the alert that tells the broker why.
      const absl::Status flushed = flush(deadline);
      WEIR_RETURN_IF_ERROR(failure);
      WEIR_RETURN_IF_ERROR(flushed);
      if (result > 0) return static_cast<size_t>(result);
      if (error == SSL_ERROR_WANT_READ) WEIR_RETURN_IF_ERROR(fill(deadline));
    }
  }

  absl::Status failure_of(int error) const {
    if (error == SSL_ERROR_NONE || error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) {
      return absl::OkStatus();
    }
    if (error == SSL_ERROR_ZERO_RETURN) return absl::UnavailableError("closed by the other side");
    const long verdict = SSL_get_verify_result(ssl_.get());
    if (SSL_get_verify_mode(ssl_.get()) != SSL_VERIFY_NONE && verdict != X509_V_OK) {
      ERR_clear_error();
      return absl::FailedPreconditionError(absl::StrCat(
          "TLS: the broker's certificate isn't trusted: ", X509_verify_cert_error_string(verdict),
          "; see ssl.ca.location"));
    }
    return absl::FailedPreconditionError(absl::StrCat("TLS: ", openssl_error()));
  }

  absl::Status flush(Deadline deadline) {
    char* pending = nullptr;
    const long size = BIO_get_mem_data(SSL_get_wbio(ssl_.get()), &pending);
    if (size <= 0) return absl::OkStatus();
    const absl::Status sent =
        transport_->send(std::string_view(pending, static_cast<size_t>(size)), deadline);
    BIO_reset(SSL_get_wbio(ssl_.get()));
    return sent;
  }

  absl::Status fill(Deadline deadline) {
    std::array<char, 16 * 1024> buffer;
    WEIR_ASSIGN_OR_RETURN(const size_t received,
                          transport_->receive(buffer.data(), buffer.size(), deadline));
    BIO_write(SSL_get_rbio(ssl_.get()), buffer.data(), static_cast<int>(received));
    return absl::OkStatus();
  }

  SslContext context_;
  Ssl ssl_;
  std::unique_ptr<ByteStream> transport_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<ByteStream>> connect_tls(const TlsConfig& config,
                                                        const std::string& host,
                                                        std::unique_ptr<ByteStream> transport,
                                                        Deadline deadline) {
  WEIR_ASSIGN_OR_RETURN(SslContext context, make_context(config));
  Ssl ssl(SSL_new(context.get()), &SSL_free);
  if (ssl == nullptr) return absl::InternalError(openssl_error());
  expect_host(ssl.get(), host, config.verify_hostname);
  auto stream =
      std::make_unique<TlsStream>(std::move(context), std::move(ssl), std::move(transport));
  WEIR_RETURN_IF_ERROR(stream->handshake(deadline));
  return stream;
}

}  // namespace weir::kafka::protocol
