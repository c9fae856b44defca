// Reading from and writing to Apache Kafka.
#pragma once

#include "weir/kafka/offsets.h"  // IWYU pragma: export
#include "weir/kafka/record.h"   // IWYU pragma: export
#include "weir/kafka/sink.h"     // IWYU pragma: export
#include "weir/kafka/source.h"   // IWYU pragma: export
