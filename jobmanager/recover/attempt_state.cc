// The part of the AttemptMachine that says where it is.
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "jobmanager/recover/attempt_machine.h"

namespace weir {

std::string_view to_string(AttemptStep step) {
  switch (step) {
    case AttemptStep::kNew:
      return "new";
    case AttemptStep::kWaitingForSlots:
      return "waiting for slots";
    case AttemptStep::kValidating:
      return "validating";
    case AttemptStep::kClaiming:
      return "claiming resources";
    case AttemptStep::kPersisting:
      return "persisting the attempt";
    case AttemptStep::kRecovering:
      return "recovering";
    case AttemptStep::kStarting:
      return "starting";
    case AttemptStep::kRunning:
      return "running";
    case AttemptStep::kFinishing:
      return "finishing";
    case AttemptStep::kCanceling:
      return "canceling";
    case AttemptStep::kWaitingToRestart:
      return "waiting to restart";
    case AttemptStep::kDone:
      return "done";
  }
  return "?";
}

std::string_view AttemptMachine::job_state() const {
  const JobIntent intent = intent_wanted_.value_or(intent_);
  const bool done = step_ == AttemptStep::kDone;
  switch (intent) {
    case JobIntent::kCancel:
      return done ? "CANCELED" : "CANCELLING";
    case JobIntent::kFail:
      return done ? "FAILED" : "FAILING";
    case JobIntent::kFinish:
      if (done) return "FINISHED";
      break;
    case JobIntent::kRun:
      break;
  }
  if (step_ == AttemptStep::kRunning || step_ == AttemptStep::kFinishing || settled_) {
    return "RUNNING";
  }
  const bool waits = step_ == AttemptStep::kCanceling || step_ == AttemptStep::kWaitingToRestart;
  return attempt_ == Attempt() && !waits ? "CREATED" : "RESTARTING";
}

std::string AttemptMachine::waiting_for() const {
  switch (step_) {
    case AttemptStep::kValidating:
      return absl::StrCat("validation of ", absl::StrJoin(unvalidated_, ", "));
    case AttemptStep::kRecovering:
      return unrecovered_.empty() ? absl::StrCat("deployment of ", undeployed_.size(), " tasks")
                                  : absl::StrCat("recovery of ", absl::StrJoin(unrecovered_, ", "));
    case AttemptStep::kStarting:
      return absl::StrCat("start of ", not_running_.size(), " tasks");
    case AttemptStep::kFinishing:
      return "the last commits";
    case AttemptStep::kCanceling:
      return only_regions_
                 ? absl::StrCat("the end of ", restarted_.size(), " tasks on ",
                                absl::StrJoin(unreleased_, ", "))
                 : absl::StrCat("the end of the attempt on ", absl::StrJoin(participants_, ", "));
    case AttemptStep::kRunning:
    case AttemptStep::kNew:
    case AttemptStep::kDone:
      return "";
    default:
      return std::string(to_string(step_));
  }
}

}  // namespace weir
