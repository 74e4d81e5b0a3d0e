// SPDX-License-Identifier: Apache-2.0
#include "workspace.hpp"

#include "berth/base/text.hpp"
#include "berth/base/try.hpp"
#include "berth/content/archive.hpp"

#include "password.hpp"
#include "version.hpp"

namespace berth::cli {

Workspace::Workspace(const CommonOptions& options, Io& io, Context context)
    : options_(options),
      io_(io),
      context_(std::move(context)) {}

Workspace::~Workspace() {
  // Trees use the hub.
  trees_.clear();
}

void Workspace::name_hosts(const std::vector<std::string>& places) {
  for (const std::string& text : places) {
    const auto place = parse_place(text);
    if (place && place->kind == Place::Kind::registry) hosts_.push_back(place->registry);
  }
}

Result<content::HubOptions> Workspace::hub_options() {
  content::HubOptions hub;
  hub.environment = io_.environment();
  hub.keychain.environment = io_.environment();
  if (!options_.auth_file.empty()) hub.keychain.auth_file = options_.auth_file;
  if (!options_.docker_config.empty()) hub.keychain.docker_config_dir = options_.docker_config;
  if (!options_.username.empty()) {
    if (!options_.password_stdin) {
      return Error{
          Errc::invalid_argument,
          "--username needs --password-stdin: a password on the command line is seen by everyone"};
    }
    Secret password = TRY(read_password(io_.in()));
    hub.keychain.explicit_credential = credential::Credential{.username = options_.username,
                                                              .password = std::move(password),
                                                              .source = "the command line"};
  }
  hub.cache.folder = options_.cache;
  hub.store.offline = options_.offline;
  if (options_.plain_http) hub.plain_http = hosts_;
  hub.connection = {.ca_file = options_.ca_file,
                    .client_cert_file = options_.cert_file,
                    .client_key_file = options_.key_file,
                    .client_key_password_file = options_.key_password_file};
  hub.connection_hosts = hosts_;
  hub.user_agent = std::string("berth/") + kVersion;
  return hub;
}

Result<content::Hub*> Workspace::hub() {
  if (!hub_) {
    content::HubOptions options = TRY(hub_options());
    hub_ = TRY(content::Hub::open(std::move(options)));
  }
  return hub_.get();
}

std::optional<std::filesystem::path> Workspace::cache_of_mounts() const {
  if (!options_.cache.empty()) return std::nullopt;
  const auto own = cache::default_folder(io_.environment(), false);
  auto of_mounts = cache::default_folder(io_.environment(), true);
  if (!own || !of_mounts || *own == *of_mounts) return std::nullopt;
  return *std::move(of_mounts);
}

Result<tree::Tree*> Workspace::open_tree(const std::string& key, tree::Root root) {
  auto& slot = trees_[key];
  if (!slot) {
    content::Hub* hub = TRY(this->hub());
    tree::Options options;
    options.root = std::move(root);
    options.version = kVersion;
    options.start_is_time = false;
    options.list_all = list_all_;
    if (!options_.platform.empty()) options.platform = TRY(oci::Platform::parse(options_.platform));
    slot = std::make_unique<tree::Tree>(*hub, std::move(options));
  }
  return slot.get();
}

Result<tree::Tree*> Workspace::tree_of_all() {
  return open_tree("", {.kind = tree::Root::Kind::all});
}

Result<tree::Tree*> Workspace::tree_of(const Place& place) {
  if (place.kind == Place::Kind::layout || place.kind == Place::Kind::archive) {
    const bool archive = place.kind == Place::Kind::archive;
    auto layout = TRY(content::open_layout(archive ? TRY(unpacked(place.path)) : place.path));
    return open_tree((archive ? "oci-archive:" : "oci:") + place.path.string(),
                     {.kind = tree::Root::Kind::layout, .layout = std::move(layout)});
  }
  return open_tree(place.registry,
                   {.kind = tree::Root::Kind::registry, .registry = place.registry});
}

Result<std::filesystem::path> Workspace::unpacked(const std::filesystem::path& archive) {
  const auto known = unpacked_.find(archive.string());
  if (known != unpacked_.end()) return known->second.path();
  Scratch scratch = TRY(Scratch::create());
  TRY(content::unpack_layout(archive, scratch.path(), context_));
  return unpacked_.emplace(archive.string(), std::move(scratch)).first->second.path();
}

Result<Located> Workspace::locate(const std::string& text, bool follow) {
  Place place = TRY(parse_place(text));
  if (place.kind == Place::Kind::local) {
    return Error{
        Errc::invalid_argument,
        "'" + text + "' is a local path: this command reads places of a registry, or oci:DIR"};
  }
  tree::Tree* tree = TRY(tree_of(place));
  auto found = tree->walk(tree->root(), place.inside, follow, context_);
  if (!found) {
    Error error = std::move(found).error();
    return error.message().find(text) == std::string::npos ? std::move(error).with_context(text)
                                                           : std::move(error);
  }
  return Located{.tree = tree, .found = std::move(*found), .place = std::move(place)};
}

}  // namespace berth::cli
