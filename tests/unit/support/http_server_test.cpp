// SPDX-License-Identifier: Apache-2.0
#include "support/http_server.hpp"

#include <future>
#include <memory>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/fault.hpp"
#include "support/test_client.hpp"

namespace berth::test {
namespace {

HttpServer::Handler always(HttpReply reply) {
  return [reply](const HttpRequest&) { return reply; };
}

TEST(HttpServerTest, AnswersAndKeepsALog) {
  HttpServer server([](const HttpRequest& request) {
    return HttpReply{.status = 201,
                     .headers = {{"X-Seen", request.header("x-sent")}},
                     .body = request.body + "!"};
  });
  const TestReply reply =
      TestClient(server.origin()).send("PUT", "/a?b=c%20d", {{"X-Sent", "yes"}}, "hello");
  EXPECT_EQ(reply.status, 201);
  EXPECT_EQ(reply.header("X-Seen"), "yes");
  EXPECT_EQ(reply.body, "hello!");
  ASSERT_EQ(server.requests(), 1);
  EXPECT_EQ(server.log()[0].path(), "/a");
  EXPECT_EQ(server.log()[0].query("b"), "c d");
  EXPECT_EQ(server.connections(), 1);
  EXPECT_EQ(server.count("PUT", "/a*"), 1);
  EXPECT_EQ(server.count("GET", "*"), 0);
}

TEST(HttpServerTest, CutsTheBodyAtTheByte) {
  const std::string body(100'000, 'x');
  for (const bool with_reset : {true, false}) {
    HttpServer server(always({.body = body, .cut_at = 70'001, .cut_with_reset = with_reset}));
    const TestReply reply = TestClient(server.origin()).get("/");
    EXPECT_EQ(reply.body.size(), 70'001U) << with_reset;
    EXPECT_FALSE(reply.complete);
    EXPECT_EQ(reply.header("Content-Length"), "100000");
    EXPECT_EQ(server.wait_for_body_bytes(70'001), 70'001U);
  }
}

TEST(HttpServerTest, HoldsTheBodyAtAGate) {
  const auto gate = std::make_shared<Gate>();
  HttpServer server(always({.body = "0123456789", .gate = gate, .gate_at = 4}));
  auto reply = std::async(std::launch::async, [&] { return TestClient(server.origin()).get("/"); });
  ASSERT_TRUE(gate->wait_for_arrivals());
  EXPECT_EQ(server.wait_for_body_bytes(4), 4U);
  gate->open();
  EXPECT_EQ(reply.get().body, "0123456789");
}

TEST(HttpServerTest, SaysAnotherLengthThanItSends) {
  HttpServer server(always({.body = "short", .claimed_length = 50, .close = true}));
  const TestReply reply = TestClient(server.origin()).get("/");
  EXPECT_EQ(reply.header("Content-Length"), "50");
  EXPECT_EQ(reply.body, "short");
  EXPECT_FALSE(reply.complete);
}

TEST(HttpServerTest, SendsChunksAndUntilClose) {
  for (const auto framing : {HttpReply::Framing::chunked, HttpReply::Framing::until_close}) {
    HttpServer server(always({.body = "0123456789", .framing = framing, .piece = 3}));
    const TestReply reply = TestClient(server.origin()).get("/");
    EXPECT_EQ(reply.body, "0123456789");
    EXPECT_EQ(reply.header("Content-Length"), "");
    EXPECT_TRUE(reply.complete);
  }
}

TEST(HttpServerTest, StopsAsAKilledServerAndComesBackOnItsPort) {
  const auto gate = std::make_shared<Gate>();
  HttpServer server(always({.body = "late", .before = gate}));
  auto reply = std::async(std::launch::async, [&] { return TestClient(server.origin()).get("/"); });
  ASSERT_TRUE(gate->wait_for_arrivals());
  server.stop();
  EXPECT_EQ(reply.get().status, 0);
  EXPECT_EQ(TestClient(server.origin()).get("/").status, 0);
  server.start();
  EXPECT_EQ(TestClient(server.origin()).get("/").body, "late");
}

TEST(HttpServerTest, ResetsConnectionsEvenAtAGate) {
  const auto gate = std::make_shared<Gate>();
  HttpServer server(always({.body = "0123456789", .gate = gate, .gate_at = 4}));
  auto reply = std::async(std::launch::async, [&] { return TestClient(server.origin()).get("/"); });
  ASSERT_TRUE(gate->wait_for_arrivals());
  server.reset_connections();
  EXPECT_FALSE(reply.get().complete);  // with the gate still shut
  gate->open();
}

TEST(HttpServerTest, SpeaksTlsAndAsksForClientCertificates) {
  const auto tls = std::make_shared<TlsCertificates>();
  HttpServer server(always({.body = "secret"}), {.tls = tls, .require_client_certificate = true});
  TestClientOptions options{.ca_file = tls->ca_file()};
  EXPECT_EQ(TestClient(server.origin(), options).get("/").status, 0);
  options.client_cert = tls->client_cert();
  options.client_key = tls->client_key();
  EXPECT_EQ(TestClient(server.origin(), options).get("/").body, "secret");
  const TlsCertificates other;
  options.ca_file = other.ca_file();
  EXPECT_EQ(TestClient(server.origin(), options).get("/").status, 0);
}

TEST(GlobTest, StarMatchesAnything) {
  EXPECT_TRUE(glob_matches("*", ""));
  EXPECT_TRUE(glob_matches("/v2/*/blobs/*", "/v2/a/b/blobs/sha256:0?x=1"));
  EXPECT_FALSE(glob_matches("/v2/*/blobs/", "/v2/a/manifests/"));
  EXPECT_FALSE(glob_matches("/v2", "/v2/"));
}

}  // namespace
}  // namespace berth::test
