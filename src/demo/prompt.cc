#include "demo/prompt.h"

#include <initializer_list>
#include <iterator>
#include <string_view>

namespace ac::demo {
namespace {

struct Argument {
  const char* name;
  const char* about;
};

json::Object Tool(const char* name, const char* about, std::initializer_list<Argument> arguments) {
  json::Object properties;
  json::Array required;
  for (const Argument& argument : arguments) {
    properties[argument.name] = json::Object{{"type", "string"}, {"description", argument.about}};
    required.push_back(argument.name);
  }
  return {{"name", name},
          {"description", about},
          {"input_schema", json::Object{{"type", "object"},
                                        {"properties", std::move(properties)},
                                        {"required", std::move(required)}}}};
}

constexpr std::string_view kTopics[] = {"reading files", "changing files", "running commands",
                                        "searching",     "writing tests",  "talking to the user",
                                        "naming things", "handling errors"};

constexpr std::string_view kRules[] = {
    "Read a file before you change it, and change only what the request needs.",
    "Paths are relative to the working directory unless they begin with a slash.",
    "Prefer the tool made for the job over a shell command that does the same.",
    "When a command fails, report what it printed; never claim that it worked.",
    "Keep answers short: what was done, what came out, and nothing else.",
    "Text between quotes or backticks in a request is taken to the letter.",
    "A result that is too long is cut; ask for the part that matters.",
    "Never write secrets into a file, a log, or a command line.",
    "If two readings of a request are possible, take the one that destroys nothing.",
    "Follow the style of the code around the change, down to its blank lines.",
    "Leave the working tree as you found it when a plan is given up.",
    "One call at a time: the next one may depend on what this one says.",
};

}  // namespace

json::Array Tools() {
  return {
      Tool("Read", "Reads a file and returns its lines, numbered from 1.",
           {{"file_path", "The file to read"}}),
      Tool("Write", "Writes a file; what was in it before is replaced.",
           {{"file_path", "The file to write"}, {"content", "The whole new content"}}),
      Tool("Edit", "Replaces the first occurrence of a text in a file by another.",
           {{"file_path", "The file to change"},
            {"old_string", "The text to replace, to the letter"},
            {"new_string", "The text to put there"}}),
      Tool("Bash", "Runs a shell command in the working directory and returns what it printed.",
           {{"command", "The command line"}}),
      Tool("Glob", "Lists the files whose names match a pattern, such as *.py.",
           {{"pattern", "The pattern"}}),
      Tool("Grep", "Finds the lines that contain a text, in every file.",
           {{"pattern", "The text to find"}}),
      Tool("LS", "Lists a folder.", {{"path", "The folder"}}),
  };
}

std::string SystemPrompt(size_t characters) {
  std::string text = "You are an agent that works in a repository with the tools above.\n";
  // Each section is a different choice, so that no part of the prompt equals another.
  for (size_t section = 1; text.size() < characters; ++section) {
    text += "\n# " + std::to_string(section) + ". On ";
    text += kTopics[section % std::size(kTopics)];
    text += "\n\n";
    for (size_t rule = 0; rule < 6; ++rule) {
      text += std::to_string(section) + "." + std::to_string(rule + 1) + " ";
      text += kRules[(section * 5 + rule * (1 + section % 3)) % std::size(kRules)];
      text += "\n";
    }
  }
  return text;
}

}  // namespace ac::demo
