// What templates may rely on. Every expectation was checked against Python's jinja2; the long list
// is tests/reference/jinja_cases.jsonl, whose answers Python itself wrote.
#include "jinja/template.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json/object.hpp>
#include <cstdlib>
#include <thread>

#include "base/file_system.h"
#include "json/json.h"

namespace ac::jinja {
namespace {

using ::testing::HasSubstr;

Result<std::string> Try(std::string_view source, std::string_view context = "{}",
                        const RenderOptions& options = {}) {
  AC_ASSIGN_OR_RETURN(const json::Value value, json::Parse(context));
  AC_ASSIGN_OR_RETURN(const auto parsed, Template::Parse(source, "test"));
  return parsed->Render(value, options);
}

std::string Text(std::string_view source, std::string_view context = "{}") {
  const auto result = Try(source, context);
  return result.ok() ? *result : result.status().ToString();
}

std::string Error(std::string_view source, std::string_view context = "{}",
                  const RenderOptions& options = {}) {
  const auto result = Try(source, context, options);
  return result.ok() ? "no error, but: " + *result : result.status().message();
}

TEST(Whitespace, BlocksSwallowTheirIndentationAndLineEnd) {
  EXPECT_EQ(Text("a\n  {% if true %}\n  b\n  {% endif %}\nc\n"), "a\n  b\nc");
  EXPECT_EQ(Text("x\n  {# note #}\n  y"), "x\n  y");
  EXPECT_EQ(Text("  {{ 1 }}\n"), "  1");
}

TEST(Whitespace, SignsStripOrKeep) {
  EXPECT_EQ(Text("a \n {{- 1 -}} \n b"), "a1b");
  EXPECT_EQ(Text("a\n  {%+ if true +%}\nb{% endif %}"), "a\n  \nb");
  EXPECT_EQ(Text("a\n {%- if true -%}\n b\n {%- endif -%}\n c"), "abc");
}

TEST(Whitespace, RawTextIsNotParsed) {
  EXPECT_EQ(Text("{% raw %}{{ x }}{% if %}{% endraw %}"), "{{ x }}{% if %}");
}

TEST(Values, PrintAsPythonPrintsThem) {
  EXPECT_EQ(Text("{{ [1, 2.0, 1e16, true, none, 'it\\'s', {'a': (1,)}] }}"),
            "[1, 2.0, 1e+16, True, None, \"it's\", {'a': (1,)}]");
  EXPECT_EQ(Text("{{ 2**100 }} {{ 7//-2 }} {{ -7 % 3 }} {{ 6/2 }} {{ 0.1 + 0.2 }}"),
            "1267650600228229401496703205376 -4 2 3.0 0.30000000000000004");
  EXPECT_EQ(Text("{{ 'h\\u00e9llo'[::-1] }} {{ [1,2,3,4][3:0:-2] }}"), "oll\xC3\xA9h [4, 2]");
}

TEST(Values, JsonNumbersKeepTheirKind) {
  EXPECT_EQ(Text("{{ a }} {{ b }} {{ c }} {{ d|tojson }}",
                 R"({"a": 1.0, "b": 18446744073709551615, "c": -1, "d": {"x": 1e100}})"),
            "1.0 18446744073709551615 -1 {\"x\": 1e+100}");
}

TEST(Undefined, PrintsNothingButFailsWhenUsed) {
  EXPECT_EQ(Text("[{{ x }}{{ {}.a }}{{ [1][5] }}{{ x ~ 'y' }}{{ x|default('d') }}]"), "[yd]");
  EXPECT_THAT(Error("{{ x.y }}"), HasSubstr("'x' is undefined"));
  EXPECT_THAT(Error("{{ {'a': 1}.b.c }}"), HasSubstr("'dict object' has no attribute 'b'"));
  EXPECT_THAT(Error("{{ x + 1 }}"), HasSubstr("'x' is undefined"));
}

TEST(Scopes, LoopsDoNotLeakAssignments) {
  EXPECT_EQ(
      Text("{% set x = 0 %}{% for i in [1, 2] %}{{ x }}{% set x = i %}{{ x }}{% endfor %}{{ x }}"),
      "01020");
  EXPECT_EQ(Text("{% set n = namespace(x=0) %}{% for i in [1, 2] %}{% set n.x = i %}{% endfor %}{{ "
                 "n.x }}"),
            "2");
}

TEST(Scopes, ALaterAssignmentHidesTheContextInEarlierLoops) {
  EXPECT_EQ(
      Text("{% for i in [1] %}[{{ x }}]{% endfor %}{% set x = 2 %}{{ x }}", R"({"x": "context"})"),
      "[]2");
}

TEST(Loops, KnowTheirPlace) {
  EXPECT_EQ(Text("{% for x in 'abc' %}{{ loop.index }}{{ loop.revindex }}{{ loop.previtem }}{{ x }}"
                 "{{ loop.nextitem }}{{ loop.cycle('+', '-') }}{% endfor %}"),
            "13ab+22abc-31bc+");
  EXPECT_EQ(Text("{% for x in range(6) if x is odd %}{{ x }}/{{ loop.length }} {% endfor %}"),
            "1/3 3/3 5/3 ");
}

TEST(Loops, FilterLazily) {
  EXPECT_EQ(Text("{% set n = namespace(stop=false) %}{% for x in [1, 2, 3] if not n.stop %}{{ x }}"
                 "{% set n.stop = true %}{% endfor %}"),
            "1");
}

TEST(Loops, BreakAndContinue) {
  EXPECT_EQ(Text("{% for x in [1,2,3,4] %}{% if x == 2 %}{% continue %}{% endif %}{% if x == 4 %}"
                 "{% break %}{% endif %}{{ x }}{% endfor %}"),
            "13");
  EXPECT_THAT(Error("{% break %}"), HasSubstr("outside loop"));
}

TEST(Loops, CallThemselvesWhenRecursive) {
  EXPECT_EQ(
      Text("{% for x in [1, [2, [3]]] recursive %}{% if x is iterable %}({{ loop(x) }}){% else %}"
           "{{ x }}@{{ loop.depth }}{% endif %}{% endfor %}"),
      "1@1(2@2(3@3))");
}

TEST(Macros, TakeDefaultsExtrasAndCallers) {
  EXPECT_EQ(Text("{% macro f(a, b=a) %}{{ a }}{{ b }}{{ varargs }}{{ kwargs }}{% endmacro %}{{ "
                 "f(1, 2, 3, x=4) }}"),
            "12(3,){'x': 4}");
  EXPECT_EQ(
      Text("{% macro f() %}<{{ caller(1) }}>{% endmacro %}{% call(x) f() %}b{{ x }}{% endcall %}"),
      "<b1>");
  EXPECT_THAT(Error("{% macro f(a) %}{% endmacro %}{{ f(1, 2) }}"),
              HasSubstr("takes not more than 1"));
}

TEST(Macros, SeeTheVariablesAroundThem) {
  EXPECT_EQ(Text("{% macro f() %}{{ x }}{% set x = 9 %}{% endmacro %}{% set x = 1 %}{{ f() }}{% "
                 "set x = 2 %}"
                 "{{ f() }}{{ x }}"),
            "122");
}

TEST(Generators, AreConsumedOnce) {
  EXPECT_EQ(Text("{% set x = [1, 2]|map('string') %}{{ x|join }}|{{ x|join }}"), "12|");
  EXPECT_EQ(Text("{% if []|select('odd') %}a generator is true{% endif %}"), "a generator is true");
}

TEST(Sandbox, HidesWhatChangesObjects) {
  EXPECT_THAT(Error("{{ [1].append(2) }}"), HasSubstr("unsafe"));
  EXPECT_THAT(Error("{{ {'a': 1}.pop('a') }}"), HasSubstr("unsafe"));
  EXPECT_EQ(Text("[{{ ''.__class__ }}]"), "[]");
}

TEST(Json, IsWrittenAsTransformersWritesIt) {
  EXPECT_EQ(Text("{{ x|tojson }}", R"({"x": {"b": [1, 2.5, null], "a": "<\u00e9\u0001\"'>"}})"),
            "{\"b\": [1, 2.5, null], \"a\": \"<\xC3\xA9\\u0001\\\"'>\"}");
  EXPECT_EQ(Text("{{ {'a': [1, {}]}|tojson(indent=2) }}"), "{\n  \"a\": [\n    1,\n    {}\n  ]\n}");
  EXPECT_EQ(Text("{{ {'b': 1, 'a': '\\u00e9'}|tojson(ensure_ascii=true, sort_keys=true, "
                 "separators=(',', ':')) }}"),
            "{\"a\":\"\\u00e9\",\"b\":1}");
}

