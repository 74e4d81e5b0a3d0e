// SPDX-License-Identifier: Apache-2.0
// The fake registry as a program, to run beside a real mount: prints the address that it listens
// on as its first line, and serves until its standard input ends or a signal asks for it.
#include <poll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <optional>
#include <sstream>
#include <string>

#include <nlohmann/json.hpp>

#include "support/fake_registry.hpp"

namespace {

constexpr const char* kUsage =
    R"(fake-registry [--port N] [--tls] [--expired] [--client-cert] [--auth none|basic|bearer] [--page-size N]
              [--catalogue on|off|denied] [--no-referrers] [--redirect-blobs] [--storage-seconds N] [--no-ranges]
              [--script FILE] [--sample] [--big BYTES] [--tags N] [--acr] [--soft-delete]
              [--entra TOKEN] [--abac] [--entra-denies REPOSITORY:ACTION] [--anonymous-pull]
              [--rights ACTION,...]
Prints "registry ADDRESS", then "tokens ADDRESS", "storage ADDRESS" and, with --tls, "ca FILE",
"client-cert FILE", "client-key FILE". --expired: its certificate is of yesterday. User alice, password wonder. --script: a JSON array of faults,
[{"method": "GET", "target": "/v2/*/blobs/*", "from": 1, "times": 1, "action": "cut", "at": 100}],
with "server": "storage" or "tokens" of that one. --storage-seconds: how long a link to the storage is good for.
--sample holds library/hello (tags latest, v1), library/multi (an index) and library/artifact; --big
adds library/big:latest with one layer of so many bytes; --tags adds library/many with N tags.
--entra: an Entra ID token that its exchange takes. --abac: it gives rights by repository, and
drops the wildcards that Entra ID's identities ask for; --entra-denies: a right that they lack.
--acr: it is an Azure container registry, whose blobs are redirected; --soft-delete: one that keeps
what is deleted. --anonymous-pull: tokens to pull for anybody. --rights: all that alice may do there,
"pull,metadata_read".
On its standard input the line "requests" asks for all requests since the last such line, as one line of JSON:
[["registry", "GET", "/v2/"], ...]; "clear" ends all faults; "break" ends the storage's connections.
)";

struct Arguments {
  berth::test::RegistryBehaviour behaviour;
  berth::test::HttpServerOptions server;
  std::string script;
  bool sample = false;
  std::size_t big = 0;
  int tags = 0;
};

[[noreturn]] void wrong_use(const std::string& what) {
  std::cerr << "fake-registry: " << what << "\n" << kUsage;
  std::exit(2);
}

Arguments parse(int argc, char** argv) {
  using Behaviour = berth::test::RegistryBehaviour;
  Arguments out;
  for (int i = 1; i < argc; ++i) {
    const std::string option = argv[i];
    const auto value = [&]() -> std::string {
      if (++i == argc) wrong_use(option + " needs a value");
      return argv[i];
    };
    if (option == "--port") {
      out.server.port = static_cast<std::uint16_t>(std::stoul(value()));
    } else if (option == "--tls") {
      out.server.tls = std::make_shared<berth::test::TlsCertificates>();
    } else if (option == "--expired") {
      out.server.tls = std::make_shared<berth::test::TlsCertificates>(
          berth::test::TlsCertificates::Options{.expired = true});
    } else if (option == "--client-cert") {
      out.server.require_client_certificate = true;
    } else if (option == "--auth") {
      const std::string auth = value();
      out.behaviour.auth = auth == "basic"    ? Behaviour::Auth::basic
                           : auth == "bearer" ? Behaviour::Auth::bearer
                                              : Behaviour::Auth::none;
    } else if (option == "--page-size") {
      out.behaviour.page_size = std::stoul(value());
    } else if (option == "--catalogue") {
      const std::string catalogue = value();
      out.behaviour.catalogue = catalogue == "off"      ? Behaviour::Catalogue::off
                                : catalogue == "denied" ? Behaviour::Catalogue::denied
                                                        : Behaviour::Catalogue::on;
    } else if (option == "--no-referrers") {
      out.behaviour.referrers_api = false;
    } else if (option == "--redirect-blobs") {
      out.behaviour.redirect_blobs = true;
    } else if (option == "--storage-seconds") {
      out.behaviour.storage_seconds = std::stoi(value());
    } else if (option == "--acr") {
      out.behaviour.acr = true;
      out.behaviour.redirect_blobs = true;
    } else if (option == "--entra") {
      out.behaviour.entra_tokens.insert(value());
    } else if (option == "--rights") {
      out.behaviour.user_actions.emplace();
      std::istringstream actions(value());
      for (std::string action; std::getline(actions, action, ',');) {
        out.behaviour.user_actions->insert(action);
      }
    } else if (option == "--abac") {
      out.behaviour.abac = true;
    } else if (option == "--entra-denies") {
      const std::string denial = value();
      const std::size_t colon = denial.rfind(':');
      if (colon == std::string::npos) wrong_use(option + " needs REPOSITORY:ACTION");
      out.behaviour.entra_denials[denial.substr(0, colon)].insert(denial.substr(colon + 1));
    } else if (option == "--anonymous-pull") {
      out.behaviour.anonymous_pull = true;
    } else if (option == "--soft-delete") {
      out.behaviour.soft_delete = true;
    } else if (option == "--no-ranges") {
      out.behaviour.ranges = false;
    } else if (option == "--script") {
      out.script = value();
    } else if (option == "--sample") {
      out.sample = true;
    } else if (option == "--big") {
      out.big = std::stoull(value());
    } else if (option == "--tags") {
      out.tags = std::stoi(value());
    } else {
      wrong_use("unknown option " + option);
    }
  }
  return out;
}

