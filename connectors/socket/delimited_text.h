#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace weir::socket {

// Cuts bytes that come in pieces into texts, at each delimiter. A delimiter "\n" takes a '\r'
// before it away.
//
//   text.append(received);
//   while (const auto line = text.next()) …
//
// Not thread-safe.
class DelimitedText {
 public:
  // REQUIRES: the delimiter isn't empty.
  DelimitedText(std::string delimiter, std::size_t text_bytes_max);

  // Ends the life of the texts that next() and take_rest() have returned.
  void append(std::string_view bytes);
  // The next whole text. Throws Error when it has more than the most bytes, even if its delimiter
  // hasn't come yet.
  std::optional<std::string_view> next();
  // What came after the last delimiter, if anything. REQUIRES: next() has nothing.
  std::optional<std::string_view> take_rest();

 private:
  void check_size(std::size_t bytes) const;

  const std::string delimiter_;
  const std::size_t text_bytes_max_;
  std::string bytes_;
  std::size_t begin_ = 0;     // of the next text
  std::size_t searched_ = 0;  // no delimiter begins in [begin_, searched_)
};

}  // namespace weir::socket
