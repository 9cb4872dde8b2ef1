// tokenwell in C++17: objects that release themselves, a std::function or a std::future for each
// result, and a small event loop that the functions run on.
//
//   cc -c loopback_http.c
//   c++ -std=c++17 token_future.cpp loopback_http.o $(pkg-config --cflags --libs tokenwell) -pthread -o token_future
//   ./token_future [DEADLINE_MS [GIVE_UP_AFTER_MS]]
//
// It calls the Admin API, and once more with a new token if the response is 401. It gives up a get
// that takes longer than GIVE_UP_AFTER_MS (default 5000).
#include "loopback_http.h"

#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <fcntl.h>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <poll.h>
#include <stdexcept>
#include <string>
#include <thread>
#include <tokenwell.h>
#include <unistd.h>
#include <utility>
#include <vector>

using std::chrono::milliseconds;

// ---- the wrapper: copy it into your program ----

namespace tokens {

// Releases an object with its own `_free` function.
template <auto Free> struct release {
    template <typename Object> void operator()(Object *object) const noexcept { Free(object); }
};
using config = std::unique_ptr<tokenwell_config, release<tokenwell_config_free>>;
using client_handle = std::unique_ptr<tokenwell_client, release<tokenwell_client_free>>;
using queue = std::unique_ptr<tokenwell_queue, release<tokenwell_queue_free>>;
using token = std::unique_ptr<tokenwell_token, release<tokenwell_token_free>>;

class error : public std::runtime_error {
public:
    explicit error(tokenwell_error *cause)
        : std::runtime_error(std::string(tokenwell_error_name(cause)) + ": " + tokenwell_error_message(cause, nullptr)),
          status(tokenwell_error_status(cause))
    {
        tokenwell_error_free(cause);
    }
    tokenwell_status status;
};

inline void check(tokenwell_status status, tokenwell_error *cause)
{
    if (status != TOKENWELL_STATUS_OK) throw error(cause);
}

// A token or an error: what a completion receives. `get()` returns the token or throws.
class result {
public:
    explicit result(token value) : value_(std::move(value)) {}
    explicit result(tokenwell_error *cause) : error_(std::make_exception_ptr(error(cause))) {}
    token get()
    {
        if (error_) std::rethrow_exception(error_);
        return std::move(value_);
    }

private:
    token value_;
    std::exception_ptr error_;
};

// A pending operation. Its destructor cancels it, so that nothing happens after its owner is gone.
class operation {
public:
    operation() = default;
    explicit operation(tokenwell_operation *pending) : pending_(pending) {}
    operation(operation &&other) noexcept : pending_(std::exchange(other.pending_, nullptr)) {}
    operation &operator=(operation &&other) noexcept
    {
        std::swap(pending_, other.pending_);
        return *this;
    }
    ~operation()
    {
        cancel();
        tokenwell_operation_free(pending_);
    }
    // Returns true if the completion is never called. It may be called any number of times.
    bool cancel() noexcept { return pending_ && tokenwell_operation_cancel(pending_) == 1; }
    bool is_pending() const noexcept { return pending_ && tokenwell_operation_wait(pending_, 0, nullptr,
                                                                                   nullptr) == TOKENWELL_STATUS_PENDING; }

private:
    tokenwell_operation *pending_ = nullptr;
};

class client {
public:
    using completion = std::function<void(result)>;

    static client from_environment()
    {
        tokenwell_error *cause = nullptr;
        tokenwell_config *made = nullptr;
        check(tokenwell_config_new(&made, &cause), cause);
        config settings(made);
        check(tokenwell_config_use_environment(made, &cause), cause);
        tokenwell_client *handle = nullptr;
        check(tokenwell_client_new(made, &handle, &cause), cause);
        return client(client_handle(handle));
    }

    // Calls `done` immediately, on this thread, if a token is cached or on an error. Otherwise calls
    // it later on a thread of the library: it must only pass the result on, and never block.
    operation token(milliseconds deadline, completion done) const
    {
        tokenwell_token *now = nullptr;
        tokenwell_operation *pending = nullptr;
        tokenwell_error *cause = nullptr;
        auto kept = std::make_unique<completion>(std::move(done));
        switch (tokenwell_client_token_async(handle_.get(), 0, static_cast<std::uint64_t>(deadline.count()), 0, called, kept.get(),
                                             destroyed, &now,
                                             &pending, &cause)) {
        case TOKENWELL_STATUS_OK: (*kept)(result(tokens::token(now))); return {};
        case TOKENWELL_STATUS_PENDING: kept.release(); return operation(pending); // destroyed() deletes it
        default: (*kept)(result(cause)); return {};
        }
    }

