#pragma once

// Whether what a long test measures again and again stays flat: file descriptors, threads, memory,
// files, transactional ids.

#include <sys/types.h>

#include <string>
#include <vector>

namespace weir::cluster_test {

struct ProcessUsage {
  int file_descriptors = 0;
  int threads = 0;
  double memory_mib = 0;  // resident and its own: without the pages of libraries
  double peak_mib = 0;    // the most that was ever resident, libraries too
};

ProcessUsage process_usage(pid_t pid);

struct FolderUsage {
  int files = 0;
  double size_kib = 0;
};

// Of a folder in which files come and go meanwhile.
FolderUsage folder_usage(const std::string& path);

struct ResourceColumn {
  std::string name;
  // By how much the median of the last third of the samples may exceed that of the first third.
  double growth_max = 0;
};

class ResourceSeries {
 public:
  explicit ResourceSeries(std::vector<ResourceColumn> columns) : columns_(std::move(columns)) {}

  // `values` in the order of the columns.
  void add(int checkpoints, std::vector<double> values);
  // One line per sample and one per third's medians.
  std::string table() const;
  // "NAME: 12 → 19, at most 3 more": the columns that aren't flat. At least 9 samples.
  std::vector<std::string> grown() const;

 private:
  double median(std::size_t column, std::size_t begin, std::size_t end) const;
  double first(std::size_t column) const { return median(column, 0, rows_.size() / 3); }
  double last(std::size_t column) const {
    return median(column, rows_.size() - rows_.size() / 3, rows_.size());
  }

  struct Row {
    int checkpoints;
    std::vector<double> values;
  };
  const std::vector<ResourceColumn> columns_;
  std::vector<Row> rows_;
};

}  // namespace weir::cluster_test
