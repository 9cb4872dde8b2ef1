// SPDX-License-Identifier: Apache-2.0 OR MIT

/// @file tokenwell.hpp
/// @brief tokenwell for C++17: objects that release themselves, and results instead of error codes.
///
/// A layer over tokenwell.h without logic of its own. The documentation of tokenwell.h applies:
/// each function names the C function that it calls.
///
/// - All classes own one object of the C library. They can be moved and not copied. An object that
///   was moved from is empty: it may only be destroyed or assigned to.
/// - A call that can fail returns a `tokenwell::result`. Nothing throws, except
///   `result::or_throw`, and `std::bad_alloc` where a string, vector or callback is stored.
/// - Times are `std::chrono` values. A conversion that would lose precision does not compile. A
///   negative time counts as the shortest possible time.
/// - A string is returned as a `std::string_view` into its object, and is followed by a NUL.
/// - Any number of threads may concurrently call the const functions of one object.

#ifndef TOKENWELL_HPP
#define TOKENWELL_HPP

#include "tokenwell.h"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace tokenwell {

using std::chrono::milliseconds;

/// The status of a call; see `tokenwell_status` in tokenwell.h.
using status = ::tokenwell_status;

/// @cond Not part of the interface.
namespace detail {

template <auto Free> struct release {
    template <typename Object> void operator()(Object *object) const noexcept { Free(object); }
};
template <typename Object, auto Free> using owned = std::unique_ptr<Object, release<Free>>;

inline std::string_view view(const char *start, std::size_t length) noexcept
{
    return start ? std::string_view(start, length) : std::string_view();
}
inline std::optional<std::string_view> optional_view(const char *start, std::size_t length) noexcept
{
    return start ? std::optional<std::string_view>(std::in_place, start, length) : std::nullopt;
}
// 0 means "the default" for a deadline, so a time in the past is 1 ms.
inline std::uint64_t deadline(milliseconds time) noexcept
{
    return time.count() < 0 ? 1 : static_cast<std::uint64_t>(time.count());
}
inline std::uint64_t time(milliseconds time) noexcept { return time.count() < 0 ? 0 : static_cast<std::uint64_t>(time.count()); }
// The C functions accept no NULL, which an empty view may be.
inline const char *start(std::string_view given) noexcept { return given.data() ? given.data() : ""; }

} // namespace detail
/// @endcond

/// An error: what happened in a failed call, and what to do about it. Never contains a secret.
class error {
public:
    /// Takes ownership of an error of the C library, which may be NULL.
    /// @param handle The error.
    explicit error(tokenwell_error *handle) noexcept : handle_(handle) {}

    /// @return The status of the failed call.
    tokenwell::status status() const noexcept { return tokenwell_error_status(get()); }

    /// @return The name of the status, for example "RATE_LIMITED".
    std::string_view name() const noexcept
    {
        const char *name = tokenwell_error_name(get());
        return name ? std::string_view(name) : std::string_view();
    }

    /// @return What happened and to what.
    std::string_view message() const noexcept
    {
        std::size_t length = 0;
        const char *start = tokenwell_error_message(get(), &length);
        return detail::view(start, length);
    }

    /// @return What to do about it. May be empty.
    std::string_view hint() const noexcept
    {
        std::size_t length = 0;
        const char *start = tokenwell_error_hint(get(), &length);
        return detail::view(start, length);
    }

    /// @return The HTTP status of the server's reply, if there was a reply.
    std::optional<int> http_status() const noexcept
    {
        const std::int32_t code = tokenwell_error_http_status(get());
        return code ? std::optional<int>(code) : std::nullopt;
    }

    /// @return How long to wait before the next attempt, if that is known.
    std::optional<milliseconds> retry_after() const noexcept
    {
        const std::int64_t time = tokenwell_error_retry_after_ms(get());
        return time < 0 ? std::nullopt : std::optional<milliseconds>(time);
    }

    /// @return The error code that the server sent, for example "invalid_client".
    std::optional<std::string_view> oauth_code() const noexcept
    {
        std::size_t length = 0;
        const char *start = tokenwell_error_oauth_code(get(), &length);
        return detail::optional_view(start, length);
    }

    /// @return Whether this is the remembered error of an earlier call.
    bool is_remembered() const noexcept { return tokenwell_error_is_remembered(get()) == 1; }

    /// @return How long ago a remembered error occurred. 0 if the error is not remembered.
    milliseconds age() const noexcept { return milliseconds(tokenwell_error_age_ms(get())); }

    /// @return How many requests the failure took, including retries.
    std::uint32_t attempts() const noexcept { return tokenwell_error_attempts(get()); }

    /// @return "NAME: message" and, on a second line, the hint.
    std::string to_string() const
    {
        std::string both(name());
        both.append(": ").append(message());
        if (!hint().empty()) both.append("\n").append(hint());
        return both;
    }

    /// @return The object of the C library, still owned by this object.
    const tokenwell_error *get() const noexcept { return handle_.get(); }

private:
    detail::owned<tokenwell_error, tokenwell_error_free> handle_;
};

#if defined(__cpp_exceptions)
/// What `result::or_throw` throws.
class exception : public std::runtime_error {
public:
    /// Takes an error.
    /// @param cause The error.
    explicit exception(error cause) : std::runtime_error(cause.to_string()), cause_(std::make_shared<error>(std::move(cause))) {}

    /// @return The error.
    const error &cause() const noexcept { return *cause_; }

private:
    // An exception must be copyable.
    std::shared_ptr<const error> cause_;
};
#endif

