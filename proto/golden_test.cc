// Yesterday's bytes load today: each durable message is compared with bytes written by its
// version 1.
#include <gtest/gtest.h>

#include <string>

#include "absl/strings/escaping.h"
#include "google/protobuf/io/coded_stream.h"
#include "google/protobuf/io/zero_copy_stream_impl_lite.h"
#include "google/protobuf/text_format.h"
#include "google/protobuf/util/message_differencer.h"
#include "proto/checkpoint.pb.h"
#include "proto/job_graph.pb.h"
#include "proto/job_record.pb.h"
#include "proto/kafka.pb.h"
#include "proto/ledger.pb.h"

namespace weir::pb {
namespace {

template <typename Message>
Message from_text(const char* text) {
  Message message;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &message));
  return message;
}

std::string to_hex(const google::protobuf::Message& message) {
  std::string bytes;
  {
    google::protobuf::io::StringOutputStream stream(&bytes);
    google::protobuf::io::CodedOutputStream coded(&stream);
    coded.SetSerializationDeterministic(true);
    message.SerializeToCodedStream(&coded);
  }
  return absl::BytesToHexString(bytes);
}

template <typename Message>
void expect_golden(const char* text, const std::string& hex) {
  const Message expected = from_text<Message>(text);
  EXPECT_EQ(to_hex(expected), hex);
  Message loaded;
  ASSERT_TRUE(loaded.ParseFromString(absl::HexStringToBytes(hex)));
  EXPECT_TRUE(google::protobuf::util::MessageDifferencer::Equals(loaded, expected));
}

TEST(Golden, JobGraph) {
  expect_golden<JobGraph>(
      R"pb(format_version: 1
           name: "processed"
           nodes {
             id: 0
             kind: SOURCE
             name: "Source: lines"
             uid: "lines"
             parallelism: 2
             output_type: "s"
             has_coordinator: true
           }
           nodes {
             id: 1
             kind: SINK
             name: "Sink"
             uid: "out"
             parallelism: 2
             inputs: 0
             has_coordinator: true
             has_committer: true
           }
           configuration { key: "execution.checkpointing.interval" value: "5 s" }
           fingerprint: 81985529216486895
           library_sha256: "ab"
           library_name: "processed.so"
           arguments: "--in"
           arguments: "a"
           allow_non_restored_state: true)pb",
      "0801120970726f6365737365641a1d1a0d536f757263653a206c696e657322056c696e657328023a01734001"
      "1a18080110021a0453696e6b22036f757428023201004001480122270a20657865637574696f6e2e63686563"
      "6b706f696e74696e672e696e74657276616c120335207329efcdab8967452301320261623a0c70726f636573"
      "7365642e736f42042d2d696e4201614801");
}

TEST(Golden, JobGraphWithEdges) {
  expect_golden<JobGraph>(
      R"pb(format_version: 1
           name: "keyed"
           nodes {
             id: 3
             kind: OPERATOR
             name: "KeyedCount"
             uid: "count"
             parallelism: 3
             edges { from: 1 output: 2 partitioning: HASH }
             edges { from: 2 partitioning: BROADCAST type_without_codec: "T" }
             keyed: true
           }
           max_parallelism: 128)pb",
      "080112056b657965641a2c080310011a0a4b65796564436f756e742205636f756e7428035206080110021801"
      "5207080218032201545801508001");
}

TEST(Golden, CheckpointManifest) {
  expect_golden<CheckpointManifest>(
      R"pb(format_version: 1
           job_id: "00000000000000000000000000000001"
           job_name: "processed"
           checkpoint_id: 7
           attempt: 2
           generation: 3
           savepoint: true
           trigger_time_ms: 1700000000000
           parallelism { key: "out" value: 2 }
           operators {
             uid: "out"
             subtask: 1
             splits { id: "in-0" state: "s" }
             committables {
               transaction: "p:out:3:1:0/4711/5"
               checkpoint_id: 7
               ranges { resource: "o-1" first: 10 last: 19 records: 10 }
               records: 10
               payload: "k"
             }
             writer_state: "w"
             state { file { path: "chk-7/x" size_bytes: 70000 xxh3: 99 } }
           }
           operators {
             uid: "lines"
             state { inline: "i" }
           }
           coordinators { uid: "lines" state: "c" })pb",
      "0801122030303030303030303030303030303030303030303030303030303030303030311a0970726f636573"
      "73656420072802300338014080d095ffbc314a070a036f7574100252590a036f757410011a090a04696e2d30"
      "12017322280a12703a6f75743a333a313a302f343731312f3510071a0b0a036f2d31100a1813200a200a2a01"
      "6b2a0177321812160a0763686b2d372f7810f0a204196300000000000000520c0a056c696e657332030a0169"
      "5a0a0a056c696e6573120163");
}

TEST(Golden, CheckpointManifestWithListState) {
  expect_golden<CheckpointManifest>(
      R"pb(format_version: 1
           operators {
             uid: "rules"
             lists { name: "pending" redistribution: UNION items: "a" items: "b" }
             lists { name: "offsets" items: "c" }
           }
           max_parallelism: 128)pb",
      "080152280a0572756c657342110a0770656e64696e6710011a01611a0162420c0a076f6666736574731a0163"
      "608001");
}

