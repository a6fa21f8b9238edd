#include "http/url.h"

#include <gtest/gtest.h>

#include <random>

#include "http/message.h"

namespace ac::http {
namespace {

TEST(UrlTest, PartsAreTakenApart) {
  const Result<Url> url = Url::Parse("HTTPS://us%40er:p%3Aw@Example.COM:8443/v1/x?k=v#frag");
  ASSERT_TRUE(url.ok()) << url.status();
  EXPECT_EQ(url->scheme, "https");
  EXPECT_EQ(url->user, "us@er");
  EXPECT_EQ(url->password, "p:w");
  EXPECT_EQ(url->host, "example.com");
  EXPECT_EQ(url->port, 8443);
  EXPECT_EQ(url->target, "/v1/x?k=v");
  EXPECT_EQ(url->Authority(), "example.com:8443");
}

TEST(UrlTest, DefaultsAreFilledIn) {
  EXPECT_EQ(Url::Parse("http://h")->port, 80);
  EXPECT_EQ(Url::Parse("https://h:")->port, 443);
  EXPECT_EQ(Url::Parse("https://h")->target, "/");
  EXPECT_EQ(Url::Parse("http://h?q=1")->target, "/?q=1");
  EXPECT_EQ(Url::Parse("http://h:80/")->Authority(), "h");
  EXPECT_EQ(Url::Parse("http://[::1]:81/")->Authority(), "[::1]:81");
  EXPECT_EQ(Url::Parse("http://[::1]")->host, "::1");
}

TEST(UrlTest, BadUrlsAreRefused) {
  for (const char* bad : {"",
                          "h",
                          "//h/",
                          "ftp://h/",
                          "http:/h",
                          "http://",
                          "http:///p",
                          "http://h:0/",
                          "http://h:65536",
                          "http://h:x",
                          "http://h:-1",
                          "http://[::1",
                          "http://[x]/",
                          "http://[::1]x",
                          "http://h h/",
                          "http://h\r\n/",
                          "http://h/\x01",
                          "http://\xc3\xa9/",
                          "http://u%zz@h/",
                          "http://a,b/"}) {
    EXPECT_FALSE(Url::Parse(bad).ok()) << bad;
  }
}

TEST(UrlTest, MessagesAndRedactedTextsHoldNoSecrets) {
  const Result<Url> url = Url::Parse("http://me:hush@h:1/p?key=secret");
  EXPECT_EQ(url->Redacted(), "http://h:1/p");
  const Status bad = Url::Parse("http://me:hush@h:99999/p?key=secret").status();
  EXPECT_EQ(bad.message().find("hush"), std::string::npos);
  EXPECT_EQ(bad.message().find("secret"), std::string::npos);
}

TEST(UrlTest, RedirectTargetsAreResolved) {
  const Url base = *Url::Parse("https://h:1/a/b?c=d");
  const auto resolve = [&](const char* location) {
    const Result<Url> url = base.Resolve(location);
    return url.ok() ? url->Origin() + url->target : "error";
  };
  EXPECT_EQ(resolve("http://x/y"), "http://x/y");
  EXPECT_EQ(resolve("//x/y"), "https://x/y");
  EXPECT_EQ(resolve("/y?z"), "https://h:1/y?z");
  EXPECT_EQ(resolve("y"), "https://h:1/a/y");
  EXPECT_EQ(resolve("?z"), "https://h:1/a/b?z");
  EXPECT_EQ(resolve("/login?next=http://x"), "https://h:1/login?next=http://x");
  EXPECT_EQ(resolve("ftp://x/y"), "error");
}

TEST(UrlTest, LoopbackHostsAreKnown) {
  for (const char* host : {"localhost", "a.localhost", "127.0.0.1", "127.9.9.9", "::1"}) {
    EXPECT_TRUE(IsLoopbackHost(host)) << host;
  }
  for (const char* host :
       {"localhost.example", "127.example.com", "127.0.0.1.nip.io", "10.0.0.1", ""}) {
    EXPECT_FALSE(IsLoopbackHost(host)) << host;
  }
}

TEST(UrlTest, WhatParsesPrintsToSomethingThatParsesToTheSame) {
  std::mt19937 random(7);
  const std::string alphabet = "http://s[]:@/?#%1aZ.-_ 0\r";
  int parsed = 0;
  for (int i = 0; i < 20000; ++i) {
    std::string text = "http://";
    const size_t size = random() % 14;
    for (size_t k = 0; k < size; ++k) text += alphabet[random() % alphabet.size()];
    const Result<Url> url = Url::Parse(text);
    if (!url.ok()) continue;
    ++parsed;
    const Result<Url> again = Url::Parse(url->Origin() + url->target);
    ASSERT_TRUE(again.ok()) << text;
    EXPECT_EQ(again->Authority(), url->Authority()) << text;
    EXPECT_EQ(again->target, url->target) << text;
  }
  EXPECT_GT(parsed, 100);
}

}  // namespace
}  // namespace ac::http
