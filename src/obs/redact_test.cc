#include "obs/redact.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "json/json.h"

namespace ac::obs {
namespace {

struct Case {
  std::string text;
  std::string expected;
};

// Invented keys, assembled so that no scanner takes this file for a leak.
const std::string kAnthropic = std::string("sk-ant-") + "api03-AbCdEf123456_7890-xyzQRS";
const std::string kOpenAi = std::string("sk-") + "proj-Ab12Cd34Ef56Gh78Ij90Kl12";
const std::string kOld = std::string("sk-") + "1234567890abcdef1234567890abcdef";
const std::string kJwt =
    std::string("eyJ") + "hbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.dBjftJeZ4CVP-mB92K27";

class RedactCases : public ::testing::Test {
 protected:
  static void ExpectAll(const std::vector<Case>& cases) {
    for (const Case& c : cases) {
      const std::string once = Redact(c.text);
      EXPECT_EQ(once, c.expected) << c.text;
      EXPECT_EQ(Redact(once), once) << "not stable: " << c.text;
    }
  }
  static void ExpectUntouched(const std::vector<std::string>& texts) {
    for (const std::string& text : texts) EXPECT_EQ(Redact(text), text);
  }
};

TEST_F(RedactCases, KeysAreFoundByTheirShapeAnywhere) {
  ExpectAll({
      {kAnthropic, "[redacted]"},
      {"key " + kAnthropic + " was refused", "key [redacted] was refused"},
      {"(" + kOpenAi + ")", "([redacted])"},
      {kOld + "," + kOpenAi, "[redacted],[redacted]"},
      {"prefix-" + kAnthropic, "prefix-[redacted]"},
      {"say \\n" + kAnthropic + "\\n", "say \\n[redacted]\\n"},
      {"say \\\\n" + kAnthropic, "say \\\\n[redacted]"},
      {"say \\u0022" + kAnthropic, "say \\u0022[redacted]"},
      {"q%3D" + kAnthropic, "q%3D[redacted]"},
      {std::string("gh") + "p_abcdefghij0123456789ABCDEFGHIJ012345", "[redacted]"},
      {std::string("github_") + "pat_11ABCDEFG0abcdefghij_KLMNOPQRST", "[redacted]"},
      {std::string("h") + "f_AbCdEfGhIjKlMnOpQrStUvWx", "[redacted]"},
      {std::string("AI") + "zaSyA1234567890abcdefghijklmnopqrstu", "[redacted]"},
      {std::string("AK") + "IAIOSFODNN7EXAMPLE", "[redacted]"},
      {std::string("xox") + "b-1234567890-abcdef", "[redacted]"},
      {"id " + kJwt + ".", "id [redacted]"},
  });
}

TEST_F(RedactCases, HeadersLoseTheirValuesAndKeepTheirNames) {
  ExpectAll({
      {"Authorization: Bearer abc", "Authorization: Bearer [redacted]"},
      {"authorization: Basic dXNlcjpwYXNz", "authorization: Basic [redacted]"},
      {"Authorization: s3cr3t-without-scheme", "Authorization: [redacted]"},
      {"Authorization: AWS4-HMAC-SHA256 Credential=AK/1, Signature=ab\nHost: x",
       "Authorization: AWS4-HMAC-SHA256 [redacted]\nHost: x"},
      {"Proxy-Authorization: Basic Zm9vOmJhcg==\r\n", "Proxy-Authorization: Basic [redacted]\r\n"},
      {"x-api-key: hunter\r\nhost: a", "x-api-key: [redacted]\r\nhost: a"},
      {"X-Goog-Api-Key:abc", "X-Goog-Api-Key:[redacted]"},
      {"Cookie: a=1; session=xyz\nAccept: */*", "Cookie: [redacted]\nAccept: */*"},
      {"Set-Cookie: id=7; Path=/; HttpOnly", "Set-Cookie: [redacted]"},
      {"curl -H 'x-api-key: abc' -H 'Cookie: a=b; c=d' u",
       "curl -H 'x-api-key: [redacted]' -H 'Cookie: [redacted]' u"},
      {"curl -H \"Authorization: Bearer abc.def\" u",
       "curl -H \"Authorization: Bearer [redacted]\" u"},
      {"Authorization: Bearer " + kJwt, "Authorization: Bearer [redacted]"},
      {"got Bearer a1b2c3d4e5 from the client", "got Bearer [redacted] from the client"},
      {"got basic dXNlcjpwYXNzd29yZA== here", "got basic [redacted] here"},
  });
}

TEST_F(RedactCases, JsonMembersAreFoundAtEveryDepthOfNesting) {
  ExpectAll({
      {R"({"api_key": "abc"})", R"({"api_key": "[redacted]"})"},
      {R"({"apiKey":"a\"b\\","n":1})", R"({"apiKey":"[redacted]","n":1})"},
      {R"({"password" : "x y", "user": "u"})", R"({"password" : "[redacted]", "user": "u"})"},
      {R"({"authorization":"Bearer abc"})", R"({"authorization":"[redacted]"})"},
      {R"({"set-cookie":["a=1; Path=/","b=2"],"x":["y"]})",
       R"({"set-cookie":["[redacted]","[redacted]"],"x":["y"]})"},
      {R"({"body":"{\"api_key\":\"a\\\"b\",\"n\":1}","m":2})",
       R"({"body":"{\"api_key\":\"[redacted]\",\"n\":1}","m":2})"},
      {R"({"b":"{\"c\":\"{\\\"secret\\\":\\\"x\\\"}\"}"})",
       R"({"b":"{\"c\":\"{\\\"secret\\\":\\\"[redacted]\\\"}\"}"})"},
      {R"({"h":"x-api-key: abc","z":"y"})", R"({"h":"x-api-key: [redacted]","z":"y"})"},
      {R"({"api_keys": []})", R"({"api_keys": []})"},
      {R"({'access_token': 'abc'})", R"({'access_token': '[redacted]'})"},
  });
}

