#include "cpu/features.h"

#include <cstddef>
#include <cstring>
#include <string_view>

#include "cpu/topology.h"

#if defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>
#endif
#if defined(__linux__)
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <unistd.h>
#elif defined(__APPLE__)
#include <sys/sysctl.h>
#endif

namespace ac::cpu {
namespace {

struct NamedFlag {
  const char* name;
  bool Features::*flag;
};

constexpr NamedFlag kFlags[] = {
    {"sse4.2", &Features::sse42},
    {"avx", &Features::avx},
    {"avx2", &Features::avx2},
    {"fma", &Features::fma},
    {"f16c", &Features::f16c},
    {"avx_vnni", &Features::avx_vnni},
    {"avx512f", &Features::avx512f},
    {"avx512bw", &Features::avx512bw},
    {"avx512dq", &Features::avx512dq},
    {"avx512vl", &Features::avx512vl},
    {"avx512_vbmi", &Features::avx512_vbmi},
    {"avx512_vnni", &Features::avx512_vnni},
    {"avx512_bf16", &Features::avx512_bf16},
    {"avx512_fp16", &Features::avx512_fp16},
    {"amx_tile", &Features::amx_tile},
    {"amx_int8", &Features::amx_int8},
    {"amx_bf16", &Features::amx_bf16},
    {"neon", &Features::neon},
    {"fp16", &Features::fp16},
    {"dotprod", &Features::dotprod},
    {"i8mm", &Features::i8mm},
    {"bf16", &Features::bf16},
    {"sve", &Features::sve},
    {"sve2", &Features::sve2},
};

constexpr bool Bit(uint64_t word, int bit) { return ((word >> bit) & 1) != 0; }

// XCR0: the register files the OS saves on a context switch.
constexpr uint64_t kXcr0Avx = 0x6;      // XMM, YMM
constexpr uint64_t kXcr0Avx512 = 0xe6;  // and mask registers, ZMM
constexpr uint64_t kXcr0Amx = 0x60000;  // tile configuration, tile data

#if defined(__x86_64__) || defined(__i386__)

constexpr int kTileDataFeature = 18;       // XCR0 bit of the tile data, as the kernel numbers it
constexpr int kArchReqXcompPerm = 0x1023;  // arch_prctl code; older headers lack the name

// Tile data is switched off until a process asks: the kernel then allows the 8 KiB per thread.
bool RequestAmx() {
#if defined(__linux__) && defined(SYS_arch_prctl)
  return ::syscall(SYS_arch_prctl, kArchReqXcompPerm, kTileDataFeature) == 0;
#else
  return false;
#endif
}

// XGETBV through its bytes: the intrinsic would need -mxsave for the whole file.
uint64_t ReadXcr0() {
  uint32_t low = 0;
  uint32_t high = 0;
  __asm__ volatile(".byte 0x0f, 0x01, 0xd0" : "=a"(low), "=d"(high) : "c"(0));
  return (uint64_t{high} << 32) | low;
}

std::string ReadBrand() {
  unsigned words[12] = {};
  if (static_cast<unsigned>(__get_cpuid_max(0x80000000u, nullptr)) < 0x80000004u) return "";
  for (unsigned leaf = 0; leaf < 3; ++leaf) {
    unsigned* w = words + leaf * 4;
    __cpuid(0x80000002u + leaf, w[0], w[1], w[2], w[3]);
  }
  char brand[sizeof(words) + 1] = {};
  std::memcpy(brand, words, sizeof(words));
  return brand;
}

Features Detect() {
  X86Words words;
  unsigned eax = 0;
  unsigned ebx = 0;
  unsigned ecx = 0;
  unsigned edx = 0;
  if (__get_cpuid(1, &eax, &ebx, &ecx, &edx) != 0) words.leaf1_ecx = ecx;
  constexpr int kOsxsave = 27;
  if (Bit(words.leaf1_ecx, kOsxsave)) words.xcr0 = ReadXcr0();
  if (__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) != 0) {
    words.leaf7_ebx = ebx;
    words.leaf7_ecx = ecx;
    words.leaf7_edx = edx;
    const unsigned last_subleaf = eax;
    if (last_subleaf >= 1 && __get_cpuid_count(7, 1, &eax, &ebx, &ecx, &edx) != 0) {
      words.leaf7_1_eax = eax;
    }
  }
  // Asking is pointless, and on old kernels an error, where the CPU has no tiles.
  constexpr int kAmxTile = 24;
  words.amx_granted = Bit(words.leaf7_edx, kAmxTile) && RequestAmx();
  Features f = DecodeX86(words);
  f.model = ReadBrand();
  return f;
}

#elif defined(__aarch64__) && defined(__linux__)

Features Detect() { return DecodeArm(::getauxval(AT_HWCAP), ::getauxval(AT_HWCAP2)); }

#elif defined(__aarch64__) && defined(__APPLE__)

bool SysctlFlag(const char* name) {
  int value = 0;
  size_t size = sizeof(value);
  return ::sysctlbyname(name, &value, &size, nullptr, 0) == 0 && value != 0;
}

Features Detect() {
  Features f;
  f.architecture = Architecture::kArm;
  f.neon = true;  // part of the base architecture
  f.fp16 = SysctlFlag("hw.optional.arm.FEAT_FP16");
  f.dotprod = SysctlFlag("hw.optional.arm.FEAT_DotProd");
  f.i8mm = SysctlFlag("hw.optional.arm.FEAT_I8MM");
  f.bf16 = SysctlFlag("hw.optional.arm.FEAT_BF16");
  char brand[128] = {};
  size_t size = sizeof(brand) - 1;
  if (::sysctlbyname("machdep.cpu.brand_string", brand, &size, nullptr, 0) == 0) f.model = brand;
  return f;
}

#else

Features Detect() { return Features(); }

#endif

// Brand strings come padded: "Intel(R) Xeon(R)   CPU @ 2.70GHz   ".
std::string CollapseSpaces(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c != ' ' || (!out.empty() && out.back() != ' ')) out += c;
  }
  while (!out.empty() && out.back() == ' ') out.pop_back();
  return out;
}

