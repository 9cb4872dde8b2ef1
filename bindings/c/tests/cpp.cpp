// tokenwell.hpp: each class and function once, against the emulator whose variables run.sh exports.
#include <tokenwell.hpp>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <future>
#include <netinet/in.h>
#include <poll.h>
#include <string>
#include <sys/socket.h>
#include <type_traits>
#include <unistd.h>

using namespace std::chrono_literals;

// ---- what the types promise ----

template <typename Owner> constexpr bool is_move_only =
    !std::is_copy_constructible_v<Owner> && !std::is_copy_assignable_v<Owner> && std::is_nothrow_move_constructible_v<Owner> &&
    std::is_nothrow_move_assignable_v<Owner> && sizeof(Owner) == sizeof(void *);
static_assert(is_move_only<tokenwell::client> && is_move_only<tokenwell::config> && is_move_only<tokenwell::token> &&
              is_move_only<tokenwell::error> && is_move_only<tokenwell::operation> && is_move_only<tokenwell::queue>);
static_assert(!std::is_convertible_v<std::chrono::microseconds, decltype(tokenwell::token_options::deadline)>);
static_assert(std::is_convertible_v<std::chrono::hours, decltype(tokenwell::token_options::deadline)>);
static_assert(std::is_nothrow_copy_constructible_v<tokenwell::exception>);

// ---- the tests ----