/// A value or an error.
///
/// Test it before the value is used: `if (!result) return result.error().status();`
template <typename Value> class [[nodiscard]] result {
public:
    /// A success.
    /// @param value The value.
    result(Value value) : content_(std::in_place_index<0>, std::move(value)) {}
    /// A failure.
    /// @param cause The error.
    result(tokenwell::error cause) : content_(std::in_place_index<1>, std::move(cause)) {}

    /// @return Whether this is a value.
    bool has_value() const noexcept { return content_.index() == 0; }
    /// @return Whether this is a value.
    explicit operator bool() const noexcept { return has_value(); }

    /// @return The value.
    /// @pre `has_value()`.
    Value &operator*() & noexcept { return *std::get_if<0>(&content_); }
    /// @copydoc operator*()
    const Value &operator*() const & noexcept { return *std::get_if<0>(&content_); }
    /// @copydoc operator*()
    Value &&operator*() && noexcept { return std::move(*std::get_if<0>(&content_)); }
    /// @copydoc operator*()
    Value *operator->() noexcept { return std::get_if<0>(&content_); }
    /// @copydoc operator*()
    const Value *operator->() const noexcept { return std::get_if<0>(&content_); }

    /// @return The error.
    /// @pre `!has_value()`.
    const tokenwell::error &error() const & noexcept { return *std::get_if<1>(&content_); }
    /// @copydoc error()
    tokenwell::error &&error() && noexcept { return std::move(*std::get_if<1>(&content_)); }

#if defined(__cpp_exceptions)
    /// Returns the value, or throws the error.
    /// @return The value.
    /// @throw tokenwell::exception The error.
    Value or_throw() &&
    {
        if (!has_value()) throw exception(std::move(*this).error());
        return *std::move(*this);
    }
#endif

private:
    std::variant<Value, tokenwell::error> content_;
};

/// Success or an error.
template <> class [[nodiscard]] result<void> {
public:
    /// A success.
    result() noexcept = default;
    /// A failure.
    /// @param cause The error.
    result(tokenwell::error cause) noexcept : error_(std::move(cause)) {}

    /// @return Whether the call succeeded.
    bool has_value() const noexcept { return !error_; }
    /// @return Whether the call succeeded.
    explicit operator bool() const noexcept { return has_value(); }

    /// @return The error.
    /// @pre `!has_value()`.
    const tokenwell::error &error() const & noexcept { return *error_; }
    /// @copydoc error()
    tokenwell::error &&error() && noexcept { return std::move(*error_); }

#if defined(__cpp_exceptions)
    /// Throws the error, if there is one.
    /// @throw tokenwell::exception The error.
    void or_throw() &&
    {
        if (!has_value()) throw exception(std::move(*this).error());
    }
#endif

private:
    std::optional<tokenwell::error> error_;
};

/// An access token that was valid when it was returned.
class token {
public:
    /// Takes ownership of a token of the C library.
    /// @param handle The token. NULL for the end of an operation that returns no token.
    explicit token(tokenwell_token *handle) noexcept : handle_(handle) {}

    /// @return The token as the server issued it. It is a secret: do not log it.
    std::string_view value() const noexcept
    {
        std::size_t length = 0;
        const char *start = tokenwell_token_value(get(), &length);
        return detail::view(start, length);
    }

    /// @return The value of the Authorization header: "Bearer " and the token.
    std::string_view authorization() const noexcept
    {
        std::size_t length = 0;
        const char *start = tokenwell_token_authorization(get(), &length);
        return detail::view(start, length);
    }

    /// @return The scope that the server granted, if it named one.
    std::optional<std::string_view> scope() const noexcept
    {
        std::size_t length = 0;
        const char *start = tokenwell_token_scope(get(), &length);
        return detail::optional_view(start, length);
    }

    /// @return When the token expires.
    std::chrono::time_point<std::chrono::system_clock, milliseconds> expires_at() const noexcept
    {
        return std::chrono::time_point<std::chrono::system_clock, milliseconds>(milliseconds(tokenwell_token_expires_at_ms(get())));
    }

    /// @return The value that `client::generation` had when this token became current.
    std::uint64_t generation() const noexcept { return tokenwell_token_generation(get()); }

    /// @return Another reference to the same token.
    token clone() const noexcept { return token(tokenwell_token_clone(get())); }

    /// @return False if an operation ended that returns no token.
    explicit operator bool() const noexcept { return handle_ != nullptr; }

    /// @return The object of the C library, still owned by this object.
    const tokenwell_token *get() const noexcept { return handle_.get(); }

private:
    detail::owned<tokenwell_token, tokenwell_token_free> handle_;
};

/// The result of a call that returns a token. A cached token costs no more than in C.
template <> class [[nodiscard]] result<token> {
public:
    /// A success.
    /// @param value The token.
    result(token value) noexcept : value_(std::move(value)), error_(nullptr), has_value_(true) {}
    /// A failure.
    /// @param cause The error.
    result(tokenwell::error cause) noexcept : value_(nullptr), error_(std::move(cause)), has_value_(false) {}

    /// @return Whether this is a token.
    bool has_value() const noexcept { return has_value_; }
    /// @return Whether this is a token.
    explicit operator bool() const noexcept { return has_value_; }

    /// @return The token.
    /// @pre `has_value()`.
    token &operator*() & noexcept { return value_; }
    /// @copydoc operator*()
    const token &operator*() const & noexcept { return value_; }
    /// @copydoc operator*()
    token &&operator*() && noexcept { return std::move(value_); }
    /// @copydoc operator*()
    token *operator->() noexcept { return &value_; }
    /// @copydoc operator*()
    const token *operator->() const noexcept { return &value_; }

    /// @return The error.
    /// @pre `!has_value()`.
    const tokenwell::error &error() const & noexcept { return error_; }
    /// @copydoc error()
    tokenwell::error &&error() && noexcept { return std::move(error_); }

#if defined(__cpp_exceptions)
    /// Returns the token, or throws the error.
    /// @return The token.
    /// @throw tokenwell::exception The error.
    token or_throw() &&
    {
        if (!has_value_) throw exception(std::move(error_));
        return std::move(value_);
    }
#endif

private:
    token value_;
    tokenwell::error error_;
    bool has_value_;
};

