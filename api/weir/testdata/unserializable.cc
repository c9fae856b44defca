// Must not compile, and the compiler must say why.
#include "weir/codec.h"

struct Unnamed {
  int field;
};

std::string bytes = weir::encode(Unnamed{1});