TEST(Errors, NameTheTemplateAndTheLine) {
  EXPECT_EQ(Error("one\ntwo\n{{ 1 +\n 'a' }}"),
            "[jinja] 'test' line 3: TypeError: unsupported operand type(s) for +: 'int' and 'str'");
  EXPECT_EQ(
      Error("{% macro f() %}\n{{ none + 1 }}\n{% endmacro %}\n\n{{ f() }}"),
      "[jinja] 'test' line 2: TypeError: unsupported operand type(s) for +: 'NoneType' and 'int'");
  EXPECT_THAT(Error("a\n{% if x %}\nb"), HasSubstr("line 3: unexpected end of the template"));
  EXPECT_THAT(Error("{{ x|nosuch }}"), HasSubstr("no filter named 'nosuch'"));
  EXPECT_EQ(Try("{% include 'other' %}").status().code(), Code::kUnsupported);
}

TEST(Errors, TellTheTemplatesOwnRefusalsApart) {
  const auto refused = Try("\n{{ raise_exception('Roles: must alternate') }}");
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.status().code(), Code::kInvalidArgument);
  EXPECT_EQ(refused.status().message(),
            "[jinja] raise_exception in 'test' line 2: Roles: must alternate");
  EXPECT_EQ(RaisedMessage(refused.status()), "Roles: must alternate");
  EXPECT_EQ(RaisedMessage(Try("{{ x.y }}").status()), std::nullopt);
}

