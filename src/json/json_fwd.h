// Forward declarations of the JSON types: headers that only pass values around include this one and
// stay cheap to compile.
#pragma once

#include <boost/json/fwd.hpp>

namespace ac::json {

using Value = boost::json::value;
using Object = boost::json::object;
using Array = boost::json::array;

}  // namespace ac::json