    // The same with a future. A canceled operation leaves the future with std::future_error
    // (broken_promise).
    std::pair<std::future<tokens::token>, operation> token(milliseconds deadline) const
    {
        auto promise = std::make_shared<std::promise<tokens::token>>();
        auto future = promise->get_future();
        operation pending = token(deadline, [promise](result came) {
            try {
                promise->set_value(came.get());
            } catch (...) {
                promise->set_exception(std::current_exception());
            }
        });
        return {std::move(future), std::move(pending)};
    }

    // The token was rejected with 401: drops it. `done` gets an empty token or the error.
    operation invalidate(const std::string &value, milliseconds deadline, completion done) const
    {
        tokenwell_operation *pending = nullptr;
        tokenwell_error *cause = nullptr;
        auto kept = std::make_unique<completion>(std::move(done));
        switch (tokenwell_client_invalidate_async(handle_.get(), value.data(), value.size(), static_cast<std::uint64_t>(deadline.count()),
                                                  called,
                                                  kept.get(), destroyed, &pending, &cause)) {
        case TOKENWELL_STATUS_OK: (*kept)(result(tokens::token())); return {};
        case TOKENWELL_STATUS_PENDING: kept.release(); return operation(pending);
        default: (*kept)(result(cause)); return {};
        }
    }

    // An entry with this tag appears in the queue whenever the current token changes.
    void watch(const queue &where, std::uint64_t tag) const
    {
        tokenwell_error *cause = nullptr;
        check(tokenwell_client_watch(handle_.get(), where.get(), tag, &cause), cause);
    }

    // Ends everything that is pending with CLOSED. Returns true if no completion runs or comes any
    // more, and false if a request to a server that hangs takes longer than `patience`.
    bool close(milliseconds patience) const
    {
        tokenwell_error *cause = nullptr;
        check(tokenwell_client_close(handle_.get(), &cause), cause);
        return tokenwell_client_drain(handle_.get(), static_cast<std::uint64_t>(patience.count()), nullptr) == TOKENWELL_STATUS_OK;
    }

private:
    explicit client(client_handle handle) : handle_(std::move(handle)) {}

    // No exception may leave a function that C calls: noexcept ends the program instead.
    static void called(void *data, tokenwell_operation *finished) noexcept
    {
        tokenwell_token *token = nullptr;
        tokenwell_error *cause = nullptr;
        bool good = tokenwell_operation_wait(finished, 0, &token, &cause) == TOKENWELL_STATUS_OK;
        (*static_cast<completion *>(data))(good ? result(tokens::token(token)) : result(cause));
    }
    // Comes exactly once for each PENDING, after `called` has returned or will never come.
    static void destroyed(void *data) noexcept { delete static_cast<completion *>(data); }

    client_handle handle_;
};

} // namespace tokens

// ---- a program that uses it ----

// A minimal event loop: functions that any thread posts, and one watched descriptor.
class event_loop {
public:
    event_loop()
    {
        if (pipe2(wake_up_, O_NONBLOCK | O_CLOEXEC) != 0) throw std::runtime_error("cannot create a pipe");
    }
    ~event_loop()
    {
        ::close(wake_up_[0]);
        ::close(wake_up_[1]);
    }
    event_loop(const event_loop &) = delete;
    event_loop &operator=(const event_loop &) = delete;

    void post(std::function<void()> work)
    {
        {
            std::lock_guard<std::mutex> guard(lock_);
            posted_.push_back(std::move(work));
        }
        if (::write(wake_up_[1], "", 1) < 0 && errno != EAGAIN) std::abort();
    }

    // Runs until stop(), or until `patience` is over. Returns false if it is over.
    bool run(int descriptor, const std::function<void()> &ready, milliseconds patience)
    {
        auto until = std::chrono::steady_clock::now() + patience;
        for (running_ = true; running_;) {
            auto left = std::chrono::duration_cast<milliseconds>(until - std::chrono::steady_clock::now()).count();
            if (left <= 0) return false;
            pollfd watched[] = {{wake_up_[0], POLLIN, 0}, {descriptor, POLLIN, 0}};
            if (::poll(watched, 2, static_cast<int>(left)) < 0 && errno != EINTR) throw std::runtime_error("poll");
            char bytes[64];
            while (::read(wake_up_[0], bytes, sizeof bytes) > 0) {}
            if (watched[1].revents) ready();
            std::vector<std::function<void()>> now;
            {
                std::lock_guard<std::mutex> guard(lock_);
                now.swap(posted_);
            }
            for (auto &work : now) work();
        }
        return true;
    }
    void stop() { running_ = false; }

private:
    int wake_up_[2];
    std::mutex lock_;
    std::vector<std::function<void()>> posted_;
    bool running_ = false;
};

