// The processor time that Linux's control groups leave to this process. Containers are limited by them. Both
// versions of the groups are a tree of folders that is mounted somewhere. A group is limited by its own quota
// and by those of all groups above it.
#include <algorithm>
#include <cstdint>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "machine/processors.h"

namespace elman {
namespace {

std::vector<std::string> split(const std::string& text, char at) {
  std::vector<std::string> parts;
  std::istringstream stream(text);
  for (std::string part; std::getline(stream, part, at);) parts.push_back(part);
  return parts;
}

bool holds(const std::vector<std::string>& list, const std::string& wanted) {
  return std::find(list.begin(), list.end(), wanted) != list.end();
}

// The path of this process's group: in the one tree of version 2 (`unified`), or in that of the controller
// "cpu" of version 1.
std::string own_group(const std::string& root, bool unified) {
  std::ifstream file(root + "/proc/self/cgroup");
  for (std::string line; std::getline(file, line);) {  // number:controllers:path
    const std::size_t first = line.find(':'), second = line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    if (unified ? controllers.empty() : holds(split(controllers, ','), "cpu")) return line.substr(second + 1);
  }
  return "";
}

// How many processors a group's quota pays for; 0 if it has none. Rounded up: the threads then stand still
// for a part of the time.
int limit_of(const std::string& folder, bool unified) {
  int64_t quota = 0, period = 0;
  if (unified) {
    std::ifstream(folder + "/cpu.max") >> quota >>
        period;  // without a quota it says "max", which is no number
  } else {
    std::ifstream(folder + "/cpu.cfs_quota_us") >> quota;  // -1 without a quota
    std::ifstream(folder + "/cpu.cfs_period_us") >> period;
  }
  if (quota <= 0 || period <= 0) return 0;
  return static_cast<int>(std::min<int64_t>((quota - 1) / period + 1, INT32_MAX));
}

}  // namespace

int quota_processors(const std::string& root) {
  int least = 0;
  std::ifstream mounts(root + "/proc/self/mountinfo");
  for (std::string line; std::getline(mounts, line);) {
    // number parent device root folder options ... - type source options
    const std::vector<std::string> fields = split(line, ' ');
    const auto dash = std::find(fields.begin(), fields.end(), "-");
    if (dash - fields.begin() < 5 || fields.end() - dash < 4) continue;
    const bool unified = dash[1] == "cgroup2";
    if (!unified && (dash[1] != "cgroup" || !holds(split(dash[3], ','), "cpu"))) continue;
    // What is mounted here is the tree below the group fields[3]; in a container that is often its own group.
    const std::string top = fields[3] == "/" ? "" : fields[3];
    std::string group = own_group(root, unified);
    const bool inside = group.compare(0, top.size(), top) == 0 && group.find("/..") == std::string::npos;
    group = inside ? group.substr(top.size()) : "";
    while (!group.empty() && group.back() == '/') group.pop_back();
    for (;; group.erase(group.rfind('/'))) {
      const int limit = limit_of(root + fields[4] + group, unified);
      if (limit && (!least || limit < least)) least = limit;
      if (group.rfind('/') == std::string::npos) break;
    }
  }
  return least;
}

}  // namespace elman
