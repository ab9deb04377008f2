#include "machine/caches.h"

#include <fstream>

#if !defined(_WIN32)
#include <unistd.h>
#endif

namespace elman {
namespace {

int64_t from_sysconf(int level) {
  long size = 0;
#if defined(_SC_LEVEL1_DCACHE_SIZE)
  size = sysconf(level == 1   ? _SC_LEVEL1_DCACHE_SIZE
                 : level == 2 ? _SC_LEVEL2_CACHE_SIZE
                              : _SC_LEVEL3_CACHE_SIZE);
#else
  (void)level;
#endif
  return size > 0 ? size : 0;
}

}  // namespace

int64_t cache_bytes(const std::string& root, int level) {
  for (int index = 0; index < 10; ++index) {
    const std::string folder =
        root + "/sys/devices/system/cpu/cpu0/cache/index" + std::to_string(index) + "/";
    int found = 0;
    std::string type;
    int64_t size = 0;
    char unit = 0;
    if (!(std::ifstream(folder + "level") >> found) || found != level) continue;
    if (!(std::ifstream(folder + "type") >> type) || type == "Instruction") continue;
    if (std::ifstream(folder + "size") >> size >> unit && size > 0)
      return size * (unit == 'M' ? int64_t{1} << 20 : unit == 'K' ? 1024 : 1);
  }
  return root.empty() ? from_sysconf(level) : 0;
}

}  // namespace elman
