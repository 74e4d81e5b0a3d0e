// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "berth/acr/content_client.hpp"

#include "acr/core.hpp"

namespace berth::acr {

struct VerifiedBodyParts {
  std::shared_ptr<Core> core;  ///< kept alive: the stream asks again through it
  registry::BlobStream stream;
  Digest digest;
  bool whole;  ///< else it is a range, which nothing can be held against
  std::string operation;
  DownloadBlobOptions options;
};

/// A blob's bytes as they arrive, hashed on the way. unsupported for a digest that berth cannot
/// compute.
Result<std::unique_ptr<http::Body>> make_verified_body(VerifiedBodyParts parts);

}  // namespace berth::acr