/// A response of the Admin API, with any status except a redirect.
class api_response {
public:
    /// Takes ownership of a response of the C library.
    /// @param handle The response.
    explicit api_response(tokenwell_api_response *handle) noexcept : handle_(handle) {}

    /// @return The HTTP status.
    int status() const noexcept { return tokenwell_api_response_status(get()); }

    /// Returns a header (`tokenwell_api_response_header`).
    /// @param name The name, in upper or lower case.
    /// @return The first value, if the response has such a header.
    std::optional<std::string_view> header(std::string_view name) const noexcept
    {
        std::size_t length = 0;
        const char *start = tokenwell_api_response_header(get(), detail::start(name), name.size(), &length);
        return detail::optional_view(start, length);
    }

    /// @return All headers in the order received, with names in lower case.
    std::vector<std::pair<std::string_view, std::string_view>> headers() const
    {
        std::vector<std::pair<std::string_view, std::string_view>> all;
        for (std::size_t i = 0; i < tokenwell_api_response_header_count(get()); ++i) {
            std::size_t name_length = 0, value_length = 0;
            const char *name = tokenwell_api_response_header_name(get(), i, &name_length);
            const char *value = tokenwell_api_response_header_value(get(), i, &value_length);
            all.emplace_back(detail::view(name, name_length), detail::view(value, value_length));
        }
        return all;
    }

    /// @return The body, usually JSON. It may contain a secret.
    std::string_view body() const noexcept
    {
        std::size_t length = 0;
        const char *start = tokenwell_api_response_body(get(), &length);
        return detail::view(start, length);
    }

    /// @return The object of the C library, still owned by this object.
    const tokenwell_api_response *get() const noexcept { return handle_.get(); }

private:
    detail::owned<tokenwell_api_response, tokenwell_api_response_free> handle_;
};

/// A request to the Admin API. Only one thread at a time may change it.
class api_request {
public:
    /// Creates a request without a body (`tokenwell_api_request_new`).
    /// @param method GET, POST, PUT, PATCH or DELETE.
    /// @param path The path on the API's server, for example "/api/atlas/v2/orgs".
    /// @return The request, or the error.
    static result<api_request> create(std::string_view method, std::string_view path) noexcept
    {
        tokenwell_api_request *handle = nullptr;
        tokenwell_error *cause = nullptr;
        if (tokenwell_api_request_new(detail::start(method), method.size(), detail::start(path), path.size(), &handle, &cause) !=
            TOKENWELL_STATUS_OK) return error(cause);
        return api_request(handle);
    }

    /// Takes ownership of a request of the C library.
    /// @param handle The request.
    explicit api_request(tokenwell_api_request *handle) noexcept : handle_(handle) {}

    /// Sets the version of the API (`tokenwell_api_request_set_version`).
    /// @param version The date, for example "2025-03-12".
    /// @return Nothing, or the error.
    result<void> set_version(std::string_view version) noexcept
    {
        tokenwell_error *cause = nullptr;
        if (tokenwell_api_request_set_version(get(), detail::start(version), version.size(), &cause) != TOKENWELL_STATUS_OK) return error(cause);
        return {};
    }

    /// Adds a parameter to the query (`tokenwell_api_request_add_query`).
    /// @param name The name, not encoded.
    /// @param value The value, not encoded.
    /// @return Nothing, or the error.
    result<void> add_query(std::string_view name, std::string_view value) noexcept
    {
        tokenwell_error *cause = nullptr;
        if (tokenwell_api_request_add_query(get(), detail::start(name), name.size(), detail::start(value), value.size(), &cause) !=
            TOKENWELL_STATUS_OK) return error(cause);
        return {};
    }

    /// Sets the body (`tokenwell_api_request_set_body`).
    /// @param json One JSON value.
    /// @return Nothing, or the error.
    result<void> set_body(std::string_view json) noexcept
    {
        tokenwell_error *cause = nullptr;
        if (tokenwell_api_request_set_body(get(), detail::start(json), json.size(), &cause) != TOKENWELL_STATUS_OK) return error(cause);
        return {};
    }

    /// Sets the largest body of a response that is accepted (`tokenwell_api_request_set_max_body`).
    /// @param size The size in bytes.
    /// @return Nothing, or the error.
    result<void> set_max_body(std::uint64_t size) noexcept
    {
        tokenwell_error *cause = nullptr;
        if (tokenwell_api_request_set_max_body(get(), size, &cause) != TOKENWELL_STATUS_OK) return error(cause);
        return {};
    }

    /// @return The object of the C library, still owned by this object.
    tokenwell_api_request *get() const noexcept { return handle_.get(); }

private:
    detail::owned<tokenwell_api_request, tokenwell_api_request_free> handle_;
};

/// A request for the client secret, which is answered exactly once.
///
/// If it is destroyed without an answer, it is answered with a failure.
class secret_request {
public:
    /// Takes ownership of a request of the C library.
    /// @param handle The request.
    explicit secret_request(tokenwell_secret_request *handle) noexcept : handle_(handle) {}

    /// Answers with the secret (`tokenwell_secret_request_provide`).
    /// @param secret The client secret.
    /// @return Nothing, or the error.
    result<void> provide(std::string_view secret) noexcept
    {
        tokenwell_error *cause = nullptr;
        if (tokenwell_secret_request_provide(handle_.release(), detail::start(secret), secret.size(), &cause) != TOKENWELL_STATUS_OK)
            return error(cause);
        return {};
    }

