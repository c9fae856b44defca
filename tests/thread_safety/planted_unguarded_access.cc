// An access without its mutex that the thread annotations must refuse.
#include "common/mutex.h"

namespace weir {

struct Counter {
  Mutex mutex;
  int count WEIR_GUARDED_BY(mutex) = 0;
};

int unguarded(Counter& counter) {
  return counter.count;
}

}  // namespace weir
