#include <openssl/evp.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <memory>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "api/library/job_library.h"
#include "common/check.h"

namespace weir {

absl::StatusOr<std::string> sha256_of_file(const std::string& path) {
  std::ifstream stream(path, std::ios::binary);
  if (!stream) return absl::NotFoundError(absl::StrCat(path, ": ", strerror(errno)));
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(),
                                                                        &EVP_MD_CTX_free);
  WEIR_CHECK(EVP_DigestInit_ex(context.get(), EVP_sha256(), nullptr) == 1);
  char bytes[64 * 1024];
  while (stream.read(bytes, sizeof(bytes)), stream.gcount() > 0) {
    WEIR_CHECK(EVP_DigestUpdate(context.get(), bytes, static_cast<size_t>(stream.gcount())) == 1);
  }
  if (stream.bad()) return absl::DataLossError(absl::StrCat(path, ": can't be read to its end"));
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  WEIR_CHECK(EVP_DigestFinal_ex(context.get(), digest, &size) == 1);
  return absl::BytesToHexString(absl::string_view(reinterpret_cast<const char*>(digest), size));
}

}  // namespace weir
