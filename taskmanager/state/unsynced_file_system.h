#pragma once

namespace rocksdb {
class Env;
}  // namespace rocksdb

namespace weir {

// The local disk, on which nothing waits for writes to be durable: no process reads a database that
// another one has left there, whether that crashed or not. For ever.
rocksdb::Env* unsynced_env();

}  // namespace weir
