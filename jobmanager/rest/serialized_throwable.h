#pragma once

#include <string>
#include <string_view>

namespace weir::rest {

// The class that Flink's client shows before the message.
inline constexpr char kErrorClass[] = "org.apache.flink.util.FlinkException";

// An org.apache.flink.util.SerializedThrowable of that class with this message, as Java's object
// serialization writes it: Flink's client reads the cause of a failed operation from nothing else,
// and asks again forever when it can't. The format: Java Object Serialization Specification,
// chapter 6.
std::string serialized_throwable(std::string_view message);

}  // namespace weir::rest
