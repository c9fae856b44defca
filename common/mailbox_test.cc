#include "common/mailbox.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "common/status_matchers.h"

namespace weir {
namespace {

using namespace std::chrono_literals;

// Runs `task` on the mailbox and waits until it has run.
void run_on(Mailbox& mailbox, Mailbox::Task task) {
  std::atomic<bool> done{false};
  ASSERT_TRUE(mailbox.post([&] {
    task();
    done = true;
    done.notify_one();
  }));
  done.wait(false);
}

TEST(Mailbox, RunsTasksInTheOrderOfPostingOnItsOwnThread) {
  Mailbox mailbox({.name = "order"});
  mailbox.start();
  std::vector<int> seen;
  for (int i = 0; i < 100; ++i) {
    EXPECT_TRUE(mailbox.post([&, i] {
      EXPECT_TRUE(mailbox.on_mailbox_thread());
      seen.push_back(i);
    }));
  }
  run_on(mailbox, [] {});
  EXPECT_EQ(seen.size(), 100u);
  EXPECT_TRUE(std::is_sorted(seen.begin(), seen.end()));
  EXPECT_FALSE(mailbox.on_mailbox_thread());
}

TEST(Mailbox, NoTaskIsLostUnderContention) {
  Mailbox mailbox({.capacity = 1'000'000});
  mailbox.start();
  constexpr int kThreads = 8, kEach = 5000;
  int64_t ran = 0;  // only the mailbox's thread touches it
  std::vector<std::thread> posters;
  for (int t = 0; t < kThreads; ++t) {
    posters.emplace_back([&] {
      for (int i = 0; i < kEach; ++i) EXPECT_TRUE(mailbox.post([&] { ++ran; }));
    });
  }
  for (auto& poster : posters) poster.join();
  mailbox.shutdown(Mailbox::Pending::kDrain);
  EXPECT_EQ(ran, kThreads * kEach);
}

TEST(Mailbox, AWaitingThreadIsWokenByEachPost) {
  Mailbox mailbox({});
  constexpr int kRounds = 3000;
  std::atomic<int> ran{0};
  std::thread runner([&] {
    for (int i = 0; i < kRounds; ++i) EXPECT_TRUE(mailbox.run_one(30s));
  });
  for (int i = 0; i < kRounds; ++i) {
    ASSERT_TRUE(mailbox.post([&] {
      ++ran;
      ran.notify_one();
    }));
    ran.wait(i);  // the runner goes to sleep between posts, or is about to
  }
  runner.join();
  EXPECT_EQ(ran, kRounds);
}

TEST(Mailbox, TimersFireInTheOrderOfTheirTimes) {
  ManualClock clock;
  Mailbox mailbox({.clock = &clock});
  std::vector<int> seen;
  mailbox.post_after(20ms, [&] { seen.push_back(20); });
  mailbox.post_after(10ms, [&] { seen.push_back(10); });
  mailbox.post_after(10ms, [&] { seen.push_back(11); });
  EXPECT_EQ(mailbox.run_pending(), 0u);
  EXPECT_EQ(mailbox.time_to_next_timer(), 10ms);
  clock.advance(9ms);
  EXPECT_EQ(mailbox.run_pending(), 0u);
  clock.advance(11ms);
  EXPECT_EQ(mailbox.run_pending(), 3u);
  EXPECT_EQ(seen, (std::vector<int>{10, 11, 20}));
  EXPECT_EQ(mailbox.time_to_next_timer(), std::chrono::nanoseconds::max());
}

TEST(Mailbox, ACancelledTimerDoesNotFire) {
  ManualClock clock;
  Mailbox mailbox({.clock = &clock});
  bool fired = false;
  const Mailbox::TimerId timer = mailbox.post_after(10ms, [&] { fired = true; });
  EXPECT_TRUE(mailbox.cancel_timer(timer));
  EXPECT_FALSE(mailbox.cancel_timer(timer));
  clock.advance(20ms);
  EXPECT_EQ(mailbox.run_pending(), 0u);
  EXPECT_FALSE(fired);
}

TEST(Mailbox, AnEarlierTimerWakesAThreadThatWaitsForALaterOne) {
  Mailbox mailbox({});
  mailbox.start();
  std::atomic<bool> fired{false};
  mailbox.post_after(1h, [] {});
  run_on(mailbox, [] {});
  mailbox.post_after(1ms, [&] {
    fired = true;
    fired.notify_one();
  });
  fired.wait(false);
}

TEST(Mailbox, DrainRunsWhatWaitsAndDropDestroysIt) {
  auto token = std::make_shared<int>(1);
  int ran = 0;
  {
    Mailbox mailbox({});
    EXPECT_TRUE(mailbox.post([&ran, token] { ++ran; }));
    mailbox.shutdown(Mailbox::Pending::kDrain);
    EXPECT_EQ(mailbox.run_pending(), 1u);
    EXPECT_FALSE(mailbox.run_one(1h));
  }
  EXPECT_EQ(ran, 1);
  Mailbox mailbox({});
  EXPECT_TRUE(mailbox.post([&ran, token] { ++ran; }));
  mailbox.post_after(0ms, [&ran, token] { ++ran; });
  mailbox.shutdown(Mailbox::Pending::kDrop);
  EXPECT_EQ(mailbox.run_pending(), 0u);
  EXPECT_EQ(ran, 1);
  EXPECT_EQ(token.use_count(), 1);
}

TEST(Mailbox, NothingIsAcceptedAfterShutdown) {
  Mailbox mailbox({.name = "job"});
  mailbox.start();
  mailbox.shutdown(Mailbox::Pending::kDrain);
  EXPECT_FALSE(mailbox.post([] { FAIL(); }));
  EXPECT_EQ(mailbox.post_after(0ms, [] { FAIL(); }), 0u);
  EXPECT_THAT(mailbox.try_post([] {}),
              StatusIs(absl::StatusCode::kUnavailable, "mailbox job is shut down"));
}

TEST(Mailbox, ATaskMayShutItsMailboxDown) {
  Mailbox mailbox({});
  mailbox.start();
  run_on(mailbox, [&] { mailbox.shutdown(Mailbox::Pending::kDrain); });
  EXPECT_FALSE(mailbox.post([] {}));
}

TEST(Mailbox, ATaskThatPostsItselfDoesNotHoldRunPending) {
  Mailbox mailbox({});
  int ran = 0;
  std::function<void()> again = [&] {
    ++ran;
    mailbox.post(again);
  };
  mailbox.post(again);
  EXPECT_EQ(mailbox.run_pending(), 1u);
  EXPECT_EQ(mailbox.run_pending(), 1u);
  EXPECT_EQ(ran, 2);
}

TEST(Mailbox, RunOneGivesUpAfterItsWait) {
  Mailbox mailbox({});
  EXPECT_FALSE(mailbox.run_one(1ms));
}

TEST(Mailbox, ThePosterCallsTheWakeupHook) {
  int woken = 0;
  Mailbox mailbox({.wakeup = [&] { ++woken; }});
  mailbox.post([] {});
  EXPECT_THAT(mailbox.try_post([] {}), IsOk());
  EXPECT_EQ(woken, 2);
}

TEST(Mailbox, TryPostIsRefusedWhenFull) {
  Mailbox mailbox({.name = "small", .capacity = 2});
  EXPECT_THAT(mailbox.try_post([] {}), IsOk());
  EXPECT_THAT(mailbox.try_post([] {}), IsOk());
  EXPECT_THAT(mailbox.try_post([] {}), StatusIs(absl::StatusCode::kResourceExhausted));
  EXPECT_EQ(mailbox.run_pending(), 2u);
  EXPECT_THAT(mailbox.try_post([] {}), IsOk());
}

TEST(Mailbox, TryPostLeavesAQuarterToPost) {
  Mailbox mailbox({.name = "small", .capacity = 8});
  for (int i = 0; i < 6; ++i) EXPECT_THAT(mailbox.try_post([] {}), IsOk());
  EXPECT_THAT(mailbox.try_post([] {}), StatusIs(absl::StatusCode::kResourceExhausted));
  EXPECT_TRUE(mailbox.post([] {}));
  EXPECT_TRUE(mailbox.post([] {}));
}

TEST(MailboxDeathTest, PostIntoAFullMailboxAborts) {
  Mailbox mailbox({.name = "small", .capacity = 1});
  EXPECT_TRUE(mailbox.post([] {}));
  EXPECT_DEATH(mailbox.post([] {}), "mailbox small is full: 1 tasks wait");
}

TEST(MailboxDeathTest, TwoThreadsMayNotRunOneMailbox) {
  Mailbox mailbox({});
  mailbox.run_pending();
  EXPECT_DEATH(std::thread([&] { mailbox.run_pending(); }).join(), "run by two threads");
}

}  // namespace
}  // namespace weir
