// A data race that the thread sanitizer's build must find.
#include <thread>

int main() {
  int unguarded = 0;
  std::thread other([&] { ++unguarded; });
  ++unguarded;
  other.join();
  return 0;
}
