// Behaves as --behaviour says.
#include <stdexcept>

#include "empty_stream.h"
#include "weir/weir.h"

using weir::EmptySink, weir::EmptySource, weir::WatermarkStrategy;

WEIR_JOB(env, args) {
  static int calls = 0;
  ++calls;
  const std::string needed = args.get("needed");
  const std::string behaviour = args.get("behaviour", "good");
  if (behaviour == "throws an exception") throw std::runtime_error("as told");
  if (behaviour == "throws a fatal error") throw weir::FatalError("as told");
  if (behaviour == "throws an int") throw 7;
  env.set_job_name("fixture " + needed);
  auto stream =
      env.from_source(EmptySource(), WatermarkStrategy<std::string>::no_watermarks(), "empty");
  if (behaviour == "counts its calls") stream.name("call " + std::to_string(calls));
  if (behaviour != "has no sink") stream.sink_to(EmptySink()).uid("out");
}