TEST(Golden, KeyedStateHandle) {
  expect_golden<OperatorState>(
      R"pb(uid: "count"
           subtask: 1
           keyed {
             format_version: 1
             format: ROCKSDB
             max_parallelism: 128
             first_key_group: 64
             last_key_group: 127
             tables {
               name: "counts"
               kind: MAP
               namespaced: true
               key_type: "i64"
               user_key_type: "string"
               value_type: "f64"
             }
             files { path: "job/shared/a" size_bytes: 70000 shared: true local_name: "12.sst" }
             files { path: "job/chk-7/b" size_bytes: 9 local_name: "CURRENT" }
           })pb",
      "0a05636f756e7410013a63080110021880012040287f321e0a06636f756e74731003180122036936342a"
      "06737472696e6732036636343a1c0a0c6a6f622f7368617265642f6110f0a2041801220631322e737374"
      "3a180a0b6a6f622f63686b2d372f621009220743555252454e54");
}

TEST(Golden, InFlightHandle) {
  expect_golden<OperatorState>(
      R"pb(uid: "count"
           in_flight {
             format_version: 1
             streams {
               producer: "map"
               output: 1
               consumer: "count"
               producer_subtask: 2
               consumer_subtask: 3
               at_producer: true
               by_key: true
               bytes: 300
             }
             files { path: "f" size_bytes: 400 }
           })pb",
      "0a05636f756e744a25080112190a036d617010011a05636f756e74200228033001380140ac02"
      "1a060a0166109003");
}

TEST(Golden, KeyedStateFileHeader) {
  expect_golden<KeyedStateFileHeader>(
      R"pb(max_parallelism: 128
           tables { name: "count" kind: VALUE key_type: "i64" value_type: "i64" })pb",
      "08800112130a05636f756e74100122036936343203693634");
}

TEST(Golden, TransactionLedger) {
  expect_golden<TransactionLedger>(
      R"pb(format_version: 1
           job_id: "00000000000000000000000000000001"
           generation_max: 3
           entries {
             sink_uid: "out"
             subtask: 1
             committable { transaction: "t" checkpoint_id: 7 }
             state: LOST
             carried_first: 7
             carried_last: 8
             changed_time_ms: 1700000000000
             message: "timed out"
           })pb",
      "080112203030303030303030303030303030303030303030303030303030303030303031180322260a036f75"
      "7410011a050a017410072002280730083880d095ffbc31420974696d6564206f7574");
}

TEST(Golden, JobRecord) {
  expect_golden<JobRecord>(
      R"pb(format_version: 1
           job_id: "00000000000000000000000000000001"
           graph { name: "processed" }
           intent: CANCEL
           state: "RUNNING"
           start_time_ms: 1700000000000
           end_time_ms: 1700000000001
           attempt: 2
           generation: 3
           next_checkpoint_id: 8
           checkpoints {
             checkpoint_id: 7
             path: "chk-7"
             completed_time_ms: 1700000000000
             size_bytes: 9
           }
           savepoints { checkpoint_id: 6 path: "sp" savepoint: true }
           restored_from { checkpoint_id: 5 path: "old" }
           initial_coordinators { uid: "lines" state: "c" }
           exclusive_resources: "kafka-prefix:c/p"
           first_fault { attempt: 0 time_ms: 1700000000000 where: "Map (1/2)" cause: "error" }
           last_fault { attempt: 1 cause: "error again" }
           restarts: 2)pb",
      "0801122030303030303030303030303030303030303030303030303030303030303030311a0b120970726f63"
      "657373656420012a0752554e4e494e473080d095ffbc313881d095ffbc314002480350085a12080712056368"
      "6b2d372080d095ffbc312809620808061202737018016a07080512036f6c64720a0a056c696e65731201637a"
      "106b61666b612d7072656669783a632f708201191080d095ffbc311a094d61702028312f322922056572726f"
      "728a010f0801220b6572726f7220616761696e900102");
}

TEST(Golden, JobRecordWithMaxParallelism) {
  expect_golden<JobRecord>(R"pb(format_version: 1 state: "RUNNING" max_parallelism: 128)pb",
                           "08012a0752554e4e494e47a0018001");
}

TEST(Golden, KafkaSplitState) {
  expect_golden<KafkaSplitState>(
      R"pb(format_version: 1 topic: "in" partition: 3 next_offset: 4711 stop_offset: -1)pb",
      "08011202696e180320e72428ffffffffffffffffff01");
}

TEST(Golden, KafkaSourceState) {
  expect_golden<KafkaSourceState>(R"pb(format_version: 1
                                       splits { topic: "in" partition: 3 next_offset: 4711 }
                                       bounded: true)pb",
                                  "080112091202696e180320e7241801");
}

TEST(Golden, KafkaCommittable) {
  expect_golden<KafkaCommittable>(
      R"pb(format_version: 1
           transactional_id: "p:out:3:1:0"
           producer_id: 4711
           producer_epoch: 5
           start_time_ms: 1700000000000)pb",
      "0801120b703a6f75743a333a313a3018e72420052880d095ffbc31");
}

TEST(Golden, KafkaWriterState) {
  expect_golden<KafkaWriterState>(R"pb(format_version: 1
                                       transactional_id_prefix: "p"
                                       generation: 3
                                       subtask: 1
                                       slot_count: 4)pb",
                                  "0801120170180320012804");
}

}  // namespace
}  // namespace weir::pb