TEST(Errors, OddTemplateNamesStayInsideTheirQuotes) {
  const auto parsed = Template::Parse("{{ raise_exception('m') }}", "a' line 7: b\nc");
  ASSERT_TRUE(parsed.ok());
  EXPECT_EQ(RaisedMessage((*parsed)->Render(json::Object()).status()), "m");
}

TEST(Template, KnowsWhatItReads) {
  const auto parsed = Template::Parse(
      "{% set own = 1 %}{{ own }}{% for m in messages %}{{ m.tool_calls }}{{ loop.index }}{% "
      "endfor %}"
      "{% if tools %}{{ range(2) }}{{ m2['reasoning_content'] }}{% endif %}",
      "t");
  ASSERT_TRUE(parsed.ok());
  EXPECT_THAT((*parsed)->free_variables(), ::testing::ElementsAre("m2", "messages", "tools"));
  EXPECT_TRUE((*parsed)->Mentions("tool_calls"));
  EXPECT_TRUE((*parsed)->Mentions("reasoning_content"));
  EXPECT_FALSE((*parsed)->Mentions("documents"));
}

TEST(Template, RendersOnManyThreadsAtOnce) {
  const auto parsed = Template::Parse("{% for x in xs %}{{ x|upper }}{{ [x] }}{% endfor %}", "t");
  ASSERT_TRUE(parsed.ok());
  const auto context = json::Parse(R"({"xs": ["a", "b"]})");
  std::vector<std::thread> threads;
  threads.reserve(4);
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int round = 0; round < 50; ++round)
        EXPECT_EQ(*(*parsed)->Render(*context), "A['a']B['b']");
    });
  }
  for (auto& thread : threads) thread.join();
}

TEST(Template, ReadsTheClockItIsGiven) {
  FakeClock clock(std::chrono::hours(24 * 365));
  RenderOptions options;
  options.clock = &clock;
  EXPECT_EQ(*Try("{{ strftime_now('%Y %f %Z') }}", "{}", options), "1971 000000 ");
}

struct Hostile {
  const char* what;
  const char* source;
};

class HostileTemplates : public ::testing::TestWithParam<Hostile> {};

TEST_P(HostileTemplates, EndAtALimit) {
  RenderOptions options;
  options.limits.max_steps = 300'000;
  options.limits.max_memory_bytes = 16 << 20;
  options.limits.max_output_bytes = 1 << 20;
  const auto result = Try(GetParam().source, R"({"s": "0123456789", "l": [1, 2, 3]})", options);
  ASSERT_FALSE(result.ok());
  EXPECT_THAT(result.status().message(), HasSubstr("[jinja] "));
}

