#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "jobmanager/rest/json.h"

namespace weir::rest {

struct Request {
  std::string method;
  std::string path;  // without the query
  std::map<std::string, std::string> query;
  std::string body;
};

struct Response {
  int status = 200;
  std::string body;  // JSON
};

// The variable parts of a path, by their names in the pattern.
using Parameters = std::map<std::string, std::string>;

// Which handler answers which path, and how its status becomes HTTP's. Under / and under /v1/.
// Built once, then only read, by any thread.
class Router {
 public:
  // The parameter ":job" arrives checked, as 32 lower-case hex digits.
  using Handler = std::function<absl::StatusOr<Json>(const Request&, const Parameters&)>;

  // `pattern` as "/jobs/:job/plan". An earlier pattern wins. `success`: the answer's HTTP status.
  void add(const std::string& method, const std::string& pattern, Handler handler,
           int success = 200);

  Response handle(const Request& request) const;

 private:
  struct Route {
    std::string method;
    std::vector<std::string> pattern;
    Handler handler;
    int success;
  };

  std::vector<Route> routes_;
};

Response error_response(int status, const std::string& message);

}  // namespace weir::rest
