#include "jobmanager/rest/router.h"

#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/ids.h"

namespace weir::rest {

namespace {

std::vector<std::string> segments_of(const std::string& path) {
  return absl::StrSplit(path, '/', absl::SkipEmpty());
}

std::optional<Parameters> match(const std::vector<std::string>& pattern,
                                const std::vector<std::string>& path) {
  if (pattern.size() != path.size()) return std::nullopt;
  Parameters parameters;
  for (size_t i = 0; i < pattern.size(); ++i) {
    if (pattern[i].starts_with(':')) {
      parameters[pattern[i].substr(1)] = path[i];
    } else if (pattern[i] != path[i]) {
      return std::nullopt;
    }
  }
  return parameters;
}

int http_status(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kInvalidArgument:
      return 400;
    case absl::StatusCode::kNotFound:
      return 404;
    case absl::StatusCode::kFailedPrecondition:
    case absl::StatusCode::kAlreadyExists:
      return 409;
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kResourceExhausted:
    case absl::StatusCode::kDeadlineExceeded:
      return 503;
    default:
      return 500;
  }
}

}  // namespace

Response error_response(int status, const std::string& message) {
  const Json body = {{"errors", Json::array({message})}};
  return {status, body.dump(-1, ' ', false, Json::error_handler_t::replace)};
}

void Router::add(const std::string& method, const std::string& pattern, Handler handler,
                 int success) {
  routes_.push_back({method, segments_of(pattern), std::move(handler), success});
}

Response Router::handle(const Request& request) const {
  std::vector<std::string> path = segments_of(request.path);
  if (!path.empty() && path.front() == "v1") path.erase(path.begin());
  for (const Route& route : routes_) {
    if (route.method != request.method) continue;
    std::optional<Parameters> parameters = match(route.pattern, path);
    if (!parameters) continue;
    if (const auto job = parameters->find("job"); job != parameters->end()) {
      const std::optional<JobId> id = JobId::parse(job->second);
      if (!id) {
        return error_response(
            400, absl::StrCat("Cannot resolve path parameter (jobid) from value \"", job->second,
                              "\": it isn't 32 hex digits."));
      }
      job->second = to_string(*id);
    }
    const absl::StatusOr<Json> body = route.handler(request, *parameters);
    if (!body.ok()) {
      return error_response(http_status(body.status()), std::string(body.status().message()));
    }
    return {route.success, body->dump(-1, ' ', false, Json::error_handler_t::replace)};
  }
  return error_response(404, absl::StrCat("Unable to load requested file ", request.path, "."));
}

}  // namespace weir::rest
