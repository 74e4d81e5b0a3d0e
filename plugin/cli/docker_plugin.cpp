// SPDX-License-Identifier: Apache-2.0
#include "docker_plugin.hpp"

#include "berth/json/writer.hpp"

#include "version.hpp"

namespace berth::cli {

bool is_docker_plugin(std::string_view program) {
  return program.substr(program.rfind('/') + 1) == "docker-berth";
}

std::optional<std::string> docker_plugin(std::vector<std::string>& arguments) {
  if (!arguments.empty() && arguments.front() == "docker-cli-plugin-metadata") {
    json::Node metadata = json::Node::object();
    metadata.set("SchemaVersion", "0.1.0");
    metadata.set("Vendor", "berth");
    metadata.set("Version", std::string("v") + kVersion);
    metadata.set("ShortDescription", "Container registries as folders and files");
    return metadata.to_text() + "\n";
  }
  if (!arguments.empty() && arguments.front() == "berth") arguments.erase(arguments.begin());
  return std::nullopt;
}

}  // namespace berth::cli
