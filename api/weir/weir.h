// All that a job includes, but for its connectors (weir/kafka.h, …).
#pragma once

#include "weir/args.h"                   // IWYU pragma: export
#include "weir/codec.h"                  // IWYU pragma: export
#include "weir/environment.h"            // IWYU pragma: export
#include "weir/error.h"                  // IWYU pragma: export
#include "weir/job.h"                    // IWYU pragma: export
#include "weir/keyed_stream.h"           // IWYU pragma: export
#include "weir/stream.h"                 // IWYU pragma: export
#include "weir/two_phase_commit_sink.h"  // IWYU pragma: export
#include "weir/windowed_stream.h"        // IWYU pragma: export
