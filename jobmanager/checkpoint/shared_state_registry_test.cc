#include "jobmanager/checkpoint/shared_state_registry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace weir {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAreArray;

constexpr char kFolder[] = "file:///c/job/shared/";

pb::CheckpointManifest naming(const std::set<std::string>& shared) {
  pb::CheckpointManifest manifest;
  pb::KeyedStateHandle* handle = manifest.add_operators()->add_keyed();
  handle->add_files()->set_path("file:///c/job/chk-1/own");
  for (const std::string& path : shared) {
    handle->add_files()->set_path(path);
    handle->mutable_files(handle->files_size() - 1)->set_shared(true);
  }
  return manifest;
}

std::string file(int number) {
  return kFolder + std::to_string(number);
}

TEST(SharedStateRegistryTest, AFileGoesWithTheLastCheckpointThatNamesIt) {
  SharedStateRegistry registry(kFolder);
  registry.add("chk-1", naming({file(1), file(2)}));
  registry.add("chk-2", naming({file(2), file(3)}));
  EXPECT_THAT(registry.remove("chk-1"), ElementsAre(file(1)));
  EXPECT_THAT(registry.remove("chk-2"), ElementsAre(file(2), file(3)));
}

TEST(SharedStateRegistryTest, ACheckpointCountsOnceHoweverOftenItIsToldOfOrNamesAFile) {
  SharedStateRegistry registry(kFolder);
  pb::CheckpointManifest twice = naming({file(1)});
  *twice.add_operators() = twice.operators(0);
  registry.add("chk-1", twice);
  registry.add("chk-1", twice);
  EXPECT_THAT(registry.remove("chk-1"), ElementsAre(file(1)));
  EXPECT_THAT(registry.remove("chk-1"), IsEmpty());
}

TEST(SharedStateRegistryTest, WhatAnotherJobLeftIsNeverDeleted) {
  SharedStateRegistry registry(kFolder);
  registry.add("old", naming({"file:///c/other/shared/1"}));
  EXPECT_TRUE(registry.is_named("file:///c/other/shared/1"));
  EXPECT_THAT(registry.remove("old"), IsEmpty());
  EXPECT_THAT(registry.unnamed({"file:///c/other/shared/1", file(1)}), ElementsAre(file(1)));
}

TEST(SharedStateRegistryTest, AnAbandonedCheckpointLeavesOnlyWhatNoRetainedOneNames) {
  SharedStateRegistry registry(kFolder);
  registry.add("chk-1", naming({file(1)}));
  EXPECT_THAT(registry.unnamed(naming({file(1), file(2)})), ElementsAre(file(2)));
}

// Random lives of a job: incremental checkpoints, some of them abandoned, a number retained,
// restarts that rebuild the registry. The storage holds exactly what is still needed.
TEST(SharedStateRegistryTest, TheStorageHoldsExactlyWhatRetainedCheckpointsName) {
  for (unsigned seed = 1; seed <= 300; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    const auto below = [&](unsigned n) { return static_cast<int>(random() % n); };
    const size_t retained_most = 1 + static_cast<size_t>(below(3));
    std::map<std::string, std::set<std::string>> retained;
    std::vector<std::string> order;
    std::set<std::string> storage;
    auto registry = std::make_unique<SharedStateRegistry>(kFolder);
    const auto delete_files = [&](const std::vector<std::string>& files) {
      for (const std::string& path : files) EXPECT_EQ(storage.erase(path), 1u) << path;
    };
    int next_file = 0;
    for (int checkpoint = 1; checkpoint <= 60; ++checkpoint) {
      // Of the last retained one most files, and new ones.
      std::set<std::string> files;
      if (!order.empty()) {
        for (const std::string& path : retained[order.back()]) {
          if (below(4) > 0) files.insert(path);
        }
      }
      for (int i = below(4); i > 0; --i) files.insert(file(next_file++));
      storage.insert(files.begin(), files.end());
      const std::string path = "chk-" + std::to_string(checkpoint);
      if (below(5) == 0) {
        delete_files(registry->unnamed(naming(files)));
      } else {
        registry->add(path, naming(files));
        retained[path] = files;
        order.push_back(path);
        if (order.size() > retained_most) {
          delete_files(registry->remove(order.front()));
          retained.erase(order.front());
          order.erase(order.begin());
        }
      }
      if (below(10) == 0) {  // what tasks left behind that nobody heard of is found by a restart
        const std::string stray = file(next_file++);
        storage.insert(stray);
        registry = std::make_unique<SharedStateRegistry>(kFolder);
        for (const auto& [name, named] : retained) registry->add(name, naming(named));
        const auto found = registry->unnamed({storage.begin(), storage.end()});
        EXPECT_THAT(found, ElementsAre(stray));
        delete_files(found);
      }
      std::set<std::string> needed;
      for (const auto& [name, named] : retained) needed.insert(named.begin(), named.end());
      EXPECT_THAT(storage, UnorderedElementsAreArray(needed));
    }
  }
}

}  // namespace
}  // namespace weir
