// A use after free that the address sanitizer's build must find.
#include <memory>

int main() {
  auto owner = std::make_unique<int>(1);
  volatile int* freed = owner.get();
  owner.reset();
  return *freed;
}
