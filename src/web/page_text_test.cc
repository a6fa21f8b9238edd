#include "web/page_text.h"

#include <gtest/gtest.h>

#include "base/utf8.h"

namespace ac::web {
namespace {

PageText Read(std::string_view html, size_t max_bytes = 10'000) {
  return ReadHtml(html, *http::Url::Parse("https://site.example/docs/page?q=1"), max_bytes);
}

TEST(PageText, HeadingsListsParagraphsAndTablesAreLines) {
  const PageText page = Read(
      "<html><head><title> A &amp;\n B </title></head><body><h1>Top</h1>\n"
      "<p>First   paragraph\n goes on.</p><p>Second.<br>A line.</p>"
      "<ul><li>one</li><li>two</li></ul><h2>Sub</h2>"
      "<table><tr><th>k</th><th>v</th></tr><tr><td>a</td><td>1</td></tr></table></body></html>");
  EXPECT_EQ(page.title, "A & B");
  EXPECT_EQ(page.text,
            "# Top\n\nFirst paragraph goes on.\n\nSecond.\nA line.\n\n- one\n- two\n\n## Sub\n\n"
            "k | v\na | 1");
  EXPECT_FALSE(page.cut);
}

TEST(PageText, LinksAreToldWithTheirWholeAddress) {
  EXPECT_EQ(Read("see <a href=\"/x?a=1&amp;b=2\">this</a> and <a href='other.html'>that</a>, not "
                 "<a href=#part>here</a>, <a href=\"javascript:go()\">there</a>")
                .text,
            "see this (https://site.example/x?a=1&b=2) and that "
            "(https://site.example/docs/other.html), not here, there");
}

TEST(PageText, ScriptsStylesAndCommentsAreNotRead) {
  EXPECT_EQ(Read("a<script>if (x</y) document.write('<p>no</p>')</SCRIPT>b<style>p {}</style>c"
                 "<!-- <p>no -->d<svg><title>no</title></svg>e")
                .text,
            "abcde");
}

TEST(PageText, PreformattedTextKeepsItsLines) {
  EXPECT_EQ(Read("<p>code:</p><pre>if (a &lt; b) {\n  return;\n}</pre>after").text,
            "code:\n\nif (a < b) {\n  return;\n}\n\nafter");
}

TEST(PageText, CharacterReferencesAreReadAndUnknownOnesStay) {
  EXPECT_EQ(Read("&lt;b&gt; &#65;&#x42; &mdash; &unknown; & &#0;x &#1114112;").text,
            "<b> AB \xE2\x80\x94 &unknown; & x &#1114112;");
}

TEST(PageText, BrokenPagesGiveWhatCanBeRead) {
  EXPECT_EQ(Read("1 < 2 <p>and <b>open <a href=\"x").text, "1 < 2\n\nand open");
  EXPECT_EQ(Read("text <!-- never closed").text, "text");
  EXPECT_EQ(Read("text <script>never closed").text, "text");
  EXPECT_EQ(Read("").text, "");
  EXPECT_TRUE(IsValidUtf8(Read("bad \xFF\xC3 bytes").text));
}

TEST(PageText, ALongPageIsCutBetweenCharacters) {
  const PageText page = Read("<p>\xC3\xA4\xC3\xA4\xC3\xA4\xC3\xA4\xC3\xA4", 7);
  EXPECT_EQ(page.text, "\xC3\xA4\xC3\xA4\xC3\xA4");
  EXPECT_TRUE(page.cut);
  std::string links;
  for (int i = 0; i < 10'000; ++i) links += "<a href=x>y</a>";
  EXPECT_LE(Read(links, 1000).text.size(), 1000u);
}

TEST(PageText, OldCharacterSetsBecomeUtf8) {
  EXPECT_EQ(ToUtf8("\xE4", "ISO-8859-1"), "\xC3\xA4");
  EXPECT_EQ(ToUtf8("\xC3\xA4", "utf-8"), "\xC3\xA4");
  EXPECT_EQ(ToUtf8("\xE4", ""), "\xEF\xBF\xBD");
}

}  // namespace
}  // namespace ac::web
