import shutil
import unittest

from tree import ROOT, TreeTest

CLANG = shutil.which("clang++-19")
CLASS = """#include "base/mutex.h"
class Counter {
 public:
  int Get() { %s return count_; }
 private:
  ac::Mutex mutex_;
  int count_ AC_GUARDED_BY(mutex_) = 0;
};
int Use(Counter& c) { return c.Get(); }
"""


@unittest.skipUnless(CLANG, "clang-19 is not installed (tools/bootstrap.sh --what full)")
class ThreadSafety(TreeTest):
    """The annotations of base/mutex.h and the flags of the clang preset refuse unlocked access."""

    def compile(self, body):
        flags = [f for f in ("-Wthread-safety", "-Wthread-safety-beta", "-Werror")
                 if f in (ROOT / "cmake/Options.cmake").read_text()]
        file = self.write("a.cc", CLASS % body)
        return self.run_command(CLANG, "-std=c++20", "-fsyntax-only", f"-I{ROOT}/src", *flags, file)

    def test_locked_access_compiles(self):
        self.assertPasses(self.compile("ac::MutexLock lock(mutex_);"))

    def test_unlocked_access_is_refused(self):
        self.assertRefuses(self.compile(""), "requires holding mutex 'mutex_'")


if __name__ == "__main__":
    unittest.main()
