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
#include <optional>
#include <poll.h>
#include <stdexcept>
#include <string>
#include <thread>
#include <tokenwell.hpp>
#include <unistd.h>
#include <utility>
#include <variant>
#include <vector>

using std::chrono::milliseconds;

// ---- tokens by completion or by future ----

using completion = std::function<void(tokenwell::result<tokenwell::token>)>;

// A pending operation. Its destructor cancels it, so that nothing happens after its owner is gone.
class pending {
public:
    pending() = default;
    explicit pending(tokenwell::operation begun) : operation_(std::move(begun)) {}
    pending(pending &&) noexcept = default;
    pending &operator=(pending &&other) noexcept
    {
        std::swap(operation_, other.operation_);
        return *this;
    }
    ~pending() { cancel(); }
    // Returns true if the completion is never called. It may be called any number of times.
    bool cancel() const noexcept { return operation_ && operation_->get() && operation_->cancel(); }
    bool is_pending() const noexcept { return operation_ && !operation_->wait(milliseconds(0)); }

private:
    std::optional<tokenwell::operation> operation_;
};

// Calls `done` immediately, on this thread, if a token is cached or on an error. Otherwise calls it
// later on a thread of the library: it must only pass the result on, and never block.
static pending get_token(const tokenwell::client &client, milliseconds deadline, completion done)
{
    auto kept = std::make_shared<completion>(std::move(done));
    auto begun = client.token_async({milliseconds(0), deadline}, [kept](auto came) { (*kept)(std::move(came)); });
    if (!begun) (*kept)(std::move(begun).error());
    else if (auto *now = std::get_if<tokenwell::token>(&*begun)) (*kept)(std::move(*now));
    else return pending(std::get<tokenwell::operation>(*std::move(begun)));
    return {};
}

// The same with a future. A canceled operation leaves the future with std::future_error
// (broken_promise).
static std::pair<std::future<tokenwell::token>, pending> get_token(const tokenwell::client &client, milliseconds deadline)
{
    auto promise = std::make_shared<std::promise<tokenwell::token>>();
    auto future = promise->get_future();
    pending begun = get_token(client, deadline, [promise](auto came) {
        try {
            promise->set_value(std::move(came).or_throw());
        } catch (...) {
            promise->set_exception(std::current_exception());
        }
    });
    return {std::move(future), std::move(begun)};
}

// The token was rejected with 401: drops it. `done` gets an empty token or the error.
static pending invalidate(const tokenwell::client &client, const std::string &value, milliseconds deadline, completion done)
{
    auto kept = std::make_shared<completion>(std::move(done));
    auto begun = client.invalidate_async(value, deadline, [kept](auto came) { (*kept)(std::move(came)); });
    if (!begun) (*kept)(std::move(begun).error());
    else if (!*begun) (*kept)(tokenwell::token(nullptr));
    else return pending(*std::move(*begun));
    return {};
}

// Ends everything that is pending with CLOSED, and waits until no completion runs any more, unless
// a request to a server that hangs takes longer than this.
static void close(const tokenwell::client &client)
{
    client.close();
    (void)client.drain(milliseconds(1000));
}

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
    call(event_loop &loop, const tokenwell::client &client, std::string base, milliseconds deadline)
        : loop_(loop), client_(client), base_(std::move(base)), deadline_(deadline)
    {
    }
    ~call()
    {
        if (http_.joinable()) http_.join();
    }

    void start()
    {
        pending_ = get_token(client_, deadline_, [this](auto came) {
            // Not on the loop: post the result. A std::function must be copyable, hence the pointer.
            auto kept = std::make_shared<decltype(came)>(std::move(came));
            loop_.post([this, kept] { token_came(*kept); });
        });
        std::printf("%s\n", pending_.is_pending() ? "waiting for a token" : "no wait for the token");
    }
    bool give_up() { return pending_.cancel(); }

    int status = 0;
    std::string problem;

private:
    void token_came(tokenwell::result<tokenwell::token> &came)
    {
        try {
            tokenwell::token token = std::move(came).or_throw();
            value_ = token.value();
            if (http_.joinable()) http_.join();
            http_ = std::thread([this, authorization = std::string(token.authorization())] {
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
        pending_ = invalidate(client_, value_, deadline_, [this](auto came) {
            auto kept = std::make_shared<decltype(came)>(std::move(came));
            loop_.post([this, kept] {
                try {
                    std::move(*kept).or_throw();
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
    const tokenwell::client &client_;
    std::string base_, value_;
    milliseconds deadline_;
    bool retried_ = false;
    std::thread http_;
    pending pending_;
};

int main(int count, char **arguments)
try {
    const char *base = std::getenv("MONGODB_ATLAS_BASE_URL");
    if (!base) throw std::runtime_error("MONGODB_ATLAS_BASE_URL is not set: start `tokenwell emulator` and export its variables");
    milliseconds deadline(count > 1 ? std::atoi(arguments[1]) : 10000), patience(count > 2 ? std::atoi(arguments[2]) : 5000);

    tokenwell::client client = tokenwell::client::from_environment().or_throw();
    tokenwell::queue changes = tokenwell::queue::create().or_throw();
    int descriptor = changes.descriptor().or_throw();
    // An entry with this tag appears in the queue whenever the current token changes.
    client.watch(changes, 1).or_throw();

    event_loop loop;
    auto changed = [&changes] {
        while (changes.take().or_throw()) std::printf("the current token has changed\n");
    };
    {
        call first(loop, client, base, deadline);
        first.start();
        if (!loop.run(descriptor, changed, patience)) {
            std::printf("%s\n", first.give_up() ? "gave up: the completion is never called" : "gave up: it has just been called");
            close(client);
            return 1;
        }
        if (!first.problem.empty()) throw std::runtime_error(first.problem);
        std::printf("GET /api/atlas/v2/orgs: %d\n", first.status);
    }

    // A token is cached now: the future is ready immediately.
    auto [future, none] = get_token(client, deadline);
    tokenwell::token token = future.get();
    std::printf("from memory: a token until %lld\n", static_cast<long long>(token.expires_at().time_since_epoch().count()));

    close(client);
    return 0;
} catch (const std::exception &why) {
    std::fprintf(stderr, "%s\n", why.what());
    return 1;
}
