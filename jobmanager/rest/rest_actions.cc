// What REST does to jobs: cancel, stop, savepoint, checkpoint. The last three answer at once with a
// trigger id, by which clients poll for the result.
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "common/ids.h"
#include "common/status.h"
#include "jobmanager/rest/await.h"
#include "jobmanager/rest/checkpoint_json.h"
#include "jobmanager/rest/rest_api.h"
#include "jobmanager/rest/serialized_throwable.h"

namespace weir::rest {

namespace {

absl::StatusOr<Json> parse_body(const Request& request) {
  if (request.body.empty()) return Json::object();
  Json body = Json::parse(request.body, nullptr, /*allow_exceptions=*/false);
  if (body.is_object()) return body;
  return absl::InvalidArgumentError("Bad request received: the body isn't a JSON object.");
}

absl::StatusOr<std::string> text_in(const Json& body, const char* field) {
  const auto found = body.find(field);
  if (found == body.end() || found->is_null()) return "";
  if (found->is_string()) return found->template get<std::string>();
  return absl::InvalidArgumentError(absl::StrCat("Bad request received: ", field, " isn't text."));
}

absl::StatusOr<bool> flag_in(const Json& body, const char* field) {
  const auto found = body.find(field);
  if (found == body.end() || found->is_null()) return false;
  if (found->is_boolean()) return found->template get<bool>();
  return absl::InvalidArgumentError(
      absl::StrCat("Bad request received: ", field, " is neither true nor false."));
}

absl::StatusOr<std::string> trigger_id_in(const Json& body) {
  WEIR_ASSIGN_OR_RETURN(const std::string text, text_in(body, "triggerId"));
  if (text.empty()) return text;
  const std::optional<JobId> id = JobId::parse(text);
  if (id) return to_string(*id);
  return absl::InvalidArgumentError(
      absl::StrCat("Bad request received: triggerId '", text, "' isn't 32 hex digits."));
}

// 0: not a number.
int64_t bound_in(const Json& parallelism, const char* field, int64_t otherwise) {
  const auto found = parallelism.find(field);
  if (found == parallelism.end()) return otherwise;
  return found->is_number_integer() ? found->get<int64_t>() : 0;
}

// A vertex runs at the upper bound, or the job goes on as it was: there is nothing between.
absl::StatusOr<int32_t> upper_bound_in(const std::string& vertex, const Json& requirements) {
  const Json parallelism =
      requirements.is_object() ? requirements.value("parallelism", Json()) : Json();
  const int64_t upper = parallelism.is_object() ? bound_in(parallelism, "upperBound", 0) : 0;
  const int64_t lower = upper > 0 ? bound_in(parallelism, "lowerBound", 1) : 0;
  if (lower >= 1 && upper >= lower && upper <= INT32_MAX) return static_cast<int32_t>(upper);
  return absl::InvalidArgumentError(absl::StrCat(
      "Bad request received: vertex ", vertex,
      " needs {\"parallelism\":{\"lowerBound\":1,\"upperBound\":N}} with N at least 1."));
}

Json failure_of(const absl::Status& status) {
  const std::string message(status.message());
  return {{"failure-cause",
           {{"class", kErrorClass},
            {"stack-trace", message},
            {"serialized-throwable", absl::Base64Escape(serialized_throwable(message))}}}};
}

Json request_id(const std::string& trigger_id) {
  return {{"request-id", trigger_id}};
}

}  // namespace

void RestApi::add_action_routes() {
  const auto bind = [this](auto method) {
    return [this, method](const Request& request, const Parameters& parameters) {
      return (this->*method)(request, parameters);
    };
  };
  router_.add("PATCH", "/jobs/:job", bind(&RestApi::cancel), 202);
  router_.add("POST", "/jobs/:job/stop", bind(&RestApi::stop), 202);
  router_.add("POST", "/jobs/:job/savepoints", bind(&RestApi::savepoint), 202);
  router_.add("POST", "/jobs/:job/checkpoints", bind(&RestApi::checkpoint), 202);
  router_.add("PUT", "/jobs/:job/resource-requirements", bind(&RestApi::rescale));
  const auto poll = [this](const auto&, const Parameters& parameters) {
    return operations_->poll(parameters.at("job"), parameters.at("trigger"));
  };
  router_.add("GET", "/jobs/:job/savepoints/:trigger", poll);
  router_.add("GET", "/jobs/:job/checkpoints/:trigger", poll);
}

absl::StatusOr<Json> RestApi::cancel(const Request& request, const Parameters& parameters) {
  const auto mode = request.query.find("mode");
  if (mode != request.query.end() && mode->second != "cancel") {
    return absl::InvalidArgumentError(
        absl::StrCat("mode=", mode->second,
                     ": only mode=cancel is there; for a graceful end, POST to /jobs/:jobid/stop"));
  }
  WEIR_RETURN_IF_ERROR(job(parameters).status());
  WEIR_RETURN_IF_ERROR(await<pb::CancelJobResponse>([&](auto reply) {
                         cluster_.cancel(parameters.at("job"), std::move(reply));
                       }).status());
  return Json::object();
}

absl::StatusOr<Json> RestApi::stop(const Request& request, const Parameters& parameters) {
  WEIR_ASSIGN_OR_RETURN(const Json body, parse_body(request));
  WEIR_ASSIGN_OR_RETURN(const std::string trigger_id, trigger_id_in(body));
  const std::string& job_id = parameters.at("job");
  pb::StopJobRequest stop;
  stop.set_job_id(job_id);
  WEIR_ASSIGN_OR_RETURN(*stop.mutable_directory(), text_in(body, "targetDirectory"));
  WEIR_ASSIGN_OR_RETURN(const bool drain, flag_in(body, "drain"));
  stop.set_drain(drain);
  WEIR_RETURN_IF_ERROR(job(parameters).status());
  WEIR_ASSIGN_OR_RETURN(const Operations::Begun begun, operations_->begin(job_id, trigger_id));
  if (begun.is_new) cluster_.stop(stop, savepoint_reply(job_id, begun.trigger_id));
  return request_id(begun.trigger_id);
}

absl::StatusOr<Json> RestApi::savepoint(const Request& request, const Parameters& parameters) {
  WEIR_ASSIGN_OR_RETURN(const Json body, parse_body(request));
  WEIR_ASSIGN_OR_RETURN(const std::string trigger_id, trigger_id_in(body));
  WEIR_ASSIGN_OR_RETURN(const bool cancel_job, flag_in(body, "cancel-job"));
  if (cancel_job) {
    return absl::InvalidArgumentError("cancel-job: POST to /jobs/:jobid/stop instead");
  }
  const std::string& job_id = parameters.at("job");
  pb::TriggerSavepointRequest savepoint;
  savepoint.set_job_id(job_id);
  WEIR_ASSIGN_OR_RETURN(*savepoint.mutable_directory(), text_in(body, "target-directory"));
  WEIR_RETURN_IF_ERROR(job(parameters).status());
  WEIR_ASSIGN_OR_RETURN(const Operations::Begun begun, operations_->begin(job_id, trigger_id));
  if (begun.is_new) {
    cluster_.trigger_savepoint(savepoint, savepoint_reply(job_id, begun.trigger_id));
  }
  return request_id(begun.trigger_id);
}

absl::StatusOr<Json> RestApi::checkpoint(const Request& request, const Parameters& parameters) {
  WEIR_ASSIGN_OR_RETURN(const Json body, parse_body(request));
  WEIR_ASSIGN_OR_RETURN(const std::string trigger_id, trigger_id_in(body));
  const std::string& job_id = parameters.at("job");
  WEIR_RETURN_IF_ERROR(job(parameters).status());
  WEIR_ASSIGN_OR_RETURN(const Operations::Begun begun, operations_->begin(job_id, trigger_id));
  if (begun.is_new) {
    cluster_.trigger_checkpoint(
        job_id, Reply<pb::TriggerCheckpointResponse>(
                    [operations = operations_, job_id, id = begun.trigger_id](
                        const absl::StatusOr<pb::TriggerCheckpointResponse>& done) {
                      operations->complete(job_id, id,
                                           done.ok() ? Json{{"checkpointId", done->checkpoint_id()}}
                                                     : failure_of(done.status()));
                    }));
  }
  return request_id(begun.trigger_id);
}

// Answers when the checkpoint has begun, as Flink does when it has taken the requirements.
absl::StatusOr<Json> RestApi::rescale(const Request& request, const Parameters& parameters) {
  WEIR_ASSIGN_OR_RETURN(const Json body, parse_body(request));
  pb::RescaleJobRequest rescale;
  rescale.set_job_id(parameters.at("job"));
  rescale.set_detached(true);
  for (const auto& [vertex, requirements] : body.items()) {
    WEIR_ASSIGN_OR_RETURN((*rescale.mutable_vertices())[vertex],
                          upper_bound_in(vertex, requirements));
  }
  WEIR_RETURN_IF_ERROR(job(parameters).status());
  WEIR_RETURN_IF_ERROR(await<pb::RescaleJobResponse>([&](auto reply) {
                         cluster_.rescale(rescale, std::move(reply));
                       }).status());
  return Json::object();
}

Reply<pb::SavepointResponse> RestApi::savepoint_reply(const std::string& job_id,
                                                      const std::string& trigger_id) {
  return Reply<pb::SavepointResponse>([operations = operations_, job_id, trigger_id](
                                          const absl::StatusOr<pb::SavepointResponse>& done) {
    operations->complete(
        job_id, trigger_id,
        done.ok() ? Json{{"location", flink_url(done->path())}} : failure_of(done.status()));
  });
}

}  // namespace weir::rest
