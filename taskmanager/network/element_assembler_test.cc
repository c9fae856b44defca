#include "taskmanager/network/element_assembler.h"

#include <gmock/gmock.h>

#include <algorithm>

#include "taskmanager/network/take_element.h"

namespace weir {
namespace {

using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

std::string element(std::string_view payload) {
  std::string bytes(kElementHeaderBytes, '\0');
  write_element_header({ElementKind::kRecord, static_cast<std::uint32_t>(payload.size())},
                       bytes.data());
  return bytes.append(payload);
}

class ElementAssemblerTest : public ::testing::Test {
 protected:
  Buffer buffer(std::string_view bytes, bool continued) {
    Buffer buffer = quota_->try_take();
    std::copy(bytes.begin(), bytes.end(), buffer.memory());
    buffer.set_size(bytes.size());
    buffer.set_continued(continued);
    return buffer;
  }

  BufferPool pool_{8 * kBufferBytes};
  std::unique_ptr<BufferQuota> quota_ = *pool_.reserve("test", 8, 8);
  ElementAssembler assembler_;
};

TEST_F(ElementAssemblerTest, WholeElementsStayWhereTheyAre) {
  const Buffer whole = buffer(element("one") + element("two"), false);
  EXPECT_EQ(assembler_.add(whole).data(), whole.bytes().data());
}

TEST_F(ElementAssemblerTest, ADividedElementComesTogetherWithWhatFollowsIt) {
  const std::string bytes = element("divided") + element("next");
  EXPECT_EQ(assembler_.add(buffer(bytes.substr(0, 2), true)), "");
  EXPECT_EQ(assembler_.add(buffer(bytes.substr(2, 5), true)), "");
  EXPECT_EQ(assembler_.incomplete(), bytes.substr(0, 7));
  EXPECT_EQ(assembler_.add(buffer(bytes.substr(7), false)), bytes);
  EXPECT_EQ(assembler_.incomplete(), "");
}

TEST_F(ElementAssemblerTest, AnElementThatGoesOnAfterItsEndIsRefused) {
  const std::string bytes = element("divided");
  EXPECT_EQ(assembler_.add(buffer(bytes.substr(0, 5), true)), "");
  EXPECT_THAT([&] { assembler_.add(buffer(bytes.substr(5) + "more", true)); },
              ThrowsMessage<Error>(AllOf(HasSubstr("15 bytes of an element that has 11"),
                                         HasSubstr("another version"))));
}

TEST_F(ElementAssemblerTest, AnElementWhoseLengthIsWrongTakesNoMemoryForIt) {
  std::string bytes = element("short");
  write_element_header({ElementKind::kRecord, kElementPayloadBytesMax}, bytes.data());
  assembler_.add(buffer(bytes, true));
  std::string_view rest = assembler_.add(buffer("end", false));
  EXPECT_EQ(rest.size(), bytes.size() + 3);
  EXPECT_THROW(take_element(rest), Error);
}

}  // namespace
}  // namespace weir