    /// Answers with the reason why there is no secret (`tokenwell_secret_request_fail`).
    /// @param reason The reason, without a secret.
    /// @return Nothing, or the error.
    result<void> fail(std::string_view reason) noexcept
    {
        tokenwell_error *cause = nullptr;
        if (tokenwell_secret_request_fail(handle_.release(), detail::start(reason), reason.size(), &cause) != TOKENWELL_STATUS_OK)
            return error(cause);
        return {};
    }

private:
    struct unanswered {
        void operator()(tokenwell_secret_request *request) const noexcept
        {
            constexpr std::string_view reason = "the program did not answer";
            tokenwell_secret_request_fail(request, reason.data(), reason.size(), nullptr);
        }
    };
    std::unique_ptr<tokenwell_secret_request, unanswered> handle_;
};

/// The settings that a client is created from. Only one thread at a time may change it.
class config {
public:
    /// Creates an empty config (`tokenwell_config_new`).
    /// @return The config, or the error.
    static result<config> create() noexcept
    {
        tokenwell_config *handle = nullptr;
        tokenwell_error *cause = nullptr;
        if (tokenwell_config_new(&handle, &cause) != TOKENWELL_STATUS_OK) return error(cause);
        return config(handle);
    }

    /// Takes ownership of a config of the C library.
    /// @param handle The config.
    explicit config(tokenwell_config *handle) noexcept : handle_(handle) {}

    /// Sets one setting (`tokenwell_config_set`, which lists them).
    /// @param name The name of the setting.
    /// @param value The value, always as a string.
    /// @return Nothing, or the error.
    result<void> set(std::string_view name, std::string_view value) noexcept
    {
        tokenwell_error *cause = nullptr;
        if (tokenwell_config_set(get(), detail::start(name), name.size(), detail::start(value), value.size(), &cause) !=
            TOKENWELL_STATUS_OK) return error(cause);
        return {};
    }

    /// Uses the environment and a profile for all settings that were not set
    /// (`tokenwell_config_use_environment`).
    /// @return Nothing, or the error.
    result<void> use_environment() noexcept
    {
        tokenwell_error *cause = nullptr;
        if (tokenwell_config_use_environment(get(), &cause) != TOKENWELL_STATUS_OK) return error(cause);
        return {};
    }

    /// Uses only variables that `set_variable` adds (`tokenwell_config_use_variables`).
    /// @return Nothing, or the error.
    result<void> use_variables() noexcept
    {
        tokenwell_error *cause = nullptr;
        if (tokenwell_config_use_variables(get(), &cause) != TOKENWELL_STATUS_OK) return error(cause);
        return {};
    }

    /// Adds a variable that is used instead of those of the process
    /// (`tokenwell_config_set_variable`).
    /// @param name The name of the variable.
    /// @param value The value.
    /// @return Nothing, or the error.
    result<void> set_variable(std::string_view name, std::string_view value) noexcept
    {
        tokenwell_error *cause = nullptr;
        if (tokenwell_config_set_variable(get(), detail::start(name), name.size(), detail::start(value), value.size(), &cause) !=
            TOKENWELL_STATUS_OK) return error(cause);
        return {};
    }

    /// Sets a callback that delivers the client secret whenever one is needed
    /// (`tokenwell_config_set_secret_callback`).
    /// @param callback Called as `callback(secret_request)` on a thread of the library. An exception
    ///   that leaves it ends the program.
    /// @return Nothing, or the error.
    template <typename Callback> result<void> set_secret_callback(Callback callback)
    {
        auto kept = std::make_unique<Callback>(std::move(callback));
        tokenwell_error *cause = nullptr;
        if (tokenwell_config_set_secret_callback(
                get(), [](void *data, tokenwell_secret_request *request) noexcept { (*static_cast<Callback *>(data))(secret_request(request)); },
                kept.get(), [](void *data) noexcept { delete static_cast<Callback *>(data); }, &cause) != TOKENWELL_STATUS_OK)
            return error(cause);
        kept.release(); // The library calls the destroy callback.
        return {};
    }

    /// @return The object of the C library, still owned by this object.
    tokenwell_config *get() const noexcept { return handle_.get(); }

private:
    detail::owned<tokenwell_config, tokenwell_config_free> handle_;
};

/// A call that was begun and whose result comes later. Destroying it does not cancel it.
class operation {
public:
    /// Takes ownership of an operation of the C library.
    /// @param handle The operation.
    explicit operation(tokenwell_operation *handle) noexcept : handle_(handle) {}

    /// Waits for the end (`tokenwell_operation_wait`).
    /// @param time How long to wait. 0 does not wait.
    /// @return Nothing if it has not ended. Otherwise the token or the error; an empty token if the
    ///   operation succeeded and returns none.
    std::optional<result<token>> wait(milliseconds time) const noexcept
    {
        tokenwell_token *came = nullptr;
        tokenwell_error *cause = nullptr;
        switch (tokenwell_operation_wait(get(), detail::time(time), &came, &cause)) {
        case TOKENWELL_STATUS_PENDING: return std::nullopt;
        case TOKENWELL_STATUS_OK: return result<token>(token(came));
        default: return result<token>(error(cause));
        }
    }

    /// Returns the response of a request that has ended (`tokenwell_operation_response`).
    /// @return Nothing if it has not ended. Otherwise the response or the error.
    std::optional<result<api_response>> response() const noexcept
    {
        tokenwell_api_response *came = nullptr;
        tokenwell_error *cause = nullptr;
        switch (tokenwell_operation_response(get(), &came, &cause)) {
        case TOKENWELL_STATUS_PENDING: return std::nullopt;
        case TOKENWELL_STATUS_OK: return result<api_response>(api_response(came));
        default: return result<api_response>(error(cause));
        }
    }