std::string FormatBytes(uint64_t bytes) {
  constexpr uint64_t kGiB = uint64_t{1} << 30;
  constexpr uint64_t kMebibyte = uint64_t{1} << 20;
  if (bytes >= kGiB) return std::to_string((bytes + kGiB / 2) / kGiB) + " GiB";
  if (bytes >= kMebibyte) return std::to_string((bytes + kMebibyte / 2) / kMebibyte) + " MiB";
  return std::to_string(bytes / 1024) + " KiB";
}

}  // namespace

Features DecodeX86(const X86Words& w) {
  Features f;
  f.architecture = Architecture::kX86;
  f.sse42 = Bit(w.leaf1_ecx, 20);

  const bool ymm = (w.xcr0 & kXcr0Avx) == kXcr0Avx;
  f.avx = ymm && Bit(w.leaf1_ecx, 28);
  f.fma = f.avx && Bit(w.leaf1_ecx, 12);
  f.f16c = f.avx && Bit(w.leaf1_ecx, 29);
  f.avx2 = f.avx && Bit(w.leaf7_ebx, 5);
  f.avx_vnni = f.avx2 && Bit(w.leaf7_1_eax, 4);

  const bool zmm = (w.xcr0 & kXcr0Avx512) == kXcr0Avx512;
  f.avx512f = f.avx2 && zmm && Bit(w.leaf7_ebx, 16);
  f.avx512dq = f.avx512f && Bit(w.leaf7_ebx, 17);
  f.avx512bw = f.avx512f && Bit(w.leaf7_ebx, 30);
  f.avx512vl = f.avx512f && Bit(w.leaf7_ebx, 31);
  f.avx512_vbmi = f.avx512f && Bit(w.leaf7_ecx, 1);
  f.avx512_vnni = f.avx512f && Bit(w.leaf7_ecx, 11);
  f.avx512_bf16 = f.avx512f && Bit(w.leaf7_1_eax, 5);
  f.avx512_fp16 = f.avx512f && Bit(w.leaf7_edx, 23);

  const bool has_tiles = Bit(w.leaf7_edx, 24);
  f.amx_tile = has_tiles && (w.xcr0 & kXcr0Amx) == kXcr0Amx && w.amx_granted;
  f.amx_bf16 = f.amx_tile && Bit(w.leaf7_edx, 22);
  f.amx_int8 = f.amx_tile && Bit(w.leaf7_edx, 25);
  f.amx_refused = has_tiles && !f.amx_tile;
  return f;
}

Features DecodeArm(uint64_t hwcap, uint64_t hwcap2) {
  Features f;
  f.architecture = Architecture::kArm;
  f.neon = Bit(hwcap, 1);      // HWCAP_ASIMD
  f.fp16 = Bit(hwcap, 10);     // HWCAP_ASIMDHP
  f.dotprod = Bit(hwcap, 20);  // HWCAP_ASIMDDP
  f.sve = Bit(hwcap, 22);      // HWCAP_SVE
  f.sve2 = Bit(hwcap2, 1);     // HWCAP2_SVE2
  f.i8mm = Bit(hwcap2, 13);    // HWCAP2_I8MM
  f.bf16 = Bit(hwcap2, 14);    // HWCAP2_BF16
  return f;
}

const Features& HostFeatures() {
  static const Features features = [] {
    Features f = Detect();
    f.model = CollapseSpaces(f.model.empty() ? HostTopology().model : f.model);
    return f;
  }();
  return features;
}

std::string FeatureNames(const Features& features) {
  std::string names;
  for (const NamedFlag& flag : kFlags) {
    if (!(features.*flag.flag)) continue;
    if (!names.empty()) names += ' ';
    names += flag.name;
  }
  return names;
}

std::string DescribeCpu() {
  const Features& features = HostFeatures();
  const Topology topology = HostTopology();
  std::string line = features.model.empty() ? "unknown CPU" : features.model;
  line += ", " + std::to_string(topology.cores.size()) + " cores";
  if (topology.cpus.size() != topology.cores.size()) {
    line += " (" + std::to_string(topology.cpus.size()) + " threads)";
  }
  if (topology.l2_bytes > 0) line += ", L2 " + FormatBytes(topology.l2_bytes);
  if (topology.l3_bytes > 0) line += ", L3 " + FormatBytes(topology.l3_bytes);
  if (topology.memory_total > 0) line += ", memory " + FormatBytes(topology.memory_total);
  const std::string names = FeatureNames(features);
  if (!names.empty()) line += ", " + names;
  if (features.amx_refused) line += " (amx present but refused by the system)";
  return line;
}

}  // namespace ac::cpu
