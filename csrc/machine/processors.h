// The processors that threads run on, where the system tells.
#pragma once

#include <string>

namespace elman {

// How many this process may use at once: those it may run on, or fewer where its quota, as it was when this
// was first asked, pays for fewer.
int processors();

// The quota of Linux's control groups, rounded up to whole processors; 0 for none. `root`: what comes before
// the paths of /proc and /sys.
int quota_processors(const std::string& root);

// Where this thread runs, or -1.
int current_processor();

// Moves this thread elsewhere if it runs on that processor and may run on others. The system likes to wake a
// worker where its caller runs, and takes some 100 ms to notice that both are busy there.
void leave_processor(int taken);

}  // namespace elman
