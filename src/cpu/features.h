// What this processor can do and the operating system lets us do.
//
// Features are plain values, read once at start. An instruction set counts as present only when
// the CPU reports it, the OS saves its registers (XCR0) and, for AMX, the kernel granted this
// process the tile state; a refusal shows as absence, never as a failure. Thread-safe.
#pragma once

#include <cstdint>
#include <string>

namespace ac::cpu {

enum class Architecture { kX86, kArm, kOther };

struct Features {
  Architecture architecture = Architecture::kOther;
  std::string model;  // "AMD EPYC 9354"; empty when unknown

  // x86
  bool sse42 = false;
  bool avx = false;
  bool avx2 = false;
  bool fma = false;
  bool f16c = false;
  bool avx_vnni = false;
  bool avx512f = false;
  bool avx512bw = false;
  bool avx512dq = false;
  bool avx512vl = false;
  bool avx512_vbmi = false;
  bool avx512_vnni = false;
  bool avx512_bf16 = false;
  bool avx512_fp16 = false;
  bool amx_tile = false;
  bool amx_int8 = false;
  bool amx_bf16 = false;
  // The CPU has AMX but the OS keeps it from us: `doctor` explains it.
  bool amx_refused = false;

  // Arm
  bool neon = false;
  bool fp16 = false;  // half-precision arithmetic, scalar and vector
  bool dotprod = false;
  bool i8mm = false;
  bool bf16 = false;
  bool sve = false;
  bool sve2 = false;
};

// The machine we run on, detected on the first call (which asks the kernel for AMX).
const Features& HostFeatures();

// The names of the flags that are set, in the order above: "avx2 fma f16c avx512f".
std::string FeatureNames(const Features& features);

// One line for people: model, cores, caches, instruction sets, memory.
std::string DescribeCpu();

// The raw words detection decides on, so that tests can play any machine.
struct X86Words {
  uint32_t leaf1_ecx = 0;
  uint32_t leaf7_ebx = 0, leaf7_ecx = 0, leaf7_edx = 0;
  uint32_t leaf7_1_eax = 0;
  uint64_t xcr0 = 0;         // 0 when OSXSAVE is off
  bool amx_granted = false;  // the kernel allowed tile data
};
Features DecodeX86(const X86Words& words);
Features DecodeArm(uint64_t hwcap, uint64_t hwcap2);

}  // namespace ac::cpu
