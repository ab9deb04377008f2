#include "machine/processors.h"

#include <algorithm>
#include <fstream>
#include <map>
#include <mutex>
#include <set>
#include <thread>

#if defined(__linux__)
#include <sched.h>
#endif

namespace elman {
namespace {

#if defined(__linux__)
// The processors that this thread may run on. Linux refuses sets that are smaller than its own, and cpu_set_t
// ends at 1024.
class ProcessorSet {
 public:
  bool read() { return sched_getaffinity(0, sizeof bits_, set()) == 0; }
  bool write() { return sched_setaffinity(0, sizeof bits_, set()) == 0; }
  bool has(int i) { return CPU_ISSET_S(i, sizeof bits_, set()); }
  int count() { return CPU_COUNT_S(sizeof bits_, set()); }
  void remove(int i) { CPU_CLR_S(i, sizeof bits_, set()); }
  static constexpr int room = 1 << 16;

 private:
  cpu_set_t* set() { return reinterpret_cast<cpu_set_t*>(bits_); }
  alignas(cpu_set_t) unsigned char bits_[room / 8] = {};
};
#endif

// The numbers of the processors that this thread may run on.
std::vector<int> allowed_processors() {
  std::vector<int> all;
#if defined(__linux__)
  ProcessorSet set;
  if (set.read()) {
    for (int i = 0, left = set.count(); left > 0 && i < ProcessorSet::room; ++i)
      if (set.has(i)) all.push_back(i), --left;
    return all;
  }
#endif
  for (int i = 0, n = static_cast<int>(std::thread::hardware_concurrency()); i < std::max(n, 1); ++i)
    all.push_back(i);
  return all;
}

int at_most_quota(int n) {
  static const int quota = quota_processors("");  // takes some 100 us
  return quota ? std::min(quota, n) : n;
}

// The lowest processor of the same core; the processor itself where the system does not tell.
int first_of_core(const std::string& root, int processor) {
  const std::string folder = root + "/sys/devices/system/cpu/cpu" + std::to_string(processor) + "/topology/";
  for (const char* name :
       {"core_cpus_list", "thread_siblings_list"}) {  // "0,64" or "0-1"; the latter is older
    int first = -1;
    if (std::ifstream(folder + name) >> first) return first;
  }
  return processor;
}

}  // namespace

int processors() { return at_most_quota(static_cast<int>(allowed_processors().size())); }

int cores() {
  // Which core a processor belongs to does not change, and to read it takes 10 us for each.
  static std::mutex mutex;
  static std::map<int, int> known;
  const std::vector<int> allowed = allowed_processors();
  // If another thread is in here (or was when this process was forked), this one does without.
  const std::unique_lock<std::mutex> lock(mutex, std::try_to_lock);
  if (!lock) return at_most_quota(distinct_cores("", allowed));
  std::set<int> found;
  for (const int processor : allowed) {
    const auto [at, fresh] = known.try_emplace(processor, processor);
    if (fresh) at->second = first_of_core("", processor);
    found.insert(at->second);
  }
  return at_most_quota(static_cast<int>(found.size()));
}

int distinct_cores(const std::string& root, const std::vector<int>& processors) {
  std::set<int> found;
  for (const int processor : processors) found.insert(first_of_core(root, processor));
  return static_cast<int>(found.size());
}

int current_processor() {
#if defined(__linux__)
  return sched_getcpu();
#else
  return -1;
#endif
}

void leave_processor(int taken) {
#if defined(__linux__)
  ProcessorSet allowed;
  if (taken < 0 || sched_getcpu() != taken || !allowed.read()) return;
  ProcessorSet others = allowed;
  others.remove(taken);
  if (others.count() > 0 && others.write()) allowed.write();
#else
  (void)taken;
#endif
}

}  // namespace elman
