// How elements of a stream are passed from function to function.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <type_traits>

namespace weir {

// Event time of a record in milliseconds since the epoch; kNoTimestamp when the source has none.
using Timestamp = std::int64_t;
inline constexpr Timestamp kNoTimestamp = std::numeric_limits<Timestamp>::min();

// The watermark of a stream that has ended: every timer fires.
inline constexpr Timestamp kMaxWatermark = std::numeric_limits<Timestamp>::max();

namespace internal {
template <typename T>
struct ViewTraits {
  using Type = const T&;
};
template <>
struct ViewTraits<std::string> {
  using Type = std::string_view;
};
}  // namespace internal

// What a function receives for an element of type T: text is seen as std::string_view, everything
// else by const reference. Valid during the call, and, if it comes from a source or from an Arena,
// until the batch ends. Copy what you keep.
template <typename T>
using ViewOf = typename internal::ViewTraits<T>::Type;

// One record of a batch.
template <typename T>
struct Record {
  ViewOf<T> value;
  Timestamp timestamp = kNoTimestamp;
};

// The element type that a function's result makes: text of any kind becomes std::string.
template <typename R>
using ElementOf = std::conditional_t<std::is_convertible_v<R, std::string_view>, std::string,
                                     std::remove_cvref_t<R>>;

}  // namespace weir
