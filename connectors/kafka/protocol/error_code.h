#pragma once

#include <cstdint>
#include <ostream>
#include <string>

namespace weir::kafka::protocol {

// What a broker answers. Codes without a name here are kept as they came: compare, never switch
// without a default.
enum class ErrorCode : int16_t {
  kUnknownServerError = -1,
  kNone = 0,
  kUnknownTopicOrPartition = 3,
  kLeaderNotAvailable = 5,
  kNotLeaderOrFollower = 6,
  kRequestTimedOut = 7,
  kCoordinatorLoadInProgress = 14,
  kCoordinatorNotAvailable = 15,
  kNotCoordinator = 16,
  kInvalidTopic = 17,
  kTopicAuthorizationFailed = 29,
  kClusterAuthorizationFailed = 31,
  kUnsupportedSaslMechanism = 33,
  kIllegalSaslState = 34,
  kUnsupportedVersion = 35,
  kInvalidRequest = 42,
  kInvalidProducerEpoch = 47,
  kInvalidTxnState = 48,
  kInvalidProducerIdMapping = 49,
  kInvalidTransactionTimeout = 50,
  kConcurrentTransactions = 51,
  kTransactionCoordinatorFenced = 52,
  kTransactionalIdAuthorizationFailed = 53,
  kSaslAuthenticationFailed = 58,
  kUnknownProducerId = 59,
  kProducerFenced = 90,
  kTransactionalIdNotFound = 105,
};

// Kafka's own spelling and the number: "INVALID_TXN_STATE (48)".
std::string error_name(ErrorCode code);

// The broker asked isn't, or not yet, the coordinator: find it again and repeat.
bool is_coordinator_moved(ErrorCode code);

std::ostream& operator<<(std::ostream& out, ErrorCode code);

}  // namespace weir::kafka::protocol
