#include "cpu/features.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace ac::cpu {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// What CPUID says on a Sapphire Rapids server, with the kernel's consent to everything.
X86Words SapphireRapids() {
  X86Words w;
  w.leaf1_ecx = 0x77fefbff;
  w.leaf7_ebx = 0xf1bf2ffb;
  w.leaf7_ecx = 0x1b415f6e;
  w.leaf7_edx = 0xffdd4432;
  w.leaf7_1_eax = 0x00001c30;
  w.xcr0 = 0x600e7;
  w.amx_granted = true;
  return w;
}

TEST(Features, ASapphireRapidsServerHasEverything) {
  const Features f = DecodeX86(SapphireRapids());
  EXPECT_EQ(f.architecture, Architecture::kX86);
  EXPECT_EQ(FeatureNames(f),
            "sse4.2 avx avx2 fma f16c avx_vnni avx512f avx512bw avx512dq avx512vl avx512_vbmi "
            "avx512_vnni avx512_bf16 avx512_fp16 amx_tile amx_int8 amx_bf16");
  EXPECT_FALSE(f.amx_refused);
}

TEST(Features, ARefusedTilePermissionHidesAmxAndSaysSo) {
  X86Words w = SapphireRapids();
  w.amx_granted = false;
  const Features f = DecodeX86(w);
  EXPECT_THAT(FeatureNames(f), Not(HasSubstr("amx")));
  EXPECT_TRUE(f.amx_refused);
  EXPECT_TRUE(f.avx512_fp16);
}

TEST(Features, TileStateThatTheSystemDoesNotSaveHidesAmx) {
  X86Words w = SapphireRapids();
  w.xcr0 = 0xe7;
  EXPECT_FALSE(DecodeX86(w).amx_tile);
  EXPECT_TRUE(DecodeX86(w).amx_refused);
}

TEST(Features, ASystemThatSavesOnlyYmmLeavesAvx2) {
  X86Words w = SapphireRapids();
  w.xcr0 = 0x7;
  EXPECT_EQ(FeatureNames(DecodeX86(w)), "sse4.2 avx avx2 fma f16c avx_vnni");
}

TEST(Features, WithoutXsaveNothingWiderThanSseCounts) {
  X86Words w = SapphireRapids();
  w.xcr0 = 0;
  EXPECT_EQ(FeatureNames(DecodeX86(w)), "sse4.2");
}

TEST(Features, AHaswellDesktopHasAvx2ButNoAvx512) {
  X86Words w;
  w.leaf1_ecx = 0x7ffafbff;
  w.leaf7_ebx = 0x000027ab;
  w.xcr0 = 0x7;
  const Features f = DecodeX86(w);
  EXPECT_EQ(FeatureNames(f), "sse4.2 avx avx2 fma f16c");
  EXPECT_FALSE(f.amx_refused);
}

TEST(Features, AnEmptyMachineHasNothing) {
  EXPECT_EQ(FeatureNames(DecodeX86(X86Words())), "");
  EXPECT_EQ(FeatureNames(DecodeArm(0, 0)), "");
}

TEST(Features, ANeoverseV1HasSveAndTheInt8Products) {
  // HWCAP and HWCAP2 of a Graviton 3.
  const Features f = DecodeArm(0xefffffff, 0x1a7ff);
  EXPECT_EQ(f.architecture, Architecture::kArm);
  EXPECT_TRUE(f.neon && f.fp16 && f.dotprod && f.sve);
  EXPECT_EQ(FeatureNames(DecodeArm((1u << 1) | (1u << 20), 1u << 13)), "neon dotprod i8mm");
}

TEST(Features, TheHostIsDetectedOnceAndDescribedInOneLine) {
  const Features& host = HostFeatures();
  EXPECT_EQ(&host, &HostFeatures());
  const std::string line = DescribeCpu();
  EXPECT_THAT(line, HasSubstr(" core"));
  EXPECT_THAT(line, HasSubstr(FeatureNames(host)));
  EXPECT_THAT(line, Not(HasSubstr("\n")));
}

#if defined(__x86_64__) && defined(__GNUC__)
TEST(Features, TheHostAgreesWithTheCompilersOwnDetection) {
  const Features& host = HostFeatures();
  EXPECT_EQ(host.avx2, __builtin_cpu_supports("avx2") != 0);
  EXPECT_EQ(host.fma, __builtin_cpu_supports("fma") != 0);
  EXPECT_EQ(host.avx512f, __builtin_cpu_supports("avx512f") != 0);
  EXPECT_EQ(host.avx512bw, __builtin_cpu_supports("avx512bw") != 0);
  EXPECT_EQ(host.avx512_vnni, __builtin_cpu_supports("avx512vnni") != 0);
  EXPECT_EQ(host.avx512_bf16, __builtin_cpu_supports("avx512bf16") != 0);
}
#endif

}  // namespace
}  // namespace ac::cpu
