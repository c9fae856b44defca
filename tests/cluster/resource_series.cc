#include "tests/cluster/resource_series.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>

namespace weir::cluster_test {

namespace {

std::string number(double value) {
  std::ostringstream text;
  text.precision(value == static_cast<int>(value) ? 0 : 1);
  text << std::fixed << value;
  return text.str();
}

void append_cell(std::string& line, std::string text, std::size_t width) {
  line.append(std::max(width, text.size()) - text.size(), ' ').append(text).append("  ");
}

}  // namespace

ProcessUsage process_usage(pid_t pid) {
  const std::string process = "/proc/" + std::to_string(pid);
  ProcessUsage usage;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(process + "/fd")) {
    ++usage.file_descriptors;
  }
  std::ifstream status(process + "/status");
  for (std::string line; std::getline(status, line);) {
    std::istringstream words(line);
    std::string key;
    words >> key;
    if (key == "Threads:") words >> usage.threads;
    double kib = 0;
    if (key == "RssAnon:" && words >> kib) usage.memory_mib = kib / 1024;
    if (key == "VmHWM:" && words >> kib) usage.peak_mib = kib / 1024;
  }
  return usage;
}

FolderUsage folder_usage(const std::string& path) {
  FolderUsage usage;
  std::error_code gone;
  for (std::filesystem::recursive_directory_iterator entry(path, gone), end; entry != end;
       entry.increment(gone)) {
    const auto size = entry->is_regular_file(gone) ? entry->file_size(gone) : 0;
    if (gone) continue;
    ++usage.files;
    usage.size_kib += static_cast<double>(size) / 1024;
  }
  return usage;
}

void ResourceSeries::add(int checkpoints, std::vector<double> values) {
  if (values.size() != columns_.size()) throw std::logic_error("a sample of other columns");
  rows_.push_back({checkpoints, std::move(values)});
}

double ResourceSeries::median(std::size_t column, std::size_t begin, std::size_t end) const {
  std::vector<double> values;
  for (std::size_t row = begin; row < end; ++row) values.push_back(rows_[row].values[column]);
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::ranges::nth_element(values, middle);
  return *middle;
}

std::string ResourceSeries::table() const {
  constexpr std::size_t kLabelWidth = 11;
  std::string text;
  append_cell(text, "checkpoints", kLabelWidth);
  for (const ResourceColumn& column : columns_) append_cell(text, column.name, 0);
  text += "\n";
  const auto append_line = [&](const std::string& label, const auto& value_of) {
    append_cell(text, label, kLabelWidth);
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      append_cell(text, number(value_of(i)), columns_[i].name.size());
    }
    text += "\n";
  };
  for (const Row& row : rows_) {
    append_line(std::to_string(row.checkpoints), [&](std::size_t i) { return row.values[i]; });
  }
  append_line("first third", [&](std::size_t i) { return first(i); });
  append_line("last third", [&](std::size_t i) { return last(i); });
  append_line("may grow by", [&](std::size_t i) { return columns_[i].growth_max; });
  return text;
}

std::vector<std::string> ResourceSeries::grown() const {
  if (rows_.size() < 9) throw std::logic_error("too few samples to say whether they are flat");
  std::vector<std::string> grown;
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    if (last(i) - first(i) <= columns_[i].growth_max) continue;
    grown.push_back(columns_[i].name + ": " + number(first(i)) + " → " + number(last(i)) +
                    ", at most " + number(columns_[i].growth_max) + " more");
  }
  return grown;
}

}  // namespace weir::cluster_test
