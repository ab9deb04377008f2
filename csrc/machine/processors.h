// The processors that threads run on, where the system tells.
#pragma once

#include <string>
#include <vector>

namespace elman {

// How many this process may use at once: those it may run on, or fewer if its quota pays for fewer. The quota
// is read once, at the first call.
int processors();

// The same, but processors that share a core (hyper-threads) count as one: what the default number of threads
// is. The kernels keep a core's multiply-add units busy with one thread; a second one would only take its
// place while it waits. Where the system does not tell (it is asked on Linux), each has a core of its own.
int cores();

// How many cores these processors belong to. `root` as below.
int distinct_cores(const std::string& root, const std::vector<int>& processors);

// The quota of Linux's control groups, rounded up to whole processors; 0 for none. `root` stands before the
// paths of /proc and /sys; tests give one of their own.
int quota_processors(const std::string& root);

// Where this thread runs, or -1.
int current_processor();

// Moves this thread elsewhere if it runs on that processor and may run on others. Linux likes to wake a
// worker on the processor of its caller, and takes some 100 ms to notice that both are busy there.
void leave_processor(int taken);

}  // namespace elman
