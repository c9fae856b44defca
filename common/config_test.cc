#include "common/config.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <string>

#include "common/config_options.h"
#include "common/status_matchers.h"

namespace weir {
namespace {

using namespace std::chrono_literals;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;

TEST(Config, DefaultsAreFlinks) {
  const Config config;
  EXPECT_EQ(config.get(options::kJobManagerRpcPort), 6123);
  EXPECT_EQ(config.get(options::kRestPort), 8081);
  EXPECT_EQ(config.get(options::kCheckpointTimeout), 10min);
  EXPECT_EQ(config.get(options::kHeartbeatTimeout), 50s);
  EXPECT_FALSE(config.contains(options::kRestPort));
}

TEST(Config, ReadsNestedAndDottedKeys) {
  Config config;
  ASSERT_THAT(config.add_yaml("# a comment\n"
                              "execution:\n"
                              "  checkpointing:\n"
                              "    interval: 5 s\n"
                              "    mode: at_least_once\n"
                              "    unaligned.enabled: true\n"
                              "taskmanager.numberOfTaskSlots: 4\n"
                              "restart-strategy.exponential-delay.backoff-multiplier: 2.5\n"
                              "taskmanager.memory.process.size: 2gb\n",
                              "weir.yaml"),
              IsOk());
  EXPECT_EQ(config.get(options::kCheckpointInterval), 5s);
  EXPECT_EQ(config.get(options::kCheckpointMode), "AT_LEAST_ONCE");
  EXPECT_TRUE(config.get(options::kUnalignedCheckpoints));
  EXPECT_EQ(config.get(options::kTaskSlots), 4);
  EXPECT_EQ(config.get(options::kExponentialDelayMultiplier), 2.5);
  EXPECT_EQ(config.get(options::kTaskManagerMemory), MemorySize{2ll << 30});
}

TEST(Config, LaterOverridesWinOverTheFile) {
  const std::string folder = testing::TempDir() + "/conf." + std::to_string(::getpid());
  std::filesystem::create_directory(folder);
  std::ofstream(folder + "/weir.yaml") << "rest.port: 1\nparallelism.default: 3\n";
  const auto config = Config::load(folder, {"rest.port=2", "rest.port=3"});
  ASSERT_THAT(config, IsOk());
  EXPECT_EQ(config->get(options::kRestPort), 3);
  EXPECT_EQ(config->get(options::kParallelism), 3);

  ::setenv("WEIR_CONF_DIR", folder.c_str(), 1);
  EXPECT_EQ(Config::load("", {})->get(options::kRestPort), 1);
  ::unsetenv("WEIR_CONF_DIR");
  EXPECT_EQ(Config::load("", {})->get(options::kRestPort), 8081);
  std::filesystem::remove_all(folder);
  EXPECT_THAT(Config::load(folder, {}), StatusIs(absl::StatusCode::kNotFound, HasSubstr(folder)));
}

TEST(Config, AnUnknownKeyIsRefusedWithTheNearest) {
  Config config;
  EXPECT_THAT(config.add_override("execution.checkpointing.intervall=5s"),
              StatusIs(kInvalid,
                       "-D: unknown key 'execution.checkpointing.intervall'; the nearest is "
                       "'execution.checkpointing.interval'"));
  EXPECT_THAT(config.add_yaml("rest: {prot: 1}", "weir.yaml"),
              StatusIs(kInvalid, HasSubstr("weir.yaml: unknown key 'rest.prot'; the nearest is "
                                           "'rest.port'")));
}

TEST(Config, ABadValueIsRefusedWithKeyValueAndWhatIsExpected) {
  Config config;
  EXPECT_THAT(config.set("execution.checkpointing.interval", "5 parsecs"),
              StatusIs(kInvalid, AllOf(HasSubstr("execution.checkpointing.interval: '5 parsecs'"),
                                       HasSubstr("expected a duration such as"))));
  EXPECT_THAT(config.set("rest.port", "65536"),
              StatusIs(kInvalid, HasSubstr("expected a whole number, at least 0, at most 65535")));
  EXPECT_THAT(config.set("parallelism.default", "0"), StatusIs(kInvalid));
  EXPECT_THAT(config.set("execution.checkpointing.mode", "TWICE"),
              StatusIs(kInvalid, HasSubstr("expected EXACTLY_ONCE | AT_LEAST_ONCE")));
  EXPECT_THAT(config.set("execution.checkpointing.unaligned.enabled", "yes"), StatusIs(kInvalid));
  EXPECT_TRUE(config.values().empty());
}

TEST(Config, MalformedFilesAndOverridesAreRefused) {
  Config config;
  EXPECT_THAT(config.add_yaml("a: b: c", "weir.yaml"),
              StatusIs(kInvalid, HasSubstr("weir.yaml: line 1")));
  EXPECT_THAT(config.add_yaml("just text", "weir.yaml"), StatusIs(kInvalid));
  EXPECT_THAT(config.add_yaml("rest.port:\n", "weir.yaml"),
              StatusIs(kInvalid, HasSubstr("'rest.port' has no value")));
  EXPECT_THAT(config.add_yaml("rest.port: 1\nrest: {port: 2}", "weir.yaml"),
              StatusIs(kInvalid, HasSubstr("'rest.port' is set twice")));
  EXPECT_THAT(config.add_override("rest.port"), StatusIs(kInvalid, HasSubstr("-Dkey=value")));
  EXPECT_THAT(config.add_yaml("# nothing\n", "weir.yaml"), IsOk());
}

TEST(Config, KeysForAJvmAreAcceptedWithANote) {
  Config config;
  ASSERT_THAT(config.add_yaml("env.java.opts.all: -Xss4m\n"
                              "classloader.parent-first-patterns.additional: [a, b]\n",
                              "weir.yaml"),
              IsOk());
  EXPECT_TRUE(config.values().empty());
  ASSERT_EQ(config.notes().size(), 2u);
  EXPECT_THAT(config.notes()[0], HasSubstr("env.java.opts.all has no effect"));
}

TEST(Config, OlderNamesMeanTheSame) {
  Config config;
  ASSERT_THAT(config.set("state.checkpoints.dir", "file:///c"), IsOk());
  EXPECT_EQ(config.get(options::kCheckpointFolder), "file:///c");
  EXPECT_THAT(config.notes(),
              ElementsAre("state.checkpoints.dir is an older name of execution.checkpointing.dir"));
}

TEST(Config, MergeLetsTheOtherWin) {
  Config file, job;
  ASSERT_THAT(file.set("rest.port", "1"), IsOk());
  ASSERT_THAT(file.set("parallelism.default", "2"), IsOk());
  ASSERT_THAT(job.set("parallelism.default", "8"), IsOk());
  file.merge(job);
  EXPECT_EQ(file.get(options::kParallelism), 8);
  EXPECT_EQ(file.get(options::kRestPort), 1);
}

TEST(Config, SecretsAreKnownByTheirNames) {
  for (const char* key : {"sasl.password", "ssl.key.password", "s3.secret-key", "auth_token",
                          "s3.access.key", "s3.access-key", "SASL.JAAS.CONFIG"}) {
    EXPECT_TRUE(is_secret_key(key)) << key;
  }
  for (const char* key : {"rest.port", "bootstrap.servers", "key.serializer"}) {
    EXPECT_FALSE(is_secret_key(key)) << key;
  }
}

TEST(ConfigOptions, KeysAreUniqueAndDefaultsAreValid) {
  std::set<std::string> keys;
  for (const OptionEntry& option : all_options()) {
    EXPECT_TRUE(keys.insert(option.key).second) << option.key;
    EXPECT_FALSE(option.description.empty()) << option.key;
    EXPECT_THAT(option.canonical_value(option.default_value), IsOk()) << option.key;
  }
}

}  // namespace
}  // namespace weir
