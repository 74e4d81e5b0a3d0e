// SPDX-License-Identifier: Apache-2.0
#define FUSE_USE_VERSION 314
#include "server.hpp"

#include <unistd.h>

#include <exception>
#include <optional>

#include <fmt/format.h>
#include <fuse3/fuse_lowlevel.h>

#include "berth/base/log.hpp"

#include "error_number.hpp"

namespace berth::fuse {
namespace {

using SteadyClock = std::chrono::steady_clock;

/// An exception must not reach libfuse's C frames: it becomes an Error, and that an EIO.
Result<Server::Reply> guarded(const Server::Call& call, const Context& context) noexcept {
  try {
    return call(context);
  } catch (const std::exception& e) {
    return Error(Errc::internal, std::string("unexpected exception: ") + e.what());
  } catch (...) {
    return Error(Errc::internal, "unexpected exception");
  }
}

void log_result(const char* operation, Ino ino, const Error* error, SteadyClock::time_point begun) {
  // Names that are absent and callers that gave up are daily life; the rest is why a program saw an
  // errno, and .berth/log is where its user looks for the reason.
  const bool daily = error == nullptr || error->code() == Errc::cancelled ||
                     (error->code() == Errc::not_found && std::string_view(operation) == "lookup");
  const bool worth_telling = !daily;
  const log::Level level = worth_telling ? log::Level::warning : log::Level::debug;
  if (!log::enabled(level)) return;
  const auto micros =
      std::chrono::duration_cast<std::chrono::microseconds>(SteadyClock::now() - begun).count();
  log::write(level, fmt::format("{} inode={} result={} micros={}", operation, ino,
                                error != nullptr ? error->describe() : "ok", micros));
}

void finish(Server::Request request, const char* operation, Ino ino, Result<Server::Reply>& result,
            SteadyClock::time_point begun) {
  log_result(operation, ino, result ? nullptr : &result.error(), begun);
  if (result) {
    (*result)(request);
  } else {
    fuse_reply_err(request, error_number(result.error()));
  }
}

}  // namespace

/// A request that waits on some thread of a pool.
struct Server::Held {
  struct Cancel {
    Held* held;
    void operator()() const {
      held->stop.request_stop();
      held->pool->hurry(held);
    }
  };

  Held(Pool& its_pool, Request its_request, const std::stop_token& stopping)
      : pool(&its_pool),
        request(its_request),
        link(stopping, Cancel{this}) {}

  Pool* pool;
  Request request;
  std::stop_source stop;
  std::stop_callback<Cancel> link;
};

Server::Server(Filesystem& filesystem, ServerOptions options)
    : filesystem_(filesystem),
      options_(options),
      uid_(::geteuid()),
      gid_(::getegid()),
      metadata_(std::make_unique<Pool>(PoolOptions{.name = "berth-names",
                                                   .max_threads = options.metadata_threads,
                                                   .max_per_key = options.metadata_threads,
                                                   .max_waiting = options.max_waiting})),
      data_(std::make_unique<Pool>(PoolOptions{.name = "berth-data",
                                               .max_threads = options.data_threads,
                                               .max_per_key = options.data_per_file,
                                               .max_waiting = options.max_waiting})) {}

Server::~Server() {
  stop();
  drain();
}

void Server::stop() { stopping_.request_stop(); }

void Server::drain() {
  metadata_.reset();
  data_.reset();
}

void Server::serve(Request request, Lane lane, const char* operation, Ino ino, Call call) {
  const auto begun = SteadyClock::now();
  auto result = guarded(call, Context{}.nonblocking());
  if (!result && result.error().code() == Errc::would_block) {
    hold(request, lane, operation, ino, std::move(call));
  } else {
    finish(request, operation, ino, result, begun);
  }
}

void Server::hold(Request request, Lane lane, const char* operation, Ino ino, Call call) {
  const auto begun = SteadyClock::now();
  Pool& pool = lane == Lane::data ? *data_ : *metadata_;
  const auto held = std::make_shared<Held>(pool, request, stopping_.get_token());
  // The time in line counts: it is the caller who waits.
  const Context context =
      Context{}.with_timeout(options_.timeout).with_stop(held->stop.get_token());
  // From here the request is only touched by its task: set up before that may run.
  fuse_req_interrupt_func(request, &Server::on_interrupt, held.get());
  const bool taken =
      pool.submit(ino, held.get(), [=, call = std::move(call), its_request = request]() {
        auto result = guarded(call, context);
        // Waits for an interrupt that is being told, so that none comes after the answer.
        fuse_req_interrupt_func(its_request, nullptr, nullptr);
        finish(its_request, operation, ino, result, begun);
        static_cast<void>(held);
      });
  if (!taken) {
    fuse_req_interrupt_func(request, nullptr, nullptr);
    Result<Reply> refused = Error(Errc::conflict, "too many calls wait already");
    finish(request, operation, ino, refused, begun);
  } else if (held->stop.stop_requested()) {
    pool.hurry(held.get());
  }
}

void Server::on_interrupt(Request, void* data) { Held::Cancel{static_cast<Held*>(data)}(); }

}  // namespace berth::fuse
