// The sizes of the caches, where the system tells.
#pragma once

#include <cstdint>
#include <string>

namespace elman {

// Bytes of the first processor's cache of this level that holds data; 0 where the system does not tell.
// Linux's /sys is asked first: on virtual machines sysconf can give the size of all of a server's caches
// together. `root` stands before the paths of /sys; tests give one of their own.
int64_t cache_bytes(const std::string& root, int level);

}  // namespace elman
