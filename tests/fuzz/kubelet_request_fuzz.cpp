// SPDX-License-Identifier: Apache-2.0
#include "fuzz/fuzz.hpp"
#include "kubelet_request.hpp"

using berth::fuzz::require;
namespace helper = berth::helper;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(berth::fuzz::as_text(data, size));
  if (const auto request = helper::parse_kubelet_request(text)) {
    require(!request->image.empty());
    require(!request->lacks_annotations || !request->workload);
    if (request->workload) {
      const auto& workload = *request->workload;
      require(!workload.client_id.empty() && !workload.tenant_id.empty());
      require(!workload.token.empty());
      (void)helper::identity_of(workload);
    }
    (void)helper::registry_of_image(request->image);
  }
  if (const auto key = helper::registry_of_image(text)) {
    require(!key->host.empty() && !berth::credential::has_control(key->text()));
  }
  // Whatever the token is: another application is another identity.
  const auto one = helper::identity_of({"one", "t", berth::Secret(text)});
  const auto two = helper::identity_of({"two", "t", berth::Secret(text)});
  require(one.has_value() == two.has_value() && (!one || *one != *two));
  return 0;
}
