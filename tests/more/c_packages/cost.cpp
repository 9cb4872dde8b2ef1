// Cached gets with tokenwell.hpp: cost COUNT. cost.c does the same in C.
#include <cstdio>
#include <cstdlib>
#include <tokenwell.hpp>

[[gnu::noinline]] std::size_t get(const tokenwell::client &client)
{
    auto token = client.token();
    return token ? token->value().size() : 0;
}

int main(int count, char **arguments)
{
    auto client = tokenwell::client::from_environment();
    if (count != 2 || !client) return 1;
    std::size_t sum = 0;
    for (long left = std::strtol(arguments[1], nullptr, 10); left; left--) sum += get(*client);
    std::printf("%zu\n", sum);
    return sum == 0;
}
