// A job that was built for another version.
#include "weir/weir.h"

#undef WEIR_ABI_STAMP
#define WEIR_ABI_STAMP "weir-api=0 compiler=gcc-4"

WEIR_JOB(env, args) {}
