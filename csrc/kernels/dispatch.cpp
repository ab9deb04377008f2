#include "kernels/dispatch.h"

#include <atomic>
#include <cstdlib>
#include <stdexcept>

#include "kernels/defined_cells.h"
#include "machine/features.h"

namespace elman {

namespace scalar {
extern const Isa isa;
}
namespace avx2 {
extern const Isa isa;
}
namespace avx512 {
extern const Isa isa;
}
namespace neon {
extern const Isa isa;
}

namespace {

// What this build holds, best first, and whether the processor can run it. Asked here and not in the
// instruction set's own file, which is compiled with flags that the processor may not understand.
struct Built {
  const Isa* isa;
  bool (*supported)();
};

const Built built[] = {
#if defined(ELMAN_X86)
    {&avx512::isa, has_avx512},
    {&avx2::isa, has_avx2},
#elif defined(ELMAN_ARM)
    {&neon::isa, [] { return true; }},
#endif
    {&scalar::isa, [] { return true; }},
};

std::atomic<const Isa*> chosen{nullptr};

const Isa* find_isa(const std::string& name, const char* given_by) {
  std::string known;
  for (const Isa* isa : isas()) {
    if (name == isa->name) return isa;
    known += (known.empty() ? "" : ", ") + std::string(isa->name);
  }
  throw std::invalid_argument(given_by + std::string(": expected one of ") + known + ", got '" + name + "'");
}

}  // namespace

std::vector<const Isa*> isas() {
  std::vector<const Isa*> found;
  for (const Built& candidate : built)
    if (candidate.supported()) found.push_back(candidate.isa);
  return found;
}

const Isa& current_isa() {
  const Isa* isa = chosen.load();
  if (!isa) {
    const char* forced = std::getenv("ELMAN_ISA");
    isa = forced && *forced ? find_isa(forced, "ELMAN_ISA") : isas().front();
    chosen.store(isa);
  }
  return *isa;
}

void use_isa(const std::string& name) { chosen.store(find_isa(name, "name")); }

const CellRef& find_cell(const Isa& isa, const std::string& name) {
  for (int i = 0; i < isa.cell_count; ++i)
    if (name == isa.cells[i].facts->name) return isa.cells[i];
  if (const CellRef* defined = defined_cell(isa, name)) return *defined;
  throw std::invalid_argument("cell: no cell is named '" + name + "'");
}

}  // namespace elman
