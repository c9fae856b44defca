#include "api/library/job_library.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace weir {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using Arguments = std::vector<std::string>;

std::string job(const std::string& name) {
  return WEIR_TEST_JOBS "/" + name + ".so";
}

class JobLibraryTest : public testing::Test {
 protected:
  JobLibraryTest() { std::filesystem::create_directories(folder_); }
  ~JobLibraryTest() override { std::filesystem::remove_all(folder_); }

  std::string path(const std::string& name) const { return folder_ / name; }
  std::string write(const std::string& name, const std::string& bytes) const {
    std::ofstream(path(name), std::ios::binary) << bytes;
    return path(name);
  }
  // With other contents, in a new file, that load alike.
  std::string write_copy(const std::string& from, const std::string& name,
                         const std::string& appended) const {
    std::ifstream in(from, std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
    return write(name, bytes + appended);
  }

  const std::filesystem::path folder_ =
      std::filesystem::path(testing::TempDir()) /
      ("job_library_test-" + std::to_string(getpid()) + "-" +
       testing::UnitTest::GetInstance()->current_test_info()->name());
};

std::string load_error(const std::string& path) {
  const auto library = JobLibrary::load(path);
  return library.ok() ? "" : std::string(library.status().message());
}

std::string build_error(const Arguments& arguments) {
  const auto library = JobLibrary::load(job("fixture_job"));
  if (!library.ok()) return "not loaded";
  const auto graph = (*library)->build(arguments);
  return graph.ok() ? "" : std::string(graph.status().message());
}

TEST_F(JobLibraryTest, LoadsAJobAndBuildsItsGraph) {
  const auto library = JobLibrary::load(job("fixture_job"));
  ASSERT_TRUE(library.ok()) << library.status();
  EXPECT_EQ((*library)->name(), "fixture_job.so");
  EXPECT_EQ((*library)->sha256().size(), 64u);
  EXPECT_EQ((*library)->abi_stamp(), abi_stamp());
  const auto graph = (*library)->build({"--needed", "x"});
  ASSERT_TRUE(graph.ok()) << graph.status();
  EXPECT_EQ(graph->job_name, "fixture x");
  ASSERT_EQ(graph->nodes.size(), 2u);
  EXPECT_EQ(graph->nodes[1].uid, "out");
}

TEST_F(JobLibraryTest, RefusesWhatIsNoLibrary) {
  EXPECT_THAT(load_error(path("none.so")), HasSubstr("No such file"));
  EXPECT_THAT(load_error(folder_), HasSubstr("it is a folder"));
  EXPECT_THAT(load_error(write("text.so", "hello")), HasSubstr("it is no ELF file"));
  EXPECT_THAT(load_error("/proc/self/exe"), HasSubstr("isn't a"));
}

TEST_F(JobLibraryTest, RefusesATruncatedLibrary) {
  const std::string copy = write_copy(job("fixture_job"), "half.so", "");
  std::filesystem::resize_file(copy, std::filesystem::file_size(copy) / 2);
  EXPECT_THAT(load_error(copy), HasSubstr("its ELF tables are damaged"));
}

TEST_F(JobLibraryTest, RefusesALibraryWithoutEntryPoint) {
  EXPECT_THAT(load_error(job("no_job")),
              AllOf(HasSubstr("isn't a Weir job: it lacks the symbol weir_job_entry"),
                    HasSubstr("weir_add_job")));
}

TEST_F(JobLibraryTest, RefusesAnotherAbiStampShowingBoth) {
  EXPECT_THAT(load_error(job("old_job")),
              AllOf(HasSubstr("weir-api=0 compiler=gcc-4"), HasSubstr(abi_stamp())));
}

TEST_F(JobLibraryTest, RefusesTheFullProtobufRuntime) {
  EXPECT_THAT(load_error(job("full_protobuf_job")), HasSubstr("LITE_RUNTIME"));
  EXPECT_THAT(load_error(write_copy(job("fixture_job"), "embedding.so",
                                    "google/protobuf/descriptor.proto")),
              HasSubstr("LITE_RUNTIME"));
}

TEST_F(JobLibraryTest, TwoJobsWithTheSameProtoFileLiveTogether) {
  for (const std::string which : {"first", "second"}) {
    const auto library = JobLibrary::load(job(which + "_proto_job"));
    ASSERT_TRUE(library.ok()) << library.status();
    const auto graph = (*library)->build({"--text", "hi"});
    ASSERT_TRUE(graph.ok()) << graph.status();
    EXPECT_EQ(graph->job_name, which + " hi");
  }
}

TEST_F(JobLibraryTest, TheSameContentsAreLoadedOnce) {
  const auto original = JobLibrary::load(job("fixture_job"));
  const auto copy = JobLibrary::load(write_copy(job("fixture_job"), "copy.so", ""));
  ASSERT_TRUE(original.ok() && copy.ok());
  EXPECT_EQ(*original, *copy);
}

TEST_F(JobLibraryTest, ANewerVersionIsLoadedUnderAnotherName) {
  const auto before = JobLibrary::load(write_copy(job("first_proto_job"), "job.so", "before"));
  ASSERT_TRUE(before.ok()) << before.status();
  std::filesystem::rename(write_copy(job("second_proto_job"), "new.so", "after"), path("job.so"));
  EXPECT_THAT(load_error(path("job.so")), HasSubstr("give the new one another name"));

  std::filesystem::rename(path("job.so"), path("job-2.so"));
  const auto after = JobLibrary::load(path("job-2.so"));
  ASSERT_TRUE(after.ok()) << after.status();
  EXPECT_EQ((*before)->build({})->job_name, "first hello");
  EXPECT_EQ((*after)->build({})->job_name, "second hello");
}

TEST_F(JobLibraryTest, AFileChangedInPlaceIsRefused) {
  const std::string copy = write_copy(job("fixture_job"), "changed.so", "before");
  ASSERT_EQ(load_error(copy), "");
  std::ofstream(copy, std::ios::binary | std::ios::app) << "after";
  EXPECT_THAT(load_error(copy), HasSubstr("an older version of this file is loaded"));
}

TEST_F(JobLibraryTest, ExceptionsOfEveryTypeBecomeAStatus) {
  EXPECT_EQ(build_error({"--needed=x", "--behaviour=throws an exception"}),
            "fixture_job.so: the job's entry point failed: as told");
  EXPECT_EQ(build_error({"--needed=x", "--behaviour=throws a fatal error"}),
            "fixture_job.so: as told");
  EXPECT_THAT(build_error({"--needed=x", "--behaviour=throws an int"}),
              HasSubstr("isn't a std::exception"));
}

TEST_F(JobLibraryTest, AMissingArgumentIsNamedEvenIfTheEntryPointThrowsForIt) {
  EXPECT_THAT(build_error({}), HasSubstr("the job argument --needed is missing"));
  EXPECT_THAT(build_error({"--behaviour=throws an exception"}),
              HasSubstr("the job argument --needed is missing"));
}

TEST_F(JobLibraryTest, AnUnknownArgumentIsRefusedWithTheUsage) {
  EXPECT_THAT(build_error({"--needed=x", "--unheard-of"}),
              AllOf(HasSubstr("the job takes no argument --unheard-of"),
                    HasSubstr("--behaviour (default: good)")));
}

TEST_F(JobLibraryTest, AnIncompleteGraphIsRefused) {
  EXPECT_THAT(build_error({"--needed=x", "--behaviour=has no sink"}), HasSubstr("has no sink"));
}

TEST_F(JobLibraryTest, AnEntryPointThatIsNotDeterministicIsFound) {
  const auto library = JobLibrary::load(job("fixture_job"));
  ASSERT_TRUE(library.ok());
  const Arguments steady = {"--needed=x"};
  const auto graph = (*library)->build(steady);
  ASSERT_TRUE(graph.ok());
  EXPECT_TRUE((*library)->build(steady, graph->fingerprint()).ok());

  const Arguments changing = {"--needed=x", "--behaviour=counts its calls"};
  const auto first = (*library)->build(changing);
  ASSERT_TRUE(first.ok());
  EXPECT_THAT((*library)->build(changing, first->fingerprint()).status().message(),
              testing::HasSubstr("built other streams than before"));
}

TEST_F(JobLibraryTest, UsageListsTheArguments) {
  const auto library = JobLibrary::load(job("fixture_job"));
  ASSERT_TRUE(library.ok());
  EXPECT_EQ((*library)->usage({}).value(),
            "Arguments of the job:\n  --needed (required)\n  --behaviour (default: good)\n");
}

}  // namespace
}  // namespace weir
