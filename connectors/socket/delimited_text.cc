#include "connectors/socket/delimited_text.h"

#include <algorithm>
#include <utility>

#include "weir/error.h"

namespace weir::socket {

DelimitedText::DelimitedText(std::string delimiter, std::size_t text_bytes_max)
    : delimiter_(std::move(delimiter)), text_bytes_max_(text_bytes_max) {}

void DelimitedText::append(std::string_view bytes) {
  bytes_.erase(0, begin_);
  searched_ -= begin_;
  begin_ = 0;
  bytes_ += bytes;
}

std::optional<std::string_view> DelimitedText::next() {
  const std::size_t end = bytes_.find(delimiter_, searched_);
  if (end == std::string::npos) {
    // The last bytes may begin a delimiter whose end is still to come.
    const std::size_t undecided = std::min(bytes_.size() - begin_, delimiter_.size() - 1);
    searched_ = std::max(searched_, bytes_.size() - undecided);
    check_size(searched_ - begin_);
    return std::nullopt;
  }
  check_size(end - begin_);
  std::string_view text(bytes_.data() + begin_, end - begin_);
  begin_ = searched_ = end + delimiter_.size();
  if (delimiter_ == "\n" && text.ends_with('\r')) text.remove_suffix(1);
  return text;
}

std::optional<std::string_view> DelimitedText::take_rest() {
  const std::string_view rest = std::string_view(bytes_).substr(begin_);
  begin_ = searched_ = bytes_.size();
  if (rest.empty()) return std::nullopt;
  return rest;
}

void DelimitedText::check_size(std::size_t bytes) const {
  if (bytes <= text_bytes_max_) return;
  throw Error("a line has more than " + std::to_string(text_bytes_max_) +
              " bytes: raise SocketTextSource::max_line_bytes(), or check its delimiter()");
}

}  // namespace weir::socket
