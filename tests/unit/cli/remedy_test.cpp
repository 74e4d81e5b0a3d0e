// SPDX-License-Identifier: Apache-2.0
#include "remedy.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "exit_status.hpp"
#include "fields.hpp"

namespace berth::cli {
namespace {

using ::testing::HasSubstr;

Error refused(Errc code, int status, const std::string& registry_code, const std::string& message) {
  HttpInfo info;
  info.status = status;
  info.registry_code = registry_code;
  return Error(code, message).with_http(std::move(info));
}

// S280
TEST(RemedyTest, ALockIsLiftedByACommand) {
  const Error error = refused(Errc::denied, 405, "REGISTRY_DISALLOWED_OPERATION",
                              "deleting tag r.azurecr.io/a:v1: it is locked");
  EXPECT_THAT(error_sentence(error), HasSubstr("`berth set PLACE can_write=true can_delete=true`"));
}

// S283
TEST(RemedyTest, AFirewallIsNoQuestionOfTheLogin) {
  EXPECT_THAT(remedy(refused(Errc::denied, 403, "DENIED",
                             "client with IP '1.2.3.4' is not allowed access. Refer "
                             "https://aka.ms/acr/firewall to grant access.")),
              HasSubstr("the registry's firewall, not your login"));
  EXPECT_THAT(remedy(refused(Errc::denied, 403, "DENIED", "retrieving permissions failed")),
              HasSubstr("role assignment"));
  EXPECT_EQ(remedy(refused(Errc::denied, 403, "DENIED", "not you")), "");
}

// S284
TEST(RemedyTest, ARightThatLacksNamesTheRole) {
  const auto lacking = [](const std::string& scope) {
    return remedy(Error(Errc::unauthenticated, "r.azurecr.io refused user alice (from x) for " +
                                                   scope +
                                                   ": the account lacks that right, or there is no "
                                                   "such repository"));
  };
  EXPECT_THAT(lacking("registry:catalog:*"), HasSubstr("Repository Catalog Lister"));
  EXPECT_THAT(lacking("repository:a:metadata_write"), HasSubstr("metadata/write"));
  EXPECT_THAT(lacking("repository:a:metadata_read"), HasSubstr("Repository Reader"));
  EXPECT_THAT(lacking("repository:a:deleted_read"), HasSubstr("deleted/restore/action"));
  EXPECT_THAT(lacking("repository:a:delete"), HasSubstr("AcrDelete"));
  EXPECT_EQ(lacking("repository:a:pull"), "");
  EXPECT_EQ(remedy(Error(Errc::not_found, "repository:a:metadata_read lacks that right")), "");
}

// S441
TEST(RemedyTest, AListThatHidesSomethingCanBeTrusted) {
  EXPECT_THAT(remedy(Error(Errc::corrupt,
                           "tags of r.azurecr.io/a: the registry listed 1 and counts 2: the list "
                           "was cut short, or some of them were deleted or hidden meanwhile")),
              HasSubstr("`berth purge --trust-lists`"));
  EXPECT_EQ(remedy(Error(Errc::corrupt, "the answer is no JSON")), "");
}

TEST(RemedyTest, AnUploadOutOfStepStartsAgain) {
  EXPECT_THAT(remedy(refused(Errc::not_found, 404, "BLOB_UPLOAD_INVALID", "blob upload invalid")),
              HasSubstr("start it again"));
  EXPECT_THAT(remedy(refused(Errc::not_found, 404, "BLOB_UPLOAD_UNKNOWN", "unknown")),
              HasSubstr("start it again"));
}

TEST(FieldsTest, PropertiesFollowInOrderWithTheirTypes) {
  json::Node::Object fields{{"digest", "sha256:1"}, {"size", 5}};
  add_properties(fields, {{"can_delete", "false"},
                          {"can_read", "true"},
                          {"digest", "sha256:2"},
                          {"size", "12345"},
                          {"updated", "2023-03-07T02:03:10Z"}});
  EXPECT_EQ(json::Node::object(fields).to_text(),
            R"({"digest":"sha256:1","size":5,"image_size":12345,"updated":"2023-03-07T02:03:10Z",)"
            R"("can_read":true,"can_delete":false})");
}

}  // namespace
}  // namespace berth::cli