    /// Cancels it (`tokenwell_operation_cancel`).
    /// @return Whether the callback, or the entry in the queue, never comes.
    bool cancel() const noexcept { return tokenwell_operation_cancel(get()) == 1; }

    /// @return The object of the C library, still owned by this object.
    const tokenwell_operation *get() const noexcept { return handle_.get(); }

private:
    detail::owned<tokenwell_operation, tokenwell_operation_free> handle_;
};

/// An entry of a queue.
struct entry {
    /// The tag that was passed when the operation was begun or the client was watched.
    std::uint64_t tag;
    /// The operation that has ended. Nothing if the generation of a watched client has changed.
    std::optional<operation> ended;
};

/// A completion queue, for programs with an event loop.
class queue {
public:
    /// Creates a queue (`tokenwell_queue_new`).
    /// @return The queue, or the error.
    static result<queue> create() noexcept
    {
        tokenwell_queue *handle = nullptr;
        tokenwell_error *cause = nullptr;
        if (tokenwell_queue_new(&handle, &cause) != TOKENWELL_STATUS_OK) return error(cause);
        return queue(handle);
    }

    /// Takes ownership of a queue of the C library.
    /// @param handle The queue.
    explicit queue(tokenwell_queue *handle) noexcept : handle_(handle) {}

    /// Returns the descriptor for poll or epoll (`tokenwell_queue_descriptor`).
    /// @return The descriptor, which is readable while the queue has entries, or the error.
    result<int> descriptor() const noexcept
    {
        std::int32_t descriptor = -1;
        tokenwell_error *cause = nullptr;
        if (tokenwell_queue_descriptor(get(), &descriptor, &cause) != TOKENWELL_STATUS_OK) return error(cause);
        return static_cast<int>(descriptor);
    }

    /// Takes the next entry (`tokenwell_queue_take`). Never blocks.
    /// @return The entry, nothing if the queue is empty, or the error.
    result<std::optional<entry>> take() const noexcept
    {
        std::uint64_t tag = 0;
        tokenwell_operation *ended = nullptr;
        tokenwell_error *cause = nullptr;
        switch (tokenwell_queue_take(get(), &tag, &ended, &cause)) {
        case TOKENWELL_STATUS_PENDING: return std::optional<entry>();
        case TOKENWELL_STATUS_OK: return std::optional<entry>(entry{tag, ended ? std::optional<operation>(ended) : std::nullopt});
        default: return error(cause);
        }
    }

    /// Waits until there is an entry (`tokenwell_queue_wait`).
    /// @param time How long to wait. 0 does not wait.
    /// @return Whether the queue has an entry, or the error.
    result<bool> wait(milliseconds time) const noexcept
    {
        tokenwell_error *cause = nullptr;
        switch (tokenwell_queue_wait(get(), detail::time(time), &cause)) {
        case TOKENWELL_STATUS_PENDING: return false;
        case TOKENWELL_STATUS_OK: return true;
        default: return error(cause);
        }
    }

    /// Closes the queue for all its users (`tokenwell_queue_close`).
    void close() const noexcept { tokenwell_queue_close(get(), nullptr); }

    /// @return The object of the C library, still owned by this object.
    const tokenwell_queue *get() const noexcept { return handle_.get(); }

private:
    detail::owned<tokenwell_queue, tokenwell_queue_free> handle_;
};

/// What a caller requires of a token.
struct token_options {
    /// How long the token must still be valid. 0: the smaller of 60 s and a tenth of its lifetime.
    milliseconds min_ttl{0};
    /// How long the call may take. 0: the configured timeout.
    milliseconds deadline{0};
    /// Return a token other than the current one (TOKENWELL_FORCE_REFRESH).
    bool force_refresh = false;
    /// Return only a token that is in memory (TOKENWELL_CACHED_ONLY).
    bool cached_only = false;
    /// An operation ends when its token is also saved for other processes
    /// (TOKENWELL_WAIT_FOR_SAVE).
    bool wait_for_save = true;

    /// @return The flags for the C functions.
    std::uint32_t flags() const noexcept
    {
        return (force_refresh ? TOKENWELL_FORCE_REFRESH : 0u) | (cached_only ? TOKENWELL_CACHED_ONLY : 0u) |
               (wait_for_save ? TOKENWELL_WAIT_FOR_SAVE : 0u);
    }
};

/// What a call for a token that never blocks returns: a cached token, or the operation.
using token_or_operation = std::variant<token, operation>;

/// A setting that is in effect, and where its value came from.
struct setting {
    /// The name, for example "client_id".
    std::string_view name;
    /// The source, for example "environment variable TOKENWELL_CLIENT_ID".
    std::string_view source;
};

/// A client: obtains and caches the access token of one service account.
///
/// All functions are const, and any number of threads may call them concurrently.
class client {
public:
    /// Creates a client (`tokenwell_client_new`).
    /// @param settings The settings.
    /// @return The client, or the error.
    static result<client> create(const config &settings) noexcept
    {
        tokenwell_client *handle = nullptr;
        tokenwell_error *cause = nullptr;
        if (tokenwell_client_new(settings.get(), &handle, &cause) != TOKENWELL_STATUS_OK) return error(cause);
        return client(handle);
    }

    /// Creates a client whose settings all come from the environment or a profile.
    /// @return The client, or the error.
    static result<client> from_environment() noexcept
    {
        auto settings = config::create();
        if (!settings) return std::move(settings).error();
        if (auto used = settings->use_environment(); !used) return std::move(used).error();
        return create(*settings);
    }

