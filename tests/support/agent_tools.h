// A set of tools as coding agents send it: nested schemas, enums, unions, bounds, patterns,
// references. Written for the tests; the names and shapes are those that agents use.
#pragma once

#include <string>
#include <vector>

#include "chat/chat.h"

namespace ac::testing {

inline std::vector<chat::ToolSpec> AgentTools() {
  const auto tool = [](std::string name, std::string schema) {
    return chat::ToolSpec{.name = std::move(name),
                          .description = "",
                          .input_schema = std::move(schema),
                          .type = "",
                          .json = ""};
  };
  return {
      tool("Read",
           R"({"type":"object","properties":{"file_path":{"type":"string","description":"absolute"},
        "offset":{"type":"integer","minimum":0},"limit":{"type":"integer","exclusiveMinimum":0,"maximum":20000},
        "pages":{"type":"string","pattern":"^\\d{1,3}(-\\d{1,3})?$"}},
        "required":["file_path"],"additionalProperties":false,"$schema":"http://json-schema.org/draft-07/schema#"})"),
      tool(
          "Edit",
          R"({"type":"object","properties":{"file_path":{"type":"string"},"old_string":{"type":"string"},
        "new_string":{"type":"string"},"replace_all":{"type":"boolean","default":false}},
        "required":["file_path","old_string","new_string"],"additionalProperties":false})"),
      tool("MultiEdit",
           R"({"type":"object","properties":{"file_path":{"type":"string","minLength":1},
        "edits":{"type":"array","minItems":1,"maxItems":5,"items":{"type":"object","properties":{
        "old_string":{"type":"string"},"new_string":{"type":"string"},"replace_all":{"type":"boolean"}},
        "required":["old_string","new_string"],"additionalProperties":false}}},
        "required":["file_path","edits"],"additionalProperties":false})"),
      tool(
          "Write",
          R"({"type":"object","properties":{"file_path":{"type":"string"},"content":{"type":"string"}},
        "required":["file_path","content"],"additionalProperties":false})"),
      tool("Bash", R"({"type":"object","properties":{"command":{"type":"string","minLength":1},
        "timeout":{"type":"number","minimum":0,"maximum":600000},"description":{"type":"string","maxLength":80},
        "run_in_background":{"type":"boolean"}},"required":["command"],"additionalProperties":false})"),
      tool("Grep",
           R"({"type":"object","properties":{"pattern":{"type":"string"},"path":{"type":"string"},
        "output_mode":{"type":"string","enum":["content","files_with_matches","count"]},"-B":{"type":"number"},
        "-i":{"type":"boolean"},"head_limit":{"type":"integer","minimum":1,"maximum":1000},
        "multiline":{"type":"boolean"}},"required":["pattern"],"additionalProperties":false})"),
      tool(
          "Glob",
          R"({"type":"object","properties":{"pattern":{"type":"string"},"path":{"type":["string","null"]}},
        "required":["pattern"],"additionalProperties":false})"),
      tool(
          "Task",
          R"({"type":"object","properties":{"description":{"type":"string","minLength":3,"maxLength":40},
        "prompt":{"type":"string"},"subagent_type":{"enum":["general-purpose","Explore","Plan"]},
        "model":{"type":"string","enum":["sonnet","opus","haiku"]}},
        "required":["description","prompt","subagent_type"],"additionalProperties":false})"),
      tool("TodoWrite",
           R"({"type":"object","properties":{"todos":{"type":"array","items":{"type":"object",
        "properties":{"content":{"type":"string","minLength":1},"status":{"type":"string",
        "enum":["pending","in_progress","completed"]},"activeForm":{"type":"string","minLength":1}},
        "required":["content","status","activeForm"],"additionalProperties":false}}},
        "required":["todos"],"additionalProperties":false})"),
      tool("WebFetch", R"({"type":"object","properties":{"url":{"type":"string","format":"uri"},
        "prompt":{"type":"string"}},"required":["url","prompt"],"additionalProperties":false})"),
      tool("WebSearch", R"({"type":"object","properties":{"query":{"type":"string","minLength":2},
        "allowed_domains":{"type":"array","items":{"type":"string","format":"hostname"},"maxItems":3}},
        "required":["query"],"additionalProperties":false})"),
      tool("NotebookEdit", R"({"type":"object","properties":{"notebook_path":{"type":"string"},
        "cell_id":{"type":"string"},"new_source":{"type":"string"},"cell_type":{"type":"string",
        "enum":["code","markdown"]},"edit_mode":{"type":"string","enum":["replace","insert","delete"]}},
        "required":["notebook_path","new_source"],"additionalProperties":false})"),
      tool("KillShell", R"({"type":"object","properties":{"shell_id":{"type":"string",
        "pattern":"^[a-f0-9]{6,12}$"}},"required":["shell_id"],"additionalProperties":false})"),
      tool("ExitPlanMode", R"({"type":"object","properties":{"plan":{"type":"string"}},
        "required":["plan"],"additionalProperties":true})"),
      tool("AskUserQuestion", R"({"type":"object","$defs":{"option":{"type":"object","properties":{
        "label":{"type":"string","maxLength":12},"description":{"type":"string"}},"required":["label","description"],
        "additionalProperties":false}},"properties":{"questions":{"type":"array","minItems":1,"maxItems":2,
        "items":{"type":"object","properties":{"question":{"type":"string"},"header":{"type":"string","maxLength":12},
        "multiSelect":{"type":"boolean"},"options":{"type":"array","minItems":2,"maxItems":4,
        "items":{"$ref":"#/$defs/option"}}},"required":["question","header","options","multiSelect"],
        "additionalProperties":false}}},"required":["questions"],"additionalProperties":false})"),
      tool("mcp__github__create_issue", R"({"type":"object","properties":{"owner":{"type":"string",
        "pattern":"^[A-Za-z0-9-]+$"},"title":{"type":"string"},"labels":{"type":"array","items":{"type":"string"}},
        "assignee":{"anyOf":[{"type":"string"},{"type":"null"}]},"priority":{"type":"integer","minimum":1,"maximum":5}},
        "required":["owner","title","assignee"]})"),
      tool("mcp__db__query",
           R"({"type":"object","$defs":{"filter":{"anyOf":[{"type":"object","properties":{
        "field":{"type":"string"},"op":{"enum":["eq","lt","gt"]},"value":{"type":["string","number","boolean"]}},
        "required":["field","op","value"],"additionalProperties":false},{"type":"object","properties":{
        "and":{"type":"array","minItems":1,"maxItems":2,"items":{"$ref":"#/$defs/filter"}}},"required":["and"],
        "additionalProperties":false}]}},"properties":{"table":{"type":"string"},"where":{"$ref":"#/$defs/filter"},
        "limit":{"type":"integer","minimum":1,"maximum":100}},"required":["table","where"],
        "additionalProperties":false})"),
      tool("mcp__time__convert",
           R"({"type":"object","properties":{"at":{"type":"string","format":"date-time"},
        "ratio":{"type":"number","exclusiveMinimum":0,"exclusiveMaximum":1},"zone":{"const":"UTC"}},
        "required":["at","ratio","zone"],"additionalProperties":false})"),
      tool("mcp__kv__set", R"({"type":"object","properties":{"entries":{"type":"object",
        "additionalProperties":{"type":"integer"}},"meta":{"allOf":[{"type":"object","properties":{"id":{"type":"string",
        "format":"uuid"}},"required":["id"]},{"properties":{"ttl":{"type":"integer","minimum":-1,"maximum":86400}},
        "required":["ttl"]}]}},"required":["entries","meta"],"additionalProperties":false})"),
      tool("mcp__files__tree", R"({"type":"object","$defs":{"node":{"type":"object","properties":{
        "name":{"type":"string"},"children":{"type":"array","maxItems":2,"items":{"$ref":"#/$defs/node"}}},
        "required":["name"],"additionalProperties":false}},"properties":{"root":{"$ref":"#/$defs/node"}},
        "required":["root"],"additionalProperties":false})"),
      tool("Ping", R"({"type":"object","properties":{}})"),
  };
}

}  // namespace ac::testing
