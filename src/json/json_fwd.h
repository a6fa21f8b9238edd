// Names of the JSON types and the limits of parsing: headers that only pass values around include
// this one and stay cheap to compile.
#pragma once

#include <boost/json/fwd.hpp>
#include <cstddef>

namespace ac::json {

using Value = boost::json::value;
using Object = boost::json::object;
using Array = boost::json::array;

struct ParseLimits {
  size_t max_depth = 128;
  size_t max_bytes = size_t{256} << 20;
};

}  // namespace ac::json