    /// Takes ownership of a client of the C library.
    /// @param handle The client.
    explicit client(tokenwell_client *handle) noexcept : handle_(handle) {}

    /// Returns another reference to the same client (`tokenwell_client_clone`).
    /// @return The reference, or the error.
    result<client> clone() const noexcept
    {
        tokenwell_client *handle = nullptr;
        tokenwell_error *cause = nullptr;
        if (tokenwell_client_clone(get(), &handle, &cause) != TOKENWELL_STATUS_OK) return error(cause);
        return client(handle);
    }

    /// Returns a valid token: immediately if one is cached, otherwise after a refresh
    /// (`tokenwell_client_token`).
    /// @param options What is required of the token.
    /// @return The token, or the error.
    result<tokenwell::token> token(const token_options &options = {}) const noexcept
    {
        tokenwell_token *came = nullptr;
        tokenwell_error *cause = nullptr;
        if (tokenwell_client_token(get(), detail::time(options.min_ttl), detail::deadline(options.deadline), options.flags(), &came,
                                   &cause) != TOKENWELL_STATUS_OK) return error(cause);
        return tokenwell::token(came);
    }

    /// Like `token`, but never blocks (`tokenwell_client_token_async` without a callback).
    /// @param options What is required of the token.
    /// @return The token or the operation to wait for, or the error.
    result<token_or_operation> token_async(const token_options &options = {}) const
    {
        tokenwell_token *now = nullptr;
        tokenwell_operation *begun = nullptr;
        tokenwell_error *cause = nullptr;
        const auto code =
            tokenwell_client_token_async(get(), detail::time(options.min_ttl), detail::deadline(options.deadline), options.flags(),
                                         nullptr, nullptr, nullptr, &now, &begun, &cause);
        return token_or(code, now, begun, cause);
    }

    /// Like `token`, but never blocks (`tokenwell_client_token_async`).
    /// @param options What is required of the token.
    /// @param callback Called as `callback(result<token>)` on a thread of the library, only if an
    ///   operation is returned and not canceled. An exception that leaves it ends the program.
    /// @return The token or the operation, or the error.
    template <typename Callback> result<token_or_operation> token_async(const token_options &options, Callback callback) const
    {
        auto kept = std::make_unique<Callback>(std::move(callback));
        tokenwell_token *now = nullptr;
        tokenwell_operation *begun = nullptr;
        tokenwell_error *cause = nullptr;
        const auto code =
            tokenwell_client_token_async(get(), detail::time(options.min_ttl), detail::deadline(options.deadline), options.flags(),
                                         called<Callback>, kept.get(), destroyed<Callback>, &now, &begun, &cause);
        if (code == TOKENWELL_STATUS_PENDING) kept.release(); // destroyed() deletes it.
        return token_or(code, now, begun, cause);
    }

    /// Like `token`, but never blocks (`tokenwell_client_token_queued`).
    /// @param options What is required of the token.
    /// @param where The queue that receives an entry if an operation is returned.
    /// @param tag Returned with the entry.
    /// @return The token or the operation, or the error.
    result<token_or_operation> token_queued(const token_options &options, const queue &where, std::uint64_t tag) const
    {
        tokenwell_token *now = nullptr;
        tokenwell_operation *begun = nullptr;
        tokenwell_error *cause = nullptr;
        const auto code =
            tokenwell_client_token_queued(get(), detail::time(options.min_ttl), detail::deadline(options.deadline), options.flags(),
                                          where.get(), tag, &now, &begun, &cause);
        return token_or(code, now, begun, cause);
    }

    /// Drops the current token after a resource server rejected it with HTTP status 401
    /// (`tokenwell_client_invalidate`).
    /// @param rejected The string of the rejected token.
    /// @return Nothing, or the error.
    result<void> invalidate(std::string_view rejected) const noexcept
    {
        tokenwell_error *cause = nullptr;
        if (tokenwell_client_invalidate(get(), detail::start(rejected), rejected.size(), &cause) != TOKENWELL_STATUS_OK) return error(cause);
        return {};
    }

    /// Like `invalidate`, but never blocks (`tokenwell_client_invalidate_async`).
    /// @param rejected The string of the rejected token.
    /// @param deadline When the operation ends. 0: the configured timeout.
    /// @param callback Called as `callback(result<token>)`, as for `token_async`, with an empty token.
    /// @return The operation, nothing if nothing is left to do, or the error.
    template <typename Callback>
    result<std::optional<operation>> invalidate_async(std::string_view rejected, milliseconds deadline, Callback callback) const
    {
        auto kept = std::make_unique<Callback>(std::move(callback));
        tokenwell_operation *begun = nullptr;
        tokenwell_error *cause = nullptr;
        const auto code =
            tokenwell_client_invalidate_async(get(), detail::start(rejected), rejected.size(), detail::deadline(deadline),
                                              called<Callback>, kept.get(), destroyed<Callback>, &begun, &cause);
        if (code == TOKENWELL_STATUS_PENDING) kept.release();
        return maybe_operation(code, begun, cause);
    }

    /// Like `invalidate`, but never blocks (`tokenwell_client_invalidate_queued`).
    /// @param rejected The string of the rejected token.
    /// @param deadline When the operation ends. 0: the configured timeout.
    /// @param where The queue that receives an entry if an operation is returned.
    /// @param tag Returned with the entry.
    /// @return The operation, nothing if nothing is left to do, or the error.
    result<std::optional<operation>> invalidate_queued(std::string_view rejected, milliseconds deadline, const queue &where,
                                                       std::uint64_t tag) const
    {
        tokenwell_operation *begun = nullptr;
        tokenwell_error *cause = nullptr;
        const auto code =
            tokenwell_client_invalidate_queued(get(), detail::start(rejected), rejected.size(), detail::deadline(deadline), where.get(),
                                               tag, &begun, &cause);
        return maybe_operation(code, begun, cause);
    }

