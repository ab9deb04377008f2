// Work in equal parts, on as many of a call's threads as it is worth (costs.h).
#pragma once

#include <cstdint>

#include "machine/costs.h"
#include "machine/threads.h"

namespace elman {

// Splits [0, count) into `parts` and runs f(begin, end) for each on a thread.
template <class F> void share(ThreadTeam& team, int parts, int64_t count, const F& f) {
  team.run(parts, [&](int i) { f(count * i / parts, count * (i + 1) / parts); });
}

// The same for work that only moves memory, `bytes` of it in all.
template <class F> void share_moving(ThreadTeam& team, double bytes, int64_t count, const F& f) {
  share(team, threads_for_streaming(bytes, team.size(), team.warm()), count, f);
}

}  // namespace elman
