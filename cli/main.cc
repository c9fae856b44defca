// The `weir` command.
#include <fmt/core.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "cli/job_commands.h"
#include "cli/jobmanager_client.h"
#include "cli/options.h"
#include "cli/rescale_command.h"
#include "cli/run_command.h"
#include "cli/session.h"
#include "cli/transaction_commands.h"
#include "cli/verify_command.h"
#include "common/config_options.h"

namespace weir::cli {
namespace {

using Action = std::function<absl::Status()>;

CLI::Option* add_parallelism_option(CLI::App& verb, int& parallelism) {
  return verb.add_option("-p,--parallelism", parallelism, "Of every operator that sets none")
      ->check(CLI::Range(*options::kParallelism.minimum, *options::kParallelism.maximum));
}

void add_client_options(CLI::App& verb, ClientOptions& options) {
  verb.add_option("-c,--conf-dir", options.conf_dir,
                  "The folder that holds weir.yaml (else WEIR_CONF_DIR)");
  verb.add_option("-m,--jobmanager", options.jobmanager, "The JobManager, host:port");
  verb.add_option("-D", options.dynamic_properties, "A configuration value, key=value")
      ->allow_extra_args(false);
  verb.add_option_function<std::string>(
          "-o,--output", [&options](const std::string& form) { options.json = form == "json"; },
          "text or json")
      ->check(CLI::IsMember({"text", "json"}));
}

void add_job_option(CLI::App& verb, std::string& job_id) {
  verb.add_option("job", job_id, "The job's id, 32 hex digits")->required();
}

// --brokers and --property, as the transactions and verify verbs take them.
void add_kafka_options(CLI::App& verb, std::map<std::string, std::string>& properties) {
  verb.add_option_function<std::string>(
      "--brokers",
      [&properties](const std::string& brokers) { properties["bootstrap.servers"] = brokers; },
      "host:port[,host:port…]");
  verb.add_option_function<std::vector<std::string>>(
          "--property",
          [&properties](const std::vector<std::string>& words) {
            for (const std::string& word : words) {
              const std::size_t equals = word.find('=');
              if (equals == word.npos) {
                throw CLI::ValidationError("--property", "'" + word + "' isn't key=value");
              }
              properties[word.substr(0, equals)] = word.substr(equals + 1);
            }
          },
          "A librdkafka property, key=value, e.g. security.protocol=SSL")
      ->allow_extra_args(false);
}

void add_run_verb(CLI::App& app, const ClientOptions& client, RunOptions& run, Action& action) {
  CLI::App* verb =
      app.add_subcommand("run", "Run a job: weir run [options] JOB.so [job arguments]");
  verb->add_flag("-d,--detached", run.detached,
                 "Return as soon as the job runs, or waits for slots");
  add_parallelism_option(*verb, run.parallelism);
  verb->add_option("-s,--fromSavepoint", run.savepoint_path,
                   "Start from this savepoint or checkpoint");
  verb->add_flag("-n,--allowNonRestoredState", run.allow_non_restored_state,
                 "Leave out state of operators that the job no longer has");
  verb->add_option("-t,--target", run.target, "remote, or local: a whole cluster in this process")
      ->check(CLI::IsMember({"remote", "local"}));
  verb->add_option("library", run.library, "The job library")->required();
  verb->callback([&] { action = [&] { return run_job(client, run); }; });
}

void add_info_verb(CLI::App& app, const ClientOptions& client, RunOptions& run, Action& action) {
  CLI::App* verb =
      app.add_subcommand("info", "Print a job's plan: weir info JOB.so [job arguments]");
  add_parallelism_option(*verb, run.parallelism);
  verb->add_option("library", run.library, "The job library")->required();
  verb->callback([&] { action = [&] { return show_plan(client, run); }; });
}

// What the verbs fill in; lives as long as main().
struct Arguments {
  ClientOptions client;
  RunOptions run;
  ListOptions list;
  std::string job_id;
  std::string directory;
  bool drain = false;
  int parallelism = 0;
  std::string transaction;
  std::string prefix;
  KafkaOptions kafka;
  VerifyOptions verify;
};

void add_job_verbs(CLI::App& app, Arguments& args, Action& action) {
  const auto with_client = [&args](auto call) {
    return [&args, call]() -> absl::Status {
      absl::StatusOr<std::string> address = jobmanager_address(args.client);
      if (!address.ok()) return address.status();
      JobManagerClient client(*std::move(address));
      return call(client);
    };
  };

  CLI::App* list = app.add_subcommand("list", "List the jobs");
  list->add_flag("-r,--running", args.list.running, "Only running ones");
  list->add_flag("-s,--scheduled", args.list.scheduled, "Only waiting and restarting ones");
  list->add_flag("-a,--all", args.list.all, "Ended ones too");
  list->callback([&, with_client] {
    action = with_client([&](auto& client) { return list_jobs(client, args.client, args.list); });
  });

  CLI::App* status = app.add_subcommand("status", "Show a job: state, checkpoints, first fault");
  add_job_option(*status, args.job_id);
  status->callback([&, with_client] {
    action =
        with_client([&](auto& client) { return show_status(client, args.client, args.job_id); });
  });

  CLI::App* cancel = app.add_subcommand("cancel", "Cancel a job");
  add_job_option(*cancel, args.job_id);
  cancel->callback([&, with_client] {
    action = with_client([&](auto& client) { return cancel_job(client, args.job_id); });
  });

  CLI::App* stop = app.add_subcommand("stop", "Stop a job with a savepoint");
  stop->add_option("-p,--savepointPath", args.directory, "Where the savepoint goes");
  stop->add_flag("-d,--drain", args.drain,
                 "Accepted for Flink's scripts; no operator holds records back, so a stop is the "
                 "same without");
  add_job_option(*stop, args.job_id);
  stop->callback([&, with_client] {
    action = with_client([&](auto& client) {
      return stop_job(client, args.client, args.job_id, args.directory, args.drain);
    });
  });

  CLI::App* savepoint = app.add_subcommand("savepoint", "Take a savepoint of a running job");
  add_job_option(*savepoint, args.job_id);
  savepoint->add_option("directory", args.directory, "Where it goes");
  savepoint->callback([&, with_client] {
    action = with_client([&](auto& client) {
      return take_savepoint(client, args.client, args.job_id, args.directory);
    });
  });

  CLI::App* checkpoint = app.add_subcommand("checkpoint", "Take a checkpoint of a running job");
  add_job_option(*checkpoint, args.job_id);
  checkpoint->callback([&, with_client] {
    action = with_client(
        [&](auto& client) { return take_checkpoint(client, args.client, args.job_id); });
  });

  CLI::App* rescale =
      app.add_subcommand("rescale", "Let a running job go on at another parallelism");
  add_job_option(*rescale, args.job_id);
  add_parallelism_option(*rescale, args.parallelism)->required();
  rescale->callback([&, with_client] {
    action = with_client([&](auto& client) {
      return rescale_job(client, args.client, args.job_id, args.parallelism);
    });
  });

  CLI::App* transactions =
      app.add_subcommand("transactions", "See and mend the transactions of a job's sinks");
  transactions->require_subcommand(1);
  CLI::App* transactions_list = transactions->add_subcommand(
      "list", "Of a job: what its ledger knows. With --brokers: what the brokers know");
  transactions_list->add_option("job", args.job_id, "The job's id");
  transactions_list->add_option("--prefix", args.prefix, "Only ids under this prefix");
  add_kafka_options(*transactions_list, args.kafka.properties);
  transactions_list->callback([&, with_client] {
    if (args.job_id.empty()) {
      action = [&] { return list_broker_transactions(args.kafka, args.prefix); };
    } else {
      action = with_client(
          [&](auto& client) { return list_job_transactions(client, args.client, args.job_id); });
    }
  });

  const auto add_transaction_verb = [&](const char* name, const char* help, auto call) {
    CLI::App* verb = transactions->add_subcommand(name, help);
    add_job_option(*verb, args.job_id);
    verb->add_option("transaction", args.transaction, "As `transactions list` shows it")
        ->required();
    add_kafka_options(*verb, args.kafka.properties);
    verb->callback([&action, with_client, call] { action = with_client(call); });
  };
  add_transaction_verb("show", "Show one", [&](auto& client) {
    return show_transaction(client, args.client, args.kafka, args.job_id, args.transaction);
  });
  add_transaction_verb("commit", "Commit one that is prepared", [&](auto& client) {
    return commit_transaction(client, args.kafka, args.job_id, args.transaction);
  });
  add_transaction_verb(
      "abort", "Abort one that is prepared: its records are lost", [&](auto& client) {
        return abort_transaction(client, args.kafka, args.job_id, args.transaction);
      });
}

void add_verify_verb(CLI::App& app, Arguments& args, Action& action) {
  CLI::App* verb = app.add_subcommand(
      "verify", "Compare two topics: is every input's output there exactly once?");
  verb->add_option("--in", args.verify.input_topic, "The input topic")->required();
  verb->add_option("--out", args.verify.output_topic, "The output topic")->required();
  verb->add_option("--map", args.verify.map, "The output of an input {}, e.g. 'processed_{}'");
  add_kafka_options(*verb, args.verify.properties);
  verb->callback([&] {
    action = [&]() -> absl::Status {
      if (args.verify.properties.count("bootstrap.servers") == 0) {
        return absl::InvalidArgumentError("which brokers? Give --brokers host:port[,host:port…]");
      }
      args.verify.json = args.client.json;
      return verify_topics(args.verify);
    };
  });
}

// What follows the job library belongs to the job: cuts it off and returns it.
std::vector<std::string> cut_job_arguments(std::vector<std::string>& words) {
  if (words.empty() || (words[0] != "run" && words[0] != "info")) return {};
  const auto library = std::find_if(words.begin() + 1, words.end(), [](const std::string& word) {
    return word.size() > 3 && word.compare(word.size() - 3, 3, ".so") == 0 && word[0] != '-';
  });
  if (library == words.end()) return {};
  std::vector<std::string> arguments(library + 1, words.end());
  words.erase(library + 1, words.end());
  return arguments;
}

int fail(const std::string& message) {
  const bool colour = isatty(STDERR_FILENO) != 0 && std::getenv("NO_COLOR") == nullptr;
  fmt::print(stderr, "{}error:{} {}\n", colour ? "\033[31m" : "", colour ? "\033[0m" : "", message);
  return EXIT_FAILURE;
}

int run(std::vector<std::string> words) {
  Arguments args;
  Action action;
  args.run.arguments = cut_job_arguments(words);

  CLI::App app("Weir: exactly-once stream processing", "weir");
  app.require_subcommand(1);
  app.fallthrough();
  add_client_options(app, args.client);
  add_run_verb(app, args.client, args.run, action);
  add_info_verb(app, args.client, args.run, action);
  add_job_verbs(app, args, action);
  add_verify_verb(app, args, action);

  const auto is_wanted = [&words](CLI::App* verb) { return verb->get_name() == words[0]; };
  if (!words.empty() && words[0].rfind('-', 0) != 0 && app.get_subcommands(is_wanted).empty()) {
    return fail(fmt::format("weir has no verb '{}': see `weir --help`", words[0]));
  }
  const std::string verb = words.empty() || words[0][0] == '-' ? "" : words[0] + " ";
  std::reverse(words.begin(), words.end());  // as CLI11 takes them
  try {
    app.parse(words);
  } catch (const CLI::Success& help) {
    return app.exit(help);
  } catch (const CLI::ParseError& error) {
    return fail(fmt::format("{}: see `weir {}--help`", error.what(), verb));
  }
  const absl::Status status = action();
  return status.ok() ? EXIT_SUCCESS : fail(std::string(status.message()));
}

}  // namespace
}  // namespace weir::cli

int main(int argc, char** argv) {
  return weir::cli::run(std::vector<std::string>(argv + 1, argv + argc));
}
