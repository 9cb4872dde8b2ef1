// The shortest complete program: gets a token and prints how long it is valid.
//
//   c++ -std=c++17 hello_token.cpp $(pkg-config --cflags --libs tokenwell) -o hello_token
#include <iostream>
#include <tokenwell.hpp>

int main()
{
    auto client = tokenwell::client::from_environment();
    if (!client) {
        std::cerr << client.error().to_string() << '\n';
        return 1;
    }
    auto token = client->token();
    if (!token) {
        std::cerr << token.error().to_string() << '\n';
        return 1;
    }
    // The value is a secret: pass it to your HTTP library and do not print it.
    auto left = std::chrono::duration_cast<std::chrono::seconds>(token->expires_at() - std::chrono::system_clock::now());
    std::cout << "a token of " << token->value().size() << " characters, valid for " << left.count() << " s\n";
}