TEST_F(RedactCases, AssignmentsFlagsAndUrlsAreRead) {
  ExpectAll({
      {"export OPENAI_API_KEY=abc", "export OPENAI_API_KEY=[redacted]"},
      {"HF_TOKEN='abc' run", "HF_TOKEN='[redacted]' run"},
      {"password = hunter", "password = [redacted]"},
      {"db_password: hunter22", "db_password: [redacted]"},
      {"serve --api-key K1234567 --port 1", "serve --api-key [redacted] --port 1"},
      {"serve --api-key=abc", "serve --api-key=[redacted]"},
      {"GET /v1/models?key=abc&alt=sse HTTP/1.1", "GET /v1/models?key=[redacted]&alt=sse HTTP/1.1"},
      {"https://h/p?a=1&access_token=t1#f", "https://h/p?a=1&access_token=[redacted]#f"},
      {R"("https://h/p?a=1\u0026token=t1")", R"("https://h/p?a=1\u0026token=[redacted]")"},
      {"postgres://u:pa55@db:5432/x", "postgres://u:[redacted]@db:5432/x"},
      {"config.apiKey = \"abc\";", "config.apiKey = \"[redacted]\";"},
      {"-----BEGIN RSA PRIVATE KEY-----\nMIIE\nabc\n-----END RSA PRIVATE KEY-----\n",
       "-----BEGIN RSA PRIVATE KEY-----[redacted]-----END RSA PRIVATE KEY-----\n"},
  });
}

TEST_F(RedactCases, OrdinaryTextIsKept) {
  ExpectUntouched({
      "",
      "The token count is 18490 and max_tokens: 4096.",
      "Enter your password: it needs 8 characters",
      "Password reset is not authorization.",
      "The secret: work hard. The cookie: a small biscuit.",
      "Bearer certificates and bearer tokens exist",
      "Basic JavaScript and basic authentication",
      "disk-usage of task-force-scikit-learn",
      "keys look like sk-ant-api03-... or sk-...",
      "sk-some-module-name",
      "http://localhost:4141/v1/messages?beta=true",
      "ssh://git@github.com:22/x, http://[::1]:80/",
      "use --api-key KEY or set ANTHROPIC_API_KEY",
      "the --password flag",
      "apiKey: string; password?: string; secret: None",
      "api_key=os.environ[\"OPENAI_API_KEY\"]",
      "api_key=api_key, apiKey: process.env.KEY,",
      "Authorization: Bearer $TOKEN and Authorization: Bearer ${TOKEN} and Bearer <token>",
      "if (password == other) return;",
      "commit 7fa4f0d1b2c3d4e5f60718293a4b5c6d7e8f9012 merged",
      "100%25 done, C:\\\\new\\\\table",
      R"({"label":"Password:","next":"Cookie:","k":"token="})",
      R"({"a":"api_key=","b":"api_key: ","c":"'password': ","d":1})",
      R"({"eos_token":"<|im_end|>","token":"Hello","logprob":-0.1})",
      R"({"password":{"type":"string"},"secret":null,"api_key":12})",
      R"({"required":["password","api_key"],"key":"value","signature":"EqQB"})",
      "-----BEGIN PUBLIC KEY-----\nMIIB\n-----END PUBLIC KEY-----",
      "\xc3\xa9t\xc3\xa9 \xff\xfe",
  });
}

TEST(Redact, ASecretIsGoneAtEveryTruncationOfALine) {
  const std::string line = R"({"h":{"x-api-key":"sekret-42","cookie":"a=sekret-42"}})";
  for (size_t n = 0; n <= line.size(); ++n) {
    EXPECT_EQ(Redact(line.substr(0, n)).find("sekret-42"), std::string::npos) << n;
  }
}

TEST(Redact, ValidJsonStaysValidWithHostileStrings) {
  const std::vector<std::string> pieces = {
      "\"",
      "\\",
      "api_key",
      "\"api_key\":\"",
      "password=",
      "Authorization: Digest ",
      "Cookie: a=",
      "set-cookie\":[\"",
      "'",
      "://u:",
      "@",
      "--api-key ",
      "sk-ant-12345678901",
      "\n",
      ", ",
      "-----BEGIN PRIVATE KEY-----",
      "`",
      "Bearer a1b2c3d4",
  };
  const auto join = [](std::string a, const std::string& b) { return std::move(a.append(b)); };
  for (const std::string& a : pieces) {
    for (const std::string& b : pieces) {
      const std::string ab = join(a, b);
      for (const std::string& c : pieces) {
        const std::string inner = json::Write(json::Value{{ab, join(b, c)}, {c, join(ab, c)}});
        for (const std::string& text :
             {inner, json::Write(json::Value{{"body", inner}, {"tail", c}})}) {
          ASSERT_TRUE(json::Parse(text).ok()) << text;
          EXPECT_TRUE(json::Parse(Redact(text)).ok()) << text << "\n" << Redact(text);
        }
      }
    }
  }
}

TEST(Redact, RepetitionsOfEveryTriggerStayLinear) {
  // A quadratic scan of a megabyte would take minutes and run into the test's time limit.
  for (const std::string unit :
       {"sk-", "eyJ", "Cookie: ", "://a", "://a:", "\"password\":", "\\", "\\\"",
        "authorization:", "bearer ", "-----BEGIN ", "-----BEGIN PRIVATE KEY-----", "--api-key ",
        "%2", "\\u00", "password='", "set-cookie\":[", "ghp_", "Authorization: Digest "}) {
    std::string text;
    while (text.size() < (1u << 20)) text += unit;
    EXPECT_FALSE(Redact(text).empty());
  }
}

TEST(Redact, NamesOfSecretsAreKnownInEverySpelling) {
  for (const char* name :
       {"authorization", "Proxy-Authorization", "X-Api-Key", "api_key", "apiKey", "OPENAI_API_KEY",
        "cookie", "Set-Cookie", "anthropic-auth-token", "accessToken", "client_secret", "password",
        "DB_PASSWORD", "aws_secret_access_key", "HF_TOKEN", "pwd", "private_key"}) {
    EXPECT_TRUE(IsSecretName(name)) << name;
  }
  for (const char* name :
       {"", "tokens", "token", "max_tokens", "eos_token", "key", "keys", "path", "author",
        "x-request-id", "content-type", "passwordless", "session_id"}) {
    EXPECT_FALSE(IsSecretName(name)) << name;
  }
}

TEST(Redact, AValueGoesByItsNameOrByItsShape) {
  EXPECT_EQ(RedactValue("x-api-key", "anything"), kRedacted);
  EXPECT_EQ(RedactValue("Set-Cookie", ""), kRedacted);
  EXPECT_EQ(RedactValue("user-agent", "cli/1.0"), "cli/1.0");
  EXPECT_EQ(RedactValue("note", "with " + kOld), "with [redacted]");
}

}  // namespace
}  // namespace ac::obs