// Calls the Admin API. It blocks, so it runs on a thread of its own; see epoll_server.c for a call
// that does not block.
static int api_status(const std::string &base, const std::string &authorization)
{
    loopback_reply reply = {0, nullptr};
    const char *problem = nullptr;
    std::string headers = "Authorization: " + authorization + "\r\nAccept: application/vnd.atlas.2024-08-05+json\r\n";
    if (loopback_http("GET", base.c_str(), "/api/atlas/v2/orgs", headers.c_str(), nullptr, &reply,
                      &problem) != 0) throw std::runtime_error(problem);
    std::free(reply.body);
    return reply.status;
}

// One call of the API, with one retry after a 401. All its functions run on the loop.
class call {
public:
    call(event_loop &loop, const tokens::client &client, std::string base, milliseconds deadline)
        : loop_(loop), client_(client), base_(std::move(base)), deadline_(deadline)
    {
    }
    ~call()
    {
        if (http_.joinable()) http_.join();
    }

    void start()
    {
        pending_ = client_.token(deadline_, [this](tokens::result came) {
            // Not on the loop: post the result. A std::function must be copyable, hence the pointer.
            auto kept = std::make_shared<tokens::result>(std::move(came));
            loop_.post([this, kept] { token_came(*kept); });
        });
        std::printf("%s\n", pending_.is_pending() ? "waiting for a token" : "no wait for the token");
    }
    bool give_up() { return pending_.cancel(); }

    int status = 0;
    std::string problem;

private:
    void token_came(tokens::result &came)
    {
        try {
            tokens::token token = came.get();
            value_ = tokenwell_token_value(token.get(), nullptr);
            if (http_.joinable()) http_.join();
            http_ = std::thread([this, authorization = std::string(tokenwell_token_authorization(token.get(), nullptr))] {
                int status = 0;
                std::string problem;
                try {
                    status = api_status(base_, authorization);
                } catch (const std::exception &why) {
                    problem = why.what();
                }
                loop_.post([this, status, problem] { response_came(status, problem); });
            });
        } catch (const std::exception &why) {
            finish(0, why.what());
        }
    }
    void response_came(int code, const std::string &why)
    {
        if (code != 401 || retried_) {
            finish(code, why);
            return;
        }
        retried_ = true;
        std::printf("401: the token is invalidated\n");
        pending_ = client_.invalidate(value_, deadline_, [this](tokens::result came) {
            auto kept = std::make_shared<tokens::result>(std::move(came));
            loop_.post([this, kept] {
                try {
                    kept->get();
                    start();
                } catch (const std::exception &why) {
                    finish(0, why.what());
                }
            });
        });
    }
    void finish(int code, const std::string &why)
    {
        status = code;
        problem = why;
        loop_.stop();
    }

    event_loop &loop_;
    const tokens::client &client_;
    std::string base_, value_;
    milliseconds deadline_;
    bool retried_ = false;
    std::thread http_;
    tokens::operation pending_;
};

int main(int count, char **arguments)
try {
    const char *base = std::getenv("MONGODB_ATLAS_BASE_URL");
    if (!base) throw std::runtime_error("MONGODB_ATLAS_BASE_URL is not set: start `tokenwell emulator` and export its variables");
    milliseconds deadline(count > 1 ? std::atoi(arguments[1]) : 10000), patience(count > 2 ? std::atoi(arguments[2]) : 5000);

    tokens::client client = tokens::client::from_environment();
    tokenwell_error *cause = nullptr;
    tokenwell_queue *made = nullptr;
    tokens::check(tokenwell_queue_new(&made, &cause), cause);
    tokens::queue changes(made);
    std::int32_t descriptor = -1;
    tokens::check(tokenwell_queue_descriptor(made, &descriptor, &cause), cause);
    client.watch(changes, 1);

    event_loop loop;
    auto changed = [made] {
        std::uint64_t tag;
        tokenwell_operation *none = nullptr;
        while (tokenwell_queue_take(made, &tag, &none, nullptr) == TOKENWELL_STATUS_OK) std::printf("the current token has changed\n");
    };
    {
        call first(loop, client, base, deadline);
        first.start();
        if (!loop.run(descriptor, changed, patience)) {
            std::printf("%s\n", first.give_up() ? "gave up: the completion is never called" : "gave up: it has just been called");
            client.close(milliseconds(1000));
            return 1;
        }
        if (!first.problem.empty()) throw std::runtime_error(first.problem);
        std::printf("GET /api/atlas/v2/orgs: %d\n", first.status);
    }

    // A token is cached now: the future is ready immediately.
    auto [future, none] = client.token(deadline);
    tokens::token token = future.get();
    std::printf("from memory: a token until %lld\n", static_cast<long long>(tokenwell_token_expires_at_ms(token.get())));

    client.close(milliseconds(1000));
    return 0;
} catch (const std::exception &why) {
    std::fprintf(stderr, "%s\n", why.what());
    return 1;
}
