// Counts the words of generated lines and prints each count as it grows. Needs nothing but Weir:
//
//   weir run -t local word_count.so --lines 1000
#include <weir/generator.h>
#include <weir/print.h>
#include <weir/weir.h>

#include <algorithm>
#include <map>

using namespace weir;                  // NOLINT(build/namespaces)
using namespace std::chrono_literals;  // NOLINT(build/namespaces)

namespace {

constexpr std::string_view kLines[] = {
    "to be or not to be that is the question",
    "whether tis nobler in the mind to suffer",
    "the slings and arrows of outrageous fortune",
    "or to take arms against a sea of troubles",
};

std::string line(std::uint64_t index) {
  return std::string(kLines[index % std::size(kLines)]);
}

// Counts what its own subtask sees since it started: the counts are no state of the job, so they
// start again after a failure, and with several subtasks each word has a count in each.
class CountInSubtask : public ProcessFunction<std::string, std::string> {
 public:
  void process_element(std::string_view word, Collector<std::string>& out) override {
    auto found = counts_.find(word);
    if (found == counts_.end()) found = counts_.emplace(word, 0).first;
    out.collect(out.arena().concat({word, " ", std::to_string(++found->second)}));
  }

 private:
  std::map<std::string, std::int64_t, std::less<>> counts_;
};

}  // namespace

WEIR_JOB(env, args) {
  const std::int64_t lines = args.get_int("lines", 100);
  const double lines_per_second = args.get_double("lines-per-second", 0);
  // Makes the job fail on this word, to see it restart.
  const std::string fail_on = args.get("fail-on", "");

  env.set_job_name("word count");
  env.enable_checkpointing(1s);

  if (lines < 0) throw FatalError("--lines is negative");
  GeneratorSource<std::string> source(line);
  source.count(static_cast<std::uint64_t>(lines));
  if (lines_per_second > 0) source.records_per_second(lines_per_second);

  env.from_source(source, WatermarkStrategy<std::string>::no_watermarks(), "lines")
      .uid("lines")
      .flat_map<std::string>([fail_on](std::string_view text, Collector<std::string>& out) {
        while (!text.empty()) {
          const std::string_view word = text.substr(0, text.find(' '));
          if (word == fail_on) throw Error("the word '" + fail_on + "' came");
          out.collect(word);
          text.remove_prefix(std::min(text.size(), word.size() + 1));
        }
      })
      .uid("words")
      .process(CountInSubtask())
      .uid("count")
      .sink_to(PrintSink<std::string>())
      .uid("print");
}
