// Tool schemas for servers whose grammar compilers are weak.
//
// Clients' schemas use patterns, bounds, references and unions that make some servers refuse the
// whole request. The subset keeps what shapes a call (types, properties, required, enums, items,
// descriptions) and drops what only narrows values: the client checks those anyway. Pure functions,
// thread-safe.
#pragma once

#include <string>
#include <string_view>

namespace ac::remote {

// The same schema with simple keywords only; references are put in place. What is no JSON object
// becomes kUntypedSchema.
std::string SubsetSchema(std::string_view schema);

// Accepts any object: what a tool gets whose schema a server refuses even so.
inline constexpr std::string_view kUntypedSchema = R"({"type":"object"})";

}  // namespace ac::remote