void fill(berth::test::FakeRegistry& registry, const Arguments& arguments) {
  if (arguments.sample) {
    const auto hello = registry.add_image("library/hello", "latest", {"layer one", "layer two"});
    registry.tag("library/hello", "v1", hello.digest);
    const auto amd64 = registry.add_image("library/multi", {}, {"amd64 layer"});
    const auto arm64 = registry.add_image("library/multi", {}, {"arm64 layer"}, "linux", "arm64");
    registry.add_index("library/multi", "latest", {amd64.digest, arm64.digest});
    registry.add_artifact("library/artifact", "latest", "application/vnd.example.files",
                          {{"hello.txt", "hello\n"}, {"docs/readme.md", "# read me\n"}});
    registry.add_artifact("library/hello", {}, "application/vnd.example.sbom",
                          {{"sbom.json", "{}\n"}}, hello.digest);
  }
  if (arguments.big != 0) {
    registry.add_image("library/big", "latest", {berth::test::pattern_bytes(arguments.big)});
  }
  if (arguments.tags != 0) {
    const auto image = registry.add_image("library/many", {}, {"a layer"});
    for (int i = 1; i <= arguments.tags; ++i) {
      registry.tag("library/many", "v" + std::to_string(i), image.digest);
    }
  }
}

berth::test::HttpServer& server_of(const berth::test::FakeRegistry& registry,
                                   const std::string& name) {
  return name == "storage"  ? registry.storage()
         : name == "tokens" ? registry.tokens()
                            : registry.server();
}

/// Of all three servers, each in its order, and forgotten then.
std::string requests_so_far(berth::test::FakeRegistry& registry) {
  nlohmann::json out = nlohmann::json::array();
  const auto take = [&](const char* name, berth::test::HttpServer& server) {
    for (const auto& request : server.log()) out.push_back({name, request.method, request.target});
    server.clear_log();
  };
  take("registry", registry.server());
  take("tokens", registry.tokens());
  take("storage", registry.storage());
  return out.dump();
}

/// Lines of standard input, until that ends or SIGTERM or SIGINT asks for the end: what was made,
/// the certificates' folder, is removed then as well.
class Commands {
 public:
  /// Before there are threads.
  Commands() {
    sigset_t signals;
    sigemptyset(&signals);
    for (const int signal : {SIGTERM, SIGINT}) sigaddset(&signals, signal);
    ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
    signals_ = ::signalfd(-1, &signals, SFD_CLOEXEC);
  }
  std::optional<std::string> next() {
    for (;;) {
      if (const std::size_t end = read_.find('\n'); end != std::string::npos) {
        std::string line = read_.substr(0, end);
        read_.erase(0, end + 1);
        return line;
      }
      std::array<pollfd, 2> waiting{{{STDIN_FILENO, POLLIN, 0}, {signals_, POLLIN, 0}}};
      if (::poll(waiting.data(), waiting.size(), -1) < 0 || waiting[1].revents != 0) return {};
      std::array<char, 4096> bytes{};
      const ssize_t count = ::read(STDIN_FILENO, bytes.data(), bytes.size());
      if (count <= 0) return {};
      read_.append(bytes.data(), static_cast<std::size_t>(count));
    }
  }

 private:
  int signals_ = -1;
  std::string read_;
};

}  // namespace

int main(int argc, char** argv) try {
  // A test that dies must not leave this behind.
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  Commands commands;
  const Arguments arguments = parse(argc, argv);
  berth::test::FakeRegistry registry(arguments.behaviour, arguments.server);
  fill(registry, arguments);
  if (!arguments.script.empty()) {
    std::ostringstream text;
    text << std::ifstream(arguments.script).rdbuf();
    for (auto& entry : berth::test::fault::parse_script(text.str())) {
      registry.fault(server_of(registry, entry.server), entry.match, std::move(entry.action));
    }
  }
  std::cout << "registry " << registry.host() << "\ntokens " << registry.tokens().host()
            << "\nstorage " << registry.storage().host() << "\n";
  if (arguments.server.tls != nullptr) {
    std::cout << "ca " << arguments.server.tls->ca_file().string() << "\nclient-cert "
              << arguments.server.tls->client_cert().string() << "\nclient-key "
              << arguments.server.tls->client_key().string() << "\n";
  }
  std::cout.flush();
  // The end of the input ends the registry.
  while (const auto line = commands.next()) {
    if (*line == "requests") std::cout << requests_so_far(registry) << std::endl;
    if (*line == "clear") {
      registry.clear_faults();
      std::cout << "cleared" << std::endl;
    }
    if (*line == "break") {
      registry.storage().reset_connections();
      std::cout << "broken" << std::endl;
    }
  }
  return 0;
} catch (const std::exception& problem) {
  std::cerr << "fake-registry: " << problem.what() << "\n";
  return 1;
}
