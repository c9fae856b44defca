#include "jobmanager/rest/serialized_throwable.h"

#include <cstdint>
#include <initializer_list>

namespace weir::rest {

namespace {

constexpr char kNull = 0x70;
constexpr char kClassDescription = 0x72;
constexpr char kObject = 0x73;
constexpr char kString = 0x74;
constexpr char kEndOfBlock = 0x78;
constexpr char kSerializable = 0x02;
constexpr char kSerializableByMethod = 0x03;
constexpr size_t kTextBytesMax = 60000;  // a string's length has two bytes

void append_number(std::string& out, uint64_t value, int bytes) {
  for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8) {
    out.push_back(static_cast<char>(value >> shift));
  }
}

// Java's UTF-8 has no zero bytes and no sequences of four: '?' stands for both.
std::string java_utf8(std::string_view text) {
  std::string result;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool starts_character = (byte & 0xC0) != 0x80;
    if (starts_character && result.size() >= kTextBytesMax) break;
    const bool of_skipped = !starts_character && !result.empty() && result.back() == '?';
    if (byte == 0 || byte >= 0xF0) {
      result.push_back('?');
    } else if (!of_skipped) {
      result.push_back(c);
    }
  }
  return result;
}

void append_text(std::string& out, std::string_view text) {
  append_number(out, text.size(), 2);
  out.append(text);
}

void append_class(std::string& out, std::string_view name, uint64_t version, char flags,
                  std::initializer_list<std::string_view> text_fields) {
  out.push_back(kClassDescription);
  append_text(out, name);
  append_number(out, version, 8);
  out.push_back(flags);
  append_number(out, text_fields.size(), 2);
  for (std::string_view field : text_fields) {
    out.push_back('L');
    append_text(out, field);
    out.push_back(kString);
    append_text(out, "Ljava/lang/String;");
  }
  out.push_back(kEndOfBlock);
}

void append_value(std::string& out, std::string_view text) {
  out.push_back(kString);
  append_text(out, text);
}

}  // namespace

std::string serialized_throwable(std::string_view message) {
  const std::string text = java_utf8(message);
  std::string out;
  append_number(out, 0xACED0005, 4);
  out.push_back(kObject);
  // A class, its superclass and so on, each with those of its fields that aren't null.
  append_class(out, "org.apache.flink.util.SerializedThrowable", 0x65169DF51FA713F3, kSerializable,
               {"fullStringifiedStackTrace", "originalErrorClassName"});
  append_class(out, "java.lang.Exception", 0xD0FD1F3E1A3B1CC4, kSerializable, {});
  append_class(out, "java.lang.Throwable", 0xD5C635273977B8CB, kSerializableByMethod,
               {"detailMessage"});
  out.push_back(kNull);
  // The fields' values, the outermost superclass first.
  append_value(out, text);
  out.push_back(kEndOfBlock);
  append_value(out, text);
  append_value(out, kErrorClass);
  return out;
}

}  // namespace weir::rest
