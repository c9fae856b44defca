// Brings a proto file of its own.
#include "empty_stream.h"
#include "letter.pb.h"
#include "weir/weir.h"

WEIR_JOB(env, args) {
  weir::testdata::Letter letter;
  letter.set_text(args.get("text", "hello"));
  weir::testdata::Letter copy;
  if (!copy.ParseFromString(letter.SerializeAsString())) throw weir::Error("protobuf is broken");
  env.set_job_name(WHICH + copy.text());
  env.from_source(weir::EmptySource(), weir::WatermarkStrategy<std::string>::no_watermarks(), "in")
      .sink_to(weir::EmptySink());
}
