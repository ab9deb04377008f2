// The processors that threads run on, where the system tells.
#pragma once

namespace elman {

// How many this process may run on.
int processors();

// Where this thread runs, or -1.
int current_processor();

// Moves this thread elsewhere if it runs on that processor and may run on others. The system likes to wake a
// worker where its caller runs, and takes some 100 ms to notice that both are busy there.
void leave_processor(int taken);

}  // namespace elman
