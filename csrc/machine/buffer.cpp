#include "machine/buffer.h"

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <deque>
#include <mutex>
#include <new>

#if defined(_WIN32)
#include <malloc.h>
#elif defined(__linux__)
#include <sys/mman.h>
#endif

namespace elman {
namespace {

constexpr std::size_t line = 64, huge_page = std::size_t{2} << 20;

// A small buffer begins on a line inside what malloc gives, and the pointer that it gave stands before it. A
// call makes several, and the C library takes many times as long to align them itself.
void* take_small(std::size_t bytes) {
  void* const given = std::malloc(bytes + line);
  if (!given) throw std::bad_alloc();
  void** const p = reinterpret_cast<void**>((reinterpret_cast<uintptr_t>(given) / line + 1) * line);
  p[-1] = given;
  return p;
}

void give_small(void* p) { std::free(static_cast<void**>(p)[-1]); }

void* take_from_system(std::size_t bytes) {
#if defined(_WIN32)
  void* p = _aligned_malloc(bytes, huge_page);
#else
  void* p = nullptr;
  if (posix_memalign(&p, huge_page, bytes) != 0) p = nullptr;
#endif
  if (!p) throw std::bad_alloc();
#if defined(__linux__)
  // Huge pages: the system then clears 2 MB at a time, not 4 KB at each page fault.
  madvise(p, bytes, MADV_HUGEPAGE);
#endif
  return p;
}

void give_to_system(void* p) {
#if defined(_WIN32)
  _aligned_free(p);
#else
  std::free(p);
#endif
}

bool is_large(std::size_t bytes) { return bytes >= 2 * huge_page; }

void* take_new(std::size_t bytes) { return is_large(bytes) ? take_from_system(bytes) : take_small(bytes); }

void give_back(void* p, std::size_t bytes) {
  if (is_large(bytes)) give_to_system(p);
  else give_small(p);
}

// Buffers that are kept from one call for the next. A training step needs tapes of the same sizes each time,
// and up to a tenth of its time went into new ones, because the system clears them (awd, hydrology). The C
// library gives memory of more than 128 KB back to the system too: steps back of an RNNCell of 512 units took
// seven times as long. What is kept is at most what was in use at one time, and at most 1 GB; 256 MB are
// always kept. The oldest buffer leaves first, and the newest is used first: a cache may still hold it.
class Spare {
 public:
  // A buffer of exactly this size, or null.
  void* take(std::size_t bytes) {
    // If another thread is in here (or was when this process was forked), this one does without.
    const std::unique_lock<std::mutex> lock(mutex_, std::try_to_lock);
    if (!lock) return nullptr;
    const auto it =
        std::find_if(buffers_.rbegin(), buffers_.rend(), [&](const Kept& k) { return k.bytes == bytes; });
    if (it == buffers_.rend()) return nullptr;
    void* const p = it->p;
    total_ -= bytes;
    buffers_.erase(std::next(it).base());
    return p;
  }

  void note_in_use(std::size_t bytes) {
    const std::size_t used = in_use_.fetch_add(bytes) + bytes;
    const std::unique_lock<std::mutex> lock(mutex_, std::try_to_lock);
    if (lock) most_in_use_ = std::max(most_in_use_, used);
  }

  bool keep(void* p, std::size_t bytes) {
    in_use_.fetch_sub(bytes);
    const std::unique_lock<std::mutex> lock(mutex_, std::try_to_lock);
    const std::size_t most = std::min(most_bytes, std::max(least_bytes, most_in_use_));
    if (!lock || bytes > most) return false;
    for (; total_ + bytes > most; buffers_.pop_front()) {
      total_ -= buffers_.front().bytes;
      give_back(buffers_.front().p, buffers_.front().bytes);
    }
    buffers_.push_back({p, bytes});
    total_ += bytes;
    return true;
  }

 private:
  static constexpr std::size_t least_bytes = std::size_t{256} << 20, most_bytes = std::size_t{1} << 30;
  struct Kept {
    void* p;
    std::size_t bytes;
  };
  std::mutex mutex_;
  std::deque<Kept> buffers_;
  std::size_t total_ = 0, most_in_use_ = 0;
  std::atomic<std::size_t> in_use_{0};
};

Spare& spare() {
  static Spare* const buffers = new Spare;  // never destroyed: buffers may outlive static objects
  return *buffers;
}

bool is_kept(std::size_t bytes) { return bytes >= std::size_t{128} << 10; }

// Sizes that are kept are rounded up by an eighth at most, so that a batch can use a buffer of a batch of
// nearly its size.
std::size_t rounded(std::size_t bytes) {
  std::size_t unit = is_large(bytes) ? huge_page : line;
  if (is_kept(bytes))
    while (unit <= bytes / 16) unit *= 2;
  return bytes == 0 ? unit : (bytes + unit - 1) / unit * unit;
}

}  // namespace

void* allocate_bytes(std::size_t bytes) {
  if (bytes > PTRDIFF_MAX) throw std::bad_alloc();
  bytes = rounded(bytes);
  if (!is_kept(bytes)) return take_new(bytes);
  void* const kept = spare().take(bytes);
  void* const p = kept ? kept : take_new(bytes);
  spare().note_in_use(bytes);
  return p;
}

void free_bytes(void* p, std::size_t bytes) {
  bytes = rounded(bytes);
  if (!is_kept(bytes) || !spare().keep(p, bytes)) give_back(p, bytes);
}

}  // namespace elman
