import unittest

from tree import TreeTest


class Layers(TreeTest):
    def check(self, *arguments):
        return self.run_tool("check_layers.py", "--root", self.root, *arguments)

    def setUp(self):
        super().setUp()
        self.write("src/base/status.h", "#pragma once\n#include <string>\n")
        self.write("src/json/json.h", '#pragma once\n#include "base/status.h"\n')

    def test_allowed_includes_pass(self):
        self.write("src/json/json.cc", '#include "json/json.h"\n')
        self.assertPasses(self.check())

    def test_an_upward_include_is_refused_with_its_place(self):
        self.write("src/base/clock.cc", '\n#include "json/json.h"\n')
        self.assertRefuses(self.check(), "src/base/clock.cc:2", "'base' may not include 'json'")

    def test_a_sideways_include_is_refused(self):
        self.write("src/quant/q.h", "#pragma once\n")
        self.write("src/json/json.cc", '#include "quant/q.h"\n')
        self.assertRefuses(self.check(), "'json' may not include 'quant'")

    def test_tests_may_look_sideways_but_never_up(self):
        self.write("src/quant/q.h", "#pragma once\n")
        self.write("src/chat/chat.h", "#pragma once\n")
        self.write("src/json/json_test.cc", '#include "quant/q.h"\n')
        self.assertPasses(self.check())
        self.write("src/json/json_test.cc", '#include "chat/chat.h"\n')
        self.assertRefuses(self.check(), "'json' may not include 'chat'")

    def test_an_unlisted_module_is_refused(self):
        self.write("src/shiny/new.h", "#pragma once\n")
        self.assertRefuses(self.check(), "module 'shiny' has no row")

    def test_a_header_cycle_is_refused(self):
        self.write("src/base/a.h", '#include "base/b.h"\n')
        self.write("src/base/b.h", '#include "base/a.h"\n')
        self.assertRefuses(self.check(), "include cycle: base/a.h -> base/b.h -> base/a.h")

    def test_private_headers_stay_private(self):
        self.write("src/base/internal/x.h", "#pragma once\n")
        self.write("src/base/x.cc", '#include "base/internal/x.h"\n')
        self.assertPasses(self.check())
        self.write("src/json/json.cc", '#include "base/internal/x.h"\n')
        self.assertRefuses(self.check(), "private to module 'base'")

    def test_libraries_stay_in_their_modules(self):
        self.write("src/api/parse.cc", "#include <boost/asio/ip/tcp.hpp>\n")
        self.assertRefuses(self.check(), "<boost/asio/ip/tcp.hpp> belongs to http")

    def test_includes_are_rooted_at_src(self):
        self.write("src/json/json.cc", '#include "json.h"\n')
        self.assertRefuses(self.check(), "not a file below src/")

    def test_sealed_folders_see_c_headers_and_the_table_only(self):
        self.write("src/kernels/table.h", "#pragma once\n")
        self.write("src/kernels/avx2/dot.cc", '#include <immintrin.h>\n#include "kernels/table.h"\n')
        self.assertPasses(self.check())
        self.write("src/kernels/avx2/dot.cc", "#include <vector>\n")
        self.assertRefuses(self.check(), "may not include <vector>")
        self.write("src/kernels/avx2/dot.cc", '#include "base/status.h"\n')
        self.assertRefuses(self.check(), 'may not include "base/status.h"')

    def test_a_cyclic_table_is_refused(self):
        table = self.write("t.json", '{"may_include":{"base":["json"],"json":["base"]},"libraries":{},'
                           '"sealed":{"folders":[],"may_include_ours":[],"may_include_system":[]}}')
        status, output = self.check("--layers", table)
        self.assertNotEqual(status, 0)
        self.assertIn("cycle", output)

    def test_an_empty_tree_is_no_pass(self):
        self.assertRefuses(self.run_tool("check_layers.py", "--root", self.root / "src" / "base"), "no sources")

    def test_the_graph_is_drawn_from_the_includes(self):
        status, output = self.check("--dot")
        self.assertEqual(status, 0)
        self.assertIn("json -> base;", output)
        status, output = self.check("--table")
        self.assertIn("| 1 | json | base | base |", output)


if __name__ == "__main__":
    unittest.main()
