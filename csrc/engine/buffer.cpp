#include "engine/buffer.h"

#include <cstdlib>
#include <new>

#if defined(_WIN32)
#include <malloc.h>
#elif defined(__linux__)
#include <sys/mman.h>
#endif

namespace elman {

void* allocate_bytes(std::size_t bytes) {
  constexpr std::size_t line = 64, huge_page = std::size_t{2} << 20;
  const std::size_t alignment = bytes >= 2 * huge_page ? huge_page : line;
  bytes = (bytes + line - 1) / line * line + (bytes == 0) * line;
#if defined(_WIN32)
  void* p = _aligned_malloc(bytes, alignment);
#else
  void* p = nullptr;
  if (posix_memalign(&p, alignment, bytes) != 0) p = nullptr;
#endif
  if (!p) throw std::bad_alloc();
#if defined(__linux__)
  // A tape of many megabytes is touched once per call: with huge pages the kernel clears it 2 MB at a
  // time instead of taking a fault for every 4 KB.
  if (alignment == huge_page) madvise(p, bytes, MADV_HUGEPAGE);
#endif
  return p;
}

void free_bytes(void* p) {
#if defined(_WIN32)
  _aligned_free(p);
#else
  std::free(p);
#endif
}

}  // namespace elman
