#include "taskmanager/network/connections.h"

#include <pthread.h>

#include <boost/asio/post.hpp>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/log.h"

namespace weir {
namespace {

constexpr std::chrono::milliseconds kAcceptAgain{100};

}  // namespace

Connections::~Connections() {
  boost::asio::post(io_context_, [this] { shut_all(); });
  work_.reset();
  if (thread_.joinable()) thread_.join();
}

absl::Status Connections::listen(const std::string& bind_host, int port, const std::string& host) {
  boost::system::error_code error;
  const auto endpoints =
      Tcp::resolver(io_context_)
          .resolve(bind_host, std::to_string(port), Tcp::resolver::passive, error);
  if (!error) acceptor_.open(endpoints.begin()->endpoint().protocol(), error);
  if (!error) acceptor_.set_option(Tcp::acceptor::reuse_address(true), error);
  if (!error) acceptor_.bind(*endpoints.begin(), error);
  if (!error) acceptor_.listen(boost::asio::socket_base::max_listen_connections, error);
  if (error) {
    return absl::UnavailableError(
        absl::StrCat("can't listen on ", bind_host, ":", port, ": ", error.message(),
                     ": set taskmanager.data.port and taskmanager.bind-host"));
  }
  port_ = acceptor_.local_endpoint().port();
  address_ = absl::StrCat(host, ":", port_);
  accept();
  thread_ = std::thread([this] {
    pthread_setname_np(pthread_self(), "network");
    io_context_.run();
  });
  return absl::OkStatus();
}

void Connections::accept() {
  acceptor_.async_accept([this](const boost::system::error_code& error, Tcp::socket socket) {
    if (shut_) return;
    if (!error) {
      on_accepted(std::move(socket));
      return accept();
    }
    WEIR_LOG_WARN({}, "data port {}: {}", port_, error.message());
    accept_again_.expires_after(kAcceptAgain);
    accept_again_.async_wait([this](const boost::system::error_code&) {
      if (!shut_) accept();
    });
  });
}

void Connections::on_accepted(Tcp::socket socket) {
  auto connection = std::make_shared<OutputConnection>(
      io_context_, std::move(socket),
      OutputConnection::Options{
          .own_address = address_,
          .silence_timeout = silence_timeout_,
          .registry = &registry_,
          .on_closed = [this](OutputConnection& closed) { outputs_.erase(&closed); }});
  outputs_[connection.get()] = connection;
  connection->start();
}

void Connections::open(const InputChannel& from, int index, std::shared_ptr<RemoteChannels> gate,
                       std::shared_ptr<ChannelQueue> queue) {
  boost::asio::post(
      io_context_, [this, from, index, gate = std::move(gate), queue = std::move(queue)]() mutable {
        const auto found = inputs_.find(from.address);
        if (found != inputs_.end()) {
          return found->second->open(from, index, std::move(gate), std::move(queue));
        }
        const auto connection = add_input(from.address);
        connection->open(from, index, std::move(gate), std::move(queue));
        connection->connect();
      });
}

void Connections::close(std::shared_ptr<RemoteChannels> gate) {
  boost::asio::post(io_context_, [this, gate = std::move(gate)] {
    const auto inputs = inputs_;  // one that is needed no more goes meanwhile
    for (const auto& [address, connection] : inputs) connection->close(*gate);
  });
}

std::shared_ptr<InputConnection> Connections::add_input(const std::string& address) {
  auto connection = std::make_shared<InputConnection>(
      io_context_, InputConnection::Options{.address = address,
                                            .own_address = address_,
                                            .silence_timeout = silence_timeout_,
                                            .on_unused =
                                                [this](InputConnection& unused) {
                                                  unused_inputs_[&unused] = std::move(
                                                      inputs_.extract(unused.address()).mapped());
                                                },
                                            .on_closed =
                                                [this](InputConnection& closed) {
                                                  if (unused_inputs_.erase(&closed) == 0)
                                                    inputs_.erase(closed.address());
                                                }});
  inputs_[address] = connection;
  return connection;
}

void Connections::shut_all() {
  shut_ = true;
  boost::system::error_code ignored;
  acceptor_.close(ignored);
  accept_again_.cancel();
  const absl::Status status = absl::CancelledError("this TaskManager ends");
  for (const auto& [address, connection] : std::map(inputs_)) connection->shut(status);
  for (const auto& [unused, connection] : std::map(unused_inputs_)) connection->shut(status);
  for (const auto& [closed, connection] : std::map(outputs_)) connection->shut(status);
}

}  // namespace weir