INSTANTIATE_TEST_SUITE_P(
    All, HostileTemplates,
    ::testing::Values(
        Hostile{"NestedLoops",
                "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}"},
        Hostile{"HugeRange", "{{ range(10**12)|list }}"}, Hostile{"LongText", "{{ 'x' * 10**11 }}"},
        Hostile{"LongList", "{{ [0] * 10**11 }}"},
        Hostile{"DoublingText",
                "{% set n = namespace(s='x') %}{% for i in range(60) %}{% set n.s = n.s ~ n.s %}{% "
                "endfor %}"},
        Hostile{"DoublingList",
                "{% set n = namespace(s=[0]) %}{% for i in range(60) %}{% set n.s = n.s + n.s %}{% "
                "endfor %}"},
        Hostile{"SharedListPrinted",
                "{% set n = namespace(s=[0]) %}{% for i in range(60) %}{% set n.s = [n.s, n.s] "
                "%}{% endfor %}{{ n.s }}"},
        Hostile{"SharedListCompared",
                "{% set n = namespace(a=[0], b=[0]) %}{% for i in range(60) %}{% set n.a = [n.a, "
                "n.a] %}{% set n.b = [n.b, n.b] %}{% endfor %}{{ n.a == n.b }}"},
        Hostile{"SharedListAsJson",
                "{% set n = namespace(s=[0]) %}{% for i in range(60) %}{% set n.s = [n.s, n.s] "
                "%}{% endfor %}{{ n.s|tojson }}"},
        Hostile{"DeepListPrinted",
                "{% set n = namespace(s=[]) %}{% for i in range(9999) %}{% set n.s = [n.s] %}{% "
                "endfor %}{{ n.s }}"},
        Hostile{"DeepKey",
                "{% set n = namespace(s=()) %}{% for i in range(9999) %}{% set n.s = (n.s,) %}{% "
                "endfor %}{{ {n.s: 1} }}"},
        Hostile{"SelfCall", "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}"},
        Hostile{"CallersCall",
                "{% macro f() %}{% call f() %}{{ caller() }}{% endcall %}{% endmacro %}{{ f() }}"},
        Hostile{"RecursiveLoop", "{% for x in [1] recursive %}{{ loop([1]) }}{% endfor %}"},
        Hostile{"IteratorsOfIterators",
                "{% set n = namespace(s=l) %}{% for i in range(9999) %}{% set n.s = n.s|map('abs') "
                "%}{% endfor %}{{ n.s|list }}"},
        Hostile{"NamespaceInItself", "{% set n = namespace() %}{% set n.n = n %}{{ n }}"},
        Hostile{"WideFormat", "{{ '%999999999d' % 1 }}"},
        Hostile{"WideBraces", "{{ '{:999999999}'.format(1) }}"},
        Hostile{"PreciseFormat", "{{ '%.999999999f' % 1 }}"},
        Hostile{"WideCenter", "{{ s|center(10**12) }}"},
        Hostile{"WideZeros", "{{ s.zfill(10**12) }}"},
        Hostile{"WideIndent", "{{ s|indent(10**12) }}"},
        Hostile{"WideJsonIndent", "{{ l|tojson(indent=10**12) }}"},
        Hostile{"WideBatch", "{{ l|batch(10**12, 0)|list }}"},
        Hostile{"ManySlices", "{{ l|slice(10**12)|list }}"},
        Hostile{"ReplaceBlowUp", "{{ (s * 1000)|replace('', s * 1000) }}"},
        Hostile{"JoinBlowUp", "{{ range(99999)|join(s * 1000) }}"},
        Hostile{"HugePower", "{{ 10 ** 10 ** 10 }}"},
        Hostile{"EndlessOutput", "{% for i in range(99999) %}{{ s * 100 }}{% endfor %}"},
        Hostile{"ManyNamespaces",
                "{% set n = namespace() %}{% for i in range(99999) %}{% set n.x = namespace(x=n.x, "
                "y=s * 100) %}{% endfor %}"},
        Hostile{"ManyFrames",
                "{% macro f() %}{% macro g() %}{% endmacro %}{% endmacro %}{% for i in "
                "range(99999) %}{% for j in range(9) %}{{ f() }}{% endfor %}{% endfor %}"},
        Hostile{"LoopChangedIsItself",
                "{% for i in range(99999) %}{{ loop.changed(loop) }}{% for j in range(99) %}{% "
                "endfor %}{% endfor %}"}),
    [](const auto& test) { return test.param.what; });

