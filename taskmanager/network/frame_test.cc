#include "taskmanager/network/frame.h"

#include <gmock/gmock.h>

#include <random>
#include <string>

#include "absl/strings/escaping.h"
#include "common/status_matchers.h"
#include "taskmanager/network/buffer_pool.h"

namespace weir {
namespace {

using testing::HasSubstr;

std::string hex(std::string_view bytes) {
  return absl::BytesToHexString(absl::string_view(bytes.data(), bytes.size()));
}

std::string_view view(const EncodedHeader& header) {
  return {header.data(), header.size()};
}

const FrameHeader kHeader{.type = FrameType::kBuffer,
                          .continued = true,
                          .backlog = 0x0102,
                          .channel = 0x03040506,
                          .number = 0x0708090a,
                          .body_bytes = 0x1b1c};

TEST(FrameTest, TheHeadersBytesStay) {
  EXPECT_EQ(hex(view(encode_header(kHeader))),
            "1c1b0000"
            "05"
            "01"
            "0201"
            "06050403"
            "0a090807"
            "41a10196");
}

TEST(FrameTest, TheBodiesBytesStay) {
  EXPECT_EQ(hex(encode_hello({.address = "a:1"})),
            "57454952"
            "0200"
            "613a31");
  EXPECT_EQ(
      hex(encode_open(
          {.partition =
               {.job = JobId(1, 2), .attempt = Attempt(3), .vertex = 4, .edge = 5, .subtask = 6},
           .channel = 7})),
      "0100000000000000"
      "0200000000000000"
      "03000000"
      "04000000"
      "05000000"
      "06000000"
      "07000000");
  EXPECT_EQ(hex(encode_event({.kind = Event::Kind::kBarrier,
                              .checkpoint = CheckpointId(0x0102),
                              .savepoint = true,
                              .stop_sources = false,
                              .trigger_time_ms = 3,
                              .aligned_until_ms = 0x0405,
                              .folder = "f",
                              .shared_folder = "sh"})),
            "01"
            "0201000000000000"
            "01"
            "00"
            "0300000000000000"
            "0504000000000000"
            "010066"
            "02007368");
}

TEST(FrameTest, WhatIsEncodedIsDecoded) {
  EXPECT_EQ(*decode_header(view(encode_header(kHeader))), kHeader);
  const HelloFrame hello{.address = "host:1"};
  EXPECT_EQ(*decode_hello(encode_hello(hello)), hello);
  const OpenFrame open{{JobId(9, 8), Attempt(7), 6, 5, 4}, 3};
  EXPECT_EQ(*decode_open(encode_open(open)), open);
  for (const Event& event :
       {Event::end_of_partition(), Event::abort_checkpoint(CheckpointId(4)),
        Event{Event::Kind::kBarrier, CheckpointId(5), true, true, 1700000000000, 1700000000500,
              "/dir/job/chk-5", "/dir/job/shared"}}) {
    EXPECT_EQ(*decode_event(encode_event(event)), event);
  }
  const std::string error = encode_error_frame(5, absl::NotFoundError("no such partition"));
  const auto header = decode_header(error.substr(0, kFrameHeaderBytes));
  ASSERT_THAT(header, IsOk());
  EXPECT_EQ(header->channel, 5u);
  EXPECT_EQ(status_of_error(*header, error.substr(kFrameHeaderBytes)),
            absl::NotFoundError("no such partition"));
}

TEST(FrameTest, AFlippedBitOfTheHeaderIsFound) {
  const EncodedHeader good = encode_header(kHeader);
  for (size_t bit = 0; bit < 8 * good.size(); ++bit) {
    EncodedHeader bad = good;
    bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << (bit % 8)));
    EXPECT_THAT(decode_header(view(bad)),
                StatusIs(absl::StatusCode::kDataLoss, HasSubstr("checksum")))
        << "bit " << bit;
  }
}

TEST(FrameTest, ABodyThatIsTooLargeIsRefused) {
  FrameHeader header = kHeader;
  header.body_bytes = kBufferBytes + 1;
  EXPECT_THAT(decode_header(view(encode_header(header))),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("32769 bytes is too large")));
  header.type = FrameType::kEvent;
  header.body_bytes = 16385;
  EXPECT_THAT(decode_header(view(encode_header(header))),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("16385 bytes is too large")));
}

TEST(FrameTest, AnUnknownTypeIsRefused) {
  for (const int type : {0, 8, 255}) {
    FrameHeader header = kHeader;
    header.type = static_cast<FrameType>(type);
    EXPECT_THAT(decode_header(view(encode_header(header))),
                StatusIs(absl::StatusCode::kDataLoss, HasSubstr("type " + std::to_string(type))));
  }
}

TEST(FrameTest, AnotherVersionIsRefusedNamingBoth) {
  EXPECT_THAT(decode_hello(encode_hello({.version = 7, .address = "host:1"})),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       HasSubstr("TaskManager at host:1 speaks version 7 of the data protocol, "
                                 "this one 2")));
}

TEST(FrameTest, BodiesOfAnotherSizeAreRefused) {
  const std::string open = encode_open({});
  const std::string event = encode_event({});
  EXPECT_FALSE(decode_open(open.substr(1)).ok());
  EXPECT_FALSE(decode_open(open + "x").ok());
  EXPECT_FALSE(decode_event(event.substr(1)).ok());
  EXPECT_FALSE(decode_event(event + "x").ok());
  EXPECT_FALSE(decode_hello("WEI").ok());
  EXPECT_FALSE(decode_hello(std::string("HTTP/1.1 400")).ok());
}

TEST(FrameTest, AnErrorsTextIsCutToWhatAReaderTakes) {
  const std::string frame = encode_error_frame(1, absl::InternalError(std::string(90'000, 'e')));
  EXPECT_THAT(decode_header(frame.substr(0, kFrameHeaderBytes)), IsOk());
}

TEST(FrameTest, RandomBodiesAreNeverAcceptedAsSomethingElse) {
  std::mt19937_64 random(1);
  for (int round = 0; round < 20'000; ++round) {
    std::string bytes(random() % 64, 0);
    for (char& c : bytes) c = static_cast<char>(random());
    EXPECT_FALSE(decode_header(bytes).ok());
    EXPECT_FALSE(decode_hello(bytes).ok());
    if (const auto event = decode_event(bytes); event.ok()) {
      EXPECT_EQ(encode_event(*event).size(), bytes.size());
    }
  }
}

}  // namespace
}  // namespace weir
