#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace weir {

// The arguments of a job: `weir run job.so --in lines --parallel-writes --limit 10`.
//
// Every get() declares its argument; when the job's entry point returns, an argument that was given
// but never asked for is an error with the usage, and so is one that was asked for without default
// and not given. `weir run job.so --help` prints the declared ones.
//
// Not thread-safe: used in the entry point only.
class Args {
 public:
  // Each of `words` is "--name", followed by its value, or "--name=value"; a name without a value
  // is the flag "true". Throws FatalError for a word that is neither.
  explicit Args(const std::vector<std::string>& words);

  // The value of --name. Without a default, a missing one makes the job fail with the usage; the
  // empty string is returned meanwhile, so that the usage lists all arguments.
  std::string get(std::string_view name);
  std::string get(std::string_view name, std::string_view default_value);
  // Throw FatalError naming the argument when the value isn't of the type.
  std::int64_t get_int(std::string_view name, std::int64_t default_value);
  double get_double(std::string_view name, double default_value);
  bool get_flag(std::string_view name);
  // "5s", "100 ms", "10min".
  std::chrono::milliseconds get_duration(std::string_view name,
                                         std::chrono::milliseconds default_value);
  // In bytes: "512kb", "8 MiB", "1gb"; units are powers of 1024.
  std::int64_t get_memory_size(std::string_view name, std::int64_t default_bytes);

  // One line per declared argument.
  std::string usage() const;
  // Throws FatalError with the usage when an argument is unknown or missing.
  void check() const;
  // The same when one is missing: of an entry point that threw, and so declared only some.
  void check_required() const;

 private:
  struct Declared {
    std::string name;
    std::string default_text;
    bool required;
  };

  const std::string* find_and_declare(std::string_view name, std::string default_text,
                                      bool required);
  // A complaint each; of those that are given and undeclared: "the job `what` --name".
  std::vector<std::string> missing() const;
  std::vector<std::string> undeclared(const std::string& what) const;
  [[noreturn]] void complain(const std::vector<std::string>& complaints) const;

  std::map<std::string, std::string, std::less<>> values_;
  std::vector<Declared> declared_;
};

}  // namespace weir