static int faults;
static void check(bool condition, int line, const char *what)
{
    if (condition) return;
    std::printf("  cpp.cpp:%d: %s\n", line, what);
    ++faults;
}
#define CHECK(...) check((__VA_ARGS__), __LINE__, #__VA_ARGS__)
// Ends the program: the rest of a test cannot run.
#define DEMAND(result)                                                                                                                     \
    do {                                                                                                                                   \
        if (!(result)) {                                                                                                                   \
            std::printf("FAIL cpp.cpp:%d: %s: %s\n", __LINE__, #result, (result).error().to_string().c_str());                              \
            std::exit(1);                                                                                                                  \
        }                                                                                                                                  \
    } while (false)

static tokenwell::config settings(const char *secret = std::getenv("MONGODB_ATLAS_CLIENT_SECRET"))
{
    auto made = tokenwell::config::create();
    DEMAND(made);
    DEMAND(made->set("client_id", std::getenv("MONGODB_ATLAS_CLIENT_ID")));
    DEMAND(made->set("base_url", std::getenv("MONGODB_ATLAS_BASE_URL")));
    if (secret) DEMAND(made->set("client_secret", secret));
    return *std::move(made);
}
static tokenwell::client connected()
{
    auto made = tokenwell::client::create(settings());
    DEMAND(made);
    return *std::move(made);
}

static void a_token_is_returned_and_cached()
{
    auto made = tokenwell::client::from_environment();
    DEMAND(made);
    tokenwell::client client = *std::move(made);

    auto first = client.token(), second = client.token({1min, 10s});
    DEMAND(first);
    DEMAND(second);

    CHECK(first->value() == second->value() && first->value().substr(0, 2) == "ey");
    CHECK(first->authorization() == "Bearer " + std::string(first->value()));
    CHECK(std::strlen(first->value().data()) == first->value().size());
    CHECK(first->expires_at() > std::chrono::system_clock::now() + 50min);
    CHECK(first->generation() == client.generation());
    CHECK(client.fresh_for(*first) > 1min);
    CHECK(client.stats().or_throw().mints == 1 && client.stats()->hits == 1);
    CHECK(first->clone().value() == first->value());
}

static void a_moved_object_is_owned_once()
{
    tokenwell::client client = connected();
    tokenwell::token token = client.token().or_throw();
    std::string value(token.value());

    tokenwell::token moved = std::move(token);
    token = moved.clone();
    moved = std::move(token);
    tokenwell::client other = client.clone().or_throw();
    client = std::move(other);

    CHECK(moved.value() == value);
    CHECK(client.token({0ms, 0ms, false, true})->value() == value);
}

static void an_error_has_all_its_parts()
{
    auto client = tokenwell::client::create(settings("not-the-secret"));
    DEMAND(client);

    auto first = client->token(), second = client->token();

    CHECK(!first && !first.has_value());
    CHECK(first.error().status() == TOKENWELL_STATUS_CREDENTIAL_REJECTED && first.error().name() == "CREDENTIAL_REJECTED");
    CHECK(first.error().http_status() == 401 && first.error().oauth_code() == "invalid_client");
    CHECK(first.error().attempts() >= 1 && !first.error().is_remembered() && first.error().age() == 0ms);
    CHECK(!first.error().message().empty() && !first.error().hint().empty());
    CHECK(first.error().to_string() == "CREDENTIAL_REJECTED: " + std::string(first.error().message()) + "\n" +
                                           std::string(first.error().hint()));
    CHECK(first.error().to_string().find("not-the-secret") == std::string::npos);
    CHECK(second.error().is_remembered() && second.error().age() >= 0ms);
    std::string message(first.error().message());
    try {
        std::move(first).or_throw();
        CHECK(false && "nothing was thrown");
    } catch (const tokenwell::exception &thrown) {
        CHECK(thrown.cause().message() == message && std::strstr(thrown.what(), "CREDENTIAL_REJECTED: "));
    }
    // An error that does not exist has no parts.
    CHECK(tokenwell::error(nullptr).message().empty() && !tokenwell::error(nullptr).retry_after());
}

static void an_invalid_setting_is_an_error()
{
    tokenwell::config config = settings();
    CHECK(config.set("no_such_setting", "x").error().status() == TOKENWELL_STATUS_INVALID_ARGUMENT);
    CHECK(config.set({}, {}).error().message().find("NULL") == std::string_view::npos);
    CHECK(config.set_variable("A=B", "x").error().status() == TOKENWELL_STATUS_INVALID_ARGUMENT);
    CHECK(config.use_variables() && config.set_variable("TOKENWELL_SCOPE", "x") && config.use_environment());
    bool thrown = false;
    try {
        config.set("timeout_ms", "soon").or_throw();
    } catch (const tokenwell::exception &) {
        thrown = true;
    }
    CHECK(thrown);
}

static void a_time_in_the_past_is_the_shortest_time()
{
    // A server that accepts connections and never answers.
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    socklen_t size = sizeof address;
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    CHECK(bind(listener, reinterpret_cast<sockaddr *>(&address), size) == 0 && listen(listener, 8) == 0);
    CHECK(getsockname(listener, reinterpret_cast<sockaddr *>(&address), &size) == 0);
    tokenwell::config config = settings();
    DEMAND(config.set("base_url", "http://127.0.0.1:" + std::to_string(ntohs(address.sin_port))));
    DEMAND(config.set("timeout_ms", "600000"));
    auto silent = tokenwell::client::create(config);
    DEMAND(silent);

    const auto begun = std::chrono::steady_clock::now();
    auto got = silent->token({0ms, -1h});

    // Not after the timeout of ten minutes. On a busy machine there is no connection yet, which is another status.
    CHECK(!got && std::chrono::steady_clock::now() - begun < 1min);
    CHECK(connected().token({-1h, 0ms}).has_value());
    close(listener);
}

static void only_cached_tokens_on_request()
{
    tokenwell::client client = connected();
    CHECK(client.token({0ms, 0ms, false, true}).error().status() == TOKENWELL_STATUS_NOT_CACHED);
    auto first = client.token();
    DEMAND(first);
    CHECK(client.token({0ms, 0ms, false, true}).has_value());
    CHECK(client.token({0ms, 0ms, true}).or_throw().value() != first->value());
}

static void an_operation_is_waited_for()
{
    tokenwell::client client = connected();

    auto begun = client.token_async();
    DEMAND(begun);
    auto *operation = std::get_if<tokenwell::operation>(&*begun);
    CHECK(operation != nullptr);
    if (!operation) return;
    CHECK(operation->wait(10s).value().has_value());
    CHECK(operation->wait(0ms).value().or_throw().value() == client.token()->value());
    CHECK(!operation->cancel());

    auto cached = client.token_async();
    DEMAND(cached);
    CHECK(std::get<tokenwell::token>(*cached).value() == client.token()->value());
}

// Counts how many callbacks exist: each must be destroyed, whether it is called or not.
struct counted {
    static int alive;
    counted() { ++alive; }
    counted(const counted &) { ++alive; }
    counted(counted &&) noexcept { ++alive; }
    ~counted() { --alive; }
};
int counted::alive;

static void a_callback_is_called_once_and_destroyed()
{
    {
        tokenwell::client client = connected();
        std::promise<tokenwell::result<tokenwell::token>> promise;
        auto begun = client.token_async({}, [&promise, kept = counted()](auto came) { promise.set_value(std::move(came)); });
        DEMAND(begun);
        CHECK(std::holds_alternative<tokenwell::operation>(*begun));
        auto came = promise.get_future().get();
        DEMAND(came);

        // Not called: a token is cached, the operation is canceled, the client is closed.
        auto never = [kept = counted()](const auto &) { CHECK(false && "called"); };
        CHECK(std::holds_alternative<tokenwell::token>(*client.token_async({}, never)));
        client.close();
        CHECK(client.token_async({}, never).error().status() == TOKENWELL_STATUS_CLOSED);
        CHECK(client.drain(10s).has_value());
    }
    CHECK(counted::alive == 0);
}

static void a_rejected_token_is_replaced()
{
    tokenwell::client client = connected();
    tokenwell::token first = client.token().or_throw();
    CHECK(client.invalidate(first.value()).has_value());
    tokenwell::token second = client.token().or_throw();
    CHECK(second.value() != first.value());
}

static void a_rejected_token_is_replaced_without_blocking()
{
    tokenwell::client client = connected();
    tokenwell::token first = client.token().or_throw();
    std::promise<bool> ended;
    auto begun = client.invalidate_async(first.value(), 10s, [&ended](auto came) { ended.set_value(came && !*came); });
    DEMAND(begun);
    CHECK(!begun->has_value() || ended.get_future().get());
    CHECK(client.token().or_throw().value() != first.value());
}

static void a_token_is_revoked()
{
    tokenwell::client client = connected();
    std::string first(client.token().or_throw().value());
    CHECK(client.revoke(10s).has_value());
    CHECK(client.token().or_throw().value() != first);
    std::promise<bool> revoked;
    auto revoking = client.revoke_async(10s, [&revoked](auto came) { revoked.set_value(came.has_value()); });
    DEMAND(revoking);
    CHECK(revoking->has_value() && revoked.get_future().get());
    CHECK(client.token({0ms, 0ms, false, true}).error().status() == TOKENWELL_STATUS_NOT_CACHED);
}

static void a_queue_has_the_entries_of_its_operations()
{
    tokenwell::client client = connected();
    auto queue = tokenwell::queue::create();
    DEMAND(queue);
    CHECK(!queue->take().or_throw() && !queue->wait(0ms).or_throw());
    DEMAND(client.watch(*queue, 7));

    auto begun = client.token_queued({}, *queue, 8);
    DEMAND(begun);
    CHECK(std::holds_alternative<tokenwell::operation>(*begun));
    bool ended = false, changed = false;
    while (!ended || !changed) {
        pollfd watched{queue->descriptor().or_throw(), POLLIN, 0};
        if (poll(&watched, 1, 10000) != 1) break;
        while (auto taken = queue->take().or_throw()) {
            if (taken->tag == 7) changed = !taken->ended;
            if (taken->tag == 8) ended = taken->ended->wait(0ms).value().or_throw().value() == client.token()->value();
        }
    }
    CHECK(ended && changed);

    DEMAND(client.unwatch(*queue));
    auto revoking = client.revoke_queued(10s, *queue, 9);
    DEMAND(revoking);
    CHECK(queue->wait(10s).or_throw() && queue->take().or_throw()->tag == 9);
    CHECK(client.invalidate_queued("not the current token", 10s, *queue, 10).has_value());
    queue->close();
    CHECK(queue->take().error().status() == TOKENWELL_STATUS_CLOSED);
}

static void a_secret_comes_from_the_program()
{
    int requests = 0;
    {
        tokenwell::config config = settings(nullptr);
        DEMAND(config.set_secret_callback([&requests, kept = counted()](tokenwell::secret_request request) {
            ++requests;
            CHECK(request.provide(std::getenv("MONGODB_ATLAS_CLIENT_SECRET")).has_value());
        }));
        auto client = tokenwell::client::create(config);
        DEMAND(client);
        CHECK(client->token().has_value());
    }
    CHECK(requests == 1 && counted::alive == 0);

    const std::pair<std::function<void(tokenwell::secret_request)>, const char *> failures[] = {
        {[](tokenwell::secret_request request) { CHECK(request.fail("the vault is sealed").has_value()); }, "the vault is sealed"},
        {[](tokenwell::secret_request) {}, "the program did not answer"},
    };
    for (const auto &[answer, reason] : failures) {
        tokenwell::config config = settings(nullptr);
        DEMAND(config.set_secret_callback(answer));
        auto client = tokenwell::client::create(config);
        DEMAND(client);
        auto got = client->token();
        CHECK(!got && got.error().message().find(reason) != std::string_view::npos);
    }
}

static void a_request_gets_the_response_of_the_api()
{
    CHECK(tokenwell::api_request::create("GET", "https://evil.example/").error().status() == TOKENWELL_STATUS_REFUSED);
    auto made = tokenwell::api_request::create("GET", "/api/atlas/v2/orgs");
    DEMAND(made);
    tokenwell::api_request request = *std::move(made);
    CHECK(request.set_version("2025-03-12") && request.add_query("itemsPerPage", "5") && request.set_max_body(100000));
    CHECK(request.set_body("{").error().status() == TOKENWELL_STATUS_INVALID_ARGUMENT);

    tokenwell::client client = connected();
    auto response = client.request(request, 10s);
    DEMAND(response);
    CHECK(response->status() == 200 && response->body().substr(0, 1) == "{");
    CHECK(response->header("Content-Type").value().find("json") != std::string_view::npos && !response->header("x-none"));
    bool found = false;
    for (const auto &[name, value] : response->headers()) found |= name == "content-type" && value == *response->header(name);
    CHECK(found);

    std::promise<int> ended;
    auto begun = client.request_async(request, 10s, [&ended, kept = counted()](auto came) { ended.set_value(came ? came->status() : 0); });
    DEMAND(begun);
    CHECK(ended.get_future().get() == 200);
    CHECK(begun->wait(10s).has_value() && begun->response().value().or_throw().status() == 200);

    auto queue = tokenwell::queue::create();
    DEMAND(queue);
    DEMAND(client.request_queued(request, 10s, *queue, 3));
    CHECK(queue->wait(10s).or_throw());
    auto taken = queue->take().or_throw();
    CHECK(taken && taken->tag == 3 && taken->ended->response().value().or_throw().status() == 200);

    auto never = [kept = counted()](const auto &) { CHECK(false && "called"); };
    client.close();
    CHECK(client.request_async(request, 10s, never).error().status() == TOKENWELL_STATUS_CLOSED);
    CHECK(client.request(request).error().status() == TOKENWELL_STATUS_CLOSED && client.drain(10s));
}

static void a_client_describes_itself()
{
    tokenwell::client client = connected();
    CHECK(client.base_url() == std::getenv("MONGODB_ATLAS_BASE_URL"));
    bool found = false;
    for (const auto &setting : client.settings()) found |= setting.name == "client_id" && setting.source == "option client_id";
    CHECK(found && client.settings().size() > 3);
    CHECK(client.advance_clock(1h).error().status() == TOKENWELL_STATUS_INVALID_ARGUMENT);
    CHECK(tokenwell::library_mismatch().empty());
}

int main()
{
    const std::pair<const char *, void (*)()> tests[] = {
#define TEST(name) {#name, name}
        TEST(a_token_is_returned_and_cached),
        TEST(a_moved_object_is_owned_once),
        TEST(an_error_has_all_its_parts),
        TEST(an_invalid_setting_is_an_error),
        TEST(a_time_in_the_past_is_the_shortest_time),
        TEST(only_cached_tokens_on_request),
        TEST(an_operation_is_waited_for),
        TEST(a_callback_is_called_once_and_destroyed),
        TEST(a_rejected_token_is_replaced),
        TEST(a_rejected_token_is_replaced_without_blocking),
        TEST(a_token_is_revoked),
        TEST(a_queue_has_the_entries_of_its_operations),
        TEST(a_secret_comes_from_the_program),
        TEST(a_request_gets_the_response_of_the_api),
        TEST(a_client_describes_itself),
    };
    std::setvbuf(stdout, nullptr, _IOLBF, 0);
    int failed = 0;
    for (const auto &[name, run] : tests) {
        faults = 0;
        run();
        std::printf("%s cpp_%s\n", faults ? "FAIL" : "ok", name);
        failed += faults;
    }
    return failed != 0;
}