    /// Revokes the current token at the server (`tokenwell_client_revoke`).
    /// @param deadline How long the call may take. 0: the configured timeout.
    /// @return Nothing, or the error.
    result<void> revoke(milliseconds deadline = milliseconds(0)) const noexcept
    {
        tokenwell_error *cause = nullptr;
        if (tokenwell_client_revoke(get(), detail::deadline(deadline), &cause) != TOKENWELL_STATUS_OK) return error(cause);
        return {};
    }

    /// Like `revoke`, but never blocks (`tokenwell_client_revoke_async`).
    /// @param deadline When the operation ends. 0: the configured timeout.
    /// @param callback Called as `callback(result<token>)`, as for `token_async`, with an empty token.
    /// @return The operation, nothing if there is no current token, or the error.
    template <typename Callback> result<std::optional<operation>> revoke_async(milliseconds deadline, Callback callback) const
    {
        auto kept = std::make_unique<Callback>(std::move(callback));
        tokenwell_operation *begun = nullptr;
        tokenwell_error *cause = nullptr;
        const auto code = tokenwell_client_revoke_async(get(), detail::deadline(deadline), called<Callback>, kept.get(),
                                                          destroyed<Callback>, &begun, &cause);
        if (code == TOKENWELL_STATUS_PENDING) kept.release();
        return maybe_operation(code, begun, cause);
    }

    /// Like `revoke`, but never blocks (`tokenwell_client_revoke_queued`).
    /// @param deadline When the operation ends. 0: the configured timeout.
    /// @param where The queue that receives an entry if an operation is returned.
    /// @param tag Returned with the entry.
    /// @return The operation, nothing if there is no current token, or the error.
    result<std::optional<operation>> revoke_queued(milliseconds deadline, const queue &where, std::uint64_t tag) const
    {
        tokenwell_operation *begun = nullptr;
        tokenwell_error *cause = nullptr;
        const auto code = tokenwell_client_revoke_queued(get(), detail::deadline(deadline), where.get(), tag, &begun, &cause);
        return maybe_operation(code, begun, cause);
    }

    /// Sends a request to the Admin API and waits for its response (`tokenwell_client_request`).
    /// @param what The request.
    /// @param deadline How long the call may take. 0: the configured timeout.
    /// @return The response, whatever its status is, or the error.
    result<api_response> request(const api_request &what, milliseconds deadline = milliseconds(0)) const noexcept
    {
        tokenwell_api_response *came = nullptr;
        tokenwell_error *cause = nullptr;
        if (tokenwell_client_request(get(), what.get(), detail::deadline(deadline), &came, &cause) != TOKENWELL_STATUS_OK) return error(cause);
        return api_response(came);
    }

    /// Like `request`, but never blocks (`tokenwell_client_request_async`).
    /// @param what The request.
    /// @param deadline When the operation ends. 0: the configured timeout.
    /// @param callback Called as `callback(result<api_response>)` on a thread of the library, only if
    ///   an operation is returned and not canceled. An exception that leaves it ends the program.
    /// @return The operation, or the error.
    template <typename Callback> result<operation> request_async(const api_request &what, milliseconds deadline, Callback callback) const
    {
        auto kept = std::make_unique<Callback>(std::move(callback));
        tokenwell_operation *begun = nullptr;
        tokenwell_error *cause = nullptr;
        const auto code = tokenwell_client_request_async(get(), what.get(), detail::deadline(deadline), responded<Callback>, kept.get(),
                                                         destroyed<Callback>, &begun, &cause);
        if (code != TOKENWELL_STATUS_PENDING) return error(cause);
        kept.release(); // destroyed() deletes it.
        return operation(begun);
    }

    /// Like `request`, but never blocks (`tokenwell_client_request_queued`).
    /// @param what The request.
    /// @param deadline When the operation ends. 0: the configured timeout.
    /// @param where The queue that receives an entry.
    /// @param tag Returned with the entry.
    /// @return The operation, or the error.
    result<operation> request_queued(const api_request &what, milliseconds deadline, const queue &where, std::uint64_t tag) const noexcept
    {
        tokenwell_operation *begun = nullptr;
        tokenwell_error *cause = nullptr;
        if (tokenwell_client_request_queued(get(), what.get(), detail::deadline(deadline), where.get(), tag, &begun, &cause) !=
            TOKENWELL_STATUS_PENDING) return error(cause);
        return operation(begun);
    }

    /// Adds an entry to a queue whenever the generation changes (`tokenwell_client_watch`).
    /// @param where The queue.
    /// @param tag Returned with the entry.
    /// @return Nothing, or the error.
    result<void> watch(const queue &where, std::uint64_t tag) const noexcept
    {
        tokenwell_error *cause = nullptr;
        if (tokenwell_client_watch(get(), where.get(), tag, &cause) != TOKENWELL_STATUS_OK) return error(cause);
        return {};
    }

    /// Stops watching (`tokenwell_client_unwatch`).
    /// @param where The queue.
    /// @return Nothing, or the error.
    result<void> unwatch(const queue &where) const noexcept
    {
        tokenwell_error *cause = nullptr;
        if (tokenwell_client_unwatch(get(), where.get(), &cause) != TOKENWELL_STATUS_OK) return error(cause);
        return {};
    }

    /// Reads the counters (`tokenwell_client_stats`).
    /// @return The counters, or the error.
    result<tokenwell_stats> stats() const noexcept
    {
        tokenwell_stats counters{};
        tokenwell_error *cause = nullptr;
        if (tokenwell_client_stats(get(), &counters, sizeof counters, &cause) != TOKENWELL_STATUS_OK) return error(cause);
        return counters;
    }