TEST(HostileTexts, AreRefusedByTheParser) {
  const auto repeat = [](std::string_view text, int times) {
    std::string out;
    for (int i = 0; i < times; ++i) out += text;
    return out;
  };
  EXPECT_THAT(Error("{{ " + repeat("(", 100000)), HasSubstr("nested too deeply"));
  EXPECT_THAT(Error("{{ " + repeat("[", 100000)), HasSubstr("nested too deeply"));
  EXPECT_THAT(Error("{{ " + repeat("-", 100000) + "1 }}"), HasSubstr("nested too deeply"));
  EXPECT_THAT(Error("{{ " + repeat("not ", 100000) + "1 }}"), HasSubstr("nested too deeply"));
  EXPECT_THAT(Error(repeat("{% if 1 %}", 10000)), HasSubstr("nested too deeply"));
  EXPECT_THAT(Error("{{ 1" + repeat(" if 1 else 1", 10000) + " }}"),
              HasSubstr("nested too deeply"));
  EXPECT_THAT(Error("{{ 1" + repeat("+1", 10000) + " }}"), HasSubstr("too long"));
  EXPECT_THAT(Error("{{ a" + repeat(".a", 10000) + " }}"), HasSubstr("too long"));
  EXPECT_THAT(Error("{{ a" + repeat("|abs", 10000) + " }}"), HasSubstr("too long"));
  EXPECT_THAT(Error("\xFF"), HasSubstr("not UTF-8"));
  EXPECT_EQ(Try(std::string(size_t{2} << 20, 'x')).status().code(), Code::kTooLarge);
}

TEST(HostileTexts, CutAnywhereNeverCrash) {
  const std::string whole =
      "{%- macro f(a, b=[1, {'k': 2}]) -%}{{ a|default('x', true) ~ b[0:1] }}{%- endmacro -%}"
      "{% for k, v in d.items() if v is not none recursive %}{{ loop.index }}{{ f(k, b=v) }}{% "
      "else %}"
      "{% raw %}{{ {% endraw %}{% endfor %}{% set x %}{{ 'a\\n\\u00e9' }}{% endset %}{# c #}";
  for (size_t i = 0; i <= whole.size(); ++i) {
    static_cast<void>(Try(whole.substr(0, i), R"({"d": {"a": 1}})"));
    static_cast<void>(Try(whole.substr(i), R"({"d": {"a": 1}})"));
  }
}

// One line per case: template, context, and what Python answered: text, raises or error.
TEST(RecordedCases, RenderAsPythonRenderedThem) {
  const auto file =
      ReadFile(FileSystem::Real(), AC_SOURCE_DIR "/tests/reference/jinja_cases.jsonl");
  ASSERT_TRUE(file.ok()) << file.status();
  ::setenv("TZ", "UTC", 1);
  FakeClock clock(std::chrono::seconds(1'700'000'000));
  RenderOptions options;
  options.clock = &clock;
  size_t count = 0;
  for (size_t start = 0; start < file->size(); ++count) {
    const size_t end = file->find('\n', start);
    const auto item = json::Parse(std::string_view(*file).substr(start, end - start));
    start = end + 1;
    ASSERT_TRUE(item.ok()) << item.status();
    const std::string source(*json::GetString(*item, "template"));
    SCOPED_TRACE(source);
    const json::Value none = json::Object();
    const json::Value* context = json::Find(*item, "context");
    const auto parsed = Template::Parse(source, "case");
    const auto result = parsed.ok()
                            ? (*parsed)->Render(context == nullptr ? none : *context, options)
                            : Result<std::string>(parsed.status());
    if (const auto text = json::GetString(*item, "text")) {
      ASSERT_TRUE(result.ok()) << result.status();
      EXPECT_EQ(*result, *text);
    } else if (const auto raised = json::GetString(*item, "raises")) {
      EXPECT_EQ(RaisedMessage(result.status()), std::string(*raised));
    } else {
      EXPECT_FALSE(result.ok()) << "rendered " << *result << ", Python failed";
    }
  }
  EXPECT_GT(count, 1000u);
}

}  // namespace
}  // namespace ac::jinja
