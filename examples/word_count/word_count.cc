// Counts the words of lines from a socket or a Kafka topic, and prints each count as it grows.
//
//   nc -lk 9999
//   weir run -t local word_count.so --source socket --port 9999
//
// A line that says "error" makes it fail, to see it restart with its counts.
#include <weir/print.h>
#include <weir/socket.h>

#include <optional>

#include "../kafka_arguments.h"

using namespace weir;  // NOLINT(build/namespaces)

struct WordCount {
  std::string word;
  std::int64_t count = 0;
};
WEIR_FIELDS(WordCount, word, count)

static void split(std::string_view line, Collector<WordCount>& out) {
  while (!line.empty()) {
    const std::string_view word = line.substr(0, line.find(' '));
    if (!word.empty()) out.collect({std::string(word), 1});
    line.remove_prefix(std::min(word.size() + 1, line.size()));
  }
}

static SocketTextSource socket_source(Args& args) {
  return SocketTextSource(args.get("host", "localhost"),
                          static_cast<int>(args.get_int("port", 9999)))
      .max_retries(10);
}

WEIR_JOB(env, args) {
  env.set_job_name("word_count");
  configure(env, args);
  const std::string fail_on = args.get("fail-on", "error");
  const std::string source = args.get("source", "socket");
  std::optional<KafkaArguments> kafka;
  if (source == "kafka") {
    kafka.emplace(args);
  } else if (source != "socket") {
    throw FatalError("--source is '" + source + "': it must be socket or kafka");
  }

  auto lines = kafka ? env.from_source(kafka->source(), kafka->in)
                     : env.from_source(socket_source(args), "socket");
  auto counts = lines.uid("in")
                    .map([fail_on](std::string_view line) {
                      if (line == fail_on) throw Error("a line says '" + fail_on + "'");
                      return line;
                    })
                    .uid("check")
                    .flat_map<WordCount>(split)
                    .uid("split")
                    .key_by(&WordCount::word)
                    .sum(&WordCount::count)
                    .uid("sum");
  counts.print().uid("print");
  if (kafka) {
    counts
        .map([](const WordCount& total, Arena& arena) {
          return arena.concat({total.word, ",", std::to_string(total.count)});
        })
        .uid("text")
        .sink_to(kafka->sink())
        .name("Sink: " + kafka->out)
        .uid("out");
  }
}