    /// Reads the generation counter (`tokenwell_client_generation`), which changes whenever the
    /// current token changes.
    /// @return The generation.
    std::uint64_t generation() const noexcept
    {
#if defined(__GNUC__)
        return __atomic_load_n(tokenwell_client_generation(get()), __ATOMIC_ACQUIRE);
#else
        return *static_cast<const volatile std::uint64_t *>(tokenwell_client_generation(get()));
#endif
    }

    /// Returns how long a copy of a token may be used without another call of `token`, while the
    /// generation does not change (`tokenwell_client_fresh_for_ms`).
    /// @param of The token.
    /// @return The time from now.
    milliseconds fresh_for(const tokenwell::token &of) const noexcept
    {
        return milliseconds(static_cast<milliseconds::rep>(tokenwell_client_fresh_for_ms(get(), of.get())));
    }

    /// @return The base URL of the API that accepts the tokens. Nothing if the server was set by
    ///   `token_url`.
    std::optional<std::string_view> base_url() const noexcept
    {
        std::size_t length = 0;
        const char *start = tokenwell_client_base_url(get(), &length);
        return detail::optional_view(start, length);
    }

    /// @return The settings that are in effect and their sources (`tokenwell_client_setting`).
    std::vector<setting> settings() const
    {
        std::vector<setting> all;
        const char *source = nullptr;
        while (const char *name = tokenwell_client_setting(get(), all.size(), &source)) all.push_back({name, source});
        return all;
    }

    /// Advances the clock of a client that was created with `manual_clock_ms`, for tests
    /// (`tokenwell_client_advance_clock`).
    /// @param time By how much.
    /// @return Nothing, or the error.
    result<void> advance_clock(milliseconds time) const noexcept
    {
        tokenwell_error *cause = nullptr;
        if (tokenwell_client_advance_clock(get(), detail::time(time), &cause) != TOKENWELL_STATUS_OK) return error(cause);
        return {};
    }

    /// Closes the client for all its users (`tokenwell_client_close`).
    void close() const noexcept { tokenwell_client_close(get(), nullptr); }

    /// Waits until nothing of the client runs any more (`tokenwell_client_drain`).
    /// @param time How long to wait. 0 does not wait.
    /// @return Nothing, or the error.
    result<void> drain(milliseconds time) const noexcept
    {
        tokenwell_error *cause = nullptr;
        if (tokenwell_client_drain(get(), detail::time(time), &cause) != TOKENWELL_STATUS_OK) return error(cause);
        return {};
    }

    /// @return The object of the C library, still owned by this object.
    const tokenwell_client *get() const noexcept { return handle_.get(); }

private:
    static result<token_or_operation> token_or(tokenwell::status code, tokenwell_token *now, tokenwell_operation *begun,
                                               tokenwell_error *cause) noexcept
    {
        switch (code) {
        case TOKENWELL_STATUS_OK: return token_or_operation(std::in_place_index<0>, now);
        case TOKENWELL_STATUS_PENDING: return token_or_operation(std::in_place_index<1>, begun);
        default: return error(cause);
        }
    }
    static result<std::optional<operation>> maybe_operation(tokenwell::status code, tokenwell_operation *begun,
                                                            tokenwell_error *cause) noexcept
    {
        switch (code) {
        case TOKENWELL_STATUS_OK: return std::optional<operation>();
        case TOKENWELL_STATUS_PENDING: return std::optional<operation>(begun);
        default: return error(cause);
        }
    }
    // C calls them, so no exception may leave them: noexcept ends the program instead.
    template <typename Callback> static void called(void *data, tokenwell_operation *ended) noexcept
    {
        tokenwell_token *came = nullptr;
        tokenwell_error *cause = nullptr;
        if (tokenwell_operation_wait(ended, 0, &came, &cause) == TOKENWELL_STATUS_OK)
            (*static_cast<Callback *>(data))(result<tokenwell::token>(tokenwell::token(came)));
        else
            (*static_cast<Callback *>(data))(result<tokenwell::token>(error(cause)));
    }
    template <typename Callback> static void responded(void *data, tokenwell_operation *ended) noexcept
    {
        tokenwell_api_response *came = nullptr;
        tokenwell_error *cause = nullptr;
        if (tokenwell_operation_response(ended, &came, &cause) == TOKENWELL_STATUS_OK)
            (*static_cast<Callback *>(data))(result<api_response>(api_response(came)));
        else
            (*static_cast<Callback *>(data))(result<api_response>(error(cause)));
    }
    template <typename Callback> static void destroyed(void *data) noexcept { delete static_cast<Callback *>(data); }

    detail::owned<tokenwell_client, tokenwell_client_free> handle_;
};

/// Compares the header that a program was built with to the library that it runs with.
///
/// A program that lacks a function of the library does not start at all, because the loader reports
/// the missing symbol. This function finds the rest, for a program that loads the library itself.
///
/// @return An empty string if they fit. Otherwise one sentence that names both versions and says
///   what to do.
inline std::string library_mismatch()
{
    if (tokenwell_abi_version() == TOKENWELL_ABI_VERSION) return {};
    return std::string("this program was built with the header of tokenwell " TOKENWELL_VERSION " (ABI ") +
           std::to_string(TOKENWELL_ABI_VERSION) + "), but the loaded library is tokenwell " + tokenwell_version() + " (ABI " +
           std::to_string(tokenwell_abi_version()) + "): install the library of tokenwell " TOKENWELL_VERSION ", or build the program again";
}

} // namespace tokenwell

#endif // TOKENWELL_HPP
